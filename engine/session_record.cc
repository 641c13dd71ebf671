#include "engine/session_record.h"

#include <bit>

namespace linger {
namespace {

Reason reason_of(Ending ending) noexcept {
  switch (ending) {
    case Ending::closed:
      return Reason::closed;
    case Ending::reset:
      return Reason::reset;
    case Ending::idle:
      return Reason::idle;
    case Ending::attempt:
      return Reason::attempt;
    case Ending::evicted:
      return Reason::evicted;
    case Ending::end_of_input:
      return Reason::end_of_input;
    case Ending::shutdown:
      return Reason::shutdown;
  }
  return Reason::none;
}

// Zero is not written once more to a record's rare fields: soon all of them are looked at in words
// wider than what is written here (Record::mark_usual), which would wait for it to arrive in L1.

// Fields of one side: session sides are canonical, record sides are source and destination.
template <class To, class From>
void fill_sides(std::array<To, 2>& to, const std::array<From, 2>& from, unsigned source) noexcept {
  to[0] = static_cast<To>(from[source]);
  to[1] = static_cast<To>(from[source ^ 1]);
}

void fill_key(Record& record, const FlowKey& key, unsigned source) noexcept {
  record.ip_version = key.ip_version;
  record.protocol = key.protocol;
  fill_sides(record.address, key.address, source);
  if (record.has_ports()) fill_sides(record.port, key.port, source);
}

void fill_late(Record& record, const LateCounts& late, unsigned source) noexcept {
  fill_sides(record.late_packets, late.packets, source);
  fill_sides(record.late_syn, late.syn, source);
  fill_sides(record.late_fin, late.fin, source);
  fill_sides(record.late_rst, late.rst, source);
  fill_sides(record.late_ack, late.ack, source);
  fill_sides(record.late_data, late.data, source);
  record.late_rst_off_sequence = late.rst_off_sequence;
}

void fill_extension(Record& record, const Extension& e, unsigned source) noexcept {
  fill_late(record, e.late, source);
  fill_sides(record.retransmitted_packets, e.retransmitted_packets, source);
  fill_sides(record.retransmitted_bytes, e.retransmitted_bytes, source);
  fill_sides(record.out_of_order_packets, e.out_of_order_packets, source);
  fill_sides(record.gap_bytes, e.gap_bytes, source);
  fill_sides(record.keep_alives, e.keep_alives, source);
  record.syn_candidates = e.syn_candidates;
  record.icmp_error_type = e.icmp_error_type;
  record.icmp_error_code = e.icmp_error_code;
  record.icmp_error_packets = e.icmp_error_packets;
  record.icmp_error_bytes = e.icmp_error_bytes;
  if (e.link == Link::reuse_of) record.reuse_of = e.linked;
  if (e.link == Link::continues) record.continues = e.linked;
  record.reused_by = e.reused_by;
}

void fill_detail(Record& record, const TcpDetail& detail, unsigned source) noexcept {
  fill_sides(record.duplicate_acks, detail.duplicate_acks, source);
  fill_sides(record.spurious_packets, detail.spurious_packets, source);
  fill_sides(record.duplicates, detail.duplicates, source);
  fill_sides(record.zero_windows, detail.zero_windows, source);
  fill_sides(record.rst_off_window, detail.rst_off_window, source);
  fill_sides(record.rst_ignored, detail.rst_ignored, source);
  for (unsigned side = 0; side < 2; ++side)
    record.zero_window_ns[side ^ source] = window_closed_ns(detail, side, record.end);
  record.urg = detail.urg;
  record.ece = detail.ece;
  record.cwr = detail.cwr;
}

constexpr std::uint8_t option_bit(TcpOptionWord word) noexcept {
  return static_cast<std::uint8_t>(1u << static_cast<unsigned>(word));
}
static_assert(kTcpSackPermitted == option_bit(TcpOptionWord::sack) &&
              kTcpTimestamps == option_bit(TcpOptionWord::timestamps) &&
              kTcpFastOpen == option_bit(TcpOptionWord::fast_open) &&
              kTcpMptcp == option_bit(TcpOptionWord::mptcp) &&
              kTcpMd5OrAo == option_bit(TcpOptionWord::md5_ao) && kTcpOptionWords.size() == 5);
constexpr std::uint8_t kOptionBits = (1u << kTcpOptionWords.size()) - 1;

// How the connection was opened and closed.
void fill_course(Record& record, const Session& session, unsigned source) noexcept {
  const SessionOpening& opening = session.opening();
  const std::array features = {opening.features(0), opening.features(1)};
  for (unsigned side = 0; side < 2; ++side) {
    record.initial_window[side ^ source] = opening.window(side);
    record.mss[side ^ source] = opening.mss(side);
    record.options[side ^ source] = features[side] & kOptionBits;
    record.overlaps[side ^ source] = (features[side] & kTcpOverlaps) != 0;
  }
  record.ecn = (features[0] & features[1] & kTcpEcn) != 0;
  record.simultaneous_close = ((features[0] | features[1]) & kTcpFinCrossed) != 0;
  // A SYN that was answered, of both sides: by both, or by the source alone.
  const unsigned destination = source ^ 1;
  const auto has = [&](TcpCount of, unsigned side) { return session.count(of, side) != 0; };
  const bool both_asked = has(TcpCount::syn, source) && has(TcpCount::syn, destination);
  const bool source_answered = has(TcpCount::syn_ack, source);
  const bool destination_answered = has(TcpCount::syn_ack, destination);
  record.simultaneous_open = both_asked && source_answered && destination_answered;
  record.split_handshake = both_asked && source_answered && !destination_answered;
}

void fill_tunnels(Record& record, const SessionView& view, unsigned source) noexcept {
  record.tunnels_missing = view.rare != nullptr && view.rare->tunnels == TunnelTable::kMissing;
  if (view.tunnels == nullptr) return;
  record.tunnels = *view.tunnels;
  if (source != 0) record.tunnels.reverse();
}

void fill_mptcp(Record& record, const SessionView& view) noexcept {
  if (view.rare != nullptr) record.mptcp_missing = view.rare->mptcp == MptcpPool::kMissing;
  if (view.mptcp == nullptr) return;
  MptcpSubflow subflow = *view.mptcp;
  if (view.session.hot.originator() != 0) subflow.reverse();
  record.mptcp_version = subflow.version;
  record.mptcp_role = subflow.role;
  record.mptcp_host = subflow.host;
  record.mptcp_address_id = subflow.address_id;
  record.mptcp_backup = subflow.backup;
  record.mptcp_data_fin = subflow.data_fin;
  record.mptcp_fastclose = subflow.fastclose;
  record.mptcp_reset = subflow.reset;
  record.mptcp_fail = subflow.fail;
  for (unsigned side = 0; side < 2; ++side)
    record.mptcp_removed[side] = static_cast<std::uint8_t>(std::popcount(subflow.removed[side]));
}

// What a side's segments wait for is the way to the other one and back.
void fill_rtt(Record& record, const SessionView& view, unsigned source) noexcept {
  record.rtt_missing = view.rare != nullptr && view.rare->rtt == RttPool::kMissing;
  if (view.rtt == nullptr) return;
  for (unsigned side = 0; side < 2; ++side) {
    const RttSide& rtt = view.rtt->sides[side ^ 1];
    record.rtt_min_ns[side ^ source] = rtt.min_ns;
    record.rtt_smoothed_ns[side ^ source] = rtt.smoothed_ns;
    record.rtt_max_ns[side ^ source] = rtt.max_ns;
    record.rtt_samples[side ^ source] = rtt.samples;
  }
}

void fill_tcp(Record& record, const SessionView& view, unsigned source) noexcept {
  const Session& session = view.session;
  const SessionCold& cold = session.cold;
  const SessionOpening& opening = session.opening();
  record.state = conn_state_of(session);
  if (cold.is_flipped) record.history.append('^');
  for (std::size_t i = 0; i < kHistoryMax; ++i) {
    const char letter = cold.history.letter(i, source);
    if (letter == '\0') break;
    record.history.append(letter);
  }
  record.mid_stream = cold.isn_known == 0;
  record.extension_missing = cold.extension_dry != 0;
  const auto sum_of = [&](TcpCount of) { return session.count(of, 0) + session.count(of, 1); };
  record.syn = sum_of(TcpCount::syn);
  record.syn_ack = sum_of(TcpCount::syn_ack);
  record.fin = sum_of(TcpCount::fin);
  record.rst = sum_of(TcpCount::rst);
  record.rtt_syn_ack_ns = session.name.rtt_ns[0];
  record.rtt_ack_ns = session.name.rtt_ns[1];
  for (unsigned side = 0; side < 2; ++side)
    record.rst_sent[side ^ source] = session.count(TcpCount::rst, side);
  fill_course(record, view.session, source);
  fill_rtt(record, view, source);
  if (view.detail != nullptr) fill_detail(record, *view.detail, source);
  for (unsigned side = 0; side < 2; ++side) {
    const std::uint8_t scale = opening.window_scale(side);
    record.window_scale[side ^ source] = scale == kNoWindowScale ? 0 : scale;
    record.payload_bytes[side ^ source] = tcp_payload_bytes(view.session, view.extension, side);
    const std::uint64_t missed = tcp_missed_bytes(view.session, view.extension, side);
    if (missed != 0) record.missed_bytes[side ^ source] = missed;
  }
}

// The SYN of `source` was answered, as the answer shows, or, if the capture missed it, what came
// behind it: data, or an ACK of the SYN.
bool is_answered(const Session& s, unsigned source) noexcept {
  const SessionHot& hot = s.hot;
  const unsigned destination = source ^ 1;
  if (s.count(TcpCount::syn_ack, destination) != 0 || s.count(TcpCount::syn, destination) != 0)
    return true;
  if (s.count(TcpCount::syn, source) == 0 || !hot.has(kSessionAck0, destination)) return false;
  return hot.has(kSessionData0, destination) ||
         seq_within(hot.acknowledged[destination], s.cold.first_sequence[source],
                    hot.sequence_low[source]);
}

}  // namespace

ConnState conn_state_of(const Session& s) noexcept {
  const unsigned source = s.hot.originator();
  const unsigned destination = source ^ 1;
  const bool source_syn = s.count(TcpCount::syn, source) != 0;
  const bool answered = is_answered(s, source);
  const bool source_fin = s.hot.has(kSessionFin0, source);
  const bool destination_fin = s.hot.has(kSessionFin0, destination);
  if (s.cold.rst_seen) {
    if (s.cold.rst_side != source) {
      if (source_syn && !answered) return ConnState::rej;
      return source_syn ? ConnState::rstr : answered ? ConnState::rstrh : ConnState::oth;
    }
    if (!source_syn) return ConnState::oth;
    return answered ? ConnState::rsto : ConnState::rstos0;
  }
  if (!source_syn)
    return answered && destination_fin && !source_fin ? ConnState::shr : ConnState::oth;
  if (source_fin && destination_fin) return ConnState::sf;
  if (source_fin) return answered ? ConnState::s2 : ConnState::sh;
  if (destination_fin) return ConnState::s3;
  return answered ? ConnState::s1 : ConnState::s0;
}

Record make_record(const SessionView& view) noexcept {
  const SessionHot& hot = view.session.hot;
  const SessionCold& cold = view.session.cold;
  const SessionOpening& opening = view.session.opening();
  const unsigned source = hot.originator();
  Record record;
  record.id = view.id;
  record.action = view.is_interim ? Action::session_interim : Action::session_end;
  record.reason = view.is_interim ? Reason::none : reason_of(view.ending);
  record.sequence = view.sequence;
  record.start = cold.start;
  record.end = view.session.end();
  record.clock = hot.last_clock;
  fill_key(record, view.session.key(), source);
  for (unsigned side = 0; side < 2; ++side)
    record.packets[side ^ source] = view.session.packets(side);
  fill_sides(record.bytes, hot.bytes, source);
  for (unsigned side = 0; side < 2 && view.rare != nullptr; ++side) {
    const std::uint16_t bad = view.rare->bad_checksums[side];
    record.checksums_offloaded[side ^ source] = bad == kOffloaded;
    record.bad_checksums[side ^ source] = bad == kOffloaded ? 0 : bad;
  }
  if (opening.has_mac()) record.mac = {opening.mac(source), opening.mac(source ^ 1)};
  if (opening.has_vlan(0)) record.vlan_id = opening.vlan(0);
  if (opening.has_vlan(1)) record.inner_vlan_id = opening.vlan(1);
  fill_tunnels(record, view, source);
  if (view.extension != nullptr) fill_extension(record, *view.extension, source);
  if (record.is_tcp()) {
    fill_tcp(record, view, source);
    fill_mptcp(record, view);
    return record;
  }
  for (unsigned side = 0; side < 2; ++side)
    record.payload_bytes[side ^ source] = view.session.sequence_end(side);
  if (record.is_icmp()) {
    record.icmp_type = static_cast<std::uint8_t>(cold.first_sequence[0] >> 8);
    record.icmp_code = static_cast<std::uint8_t>(cold.first_sequence[0]);
    record.icmp_id = static_cast<std::uint16_t>(cold.first_sequence[1]);
  }
  if (record.protocol == kProtocolSctp)
    fill_sides(record.verification_tag, hot.acknowledged, source);
  return record;
}

MptcpNotice make_notice(const SessionView& view) noexcept {
  MptcpNotice notice;
  notice.clock = view.session.hot.last_clock;
  notice.path.id = view.id;
  notice.subflow = *view.mptcp;
  if (view.extension != nullptr && view.extension->link == Link::continues)
    notice.continues = view.extension->linked;
  return notice;
}

MptcpNotice make_last_notice(const SessionView& view, const Record& record) noexcept {
  MptcpNotice notice = make_notice(view);
  notice.has_ended = true;
  if (view.session.hot.originator() != 0) notice.subflow.reverse();
  MptcpPath& path = notice.path;
  path.start = record.start;
  path.end = record.end;
  path.address = record.address;
  path.port = record.port;
  path.packets = record.packets;
  path.bytes = record.bytes;
  path.payload_bytes = record.payload_bytes;
  path.address_id = record.mptcp_address_id;
  path.backup = record.mptcp_backup;
  path.ip_version = record.ip_version;
  path.role = record.mptcp_role;
  return notice;
}

Record make_late_record(const LateBlock& block, const Id128& id) noexcept {
  const unsigned source = block.grave.originator;
  Record record;
  record.id = id;
  record.action = Action::session_late;
  record.reason = reason_of(static_cast<Ending>(block.grave.ending));
  record.sequence = block.sequence();
  record.start = block.first;
  record.end = block.last;
  fill_key(record, block.key, source);
  fill_sides(record.packets, block.counts.packets, source);
  fill_sides(record.bytes, block.bytes, source);
  fill_sides(record.payload_bytes, block.payload_bytes, source);
  record.icmp_error_type = block.icmp_error_type;
  record.icmp_error_code = block.icmp_error_code;
  record.icmp_error_packets = block.icmp_error_packets;
  record.icmp_error_bytes = block.icmp_error_bytes;
  const std::uint32_t syns = block.counts.syn[0] + block.counts.syn[1];
  record.syn_ack = block.counts.syn_ack;
  record.syn = syns - record.syn_ack;
  record.fin = block.counts.fin[0] + block.counts.fin[1];
  record.rst = block.counts.rst[0] + block.counts.rst[1];
  if (record.is_tcp()) fill_sides(record.rst_sent, block.counts.rst, source);
  fill_late(record, block.counts, source);
  return record;
}

Record make_flood_record(const FloodSecond& flood) noexcept {
  Record record;
  record.id = flood.id;
  record.action = Action::syn_flood;
  record.start = flood.first;
  record.end = flood.last;
  fill_key(record, flood.destination, 0);
  record.packets[0] = flood.packets;
  record.bytes[0] = flood.bytes;
  record.state = ConnState::s0;
  record.flood_sessions = flood.sessions;
  return record;
}

}  // namespace linger
