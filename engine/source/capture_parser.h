// From the bytes of a capture file to packets: pcap (microseconds, nanoseconds, modified header,
// both byte orders), pcapng (sections, interfaces and byte orders in any mix) and snoop. No input,
// no copies: packets point into the bytes given.
//
// Owner: the source's thread. Limits: a frame or block is at most kCaptureRecordBytesMax, a section
// has at most 65,536 interfaces; whatever claims more is damaged. Cost: a handful of instructions a
// packet for pcap.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/base/bytes.h"
#include "engine/packet/packet.h"

namespace linger {

inline constexpr std::size_t kCaptureRecordBytesMax = std::size_t{16} << 20;

// Where parsed packets go, and until when.
struct PacketRun {
  Packet* packets = nullptr;
  std::uint32_t room = 0;
  std::uint32_t count = 0;
  std::int64_t limit = INT64_MAX;  // stop before a packet whose Timestamp::value is greater
};

class CaptureParser {
 public:
  enum class Stop : std::uint8_t {
    full,    // no room for more packets
    limit,   // the next packet (head()) is past the limit
    need,    // needs needed_bytes() in one piece from where it stopped
    broken,  // reason() says what is wrong with the bytes where it stopped
  };

  // Appends packets to the run and moves `window` past what it parsed. Packets name `buffer` as
  // theirs.
  Stop parse(Bytes& window, PacketBuffer* buffer, PacketRun& run) noexcept;

  Timestamp head() const noexcept { return head_; }
  std::size_t needed_bytes() const noexcept { return needed_bytes_; }
  const std::string& reason() const noexcept { return reason_; }

  // False until the file's header was understood: bytes that are broken before that are no capture
  // at all.
  bool is_capture() const noexcept { return format_ != Format::unknown; }

 private:
  enum class Format : std::uint8_t { unknown, pcap_le, pcap_be, pcapng_le, pcapng_be, snoop };

  // A unit of time of an interface, as nanoseconds.
  struct Resolution {
    std::uint64_t multiplier = 1'000;  // nanoseconds per unit; 0: not a whole number
    std::uint64_t units_end = 0;       // below, units x multiplier is the Timestamp; 0: never
    std::uint8_t code = 6;             // if_tsresol
    std::int64_t offset_seconds = 0;   // if_tsoffset
  };
  struct Interface {
    Resolution resolution;
    std::uint32_t snap_bytes = 0;  // 0: no limit
    std::uint16_t link_type = 0;
  };

  Stop file_header(Bytes& window) noexcept;
  template <bool kBig>
  Stop pcap_header(Bytes& window) noexcept;
  template <bool kBig>
  Stop pcap_packets(Bytes& window, PacketBuffer* buffer, PacketRun& run) noexcept;
  template <bool kBig>
  Stop pcapng_blocks(Bytes& window, PacketBuffer* buffer, PacketRun& run) noexcept;
  Stop snoop_header(Bytes& window) noexcept;
  Stop snoop_packets(Bytes& window, PacketBuffer* buffer, PacketRun& run) noexcept;
  Stop section_header(Bytes& window) noexcept;
  template <bool kBig>
  bool interface_description(Bytes body) noexcept;
  template <bool kBig>
  bool packet_block(std::uint32_t type, Bytes body, Packet& packet) noexcept;
  static void set_resolution(Resolution& resolution, std::uint8_t code,
                             std::int64_t offset) noexcept;
  static Timestamp timestamp_of(const Resolution& resolution, std::uint64_t units) noexcept;

  Stop need(std::size_t bytes) noexcept {
    needed_bytes_ = bytes;
    return Stop::need;
  }
  [[gnu::cold]] Stop broken(std::string reason) noexcept {
    reason_ = std::move(reason);
    return Stop::broken;
  }
  [[gnu::cold]] bool bad(std::string reason) noexcept {
    reason_ = std::move(reason);
    return false;
  }

  Format format_ = Format::unknown;
  Timestamp head_;
  std::size_t needed_bytes_ = 0;
  std::string reason_;

  // pcap (snoop: the link type)
  std::uint32_t record_header_bytes_ = 16;
  std::uint32_t fraction_multiplier_ = 1'000;  // nanoseconds per unit of the fraction
  std::uint32_t frame_bytes_max_ = kCaptureRecordBytesMax;
  std::uint16_t link_type_ = 0;
  bool lengths_swapped_ = false;  // before version 2.4 some writers had them the other way round

  // pcapng
  std::vector<Interface> interfaces_;
  Timestamp last_;  // a simple packet block has no time of its own: that of the packet before
};

}  // namespace linger
