// When packets were lost, so that records of sessions that their ports saw at that time can say so.
//
// The control thread reads the ports' counters every 100 ms and notes the interval in which one of
// them rose, for each port of a PortSet; a shard notes what another one had no room for
// (handoff.h); shards ask when they make a record. Limit: the last kIntervals of each, those that
// meet, or go back in time, joined; what reaches back beyond them counts as lossy. One writer;
// readers see an interval as soon as its number is released (with overlaps()), and that another one
// has its place by now. Cost for a shard without losses: one load.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>

#include "engine/base/port_set.h"
#include "engine/base/time.h"

namespace linger {

class LossLog {
 public:
  static constexpr std::uint64_t kIntervals = 256;

  // The writer. Costs least in order of time.
  void add(PortSet ports, Timestamp from, Timestamp to) noexcept {
    for (unsigned bits = ports; bits != 0; bits &= bits - 1)
      logs_[static_cast<std::size_t>(std::countr_zero(bits))].add(from, to);
    lossy_.store(lossy_.load(std::memory_order_relaxed) | ports, std::memory_order_release);
  }

  // Whether any of these ports lost packets in an interval that meets [first, last]. Any thread.
  bool overlaps(PortSet ports, Timestamp first, Timestamp last) const noexcept {
    // With the release of add().
    for (unsigned bits = ports & lossy_.load(std::memory_order_acquire); bits != 0;
         bits &= bits - 1)
      if (logs_[static_cast<std::size_t>(std::countr_zero(bits))].overlaps(first, last))
        return true;
    return false;
  }

 private:
  class OnePort {
   public:
    void add(Timestamp from, Timestamp to) noexcept {
      const std::uint64_t count = count_.load(std::memory_order_relaxed);
      if (count != 0 && at(count - 1).to.load(std::memory_order_relaxed) >= from.value)
        return at(count - 1).widen(from, to);
      // With overlaps(): who sees one of them sees the count as well.
      at(count).from.store(from.value, std::memory_order_release);
      at(count).to.store(to.value, std::memory_order_release);
      count_.store(count + 1, std::memory_order_release);
    }

    bool overlaps(Timestamp first, Timestamp last) const noexcept {
      const std::uint64_t count = count_.load(std::memory_order_acquire);
      for (std::uint64_t back = 1; back <= count; ++back) {
        if (back > kIntervals) return true;
        const Interval& interval = at(count - back);
        const std::int64_t to = interval.to.load(std::memory_order_acquire);
        const std::int64_t from = interval.from.load(std::memory_order_acquire);
        if (count_.load(std::memory_order_relaxed) - (count - back) > kIntervals) return true;
        if (to < first.value) return false;
        if (from <= last.value) return true;
      }
      return false;
    }

   private:
    struct Interval {
      std::atomic<std::int64_t> from{0};
      std::atomic<std::int64_t> to{0};

      void widen(Timestamp first, Timestamp last) noexcept {
        if (first.value < from.load(std::memory_order_relaxed))
          from.store(first.value, std::memory_order_relaxed);
        if (last.value > to.load(std::memory_order_relaxed))
          to.store(last.value, std::memory_order_relaxed);
      }
    };

    Interval& at(std::uint64_t index) noexcept { return intervals_[index % intervals_.size()]; }
    const Interval& at(std::uint64_t index) const noexcept {
      return intervals_[index % intervals_.size()];
    }

    std::array<Interval, kIntervals + 1> intervals_{};  // one more, to write the next into
    std::atomic<std::uint64_t> count_{0};
  };

  std::array<OnePort, kPortBits> logs_{};
  std::atomic<unsigned> lossy_{0};  // ports that have lost any
};

}  // namespace linger
