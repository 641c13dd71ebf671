// event.id: a keyed hash of key, first packet (its clock, which unlike its timestamp never goes
// back, and its sequence number) and ordinal; equal for any number of threads. Any thread.
#pragma once

#include "engine/base/flow_key.h"
#include "engine/base/id.h"
#include "engine/base/time.h"
#include "sessiontable/session.h"

namespace linger {

Id128 make_session_id(const FlowKey& key, ClockNs opened, std::uint32_t id_sequence,
                      unsigned ordinal, const HashSeed& seed) noexcept;

Id128 make_session_id(const Session& session, const HashSeed& seed) noexcept;

}  // namespace linger
