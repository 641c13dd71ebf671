// Ranges of sequence numbers that were skipped and have not come yet: at most kGapsMax of a session
// are told apart, in its Extension and in blocks of their own from the same pool; of more, or when
// the pool is dry, the oldest stay a loss in gap_bytes.
//
// Owner: the shard of the session. Cost: a walk over the session's gaps, on the slow path only.
#pragma once

#include <cstdint>

#include "sessiontable/extension_pool.h"
#include "sessiontable/session.h"

namespace linger {

// [begin, end) has less than 2 GiB. cold: of the session that the Extension belongs to.
void add_gap(Extension& e, unsigned side, std::uint32_t begin, std::uint32_t end,
             ExtensionPool& pool, SessionCold& cold) noexcept;

// Bytes of [begin, end) that fill gaps of this side. A piece out of the middle keeps the longer
// rest where there is no room for both.
std::uint32_t fill_gaps(Extension& e, unsigned side, std::uint32_t begin, std::uint32_t end,
                        ExtensionPool& pool, SessionCold& cold) noexcept;

// Of the bytes missing on this side, those at or beyond `from`; `end`: one past what it has sent.
// What is missing since more than half the circle is behind `from`, whatever its numbers look like.
std::uint32_t gap_bytes_between(const Extension& e, unsigned side, std::uint32_t from,
                                std::uint32_t end) noexcept;

}  // namespace linger
