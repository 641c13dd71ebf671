// What a TCP segment says, and the tolerances that a passive observer needs, the same for sessions
// in the table and buried ones. No state; sequence numbers and lengths are in bytes.
#pragma once

#include <cstdint>

#include "engine/packet/packet.h"
#include "sessiontable/session.h"

namespace linger {

inline constexpr std::uint64_t kEpoch = std::uint64_t{1} << 32;  // sequence_end begins above it
inline constexpr std::uint32_t kSlack = 1 << 16;                 // an unscaled window
inline constexpr std::uint32_t kInFlightMax = 1 << 20;  // data still under way when a RST came
inline constexpr std::uint32_t kJumpMax = 1u << 30;     // the largest window (RFC 7323 §2.3)
inline constexpr std::uint8_t kHandshakeFlags = kTcpSyn | kTcpFin | kTcpRst;

inline bool is_syn(const TcpHeader& tcp) noexcept {
  return (tcp.flags & (kTcpSyn | kTcpAck | kTcpRst)) == kTcpSyn;
}
inline bool is_syn_ack(const TcpHeader& tcp) noexcept {
  return (tcp.flags & (kTcpSyn | kTcpAck | kTcpRst)) == (kTcpSyn | kTcpAck);
}
inline bool has_ack(const TcpHeader& tcp) noexcept { return (tcp.flags & kTcpAck) != 0; }

// What no TCP sends, and no checksum that holds: it is wrong, or of more bytes than there are.
inline bool is_nonsense(const Packet& packet) noexcept {
  constexpr std::uint8_t kNeverWithSyn = kTcpFin | kTcpRst;
  return (packet.tcp.flags & kTcpSyn) != 0 && (packet.tcp.flags & kNeverWithSyn) != 0 &&
         (packet.flags & (kPacketBadChecksum | kPacketCut)) != 0;
}

// Sequence numbers that the segment takes, and the one after its last.
inline std::uint32_t length_of(const Packet& packet) noexcept {
  const std::uint8_t flags = packet.tcp.flags;
  return packet.payload_bytes + ((flags & kTcpSyn) != 0) + ((flags & kTcpFin) != 0);
}
inline std::uint32_t end_of(const Packet& packet) noexcept {
  return packet.tcp.sequence + length_of(packet);
}

// How far it reaches for the question whether it lies beyond its sender's FIN: one past its
// payload; without payload one less than its number, as some stacks repeat a bare FIN or ACK one
// past their FIN.
inline std::uint32_t reach_of(const Packet& packet) noexcept {
  return packet.payload_bytes != 0 ? end_of(packet) : packet.tcp.sequence - 1;
}

inline std::uint32_t sent_end(const SessionHot& hot, unsigned side) noexcept {
  return hot.sequence_low[side];
}

}  // namespace linger
