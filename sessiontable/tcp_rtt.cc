#include "sessiontable/tcp_rtt.h"

#include <algorithm>

#include "sessiontable/planted.h"
#include "sessiontable/tcp_segment.h"

namespace linger {
namespace {

void add_sample(RttSide& side, DurationNs duration) noexcept {
  const auto sample = static_cast<std::uint32_t>(std::clamp<DurationNs>(duration, 0, UINT32_MAX));
  const bool is_first = side.samples == 0;
  side.min_ns = is_first ? sample : std::min(side.min_ns, sample);
  side.max_ns = std::max(side.max_ns, sample);
  side.smoothed_ns = is_first ? sample : side.smoothed_ns - side.smoothed_ns / 8 + sample / 8;
  saturating_increment(side.samples);
}

// Whether it tells a round trip time.
bool take_answer(RttSide& side, const Packet& packet) noexcept {
  const TcpHeader& tcp = packet.tcp;
  if (!side.is_waiting || !has_ack(tcp) || seq_before(tcp.acknowledgment, side.end)) return false;
  side.is_waiting = false;
  const bool names_it = side.has_timestamp && (tcp.options & kTcpOptionTimestamp) != 0 &&
                        tcp.timestamp_echo == side.timestamp;
  if (PLANTED(20, side.was_repeated, false) && !names_it) return false;
  add_sample(side, duration_between(side.sent, packet.timestamp));
  return true;
}

}  // namespace

void measure_rtt(TcpRtt& rtt, const SessionHot& hot, const Packet& packet) noexcept {
  const unsigned side = packet.direction;
  const TcpHeader& tcp = packet.tcp;
  if (is_rtt_due(hot.packets[side])) {
    rtt.left = TcpRtt::kWatched;
    rtt.has_sample = false;
  }
  if (rtt.left == 0) return;
  rtt.has_sample |= take_answer(rtt.sides[side ^ 1], packet);
  RttSide& own = rtt.sides[side];
  if (packet.payload_bytes != 0 && own.is_waiting && seq_before(tcp.sequence, own.end)) {
    own.was_repeated = true;
  } else if (packet.payload_bytes != 0 && !own.is_waiting && rtt.may_begin() &&
             tcp.sequence == sent_end(hot, side) && hot.has(kSessionSeen0, side ^ 1)) {
    own.sent = packet.timestamp;
    own.end = end_of(packet);
    own.timestamp = tcp.timestamp_value;
    own.is_waiting = true;
    own.has_timestamp = (tcp.options & kTcpOptionTimestamp) != 0;
    own.was_repeated = false;
  }
  --rtt.left;
  const bool is_waiting = rtt.sides[0].is_waiting || rtt.sides[1].is_waiting;
  if (!is_waiting && !rtt.may_begin()) rtt.left = 0;
  if (rtt.left == 0) rtt.sides[0].is_waiting = rtt.sides[1].is_waiting = false;
}

}  // namespace linger
