#include "engine/port_watch.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace linger {
namespace {

std::uint64_t in_a_period(std::uint64_t packets, DurationNs elapsed) noexcept {
  const double periods = std::max(1.0, static_cast<double>(elapsed) / PortWatch::kPeriod);
  return static_cast<std::uint64_t>(std::llround(static_cast<double>(packets) / periods));
}

}  // namespace

void PortWatch::look(const std::vector<PortTotals>& totals, Timestamp now, DurationNs moment) {
  if (seen_.empty() || moment - moment_ >= kPeriod) look_now(totals, now, moment);
}

void PortWatch::look_now(const std::vector<PortTotals>& totals, Timestamp now, DurationNs moment) {
  const bool is_first = seen_.empty();
  const DurationNs elapsed = moment - moment_;
  seen_.resize(totals.size());
  rates_.resize(totals.size());
  for (std::size_t i = 0; i < totals.size(); ++i) {
    const PortCounts& c = totals[i].sum;
    // A device that is gone does not tell any more; what it had lost stays lost.
    const std::uint64_t lost = std::max(seen_[i].lost, c.lost.value_or(0) + c.unbuffered);
    if (lost > seen_[i].lost)
      losses_.add(port_set_of(i), is_first ? Timestamp{} : std::min(before_, now),
                  {now.value + kWaiting});
    if (!is_first) {
      rates_[i].taken_worst =
          std::max(rates_[i].taken_worst, in_a_period(c.taken - seen_[i].taken, elapsed));
      rates_[i].lost_worst =
          std::max(rates_[i].lost_worst, in_a_period(lost - seen_[i].lost, elapsed));
    }
    seen_[i].taken = c.taken;
    seen_[i].lost = lost;
  }
  if (is_first) taken_at_ = moment;
  before_ = now;
  moment_ = moment;
}

std::vector<PortWatch::Rates> PortWatch::take() {
  const DurationNs elapsed = moment_ - taken_at_;
  for (std::size_t i = 0; i < seen_.size(); ++i) {
    rates_[i].taken_mean = in_a_period(seen_[i].taken - seen_[i].taken_at_take, elapsed);
    rates_[i].lost_mean = in_a_period(seen_[i].lost - seen_[i].lost_at_take, elapsed);
    seen_[i].taken_at_take = seen_[i].taken;
    seen_[i].lost_at_take = seen_[i].lost;
  }
  taken_at_ = moment_;
  return std::exchange(rates_, std::vector<Rates>(seen_.size()));
}

}  // namespace linger
