// Ticks of a network card's clock as times, by comparing it with the system's clock now and then.
//
// Neither rate nor epoch of the card need be known, and drift is followed: the rate is that between
// two comparisons kSpan to 2 x kSpan apart, the offset that of the last one. Until there are two
// comparisons kShortest apart it knows nothing. A card whose times disagree with the system's by
// more than kDisagreement, as when its clock is set or stands still, is not believed again. Owner:
// one thread. Cost: a multiplication.
#pragma once

#include <cstdint>
#include <optional>

#include "engine/base/time.h"

namespace linger {

class TickClock {
 public:
  static constexpr DurationNs kPeriod = 100 * kMillisecond;  // between comparisons
  static constexpr DurationNs kShortest = 50 * kMillisecond;
  static constexpr DurationNs kSpan = 2 * kSecond;
  static constexpr DurationNs kDisagreement = kSecond;

  // Reads of both clocks at the same moment.
  void compare(std::uint64_t ticks, Timestamp system) noexcept {
    last_compared_ = system.value;
    if (!is_started_) {
      is_started_ = true;
      base_ = middle_ = last_ = {ticks, system.value};
      return;
    }
    if (rate_ > 0 && is_apart(time_at(ticks), system.value)) is_trusted_ = false;
    last_ = {ticks, system.value};
    if (last_.system - middle_.system >= kSpan) base_ = middle_, middle_ = last_;
    const auto elapsed = static_cast<double>(static_cast<std::int64_t>(ticks - base_.ticks));
    if (last_.system - base_.system < kShortest) return;
    if (elapsed <= 0) return void(is_trusted_ = false);
    rate_ = static_cast<double>(last_.system - base_.system) / elapsed;
  }

  // The card's clock could not be read.
  void miss(Timestamp system) noexcept { last_compared_ = system.value; }

  // At once when the system's clock was set back.
  bool is_due(Timestamp system) const noexcept {
    const DurationNs since = system.value - last_compared_;
    return since >= kPeriod || since < 0;
  }
  bool is_trusted() const noexcept { return is_trusted_; }

  // Nothing while the clock is not known or a packet's time is off by more than kDisagreement.
  std::optional<Timestamp> time_of(std::uint64_t ticks, Timestamp system) noexcept {
    if (rate_ <= 0 || !is_trusted_) return {};
    const std::int64_t time = time_at(ticks);
    if (!is_apart(time, system.value)) return Timestamp{time};
    is_trusted_ = false;
    return {};
  }

 private:
  struct Moment {
    std::uint64_t ticks = 0;
    std::int64_t system = 0;
  };

  std::int64_t time_at(std::uint64_t ticks) const noexcept {
    const auto since = static_cast<double>(static_cast<std::int64_t>(ticks - last_.ticks));
    const double time = since * rate_;
    constexpr double kFar = 1e17;  // three years: not to overflow
    return last_.system + static_cast<std::int64_t>(time > kFar    ? kFar
                                                    : time < -kFar ? -kFar
                                                                   : time);
  }
  static bool is_apart(std::int64_t a, std::int64_t b) noexcept {
    return a - b > kDisagreement || b - a > kDisagreement;
  }

  Moment base_, middle_, last_;
  double rate_ = 0;  // nanoseconds in a tick; 0: not known yet
  std::int64_t last_compared_ = INT64_MIN / 2;
  bool is_started_ = false;
  bool is_trusted_ = true;
};

}  // namespace linger
