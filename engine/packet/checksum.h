// Checksums of IPv4 headers, TCP, UDP, ICMP (RFC 1071) and SCTP (RFC 9260 appendix A), as decode
// verifies them on packets that were captured whole.
//
// What the sender's network card was to fill in is no error. Recognised: a field of zero; the sum
// of the pseudo header alone, with or without its length (what Linux and Windows leave to the
// card); a wrong sum on a TCP segment that no wire carries in one piece (receive off-load joins
// segments and keeps the first one's sum).
//
// Thread: any. Cost: bench/decode_bench; the payload is read once, 16 bytes at a time. SCTP's CRC
// goes byte by byte: it is rare.
#pragma once

#include <cstdint>

#include "engine/base/bytes.h"
#include "engine/base/int128.h"
#include "engine/packet/packet.h"

namespace linger {

// sum_words() of many bytes, a multiple of 32.
std::uint64_t sum_blocks(const std::uint8_t* data, std::uint32_t bytes) noexcept;

// The sum of 16-bit words as they lie in memory (RFC 1071 §2 (B)), not folded; an odd last byte is
// padded with zero. 8 bytes to 4 GiB.
[[gnu::always_inline]] inline std::uint64_t sum_words(const std::uint8_t* data,
                                                      std::uint32_t bytes) noexcept {
  // The last 0 to 7 bytes: the end of the last 8.
  uint128 sum = load_le64(data + bytes - 8) >> 1 >> (63 - 8 * (bytes % 8));
  if (bytes >= 64) {
    const std::uint32_t blocks = bytes & ~31U;
    sum += sum_blocks(data, blocks);
    data += blocks;
    bytes -= blocks;
  }
  switch (bytes / 8) {  // no loop: these are the sizes of headers
    case 7:
      sum += load_le64(data + 48);
      [[fallthrough]];
    case 6:
      sum += load_le64(data + 40);
      [[fallthrough]];
    case 5:
      sum += load_le64(data + 32);
      [[fallthrough]];
    case 4:
      sum += load_le64(data + 24);
      [[fallthrough]];
    case 3:
      sum += load_le64(data + 16);
      [[fallthrough]];
    case 2:
      sum += load_le64(data + 8);
      [[fallthrough]];
    case 1:
      sum += load_le64(data);
  }
  const auto low = static_cast<std::uint64_t>(sum);
  return (low & 0xffff'ffff) + (low >> 32) + static_cast<std::uint64_t>(sum >> 64);
}

constexpr std::uint16_t fold(std::uint64_t sum) noexcept {
  sum = (sum & 0xffff'ffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>((sum & 0xffff) + (sum >> 16));
}
// fold(sum) == 0xffff of a sum that is not 0: 2^16 - 1 divides it.
constexpr bool is_all_ones(std::uint64_t sum) noexcept { return sum % 0xffff == 0; }

// RFC 791 §3.1. A field of zero was left to the card.
inline bool is_ipv4_header_right(const std::uint8_t* header, std::uint32_t bytes) noexcept {
  std::uint64_t sum = 0;
  for (std::uint32_t i = 0; i < bytes; i += 4) sum += load_le32(header + i);
  return is_all_ones(sum) || load_le16(header + 10) == 0;
}

struct Segment {           // all of a transport's header and payload
  const std::uint8_t* ip;  // its IP header
  std::uint8_t ip_version;
  std::uint8_t protocol;
  const std::uint8_t* data;
  std::uint32_t bytes;  // at least the transport's header
};

// What a number's words add to a sum: to swap the bytes of a word is to multiply it by 2^8, modulo
// 2^16 - 1.
constexpr std::uint64_t in_memory_order(std::uint32_t number) noexcept {
  return std::uint64_t{number} << 8;
}

// RFC 9293 §3.1, RFC 8200 §8.1; in both versions the addresses stand side by side.
[[gnu::always_inline]] inline std::uint64_t sum_pseudo_header(const Segment& segment) noexcept {
  const std::uint64_t addresses =
      segment.ip_version == 4
          ? std::uint64_t{load_le32(segment.ip + 12)} + load_le32(segment.ip + 16)
          : sum_words(segment.ip + 8, 32);
  return addresses + in_memory_order(segment.protocol) + in_memory_order(segment.bytes);
}

// kPacketBadChecksum, kPacketOffloaded, or 0: right, none, or not a protocol that has one here.
std::uint8_t verify_segment(const Segment& segment) noexcept;

// The same for TCP and UDP, most of which are right.
[[gnu::always_inline]] inline std::uint8_t verify_usual_segment(const Segment& segment) noexcept {
  const std::uint64_t sum = sum_pseudo_header(segment) + sum_words(segment.data, segment.bytes);
  if (is_all_ones(sum)) return 0;
  const Segment copy = {segment.ip, segment.ip_version, segment.protocol, segment.data,
                        segment.bytes};
  return verify_segment(copy);  // so that the usual one is never in memory
}

}  // namespace linger
