// From a session as the table hands it out to the record that is written. The only place that knows
// both. Thread: the shard that owns the session. Cost: no allocation, one pass.
#pragma once

#include "engine/base/id.h"
#include "engine/mptcp_connections.h"
#include "output/record.h"
#include "sessiontable/graveyard.h"
#include "sessiontable/session_table.h"

namespace linger {

Record make_record(const SessionView& view) noexcept;
Record make_late_record(const LateBlock& block, const Id128& id) noexcept;
Record make_flood_record(const FloodSecond& flood) noexcept;

// News of an MPTCP subflow (view.mptcp is there): that it has begun, and its end, with its record.
MptcpNotice make_notice(const SessionView& view) noexcept;
MptcpNotice make_last_notice(const SessionView& view, const Record& record) noexcept;

// How a TCP session went, in Zeek's conn_state letters (docs.zeek.org, conn.log).
ConnState conn_state_of(const Session& session) noexcept;

}  // namespace linger
