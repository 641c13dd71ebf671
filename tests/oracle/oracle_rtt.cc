// Round trip times for the oracle: sessiontable/tcp_rtt.h read aloud.
#include <algorithm>

#include "tests/oracle/model.h"

namespace linger::test {
namespace {

// Facts shared with sessiontable/tcp_rtt.h.
constexpr unsigned kMeasuredFor = 1024;  // packets
constexpr unsigned kProbesFor = 4;       // of them
constexpr unsigned kFirstProbeFor = 64;  // until one of them has told something

std::uint32_t capped(DurationNs duration) {
  return static_cast<std::uint32_t>(std::clamp<DurationNs>(duration, 0, UINT32_MAX));
}

void answer(ModelSession& s, const Packet& packet) {
  ModelSide& side = s.side[packet.direction ^ 1];
  const TcpHeader& tcp = packet.tcp;
  if (!side.probe || (tcp.flags & kTcpAck) == 0) return;
  const ModelProbe probe = *side.probe;
  if (ahead_of(tcp.acknowledgment, probe.end) < 0) return;
  side.probe.reset();
  const bool has_echo = (tcp.options & kTcpOptionTimestamp) != 0;
  if (probe.is_repeated && !(has_echo && probe.timestamp == tcp.timestamp_echo)) return;
  side.round_trips_ns.push_back(capped(duration_between(probe.sent, packet.timestamp)));
  s.was_measured = true;
}

bool probes(const ModelSession& s) {
  const unsigned since = kMeasuredFor - s.measured_for;
  return since < kProbesFor || (since < kFirstProbeFor && !s.was_measured);
}

}  // namespace

void measure_round_trip(ModelSession& s, const Packet& packet) {
  ModelSide& from = s.side[packet.direction];
  ModelSide& peer = s.side[packet.direction ^ 1];
  const TcpHeader& tcp = packet.tcp;
  const bool has_payload = packet.payload_bytes != 0;
  if ((tcp.flags & kTcpSyn) != 0) return;
  const std::uint64_t number = from.packets;  // with this one
  if (number == 64 || number == 256 || number == 1024 || number % 4096 == 0) {
    s.measured_for = kMeasuredFor;
    s.was_measured = false;
  }
  if (s.measured_for == 0) return;
  answer(s, packet);
  if (from.probe && has_payload) {
    from.probe->is_repeated |= ahead_of(tcp.sequence, from.probe->end) < 0;
  } else if (has_payload && probes(s) && peer.is_known && tcp.sequence == from.end()) {
    const bool has_fin = (tcp.flags & kTcpFin) != 0;
    from.probe = ModelProbe{packet.timestamp, tcp.sequence + packet.payload_bytes + has_fin, {}};
    if ((tcp.options & kTcpOptionTimestamp) != 0) from.probe->timestamp = tcp.timestamp_value;
  }
  --s.measured_for;
  if (!from.probe && !peer.probe && !probes(s)) s.measured_for = 0;
  if (s.measured_for != 0) return;
  from.probe.reset();
  peer.probe.reset();
}

}  // namespace linger::test
