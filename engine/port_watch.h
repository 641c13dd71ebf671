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
  // Packets of one port in 100 ms, since the last take(). The control thread may look later than it
  // wanted: a longer look counts as its mean in 100 ms.
  struct Rates {
    std::uint64_t taken_mean = 0;
    std::uint64_t taken_worst = 0;
    std::uint64_t lost_mean = 0;
    std::uint64_t lost_worst = 0;
  };

  // What waited in a port's ring while others found it full is taken, and often stamped, after the
  // look that finds the loss: a loss reaches so far beyond it.
  static constexpr DurationNs kWaiting = 100 * kMillisecond;
  static constexpr DurationNs kPeriod = 100 * kMillisecond;

  // `moment`: now by a clock that nobody sets. A look within kPeriod of the last one is left out.
  void look(const std::vector<PortTotals>& totals, Timestamp now, DurationNs moment);
  // However short ago the last one was: before shards end what is open, and at the end of a run.
  void look_now(const std::vector<PortTotals>& totals, Timestamp now, DurationNs moment);

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
  Timestamp before_;         // when we looked
  DurationNs moment_ = 0;    // the same, by the other clock;
  DurationNs taken_at_ = 0;  // and at the last take()
  std::vector<Seen> seen_;   // of each port then
  std::vector<Rates> rates_;
};

}  // namespace linger
