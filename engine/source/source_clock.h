// The source clock (ARCHITECTURE.md, Time): the running maximum of timestamps, protected against a
// single wild value.
//
// A step of more than `jump` (1 h) in either direction counts only when the next packet confirms
// it: it lies on the same side, and time went on from where the step led. So a packet that steps is
// stamped when its successor is known (stamp_burst). A confirmed jump back never turns the clock
// back, it counts on from where it stood; one forward moves it by at most 400 days, more than any
// timeout. The clock ends at kClockMax. Owner: the source's thread. Cost: a few compares a packet.
#pragma once

#include <algorithm>

#include "engine/base/time.h"
#include "engine/packet/packet.h"

namespace linger {

// No source clock exceeds this, whatever times a capture claims: clock + timeout cannot overflow.
inline constexpr ClockNs kClockMax = INT64_MAX - 1000 * kDay;

class SourceClock {
 public:
  explicit SourceClock(DurationNs jump = kHour) noexcept : jump_(jump) {}

  ClockNs now() const noexcept { return now_; }

  // Stamps the packets in order and returns how many; one fewer than `count` when the last one
  // steps and its successor is not known yet. `is_end`: there is none.
  std::uint32_t stamp_burst(Packet* packets, std::uint32_t count, bool is_end) noexcept {
    std::uint32_t i = 0;
    while (i < count) {
      i += stamp_usual(packets + i, count - i);
      if (i == count) break;
      const bool is_last = i + 1 == count;
      if (is_last && !is_end && is_jump(packets[i].timestamp)) break;
      packets[i].clock = stamp(packets[i].timestamp, is_last ? nullptr : &packets[i + 1].timestamp);
      ++i;
    }
    return i;
  }

  // `next`: of the packet read after this one; null: there is none.
  ClockNs stamp(Timestamp timestamp, const Timestamp* next) noexcept {
    // Up to 2116 a Timestamp counts nanoseconds; until the start `reference_` lies beyond.
    if (is_unusual(timestamp)) [[unlikely]]
      return stamp_rare(timestamp, next);
    follow(timestamp, reference_, now_);
    return now_;
  }

 private:
  static constexpr DurationNs kForwardMax = 400 * kDay;

  // Those before the first that is unusual: how many. In registers, one step waits for the other.
  std::uint32_t stamp_usual(Packet* packets, std::uint32_t count) noexcept {
    Timestamp reference = reference_;
    ClockNs now = now_;
    const DurationNs jump = jump_;
    std::uint32_t i = 0;
    for (; i < count; ++i) {
      const Timestamp timestamp = packets[i].timestamp;
      if (is_unusual(timestamp, reference, jump)) [[unlikely]]
        break;
      follow(timestamp, reference, now);
      packets[i].clock = now;
    }
    reference_ = reference;
    now_ = now;
    return i;
  }

  static bool is_unusual(Timestamp timestamp, Timestamp reference, DurationNs jump) noexcept {
    const DurationNs step = timestamp.value - reference.value;
    const bool is_plain = (timestamp.value | reference.value) < kTimestampFineMax;
    return !is_plain || step > jump || step < -jump;
  }
  bool is_unusual(Timestamp timestamp) const noexcept {
    return is_unusual(timestamp, reference_, jump_);
  }
  // No branch on what is as good as random on a fast link: whether a packet is later than the one
  // before.
  static void follow(Timestamp timestamp, Timestamp& reference, ClockNs& now) noexcept {
    const DurationNs forward = std::max<DurationNs>(timestamp.value - reference.value, 0);
    reference.value += forward;
    now = std::min(now + forward, kClockMax);
  }
  bool is_jump(Timestamp timestamp) const noexcept {
    if (!is_unusual(timestamp) || !is_started_) return false;
    const DurationNs step = duration_between(reference_, timestamp);
    return step > jump_ || step < -jump_;
  }

  [[gnu::cold]] ClockNs stamp_rare(Timestamp timestamp, const Timestamp* next) noexcept {
    if (!is_started_) return start(timestamp);
    const DurationNs step = duration_between(reference_, timestamp);
    const bool is_step = step > jump_ || step < -jump_;
    if (is_step && !confirms(timestamp, next)) return now_;
    if (is_step) reference_ = timestamp;
    if (step > 0) advance(timestamp, std::min(step, kForwardMax));
    return now_;
  }

  ClockNs start(Timestamp timestamp) noexcept {
    is_started_ = true;
    reference_ = timestamp;
    now_ = timestamp.value < kTimestampFineMax ? timestamp.value : kTimestampFineMax;
    return now_;
  }

  void advance(Timestamp timestamp, DurationNs step) noexcept {
    reference_ = timestamp;
    now_ = step < kClockMax - now_ ? now_ + step : kClockMax;
  }

  // On a link that is quiet for hours each packet steps away from the one before.
  bool confirms(Timestamp stepped, const Timestamp* next) const noexcept {
    if (next == nullptr) return false;
    const bool is_same_side = (stepped > reference_) == (*next > reference_);
    const DurationNs from_reference = duration_between(reference_, *next);
    return is_same_side && (from_reference > jump_ || from_reference < -jump_) &&
           duration_between(stepped, *next) >= -jump_;
  }

  DurationNs jump_;
  ClockNs now_ = 0;
  Timestamp reference_{INT64_MAX};  // the timestamp that now_ stands for
  bool is_started_ = false;
};

}  // namespace linger
