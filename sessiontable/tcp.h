// TCP as a passive observer sees it (RFC 9293): to which incarnation of a key a segment belongs,
// and what it does to that session. Works on one session at a time; knows nothing of tables and
// timers.
//
// Owner: one shard. Cost: the in-order segment of an established session is a few compares and
// additions on the first hot line.
#pragma once

#include <cstdint>

#include "engine/base/counters.h"
#include "engine/base/settings.h"
#include "engine/packet/packet.h"
#include "sessiontable/extension_pool.h"
#include "sessiontable/graveyard.h"
#include "sessiontable/planted.h"
#include "sessiontable/session.h"
#include "sessiontable/tcp_rtt.h"
#include "sessiontable/tcp_segment.h"

namespace linger {

struct TcpContext {
  ExtensionPool& extensions;
  TableCounters& counters;
  DurationNs reorder_window;
  DurationNs dedup_window;  // 0: nothing is a duplicate
  ClockNs last_clock;       // the session's, before this packet
  TcpRtt* rtt = nullptr;    // null: not measured
};

// A segment against a session of its key.
Membership tcp_membership(const Session& session, const Packet& packet) noexcept;

// How far the segment's numbers lie from what the session has sent: 0 inside, UINT32_MAX unknown.
std::uint32_t tcp_distance(const Session& session, const Packet& packet) noexcept;

// Whether its numbers are nowhere near the session's, so that a buried session of the key may own
// it.
bool tcp_is_foreign(const Session& session, const Packet& packet) noexcept;

// The first segment of a session: originator, sequence space, phase. Counts are tcp_update's.
void tcp_open(const Session& session, const Packet& packet) noexcept;

// A session that goes on with a cut one: sides and sequence space as they were.
void tcp_resume(const Session& session, const Grave& grave) noexcept;

// A segment that joins the session: sequence space, flags, history, phase.
void tcp_update(const Session& session, const Packet& packet, const TcpContext& context) noexcept;

inline constexpr std::uint32_t kNeverQuiet = 0x1'0000;  // no session has it

// Nearly all segments of established sessions have nothing to tell: the flags that their session
// then has, of which tcp_is_quiet() says whether it does; kNeverQuiet for others. A quiet one that
// is next is joined by tcp_join_next() instead of tcp_update().
inline std::uint32_t tcp_quiet_flags(const Packet& packet) noexcept;
inline bool tcp_is_quiet(const SessionHot& hot, std::uint32_t quiet_flags) noexcept;
inline bool tcp_is_next(const SessionHot& hot, const Packet& packet) noexcept;
inline void tcp_join_next(const Session& s, const Packet& packet) noexcept;

// What most other segments of short sessions are: the next of its side, with nothing extraordinary
// before or in it: the end of a handshake, the first data, a FIN and what acknowledges it. It is a
// member, and tcp_update_in_order() does what tcp_update() would.
inline bool tcp_is_in_order(const Session& session, const Packet& packet) noexcept;
void tcp_update_in_order(const Session& session, const Packet& packet) noexcept;

// How nearly all connections begin: the bare SYN that opens a session, and the SYN-ACK that answers
// it before anything else came. For both tcp_update_handshake() does what tcp_update() would; what
// the SYN announces, the session was begun with.
inline bool tcp_is_bare_syn(const Packet& packet) noexcept;
inline bool tcp_is_answer(const Session& session, const Packet& packet) noexcept;
void tcp_update_handshake(const Session& session, const Packet& packet) noexcept;

// A segment against a buried session.
// is_last: of its key none is newer; else a cut session has been gone on with, and is over as well.
GraveVerdict tcp_judge(const Grave& grave, const Packet& packet, bool is_last) noexcept;

// Whether it stands just where the buried session was cut.
bool tcp_goes_on(const Grave& grave, const Packet& packet) noexcept;

// Distinct payload bytes that a side sent.
std::uint64_t tcp_payload_bytes(const Session& session, const Extension* extension,
                                unsigned side) noexcept;

// Bytes of a side that the other one acknowledged, but the capture never saw; an unseen FIN is one.
std::uint64_t tcp_missed_bytes(const Session& session, const Extension* extension,
                               unsigned side) noexcept;

// How long a side announced a closed window, until `end`.
DurationNs window_closed_ns(const TcpDetail& detail, unsigned side, Timestamp end) noexcept;

inline std::uint32_t tcp_quiet_flags(const Packet& packet) noexcept {
  constexpr std::uint8_t kEventful = kTcpSyn | kTcpFin | kTcpRst | kTcpUrg | kTcpEce | kTcpCwr;
  const TcpHeader& tcp = packet.tcp;
  const bool has_news = (packet.key.protocol ^ kProtocolTcp) | tcp.mptcp_bytes |
                        (packet.flags & (kPacketIcmpError | kPacketBadChecksum)) |
                        ((tcp.flags & (kEventful | kTcpAck)) ^ kTcpAck);
  if (has_news || packet.timestamp.value != packet.clock || PLANTED(11, tcp.window == 0, false))
    return kNeverQuiet;
  const auto of_side_0 =
      static_cast<unsigned>(kSessionSeen0 | kSessionAck0 |
                            (packet.payload_bytes != 0 ? kSessionData0 : kSessionPureAck0));
  return of_side_0 << packet.direction | kSessionNewest | kSessionEndIsClock;
}

inline bool tcp_is_quiet(const SessionHot& hot, std::uint32_t quiet_flags) noexcept {
  return hot.phase == Phase::established &&
         (hot.flags & (quiet_flags | kSessionHasOlder | kSessionWatched)) == quiet_flags;
}

inline bool tcp_is_next(const SessionHot& hot, const Packet& packet) noexcept {
  const unsigned side = packet.direction;
  const TcpHeader& tcp = packet.tcp;
  const std::uint32_t progress = tcp.acknowledgment - hot.acknowledged[side];
  // A bare ACK that says what the last one said, with data under way: perhaps a duplicate ACK.
  const std::uint32_t news =
      packet.payload_bytes | progress | static_cast<std::uint32_t>(tcp.window ^ hot.window[side]);
  return hot.sequence_low[side] == tcp.sequence && static_cast<std::int32_t>(progress) >= 0 &&
         (news != 0 || PLANTED(19, tcp.acknowledgment == hot.sequence_low[side ^ 1], true));
}

inline void tcp_join_next(const Session& s, const Packet& packet) noexcept {
  const unsigned side = packet.direction;
  s.advance_sequence(side, packet.payload_bytes);
  s.hot.acknowledged[side] = packet.tcp.acknowledgment;
  s.hot.window[side] = packet.tcp.window;
}

inline bool tcp_is_in_order(const Session& s, const Packet& packet) noexcept {
  constexpr std::uint8_t kEventful = kTcpSyn | kTcpRst | kTcpUrg | kTcpEce | kTcpCwr;
  constexpr std::uint16_t kOrdinary = kSessionSeen0 | kSessionSeen1 | kSessionNewest;
  constexpr std::uint16_t kBothFins = kSessionFin0 | kSessionFin1;
  const SessionHot& hot = s.hot;
  const TcpHeader& tcp = packet.tcp;
  const unsigned side = packet.direction;
  const bool has_news =
      (packet.key.protocol ^ kProtocolTcp) | tcp.mptcp_bytes |
      (packet.flags & (kPacketIcmpError | kPacketBadChecksum | kPacketOffloaded)) |
      ((tcp.flags & (kEventful | kTcpAck)) ^ kTcpAck);
  const std::uint16_t flags = hot.flags;
  if (has_news || tcp.window == 0 || hot.sequence_low[side] != tcp.sequence ||
      (flags & (kOrdinary | kSessionHasOlder | kSessionWatched)) != kOrdinary ||
      s.cold.extension != kNoSlot)
    return false;
  const std::uint32_t length = length_of(packet);
  const std::uint32_t unacknowledged = hot.sequence_low[side ^ 1] - tcp.acknowledgment;
  const std::uint32_t progress = tcp.acknowledgment - hot.acknowledged[side];
  const bool has_acknowledged = (flags & side_flag(kSessionAck0, side)) != 0;
  // Its first ACK may show that what its peer sent were keep-alives.
  const bool is_odd =
      has_acknowledged ? static_cast<std::int32_t>(progress) < 0 : unacknowledged == UINT32_MAX;
  if (is_odd || (length != 0 && (flags & side_flag(kSessionFin0, side)) != 0)) return false;
  if (hot.phase < Phase::closed)  // and no duplicate ACK
    return length != 0 || !has_acknowledged || progress != 0 || unacknowledged == 0 ||
           tcp.window != hot.window[side];
  return hot.phase == Phase::closed && length == 0 && unacknowledged == 0 && progress != 0 &&
         has_acknowledged && (flags & kBothFins) == kBothFins;
}

inline bool tcp_is_bare_syn(const Packet& packet) noexcept {
  constexpr std::uint8_t kAllOfSyn = static_cast<std::uint8_t>(~(kTcpEce | kTcpCwr));
  return packet.key.protocol == kProtocolTcp && (packet.tcp.flags & kAllOfSyn) == kTcpSyn &&
         (packet.payload_bytes | packet.tcp.mptcp_bytes) == 0 &&
         (packet.flags & (kPacketIcmpError | kPacketBadChecksum | kPacketOffloaded)) == 0;
}

inline bool tcp_is_answer(const Session& s, const Packet& packet) noexcept {
  constexpr std::uint16_t kOfBoth = kSessionSeen0 | kSessionSeen1 | kSessionAck0 | kSessionAck1;
  const SessionHot& hot = s.hot;
  const unsigned peer = packet.direction ^ 1u;
  const bool has_news =
      (packet.key.protocol ^ kProtocolTcp) | packet.payload_bytes | packet.tcp.mptcp_bytes |
      (packet.flags & (kPacketIcmpError | kPacketBadChecksum | kPacketOffloaded)) |
      ((packet.tcp.flags & ~(kTcpEce | kTcpCwr)) ^ (kTcpSyn | kTcpAck));
  return !has_news && hot.phase == Phase::opening &&
         (hot.flags & (kOfBoth | kSessionNewest | kSessionHasOlder | kSessionWatched)) ==
             (side_flag(kSessionSeen0, peer) | kSessionNewest) &&
         packet.tcp.acknowledgment == hot.sequence_low[peer] && s.cold.extension == kNoSlot;
}

}  // namespace linger
