// Round trip times of a TCP session's data: from a segment that one side sends to the other's
// acknowledgment of it, as the observer sees both. That is the way from the observer to the other
// side and back, with the time that side takes to acknowledge.
//
//     by numbers      an ACK at or beyond the segment's end; not of a segment that was sent again
//                     meanwhile, as it is not known which was answered (Karn; RFC 6298 §3)
//     by timestamps   of such a segment too, when the ACK echoes the first one's (RFC 7323 §4.1)
//
// A session is measured in bursts of kStarts packets, so that all its others take the short way
// through the table: with the 64th, 256th, 1024th and each 4096th packet of a side (of its opening
// the handshake tells). Where segments are lost, these may tell nothing; then the next kTries do.
// Meanwhile it is watched (kSessionWatched); a segment that is under way when the burst ends is
// waited for during kWatched packets.
//
// Owner: one shard. Limit: its share of rttPool (rare_pool.h). Memory: 72 bytes for a session that
// was measured. Cost: bench/track_bench, whose sessions are measured once in 157 packets.
#pragma once

#include <array>
#include <cstdint>

#include "engine/base/time.h"
#include "engine/packet/packet.h"
#include "sessiontable/rare_pool.h"
#include "sessiontable/session.h"

namespace linger {

struct RttSide {                              // of segments that this side sent
  Timestamp sent;                             // of the one that is waited for
  std::uint32_t end;                          // of its numbers
  std::uint32_t timestamp;                    // its TSval
  std::uint32_t min_ns, smoothed_ns, max_ns;  // saturating (4.3 s); smoothed as in RFC 6298 §2
  std::uint16_t samples;                      // saturating
  bool is_waiting : 1, has_timestamp : 1, was_repeated : 1;
};

struct TcpRtt {
  static constexpr std::uint16_t kWatched = 1024;  // packets
  static constexpr std::uint16_t kStarts = 4;      // of them: a measurement begins with these only
  static constexpr std::uint16_t kTries = 64;      // or with these, as long as none told anything

  std::array<RttSide, 2> sides;
  std::uint16_t left;  // of kWatched
  bool has_sample;     // since it is watched

  bool is_watching() const noexcept { return left != 0; }
  bool may_begin() const noexcept { return left > kWatched - (has_sample ? kStarts : kTries); }
};
static_assert(sizeof(TcpRtt) == 72);

// Whether a side's packet of this number (the first is 1) begins a measurement.
constexpr bool is_rtt_due(std::uint32_t number) noexcept {
  if (number % 64 != 0) [[likely]]
    return false;
  return number == 64 || number == 256 || number == 1024 || number % 4096 == 0;
}

// A segment of an open session, but SYN or RST, that is counted and has not changed the session.
void measure_rtt(TcpRtt& rtt, const SessionHot& hot, const Packet& packet) noexcept;

inline std::uint32_t& next_of(TcpRtt& free) noexcept { return free.sides[0].end; }
using RttPool = RarePool<TcpRtt>;

}  // namespace linger
