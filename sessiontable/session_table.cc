#include "sessiontable/session_table.h"

#include <algorithm>
#include <climits>

#include "sessiontable/planted.h"
#include "sessiontable/sctp.h"
#include "sessiontable/session_id.h"

namespace linger {
namespace {

// The sweep is driven by packets, not by polls, so that the state of a full table is a function of
// the packets alone. It looks at more sessions than so many packets can open.
constexpr std::uint32_t kSweepEvery = 64;
constexpr int kSweepSteps = 256;
constexpr std::uint32_t kSweepBatch = 16;
constexpr DurationNs kGraveStride = 6 * kHour;
constexpr int kSweepShare = 4;  // part of a sweep's steps that the graveyard may use

Phase phase_of_protocol(std::uint8_t protocol) noexcept {
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

ClockNs last_clock_of(const Grave& grave) noexcept {  // of an evicted UDP, ICMP, … session
  return static_cast<ClockNs>(std::uint64_t{grave.final_sequence[1]} << 32 |
                              grave.final_sequence[0]);
}

std::uint32_t sequence_of(const Packet& packet) noexcept {
  return packet.key.protocol == kProtocolTcp ? packet.tcp.sequence : 0;
}

}  // namespace

TableShare table_share(const Settings& settings) noexcept {
  const auto part = [&](std::uint64_t all) {
    return std::max<std::uint64_t>(1, all / settings.packetThreads);
  };
  TableShare share;
  share.sessions = static_cast<std::uint32_t>(part(settings.maxStreams));
  share.graves = part(settings.graveyard_size());
  share.late_blocks = static_cast<std::uint32_t>(part(settings.latePool));
  share.extensions = static_cast<std::uint32_t>(part(settings.extension_pool()));
  return share;
}

SessionTable::SessionTable(const Settings& settings, const DecodeSettings& decode_settings,
                           const HashSeed& id_seed, TableCounters& counters, SessionSink& sink)
    : settings_(settings),
      decode_settings_(decode_settings),
      id_seed_(id_seed),
      counters_(counters),
      sink_(sink),
      timeout_{settings.tcpSynTimeout,     settings.tcpTimeout,    settings.tcpHalfClosedTimeout,
               settings.tcpClosingTimeout, settings.tcpRstTimeout, settings.udpTimeout,
               settings.icmpTimeout,       settings.sctpTimeout,   settings.espTimeout,
               settings.otherTimeout},
      index_(table_share(settings).sessions),
      hot_(table_share(settings).sessions),
      cold_(table_share(settings).sessions),
      free_(table_share(settings).sessions),
      extensions_(table_share(settings).extensions, counters.extension_dry),
      graveyard_({.graves = table_share(settings).graves,
                  .blocks = table_share(settings).late_blocks,
                  .late_timeout = settings.lateTimeout,
                  .continue_timeout = settings.continueTimeout},
                 counters, *this),
      syn_flood_(settings.synFloodSummary ? settings.synFloodRate : 0, decode_settings.seed,
                 *this) {
  half_open_max_ = std::max<std::uint32_t>(
      1,
      static_cast<std::uint32_t>(std::uint64_t{free_.capacity()} * settings.halfOpenShare / 100));
  wheels_.reserve(kPhaseCount);
  for (std::size_t i = 0; i < kPhaseCount; ++i) wheels_.emplace_back(*this);
}

// --- Finding ----------------------------------------------------------------------------------

void SessionTable::track(Burst& burst) noexcept {
  std::array<std::uint32_t, kBurstMax> guess;
  for (std::uint32_t i = 0; i < burst.count; ++i) index_.prefetch(burst.packets[i].hash);
  for (std::uint32_t i = 0; i < burst.count; ++i) {
    const Packet& packet = burst.packets[i];
    guess[i] = packet.verdict == Verdict::session ? index_.guess(packet.hash) : kNoSlot;
    if (guess[i] != kNoSlot) {
      prefetch_hot(guess[i]);
      // What opens or closes a session works on its cold part too.
      if (packet.key.protocol == kProtocolTcp &&
          (packet.tcp.flags & (kTcpSyn | kTcpFin | kTcpRst)) != 0)
        prefetch_cold(guess[i]);
    } else if (packet.verdict == Verdict::session) {
      graveyard_.prefetch(packet.hash);
    }
  }
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  for (std::uint32_t i = 0; i < burst.count; ++i) {
    Packet& packet = burst.packets[i];
    if (packet.verdict != Verdict::session) continue;
    ++packets;
    bytes += packet.wire_bytes;
    track_one(packet, guess[i]);
    if (++since_sweep_ == kSweepEvery) {
      since_sweep_ = 0;
      expire(packet.clock, kSweepSteps);
    }
  }
  counters_.packets.add(packets);
  counters_.bytes.add(bytes);
}

std::uint32_t SessionTable::find(const FlowKey& key, FlowHash hash) const noexcept {
  return index_.find(hash, [&](std::uint32_t slot) { return hot_[slot].key == key; });
}

void SessionTable::track_one(Packet& packet, std::uint32_t guess) noexcept {
  if (!started_) {
    started_ = true;
    now_ = packet.clock;
    for (Wheel& wheel : wheels_) wheel.start(packet.clock);
  }
  advance_clock(packet.clock);
  if (packet.flags & kPacketIcmpError) return join_icmp_error(packet);
  std::uint32_t slot = guess;
  if (slot == kNoSlot || !hot_[slot].is_newest() || !(hot_[slot].key == packet.key))
    slot = find(packet.key, packet.hash);
  if (slot == kNoSlot) return miss(packet);
  SessionHot& hot = hot_[slot];
  const std::size_t phase = static_cast<std::size_t>(hot.phase.load());
  if (packet.clock - hot.last_clock < timeout_[phase] && packet.clock < hot.save_due &&
      (hot.flags & kSessionHasOlder) == 0) {
    if (packet.key.protocol != kProtocolTcp) {
      if (packet.key.protocol != kProtocolSctp) return join(slot, packet);
    } else if (tcp_fast_path(hot, packet)) {
      const Writing writing(hot.version);
      return count(session(slot), packet);
    }
  }
  slot = settle(slot, packet.clock);
  if (slot == kNoSlot) return miss(packet);
  join_slowly(slot, packet);
}

// Counts the packet as its session's; a session's own packets only ever do this once each.
void SessionTable::count_only(Session s, const Packet& packet) noexcept {
  const unsigned side = packet.direction;
  if (++s.hot.packets[side] == 0) ++s.cold.packets_high[side];
  s.hot.bytes[side] += packet.wire_bytes;
}

void SessionTable::count(Session s, const Packet& packet) noexcept {
  count_only(s, packet);
  s.hot.last_clock = std::max(s.hot.last_clock.load(), packet.clock);
  s.hot.end = std::max(s.hot.end.load(), packet.timestamp);
}

// UDP, ICMP, ESP and others: payload is all there is.
void SessionTable::join(std::uint32_t slot, const Packet& packet) noexcept {
  Session s = session(slot);
  const Writing writing(s.hot.version);
  count(s, packet);
  s.hot.sequence_end[packet.direction] += packet.payload_bytes;
}

// TCP beyond the fast path, SCTP, and any packet of a key with several incarnations.
void SessionTable::join_slowly(std::uint32_t newest, Packet& packet) noexcept {
  const std::uint8_t protocol = packet.key.protocol;
  if (protocol != kProtocolTcp && protocol != kProtocolSctp) return join(newest, packet);
  auto [slot, membership] = choose(newest, packet);
  if (membership == Membership::stranger) {
    // A newer incarnation may have been buried before these.
    if (remember(packet).verdict <= GraveVerdict::late_off_sequence) return miss(packet);
    const Id128 old = id_of(session(newest));
    slot = open(packet);
    link_to(slot, Link::reuse_of, old);
  }
  if (membership == Membership::member && protocol == kProtocolTcp &&
      tcp_is_foreign(session(slot), packet)) {
    const Remembered old = remember(packet);
    if (old.verdict == GraveVerdict::late) return join_buried(old, packet);
  }
  if (membership != Membership::candidate) return update(slot, packet);
  // A SYN that may be another session's counts here for now, but does not move this one's time.
  Session s = session(slot);
  const Writing writing(s.hot.version);
  count_only(s, packet);
  saturating_increment(s.cold.syn[packet.direction]);
}

// The packet joins this session: counts, protocol state, timers.
void SessionTable::update(std::uint32_t slot, const Packet& packet) noexcept {
  Session s = session(slot);
  const Phase before = s.hot.phase;
  {
    const Writing writing(s.hot.version);
    count(s, packet);
    if (packet.key.protocol == kProtocolTcp) {
      tcp_update(s, packet, {extensions_, counters_, settings_.reorderWindow});
    } else {
      s.hot.sequence_end[packet.direction] += packet.payload_bytes;
      if (lingers(before)) {
        counters_.late_lingering.add();
        if (Extension* e = extensions_.get(s.cold)) e->late.add(packet);
      }
      if (packet.key.protocol == kProtocolSctp) sctp_update(s, packet);
    }
  }
  if (s.hot.phase == before) return;
  wheel_of(before).unlink(slot);
  wheel_of(s.hot.phase).link(slot, deadline(slot));
}

// Ends what was due of this key before `now`; the newest incarnation left, or kNoSlot.
std::uint32_t SessionTable::settle(std::uint32_t slot, ClockNs now) noexcept {
  std::uint32_t newest = kNoSlot;
  std::uint32_t next;
  for (; slot != kNoSlot; slot = next) {
    next = (hot_[slot].flags & kSessionHasOlder) != 0 ? cold_[slot].older : kNoSlot;
    const ClockNs due = deadline(slot);
    if (PLANTED(2, due <= now, due < now)) {
      end(slot, ending_of(hot_[slot].phase), due);
      continue;
    }
    save_if_due(slot, now);
    if (newest == kNoSlot) newest = slot;
  }
  return newest;
}

// Among the incarnations of a key, the one whose sequence space the packet fits best, and how.
SessionTable::Choice SessionTable::choose(std::uint32_t newest, const Packet& packet) noexcept {
  if (packet.key.protocol == kProtocolSctp) {
    for (std::uint32_t slot = newest; slot != kNoSlot; slot = cold_[slot].older)
      if (sctp_membership(hot_[slot], packet) == Membership::member)
        return {slot, Membership::member};
    return {newest, Membership::stranger};
  }
  std::uint32_t slot = newest;
  if ((hot_[newest].flags & kSessionHasOlder) != 0) {
    std::uint32_t best = UINT32_MAX;
    for (std::uint32_t i = newest; i != kNoSlot; i = cold_[i].older) {
      const std::uint32_t distance = tcp_distance(session(i), packet);
      if (PLANTED(6, distance < best, distance <= best)) best = distance, slot = i;
    }
    if (slot != newest && tcp_membership(session(slot), packet) != Membership::member)
      slot = newest;
  }
  const std::uint32_t promoted = promote_candidate(slot, packet);
  if (promoted != kNoSlot) return {promoted, Membership::member};
  const Membership membership = tcp_membership(session(slot), packet);
  if (membership == Membership::candidate) note_candidate(slot, packet);
  return {slot, membership};
}

// --- A SYN with another ISN against an open session -------------------------------------------

void SessionTable::note_candidate(std::uint32_t slot, const Packet& packet) noexcept {
  Session s = session(slot);
  Extension* e = extensions_.get(s.cold);
  if (e == nullptr) return;
  saturating_increment(e->syn_candidates);
  CandidateSyn& c = e->candidate;
  if (c.packets != 0 && c.sequence == packet.tcp.sequence && c.side == packet.direction) {
    ++c.packets;
    c.bytes += packet.wire_bytes;
    return;
  }
  c = {.clock = packet.clock,
       .timestamp = packet.timestamp,
       .sequence = packet.tcp.sequence,
       .bytes = packet.wire_bytes,
       .packets = 1,
       .window = packet.tcp.window,
       .mss = packet.tcp.mss,
       .window_scale = (packet.tcp.options & kTcpOptionWindowScale) != 0 ? packet.tcp.window_scale
                                                                         : kNoWindowScale,
       .side = packet.direction};
}

// An answer that names the candidate's ISN, or data that follows it, makes it a session of its own,
// and its SYNs move there. The new slot, or kNoSlot.
std::uint32_t SessionTable::promote_candidate(std::uint32_t slot, const Packet& packet) noexcept {
  const Extension* found = extensions_.find(cold_[slot]);
  if (found == nullptr || found->candidate.packets == 0) return kNoSlot;
  const CandidateSyn c = found->candidate;
  const TcpHeader& tcp = packet.tcp;
  const bool from_candidate = packet.direction == c.side;
  const bool answers = !from_candidate && (tcp.flags & (kTcpSyn | kTcpRst)) != 0 &&
                       (tcp.flags & kTcpAck) != 0 && tcp.acknowledgment == c.sequence + 1;
  const bool follows = from_candidate && (tcp.flags & (kTcpSyn | kTcpRst)) == 0 &&
                       packet.payload_bytes != 0 && tcp.sequence == c.sequence + 1 &&
                       // else it goes on with the old one as well
                       tcp.sequence != static_cast<std::uint32_t>(hot_[slot].sequence_end[c.side]);
  const bool repeats = from_candidate && lingers(hot_[slot].phase) &&  // the old one is over by now
                       (tcp.flags & (kTcpSyn | kTcpAck | kTcpRst)) == kTcpSyn &&
                       tcp.sequence == c.sequence;
  if (!answers && !follows && !repeats) return kNoSlot;

  Packet syn = packet;
  syn.direction = c.side;
  syn.timestamp = c.timestamp;
  syn.clock = c.clock;
  syn.wire_bytes = c.bytes;
  syn.payload_bytes = 0;
  syn.tcp = {.sequence = c.sequence, .window = c.window, .flags = kTcpSyn, .mss = c.mss};
  if (c.mss != 0) syn.tcp.options |= kTcpOptionMss;
  if (c.window_scale != kNoWindowScale) {
    syn.tcp.options |= kTcpOptionWindowScale;
    syn.tcp.window_scale = c.window_scale;
  }
  // Its SYNs leave the old session. Never below zero: each was counted there when it came.
  Session old = session(slot);
  Extension* e = extensions_.find(old.cold);
  e->candidate = {};
  e->syn_candidates =
      static_cast<std::uint16_t>(e->syn_candidates - std::min(e->syn_candidates, c.packets));
  {
    const Writing writing(old.hot.version);
    if (old.hot.packets[c.side] < c.packets) --old.cold.packets_high[c.side];
    old.hot.packets[c.side] -= PLANTED(4, c.packets, 1);
    old.hot.bytes[c.side] -= c.bytes;
  }
  old.cold.syn[c.side] =
      static_cast<std::uint16_t>(old.cold.syn[c.side] - std::min(old.cold.syn[c.side], c.packets));

  const Id128 old_id = id_of(old);
  const std::uint32_t fresh = open(syn);
  if (!from_candidate)  // the addresses were read from the answer's frame
    std::swap(cold_[fresh].mac[0], cold_[fresh].mac[1]);
  hot_[fresh].save_due += packet.clock - c.clock;  // it is a session from now on
  link_to(fresh, Link::reuse_of, old_id);
  update(fresh, syn);
  Session s = session(fresh);
  s.hot.packets[c.side] += c.packets - 1u;
  s.cold.syn[c.side] = c.packets;
  return fresh;
}

// --- Opening ----------------------------------------------------------------------------------

// No session in the table: a buried one that the packet belongs to, or a new one.
void SessionTable::miss(Packet& packet) noexcept {
  const Remembered old = remember(packet);
  if (old.verdict == GraveVerdict::late || old.verdict == GraveVerdict::late_off_sequence)
    return join_buried(old, packet);
  // Without a block for the link the chain would be lost: then what continues it is told as late.
  if (old.verdict == GraveVerdict::continues && extensions_.is_dry())
    return join_buried(old, packet);
  if (old.verdict == GraveVerdict::stranger) {
    if (packet.key.protocol == kProtocolTcp && (packet.tcp.flags & kTcpRst) != 0)
      counters_.lone_rst.add();
    return update(open(packet), packet);
  }
  const Grave grave = graveyard_.known(old.place, packet.clock);  // opening may bury others
  const std::uint32_t slot = open(packet);
  Session s = session(slot);
  if (grave.start == packet.timestamp)
    s.cold.ordinal = static_cast<std::uint8_t>(grave.ordinal + 1);
  const bool continues = old.verdict == GraveVerdict::continues;
  link_to(slot, continues ? Link::continues : Link::reuse_of, id_of(packet.key, grave));
  if (continues) {
    s.hot.set_originator(grave.originator);
    if (packet.key.protocol == kProtocolTcp) tcp_resume(s, grave);
  }
  update(slot, packet);
}

void SessionTable::join_buried(const Remembered& old, const Packet& packet) noexcept {
  counters_.late_buried.add();
  graveyard_.join(old.place, packet, old.verdict == GraveVerdict::late_off_sequence);
}

// The buried session that the packet has to do with, and how; verdict stranger: none.
SessionTable::Remembered SessionTable::remember(const Packet& packet) const noexcept {
  const std::uint8_t protocol = packet.key.protocol;
  const bool is_judged = protocol == kProtocolTcp || protocol == kProtocolSctp;
  if (!is_judged && !buries_all_) return {};
  const auto judge = [&](const Grave& grave) {
    if (protocol == kProtocolTcp) return tcp_judge(grave, packet);
    if (protocol == kProtocolSctp) return sctp_judge(grave, packet);
    const DurationNs timeout = timeout_[static_cast<std::size_t>(phase_of_protocol(protocol))];
    return packet.clock - last_clock_of(grave) < timeout ? GraveVerdict::continues
                                                         : GraveVerdict::stranger;
  };
  Remembered best;
  best.place = graveyard_.find(packet.key, packet.hash, packet.clock, [&](const Grave& grave) {
    const GraveVerdict verdict = judge(grave);
    return verdict == GraveVerdict::continues ? GraveVerdict::late : verdict;
  });
  if (best.place) best.verdict = judge(*best.place.grave);
  return best;
}

// A session of the packet's key, without any packets yet; in front of the incarnations there are.
std::uint32_t SessionTable::open(const Packet& packet) noexcept {
  limit_incarnations(packet);
  const std::uint32_t slot = take_slot(packet);
  const std::uint32_t older = find(packet.key, packet.hash);  // making room may have ended it
  Session s = session(slot);
  begin(s, packet);
  if (older != kNoSlot) {  // the index leads to the newest, that to the older ones
    index_.erase(packet.hash, older);
    s.cold.older = older;
    s.hot.flags |= kSessionHasOlder;
    hot_[older].clear(kSessionNewest);
    if (cold_[older].start == s.cold.start)
      s.cold.ordinal = static_cast<std::uint8_t>(cold_[older].ordinal + 1);
  }
  index_.insert(packet.hash, slot);
  wheel_of(s.hot.phase).link(slot, deadline(slot));
  counters_.opened.add();
  return slot;
}

// What a new session knows from its first packet.
void SessionTable::begin(Session s, const Packet& packet) noexcept {
  const std::uint8_t protocol = packet.key.protocol;
  const Writing writing(s.hot.version);
  store_key(s.hot.key, packet.key);
  for (unsigned side = 0; side < 2; ++side) s.hot.packets[side] = 0, s.hot.bytes[side] = 0;
  s.hot.last_clock = packet.clock;
  s.hot.sequence_end = {};
  s.hot.acknowledged = {};
  s.hot.window = {};
  s.hot.phase = phase_of_protocol(protocol);
  s.hot.flags = static_cast<std::uint16_t>(kSessionNewest | packet.direction);
  s.hot.end = packet.timestamp;
  s.hot.save_due = packet.clock +
                   (protocol == kProtocolTcp ? settings_.tcpSaveTimeout : settings_.udpSaveTimeout);
  s.cold = {};
  s.cold.start = packet.timestamp;
  s.cold.phase_clock = packet.clock;
  s.cold.older = kNoSlot;
  s.cold.extension = kNoSlot;
  s.cold.id_sequence = sequence_of(packet);
  s.cold.first_side = packet.direction & 1;
  s.cold.vlan = packet.vlan;
  s.cold.vlan_count = packet.vlan_count & 3;
  if (packet.mac_offset != Packet::kNoMac) {
    s.cold.has_mac = 1;
    std::memcpy(s.cold.mac[packet.direction ^ 1].data(), packet.data + packet.mac_offset, 6);
    std::memcpy(s.cold.mac[packet.direction].data(), packet.data + packet.mac_offset + 6, 6);
  }
  if (protocol == kProtocolTcp) {
    tcp_open(s, packet);
  } else if (s.hot.phase == Phase::icmp) {
    s.cold.first_sequence = {static_cast<std::uint32_t>(packet.icmp.type << 8 | packet.icmp.code),
                             packet.icmp.id};
  }
}

void SessionTable::link_to(std::uint32_t slot, Link link, const Id128& id) noexcept {
  Session s = session(slot);
  (link == Link::reuse_of ? counters_.reused : counters_.continued).add();
  if (Extension* e = extensions_.get(s.cold)) {
    e->link = link;
    e->linked = id;
  }
  if (s.cold.older == kNoSlot) return;
  Session old = session(s.cold.older);
  if (Extension* e = extensions_.get(old.cold)) e->reused_by = id_of(s);
}

// --- ICMP errors ------------------------------------------------------------------------------

// An ICMP error joins the session that it quotes, in the table or buried; else it is one of its
// own.
void SessionTable::join_icmp_error(Packet& packet) noexcept {
  std::uint32_t slot = find(packet.key, packet.hash);
  if (slot != kNoSlot) slot = settle(slot, packet.clock);
  if (slot != kNoSlot) {
    Session s = session(slot);
    const Writing writing(s.hot.version);
    s.hot.last_clock = std::max(s.hot.last_clock.load(), packet.clock);
    s.hot.end = std::max(s.hot.end.load(), packet.timestamp);
    if (Extension* e = extensions_.get(s.cold);
        e != nullptr && e->icmp_error_packets != UINT16_MAX) {
      ++e->icmp_error_packets;
      e->icmp_error_bytes += packet.wire_bytes;
    } else {  // as a packet of the side that it came from
      count(s, packet);
    }
    return;
  }
  const auto place = graveyard_.find(packet.key, packet.hash, packet.clock,
                                     [](const Grave&) { return GraveVerdict::late; });
  if (place) return join_buried({place, GraveVerdict::late}, packet);
  rekey_icmp_error(packet, decode_settings_);
  packet.flags = static_cast<std::uint8_t>(packet.flags & ~kPacketIcmpError);
  track_one(packet, kNoSlot);
}

// --- Ending -----------------------------------------------------------------------------------

ClockNs SessionTable::deadline(std::uint32_t slot) const noexcept {
  const SessionHot& hot = hot_[slot];
  const DurationNs timeout = timeout_[static_cast<std::size_t>(hot.phase.load())];
  const ClockNs due = hot.last_clock + timeout;
  if (!lingers(hot.phase)) return due;
  return PLANTED(
      1, std::min(due, cold_[slot].phase_clock + std::max(timeout, settings_.lingerCeiling)), due);
}

// The interim record due by `now`: exactly the packets before the due moment, as every packet comes
// here before it joins. None when nothing came since the last.
void SessionTable::save_if_due(std::uint32_t slot, ClockNs now) noexcept {
  Session s = session(slot);
  if (now < s.hot.save_due) return;
  const DurationNs interval =
      s.hot.key.protocol == kProtocolTcp ? settings_.tcpSaveTimeout : settings_.udpSaveTimeout;
  if (PLANTED(3, s.hot.last_clock >= s.hot.save_due - interval, true)) {
    counters_.interim.add();
    sink_.on_session(
        {s, extensions_.find(s.cold), id_of(s), Ending::idle, true, s.cold.interim_count});
    saturating_increment(s.cold.interim_count);
  }
  s.hot.save_due += ((now - s.hot.save_due) / interval + 1) * interval;
}

// Hands the session out and buries it. `when`: the due moment, or now when it is cut short.
void SessionTable::end(std::uint32_t slot, Ending ending, ClockNs when) noexcept {
  wheel_of(hot_[slot].phase).unlink(slot);
  end_unlinked(slot, hash_of(hot_[slot].key, decode_settings_.seed), ending, when);
}

void SessionTable::end_unlinked(std::uint32_t slot, FlowHash hash, Ending ending,
                                ClockNs when) noexcept {
  save_if_due(slot, when);
  Session s = session(slot);
  Counter* const ended[] = {&counters_.ended_closed,  &counters_.ended_reset,
                            &counters_.ended_idle,    &counters_.ended_attempt,
                            &counters_.ended_evicted, &counters_.ended_by_run,
                            &counters_.ended_by_run};
  ended[static_cast<std::size_t>(ending)]->add();
  const bool is_unanswered = s.hot.phase == Phase::opening && s.cold.extension == kNoSlot &&
                             s.hot.packets[s.hot.originator() ^ 1] == 0;
  if (PLANTED(17, false, is_unanswered))
    sink_.on_session({s, extensions_.find(s.cold), id_of(s), ending, false, 0});
  if (is_unanswered && syn_flood_.absorb(s)) {
    counters_.summarised.add();
  } else {
    sink_.on_session({s, extensions_.find(s.cold), id_of(s), ending, false, s.cold.interim_count});
    if (ending < Ending::end_of_input) bury(s, hash, ending, when);
  }
  forget(slot, hash);
}

void SessionTable::bury(const Session& s, FlowHash hash, Ending ending, ClockNs when) noexcept {
  const std::uint8_t protocol = s.hot.key.protocol;
  Grave grave{};
  grave.fingerprint = hash;
  grave.start = s.cold.start;
  grave.id_sequence = s.cold.id_sequence;
  grave.ending = static_cast<std::uint32_t>(ending) & 7;
  grave.originator = s.hot.originator() & 1;
  grave.first_side = s.cold.first_side;
  grave.ordinal = s.cold.ordinal & 3;
  if (protocol == kProtocolTcp) {
    tcp_fill_grave(s, grave);
  } else if (protocol == kProtocolSctp) {
    grave.final_sequence = s.hot.acknowledged;
  } else {
    if (ending != Ending::evicted) return;  // its next packet is another session
    buries_all_ = true;
    grave.final_sequence = {static_cast<std::uint32_t>(s.hot.last_clock),
                            static_cast<std::uint32_t>(s.hot.last_clock >> 32)};
  }
  if (PLANTED(5, true, ending != Ending::reset)) graveyard_.bury(grave, when, now_);
}

// Takes the session out of index, chain and pools.
void SessionTable::forget(std::uint32_t slot, FlowHash hash) noexcept {
  Session s = session(slot);
  if (s.hot.is_newest()) {
    index_.erase(hash, slot);
    if (s.cold.older != kNoSlot) {
      index_.insert(hash, s.cold.older);
      hot_[s.cold.older].flags |= kSessionNewest;
    }
  } else {
    std::uint32_t newer = find(s.hot.key, hash);
    while (cold_[newer].older != slot) newer = cold_[newer].older;
    cold_[newer].older = s.cold.older;
    if (s.cold.older == kNoSlot) hot_[newer].clear(kSessionHasOlder);
  }
  {
    const Writing writing(s.hot.version);
    s.hot.clear(kSessionNewest);
    store_key(s.hot.key, {});  // free
  }
  extensions_.release(s.cold);
  free_.give_back(slot, [this](std::uint32_t i) -> std::uint32_t& { return cold_[i].timer.next; });
}

// A silence, or a jump of the capture's time, must not let the seconds of graves wrap unseen.
void SessionTable::advance_clock(ClockNs now) noexcept {
  while (now - now_ > kGraveStride) {
    now_ += kGraveStride;
    int steps = INT_MAX;
    graveyard_.expire(now_, steps);
  }
  now_ = std::max(now_, now);
}

bool SessionTable::expire(ClockNs now, int steps) noexcept {
  if (!started_) return true;
  advance_clock(now);
  int late_steps = steps / kSweepShare + 1;
  graveyard_.expire(now_, late_steps);
  for (std::size_t i = 0; i < kPhaseCount; ++i) {
    while (sweep(wheels_[sweep_from_], steps)) {
    }
    if (steps <= 0) {  // the next sweep goes on here
      counters_.sweeps_behind.add();
      return false;
    }
    sweep_from_ = (sweep_from_ + 1) % kPhaseCount;
  }
  return true;
}

// Ends some sessions of one wheel that are due, in stages: their lines, then those of the indexes,
// come from memory while others are worked on. False: none is due, or the steps are used up.
bool SessionTable::sweep(Wheel& wheel, int& steps) noexcept {
  std::array<std::uint32_t, kSweepBatch> due;
  std::array<FlowHash, kSweepBatch> hash;
  std::uint32_t count = 0;
  for (; count < kSweepBatch; ++count) {
    const std::uint32_t slot = wheel.due(now_, steps);
    if (slot == kNoSlot) break;
    wheel.unlink(slot);
    due[count] = slot;
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    hash[i] = hash_of(hot_[due[i]].key, decode_settings_.seed);
    index_.prefetch(hash[i]);
    graveyard_.prefetch(hash[i]);
  }
  for (std::uint32_t i = 0; i < count; ++i)
    end_unlinked(due[i], hash[i], ending_of(hot_[due[i]].phase), deadline(due[i]));
  return count == kSweepBatch;
}

void SessionTable::finish(Ending ending) noexcept {
  for (Wheel& wheel : wheels_) {
    for (std::uint32_t slot; (slot = wheel.first(0)) != kNoSlot;) {
      const Phase phase = hot_[slot].phase;
      const ClockNs due = deadline(slot);
      if (due <= now_) {
        end(slot, ending_of(phase), due);
      } else {
        end(slot, lingers(phase) ? ending_of(phase) : ending, now_);
      }
    }
  }
  graveyard_.finish();
  syn_flood_.finish();
}

// --- Ids --------------------------------------------------------------------------------------

Id128 SessionTable::id_of(const Session& s) const noexcept {
  return make_session_id(s.hot.key, s.cold.start, s.cold.id_sequence, s.cold.ordinal, id_seed_);
}

Id128 SessionTable::id_of(const FlowKey& key, const Grave& grave) const noexcept {
  return make_session_id(key, grave.start, grave.id_sequence, grave.ordinal, id_seed_);
}

void SessionTable::on_late(const LateBlock& block) noexcept {
  counters_.late_records.add();
  sink_.on_late(block, id_of(block.key, block.grave));
}

void SessionTable::on_flood(const FloodSecond& flood) noexcept {
  sink_.on_flood(flood, make_session_id(flood.destination, flood.first,
                                        static_cast<std::uint32_t>(flood.second), 0, id_seed_));
}

void SessionTable::populate() noexcept {
  index_.populate();
  hot_.populate();
  cold_.populate();
  extensions_.populate();
  graveyard_.populate();
}

std::uint64_t SessionTable::bytes() const noexcept {
  return index_.bytes() + hot_.bytes() + cold_.bytes() + extensions_.bytes() + graveyard_.bytes();
}

}  // namespace linger
