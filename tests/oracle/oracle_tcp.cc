// TCP for the oracle. Numbers compare on the circle of 2^32.
#include <algorithm>

#include "tests/oracle/model.h"

namespace linger::test {
namespace {

// Facts shared with sessiontable/tcp.cc.
constexpr std::uint32_t kSlack = 1 << 16;        // an unscaled window
constexpr std::uint32_t kInFlightMax = 1 << 20;  // data still under way when a RST came
constexpr std::uint32_t kReorderedAck = 1 << 16;
constexpr std::uint32_t kHalfCircle = 1u << 31;
constexpr std::uint32_t kJumpMax = 1u << 30;  // the largest window there is
constexpr unsigned kScaleMax = 14;
constexpr std::size_t kRecentKept = 5;

bool within(std::uint32_t v, std::uint32_t low, std::uint32_t high) {
  return v - low <= high - low;
}

bool has(const Packet& packet, std::uint8_t flag) { return (packet.tcp.flags & flag) != 0; }
bool is_syn(const Packet& packet) {
  return has(packet, kTcpSyn) && !has(packet, kTcpAck) && !has(packet, kTcpRst);
}
bool is_syn_ack(const Packet& packet) {
  return has(packet, kTcpSyn) && has(packet, kTcpAck) && !has(packet, kTcpRst);
}
std::uint32_t numbers_of(const Packet& packet) {
  return packet.payload_bytes + has(packet, kTcpSyn) + has(packet, kTcpFin);
}
std::uint32_t end_of(const Packet& packet) { return packet.tcp.sequence + numbers_of(packet); }

// Beyond its sender's FIN lies payload that reaches there; a bare segment may stand one past it.
std::uint32_t reach_of(const Packet& packet) {
  return packet.payload_bytes != 0 ? end_of(packet) : packet.tcp.sequence - 1;
}

std::uint32_t window_of(const ModelSide& side) {
  const unsigned unknown = side.has_isn ? 0 : kScaleMax;
  return std::uint32_t{side.window} << std::min<unsigned>(side.scale.value_or(unknown), kScaleMax);
}

Phase open_phase(const ModelSession& s) {
  const int fins = s.side[0].has_fin + s.side[1].has_fin;
  return fins == 2 ? Phase::closed : fins == 1 ? Phase::half_closed : Phase::established;
}

void enter(ModelSession& s, Phase phase, ClockNs clock) {
  const bool is_ending = lingers(phase) || phase == Phase::half_closed;
  if (is_ending && phase != s.phase && !lingers(s.phase)) s.phase_clock = clock;
  s.phase = phase;
}

// --- Which incarnation ------------------------------------------------------------------------

Fit syn_fit(const ModelSession& s, const Packet& packet) {
  const ModelSide& from = s.side[packet.direction];
  const ModelSide& peer = s.side[packet.direction ^ 1];
  const std::uint32_t first = packet.tcp.sequence + 1;
  const auto member_if = [&](bool fits) {
    return fits ? Fit::member : lingers(s.phase) ? Fit::stranger : Fit::candidate;
  };
  const bool is_answer = s.phase == Phase::opening && peer.has_isn && !peer.has_acknowledged;
  if (is_answer && !from.has_isn) return Fit::member;
  // What the SYN-ACK acknowledged tells of a SYN that came even after later data.
  const bool is_overtaken = !from.has_isn && peer.has_isn && peer.has_acknowledged &&
                            within(peer.acknowledged, first, first + kReorderedAck) &&
                            within(from.first, first, first + kSlack - 1);
  const std::uint32_t behind = from.has_isn ? first : first + packet.payload_bytes;  // what it says
  if (from.is_known) return member_if(from.first == first || from.first == behind || is_overtaken);
  if (!peer.is_known)  // all that was seen is a RST that overtook the SYN
    return member_if(s.phase == Phase::reset &&
                     first == (s.first_side == packet.direction ? s.id_sequence : s.refused));
  if (peer.has_acknowledged)
    return member_if(within(peer.acknowledged, first, first + kReorderedAck));
  return member_if(s.phase == Phase::opening);
}

Fit syn_ack_fit(const ModelSession& s, const Packet& packet) {
  const ModelSide& from = s.side[packet.direction];
  const ModelSide& peer = s.side[packet.direction ^ 1];
  const std::uint32_t ack = packet.tcp.acknowledgment;
  bool fits = from.is_known && from.first == packet.tcp.sequence + 1;
  if (peer.has_isn) {
    fits |= within(ack, peer.first, peer.end()) || s.phase == Phase::opening;
  } else if (peer.is_known && !from.is_known) {
    fits |= within(ack, peer.first - kSlack, peer.end());
  }
  return fits ? Fit::member : Fit::stranger;
}

Fit lingering_fit(const ModelSession& s, const Packet& packet) {
  const ModelSide& from = s.side[packet.direction];
  const ModelSide& peer = s.side[packet.direction ^ 1];
  if (!from.is_known) {
    const bool fits =
        !has(packet, kTcpAck) || !peer.is_known ||
        within(packet.tcp.acknowledgment, peer.first - kSlack, peer.end() + kInFlightMax);
    return fits ? Fit::member : Fit::stranger;
  }
  std::uint32_t last = from.end();
  if (!from.has_fin) last += std::max(kInFlightMax, peer.has_acknowledged ? window_of(peer) : 0);
  // What is more than half the circle back cannot be told from what is still to come.
  const std::uint32_t lowest = from.length > kHalfCircle ? from.end() - kHalfCircle : from.first;
  const std::uint32_t first = lowest - (from.has_isn ? 1 : kSlack);
  const bool fits =
      within(packet.tcp.sequence, first, last + 1) && within(reach_of(packet), first - 1, last);
  return fits ? Fit::member : Fit::stranger;
}

std::uint32_t distance(std::uint32_t v, std::uint32_t low, std::uint32_t high) {
  return within(v, low, high) ? 0 : std::min(low - v, v - high);
}

// --- RST --------------------------------------------------------------------------------------

// Its SYN was sent, and nothing of its peer fits so far.
bool waits_for_answer(const ModelSession& s, unsigned side) {
  const ModelSide& from = s.side[side];
  return s.phase == Phase::opening && from.has_isn && !from.has_acknowledged &&
         !s.side[side ^ 1].is_known;
}

bool rst_fits(const ModelSession& s, const Packet& packet) {
  const ModelSide& from = s.side[packet.direction];
  const ModelSide& peer = s.side[packet.direction ^ 1];
  const TcpHeader& tcp = packet.tcp;
  const bool in_syn_sent = s.phase == Phase::opening && peer.has_isn && !peer.has_acknowledged;
  if (in_syn_sent && !from.is_known)
    return has(packet, kTcpAck) && within(tcp.acknowledgment, peer.first, peer.end());
  if (waits_for_answer(s, packet.direction) &&
      !within(tcp.sequence, from.first - 1, from.end() + kInFlightMax))
    return false;
  if (tcp.sequence == 0 && has(packet, kTcpAck) && peer.is_known &&
      tcp.acknowledgment == peer.end())
    return true;
  if (!peer.has_acknowledged || (from.has_fin && tcp.sequence + 1 == from.end())) return true;
  std::uint32_t high = peer.acknowledged + window_of(peer);
  if (from.is_known && ahead_of(from.end(), high) > 0) high = from.end();
  return within(tcp.sequence, peer.acknowledged, high);
}

void join_rst(ModelSession& s, const Packet& packet, ModelEvents& events) {
  ++s.side[packet.direction].rst;
  s.write_history(packet.direction, 'R');
  if (lingers(s.phase)) return;
  const bool refuses = !s.side[0].is_known && !s.side[1].is_known && has(packet, kTcpAck);
  if (refuses && packet.tcp.sequence == 0) s.refused = packet.tcp.acknowledgment;
  if (!rst_fits(s, packet)) {
    ++s.side[packet.direction].rst_off_window;
    events.rst_off_window = true;
    return;
  }
  s.reset_by = packet.direction;
  enter(s, Phase::reset, packet.clock);
}

// After a RST: its receiver sends new payload, and its sender acknowledges that: it was not taken.
void watch_reset(ModelSession& s, const Packet& packet, std::uint32_t end_before,
                 ModelEvents& events) {
  if (packet.direction != *s.reset_by) {
    if (packet.payload_bytes != 0 && ahead_of(end_of(packet), end_before) > 0 && !s.challenged_end)
      s.challenged_end = end_before;
    return;
  }
  if (!has(packet, kTcpAck)) return;
  const ModelLate::Counts& of_peer = s.late.side[packet.direction ^ 1];
  const bool answers = is_syn_ack(packet) && s.side[packet.direction].syn_ack == 1 &&
                       of_peer.syn + of_peer.syn_ack != 0;  // to the SYN sent again
  const bool goes_on =
      s.challenged_end && ahead_of(packet.tcp.acknowledgment, *s.challenged_end) > 0;
  if (!answers && !goes_on) return;
  s.challenged_end.reset();
  s.reset_by.reset();
  ++s.side[packet.direction].rst_ignored;
  events.rst_ignored = true;
  enter(s, answers ? Phase::opening : open_phase(s), packet.clock);
}

// --- Sequence space ---------------------------------------------------------------------------

// Payload [begin, end), none of it beyond what the side has sent so far.
void join_old_payload(ModelSession& s, unsigned side, std::uint32_t begin, std::uint32_t end,
                      bool is_overtaken_by_fin, bool is_acknowledged) {
  ModelSide& from = s.side[side];
  std::uint32_t fresh = s.fill_gaps(side, begin, end);
  if (fresh != 0 && from.gap_bytes == 0) s.erase_history(side, 'G');
  if (ahead_of(begin, from.first) < 0 && !from.has_isn && !from.is_resumed &&
      from.first - begin < kSlack) {
    const std::uint32_t last = ahead_of(end, from.first) < 0 ? end : from.first;
    fresh += last - begin;
    s.begin_earlier(side, begin, last);
  }
  if (fresh != 0) {
    from.out_of_order_packets += !is_overtaken_by_fin;
  } else {
    ++from.retransmitted_packets;
    from.spurious_packets += is_acknowledged;
    s.write_history(side, 'T');
  }
  from.retransmitted_bytes += end - begin - fresh;
}

// A FIN that came first although it was sent last.
bool is_overtaken_by_fin(const ModelSession& s, const Packet& packet, DurationNs reorder_window) {
  const bool closes = s.phase == Phase::half_closed || s.phase == Phase::closed;
  return closes && s.side[packet.direction].has_fin &&
         packet.clock - s.phase_clock <= reorder_window;
}

void join_numbers(ModelSession& s, const Packet& packet, DurationNs reorder_window) {
  const unsigned side = packet.direction;
  ModelSide& from = s.side[side];
  const ModelSide& peer = s.side[side ^ 1];
  s.note_keep_alive_before(side, packet.tcp.sequence);
  const bool is_fin_again = has(packet, kTcpFin) && from.has_fin;  // takes no number of its own
  const std::uint32_t numbers = numbers_of(packet) - is_fin_again;
  const std::uint32_t high = from.end();
  const std::int32_t ahead = ahead_of(packet.tcp.sequence, high);
  const bool is_plain = !has(packet, kTcpSyn) && !has(packet, kTcpFin) && !has(packet, kTcpRst);
  const bool is_again = packet.payload_bytes != 0 && ahead_of(peer.acknowledged, high) < 0;
  const bool is_needed = peer.has_acknowledged && (peer.window == 0 || is_again);
  if (numbers <= 1 && ahead == -1 && is_plain && !from.has_fin && !is_needed) {
    ++from.keep_alives;
    return;
  }
  if (numbers == 0) return;
  if (ahead > 0) {
    if (static_cast<std::uint32_t>(ahead) > kJumpMax) return;
    s.add_gap(side, high, packet.tcp.sequence);
    from.length += std::int64_t{ahead} + numbers;
    return;
  }
  const std::uint32_t begin = packet.tcp.sequence + has(packet, kTcpSyn);
  const std::uint32_t end = begin + packet.payload_bytes;
  const std::uint32_t old_end = ahead_of(end, high) < 0 ? end : high;
  const std::int32_t beyond = ahead_of(packet.tcp.sequence + numbers, high);
  if (packet.payload_bytes != 0 && ahead_of(old_end, begin) > 0)
    join_old_payload(s, side, begin, old_end, is_overtaken_by_fin(s, packet, reorder_window),
                     peer.has_acknowledged && ahead_of(end_of(packet), peer.acknowledged) <= 0);
  if (beyond > 0) from.length += beyond;
}

// The side's first segment, or a SYN that tells where it began.
void join_first(ModelSession& s, const Packet& packet) {
  ModelSide& from = s.side[packet.direction];
  const bool syn = has(packet, kTcpSyn);
  const bool is_other_cookie = (is_syn_ack(packet) || (syn && !from.has_isn)) &&
                               s.phase == Phase::opening && from.first != packet.tcp.sequence + 1;
  if (from.has_isn && is_other_cookie) from.other_first = from.first;
  if (!from.is_known || is_other_cookie) {
    const ModelSide& peer = s.side[packet.direction ^ 1];
    const bool is_keep_alive = numbers_of(packet) == packet.payload_bytes &&
                               peer.has_acknowledged && packet.payload_bytes <= 1 &&
                               peer.acknowledged == packet.tcp.sequence + 1;
    from.is_known = true;
    from.first = packet.tcp.sequence + (syn || is_keep_alive);
    from.length = -std::int64_t{syn};
  }
  const std::uint32_t first = packet.tcp.sequence + 1;
  if (syn && !from.has_isn && within(from.first, first + 1, first + kSlack - 1))
    s.begin_earlier(packet.direction, first, first);
  from.has_isn |= syn;
  const std::uint8_t options = packet.tcp.options;
  from.options = 0;
  constexpr std::uint8_t kInOrder[] = {kTcpOptionSackPermitted, kTcpOptionTimestamp,
                                       kTcpOptionFastOpen, kTcpOptionMptcp, kTcpOptionMd5OrAo};
  for (unsigned bit = 0; bit < std::size(kInOrder); ++bit)
    if ((options & kInOrder[bit]) != 0) from.options |= static_cast<std::uint8_t>(1u << bit);
  const bool asks = has(packet, kTcpEce) && has(packet, kTcpCwr) && !has(packet, kTcpAck);
  const bool agrees = has(packet, kTcpEce) && !has(packet, kTcpCwr) && has(packet, kTcpAck);
  from.has_ecn = syn && (asks || agrees);
}

// Two SYN-ACKs told two numbers: which of them the connection goes on with.
void settle_answer(ModelSide& side, std::uint32_t number) {
  if (side.other_first != number) return;
  side.first = number;
  side.length = 0;
}

std::uint32_t capped(DurationNs duration) {
  return static_cast<std::uint32_t>(std::clamp<DurationNs>(duration, 0, UINT32_MAX));
}

void join_syn(ModelSession& s, const Packet& packet) {
  const unsigned side = packet.direction;
  ModelSide& from = s.side[side];
  const ModelSide& peer = s.side[side ^ 1];
  const TcpHeader& tcp = packet.tcp;
  const bool is_answer = has(packet, kTcpAck);
  ++(is_answer ? from.syn_ack : from.syn);
  s.write_history(side, is_answer ? 'H' : 'S');
  if (tcp.options & kTcpOptionMss) from.mss = tcp.mss;
  from.initial_window = tcp.window;
  from.scale.reset();
  if (tcp.options & kTcpOptionWindowScale) from.scale = tcp.window_scale;
  if (!is_answer) {
    if (!peer.has_isn || peer.syn_ack != 0) {
      s.originator = side;
      s.is_flipped = false;  // seen after all
    }
  } else if (peer.syn == 1 && from.syn_ack == 1 && s.first_side != side) {
    s.rtt_syn_ack_ns = capped(duration_between(s.start, packet.timestamp));
  }
}

void join_acknowledgment(ModelSession& s, const Packet& packet) {
  ModelSide& from = s.side[packet.direction];
  if (!has(packet, kTcpAck)) return;
  s.note_keep_alive_before(packet.direction ^ 1, packet.tcp.acknowledgment);
  const bool is_plain = !has(packet, kTcpSyn) && !has(packet, kTcpFin) && !has(packet, kTcpRst);
  if (!from.has_acknowledged || ahead_of(packet.tcp.acknowledgment, from.acknowledged) >= 0) {
    from.has_acknowledged = true;
    from.acknowledged = packet.tcp.acknowledgment;
    from.window = packet.tcp.window;
    if (from.window == 0 && is_plain && !from.window_closed) from.window_closed = packet.timestamp;
    if (from.window != 0 && from.window_closed) {
      if (*from.window_closed < packet.timestamp)
        from.window_closed_ns += duration_between(*from.window_closed, packet.timestamp);
      from.window_closed.reset();
    }
  }
  if (packet.tcp.window == 0 && is_plain) {
    s.write_history(packet.direction, 'W');
    ++from.zero_windows;
  }
}

// RFC 5681 §2: the same acknowledgment again, with nothing else in it, while data is under way.
bool repeats_acknowledgment(const ModelSession& s, const Packet& packet) {
  const ModelSide& from = s.side[packet.direction];
  const ModelSide& peer = s.side[packet.direction ^ 1];
  const TcpHeader& tcp = packet.tcp;
  if (numbers_of(packet) != 0 || !has(packet, kTcpAck) || has(packet, kTcpRst)) return false;
  if (!from.has_acknowledged || tcp.acknowledgment != from.acknowledged) return false;
  if (tcp.window == 0 || tcp.window != from.window || tcp.sequence != from.end()) return false;
  return peer.is_known && ahead_of(peer.end(), tcp.acknowledgment) > 0;
}

// --- Duplicates of the mirror port ------------------------------------------------------------

// As far as the session's numbers tell.
bool repeats_last(const ModelSession& s, const Packet& packet) {
  const ModelSide& from = s.side[packet.direction];
  const TcpHeader& tcp = packet.tcp;
  if (!from.is_known || has(packet, kTcpRst) || numbers_of(packet) == 0) return false;
  if (end_of(packet) != from.end() || has(packet, kTcpFin) != from.has_fin) return false;
  if (has(packet, kTcpSyn) && !(from.has_isn && from.first == tcp.sequence + 1)) return false;
  if (!has(packet, kTcpAck)) return !from.has_acknowledged;
  return from.has_acknowledged && tcp.acknowledgment == from.acknowledged &&
         tcp.window == from.window;
}

bool is_duplicate(ModelSession& s, const Packet& packet, DurationNs window, ClockNs last_clock) {
  if (window == 0) return false;
  const TcpHeader& tcp = packet.tcp;
  std::uint16_t ip_id = 0;
  if (packet.key.ip_version == 4) {
    const std::uint8_t* ip = packet.data + packet.ip_offset;
    ip_id = static_cast<std::uint16_t>(ip[4] << 8 | ip[5]);
  }
  const ModelSegment segment{
      packet.clock,         packet.direction, tcp.sequence, tcp.acknowledgment,
      packet.payload_bytes, tcp.window,       ip_id,        tcp.flags};
  const bool is_soon = packet.clock - last_clock <= window;
  const bool may_repeat = is_soon && repeats_last(s, packet);
  if (s.recent.empty() && !may_repeat) return false;
  if (s.recent.empty())  // of a side whose SYN was not repeated
    s.recent_is_all = !has(packet, kTcpSyn) && s.side[packet.direction].has_isn;
  s.recent_is_all |= !is_soon || s.recent.size() == kRecentKept;
  for (ModelSegment before : s.recent) {
    const bool was_just_now = packet.clock - before.clock <= window;
    before.clock = segment.clock;
    if (was_just_now && before == segment) return true;
  }
  s.recent.push_back(segment);
  if (s.recent.size() > kRecentKept) s.recent.pop_front();
  return may_repeat && !s.recent_is_all;
}

void join_phase(ModelSession& s, const Packet& packet) {
  ModelSide& from = s.side[packet.direction];
  const ModelSide& peer = s.side[packet.direction ^ 1];
  if (has(packet, kTcpFin)) {
    ++from.fin;
    s.write_history(packet.direction, 'F');
    const bool crossed = peer.has_fin && !from.has_fin && has(packet, kTcpAck) &&
                         ahead_of(packet.tcp.acknowledgment, peer.end()) < 0 &&
                         peer.has_acknowledged && ahead_of(peer.acknowledged, end_of(packet)) < 0;
    s.is_fin_crossed |= crossed;
    from.has_fin = true;
    if (!lingers(s.phase)) enter(s, !peer.is_known ? Phase::closed : open_phase(s), packet.clock);
    return;
  }
  if (s.phase == Phase::closed && !from.has_fin && from.packets == packet.frames) {
    // A one-way close that was not one-way; perhaps with a reset behind it.
    const unsigned closer = packet.direction ^ 1u;
    if (s.late.side[closer].rst != 0) s.reset_by = closer;
    s.phase = s.reset_by ? Phase::reset : Phase::half_closed;
    return;
  }
  if (s.phase != Phase::opening || has(packet, kTcpSyn)) return;
  const bool is_challenge = !from.has_isn && packet.payload_bytes == 0 && peer.syn_ack == 0;
  if (is_challenge) return;
  if (s.rtt_syn_ack_ns != 0 && s.rtt_syn_ack_ns != UINT32_MAX && from.syn != 0 && peer.syn_ack == 1)
    s.rtt_ack_ns = capped(duration_between(s.start, packet.timestamp) - s.rtt_syn_ack_ns);
  enter(s, Phase::established, packet.clock);
}

}  // namespace

Fit tcp_fit(const ModelSession& s, const Packet& packet) {
  if (has(packet, kTcpRst)) return Fit::member;
  if (is_syn(packet)) return syn_fit(s, packet);
  if (is_syn_ack(packet)) return syn_ack_fit(s, packet);
  return lingers(s.phase) ? lingering_fit(s, packet) : Fit::member;
}

// How far off the segment lies; none: it cannot be told.
std::optional<std::uint32_t> tcp_misfit(const ModelSession& s, const Packet& packet) {
  const ModelSide& from = s.side[packet.direction];
  const ModelSide& peer = s.side[packet.direction ^ 1];
  const TcpHeader& tcp = packet.tcp;
  const bool by_ack = has(packet, kTcpAck) && peer.is_known;
  const auto ack_misfit = [&] { return distance(tcp.acknowledgment, peer.first, peer.end()); };
  if (has(packet, kTcpRst) && tcp.sequence == 0 && by_ack) return ack_misfit();
  if (is_syn(packet)) {
    if (from.has_isn && from.first == tcp.sequence + 1) return 0;
    return std::nullopt;
  }
  if (is_syn_ack(packet) && by_ack) return ack_misfit();
  if (from.is_known) return distance(tcp.sequence, from.first - 1, from.end());
  if (by_ack) return ack_misfit();
  return std::nullopt;
}

bool tcp_is_foreign(const ModelSession& s, const Packet& packet) {
  if (has(packet, kTcpRst) && !lingers(s.phase)) return !rst_fits(s, packet);
  return !has(packet, kTcpSyn) && tcp_misfit(s, packet).value_or(0) > kInFlightMax;
}

void tcp_begin(ModelSession& s, const Packet& packet) {
  s.is_flipped = is_syn_ack(packet);
  s.originator = s.is_flipped ? packet.direction ^ 1u : packet.direction;
  const bool opens = has(packet, kTcpSyn) && !has(packet, kTcpRst);
  s.phase = opens && !is_nonsense(packet) ? Phase::opening : Phase::established;
}

// Sides and sequence space of the session that was cut.
void tcp_go_on(ModelSession& s, const ModelGrave& grave) {
  s.originator = grave.originator;
  s.is_flipped = false;
  for (unsigned side = 0; side < 2; ++side) {
    // From where its late payload ended, if any is being collected.
    std::optional<std::uint32_t> end;
    if (grave.side[side].is_known) end = grave.side[side].end();
    if (grave.collecting && grave.collecting->end[side] &&
        (!end || ahead_of(*grave.collecting->end[side], *end) > 0))
      end = grave.collecting->end[side];
    if (!end) continue;
    s.side[side].is_known = s.side[side].is_resumed = true;
    s.side[side].first = *end;
    s.side[side].length = 0;
    s.side[side].has_fin = grave.side[side].has_fin;
  }
}

ModelEvents tcp_join(ModelSession& s, const Packet& packet, const ModelWindows& windows,
                     ClockNs last_clock) {
  const unsigned side = packet.direction;
  ModelSide& from = s.side[side];
  const ModelSide& peer = s.side[side ^ 1];
  ModelEvents events;
  const bool was_lingering = lingers(s.phase);
  if (is_duplicate(s, packet, windows.dedup, last_clock)) {
    ++from.duplicates;
    return events;
  }
  s.urg += has(packet, kTcpUrg);
  s.ece += has(packet, kTcpEce) && !has(packet, kTcpSyn);
  s.cwr += has(packet, kTcpCwr) && !has(packet, kTcpSyn);
  if (has(packet, kTcpRst)) {
    join_rst(s, packet, events);
    events.is_late = was_lingering;
    return events;
  }
  const bool is_bare_ack = (packet.tcp.flags & (kTcpSyn | kTcpFin | kTcpAck)) == kTcpAck;
  if (has(packet, kTcpAck) && waits_for_answer(s, side ^ 1) &&
      !within(packet.tcp.acknowledgment, peer.first, peer.end() + kInFlightMax)) {
    from.syn_ack += has(packet, kTcpSyn);
    if (has(packet, kTcpSyn)) {
      s.write_history(side, 'H');
    } else if (packet.payload_bytes != 0) {
      s.write_history(side, 'D');
    } else if (is_bare_ack) {
      s.write_history(side, 'A');
    }
    return events;
  }
  const std::uint64_t missing_before = from.gap_bytes;
  const std::uint32_t acknowledged_before = from.acknowledged;
  if (has(packet, kTcpSyn) || !from.is_known) {
    join_first(s, packet);
  } else if (s.phase == Phase::opening) {
    if (has(packet, kTcpAck)) settle_answer(s.side[side ^ 1], packet.tcp.acknowledgment);
    settle_answer(from, packet.tcp.sequence);
  }
  const std::uint32_t end_before = from.end();
  if (has(packet, kTcpSyn)) join_syn(s, packet);
  if (!was_lingering) measure_round_trip(s, packet);
  from.duplicate_acks += repeats_acknowledgment(s, packet);
  join_numbers(s, packet, windows.reorder);
  join_acknowledgment(s, packet);
  if (packet.payload_bytes != 0) {
    s.write_history(side, 'D');
  } else if (is_bare_ack) {
    s.write_history(side, 'A');
  }
  join_phase(s, packet);
  if (!was_lingering || !lingers(s.phase)) return events;

  // The ACK of the last FIN, and data that a FIN overtook, still belong to the close.
  const bool acks_fin = numbers_of(packet) == 0 && has(packet, kTcpAck) && peer.has_fin &&
                        packet.tcp.acknowledgment == peer.end() &&
                        acknowledged_before != packet.tcp.acknowledgment;
  const bool was_overtaken = packet.payload_bytes != 0 &&
                             packet.clock - s.phase_clock <= windows.reorder &&
                             from.gap_bytes < missing_before;
  events.is_late = s.phase != Phase::closed || (!acks_fin && !was_overtaken);
  if (s.phase == Phase::reset && s.reset_by) watch_reset(s, packet, end_before, events);
  return events;
}

// The payload bytes that are new. A FIN that came late still closes its side, for whatever goes on
// with the session.
std::uint32_t tcp_join_late(ModelGrave& grave, const Packet& packet) {
  ModelSide& from = grave.side[packet.direction];
  std::optional<std::uint32_t>& known = grave.collecting->end[packet.direction];
  const std::uint32_t end = packet.tcp.sequence + packet.payload_bytes;
  std::uint32_t fresh = packet.payload_bytes;
  if (fresh != 0 && known)
    fresh = static_cast<std::uint32_t>(
        std::clamp<std::int64_t>(ahead_of(end, *known), 0, packet.payload_bytes));
  if (fresh != 0) known = end;
  const bool is_next = from.is_known && end_of(packet) == from.end() + 1;
  if (!has(packet, kTcpFin) || has(packet, kTcpSyn) || from.has_fin || !is_next) return fresh;
  from.has_fin = true;
  ++from.length;
  return fresh;
}

Judgement tcp_judgement(const ModelGrave& grave, const Packet& packet, bool is_last) {
  const unsigned side = packet.direction;
  const ModelSide& from = grave.side[side];
  const TcpHeader& tcp = packet.tcp;
  const bool by_sequence = side == grave.first_side;  // else a SYN was overtaken by its answer
  const bool is_again = by_sequence ? tcp.sequence == grave.id_sequence
                                    : side == grave.originator && from.is_known &&
                                          within(tcp.sequence + 1, from.end() - kSlack, from.end());
  if (is_syn(packet)) return is_again ? Judgement::late : Judgement::reuse;
  // In the numbers of the side that sent the first packet, whose first number the grave kept.
  const ModelSide& opener = grave.side[grave.first_side];
  const std::uint32_t number = by_sequence ? tcp.sequence : tcp.acknowledgment;
  const bool testable = (by_sequence || has(packet, kTcpAck)) && opener.is_known;
  const bool in_space = !testable || within(number, grave.id_sequence - kSlack,
                                            opener.end() + (opener.has_fin ? 1 : kInFlightMax));
  if (has(packet, kTcpRst)) {
    const bool answers = tcp.sequence == 0 && has(packet, kTcpAck);
    const bool fits = from.is_known && !answers
                          ? within(tcp.sequence, from.end() - kSlack, from.end() + kSlack)
                          : in_space;
    return fits ? Judgement::late : Judgement::late_off_sequence;
  }
  const bool finished = is_finished(grave.ending) || !is_last || grave.is_followed ||
                        (grave.side[0].has_fin && grave.side[1].has_fin);
  if (is_syn_ack(packet)) {
    const bool same = by_sequence ? tcp.sequence == grave.id_sequence
                                  : within(tcp.acknowledgment, grave.id_sequence + 1, opener.end());
    if (!same) return Judgement::reuse;
    return finished || from.is_known ? Judgement::late : Judgement::continues;
  }
  // A RST closes only tentatively: what its receiver sent afterwards is acknowledged after all. It
  // sent nothing behind its FIN.
  const ModelSide& peer = grave.side[side ^ 1];
  if (grave.ending == Ending::reset && has(packet, kTcpAck) && peer.is_known && !peer.has_fin &&
      in_space && within(tcp.acknowledgment, peer.end() + 1, peer.end() + kInFlightMax))
    return Judgement::continues;
  if (finished) {
    const std::uint32_t last = from.end() + (from.has_fin ? 0 : kInFlightMax);
    const bool is_old = !from.is_known || ahead_of(reach_of(packet), last) <= 0;
    return is_old && in_space ? Judgement::late : Judgement::reuse;
  }
  const bool is_new =
      packet.payload_bytes != 0 && (!from.is_known || ahead_of(end_of(packet), from.end()) > 0);
  return is_new ? Judgement::continues : Judgement::late;
}

}  // namespace linger::test
