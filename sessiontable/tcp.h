// TCP as a passive observer sees it (RFC 9293): to which incarnation of a key a segment belongs,
// and what it does to that session. Works on one session at a time; knows nothing of tables and
// timers.
//
// Owner: one shard. Cost: the in-order segment of an established session is tcp_fast_path(), a few
// compares on the two hot lines.
#pragma once

#include <cstdint>

#include "engine/base/counters.h"
#include "engine/base/settings.h"
#include "engine/packet/packet.h"
#include "sessiontable/extension_pool.h"
#include "sessiontable/graveyard.h"
#include "sessiontable/planted.h"
#include "sessiontable/session.h"

namespace linger {

struct TcpContext {
  ExtensionPool& extensions;
  TableCounters& counters;
  DurationNs reorder_window;
};

// A segment against a session of its key.
Membership tcp_membership(const Session& session, const Packet& packet) noexcept;

// How far the segment's numbers lie from what the session has sent: 0 inside, UINT32_MAX unknown.
std::uint32_t tcp_distance(const Session& session, const Packet& packet) noexcept;

// Whether its numbers are nowhere near the session's, so that a buried session of the key may own
// it.
bool tcp_is_foreign(const Session& session, const Packet& packet) noexcept;

// The first segment of a session: originator, sequence space, phase. Counts are tcp_update's.
void tcp_open(Session session, const Packet& packet) noexcept;

// A session that goes on with a cut one: sides and sequence space as they were.
void tcp_resume(Session session, const Grave& grave) noexcept;

// A segment that joins the session: sequence space, flags, history, phase.
void tcp_update(Session session, const Packet& packet, const TcpContext& context) noexcept;

// The same for nearly all segments: in order, established, nothing to tell. False: not such a one,
// nothing was changed.
inline bool tcp_fast_path(SessionHot& hot, const Packet& packet) noexcept;

// A segment against a buried session (DESIGN §4, "A packet for a buried key").
GraveVerdict tcp_judge(const Grave& grave, const Packet& packet) noexcept;

// What the end record's grave keeps of the sequence space.
void tcp_fill_grave(const Session& session, Grave& grave) noexcept;

// Distinct payload bytes that a side sent.
std::uint64_t tcp_payload_bytes(const Session& session, const Extension* extension,
                                unsigned side) noexcept;

inline bool tcp_fast_path(SessionHot& hot, const Packet& packet) noexcept {
  const unsigned side = packet.direction;
  const TcpHeader& tcp = packet.tcp;
  const std::uint32_t payload = packet.payload_bytes;
  constexpr std::uint8_t kUsual = kTcpAck | kTcpPsh;
  const std::uint16_t wanted = static_cast<std::uint16_t>(
      (kSessionSeen0 | kSessionAck0 | (payload != 0 ? kSessionData0 : kSessionPureAck0)) << side);
  if (hot.phase != Phase::established || (tcp.flags & ~kUsual) != 0 || (tcp.flags & kTcpAck) == 0 ||
      (hot.flags & wanted) != wanted || PLANTED(11, tcp.window == 0, false) ||
      static_cast<std::uint32_t>(hot.sequence_end[side]) != tcp.sequence ||
      seq_before(tcp.acknowledgment, hot.acknowledged[side]))
    return false;
  hot.sequence_end[side] += payload;
  hot.acknowledged[side] = tcp.acknowledgment;
  hot.window[side] = tcp.window;
  return true;
}

}  // namespace linger
