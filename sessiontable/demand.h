// How many sessions a full table would hold if it were large enough: a running estimate.
//
// Each session that leaves early would have stayed for the rest of its timeout, or until it comes
// back. Over a window of time, the sum of these rests by the length of the window is how many of
// them would be there (Little's law). Owner: one shard.
#pragma once

#include <algorithm>
#include <cstdint>

#include "engine/base/int128.h"
#include "engine/base/time.h"

namespace linger {

class Demand {
 public:
  // A session leaves at `now`, `rest` before its deadline. The sessions missing from the table by
  // the windows so far, at most.
  std::uint64_t left_early(ClockNs now, DurationNs rest) noexcept {
    if (now - window_start_ > kWindow) rests_ = 0, window_start_ = now;
    rests_ += rest;
    ++left_;
    const DurationNs window = std::max(now - window_start_, kSecond);
    const auto missing = static_cast<std::uint64_t>(std::max<int128>(rests_, 0) / window);
    missing_ = std::max(missing_, std::min(missing, left_));  // never more than have left
    return missing_;
  }
  // One of them goes on, `rest` before it would have left: another one stands for it from now on.
  void came_back(DurationNs rest) noexcept {
    rests_ -= std::max<DurationNs>(rest, 0);
    left_ -= std::min<std::uint64_t>(left_, 1);
  }

 private:
  static constexpr DurationNs kWindow = 10 * kSecond;

  int128 rests_ = 0;
  ClockNs window_start_ = 0;
  std::uint64_t left_ = 0;
  std::uint64_t missing_ = 0;
};

}  // namespace linger
