#include "sessiontable/session_table.h"

#include <algorithm>

#include "sessiontable/planted.h"
#include "sessiontable/sctp.h"
#include "sessiontable/session_id.h"

namespace linger {
namespace {

// The sweep is driven by packets, not by polls, so that the state of a full table is a function of
// the packets alone. It looks at more sessions than so many packets can open.
constexpr std::uint32_t kSweepEvery = 64;
constexpr int kSweepSteps = 256;

// Damage is rare: where it is not, the checksums are a network card's, or the capture was edited.
constexpr std::uint64_t kRightForEachWrong = 8;

std::uint32_t narrow(std::uint64_t count) noexcept { return static_cast<std::uint32_t>(count); }

// A wrong checksum, of a side that is not known to leave them to its network card.
bool is_doubtful(const Session& s, const Packet& packet) noexcept {
  return (packet.flags & kPacketBadChecksum) != 0 &&
         (!s.cold.has_rare || s.rare.bad_checksums[packet.direction] != kOffloaded);
}

// Damaged on the way: the checksum is wrong, and so many of its side were right that this one
// tells. A side whose first packet shows an artefact of off-load is never judged.
bool is_damaged(const Session& s, const Packet& packet) noexcept {
  if (packet.key.protocol == kProtocolTcp && is_nonsense(packet)) return true;
  if (!is_doubtful(s, packet)) return false;
  const unsigned side = packet.direction;
  const std::uint16_t bad = s.cold.has_rare ? s.rare.bad_checksums[side] : 0;
  return s.packets(side) >= bad + kRightForEachWrong * (bad + packet.frames);
}

// Most segments of TCP are known without.
bool is_held_against_key(const Packet& packet) noexcept {
  return SessionName::is_long(packet.key) &&
         (packet.key.protocol != kProtocolTcp || (packet.tcp.flags & kTcpRst) != 0);
}

}  // namespace

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
      index_(narrow(settings.maxStreams), IndexLoad::sparse),
      hot_(narrow(settings.maxStreams)),
      cold_(narrow(settings.maxStreams)),
      names_(narrow(settings.maxStreams)),
      long_addresses_(narrow(settings.maxStreams)),
      scopes_(decode_settings.key_has_vlan || decode_settings.key_has_tunnel
                  ? narrow(settings.maxStreams)
                  : 0),
      openings_(narrow(settings.maxStreams), decode_settings.seed),
      rare_(narrow(settings.maxStreams)),
      free_(narrow(settings.maxStreams)),
      extensions_(narrow(settings.extension_pool()), counters.extension_dry),
      tunnels_(narrow(settings.tunnelPool), decode_settings.seed, counters.tunnels_missing),
      mptcp_(narrow(settings.mptcpPool), counters.mptcp_missing, kUntoldSubflow),
      rtts_(narrow(settings.rtt_pool()), counters.rtt_missing),
      graveyard_({.graves = settings.graveyard_size(),
                  .blocks = narrow(settings.latePool),
                  .late_timeout = settings.lateTimeout,
                  .continue_timeout = settings.continueTimeout},
                 counters, *this),
      syn_flood_(settings.synFloodSummary ? settings.synFloodRate : 0, settings.tcpSynTimeout,
                 decode_settings.seed, id_seed, *this) {
  half_open_max_ = std::max<std::uint32_t>(
      1,
      static_cast<std::uint32_t>(std::uint64_t{free_.capacity()} * settings.halfOpenShare / 100));
  wheels_.reserve(kPhaseCount);
  for (std::size_t i = 0; i < kPhaseCount; ++i) wheels_.emplace_back(*this);
}

void SessionTable::start(ClockNs now) noexcept {
  started_ = true;
  now_ = graves_swept_ = now;
  for (Wheel& wheel : wheels_) wheel.start(now);
}

// --- Ports ------------------------------------------------------------------------------------

void SessionTable::know_ports() {
  CHECK(!started_);
  ports_of_ = Array<PortSet>(free_.capacity());
}

// Written only when they are news, so that the line stays clean.
inline void SessionTable::note_ports(const Session& s, const Packet& packet) noexcept {
  PortSet& known = ports_of_[static_cast<std::size_t>(&s.hot - hot_.data())];
  if ((packet.ports & ~known) != 0) known |= packet.ports;
}

// --- Checksums --------------------------------------------------------------------------------

void SessionTable::note_checksum(const Session& s, const Packet& packet) noexcept {
  const unsigned side = packet.direction;
  if ((packet.flags & kPacketBadChecksum) != 0) {
    std::uint16_t& bad = s.use_rare().bad_checksums[side];
    bad = static_cast<std::uint16_t>(std::min<std::uint32_t>(bad + packet.frames, kOffloaded));
  } else if (PLANTED(23, s.packets(side) == packet.frames, true)) {
    s.use_rare().bad_checksums[side] = kOffloaded;
  }
}

// The receiver of a damaged packet drops it: so it changes nothing but the counts.
void SessionTable::count_damaged(const Session& s, const Packet& packet) noexcept {
  const Writing writing(s.hot.version);
  count(s, packet);
  if (!lingers(s.hot.phase)) return;
  counters_.late_lingering.add(packet.frames);
  if (Extension* e = extensions_.get(s.cold)) e->late.add(packet);
}

// --- Finding ----------------------------------------------------------------------------------

// Counts the packet as its session's; a session's own packets only ever do this once each.
inline void SessionTable::count_only(const Session& s, const Packet& packet) noexcept {
  const unsigned side = packet.direction;
  const std::uint32_t packets = s.hot.packets[side] + packet.frames;
  s.hot.packets[side] = packets;
  s.hot.bytes[side] += packet.wire_bytes;
  if (packets < packet.frames) [[unlikely]]
    ++s.use_rare().packets_high[side];
  if (knows_ports()) note_ports(s, packet);
}

inline void SessionTable::count(const Session& s, const Packet& packet) noexcept {
  count_only(s, packet);
  s.note_time(packet.clock, packet.timestamp);
  if (packet.flags & (kPacketBadChecksum | kPacketOffloaded)) note_checksum(s, packet);
}

// What most packets are: a segment in order of an established session, whose guess was right, which
// changes nothing but numbers in the hot part. False: not such a one, nothing was changed.
inline bool SessionTable::join_usual(const Ahead& ahead, std::uint32_t i,
                                     const Packet& packet) noexcept {
  const std::uint32_t slot = ahead.guess[i];
  if (slot == kNoSlot) return false;
  const Session s = session(slot);
  SessionHot& hot = s.hot;
  const ClockNs last_clock = hot.last_clock;
  if (!tcp_is_quiet(hot, ahead.quiet_flags[i]) || !tcp_is_next(hot, packet) ||
      hot.fingerprint != SessionHot::fingerprint_of(packet.hash) ||
      packet.clock - last_clock >= timeout_[static_cast<std::size_t>(Phase::established)] ||
      SessionHot::tick_of(packet.clock) >= hot.save_tick ||
      is_rtt_due(hot.packets[packet.direction] + packet.frames))
    return false;
  const bool is_read = (hot.flags & kSessionRead) != 0;
  {
    const Writing writing(hot.version);
    tcp_join_next(s, packet);
    count_only(s, packet);
    hot.last_clock = std::max(last_clock, packet.clock);  // the end goes with it
  }
  if (is_read) read_next(slot, packet);
  return true;
}

// What changes an ordinary session in the usual order. False: not such a one, nothing was changed.
inline bool SessionTable::join_in_order(std::uint32_t guess, const Packet& packet) noexcept {
  if (guess == kNoSlot) return false;
  const Session s = session(guess);
  const bool is_answer = (packet.tcp.flags & kTcpSyn) != 0;
  if (is_answer ? !tcp_is_answer(s, packet) : !tcp_is_in_order(s, packet)) return false;
  if (s.hot.fingerprint != SessionHot::fingerprint_of(packet.hash) ||
      packet.clock >= deadline(guess) || SessionHot::tick_of(packet.clock) >= s.hot.save_tick ||
      is_rtt_due(s.hot.packets[packet.direction] + packet.frames))
    return false;
  const Phase before = s.hot.phase;
  {
    const Writing writing(s.hot.version);
    count_only(s, packet);
    s.note_time(packet.clock, packet.timestamp);
    is_answer ? tcp_update_handshake(s, packet) : tcp_update_in_order(s, packet);
  }
  if ((s.hot.flags & kSessionRead) != 0) read_next(guess, packet);
  if (s.hot.phase != before) relink_if_nearer(guess);
  return true;
}

void SessionTable::track(Burst& burst) noexcept {
  if (!started_ && burst.count != 0) start(burst.packets[0].clock);
  Ahead ahead;
  look_ahead(burst, ahead);
  for (std::uint32_t i = 0; i < burst.count;) {
    const std::uint32_t end = std::min(burst.count, i + kSweepEvery - since_sweep_);
    since_sweep_ += end - i;
    ClockNs latest = now_;
    for (; i < end; ++i) {
      Packet& packet = burst.packets[i];
      if (packet.verdict != Verdict::session) continue;
      latest = std::max(latest, packet.clock);
      if (join_usual(ahead, i, packet)) continue;
      advance_clock(latest);
      if (!join_in_order(ahead.guess[i], packet)) track_one(packet, ahead.guess[i]);
    }
    advance_clock(latest);
    if (since_sweep_ < kSweepEvery) break;
    since_sweep_ = 0;
    expire(now_, kSweepSteps);
  }
  work_streams();
}

// What the burst will touch comes from memory in stages: index, sessions, the cold parts of those
// to which something happens, and what hangs on these.
void SessionTable::look_ahead(const Burst& burst, Ahead& ahead) noexcept {
  const std::span packets(burst.packets.data(), burst.count);
  std::uint64_t frames = 0;
  std::uint64_t bytes = 0;
  std::uint32_t* quiet_flags = ahead.quiet_flags.data();
  for (const Packet& packet : packets) {
    const bool is_session = packet.verdict == Verdict::session;
    index_.prefetch(packet.hash);
    frames += is_session ? packet.frames : 0;
    bytes += is_session ? packet.wire_bytes : 0;
    *quiet_flags++ = is_session ? tcp_quiet_flags(packet) : kNeverQuiet;
  }
  counters_.packets.add(frames);
  counters_.bytes.add(bytes);
  const bool is_read = stage_ != nullptr;
  quiet_flags = ahead.quiet_flags.data();
  std::uint32_t* guess = ahead.guess.data();
  for (const Packet& packet : packets) {
    *guess = index_.guess(packet.hash);
    if (*guess != kNoSlot) {
      prefetch_hot(*guess);
      if (is_read) prefetch_stream(*guess);
      if (is_read && packet.payload_bytes != 0) prefetch_payload(packet);
      if (*quiet_flags == kNeverQuiet) prefetch_name(*guess);
      if (has_long_keys_ && is_held_against_key(packet)) prefetch_long_key(*guess);
    } else {
      graveyard_.prefetch(packet.hash);
      prefetch_link_layer(packet);
    }
    ++guess, ++quiet_flags;
  }
  if (knows_ports()) {
    for (std::uint32_t i = 0; i < packets.size(); ++i)
      if (ahead.guess[i] != kNoSlot) prefetch_ports(ahead.guess[i]);
  }
  struct Eventful {
    std::uint32_t slot;
    bool may_move;  // to another timer wheel
  };
  std::array<Eventful, kBurstMax> eventful;
  std::uint32_t count = 0;
  for (std::uint32_t i = 0; i < packets.size(); ++i) {
    const std::uint32_t slot = ahead.guess[i];
    if (slot == kNoSlot) {
      graveyard_.prefetch_grave(packets[i].hash);
      continue;
    }
    const SessionHot& hot = hot_.data()[slot];
    if ((hot.flags & kSessionEndIsClock) == 0) {  // since the clock jumped back: all of them
      prefetch_cold(slot);
      prefetch_rare(slot);
    }
    if (tcp_is_quiet(hot, ahead.quiet_flags[i]) || packets[i].key.protocol != kProtocolTcp)
      continue;
    prefetch_name(slot);
    if (has_long_keys_ && lingers(hot.phase)) prefetch_long_key(slot);
    prefetch_cold(slot);
    if ((hot.flags & kSessionWatched) != 0) prefetch_rare(slot);
    eventful[count++] = {slot, hot.phase == Phase::opening ||
                                   (packets[i].tcp.flags & (kTcpSyn | kTcpFin | kTcpRst)) != 0};
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto [slot, may_move] = eventful[i];
    const SessionCold& cold = cold_.data()[slot];
    extensions_.prefetch(cold);
    if (may_move) Wheel::prefetch_neighbours(*this, cold.timer);
    if ((hot_.data()[slot].flags & kSessionWatched) != 0 && cold.has_rare)
      rtts_.prefetch(rare_.data()[slot].rtt);
  }
}

std::uint32_t SessionTable::find(const FlowKey& key, FlowHash hash) const noexcept {
  return index_.find(hash, [&](std::uint32_t slot) { return has_key(slot, key); });
}

void SessionTable::track_one(Packet& packet, std::uint32_t guess) noexcept {
  if (packet.flags & kPacketIcmpError) return join_icmp_error(packet);
  std::uint32_t slot = guess;
  if (slot == kNoSlot || !hot_[slot].is_newest() || !has_key(slot, packet.key))
    slot = find(packet.key, packet.hash);
  if (slot == kNoSlot) return miss(packet, kNoSlot);
  const SessionHot& hot = hot_[slot];
  if (packet.key.protocol != kProtocolTcp && packet.key.protocol != kProtocolSctp &&
      packet.clock - hot.last_clock < timeout_[static_cast<std::size_t>(hot.phase.own())] &&
      (SessionHot::tick_of(packet.clock) < hot.save_tick ||
       packet.clock < session(slot).save_due()) &&
      (packet.flags & kPacketBadChecksum) == 0)
    return join(slot, packet);
  slot = settle(slot, packet.clock);
  if (slot == kNoSlot) return miss(packet, kNoSlot);
  if (is_damaged(session(slot), packet)) return count_damaged(session(slot), packet);
  join_slowly(slot, packet);
}

// UDP, ICMP, ESP and others: payload is all there is.
void SessionTable::join(std::uint32_t slot, const Packet& packet) noexcept {
  Session s = session(slot);
  {
    const Writing writing(s.hot.version);
    count(s, packet);
    s.advance_sequence(packet.direction, packet.payload_bytes);
  }
  read(slot, packet);
}

// TCP beyond the fast path, SCTP, and any packet of a key with several incarnations.
void SessionTable::join_slowly(std::uint32_t newest, Packet& packet) noexcept {
  const std::uint8_t protocol = packet.key.protocol;
  if (protocol != kProtocolTcp && protocol != kProtocolSctp) return join(newest, packet);
  auto [slot, membership] = choose(newest, packet);
  if (membership == Membership::stranger) {
    // A newer incarnation may have been buried before these.
    const Remembered buried = remember(packet, newest);
    if (buried.verdict <= GraveVerdict::late_off_sequence) return miss(packet, newest);
    // Without a SYN its numbers alone say so, and they are not to be believed.
    const bool is_by_numbers = protocol == kProtocolTcp && (packet.tcp.flags & kTcpSyn) == 0;
    if (PLANTED(22, is_by_numbers && is_doubtful(session(newest), packet), false))
      return count_damaged(session(newest), packet);
    const Id128 old = id_of(session(newest));
    slot = open(packet, newest);
    link_to(slot, Link::reuse_of, old);
  }
  if (membership == Membership::member && protocol == kProtocolTcp &&
      tcp_is_foreign(session(slot), packet)) {
    const Remembered old = remember(packet, newest);
    if (old.verdict == GraveVerdict::late) return join_buried(old, packet);
    if (old.verdict == GraveVerdict::continues && tcp_goes_on(*old.place.grave, packet))
      return miss(packet, newest);
  }
  if (membership != Membership::candidate) return update(slot, packet);
  // A SYN that may be another session's counts here for now, but does not move this one's time.
  Session s = session(slot);
  const Writing writing(s.hot.version);
  count_only(s, packet);
  if (packet.flags & (kPacketBadChecksum | kPacketOffloaded)) note_checksum(s, packet);
  s.add(TcpCount::syn, packet.direction);
}

// The packet joins this session: counts, protocol state, timers.
void SessionTable::update(std::uint32_t slot, const Packet& packet) noexcept {
  Session s = session(slot);
  const Phase before = s.hot.phase;
  const ClockNs last_clock = s.hot.last_clock;
  {
    const Writing writing(s.hot.version);
    count(s, packet);
    if (packet.key.protocol == kProtocolTcp) {
      tcp_update(s, packet,
                 {extensions_, counters_, settings_.reorderWindow, settings_.dedupWindow,
                  last_clock, rtt_of(slot, packet)});
    } else {
      s.advance_sequence(packet.direction, packet.payload_bytes);
      if (lingers(before)) {
        counters_.late_lingering.add(packet.frames);
        if (Extension* e = extensions_.get(s.cold)) e->late.add(packet);
      }
      if (packet.key.protocol == kProtocolSctp) sctp_update(s, packet);
    }
  }
  if (packet.key.protocol == kProtocolTcp && packet.tcp.mptcp_bytes != 0) note_mptcp(slot, packet);
  read(slot, packet);
  if (s.hot.phase != before) relink_if_nearer(slot);
}

// What update() would do with the SYN that opened the session.
void SessionTable::begin_handshake(std::uint32_t slot, const Packet& packet) noexcept {
  const Session s = session(slot);
  const Writing writing(s.hot.version);
  count_only(s, packet);
  tcp_update_handshake(s, packet);
}

// Where the round trip times of the session are, once it is measured.
TcpRtt* SessionTable::rtt_of(std::uint32_t slot, const Packet& packet) noexcept {
  const Session s = session(slot);
  if (is_rtt_due(s.hot.packets[packet.direction]) && !lingers(s.hot.phase) &&
      (packet.tcp.flags & (kTcpSyn | kTcpRst)) == 0)
    return rtts_.get(s.use_rare().rtt);
  return s.cold.has_rare ? rtts_.find(rare_[slot].rtt) : nullptr;
}

bool SessionTable::continues_another(const Session& s) noexcept {
  const Extension* e = extensions_.find(s.cold);
  return e != nullptr && e->link == Link::continues;
}

// The segment has more to tell of its MPTCP connection than the place of its data.
void SessionTable::note_mptcp(std::uint32_t slot, const Packet& packet) noexcept {
  const Session s = session(slot);
  const bool is_news = s.use_rare().mptcp == kNoSlot && continues_another(s);
  MptcpSubflow* subflow = mptcp_.get(s.rare.mptcp);
  if (subflow == nullptr) return;
  const int known_hosts = subflow->known_hosts();
  const std::array<MptcpHost, 2> hosts = subflow->host;
  counters_.mptcp_addresses_missing.add(apply_mptcp(*subflow, packet));
  const int known_now = subflow->known_hosts();
  if (is_news || known_now > known_hosts || (known_now != 0 && subflow->host != hosts))
    sink_.on_subflow(view_of(slot, Ending::idle, true, names_[slot].interim_count(), kNoStream));
}

// Ends what was due of this key before `now`; the newest incarnation left, or kNoSlot.
std::uint32_t SessionTable::settle(std::uint32_t slot, ClockNs now) noexcept {
  std::uint32_t newest = kNoSlot;
  std::uint32_t next;
  for (; slot != kNoSlot; slot = next) {
    next = older_of(slot);
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
    for (std::uint32_t slot = newest; slot != kNoSlot; slot = older_of(slot))
      if (sctp_membership(hot_[slot], packet) == Membership::member)
        return {slot, Membership::member};
    return {newest, Membership::stranger};
  }
  std::uint32_t slot = newest;
  // First the SYNs that wait: what follows one may be nearer to any of the sessions.
  for (std::uint32_t i = newest; i != kNoSlot; i = older_of(i)) {
    const std::uint32_t promoted = promote_candidate(i, packet);
    if (promoted != kNoSlot) return {promoted, Membership::member};
  }
  if ((hot_[newest].flags & kSessionHasOlder) != 0) {
    std::uint32_t best = UINT32_MAX;
    for (std::uint32_t i = newest; i != kNoSlot; i = older_of(i)) {
      const std::uint32_t distance = tcp_distance(session(i), packet);
      if (PLANTED(6, distance < best, distance <= best)) best = distance, slot = i;
    }
    if (slot != newest && tcp_membership(session(slot), packet) != Membership::member)
      slot = newest;
  }
  const Membership membership = tcp_membership(session(slot), packet);
  if (membership == Membership::candidate) note_candidate(slot, packet);
  return {slot, membership};
}

// --- ICMP errors ------------------------------------------------------------------------------

// An ICMP error joins the session that it quotes, in the table or buried, the newest of its key;
// else it is one of its own.
void SessionTable::join_icmp_error(Packet& packet) noexcept {
  std::uint32_t slot = find(packet.key, packet.hash);
  if (slot != kNoSlot) slot = settle(slot, packet.clock);
  const auto place =
      graveyard_.find(packet.key, packet.hash, packet.clock, [&](const Grave& grave, bool) {
        return has_fallen_silent(grave, packet) ? GraveVerdict::stranger : GraveVerdict::late;
      });
  if (place && (slot == kNoSlot || place.grave->opened > session(slot).opened()))
    return join_buried({place, GraveVerdict::late}, packet);
  if (slot != kNoSlot) {
    Session s = session(slot);
    const Writing writing(s.hot.version);
    s.note_time(packet.clock, packet.timestamp);
    if (knows_ports()) note_ports(s, packet);
    if (Extension* e = extensions_.get(s.cold);
        e != nullptr && UINT16_MAX - e->icmp_error_packets >= packet.frames &&
        UINT32_MAX - e->icmp_error_bytes >= packet.wire_bytes) {
      if (e->icmp_error_packets == 0) {
        e->icmp_error_type = packet.icmp.type;
        e->icmp_error_code = packet.icmp.code;
      }
      e->icmp_error_packets = static_cast<std::uint16_t>(e->icmp_error_packets + packet.frames);
      e->icmp_error_bytes += packet.wire_bytes;
    } else {  // as a packet of the side that it came from
      count(s, packet);
    }
    return;
  }
  rekey_icmp_error(packet, decode_settings_);
  packet.flags = static_cast<std::uint8_t>(packet.flags & ~kPacketIcmpError);
  track_one(packet, kNoSlot);
}

// --- Ids --------------------------------------------------------------------------------------

Id128 SessionTable::id_of(const Session& s) const noexcept { return make_session_id(s, id_seed_); }

Id128 SessionTable::id_of(const FlowKey& key, const Grave& grave) const noexcept {
  return make_session_id(key, grave.opened, grave.id_sequence, grave.ordinal, id_seed_);
}

void SessionTable::on_late(const LateBlock& block) noexcept {
  counters_.late_records.add();
  sink_.on_late(block, id_of(block.key, block.grave));
}

void SessionTable::on_flood(const FloodSecond& flood) noexcept { sink_.on_flood(flood); }

void SessionTable::populate() noexcept {
  index_.populate();
  hot_.populate();
  cold_.populate();
  names_.populate();
  long_addresses_.populate();
  scopes_.populate();
  openings_.populate();
  ports_of_.populate();
  extensions_.populate();
  tunnels_.populate();
  mptcp_.populate();
  rtts_.populate();
  graveyard_.populate();
  stream_of_.populate();
  if (stage_ != nullptr) stage_->populate();
}

}  // namespace linger
