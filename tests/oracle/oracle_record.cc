// Records of the oracle's sessions.
#include <algorithm>
#include <bit>

#include "tests/oracle/model.h"

namespace linger::test {
namespace {

// Zeek's conn_state, from what its own documentation says of each value.
ConnState state_of(const ModelSession& s) {
  const ModelSide& source = s.side[s.originator];
  const ModelSide& destination = s.side[s.originator ^ 1];
  const bool asked = source.syn != 0;
  const char said_data = static_cast<char>(s.originator == 0 ? 'D' | 0x80 : 'D');
  const bool acknowledges = destination.acknowledged - source.first <= source.end() - source.first;
  const bool went_on = asked && destination.has_acknowledged &&  // its answer was not captured
                       (acknowledges || s.history.find(said_data) != std::string::npos);
  const bool answered = destination.syn_ack != 0 || destination.syn != 0 || went_on;
  if (s.reset_by == s.originator) {
    if (!asked) return ConnState::oth;
    return answered ? ConnState::rsto : ConnState::rstos0;
  }
  if (s.reset_by) {
    if (asked) return answered ? ConnState::rstr : ConnState::rej;
    return answered ? ConnState::rstrh : ConnState::oth;
  }
  if (!asked) {
    const bool half = answered && destination.has_fin && !source.has_fin;
    return half ? ConnState::shr : ConnState::oth;
  }
  if (source.has_fin && destination.has_fin) return ConnState::sf;
  if (source.has_fin) return answered ? ConnState::s2 : ConnState::sh;
  if (destination.has_fin) return ConnState::s3;
  return answered ? ConnState::s1 : ConnState::s0;
}

std::uint64_t payload_of(const ModelSide& side) {
  if (!side.is_known) return 0;
  const std::int64_t payload =
      side.length - side.has_fin - static_cast<std::int64_t>(side.gap_bytes);
  return static_cast<std::uint64_t>(std::max<std::int64_t>(payload, 0));
}

// Acknowledged by the other side, but neither seen nor still expected.
std::uint64_t missed_of(const ModelSession& s, unsigned side) {
  const ModelSide& from = s.side[side];
  const ModelSide& peer = s.side[side ^ 1];
  if (!from.is_known || !peer.has_acknowledged) return 0;
  std::uint64_t missed = from.gap_bytes;
  for (const ModelGap& gap : s.gaps) {
    const std::int64_t bytes = gap.end - gap.begin;
    const auto past = static_cast<std::int32_t>(peer.acknowledged - gap.end);
    const auto behind = static_cast<std::int32_t>(from.end() - gap.begin);
    // Still expected; of 2^31 apart too, which has no order, but not from a half circle ago.
    if (gap.side == side && past < 0 && behind > 0)
      missed -= static_cast<std::uint64_t>(std::min(bytes, -std::int64_t{past}));
  }
  const std::int32_t ahead = static_cast<std::int32_t>(peer.acknowledged - from.end());
  if (ahead > 0 && ahead <= 1 << 30) missed += static_cast<std::uint32_t>(ahead);
  return missed;
}

DurationNs window_closed_of(const ModelSide& side, Timestamp end) {
  DurationNs closed = side.window_closed_ns;
  if (side.window_closed && *side.window_closed < end)
    closed += duration_between(*side.window_closed, end);
  return closed;
}

void fill_key(Record& r, const ModelIdentity& s) {
  r.protocol = s.key.protocol;
  r.ip_version = s.key.ip_version;
  for (unsigned side = 0; side < 2; ++side) {
    const unsigned to = side ^ s.originator;
    r.address[to] = s.key.address[side];
    if (r.has_ports()) r.port[to] = s.key.port[side];
  }
}

void fill_late(Record& r, const ModelLate& late, unsigned originator) {
  for (unsigned side = 0; side < 2; ++side) {
    const unsigned to = side ^ originator;
    const ModelLate::Counts& c = late.side[side];
    r.late_packets[to] = c.packets;
    r.late_syn[to] = c.syn + c.syn_ack;
    r.late_fin[to] = c.fin;
    r.late_rst[to] = c.rst;
    r.late_ack[to] = c.ack;
    r.late_data[to] = c.data;
  }
  r.late_rst_off_sequence = late.rst_off_sequence;
}

void fill_round_trips(Record& r, const std::vector<std::uint32_t>& all, unsigned to) {
  if (all.empty()) return;
  r.rtt_min_ns[to] = *std::min_element(all.begin(), all.end());
  r.rtt_max_ns[to] = *std::max_element(all.begin(), all.end());
  r.rtt_samples[to] = static_cast<std::uint16_t>(std::min<std::size_t>(all.size(), UINT16_MAX));
  std::uint32_t& smoothed = r.rtt_smoothed_ns[to] = all.front();  // RFC 6298 §2
  for (std::size_t i = 1; i < all.size(); ++i) smoothed = smoothed - smoothed / 8 + all[i] / 8;
}

void fill_mptcp(Record& r, const ModelSubflow& subflow, unsigned originator) {
  MptcpSubflow said = subflow.said;
  if (originator != 0) said.reverse();
  r.mptcp_version = said.version;
  r.mptcp_role = said.role;
  r.mptcp_host = said.host;
  r.mptcp_address_id = said.address_id;
  r.mptcp_backup = said.backup;
  r.mptcp_data_fin = said.data_fin;
  r.mptcp_fastclose = said.fastclose;
  r.mptcp_reset = said.reset;
  r.mptcp_fail = said.fail;
  for (unsigned side = 0; side < 2; ++side)
    r.mptcp_removed[side] = static_cast<std::uint8_t>(std::popcount(said.removed[side]));
}

void fill_side(Record& r, const ModelSide& side, unsigned to) {
  r.packets[to] = side.packets;
  r.bytes[to] = side.bytes;
  r.mac[to] = side.mac;
  r.checksums_offloaded[to] = side.is_offloaded;
  if (!side.is_offloaded) r.bad_checksums[to] = static_cast<std::uint16_t>(side.bad_checksums);
  r.payload_bytes[to] = r.is_tcp() ? payload_of(side) : side.payload_bytes;
  r.syn += side.syn;
  r.syn_ack += side.syn_ack;
  r.fin += side.fin;
  r.rst += side.rst;
  r.mss[to] = side.mss;
  r.window_scale[to] = side.scale.value_or(0);
  r.retransmitted_packets[to] = side.retransmitted_packets;
  r.retransmitted_bytes[to] = side.retransmitted_bytes;
  r.out_of_order_packets[to] = side.out_of_order_packets;
  r.gap_bytes[to] = side.gap_bytes;
  r.zero_windows[to] = side.zero_windows;
  r.keep_alives[to] = side.keep_alives;
  r.spurious_packets[to] = side.spurious_packets;
  r.duplicates[to] = side.duplicates;
  r.duplicate_acks[to] = side.duplicate_acks;
  r.rst_off_window[to] = side.rst_off_window;
  r.rst_ignored[to] = side.rst_ignored;
  r.rst_sent[to] = side.rst;
  r.initial_window[to] = side.initial_window;
  r.options[to] = side.options;
  r.verification_tag[to] = side.tag;
}

}  // namespace

Reason reason_of_ending(Ending ending) {
  constexpr Reason kReasons[] = {Reason::closed,  Reason::reset,   Reason::idle,
                                 Reason::attempt, Reason::evicted, Reason::end_of_input,
                                 Reason::shutdown};
  return kReasons[static_cast<std::size_t>(ending)];
}

Record record_of(const ModelSession& s, const Id128& id, Action action, Reason reason,
                 std::uint32_t sequence) {
  Record r;
  r.id = id;
  r.action = action;
  r.reason = reason;
  r.sequence = sequence;
  r.start = s.start;
  r.end = s.end;
  fill_key(r, s);
  for (unsigned side = 0; side < 2; ++side) fill_side(r, s.side[side], side ^ s.originator);
  if (!s.vlan.empty()) r.vlan_id = s.vlan[0];
  if (s.vlan.size() > 1) r.inner_vlan_id = s.vlan[1];
  fill_late(r, s.late, s.originator);
  r.syn_candidates = s.syn_candidates;
  r.icmp_error_type = s.icmp_error_type;
  r.icmp_error_code = s.icmp_error_code;
  r.icmp_error_packets = s.icmp_error_packets;
  r.icmp_error_bytes = s.icmp_error_bytes;
  r.reuse_of = s.reuse_of;
  r.continues = s.continues;
  r.reused_by = s.reused_by;
  if (r.is_icmp()) {
    r.icmp_type = static_cast<std::uint8_t>(s.icmp_type);
    r.icmp_code = static_cast<std::uint8_t>(s.icmp_code);
    r.icmp_id = static_cast<std::uint16_t>(s.icmp_id);
  }
  if (!r.is_tcp()) return r;
  r.state = state_of(s);
  if (s.is_flipped) r.history.append('^');
  for (const char code : s.history) {
    const bool by_source = ((code & 0x80) != 0 ? 1u : 0u) == s.originator;
    const char letter = static_cast<char>(code & 0x7f);
    r.history.append(by_source ? letter : static_cast<char>(letter + ('a' - 'A')));
  }
  if (s.mptcp) fill_mptcp(r, *s.mptcp, s.originator);
  r.mid_stream = !s.side[0].has_isn && !s.side[1].has_isn;
  for (unsigned side = 0; side < 2; ++side) {
    r.missed_bytes[side ^ s.originator] = missed_of(s, side);
    r.zero_window_ns[side ^ s.originator] = window_closed_of(s.side[side], s.end);
  }
  r.urg = s.urg;
  r.ece = s.ece;
  r.cwr = s.cwr;
  r.ecn = s.side[0].has_ecn && s.side[1].has_ecn;
  r.simultaneous_close = s.is_fin_crossed;
  const ModelSide& source = s.side[s.originator];
  const ModelSide& destination = s.side[s.originator ^ 1];
  if (source.syn != 0 && destination.syn != 0 && source.syn_ack != 0)
    (destination.syn_ack != 0 ? r.simultaneous_open : r.split_handshake) = true;
  for (unsigned side = 0; side < 2; ++side)
    fill_round_trips(r, s.side[side ^ 1].round_trips_ns, side ^ s.originator);
  r.rtt_syn_ack_ns = s.rtt_syn_ack_ns;
  r.rtt_ack_ns = s.rtt_ack_ns;
  return r;
}

Record late_record_of(const ModelGrave& grave, const Id128& id) {
  const ModelLateRecord& late = *grave.collecting;
  Record r;
  r.id = id;
  r.action = Action::session_late;
  r.reason = reason_of_ending(grave.ending);
  r.sequence = grave.late_records;
  if (grave.late_records >= 7)  // three bits of the real grave
    r.sequence = 7 + static_cast<std::uint32_t>((late.last_clock - grave.opened) / (1 << 24));
  r.start = late.first;
  r.end = late.last;
  fill_key(r, grave);
  fill_late(r, late.late, grave.originator);
  for (unsigned side = 0; side < 2; ++side) {
    const ModelLate::Counts& c = late.late.side[side];
    const unsigned to = side ^ grave.originator;
    r.packets[to] = c.packets;
    r.bytes[to] = c.bytes;
    r.payload_bytes[to] = c.payload_bytes;
    r.syn += c.syn;
    r.syn_ack += c.syn_ack;
    r.fin += c.fin;
    r.rst += c.rst;
    if (r.is_tcp()) r.rst_sent[to] = c.rst;
  }
  r.icmp_error_type = late.icmp_error_type;
  r.icmp_error_code = late.icmp_error_code;
  r.icmp_error_packets = late.icmp_error_packets;
  r.icmp_error_bytes = late.icmp_error_bytes;
  return r;
}

}  // namespace linger::test
