// How sessions begin: SessionTable's part for packets that no session in the table owns.
#include <algorithm>

#include "engine/base/bytes.h"
#include "sessiontable/planted.h"
#include "sessiontable/sctp.h"
#include "sessiontable/session_table.h"
#include "sessiontable/tcp_anomalies.h"

namespace linger {
namespace {

ClockNs last_clock_of(const Grave& grave) noexcept {  // of an evicted UDP, ICMP, … session
  return static_cast<ClockNs>(std::uint64_t{grave.final_sequence[1]} << 32 |
                              grave.final_sequence[0]);
}

// Of its first packet. What a SYN announces is told at once, so that the place is taken once.
SessionOpening opening_of(const Packet& packet) noexcept {
  SessionOpening opening;
  if (packet.mac_offset != Packet::kNoMac) {
    const std::uint8_t* macs = packet.data + packet.mac_offset;
    opening.link[packet.direction ^ 1] = load_le64(macs) << 16 >> 16;
    opening.link[packet.direction] = load_le64(macs + 4) >> 16;
    opening.link[0] |= SessionOpening::kHasMac;
  }
  for (unsigned i = 0; i < std::min<std::size_t>(packet.vlan_count, kVlanDepthMax); ++i)
    opening.link[i] |=
        std::uint64_t{packet.vlan[i]} << SessionOpening::kVlanShift | SessionOpening::kHasVlan;
  if (packet.key.protocol != kProtocolTcp) return opening;
  opening.announced.fill(std::uint64_t{kNoWindowScale} << SessionOpening::kScaleShift);
  std::uint64_t& announced = opening.announced[packet.direction];
  if (tcp_is_bare_syn(packet)) announced = announced_by(packet, announced);
  return opening;
}

void take_bad_checksums(const Session& s, unsigned side, std::uint16_t count) noexcept {
  std::uint16_t& bad = s.use_rare().bad_checksums[side];
  if (bad != kOffloaded) bad = static_cast<std::uint16_t>(bad - std::min(bad, count));
}

std::uint32_t sequence_of(const Packet& packet) noexcept {
  return packet.key.protocol == kProtocolTcp ? packet.tcp.sequence : 0;
}

}  // namespace

// --- A SYN with another ISN against an open session -------------------------------------------

void SessionTable::note_candidate(std::uint32_t slot, const Packet& packet) noexcept {
  Session s = session(slot);
  Extension* e = extensions_.get(s.cold);
  if (e == nullptr) return;
  saturating_increment(e->syn_candidates);
  const std::uint16_t bad =
      (packet.flags & kPacketBadChecksum) != 0 ? packet.frames : std::uint16_t{0};
  CandidateSyn& c = e->candidate;
  if (c.syns != 0 && c.sequence == packet.tcp.sequence && c.side == packet.direction) {
    const std::uint32_t frames = e->candidate_frames + packet.frames;
    if (frames > UINT16_MAX) return;  // the others stay with the old one
    e->candidate_frames = static_cast<std::uint16_t>(frames);
    e->candidate_bad = static_cast<std::uint16_t>(e->candidate_bad + bad);
    ++c.syns;
    c.bytes += packet.wire_bytes;
    return;
  }
  e->candidate_frames = packet.frames;
  e->candidate_bad = bad;
  e->candidate_offloaded = (packet.flags & kPacketOffloaded) != 0;
  c = {.clock = packet.clock,
       .timestamp = packet.timestamp,
       .sequence = packet.tcp.sequence,
       .bytes = packet.wire_bytes,
       .syns = 1,
       .window = packet.tcp.window,
       .mss = packet.tcp.mss,
       .window_scale = (packet.tcp.options & kTcpOptionWindowScale) != 0 ? packet.tcp.window_scale
                                                                         : kNoWindowScale,
       .side = {},
       .features = {}};
  c.side = packet.direction & 1;
  c.features = features_of(packet.tcp) & 0x7f;
}

// An answer that names the candidate's ISN, or what follows it, makes it a session of its own,
// and its SYNs move there. The new slot, or kNoSlot.
std::uint32_t SessionTable::promote_candidate(std::uint32_t slot, const Packet& packet) noexcept {
  const Extension* found = extensions_.find(cold_[slot]);
  if (found == nullptr || found->candidate.syns == 0) return kNoSlot;
  const CandidateSyn c = found->candidate;
  const std::uint16_t frames = found->candidate_frames;
  const std::uint16_t bad = found->candidate_bad;
  const bool is_offloaded = found->candidate_offloaded;
  const TcpHeader& tcp = packet.tcp;
  const bool from_candidate = packet.direction == c.side;
  // Or, with what the SYN carried (RFC 7413 §3), less than its frames are long.
  const std::uint32_t acknowledged = tcp.acknowledgment - (c.sequence + 1);
  const bool answers = !from_candidate && (tcp.flags & (kTcpSyn | kTcpRst)) != 0 &&
                       (tcp.flags & kTcpAck) != 0 && acknowledged < c.bytes;
  const bool follows = from_candidate && (tcp.flags & (kTcpSyn | kTcpRst)) == 0 &&
                       tcp.sequence == c.sequence + 1 &&
                       // else it goes on with the old one as well
                       tcp.sequence != hot_[slot].sequence_low[c.side];
  const bool repeats = from_candidate && lingers(hot_[slot].phase) &&  // the old one is over by now
                       (tcp.flags & (kTcpSyn | kTcpAck | kTcpRst)) == kTcpSyn &&
                       tcp.sequence == c.sequence;
  if (!answers && !follows && !repeats) return kNoSlot;

  Packet syn = packet;
  syn.direction = c.side;
  syn.timestamp = c.timestamp;
  syn.clock = c.clock;
  syn.wire_bytes = c.bytes;
  syn.frames = frames;    // of all its SYNs
  syn.flags = 0;          // what is told there is told of the answer
  syn.payload_bytes = 0;  // its bytes are gone
  syn.tcp = {.sequence = c.sequence,
             .window = c.window,
             .flags = kTcpSyn,
             .options = kTcpOptionMss,
             .mss = c.mss};
  if (c.window_scale != kNoWindowScale) {
    syn.tcp.options |= kTcpOptionWindowScale;
    syn.tcp.window_scale = c.window_scale;
  }
  announce(syn.tcp, c.features);
  // Its SYNs leave the old session. Never below zero: each was counted there when it came.
  Session old = session(slot);
  Extension* e = extensions_.find(old.cold);
  e->candidate = {};
  e->syn_candidates =
      static_cast<std::uint16_t>(e->syn_candidates - std::min(e->syn_candidates, c.syns));
  {
    const Writing writing(old.hot.version);
    if (old.hot.packets[c.side] < frames) --old.use_rare().packets_high[c.side];
    old.hot.packets[c.side] -= PLANTED(4, frames, 1);
    old.hot.bytes[c.side] -= c.bytes;
    if (bad != 0) take_bad_checksums(old, c.side, bad);
  }
  const std::uint32_t syns = old.count(TcpCount::syn, c.side);
  old.set_count(TcpCount::syn, c.side, syns - std::min<std::uint32_t>(syns, c.syns));

  const Id128 old_id = id_of(old);
  const PortSet old_ports = knows_ports() ? ports_of_[slot] : PortSet{0};
  const std::uint32_t fresh = open(syn, slot);
  if (knows_ports()) ports_of_[fresh] |= old_ports;  // its SYNs came by some of them
  if (!from_candidate) {  // the addresses were read from the answer's frame
    SessionOpening turned = session(fresh).opening();
    turned.swap_macs();
    session(fresh).set_opening(turned);
    if (cold_[fresh].has_rare) rare_[fresh].tunnels = tunnels_.take_reversed(rare_[fresh].tunnels);
  }
  // It is a session from now on.
  session(fresh).set_save_due(session(fresh).save_due() + (packet.clock - c.clock));
  link_to(fresh, Link::reuse_of, old_id);
  update(fresh, syn);
  if (answers && acknowledged != 0) {
    const Writing writing(hot_[fresh].version);
    session(fresh).advance_sequence(c.side, acknowledged);
  }
  if (is_offloaded || bad != 0)
    session(fresh).use_rare().bad_checksums[c.side] = is_offloaded ? kOffloaded : bad;
  session(fresh).set_count(TcpCount::syn, c.side, c.syns);
  return fresh;
}

// --- Opening ----------------------------------------------------------------------------------

// No session in the table owns it: a buried one does, or a new one. `newest`: of its key.
void SessionTable::miss(Packet& packet, std::uint32_t newest) noexcept {
  const bool tells_no_more_than_its_key =
      packet.key.protocol == kProtocolTcp && is_nonsense(packet);
  const Remembered old = remember(packet, newest);
  if (old.verdict == GraveVerdict::late || old.verdict == GraveVerdict::late_off_sequence)
    return join_buried(old, packet);
  // Without a block for the link the chain would be lost: then what continues it is told as late.
  if (old.verdict == GraveVerdict::continues && extensions_.is_dry())
    return join_buried(old, packet);
  if (old.verdict == GraveVerdict::stranger) {
    if (packet.key.protocol == kProtocolTcp && (packet.tcp.flags & kTcpRst) != 0)
      counters_.lone_rst.add();
    const std::uint32_t slot = open(packet, newest);
    if (tcp_is_bare_syn(packet)) return begin_handshake(slot, packet);
    if (tells_no_more_than_its_key) return count_damaged(session(slot), packet);
    return update(slot, packet);
  }
  const Grave grave = graveyard_.known(old.place, packet.clock);  // opening may bury others
  graveyard_.follow(old.place);
  const std::uint32_t slot = open(packet, newest);
  Session s = session(slot);
  const bool continues = old.verdict == GraveVerdict::continues;
  link_to(slot, continues ? Link::continues : Link::reuse_of, id_of(packet.key, grave));
  if (continues) {
    if (static_cast<Ending>(grave.ending) == Ending::evicted) note_return(packet, grave);
    s.hot.set_originator(grave.originator);
    if (packet.key.protocol == kProtocolTcp) tcp_resume(s, grave);
  }
  if (tells_no_more_than_its_key) return count_damaged(s, packet);
  update(slot, packet);
  // Its connection is known by the session that was cut.
  if (PLANTED(25, continues, false) && has_mptcp(packet) &&
      mptcp_.find(s.use_rare().mptcp) != nullptr)
    sink_.on_subflow(view_of(slot, Ending::idle, true, s.name.interim_count(), kNoStream));
}

void SessionTable::join_buried(const Remembered& old, const Packet& packet) noexcept {
  counters_.late_buried.add(packet.frames);
  graveyard_.join(old.place, packet, old.verdict == GraveVerdict::late_off_sequence);
}

// An evicted session of neither TCP nor SCTP, which would have ended by now.
bool SessionTable::has_fallen_silent(const Grave& grave, const Packet& packet) const noexcept {
  const std::uint8_t protocol = packet.key.protocol;
  if (protocol == kProtocolTcp || protocol == kProtocolSctp) return false;
  const DurationNs timeout = timeout_[static_cast<std::size_t>(phase_of_protocol(protocol))];
  return packet.clock - last_clock_of(grave) >= timeout;
}

// The buried session that the packet has to do with, and how; verdict stranger: none. `newest`: of
// its key in the table.
SessionTable::Remembered SessionTable::remember(const Packet& packet,
                                                std::uint32_t newest) noexcept {
  const std::uint8_t protocol = packet.key.protocol;
  const bool is_judged = protocol == kProtocolTcp || protocol == kProtocolSctp;
  if (!is_judged && !buries_all_) return {};
  const ClockNs opened = newest != kNoSlot ? session(newest).opened() : INT64_MIN;
  const auto judge = [&](const Grave& grave, bool is_last) {
    if (protocol == kProtocolTcp)
      return tcp_judge(grave, packet, is_last && grave.opened >= opened);
    if (protocol == kProtocolSctp) return sctp_judge(grave, packet);
    return has_fallen_silent(grave, packet) ? GraveVerdict::stranger : GraveVerdict::continues;
  };
  Remembered best;
  best.place =
      graveyard_.find(packet.key, packet.hash, packet.clock, [&](const Grave& grave, bool is_last) {
        const GraveVerdict verdict = judge(grave, is_last);
        return verdict == GraveVerdict::continues ? GraveVerdict::late : verdict;
      });
  if (best.place) best.verdict = judge(*best.place.grave, best.place.is_last);
  return best;
}

// A session of the packet's key, without any packets yet; in front of the incarnations there are,
// of which `newest` is the newest.
std::uint32_t SessionTable::open(const Packet& packet, std::uint32_t newest) noexcept {
  if (newest != kNoSlot) limit_incarnations(packet);
  const std::uint32_t slot = take_slot(packet);
  const std::uint32_t older =  // making room may have ended it
      newest != kNoSlot ? find(packet.key, packet.hash) : kNoSlot;
  Session s = session(slot);
  begin(s, packet);
  if (knows_ports()) ports_of_[slot] = packet.ports;
  if (packet.tunnel_depth != 0) s.use_rare().tunnels = take_tunnels(packet);
  if (has_mptcp(packet) && !is_nonsense(packet)) mptcp_.get(s.use_rare().mptcp);
  if (stage_ != nullptr) begin_reading(slot);
  if (older != kNoSlot) {  // the index leads to the newest, that to the older ones
    index_.erase(packet.hash, older);
    s.use_rare().older = older;
    s.hot.flags |= kSessionHasOlder;
    hot_[older].clear(kSessionNewest);
    if (session(older).opened() == packet.clock)
      number_after(s, cold_[older].ordinal, names_[older].id_sequence);
  }
  if (last_opened_of_buried_ >= packet.clock) [[unlikely]]
    number_after_grave(s, packet);
  index_.insert(packet.hash, slot);
  link(slot, s.hot.phase, deadline(slot));
  counters_.opened.add();
  return slot;
}

// What tells its id from that of another incarnation, which began in the same tick; the last of
// several counts.
void SessionTable::number_after(const Session& s, unsigned ordinal,
                                std::uint32_t id_sequence) noexcept {
  if (s.name.protocol() == kProtocolTcp)
    s.cold.ordinal = (std::max<unsigned>(ordinal + 1, s.cold.ordinal)) & 3;
  else  // nobody else numbers its packets
    s.name.id_sequence = std::max(id_sequence + 1, s.name.id_sequence);
}

void SessionTable::number_after_grave(const Session& s, const Packet& packet) noexcept {
  const Grave* const grave = graveyard_.newest_of_tick(packet.key, packet.hash, packet.clock, now_);
  if (grave != nullptr) number_after(s, grave->ordinal, grave->id_sequence);
}

// What a new session knows from its first packet.
void SessionTable::begin(const Session& s, const Packet& packet) noexcept {
  const std::uint8_t protocol = packet.key.protocol;
  const Writing writing(s.hot.version);
  has_long_keys_ |= SessionName::is_long(packet.key);
  s.set_key(packet.key);
  s.name.rtt_ns = {};
  s.name.id_sequence = sequence_of(packet);
  s.name.opening = openings_.take(opening_of(packet));
  for (unsigned side = 0; side < 2; ++side) s.hot.packets[side] = 0, s.hot.bytes[side] = 0;
  s.hot.sequence_low = {};
  s.hot.acknowledged = {};
  s.hot.window = {};
  s.hot.phase = phase_of_protocol(protocol);
  s.hot.flags = static_cast<std::uint16_t>(kSessionNewest | packet.direction);
  s.hot.fingerprint = SessionHot::fingerprint_of(packet.hash);
  SessionCold& cold = s.cold;
  cold.clear();
  cold.phase_clock = packet.clock;
  cold.extension = kNoSlot;
  cold.first_side = packet.direction & 1;
  s.begin_time(packet.clock, packet.timestamp);
  s.set_save_due(packet.clock +
                 (protocol == kProtocolTcp ? settings_.tcpSaveTimeout : settings_.udpSaveTimeout));
  if (protocol == kProtocolTcp) {
    tcp_open(s, packet);
  } else if (s.hot.phase == Phase::icmp) {
    cold.first_sequence = {static_cast<std::uint32_t>(packet.icmp.type << 8 | packet.icmp.code),
                           packet.icmp.id};
  }
}

// The place of the tunnels around this packet, addressed from side 0 to side 1.
std::uint32_t SessionTable::take_tunnels(const Packet& packet) noexcept {
  TunnelLayers layers = tunnel_layers_of(packet, decode_settings_);
  if (packet.direction != 0) layers.reverse();
  if (layers.depth > kTunnelLayersMax) counters_.tunnels_cut.add();
  return tunnels_.take(layers);
}

void SessionTable::link_to(std::uint32_t slot, Link link, const Id128& id) noexcept {
  Session s = session(slot);
  (link == Link::reuse_of ? counters_.reused : counters_.continued).add();
  if (Extension* e = extensions_.get(s.cold)) {
    e->link = link;
    e->linked = id;
  }
  const std::uint32_t older = older_of(slot);
  if (older == kNoSlot) return;
  Session old = session(older);
  if (Extension* e = extensions_.get(old.cold)) e->reused_by = id_of(s);
}

}  // namespace linger
