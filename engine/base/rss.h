// How network cards spread packets over receive queues (receive-side scaling), computed here as the
// card does, so that a session is owned by the shard whose queue its packets come through.
//
// The card hashes addresses and ports with a Toeplitz matrix made of a key. With the key 6D5A
// repeated every 16-bit word meets the same part of the key, so that the hash is that of the words'
// exclusive or: equal for both directions of a session, IPv4 and IPv6 (Woo and Park, "Scalable TCP
// session monitoring with symmetric receive-side scaling", 2012). It is public and has 16 bits:
// good to choose a shard with, not a place in a table.
//
// The card's table of queues begins with `bucket % queues` for 128 buckets, and repeats that.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "engine/base/flow_key.h"

namespace linger {

inline constexpr std::array<std::uint8_t, 2> kRssKey = {0x6d, 0x5a};
inline constexpr std::uint32_t kRssBuckets = 128;

// Toeplitz of one 16-bit word under that key, the lower 7 bits.
constexpr std::uint8_t rss_bucket_of_word(std::uint16_t word) noexcept {
  std::uint32_t hash = 0;
  for (int bit = 0; bit < 16; ++bit)
    if ((word & 0x8000u >> bit) != 0) hash ^= std::rotl(0x6d5a'6d5au, bit);
  return hash % kRssBuckets;
}

namespace detail {
constexpr auto make_rss_table(int shift) noexcept {
  std::array<std::uint8_t, 256> table{};
  for (unsigned byte = 0; byte < 256; ++byte)
    table[byte] = rss_bucket_of_word(static_cast<std::uint16_t>(byte << shift));
  return table;
}
inline constexpr auto kRssHigh = make_rss_table(8);
inline constexpr auto kRssLow = make_rss_table(0);
}  // namespace detail

// Cards hash the ports of TCP and UDP; of all else the addresses only.
inline std::uint32_t rss_bucket(const FlowKey& key) noexcept {
  std::uint64_t folded = key.word(0) ^ key.word(1) ^ key.word(2) ^ key.word(3);
  folded ^= folded >> 32;
  folded ^= folded >> 16;
  auto word = static_cast<std::uint16_t>(folded << 8 | (folded >> 8 & 0xff));  // as on the wire
  if (key.protocol == kProtocolTcp || key.protocol == kProtocolUdp)
    word = static_cast<std::uint16_t>(word ^ key.port[0] ^ key.port[1]);
  return detail::kRssHigh[word >> 8] ^ detail::kRssLow[word & 0xff];
}

}  // namespace linger
