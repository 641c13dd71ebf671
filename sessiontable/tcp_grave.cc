// TCP's buried sessions: what a grave keeps, and what a segment is to it.
#include "sessiontable/planted.h"
#include "sessiontable/tcp.h"
#include "sessiontable/tcp_segment.h"

namespace linger {
void tcp_resume(const Session& s, const Grave& grave) noexcept {
  s.hot.set_originator(grave.originator);
  s.cold.is_flipped = 0;
  s.cold.resumed = grave.seen & 3;
  for (unsigned side = 0; side < 2; ++side) {
    if ((grave.seen >> side & 1) == 0) continue;
    s.hot.set(kSessionSeen0, side);
    s.cold.first_sequence[side] = grave.final_sequence[side];
    s.set_sequence_end(side, kEpoch + grave.final_sequence[side]);
    if (grave.fin >> side & 1) s.hot.set(kSessionFin0, side);
  }
}

GraveVerdict tcp_judge(const Grave& grave, const Packet& packet, bool is_last) noexcept {
  const unsigned side = packet.direction;
  const TcpHeader& tcp = packet.tcp;
  const bool seen = (grave.seen >> side & 1) != 0;
  const std::uint32_t final = grave.final_sequence[side];
  // By its ending, by what went on with it or came after it, or by FINs that came late.
  const bool finished = is_finished(static_cast<Ending>(grave.ending)) || !is_last ||
                        grave.is_followed || grave.fin == kBothSides;
  if (is_syn(tcp)) {
    const bool is_overtaken = side == grave.originator && side != grave.first_side && seen;
    const bool same = is_overtaken ? seq_within(tcp.sequence + 1, final - kSlack, final)
                                   : side == grave.first_side && tcp.sequence == grave.id_sequence;
    return same ? GraveVerdict::late : GraveVerdict::reuse;
  }
  // The segment's number in the space of the side whose first number is known.
  const unsigned first_side = grave.first_side;
  const bool by_sequence = side == first_side;
  const std::uint32_t number = by_sequence ? tcp.sequence : tcp.acknowledgment;
  const bool testable = (by_sequence || has_ack(tcp)) && (grave.seen >> first_side & 1) != 0;
  const std::uint32_t slack = (grave.fin >> first_side & 1) != 0 ? 1 : kInFlightMax;
  const bool in_space = !testable || seq_within(number, grave.id_sequence - kSlack,
                                                grave.final_sequence[first_side] + slack);
  if ((tcp.flags & kTcpRst) != 0) {
    const bool answers = tcp.sequence == 0 && has_ack(tcp);  // RFC 9293 §3.10.7.1
    const bool fits =
        seen && !answers ? seq_within(tcp.sequence, final - kSlack, final + kSlack) : in_space;
    return fits ? GraveVerdict::late : GraveVerdict::late_off_sequence;
  }
  if (is_syn_ack(tcp)) {
    const bool same = by_sequence ? tcp.sequence == grave.id_sequence
                                  : seq_within(tcp.acknowledgment, grave.id_sequence + 1,
                                               grave.final_sequence[first_side]);
    if (!same) return GraveVerdict::reuse;
    return finished || seen ? GraveVerdict::late : GraveVerdict::continues;
  }
  // A RST closes only tentatively: what its receiver sent afterwards is acknowledged after all. It
  // sent nothing behind its FIN.
  const unsigned peer = side ^ 1;
  const std::uint32_t peer_final = grave.final_sequence[peer];
  if (static_cast<Ending>(grave.ending) == Ending::reset && has_ack(tcp) &&
      (grave.seen >> peer & 1) != 0 && (grave.fin >> peer & 1) == 0 && in_space &&
      seq_within(tcp.acknowledgment, peer_final + 1, peer_final + kInFlightMax))
    return GraveVerdict::continues;
  const bool fin_seen = (grave.fin >> side & 1) != 0;
  if (finished) {
    const std::uint32_t last = fin_seen ? final : final + kInFlightMax;
    const bool old = !seen || !seq_after(reach_of(packet), last);
    return old && in_space ? GraveVerdict::late : GraveVerdict::reuse;
  }
  if (packet.payload_bytes == 0) return GraveVerdict::late;
  return !seen || seq_after(end_of(packet), final) ? GraveVerdict::continues : GraveVerdict::late;
}

bool tcp_goes_on(const Grave& grave, const Packet& packet) noexcept {
  const bool by_sequence = (grave.seen >> packet.direction & 1) != 0;
  const unsigned side = by_sequence ? packet.direction : packet.direction ^ 1u;
  if ((grave.seen >> side & 1) == 0 || (!by_sequence && !has_ack(packet.tcp))) return false;
  const std::uint32_t final = grave.final_sequence[side];
  return seq_within(by_sequence ? packet.tcp.sequence : packet.tcp.acknowledgment, final,
                    final + kInFlightMax);
}

}  // namespace linger
