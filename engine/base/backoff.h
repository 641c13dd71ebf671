// How a thread waits for another one to go on, where it may: a moment without leaving its core,
// then it lets others run, then it sleeps, so that a machine with fewer cores than threads gives
// them to those that have work.
//
// Owner: the waiting thread, one for each wait. Cost: some 3 us of pauses, then a system call each;
// asleep it is late by some 0.1 ms, which a ring of thousands bridges.
#pragma once

#include <emmintrin.h>
#include <sched.h>
#include <time.h>

namespace linger {

class Backoff {
 public:
  void wait() noexcept {
    if (waits_ < kPauses) {
      _mm_pause();
    } else if (waits_ < kPauses + kYields) {
      sched_yield();
    } else {
      constexpr timespec kNap = {0, 50'000};
      nanosleep(&kNap, nullptr);
      return;
    }
    ++waits_;
  }
  void reset() noexcept { waits_ = 0; }

 private:
  static constexpr int kPauses = 64, kYields = 16;
  int waits_ = 0;
};

}  // namespace linger
