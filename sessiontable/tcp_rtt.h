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
// the handshake tells). Meanwhile it is watched (kSessionWatched); a segment that is under way when
// the burst ends is waited for during kWatched packets.
//
// Owner: one shard. Limit: its share of rttPool, taken at start; when it is dry, a session goes
// without (counted, and marked on its record). Memory: 72 bytes for a session that was measured,
// touched as used. Cost: bench/track_bench, whose sessions are measured once in 157 packets.
#pragma once

#include <array>
#include <cstdint>

#include "engine/base/counter.h"
#include "engine/base/mapping.h"
#include "engine/base/time.h"
#include "engine/packet/packet.h"
#include "sessiontable/flow_index.h"
#include "sessiontable/free_list.h"
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

  std::array<RttSide, 2> sides;
  std::uint16_t left;  // of kWatched

  bool is_watching() const noexcept { return left != 0; }
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

class RttPool {
 public:
  static constexpr std::uint32_t kMissing = kNoSlot - 1;  // instead of a place: there was none left
  static constexpr std::size_t kBytesPerBlock = sizeof(TcpRtt);

  RttPool(std::uint32_t capacity, Counter& dry) : blocks_(capacity), free_(capacity), dry_(dry) {}

  TcpRtt* find(std::uint32_t place) noexcept {
    return place < kMissing ? &blocks_[place] : nullptr;
  }
  // The block at this place; a new one, and its place, if there is none yet. Null: missing.
  TcpRtt* get(std::uint32_t& place) noexcept;
  void prefetch(std::uint32_t place) const noexcept {
    if (place >= kMissing) return;
    const char* block = reinterpret_cast<const char*>(&blocks_.data()[place]);
    __builtin_prefetch(block, 1, 2);
    __builtin_prefetch(block + kBytesPerBlock - 1, 1, 2);
  }
  // Any value that a session may hold.
  void release(std::uint32_t place) noexcept;

  std::uint64_t bytes() const noexcept { return blocks_.bytes(); }
  void populate() noexcept { blocks_.populate(); }

 private:
  auto next_of() noexcept {  // in a free block
    return [this](std::uint32_t place) -> std::uint32_t& { return blocks_[place].sides[0].end; };
  }

  Array<TcpRtt> blocks_;
  FreeList free_;
  Counter& dry_;
};

}  // namespace linger
