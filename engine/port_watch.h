// Looks at the ports of a live run every 100 ms: when they lost packets, and the worst 100 ms of
// what they took and lost, which an average hides. Owner: the control thread; the log of losses is
// read by shards.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/loss_log.h"
#include "engine/source/live_port.h"

namespace linger {

class PortWatch {
 public:
  // Packets of one port in 100 ms, since the last take().
  struct Rates {
    std::uint64_t taken_mean = 0;
    std::uint64_t taken_worst = 0;
    std::uint64_t lost_mean = 0;
    std::uint64_t lost_worst = 0;
  };

  // What waited in a port's ring while others found it full is taken, and often stamped, after the
  // look that finds the loss: a loss reaches so far beyond it.
  static constexpr DurationNs kWaiting = 100 * kMillisecond;

  void look(const std::vector<PortTotals>& totals, Timestamp now);

  // For each port; then it begins anew.
  std::vector<Rates> take();

  const LossLog& losses() const noexcept { return losses_; }

 private:
  struct Seen {
    std::uint64_t taken = 0;
    std::uint64_t lost = 0;
    std::uint64_t taken_at_take = 0;
    std::uint64_t lost_at_take = 0;
  };

  LossLog losses_;
  Timestamp before_;
  std::vector<Seen> seen_;  // of each port when we looked
  std::vector<Rates> rates_;
  std::uint64_t looks_ = 0;  // since the last take()
};

}  // namespace linger
