// SHA-1 (FIPS 180-4 §6.1) of messages of one block, sixteen side by side: what one digest waits
// for, the others do meanwhile. A community id takes 17 ns with AVX-512, 23 with AVX2, 46 with SSE;
// with OpenSSL, one after another, 30 where the processor has instructions for SHA-1.
//
// Any thread. Shape: word i of all messages, then word i + 1; words as numbers, the first byte of
// four the highest. Cost: the same however many of the lanes are of interest.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace linger {

inline constexpr std::size_t kSha1Lanes = 16;

struct alignas(64) Sha1Blocks {  // padded already (§5.1.1)
  std::array<std::array<std::uint32_t, kSha1Lanes>, 16> word{};
};
struct alignas(64) Sha1Digests {
  std::array<std::array<std::uint32_t, kSha1Lanes>, 5> word{};
};

void sha1_of(const Sha1Blocks& blocks, Sha1Digests& digests) noexcept;

// The ways to do it that this processor has: all do the same.
using Sha1Way = void (*)(const Sha1Blocks&, Sha1Digests&) noexcept;
inline constexpr std::size_t kSha1WaysMax = 3;
std::array<Sha1Way, kSha1WaysMax> sha1_ways() noexcept;  // the best first; null: no more

}  // namespace linger
