// event.id: a keyed hash of key, first packet and ordinal; equal for any number of threads (DESIGN
// §4, Ids). Any thread.
#pragma once

#include "engine/base/flow_key.h"
#include "engine/base/id.h"
#include "engine/base/time.h"

namespace linger {

Id128 make_session_id(const FlowKey& key, Timestamp start, std::uint32_t id_sequence,
                      unsigned ordinal, const HashSeed& seed) noexcept;

}  // namespace linger
