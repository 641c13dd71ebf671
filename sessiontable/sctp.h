// SCTP as a passive observer sees it (RFC 9260): associations by their verification tags.
// SessionHot's `acknowledged` holds the tag of the packets that each side sends. Owner: one shard.
#pragma once

#include "engine/packet/packet.h"
#include "sessiontable/graveyard.h"
#include "sessiontable/session.h"

namespace linger {

// A packet against a session of its key: member or stranger.
Membership sctp_membership(const SessionHot& hot, const Packet& packet) noexcept;

// A packet that joins the session: tags, and its end (SHUTDOWN COMPLETE, ABORT).
void sctp_update(const Session& session, const Packet& packet) noexcept;

// A packet against a buried session.
GraveVerdict sctp_judge(const Grave& grave, const Packet& packet) noexcept;

}  // namespace linger
