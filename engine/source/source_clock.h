// The source clock (DESIGN §2): the running maximum of timestamps, protected against a single wild
// value.
//
// A step of more than `jump` (1 h) in either direction counts only when the next packet confirms
// it: until then the clock stands. A confirmed jump back never turns the clock back, it counts on
// from where it stood. A confirmed jump forward moves the clock by at most 400 days, more than any
// timeout; the clock ends at kClockMax. Owner: the source's thread. Cost: a few compares a packet.
#pragma once

#include <algorithm>

#include "engine/base/time.h"

namespace linger {

// No source clock exceeds this, whatever times a capture claims: clock + timeout cannot overflow.
inline constexpr ClockNs kClockMax = INT64_MAX - 1000 * kDay;

class SourceClock {
 public:
  explicit SourceClock(DurationNs jump = kHour) noexcept : jump_(jump) {}

  ClockNs now() const noexcept { return now_; }

  ClockNs stamp(Timestamp timestamp) noexcept {
    // Up to 2116 a Timestamp counts nanoseconds; until the start `reference_` lies beyond.
    // No branch on whether a packet is later than the one before: on a fast link that is random.
    const DurationNs step = timestamp.value - reference_.value;
    const bool is_plain = (timestamp.value | reference_.value) < kTimestampFineMax;
    if (!is_plain || step > jump_ || step < -jump_) [[unlikely]]
      return stamp_rare(timestamp);
    const DurationNs forward = std::max<DurationNs>(step, 0);
    reference_.value += forward;
    now_ = std::min(now_ + forward, kClockMax);
    is_pending_ = false;
    return now_;
  }

 private:
  static constexpr DurationNs kForwardMax = 400 * kDay;

  [[gnu::cold]] ClockNs stamp_rare(Timestamp timestamp) noexcept {
    if (!is_started_) return start(timestamp);
    const DurationNs step = duration_between(reference_, timestamp);
    if (step > jump_ || step < -jump_) return jumped(timestamp);
    is_pending_ = false;
    if (step > 0) advance(timestamp, step);
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

  // The next packet confirms a jump when it lies on the same side and time went on from where the
  // jump led. When it is itself a jump from there (a link that is quiet for hours), it waits for
  // its own confirmation.
  ClockNs jumped(Timestamp timestamp) noexcept {
    const DurationNs from_pending = duration_between(pending_at_, timestamp);
    const bool is_same_side = (pending_at_ > reference_) == (timestamp > reference_);
    if (is_pending_ && is_same_side && from_pending >= -jump_) {
      const DurationNs step = duration_between(reference_, pending_at_);
      reference_ = pending_at_;
      if (step > 0) advance(pending_at_, step < kForwardMax ? step : kForwardMax);
      if (from_pending <= jump_) {
        is_pending_ = false;
        if (from_pending > 0) advance(timestamp, from_pending);
        return now_;
      }
    }
    is_pending_ = true;
    pending_at_ = timestamp;
    return now_;
  }

  DurationNs jump_;
  ClockNs now_ = 0;
  Timestamp reference_{INT64_MAX};  // the timestamp that now_ stands for
  Timestamp pending_at_;            // where an unconfirmed jump went
  bool is_started_ = false;
  bool is_pending_ = false;
};

}  // namespace linger
