// The canonical key of a session and its keyed hash.
//
//      0        16        32   34   36         37          38      40       48
//     | addr[0] | addr[1] | port[2] | protocol | ip_version | zero | scope |
//
// Canonical order: (addr, port) of side 0 is not greater than that of side 1, compared as bytes in
// network order, then as numbers. A packet's `direction` says which side sent it: 0 when its source
// is side 0. IPv4 addresses are the first four bytes, the rest zero. One layout for both IP
// versions, compared as three 16-byte words.
#pragma once

#include <smmintrin.h>

#include <array>
#include <cstdint>
#include <cstring>

#include "engine/base/int128.h"

namespace linger {

enum IpProtocol : std::uint8_t {  // iana.org/assignments/protocol-numbers
  kProtocolIcmp = 1,
  kProtocolTcp = 6,
  kProtocolUdp = 17,
  kProtocolDccp = 33,
  kProtocolEsp = 50,
  kProtocolIcmpV6 = 58,
  kProtocolSctp = 132,
  kProtocolUdpLite = 136,
};

constexpr bool has_ports(std::uint8_t protocol) noexcept {
  return protocol == kProtocolTcp || protocol == kProtocolUdp || protocol == kProtocolSctp ||
         protocol == kProtocolDccp || protocol == kProtocolUdpLite;
}

struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};  // IPv4: the first four, rest zero
};

struct FlowKey {
  std::array<IpAddress, 2> address{};
  // Host order; ICMP echo: the identifier on both sides; no ports: 0.
  std::array<std::uint16_t, 2> port{};
  std::uint8_t protocol = 0;    // IANA protocol number
  std::uint8_t ip_version = 0;  // 4 or 6
  std::uint16_t zero = 0;
  std::uint64_t scope = 0;  // VLAN or tunnel ids, when the setting sessionKey asks for them; else 0

  // Word by word, never as a whole: a copy would wait for the narrower stores that decode has just
  // made.
  std::uint64_t word(std::size_t i) const noexcept {
    std::uint64_t value;
    std::memcpy(&value, reinterpret_cast<const char*>(this) + 8 * i, sizeof value);
    return value;
  }
  void set_word(std::size_t i, std::uint64_t value) noexcept {
    std::memcpy(reinterpret_cast<char*>(this) + 8 * i, &value, sizeof value);
  }
  std::array<std::uint64_t, 6> words() const noexcept {
    return {word(0), word(1), word(2), word(3), word(4), word(5)};
  }
  friend bool operator==(const FlowKey& a, const FlowKey& b) noexcept {
    const auto* left = reinterpret_cast<const __m128i*>(&a);
    const auto* right = reinterpret_cast<const __m128i*>(&b);
    const auto differs = [&](int i) {
      return _mm_xor_si128(_mm_loadu_si128(left + i), _mm_loadu_si128(right + i));
    };
    const __m128i difference = _mm_or_si128(_mm_or_si128(differs(0), differs(1)), differs(2));
    return _mm_testz_si128(difference, difference) != 0;
  }
};
static_assert(sizeof(FlowKey) == 48);

using FlowHash = std::uint64_t;

// The secret of the table's hash: 8 words. NH with 64-bit words and a multiplicative finish, as
// VMAC and UMAC use it (RFC 4418 §5.2 has the 32-bit form): two keys chosen without knowing the
// secret collide with probability 2^-64, so neither chosen keys nor 100,000 sessions that differ in
// one port slow the table down.
struct HashSeed {
  std::array<std::uint64_t, 8> words{};
};

// Derives the eight words from one number: a setting for tests and replays, random bits for a live
// run.
HashSeed make_hash_seed(std::uint64_t secret) noexcept;

// Of the six words of a key; From: which word of the seed comes first.
template <std::size_t From = 0>
inline FlowHash hash_of(const std::array<std::uint64_t, 6>& k, const HashSeed& seed) noexcept {
  const auto s = [&](std::size_t i) { return seed.words[(From + i) % 8]; };
  uint128 sum = static_cast<uint128>(k[0] + s(0)) * (k[1] + s(1));
  sum += static_cast<uint128>(k[2] + s(2)) * (k[3] + s(3));
  sum += static_cast<uint128>(k[4] + s(4)) * (k[5] + s(5));
  const auto low = static_cast<std::uint64_t>(sum);
  const auto high = static_cast<std::uint64_t>(sum >> 64);
  const uint128 mixed = static_cast<uint128>(low ^ s(6)) * ((high ^ s(7)) | 1);
  return static_cast<std::uint64_t>(mixed) ^ static_cast<std::uint64_t>(mixed >> 64) ^ high;
}

inline FlowHash hash_of(const FlowKey& key, const HashSeed& seed) noexcept {
  return hash_of(key.words(), seed);
}

}  // namespace linger
