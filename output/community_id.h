// Community ID v1, seed 0 (github.com/corelight/community-id-spec): the same text for a session in
// every tool.
//
// Any thread. Cost: one block of OpenSSL's SHA-1 and its base64 (bench/encode_bench).
#pragma once

#include "output/record.h"

namespace linger {

inline constexpr std::size_t kCommunityIdBytes = 30;  // 1:LQU9qZlK+B5F3KDmev6m5PMibrg=

// Returns out + kCommunityIdBytes.
char* put_community_id(char* out, const Record& record) noexcept;

}  // namespace linger
