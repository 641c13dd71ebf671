#include "output/links.h"

#include <algorithm>
#include <limits>

namespace linger {

Links::Links(std::size_t shard_count) {
  for (std::size_t i = 0; i < shard_count; ++i) inlets_.push_back(std::make_unique<Inlet>());
}

// The clocks first: what was handed before them is then in the rings.
void Links::refresh() {
  ClockNs clock = std::numeric_limits<ClockNs>::max();
  for (const auto& inlet : inlets_)
    clock = std::min(clock, inlet->clock.load(std::memory_order_acquire));
  std::uint64_t lost = 0;
  for (const auto& inlet : inlets_) {
    inlet->ring.consume_all([this](const RecordLink& link) { add(link); });
    lost += inlet->lost.value();
  }
  counters_.links_lost.raise_to(lost);
  known_until_ = clock;
}

void Links::add(const RecordLink& link) {
  const auto [place, is_new] =
      known_.try_emplace({link.key, link.from, link.clock, link.id}, Known{link});
  if (!is_new) return;
  by_age_.push_back(place);
  if (by_age_.size() <= kLinksMax) return;
  if (!by_age_.front()->second.was_found) counters_.links_forgotten.add();
  known_.erase(by_age_.front());
  by_age_.pop_front();
}

const RecordLink* Links::find(const Record& record) {
  const LinkKey key = LinkKey::of_endpoint(record.ip_version, record.address[1], record.port[1]);
  constexpr ClockNs kLast = std::numeric_limits<ClockNs>::max();
  int tries = kTriesMax;
  auto at = known_.upper_bound({key, record.start, kLast, {UINT64_MAX, UINT64_MAX}});
  while (at != known_.begin() && tries-- > 0) {
    Known& known = (--at)->second;
    if (known.link.key != key) return nullptr;
    if (known.link.clock > record.clock || known.link.until < record.start) continue;
    known.was_found = true;
    counters_.linked.add();
    return &known.link;
  }
  return nullptr;
}

}  // namespace linger
