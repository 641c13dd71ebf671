#include "sessiontable/tcp.h"

#include <algorithm>

#include "sessiontable/planted.h"
#include "sessiontable/tcp_anomalies.h"
#include "sessiontable/tcp_gaps.h"
#include "sessiontable/tcp_handshake.h"
#include "sessiontable/tcp_segment.h"

namespace linger {
namespace {

constexpr std::uint32_t kUnknown = UINT32_MAX;
constexpr std::uint32_t kReorderedAck = 1 << 16;
constexpr std::uint8_t kWindowScaleMax = 14;  // RFC 7323 §2.3

std::uint32_t initial_sequence(const SessionCold& cold, unsigned side) noexcept {
  return cold.first_sequence[side] - 1;
}

// What the receiver `side` has announced, scaled as far as its scale was seen.
std::uint32_t window_of(const Session& s, unsigned side) noexcept {
  std::uint8_t scale = s.opening().window_scale(side);
  if (scale == kNoWindowScale) scale = s.cold.knows_isn(side) ? 0 : kWindowScaleMax;
  return std::uint32_t{s.hot.window[side]} << std::min(scale, kWindowScaleMax);
}

// --- Membership -------------------------------------------------------------------------------

// The SYN before `after_syn` was overtaken by later data of its side, and by the SYN-ACK, which
// tells what it answers.
bool is_overtaken(const Session& s, unsigned side, std::uint32_t after_syn) noexcept {
  const unsigned peer = side ^ 1;
  return !s.cold.knows_isn(side) && s.cold.knows_isn(peer) && s.hot.has(kSessionAck0, peer) &&
         seq_within(s.hot.acknowledged[peer], after_syn, after_syn + kReorderedAck) &&
         seq_within(s.cold.first_sequence[side], after_syn, after_syn + kSlack - 1);
}

// The SYN before `after_syn` was overtaken by a RST, of its side or one that refuses it, which is
// all that was seen.
bool is_overtaken_by_rst(const Session& s, unsigned side, std::uint32_t after_syn) noexcept {
  if (s.hot.phase != Phase::reset || s.hot.of_both(kSessionSeen0) != 0) return false;
  const bool is_own = s.cold.first_side == side;
  return after_syn == (is_own ? s.name.id_sequence : s.cold.first_sequence[side]);
}

Membership syn_membership(const Session& s, const Packet& packet) noexcept {
  const unsigned side = packet.direction;
  const unsigned peer = side ^ 1;
  const std::uint32_t after_syn = packet.tcp.sequence + 1;
  if (is_overtaken_by_rst(s, side, after_syn)) return Membership::member;
  const Membership other = lingers(s.hot.phase) ? Membership::stranger : Membership::candidate;
  // In SYN-SENT a SYN is the other side's answer, whatever bare ACK that sent before (RFC 9293
  // §3.10.7.3; a split handshake in five steps).
  if (s.hot.phase == Phase::opening && s.cold.knows_isn(peer) && !s.cold.knows_isn(side) &&
      !s.hot.has(kSessionAck0, peer))
    return Membership::member;
  // The same ISN: a retransmission, or a SYN that came after what follows it and what it carries.
  const std::uint32_t behind =
      s.cold.knows_isn(side) ? after_syn : after_syn + packet.payload_bytes;
  if (s.hot.has(kSessionSeen0, side))
    return s.cold.first_sequence[side] == after_syn || s.cold.first_sequence[side] == behind ||
                   is_overtaken(s, side, after_syn)
               ? Membership::member
               : other;
  // A SYN-ACK or data of the peer came first.
  return s.hot.has(kSessionAck0, peer) &&
                 seq_within(s.hot.acknowledged[peer], after_syn, after_syn + kReorderedAck)
             ? Membership::member
             : other;
}

Membership syn_ack_membership(const Session& s, const Packet& packet) noexcept {
  const unsigned side = packet.direction;
  const unsigned peer = side ^ 1;
  if (s.hot.has(kSessionSeen0, side) && s.cold.first_sequence[side] == packet.tcp.sequence + 1)
    return Membership::member;
  if (s.cold.knows_isn(peer))
    return s.hot.phase == Phase::opening ||  // its acknowledgment may cover data (RFC 7413 §3)
                   seq_within(packet.tcp.acknowledgment, s.cold.first_sequence[peer],
                              sent_end(s.hot, peer))
               ? Membership::member
               : Membership::stranger;
  if (s.hot.has(kSessionSeen0, peer) && !s.hot.has(kSessionSeen0, side) &&
      seq_within(packet.tcp.acknowledgment, s.cold.first_sequence[peer] - kSlack,
                 sent_end(s.hot, peer)))
    return Membership::member;  // the peer's data came first, its SYN not at all
  return Membership::stranger;
}

// A segment that acknowledges what `peer` sent, as far as that is known.
bool acknowledges(const Session& s, const Packet& packet, unsigned peer) noexcept {
  if (!has_ack(packet.tcp) || !s.hot.has(kSessionSeen0, peer)) return true;
  return seq_within(packet.tcp.acknowledgment, s.cold.first_sequence[peer] - kSlack,
                    sent_end(s.hot, peer) + kInFlightMax);
}

// The lowest number of a side that can be told from those still to come: where it began, or half
// the circle back.
std::uint32_t lowest_of(const Session& s, unsigned side) noexcept {
  constexpr std::uint32_t kHalf = 1u << 31;
  const std::uint32_t first = s.cold.first_sequence[side];
  return s.sequence_end(side) - (kEpoch + first) > kHalf ? sent_end(s.hot, side) - kHalf : first;
}

// Neither SYN nor RST, against a lingering session.
Membership lingering_membership(const Session& s, const Packet& packet) noexcept {
  const unsigned side = packet.direction;
  const unsigned peer = side ^ 1;
  if (!s.hot.has(kSessionSeen0, side))
    return acknowledges(s, packet, peer) ? Membership::member : Membership::stranger;
  std::uint32_t last = sent_end(s.hot, side);
  if (!s.hot.has(kSessionFin0, side))  // data was under way when the RST came
    last += std::max(kInFlightMax, s.hot.has(kSessionAck0, peer) ? window_of(s, peer) : 0);
  // Nothing lies beyond a sender's own FIN (RFC 9293 §3.6); before its first byte only a keep-alive
  // or, in mid-stream, what was sent before the capture began.
  const std::uint32_t first = lowest_of(s, side) - (s.cold.knows_isn(side) ? 1 : kSlack);
  const bool fits = seq_within(packet.tcp.sequence, first, last + 1) &&
                    seq_within(reach_of(packet), first - 1, last);
  return fits ? Membership::member : Membership::stranger;
}

std::uint32_t distance(std::uint32_t v, std::uint32_t low, std::uint32_t high) noexcept {
  if (seq_within(v, low, high)) return 0;
  return std::min(low - v, v - high);
}

// In SYN-SENT `side` takes nothing from its peer that acknowledges what it has not sent or less
// than its SYN, and answers with a RST of that number (RFC 9293 §3.10.7.3): so a host that lost a
// connection makes the other one forget it (§3.5.1), and both go on with the SYN.
bool is_in_syn_sent(const Session& s, unsigned side) noexcept {
  return s.hot.phase == Phase::opening && s.cold.knows_isn(side) &&
         !s.hot.has(kSessionAck0, side) && !s.hot.has(kSessionSeen0, side ^ 1);
}

// It may have sent more than was captured.
bool is_refused(const Session& s, const Packet& packet) noexcept {
  const unsigned peer = packet.direction ^ 1u;
  return has_ack(packet.tcp) && is_in_syn_sent(s, peer) &&
         !seq_within(packet.tcp.acknowledgment, s.cold.first_sequence[peer],
                     sent_end(s.hot, peer) + kInFlightMax);
}

// --- RST --------------------------------------------------------------------------------------

// Whether a RST from `side` would be taken, as far as an observer can know (RFC 9293 §3.10.7.4,
// RFC 5961 §3).
bool rst_fits(const Session& s, const Packet& packet) noexcept {
  const unsigned side = packet.direction;
  const unsigned peer = side ^ 1;
  const TcpHeader& tcp = packet.tcp;
  const bool peer_in_syn_sent =
      s.hot.phase == Phase::opening && s.cold.knows_isn(peer) && !s.hot.has(kSessionAck0, peer);
  if (peer_in_syn_sent && !s.hot.has(kSessionSeen0, side))  // only its ISN can be acknowledged
    return has_ack(tcp) &&
           seq_within(tcp.acknowledgment, s.cold.first_sequence[peer], sent_end(s.hot, peer));
  if (is_in_syn_sent(s, side) && !seq_within(tcp.sequence, initial_sequence(s.cold, side),
                                             sent_end(s.hot, side) + kInFlightMax))
    return false;  // of what it refused
  // The answer to a segment without ACK has SEQ 0 (RFC 9293 §3.10.7.1).
  if (tcp.sequence == 0 && has_ack(tcp) && s.hot.has(kSessionSeen0, peer) &&
      tcp.acknowledgment == sent_end(s.hot, peer))
    return true;
  // Some stacks (Darwin) reset with the number of the FIN before, and it is taken.
  if (s.hot.has(kSessionFin0, side) && tcp.sequence + 1 == sent_end(s.hot, side)) return true;
  if (!s.hot.has(kSessionAck0, peer)) return true;  // no window seen
  const std::uint32_t low = s.hot.acknowledged[peer];
  std::uint32_t high = low + window_of(s, peer);
  // The receiver may have more than it acknowledged so far: what its peer has sent.
  if (s.hot.has(kSessionSeen0, side) && seq_after(sent_end(s.hot, side), high))
    high = sent_end(s.hot, side);
  return seq_within(tcp.sequence, PLANTED(12, low, low + 1), high);
}

void enter(const Session& s, Phase phase, ClockNs now) noexcept {
  if (phase >= Phase::half_closed && phase != s.hot.phase && !lingers(s.hot.phase))
    s.cold.phase_clock = now;
  s.hot.phase = phase;
}

// The phase that the flags seen so far amount to.
Phase open_phase(const SessionHot& hot) noexcept {
  const bool fin0 = hot.has(kSessionFin0, 0);
  const bool fin1 = hot.has(kSessionFin0, 1);
  if (fin0 && fin1) return Phase::closed;
  return fin0 || fin1 ? Phase::half_closed : Phase::established;
}

void update_rst(const Session& s, const Packet& packet, const TcpContext& context) noexcept {
  const unsigned side = packet.direction;
  s.add(TcpCount::rst, side);
  s.cold.history.write(side, 'R');
  if (lingers(s.hot.phase)) return;
  const bool refuses = packet.tcp.sequence == 0 && has_ack(packet.tcp);  // RFC 9293 §3.10.7.1
  if (refuses && s.hot.of_both(kSessionSeen0) == 0)  // a SYN that is still to come
    s.cold.first_sequence[side ^ 1] = packet.tcp.acknowledgment;
  if (!rst_fits(s, packet)) {
    context.counters.rst_off_window.add();
    if (TcpDetail* detail = context.extensions.get_detail(s.cold))
      saturating_increment(detail->rst_off_window[side]);
    return;
  }
  s.cold.rst_seen = 1;
  s.cold.rst_side = side & 1;
  enter(s, Phase::reset, packet.clock);
}

// A RST only closes tentatively: when its receiver sends new payload and its sender acknowledges
// that, it was not taken (challenge ACK, RFC 5961 §3.2). Nor is a SYN refused for good that its
// sender repeats, as Windows does, until it is answered.
void watch_reset(const Session& s, const Packet& packet, std::uint32_t peer_end,
                 const TcpContext& context) noexcept {
  const unsigned side = packet.direction;
  if (side != s.cold.rst_side) {
    if (packet.payload_bytes == 0 || !seq_after(end_of(packet), peer_end)) return;
    Extension* e = context.extensions.get(s.cold);
    if (e == nullptr || e->rst_challenged) return;
    e->rst_challenged = true;
    e->rst_peer_end = peer_end;
    return;
  }
  Extension* e = context.extensions.find(s.cold);
  if (e == nullptr || !has_ack(packet.tcp)) return;
  const bool answers =
      is_syn_ack(packet.tcp) && s.count(TcpCount::syn_ack, side) == 1 && e->late.syn[side ^ 1] != 0;
  const bool goes_on = e->rst_challenged &&
                       PLANTED(14, seq_after(packet.tcp.acknowledgment, e->rst_peer_end), false);
  if (!answers && !goes_on) return;
  e->rst_challenged = false;
  if (TcpDetail* detail = context.extensions.get_detail(s.cold))
    saturating_increment(detail->rst_ignored[side]);
  context.counters.rst_ignored.add();
  s.cold.rst_seen = 0;
  enter(s, answers ? Phase::opening : open_phase(s.hot), packet.clock);
}

// --- Sequence space ---------------------------------------------------------------------------

void note_gap(const Session& s, unsigned side, std::uint32_t begin, std::uint32_t end,
              const TcpContext& context) noexcept {
  Extension* e = context.extensions.get(s.cold);
  if (e == nullptr) return;
  add_gap(*e, side, begin, end, context.extensions, s.cold);
  s.cold.history.write(side, 'G');
}

// Whether data of this side that comes now was overtaken by its FIN on the way here: it is told as
// if it had come in order.
bool is_overtaken_by_fin(const Session& s, const Packet& packet,
                         const TcpContext& context) noexcept {
  return (s.hot.phase == Phase::half_closed || s.hot.phase == Phase::closed) &&
         s.hot.has(kSessionFin0, packet.direction) &&
         packet.clock - s.cold.phase_clock <= context.reorder_window;
}

// Sent again although it had been acknowledged: the retransmission was spurious.
void count_if_spurious(const Session& s, const Packet& packet, const TcpContext& context) noexcept {
  const unsigned side = packet.direction;
  if (!s.hot.has(kSessionAck0, side ^ 1) || seq_after(end_of(packet), s.hot.acknowledged[side ^ 1]))
    return;
  if (TcpDetail* detail = context.extensions.get_detail(s.cold))
    saturating_increment(detail->spurious_packets[side]);
}

// The side began at `begin`; from `last` on to what was its first number all is missing.
void begin_earlier(const Session& s, unsigned side, std::uint32_t begin, std::uint32_t last,
                   const TcpContext& context) noexcept {
  const std::uint32_t first = s.cold.first_sequence[side];
  s.cold.first_sequence[side] = begin;
  if (PLANTED(16, begin > first, false)) ++s.cold.sequence_high[side];  // across the wrap
  if (last != first) note_gap(s, side, last, first, context);
}

// Payload [begin, end) of a side, none of it beyond sequence_end.
void count_old_payload(const Session& s, const Packet& packet, std::uint32_t begin,
                       std::uint32_t end, const TcpContext& context) noexcept {
  const unsigned side = packet.direction;
  Extension* e = context.extensions.get(s.cold);
  if (e == nullptr) return;
  std::uint32_t fresh = fill_gaps(*e, side, begin, end, context.extensions, s.cold);
  if (fresh != 0 && e->gap_bytes[side] == 0) s.cold.history.erase(side, 'G');
  // Sent before the capture's first byte of this side, but captured after it.
  const bool may_begin_earlier = !s.cold.knows_isn(side) && (s.cold.resumed >> side & 1) == 0;
  if (may_begin_earlier && seq_before(begin, s.cold.first_sequence[side]) &&
      s.cold.first_sequence[side] - begin < kSlack) {
    const std::uint32_t first = s.cold.first_sequence[side];
    const std::uint32_t last = seq_before(end, first) ? end : first;
    fresh += last - begin;
    begin_earlier(s, side, begin, last, context);
  }
  if (fresh != 0) {
    if (!is_overtaken_by_fin(s, packet, context))
      saturating_increment(e->out_of_order_packets[side]);
  } else {
    saturating_increment(e->retransmitted_packets[side]);
    s.cold.history.write(side, 'T');
    count_if_spurious(s, packet, context);
  }
  const std::uint32_t again = end - begin - fresh;
  e->retransmitted_bytes[side] += std::min(again, UINT32_MAX - e->retransmitted_bytes[side]);
}

// Of one byte or none, just before what comes next (RFC 9293 §3.8.4). While the window is closed it
// probes that (§3.8.6.1); a byte that is not acknowledged yet is sent again.
bool is_keep_alive(const Session& s, const Packet& packet) noexcept {
  const unsigned side = packet.direction;
  const unsigned peer = side ^ 1;
  if ((packet.tcp.flags & kHandshakeFlags) != 0 || s.hot.has(kSessionFin0, side)) return false;
  if (!s.hot.has(kSessionAck0, peer)) return true;
  const bool is_under_way = seq_before(s.hot.acknowledged[peer], sent_end(s.hot, side));
  return s.hot.window[peer] != 0 && (packet.payload_bytes == 0 || !is_under_way);
}

// Nothing is known of the side but bare segments, captured in mid-stream, and no answer: its next
// byte may be the one behind their number, if they were keep-alives.
bool may_have_kept_alive(const Session& s, unsigned side) noexcept {
  return s.hot.has(kSessionSeen0, side) && !s.hot.has(kSessionAck0, side ^ 1) &&
         !s.cold.knows_isn(side) && (s.cold.resumed >> side & 1) == 0 &&
         !s.hot.has(kSessionFin0, side) &&
         s.sequence_end(side) == kEpoch + s.cold.first_sequence[side];
}

// They were, as the next byte shows, or the one that the other side waits for.
void begin_behind_keep_alive(const Session& s, unsigned side, const TcpContext& context) noexcept {
  s.set_sequence_end(side, kEpoch + ++s.cold.first_sequence[side]);
  if (Extension* e = context.extensions.get(s.cold)) saturating_increment(e->keep_alives[side]);
}

// Moves a side's sequence space on by one segment. SYN and first segments have been through
// note_first().
void advance(const Session& s, const Packet& packet, const TcpContext& context) noexcept {
  const unsigned side = packet.direction;
  // A FIN sent again takes no number of its own, wherever a sloppy stack puts it.
  const bool fin_again = (packet.tcp.flags & kTcpFin) != 0 && s.hot.has(kSessionFin0, side);
  const std::uint32_t length = length_of(packet) - (fin_again ? 1 : 0);
  if (packet.tcp.sequence == sent_end(s.hot, side) + 1 && may_have_kept_alive(s, side))
    begin_behind_keep_alive(s, side, context);
  const std::uint32_t high = sent_end(s.hot, side);
  const auto ahead = static_cast<std::int32_t>(packet.tcp.sequence - high);
  const bool syn = (packet.tcp.flags & kTcpSyn) != 0;
  if (length <= 1 && ahead == -1 && is_keep_alive(s, packet)) {
    if (Extension* e = context.extensions.get(s.cold)) saturating_increment(e->keep_alives[side]);
    return;
  }
  if (length == 0) return;
  if (ahead > 0) {
    if (static_cast<std::uint32_t>(ahead) > kJumpMax) return;  // no window is that large
    note_gap(s, side, high, packet.tcp.sequence, context);
    s.advance_sequence(side, static_cast<std::uint32_t>(ahead) + length);
    return;
  }
  const std::uint32_t begin = packet.tcp.sequence + (syn ? 1 : 0);
  const std::uint32_t end = begin + packet.payload_bytes;
  const auto beyond = static_cast<std::int32_t>(packet.tcp.sequence + length - high);
  const std::uint32_t old_end = seq_before(end, high) ? end : high;
  if (packet.payload_bytes != 0 && seq_before(begin, old_end))
    count_old_payload(s, packet, begin, old_end, context);
  if (beyond > 0) s.advance_sequence(side, static_cast<std::uint32_t>(beyond));
}

// Before note_first(): the SYN of a side whose later data came first.
void note_overtaken_syn(const Session& s, const Packet& packet,
                        const TcpContext& context) noexcept {
  const unsigned side = packet.direction;
  if ((packet.tcp.flags & kTcpSyn) == 0 || !s.hot.has(kSessionSeen0, side)) return;
  if (s.hot.phase == Phase::opening || s.cold.knows_isn(side)) return;
  const std::uint32_t after_syn = packet.tcp.sequence + 1;
  if (seq_within(s.cold.first_sequence[side], after_syn + 1, after_syn + kSlack - 1))
    begin_earlier(s, side, after_syn, after_syn, context);
}

void update_acknowledgment(const Session& s, const Packet& packet,
                           const TcpContext& context) noexcept {
  const unsigned side = packet.direction;
  const TcpHeader& tcp = packet.tcp;
  if (!has_ack(tcp)) return;
  const unsigned peer = side ^ 1;
  if (tcp.acknowledgment == sent_end(s.hot, peer) + 1 && may_have_kept_alive(s, peer))
    begin_behind_keep_alive(s, peer, context);
  if (!s.hot.has(kSessionAck0, side) || !seq_before(tcp.acknowledgment, s.hot.acknowledged[side])) {
    s.hot.set(kSessionAck0, side);
    s.hot.acknowledged[side] = tcp.acknowledgment;
    s.hot.window[side] = tcp.window;
    watch_window(s, packet, context);
  }
  if (tcp.window == 0 && (tcp.flags & kHandshakeFlags) == 0) {
    s.cold.history.write(side, 'W');
    if (TcpDetail* detail = context.extensions.get_detail(s.cold))
      saturating_increment(detail->zero_windows[side]);
  }
}

// The first FIN of this side, sent before that of the other was seen, as that one was before this.
bool crosses_fin(const Session& s, const Packet& packet) noexcept {
  const unsigned side = packet.direction;
  const unsigned peer = side ^ 1;
  return s.hot.has(kSessionFin0, peer) && !s.hot.has(kSessionFin0, side) && has_ack(packet.tcp) &&
         seq_before(packet.tcp.acknowledgment, sent_end(s.hot, peer)) &&
         s.hot.has(kSessionAck0, peer) && seq_before(s.hot.acknowledged[peer], end_of(packet));
}

void update_phase(const Session& s, const Packet& packet, const Extension* e) noexcept {
  const unsigned side = packet.direction;
  const unsigned peer = side ^ 1;
  const TcpHeader& tcp = packet.tcp;
  if ((tcp.flags & kTcpFin) != 0) {
    s.add(TcpCount::fin, side);
    s.cold.history.write(side, 'F');
    if (crosses_fin(s, packet)) s.add_feature(side, kTcpFinCrossed);
    s.hot.set(kSessionFin0, side);
    if (lingers(s.hot.phase)) return;
    const bool one_way = !s.hot.has(kSessionSeen0, peer);
    enter(s, one_way ? Phase::closed : open_phase(s.hot), packet.clock);
    return;
  }
  if (s.hot.phase == Phase::closed && !s.hot.has(kSessionFin0, side) &&
      s.packets(side) == packet.frames) {
    // The side that was thought never to be seen. Its peer may have reset since its FIN.
    s.cold.rst_seen = e != nullptr && e->late.rst[peer] != 0;
    s.cold.rst_side = peer & 1;
    s.hot.phase = s.cold.rst_seen ? Phase::reset : Phase::half_closed;
    return;
  }
  if (s.hot.phase != Phase::opening || (tcp.flags & kTcpSyn) != 0) return;
  const bool sent_syn = s.cold.knows_isn(side);
  // A challenge ACK to the SYN establishes nothing.
  if (!sent_syn && packet.payload_bytes == 0 && s.count(TcpCount::syn_ack, peer) == 0) return;
  if (s.name.rtt_ns[0] != 0 && s.name.rtt_ns[0] != UINT32_MAX &&
      s.count(TcpCount::syn, side) != 0 && s.count(TcpCount::syn_ack, peer) == 1) {
    const DurationNs since_start = duration_between(s.cold.start, packet.timestamp);
    s.name.rtt_ns[1] = saturated_ns(since_start - s.name.rtt_ns[0]);
  }
  enter(s, Phase::established, packet.clock);
}

// History letters of data and bare ACKs.
inline void note_kind(const Session& s, const Packet& packet) noexcept {
  const unsigned side = packet.direction;
  if (packet.payload_bytes != 0) {
    if (s.hot.has(kSessionData0, side)) return;
    s.cold.history.write(side, 'D');
    s.hot.set(kSessionData0, side);
  } else if ((packet.tcp.flags & (kHandshakeFlags | kTcpAck)) == kTcpAck) {
    if (s.hot.has(kSessionPureAck0, side)) return;
    s.cold.history.write(side, 'A');
    s.hot.set(kSessionPureAck0, side);
  }
}

// The end of a close, told in the order it was sent in: the ACK of the last FIN, and data that a
// FIN overtook on its way here.
bool completes_close(const Session& s, const Packet& packet, std::uint32_t acknowledged_before,
                     std::uint32_t filled_before, const Extension* e,
                     DurationNs reorder_window) noexcept {
  if (s.hot.phase != Phase::closed) return false;
  const unsigned side = packet.direction;
  const bool pure = length_of(packet) == 0;
  if (pure && has_ack(packet.tcp) && s.hot.has(kSessionFin0, side ^ 1) &&
      packet.tcp.acknowledgment == sent_end(s.hot, side ^ 1) &&
      acknowledged_before != packet.tcp.acknowledgment)
    return true;
  return packet.payload_bytes != 0 && packet.clock - s.cold.phase_clock <= reorder_window &&
         e != nullptr && e->gap_bytes[side] < filled_before;
}

}  // namespace

Membership tcp_membership(const Session& s, const Packet& packet) noexcept {
  if ((packet.tcp.flags & kTcpRst) != 0) return Membership::member;
  if (is_syn(packet.tcp)) return syn_membership(s, packet);
  if (is_syn_ack(packet.tcp)) return syn_ack_membership(s, packet);
  return lingers(s.hot.phase) ? lingering_membership(s, packet) : Membership::member;
}

std::uint32_t tcp_distance(const Session& s, const Packet& packet) noexcept {
  const unsigned side = packet.direction;
  const unsigned peer = side ^ 1;
  const TcpHeader& tcp = packet.tcp;
  const bool by_ack = has_ack(tcp) && s.hot.has(kSessionSeen0, peer);
  const auto ack_distance = [&] {
    return distance(tcp.acknowledgment, s.cold.first_sequence[peer], sent_end(s.hot, peer));
  };
  if ((tcp.flags & kTcpRst) != 0 && tcp.sequence == 0 && by_ack) return ack_distance();
  if (is_syn(tcp))
    return s.cold.knows_isn(side) && initial_sequence(s.cold, side) == tcp.sequence ? 0 : kUnknown;
  if (is_syn_ack(tcp) && by_ack) return ack_distance();
  if (s.hot.has(kSessionSeen0, side))
    return distance(tcp.sequence, initial_sequence(s.cold, side), sent_end(s.hot, side));
  return by_ack ? ack_distance() : kUnknown;
}

bool tcp_is_foreign(const Session& s, const Packet& packet) noexcept {
  if ((packet.tcp.flags & kTcpRst) != 0 && !lingers(s.hot.phase)) return !rst_fits(s, packet);
  if ((packet.tcp.flags & kTcpSyn) != 0) return false;
  const std::uint32_t distance = tcp_distance(s, packet);
  return distance > kInFlightMax && distance != kUnknown;
}

void tcp_open(const Session& s, const Packet& packet) noexcept {
  const unsigned side = packet.direction;
  const TcpHeader& tcp = packet.tcp;
  unsigned originator = side;
  if (is_syn_ack(tcp)) {
    originator = PLANTED(15, side ^ 1, side);
    s.cold.is_flipped = 1;
  }
  s.hot.set_originator(originator);
  const bool syn = (tcp.flags & (kTcpSyn | kTcpRst)) == kTcpSyn && !is_nonsense(packet);
  s.hot.phase = syn ? Phase::opening : Phase::established;
}

void tcp_update(const Session& s, const Packet& packet, const TcpContext& context) noexcept {
  const unsigned side = packet.direction;
  const bool was_lingering = lingers(s.hot.phase);
  if (take_duplicate(s, packet, context)) return;
  count_marks(s, packet, context);
  if ((packet.tcp.flags & kTcpRst) != 0) {
    update_rst(s, packet, context);
    if (was_lingering)
      if (Extension* e = context.extensions.get(s.cold)) e->late.add(packet);
    if (was_lingering) context.counters.late_lingering.add(packet.frames);
    return;
  }
  if (is_refused(s, packet)) {
    if (!is_syn_ack(packet.tcp)) return note_kind(s, packet);
    s.add(TcpCount::syn_ack, side);
    return s.cold.history.write(side, 'H');
  }
  const Extension* before = context.extensions.find(s.cold);
  const std::uint32_t gap_before = before != nullptr ? before->gap_bytes[side] : 0;
  const std::uint32_t acknowledged_before = s.hot.acknowledged[side];

  if ((packet.tcp.flags & kTcpSyn) != 0 || !s.hot.has(kSessionSeen0, side)) {
    s.announce(side, announced_by(packet, s.opening().announced[side]));
    note_overtaken_syn(s, packet, context);
    note_other_answer(s, packet, context.extensions);
    note_first(s, packet);
  } else if (s.hot.phase == Phase::opening) {
    if (has_ack(packet.tcp))
      settle_answer(s, side ^ 1, packet.tcp.acknowledgment, context.extensions);
    settle_answer(s, side, packet.tcp.sequence, context.extensions);
  }
  const std::uint32_t end_before = sent_end(s.hot, side);
  if ((packet.tcp.flags & kTcpSyn) != 0) update_syn(s, packet);
  if (context.rtt != nullptr && !was_lingering) {
    if ((packet.tcp.flags & kTcpSyn) == 0) measure_rtt(*context.rtt, s.hot, packet);
    watch_rtt(s, context);
  }
  if (is_duplicate_ack(s, packet)) count_duplicate_ack(s, side, context);
  advance(s, packet, context);
  update_acknowledgment(s, packet, context);
  note_kind(s, packet);
  update_phase(s, packet, before);
  if (!was_lingering || !lingers(s.hot.phase)) return;

  if (!completes_close(s, packet, acknowledged_before, gap_before, before,
                       context.reorder_window)) {
    context.counters.late_lingering.add(packet.frames);
    if (Extension* e = context.extensions.get(s.cold)) e->late.add(packet);
  }
  if (s.hot.phase == Phase::reset && s.cold.rst_seen) watch_reset(s, packet, end_before, context);
}

void tcp_update_in_order(const Session& s, const Packet& packet) noexcept {
  const unsigned side = packet.direction;
  const bool is_fin = (packet.tcp.flags & kTcpFin) != 0;  // no SYN is in order
  s.advance_sequence(side, packet.payload_bytes + is_fin);
  s.hot.set(kSessionAck0, side);
  s.hot.acknowledged[side] = packet.tcp.acknowledgment;
  s.hot.window[side] = packet.tcp.window;
  note_kind(s, packet);
  if (is_fin || s.hot.phase == Phase::opening) update_phase(s, packet, nullptr);
}

std::uint64_t tcp_payload_bytes(const Session& s, const Extension* extension,
                                unsigned side) noexcept {
  if (!s.hot.has(kSessionSeen0, side)) return 0;
  const std::uint64_t first = kEpoch + s.cold.first_sequence[side];
  std::uint64_t not_payload = s.hot.has(kSessionFin0, side) ? 1 : 0;
  if (extension != nullptr) not_payload += extension->gap_bytes[side];
  const std::uint64_t sent = s.sequence_end(side) - first;
  return sent > not_payload && sent < (std::uint64_t{1} << 63) ? sent - not_payload : 0;
}

}  // namespace linger
