// How the benchmarks here measure: pieces of work timed with the TSC, ours and the reference in
// turn, so that whatever else the machine does falls on both.
//
// A piece is made of parts, a burst each. A part during which the kernel gave the core to somebody
// else is left out. What is printed is the best piece of each side, their ratio, the median of ours
// and how far its slowest quarter lies above the best (spread, percent): on a shared machine the
// best piece is the truth about the code, the rest is about the neighbours. A benchmark with a
// budget says it in its label, as in "ratio <= 0.85"; table.py reads that.
#pragma once

#include <benchmark/benchmark.h>
#include <immintrin.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <thread>
#include <utility>
#include <vector>

namespace linger::bench {

inline std::uint64_t ticks() noexcept {
  _mm_lfence();
  const std::uint64_t now = __rdtsc();
  _mm_lfence();
  return now;
}

inline double nanoseconds_per_tick() {
  static const double value = [] {
    using Clock = std::chrono::steady_clock;
    const auto begin = Clock::now();
    const std::uint64_t first = ticks();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    const std::uint64_t last = ticks();
    const std::chrono::duration<double, std::nano> time = Clock::now() - begin;
    return time.count() / static_cast<double>(last - first);
  }();
  return value;
}

// The time of one side, in nanoseconds a unit (packet, session).
class Timing {
 public:
  template <class Work>
  void part(double units, Work&& work) {
    const std::uint64_t begin = ticks();
    work();
    const std::uint64_t taken = ticks() - begin;
    if (static_cast<double>(taken) * nanoseconds_per_tick() > kSuspicious && was_interrupted())
      return;
    ticks_ += taken;
    units_ += units;
  }

  // Ends a piece; the seconds it took.
  double piece() {
    const double time = static_cast<double>(ticks_) * nanoseconds_per_tick();
    if (units_ > 0) pieces_.push_back(time / units_);
    ticks_ = 0;
    units_ = 0;
    return time / 1e9;
  }

  double at(double quantile) const {  // 0: the best piece
    if (pieces_.empty()) return 0;
    std::vector<double> sorted = pieces_;
    std::sort(sorted.begin(), sorted.end());
    return sorted[static_cast<std::size_t>(quantile * static_cast<double>(sorted.size() - 1))];
  }

 private:
  static constexpr double kSuspicious = 50'000;  // ns; a switch to another process takes longer

  bool was_interrupted() {
    rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return std::exchange(switches_, usage.ru_nivcsw) != usage.ru_nivcsw;
  }

  long switches_ = 0;  // of this thread, against its will, when last looked at
  std::uint64_t ticks_ = 0;
  double units_ = 0;
  std::vector<double> pieces_;
};

inline void report(benchmark::State& state, const Timing& ours, const Timing& reference) {
  state.counters["ns"] = ours.at(0);
  state.counters["ns_median"] = ours.at(0.5);
  state.counters["spread_%"] = 100 * (ours.at(0.75) / ours.at(0) - 1);
  state.counters["ref_ns"] = reference.at(0);
  state.counters["ratio"] = ours.at(0) / reference.at(0);
}

}  // namespace linger::bench
