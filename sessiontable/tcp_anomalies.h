// What a TCP session tells beside its state and its bytes: duplicates of the mirror port, duplicate
// acknowledgments, closed windows, marks of congestion, what the capture missed.
//
//     duplicate    the same segment again within dedupWindow. The first ones of a session are known
//                  by the numbers that their side sent last, but only in the handshake or without
//                  one: of 25 in real captures that came later, 23 were retransmissions. From then
//                  on the session is watched: the last kRecentMax segments are kept and compared
//                  whole, with IPv4's identification.
//     watched      kSessionWatched: its packets take the slow path. While duplicates are known, a
//                  window is closed, or round trip times are measured (tcp_rtt.h).
//
// Owner: one shard. Cost: all of it on the slow path; what is counted takes a TcpDetail.
#pragma once

#include <cstdint>

#include "engine/packet/packet.h"
#include "sessiontable/session.h"
#include "sessiontable/tcp.h"

namespace linger {

// Whether the segment is a duplicate of the mirror port. Then it is counted, and that is all.
bool take_duplicate(const Session& session, const Packet& packet,
                    const TcpContext& context) noexcept;

// RFC 5681 §2. Asked before the segment joins.
bool is_duplicate_ack(const Session& session, const Packet& packet) noexcept;
void count_duplicate_ack(const Session& session, unsigned side, const TcpContext& context) noexcept;

// ECE and CWR outside the handshake, URG.
void count_marks(const Session& session, const Packet& packet, const TcpContext& context) noexcept;

// As long as its round trip times are measured.
void watch_rtt(const Session& session, const TcpContext& context) noexcept;

// A segment whose acknowledgment is its side's newest closes or opens that side's window.
void watch_window(const Session& session, const Packet& packet, const TcpContext& context) noexcept;

// TcpFeature of a SYN, SYN-ACK or any other segment; and a SYN that announces them.
std::uint8_t features_of(const TcpHeader& tcp) noexcept;
// SessionOpening::announced after a side's first segment, or any SYN of it.
std::uint64_t announced_by(const Packet& packet, std::uint64_t before) noexcept;
void announce(TcpHeader& syn, std::uint8_t features) noexcept;

}  // namespace linger
