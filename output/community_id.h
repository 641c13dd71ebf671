// Community ID v1, seed 0 (github.com/corelight/community-id-spec): the same text for a session in
// every tool.
//
//     1: | base64 of SHA-1 of: seed (2) = 0 | address | address | protocol | 0 | port | port
//
// Owner: one thread. Cost: bench/encode_bench.
#pragma once

#include <array>
#include <cstddef>

#include "output/record.h"
#include "output/sha1_blocks.h"

namespace linger {

inline constexpr std::size_t kCommunityIdBytes = 30;  // 1:LQU9qZlK+B5F3KDmev6m5PMibrg=

// Digests many side by side: so a text comes to its place later.
class CommunityIds {
 public:
  // Leaves kCommunityIdBytes open at `out`, which stays where it is until complete(). Returns what
  // is behind them.
  char* put(char* out, const Record& record) noexcept;

  // Writes what was left open.
  void complete() noexcept;

 private:
  Sha1Blocks blocks_;
  Sha1Digests digests_;
  std::array<char*, kSha1Lanes> places_{};
  std::size_t count_ = 0;  // of lanes in use
};

}  // namespace linger
