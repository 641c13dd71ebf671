#include "sessiontable/tcp_handshake.h"

#include "sessiontable/tcp.h"
#include "sessiontable/tcp_anomalies.h"
#include "sessiontable/tcp_segment.h"

namespace linger {

void note_other_answer(const Session& s, const Packet& packet, ExtensionPool& extensions) noexcept {
  const unsigned side = packet.direction;
  if (s.hot.phase != Phase::opening || !is_syn_ack(packet.tcp) || !s.cold.knows_isn(side)) return;
  const std::uint32_t first = s.cold.first_sequence[side];
  if (first == packet.tcp.sequence + 1) return;
  if (TcpDetail* detail = extensions.get_detail(s.cold)) detail->other_first[side] = first;
}

void settle_answer(const Session& s, unsigned side, std::uint32_t number,
                   ExtensionPool& extensions) noexcept {
  if (s.count(TcpCount::syn_ack, side) == 0) return;
  const TcpDetail* detail = extensions.find_detail(s.cold);
  if (detail == nullptr || number == 0 || detail->other_first[side] != number) return;
  s.cold.first_sequence[side] = number;
  s.set_sequence_end(side, kEpoch + number);
}

void note_first(const Session& s, const Packet& packet) noexcept {
  const unsigned side = packet.direction;
  const bool syn = (packet.tcp.flags & kTcpSyn) != 0;
  if (!s.hot.has(kSessionSeen0, side)) {
    const unsigned peer = side ^ 1;
    // A keep-alive, in mid-stream (RFC 9293 §3.8.4), perhaps of one byte.
    const bool is_before_next =
        packet.payload_bytes <= 1 && (packet.tcp.flags & kHandshakeFlags) == 0 &&
        s.hot.has(kSessionAck0, peer) && packet.tcp.sequence + 1 == s.hot.acknowledged[peer];
    s.hot.set(kSessionSeen0, side);
    s.cold.first_sequence[side] = packet.tcp.sequence + (syn || is_before_next ? 1 : 0);
    s.set_sequence_end(side, kEpoch + s.cold.first_sequence[side] - (syn ? 1 : 0));
  }
  if (!syn) return;
  // Another answer while nothing has been sent; and no number that was sent before the SYN counts
  // (RFC 9293 §3.10.7.3).
  if (s.hot.phase == Phase::opening && s.cold.first_sequence[side] != packet.tcp.sequence + 1) {
    s.cold.first_sequence[side] = packet.tcp.sequence + 1;
    s.set_sequence_end(side, kEpoch + s.cold.first_sequence[side] - 1);
  }
  s.cold.isn_known = (s.cold.isn_known | 1u << side) & 3;
}

void update_syn(const Session& s, const Packet& packet) noexcept {
  const unsigned side = packet.direction;
  const unsigned peer = side ^ 1;
  const bool syn_ack = has_ack(packet.tcp);
  s.add(syn_ack ? TcpCount::syn_ack : TcpCount::syn, side);
  s.cold.history.write(side, syn_ack ? 'H' : 'S');
  if (!syn_ack) {
    // Its sender is the originator, whoever's packet came first; not in a simultaneous open.
    if (!s.cold.knows_isn(peer) || s.count(TcpCount::syn_ack, peer) != 0) {
      s.hot.set_originator(side);
      s.cold.is_flipped = 0;  // seen after all
    }
    return;
  }
  // Without a retransmission in between, which would leave open what was answered (RFC 6298 §3).
  if (s.count(TcpCount::syn, peer) == 1 && s.count(TcpCount::syn_ack, side) == 1 &&
      s.cold.first_side == peer)
    s.name.rtt_ns[0] = saturated_ns(duration_between(s.cold.start, packet.timestamp));
}

void tcp_update_handshake(const Session& s, const Packet& packet) noexcept {
  const unsigned side = packet.direction;
  const bool is_answer = has_ack(packet.tcp);
  if (is_answer) s.announce(side, announced_by(packet, s.opening().announced[side]));
  note_first(s, packet);
  update_syn(s, packet);
  s.advance_sequence(side, 1);
  if (!is_answer) return;
  s.hot.set(kSessionAck0, side);
  s.hot.acknowledged[side] = packet.tcp.acknowledgment;
  s.hot.window[side] = packet.tcp.window;
}

}  // namespace linger
