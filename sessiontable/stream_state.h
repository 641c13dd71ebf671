// What is kept of a session while its bytes are read: one Stream for both directions, and blocks
// that hold payload which came before its turn.
//
//     Stream     128 bytes    the reader's number and, for each side, where it stands
//     HeldBlock 2048 bytes    a piece of payload beyond a hole, or one that waits for what it
//                             acknowledges; a list for each side, in sequence order
//
//     sequence   ──────────── next ░░ hole ░░ ▓ held ▓ ░░ hole ░░ ▓ held ▓▓ held ▓
//                 delivered   ^offset         ^first                      ^last
//
// Owner: one shard.
#pragma once

#include <array>
#include <cstdint>

#include "engine/base/time.h"

namespace linger {

inline constexpr std::uint32_t kNoStream = UINT32_MAX;
inline constexpr std::uint32_t kStreamDry = UINT32_MAX - 1;   // wanted, but there was none left
inline constexpr std::uint32_t kStreamMute = UINT32_MAX - 2;  // was read, and has nothing to tell
inline constexpr std::uint32_t kNoBlock = UINT32_MAX;

struct StreamSide {
  std::uint64_t offset;      // of the next byte: what was delivered, and gaps
  std::uint64_t unseen_end;  // offset that the peer acknowledged; not beyond `offset`: all came
  ClockNs unseen_clock;      // when the peer's ACK of bytes that have not come was first seen
  std::uint32_t next;        // sequence number of the next byte
  std::uint32_t fin;         // sequence number of the FIN
  std::uint32_t first;       // held block nearest to `next`; kNoBlock: none
  std::uint32_t last;        // held block farthest from it
  std::uint16_t blocks;      // held
  bool has_started : 1, has_fin : 1, is_done : 1;
  bool is_passed_over : 1;  // until the other side speaks

  bool takes_bytes() const noexcept { return !is_done && !is_passed_over; }
  bool is_reading() const noexcept { return has_started && takes_bytes(); }
  bool is_silent() const noexcept { return offset == 0 && first == kNoBlock; }  // up to now
  bool has_unseen() const noexcept { return unseen_end > offset; }
  std::uint32_t unseen_sequence() const noexcept {  // of unseen_end
    return next + static_cast<std::uint32_t>(unseen_end - offset);
  }
  void wake() noexcept {  // reads on from what comes next
    if (is_passed_over) is_passed_over = has_started = 0, unseen_end = 0;
  }
};

// Both sides in two neighbouring lines: a segment carries bytes of one and acknowledges the other.
struct alignas(64) Stream {
  std::uint32_t reader;  // the sink's own number for this session
  bool is_open;
  std::uint8_t conflicts;  // bit per side: it sent other bytes for numbers that were held
  std::array<StreamSide, 2> sides;
};
static_assert(sizeof(Stream) == 128);

struct HeldBlock {
  static constexpr std::uint32_t kBytesMax = 2048 - 28;

  Timestamp time;       // of its first byte
  std::uint32_t next;   // the block behind it, also the free list's link
  std::uint32_t begin;  // sequence number of its first byte
  std::uint32_t after;  // it waits for the other side to get there
  std::uint32_t bytes;
  std::uint32_t ahead;  // a block far behind it, for who walks the list; kNoBlock: none is known
  std::array<std::uint8_t, kBytesMax> data;

  std::uint32_t end() const noexcept { return begin + bytes; }
};
static_assert(sizeof(HeldBlock) == 2048);

// Payload of a segment, or what is left of it.
struct Payload {
  std::uint32_t sequence;  // of the first byte
  std::uint32_t bytes;     // as sent
  std::uint32_t captured;  // of them, from the first on, are there
  const std::uint8_t* data;
  Timestamp time;       // when they were captured
  std::uint32_t after;  // it acknowledges the other side's bytes before

  std::uint32_t end() const noexcept { return sequence + bytes; }
  void drop_front(std::uint32_t count) noexcept {
    const std::uint32_t there = count < captured ? count : captured;
    sequence += count;
    bytes -= count;
    captured -= there;
    data += there;
  }
  Payload front(std::uint32_t count) const noexcept {
    if (count >= bytes) return *this;
    Payload part = *this;
    part.bytes = count;
    part.captured = count < captured ? count : captured;
    return part;
  }
};

}  // namespace linger
