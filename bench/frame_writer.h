// TCP segments as frames, fast: a header made once for each kind by the packet builder, then
// patched: addresses, ports, numbers, lengths and checksums. All checksums are right.
//
// A frame is at least 60 bytes long, as a network card hands it over (64 with the FCS it strips).
// Payload is the beginning of one fixed text, so that its checksum is a table look-up. A SYN
// carries MSS, SACK-permitted and window scale unless it is bare. Cost: 30 to 50 ns and the copy.
// Thread: any; write() changes nothing.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "engine/packet/packet.h"

namespace linger::bench {

enum class Wrapping : std::uint8_t { none, vlan, vxlan };

struct Segment {
  FlowKey key;             // addresses, ports, version; canonical order is not needed
  unsigned direction = 0;  // the side of `key` that sends it
  std::uint32_t sequence = 0;
  std::uint32_t acknowledgment = 0;
  std::uint8_t flags = 0;  // TcpFlag
  bool is_bare = false;    // a SYN without options, as floods have them
  std::uint32_t payload_bytes = 0;
};

inline constexpr std::uint32_t kSegmentBytesMax = 8960;
inline constexpr std::size_t kFrameBytesMax = kSegmentBytesMax + 256;
inline constexpr std::size_t kFrameBytesMin = 60;
inline constexpr std::uint16_t kWindow = 64'000;

class FrameWriter {
 public:
  explicit FrameWriter(Wrapping wrapping = Wrapping::none);

  // `to` has room for kFrameBytesMax. Returns the frame's length.
  std::size_t write(const Segment& segment, std::uint8_t* to) const noexcept;

 private:
  struct Headers {
    std::vector<std::uint8_t> bytes;
    std::size_t ip_offset = 0;  // of the innermost
    std::size_t tcp_offset = 0;
  };
  Headers make_headers(bool is_v6, bool is_syn) const;

  Wrapping wrapping_;
  std::array<std::array<Headers, 2>, 2> headers_;  // [IPv6][with SYN options]
  std::vector<std::uint8_t> text_;
  std::vector<std::uint32_t> text_sums_;  // of its first n 16-bit words
};

}  // namespace linger::bench
