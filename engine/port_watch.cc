#include "engine/port_watch.h"

#include <algorithm>
#include <utility>

namespace linger {

void PortWatch::look(const std::vector<PortTotals>& totals, Timestamp now) {
  const bool is_first = seen_.empty();
  seen_.resize(totals.size());
  rates_.resize(totals.size());
  for (std::size_t i = 0; i < totals.size(); ++i) {
    const PortCounts& c = totals[i].sum;
    const std::uint64_t lost = c.lost.value_or(0) + c.unbuffered;
    if (lost > seen_[i].lost)
      losses_.add(port_set_of(i), is_first ? Timestamp{} : before_, {now.value + kWaiting});
    rates_[i].taken_worst = std::max(rates_[i].taken_worst, c.taken - seen_[i].taken);
    rates_[i].lost_worst = std::max(rates_[i].lost_worst, lost - seen_[i].lost);
    seen_[i].taken = c.taken;
    seen_[i].lost = lost;
  }
  before_ = now;
  ++looks_;
}

std::vector<PortWatch::Rates> PortWatch::take() {
  for (std::size_t i = 0; i < seen_.size() && looks_ != 0; ++i) {
    rates_[i].taken_mean = (seen_[i].taken - seen_[i].taken_at_take) / looks_;
    rates_[i].lost_mean = (seen_[i].lost - seen_[i].lost_at_take) / looks_;
    seen_[i].taken_at_take = seen_[i].taken;
    seen_[i].lost_at_take = seen_[i].lost;
  }
  looks_ = 0;
  return std::exchange(rates_, std::vector<Rates>(seen_.size()));
}

}  // namespace linger
