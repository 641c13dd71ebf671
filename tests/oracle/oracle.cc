#include "tests/oracle/oracle.h"

#include <algorithm>

namespace linger::test {
namespace {

constexpr std::size_t kIncarnationsMax = 4;  // of one key in the table at a time

constexpr std::uint8_t kSctpInit = 1, kSctpInitAck = 2, kSctpAbort = 6, kSctpCookieEcho = 10,
                       kSctpCookieAck = 11, kSctpShutdownComplete = 14;

Phase first_phase(std::uint8_t protocol) {
  switch (protocol) {
    case kProtocolTcp:
      return Phase::established;
    case kProtocolUdp:
      return Phase::udp;
    case kProtocolIcmp:
    case kProtocolIcmpV6:
      return Phase::icmp;
    case kProtocolSctp:
      return Phase::sctp;
    case kProtocolEsp:
      return Phase::esp;
    default:
      return Phase::other;
  }
}

Ending due_ending(Phase phase) {
  if (phase == Phase::opening) return Ending::attempt;
  if (phase == Phase::closed) return Ending::closed;
  if (phase == Phase::reset) return Ending::reset;
  return Ending::idle;
}

// Ages of graves and of what they collect count in whole seconds, rounded up.
std::int64_t second_of(ClockNs clock) { return (clock + kSecond - 1) / kSecond; }

// Whether an SCTP packet can be of the finished association with these tags (RFC 9260 §8.5).
bool sctp_fits(const std::array<ModelSide, 2>& side, const Packet& packet) {
  const unsigned from = packet.direction;
  if (packet.sctp.chunk == kSctpInit) return side[from ^ 1].tag == packet.sctp.initiate_tag;
  const std::uint32_t tag = packet.sctp.verification_tag;
  return side[from].tag == 0 || side[from].tag == tag || side[from ^ 1].tag == tag;
}

void sctp_join(ModelSession& s, const Packet& packet) {
  ModelSide& own = s.side[packet.direction];
  ModelSide& peer = s.side[packet.direction ^ 1];
  const std::uint8_t chunk = packet.sctp.chunk;
  const std::uint32_t sent = packet.sctp.verification_tag;
  switch (chunk) {
    case kSctpInit:
      if (peer.tag == 0 || peer.packets == 0) peer.tag = packet.sctp.initiate_tag;
      break;
    case kSctpInitAck:
      if (peer.tag == 0) peer.tag = packet.sctp.initiate_tag;
      break;
    case kSctpCookieEcho:
    case kSctpCookieAck:
      own.tag = sent;
      break;
    default:
      break;
  }
  if (own.tag == 0) own.tag = sent;
  const bool fits = sent == own.tag || sent == peer.tag;
  if (lingers(s.phase) || !fits) return;
  if (chunk != kSctpAbort && chunk != kSctpShutdownComplete) return;
  s.phase = chunk == kSctpAbort ? Phase::reset : Phase::closed;
  s.phase_clock = packet.clock;
}

// A side's first packet shows whether its checksums are left to a network card.
void count_only(ModelSession& s, const Packet& packet) {
  ModelSide& side = s.side[packet.direction];
  const bool is_first = side.packets == 0;
  side.packets += packet.frames;
  side.bytes += packet.wire_bytes;
  if ((packet.flags & kPacketBadChecksum) != 0) side.bad_checksums += packet.frames;
  if ((packet.flags & kPacketOffloaded) != 0 && is_first) side.is_offloaded = true;
}

void count(ModelSession& s, const Packet& packet) {
  count_only(s, packet);
  s.last_clock = std::max(s.last_clock, packet.clock);
  s.end = std::max(s.end, packet.timestamp);
}

}  // namespace

void ModelLate::add(const Packet& packet) {
  Counts& c = side[packet.direction];
  c.packets += packet.frames;
  c.bytes += packet.wire_bytes;
  if (packet.key.protocol != kProtocolTcp) return;
  const std::uint8_t flags = packet.tcp.flags;
  const bool is_special = (flags & (kTcpSyn | kTcpFin | kTcpRst)) != 0;
  if (flags & kTcpSyn) ++((flags & kTcpAck) != 0 ? c.syn_ack : c.syn);
  if (flags & kTcpFin) ++c.fin;
  if (flags & kTcpRst) ++c.rst;
  if (packet.payload_bytes != 0) ++c.data;
  if (!is_special && (flags & kTcpAck) != 0 && packet.payload_bytes == 0) ++c.ack;
}

Oracle::Oracle(const Settings& settings, const DecodeSettings& decode_settings,
               const HashSeed& id_seed)
    : settings_(settings), decode_settings_(decode_settings), id_seed_(id_seed) {}

void Oracle::see(const Packet& packet) {
  if (packet.verdict != Verdict::session) return;
  now_ = std::max(now_, packet.clock);
  carry_out(now_);
  counts_.packets += packet.frames;
  counts_.bytes += packet.wire_bytes;
  if (packet.flags & kPacketIcmpError) {
    join_icmp_error(packet);
  } else {
    join(packet);
  }
  for (const ModelSession& s : sessions_[packet.key.words()])
    next_moment_ = std::min({next_moment_, deadline(s), s.save_due});
}

void Oracle::finish(Ending ending, ClockNs clock) {
  now_ = std::max(now_, clock);
  carry_out(now_);
  for (auto& [key, sessions] : sessions_)
    for (ModelSession& s : sessions) end(s, lingers(s.phase) ? due_ending(s.phase) : ending, now_);
  sessions_.clear();
  for (auto& [key, graves] : graves_)
    for (ModelGrave& grave : graves)
      if (grave.collecting) write_late(grave);
}

// --- Due moments ------------------------------------------------------------------------------

void Oracle::carry_out(ClockNs now) {
  if (now < next_moment_) return;
  next_moment_ = INT64_MAX;
  for (auto it = sessions_.begin(); it != sessions_.end();) {
    carry_out(it->second, now);
    it = it->second.empty() ? sessions_.erase(it) : std::next(it);
  }
  for (auto it = graves_.begin(); it != graves_.end();) {
    carry_out(it->second, now);
    it = it->second.empty() ? graves_.erase(it) : std::next(it);
  }
}

void Oracle::carry_out(Sessions& sessions, ClockNs now) {
  for (std::size_t i = 0; i < sessions.size();) {
    const ClockNs due = deadline(sessions[i]);
    if (due <= now) {
      end(sessions[i], due_ending(sessions[i].phase), due);
      sessions.erase(sessions.begin() + static_cast<std::ptrdiff_t>(i));
      continue;
    }
    save_if_due(sessions[i], now);
    next_moment_ = std::min({next_moment_, due, sessions[i].save_due});
    ++i;
  }
}

void Oracle::carry_out(Graves& graves, ClockNs now) {
  for (ModelGrave& grave : graves) {
    if (!grave.collecting) continue;
    if (!is_due(*grave.collecting, now)) {
      next_moment_ = std::min(next_moment_, grave.collecting->last_clock + settings_.lateTimeout);
      continue;
    }
    grave.burial_second = second_of(grave.collecting->last_clock);
    write_late(grave);
  }
  std::erase_if(graves, [&](const ModelGrave& g) { return !g.collecting && is_over(g, now); });
}

DurationNs Oracle::timeout(Phase phase) const {
  switch (phase) {
    case Phase::opening:
      return settings_.tcpSynTimeout;
    case Phase::established:
      return settings_.tcpTimeout;
    case Phase::half_closed:
      return settings_.tcpHalfClosedTimeout;
    case Phase::closed:
      return settings_.tcpClosingTimeout;
    case Phase::reset:
      return settings_.tcpRstTimeout;
    case Phase::udp:
      return settings_.udpTimeout;
    case Phase::icmp:
      return settings_.icmpTimeout;
    case Phase::sctp:
      return settings_.sctpTimeout;
    case Phase::esp:
      return settings_.espTimeout;
    case Phase::other:
      return settings_.otherTimeout;
  }
  return 0;
}

DurationNs Oracle::save_timeout(const FlowKey& key) const {
  return key.protocol == kProtocolTcp ? settings_.tcpSaveTimeout : settings_.udpSaveTimeout;
}

ClockNs Oracle::deadline(const ModelSession& s) const {
  const ClockNs idle = s.last_clock + timeout(s.phase);
  if (!lingers(s.phase)) return idle;
  return std::min(idle, s.phase_clock + std::max(timeout(s.phase), settings_.lingerCeiling));
}

void Oracle::save_if_due(ModelSession& s, ClockNs now) {
  if (now < s.save_due) return;
  const DurationNs interval = save_timeout(s.key);
  if (s.last_clock >= s.save_due - interval) {  // else nothing came since the last
    ++counts_.interim;
    records_.push_back(record_of(s, id_of(s), Action::session_interim, Reason::none, s.interims++));
  }
  while (s.save_due <= now) s.save_due += interval;
}

void Oracle::end(ModelSession& s, Ending ending, ClockNs when) {
  save_if_due(s, when);
  const Record& record = records_.emplace_back(
      record_of(s, id_of(s), Action::session_end, reason_of_ending(ending), s.interims));
  if (s.mptcp) subflows_.push_back(part_of(s, record));
  std::uint64_t* const ended[] = {
      &counts_.ended_closed,  &counts_.ended_reset,  &counts_.ended_idle,  &counts_.ended_attempt,
      &counts_.ended_evicted, &counts_.ended_by_run, &counts_.ended_by_run};
  ++*ended[static_cast<std::size_t>(ending)];
  const bool judged = s.key.protocol == kProtocolTcp || s.key.protocol == kProtocolSctp;
  if (!judged || ending >= Ending::end_of_input) return;
  ModelGrave grave;
  static_cast<ModelIdentity&>(grave) = s;
  grave.ending = ending;
  grave.burial_second = second_of(when);
  graves_[s.key.words()].push_back(grave);
}

// --- A packet and its session -----------------------------------------------------------------

void Oracle::join(const Packet& packet) {
  Sessions& sessions = sessions_[packet.key.words()];
  if (sessions.empty()) return miss(packet);
  if (is_damaged(sessions.back(), packet)) return count_damaged(sessions.back(), packet);
  const std::uint8_t protocol = packet.key.protocol;
  if (protocol == kProtocolTcp) {
    for (std::size_t i = sessions.size(); i-- > 0;)
      if (promote(sessions, i, packet)) return absorb(sessions.back(), packet);
    const std::size_t at = choose(sessions, packet);
    switch (tcp_fit(sessions[at], packet)) {
      case Fit::member:
        return absorb(sessions[at], packet);
      case Fit::candidate:
        note_candidate(sessions[at], packet);
        count_only(sessions[at], packet);  // it does not move this one's time
        ++sessions[at].side[packet.direction].syn;
        return;
      case Fit::stranger:
        break;
    }
  } else if (protocol == kProtocolSctp) {
    for (std::size_t i = sessions.size(); i-- > 0;)
      if (!lingers(sessions[i].phase) || sctp_fits(sessions[i].side, packet))
        return update(sessions[i], packet);
  } else {
    return update(sessions.back(), packet);
  }
  miss(packet);
}

// Among several incarnations of the key, the one that the packet fits best: the newest in doubt.
std::size_t Oracle::choose(Sessions& sessions, const Packet& packet) {
  const std::size_t newest = sessions.size() - 1;
  std::size_t best = newest;
  std::optional<std::uint32_t> least;
  for (std::size_t i = sessions.size(); i-- > 0;) {
    const auto misfit = tcp_misfit(sessions[i], packet);
    if (!misfit || (least && *misfit >= *least)) continue;
    least = misfit;
    best = i;
  }
  if (best != newest && tcp_fit(sessions[best], packet) != Fit::member) best = newest;
  return best;
}

void Oracle::note_candidate(ModelSession& s, const Packet& packet) {
  ++s.syn_candidates;
  const bool again = s.candidate && s.candidate->syn.tcp.sequence == packet.tcp.sequence &&
                     s.candidate->syn.direction == packet.direction;
  if (!again) s.candidate = ModelCandidate{.syn = packet};
  s.candidate->packets += packet.frames;
  ++s.candidate->syns;
  if ((packet.flags & kPacketBadChecksum) != 0) s.candidate->bad_checksums += packet.frames;
  s.candidate->bytes += packet.wire_bytes;
}

// An answer that names the candidate's ISN, or what follows it, makes it a session: the last one.
bool Oracle::promote(Sessions& sessions, std::size_t at, const Packet& packet) {
  if (!sessions[at].candidate) return false;
  const ModelCandidate c = *sessions[at].candidate;
  const std::uint8_t flags = packet.tcp.flags;
  const bool is_special = (flags & (kTcpSyn | kTcpRst)) != 0;
  const std::uint32_t acknowledged = packet.tcp.acknowledgment - c.syn.tcp.sequence - 1;
  const bool answers = packet.direction != c.syn.direction && is_special && (flags & kTcpAck) &&
                       acknowledged < c.bytes;
  const bool follows = packet.direction == c.syn.direction && !is_special &&
                       packet.tcp.sequence == c.syn.tcp.sequence + 1 &&
                       packet.tcp.sequence != sessions[at].side[packet.direction].end();
  const bool repeats = lingers(sessions[at].phase) && packet.direction == c.syn.direction &&
                       (flags & (kTcpSyn | kTcpAck | kTcpRst)) == kTcpSyn &&
                       packet.tcp.sequence == c.syn.tcp.sequence;
  if (!answers && !follows && !repeats) return false;

  ModelSession& old = sessions[at];
  ModelSide& side = old.side[c.syn.direction];
  side.packets -= c.packets;
  side.bytes -= c.bytes;
  side.bad_checksums -= c.bad_checksums;
  side.syn -= c.syns;
  old.syn_candidates -= c.syns;
  old.candidate.reset();
  const Id128 old_id = id_of(old);
  Packet syn = c.syn;
  syn.wire_bytes = c.bytes;
  syn.payload_bytes = syn.tcp.mptcp_bytes = 0;  // gone; of Fast Open the length alone is told
  syn.tcp.flags = kTcpSyn;
  const std::uint8_t marks = c.syn.tcp.flags & (kTcpEce | kTcpCwr);
  if (marks == (kTcpEce | kTcpCwr)) syn.tcp.flags |= marks;
  syn.mac_offset = packet.mac_offset;  // the SYN's frame is gone: addresses as this one has them
  syn.data = packet.data;
  open(syn);
  link_reuse(sessions, old_id);
  ModelSession& s = sessions.back();
  s.save_due += packet.clock - syn.clock;  // it is a session from now on
  if (syn.direction != packet.direction) std::swap(s.side[0].mac, s.side[1].mac);
  s.vlan.assign(packet.vlan.begin(), packet.vlan.begin() + packet.vlan_count);
  update(s, syn);
  if (answers) s.side[syn.direction].length += acknowledged;
  s.side[syn.direction].packets = c.packets;
  s.side[syn.direction].bad_checksums = c.bad_checksums;
  s.side[syn.direction].syn = c.syns;
  return true;
}

// A packet of this session, unless its numbers are nowhere near and a buried one owns it.
void Oracle::absorb(ModelSession& s, const Packet& packet) {
  if (tcp_is_foreign(s, packet)) {
    Judgement judgement = Judgement::reuse;
    ModelGrave* owner = find_grave(packet, judgement);
    if (owner != nullptr && judgement == Judgement::late) return join_grave(*owner, packet, false);
    if (owner != nullptr && judgement == Judgement::continues && tcp_goes_on(*owner, packet))
      return miss(packet);
  }
  update(s, packet);
}

void Oracle::update(ModelSession& s, const Packet& packet) {
  const ClockNs last_clock = s.last_clock;
  count(s, packet);
  if (packet.key.protocol == kProtocolTcp) {
    const ModelEvents events =
        tcp_join(s, packet, {settings_.reorderWindow, settings_.dedupWindow}, last_clock);
    if (events.is_late) s.late.add(packet);
    if (events.is_late) counts_.late_lingering += packet.frames;
    counts_.rst_off_window += events.rst_off_window;
    counts_.rst_ignored += events.rst_ignored;
    counts_.mptcp_addresses_missing += hear_mptcp(s, packet);
    return;
  }
  s.side[packet.direction].payload_bytes += packet.payload_bytes;
  if (lingers(s.phase)) {
    counts_.late_lingering += packet.frames;
    s.late.add(packet);
  }
  if (packet.key.protocol == kProtocolSctp) sctp_join(s, packet);
}

void Oracle::count_damaged(ModelSession& s, const Packet& packet) {
  count(s, packet);
  if (!lingers(s.phase)) return;
  counts_.late_lingering += packet.frames;
  s.late.add(packet);
}

void Oracle::join_icmp_error(Packet packet) {
  Sessions& sessions = sessions_[packet.key.words()];
  Judgement judgement = Judgement::late;
  ModelGrave* grave = find_grave(packet, judgement);
  if (grave != nullptr && (sessions.empty() || grave->opened > sessions.back().opened))
    return join_grave(*grave, packet, false);
  if (!sessions.empty()) {
    ModelSession& s = sessions.back();
    s.last_clock = std::max(s.last_clock, packet.clock);
    s.end = std::max(s.end, packet.timestamp);
    if (s.icmp_error_packets == 0)
      std::tie(s.icmp_error_type, s.icmp_error_code) = std::tie(packet.icmp.type, packet.icmp.code);
    s.icmp_error_packets += packet.frames;
    s.icmp_error_bytes += packet.wire_bytes;
    return;
  }
  rekey_icmp_error(packet, decode_settings_);
  packet.flags = static_cast<std::uint8_t>(packet.flags & ~kPacketIcmpError);
  join(packet);
  for (const ModelSession& s : sessions_[packet.key.words()])
    next_moment_ = std::min({next_moment_, deadline(s), s.save_due});
}

// --- Opening ----------------------------------------------------------------------------------

// None of the key's sessions in the table: one that is buried, or a new one.
void Oracle::miss(const Packet& packet) {
  const bool is_tcp = packet.key.protocol == kProtocolTcp;
  Judgement judgement = Judgement::reuse;
  ModelGrave* found = find_grave(packet, judgement);
  if (found != nullptr &&
      (judgement == Judgement::late || judgement == Judgement::late_off_sequence))
    return join_grave(*found, packet, judgement == Judgement::late_off_sequence);

  Sessions& sessions = sessions_[packet.key.words()];
  const bool goes_on = found != nullptr && judgement == Judgement::continues;
  const auto grave = found != nullptr ? std::optional(*found) : std::nullopt;
  if (!sessions.empty() && !goes_on) {
    // Numbers that are not to be believed open no other one.
    const bool is_by_numbers = is_tcp && (packet.tcp.flags & kTcpSyn) == 0;
    if (is_by_numbers && is_doubtful(sessions.back(), packet))
      return count_damaged(sessions.back(), packet);
    const Id128 old = id_of(sessions.back());
    open(packet);
    link_reuse(sessions, old);
    return update(sessions.back(), packet);
  }
  if (found != nullptr) found->is_followed = true;
  ModelSession& s = open(packet);
  if (!grave) {
    if (is_tcp && (packet.tcp.flags & kTcpRst) != 0) ++counts_.lone_rst;
    return begin(s, packet);
  }
  if (goes_on) {
    ++counts_.continued;
    s.continues = id_of(*grave);
    s.originator = grave->originator;
    if (is_tcp) tcp_go_on(s, *grave);
    if (sessions.size() > 1) sessions[sessions.size() - 2].reused_by = id_of(s);
  } else {
    ++counts_.reused;
    s.reuse_of = id_of(*grave);
  }
  begin(s, packet);
}

// A first packet that must be damaged tells its key and no more.
void Oracle::begin(ModelSession& s, const Packet& packet) {
  is_nonsense(packet) ? count_damaged(s, packet) : update(s, packet);
}

ModelSession& Oracle::open(const Packet& packet) {
  Sessions& sessions = sessions_[packet.key.words()];
  if (sessions.size() == kIncarnationsMax) {
    ModelSession& oldest = sessions.front();
    end(oldest, lingers(oldest.phase) ? due_ending(oldest.phase) : Ending::evicted, now_);
    sessions.erase(sessions.begin());
  }
  const std::uint8_t protocol = packet.key.protocol;
  ModelSession s;
  s.key = packet.key;
  s.start = s.end = packet.timestamp;
  s.opened = s.last_clock = s.phase_clock = packet.clock;
  s.save_due = packet.clock + save_timeout(packet.key);
  s.first_side = s.originator = packet.direction;
  s.phase = first_phase(protocol);
  s.vlan.assign(packet.vlan.begin(), packet.vlan.begin() + packet.vlan_count);
  if (packet.mac_offset != Packet::kNoMac) {
    const std::uint8_t* mac = packet.data + packet.mac_offset;
    std::copy_n(mac, 6, s.side[packet.direction ^ 1].mac.begin());
    std::copy_n(mac + 6, 6, s.side[packet.direction].mac.begin());
  }
  if (protocol == kProtocolTcp) {
    s.id_sequence = packet.tcp.sequence;
    tcp_begin(s, packet);
  }
  if (s.phase == Phase::icmp) {
    s.icmp_type = packet.icmp.type;
    s.icmp_code = packet.icmp.code;
    s.icmp_id = packet.icmp.id;
  }
  if (!sessions.empty() && sessions.back().opened == s.opened) s.number_after(sessions.back());
  if (const ModelGrave* grave = newest_of_tick(s)) s.number_after(*grave);
  ++counts_.opened;
  sessions.push_back(s);
  return sessions.back();
}

// The last of `sessions` reuses the tuple of `old`; the one before it learns who came after it.
void Oracle::link_reuse(Sessions& sessions, const Id128& old) {
  ++counts_.reused;
  sessions.back().reuse_of = old;
  if (sessions.size() > 1) sessions[sessions.size() - 2].reused_by = id_of(sessions.back());
}

// --- Graves -----------------------------------------------------------------------------------

bool Oracle::is_over(const ModelGrave& grave, ClockNs now) const {
  const DurationNs life =
      is_finished(grave.ending) ? settings_.lateTimeout : settings_.continueTimeout;
  const std::int64_t since =
      grave.collecting ? second_of(grave.collecting->last_clock) : grave.burial_second;
  return second_of(now) - since > second_of(life);
}

bool Oracle::is_due(const ModelLateRecord& late, ClockNs now) const {
  return second_of(now) - second_of(late.last_clock) > second_of(settings_.lateTimeout);
}

const ModelGrave* Oracle::newest_of_tick(const ModelSession& s) {
  const ModelGrave* newest = nullptr;
  for (const ModelGrave& grave : graves_[s.key.words()]) {
    if (grave.opened != s.opened || is_over(grave, now_)) continue;
    if (newest == nullptr || grave.order() > newest->order()) newest = &grave;
  }
  return newest;
}

// The grave of the packet's key that it has most to do with: one that it belongs to before one that
// it belongs to off sequence before one whose tuple it uses again; then the newest.
ModelGrave* Oracle::find_grave(const Packet& packet, Judgement& judgement) {
  auto& graves = graves_[packet.key.words()];
  const auto known = sessions_.find(packet.key.words());
  const auto is_last = [&](const ModelGrave& grave) {
    const bool has_sessions = known != sessions_.end() && !known->second.empty();
    if (has_sessions && known->second.back().opened > grave.opened) return false;
    return std::ranges::none_of(graves, [&](const ModelGrave& other) {
      return !is_over(other, packet.clock) && other.order() > grave.order();
    });
  };
  const auto judge = [&](const ModelGrave& grave) {
    if (packet.flags & kPacketIcmpError) return Judgement::late;
    if (packet.key.protocol == kProtocolTcp) return tcp_judgement(grave, packet, is_last(grave));
    if (!sctp_fits(grave.side, packet)) return Judgement::reuse;
    return is_finished(grave.ending) ? Judgement::late : Judgement::continues;
  };
  const auto rank = [](Judgement j) {
    return j == Judgement::reuse ? 2 : j == Judgement::late_off_sequence ? 1 : 0;
  };
  ModelGrave* best = nullptr;
  for (ModelGrave& grave : graves) {
    if (is_over(grave, packet.clock)) continue;
    const Judgement j = judge(grave);
    const bool is_better = best == nullptr || rank(j) < rank(judgement) ||
                           (rank(j) == rank(judgement) && grave.order() > best->order());
    if (!is_better) continue;
    best = &grave;
    judgement = j;
  }
  return best;
}

void Oracle::join_grave(ModelGrave& grave, const Packet& packet, bool off_sequence) {
  counts_.late_buried += packet.frames;
  if (!grave.collecting) {
    grave.collecting.emplace();
    grave.collecting->first = grave.collecting->last = packet.timestamp;
    for (unsigned side = 0; side < 2; ++side)
      if (grave.side[side].is_known) grave.collecting->end[side] = grave.side[side].end();
  }
  ModelLateRecord& late = *grave.collecting;
  late.last_clock = packet.clock;
  next_moment_ = std::min(next_moment_, late.last_clock + settings_.lateTimeout);
  late.first = std::min(late.first, packet.timestamp);
  late.last = std::max(late.last, packet.timestamp);
  if (packet.flags & kPacketIcmpError) {
    if (late.icmp_error_packets == 0) {
      late.icmp_error_type = packet.icmp.type;
      late.icmp_error_code = packet.icmp.code;
    }
    late.icmp_error_packets += packet.frames;
    late.icmp_error_bytes += packet.wire_bytes;
    return;
  }
  late.late.add(packet);
  late.late.rst_off_sequence += off_sequence;
  late.late.side[packet.direction].payload_bytes +=
      packet.key.protocol == kProtocolTcp ? tcp_join_late(grave, packet) : packet.payload_bytes;
}

void Oracle::write_late(ModelGrave& grave) {
  ++counts_.late_records;
  records_.push_back(late_record_of(grave, id_of(grave)));
  ++grave.late_records;
  grave.collecting.reset();
}

}  // namespace linger::test
