#include "output/sha1_blocks.h"

#include <cstring>

// Vectors are handed to functions that are inlined always.
#pragma GCC diagnostic ignored "-Wpsabi"

namespace linger {
namespace {

template <std::size_t Lanes>
struct VectorOf {
  typedef std::uint32_t Type __attribute__((vector_size(Lanes * sizeof(std::uint32_t))));
};

template <class Vector>
[[gnu::always_inline]] inline Vector rotate(const Vector& v, int by) noexcept {
  return v << by | v >> (32 - by);
}

// What round i makes of three of its words, its constant with it.
template <class Vector>
[[gnu::always_inline]] inline Vector mix(std::size_t i, const Vector& b, const Vector& c,
                                         const Vector& d) noexcept {
  if (i < 20) return (d ^ (b & (c ^ d))) + 0x5a82'7999;
  if (i < 40) return (b ^ c ^ d) + 0x6ed9'eba1;
  if (i < 60) return ((b & c) | (d & (b | c))) + 0x8f1b'bcdc;
  return (b ^ c ^ d) + 0xca62'c1d6;
}

// The lanes of one vector from `first` on. Inlined into functions for different processors.
template <std::size_t Lanes>
[[gnu::always_inline]] inline void digest(const Sha1Blocks& blocks, std::size_t first,
                                          Sha1Digests& digests) noexcept {
  using Vector = typename VectorOf<Lanes>::Type;
  constexpr std::uint32_t kBegin[5] = {0x6745'2301, 0xefcd'ab89, 0x98ba'dcfe, 0x1032'5476,
                                       0xc3d2'e1f0};
  Vector w[16];
  for (std::size_t i = 0; i < 16; ++i) std::memcpy(&w[i], &blocks.word[i][first], sizeof w[i]);
  const Vector zero{};
  Vector a = zero + kBegin[0], b = zero + kBegin[1], c = zero + kBegin[2], d = zero + kBegin[3],
         e = zero + kBegin[4];
#pragma GCC unroll 80
  for (std::size_t i = 0; i < 80; ++i) {
    if (i >= 16)
      w[i % 16] = rotate(w[(i - 3) % 16] ^ w[(i - 8) % 16] ^ w[(i - 14) % 16] ^ w[i % 16], 1);
    const Vector next = rotate(a, 5) + (mix(i, b, c, d) + (e + w[i % 16]));
    e = d, d = c, c = rotate(b, 30), b = a, a = next;
  }
  const Vector end[5] = {a, b, c, d, e};
  for (std::size_t i = 0; i < 5; ++i) {
    const Vector sum = end[i] + kBegin[i];
    std::memcpy(&digests.word[i][first], &sum, sizeof sum);
  }
}

// Wider vectors than its registers are taken apart badly (GCC 12: 50 ns a lane instead of 36).
void digest_sse(const Sha1Blocks& blocks, Sha1Digests& digests) noexcept {
  for (std::size_t first = 0; first < kSha1Lanes; first += 4) digest<4>(blocks, first, digests);
}
[[gnu::target("avx2")]] void digest_avx2(const Sha1Blocks& blocks, Sha1Digests& digests) noexcept {
  digest<16>(blocks, 0, digests);
}
[[gnu::target("avx512f")]] void digest_avx512(const Sha1Blocks& blocks,
                                              Sha1Digests& digests) noexcept {
  digest<16>(blocks, 0, digests);
}

}  // namespace

std::array<Sha1Way, kSha1WaysMax> sha1_ways() noexcept {
  std::array<Sha1Way, kSha1WaysMax> ways{};
  std::size_t count = 0;
  // Ice Lake, Zen 4 and later: there, vectors this wide do not slow the processor's clock.
  if (__builtin_cpu_supports("avx512vbmi2")) ways[count++] = digest_avx512;
  if (__builtin_cpu_supports("avx2")) ways[count++] = digest_avx2;
  ways[count++] = digest_sse;
  return ways;
}

void sha1_of(const Sha1Blocks& blocks, Sha1Digests& digests) noexcept {
  static const Sha1Way best = sha1_ways()[0];
  best(blocks, digests);
}

}  // namespace linger
