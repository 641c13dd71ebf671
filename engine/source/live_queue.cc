#include "engine/source/live_queue.h"

#include <time.h>

namespace linger {
namespace {

std::int64_t read_clock(clockid_t clock) noexcept {
  timespec now{};
  clock_gettime(clock, &now);
  return now.tv_sec * kSecond + now.tv_nsec;
}

}  // namespace

Timestamp system_time() noexcept { return {read_clock(CLOCK_REALTIME)}; }
std::int64_t monotonic_ns() noexcept { return read_clock(CLOCK_MONOTONIC); }

RxStatus LiveQueue::rx(Burst& burst) noexcept {
  held_.begin(burst);
  if (is_lost_.load(std::memory_order_relaxed) && !is_draining_) drain();
  // Before it looks: a thread that is put aside behind a look has seen no pause.
  const std::int64_t now = is_draining_ ? monotonic_ns() : 0;
  const std::uint32_t received =
      is_closed(now) ? 0 : receive(burst.packets.data() + burst.count, kBurstMax - burst.count);
  burst.count += received;
  counters_.taken.add(received);
  const bool is_end = received == 0 && (is_closed(now) || is_drained(now));
  if (received != 0 && is_draining_) last_packet_ = monotonic_ns();
  if (burst.count != 0) {
    held_.stamp(clock_, burst, received == 0);
  } else if (!options_.is_recorded) {
    const Timestamp time = empty_to();
    clock_.stamp(time, &time);
  }
  burst.clock = clock_.now();
  if (burst.count != 0) return RxStatus::packets;
  if (!is_end) return RxStatus::idle;
  has_ended_.store(true, std::memory_order_release);
  return RxStatus::end;
}

bool LiveQueue::drain() noexcept {
  refuse_more();
  is_draining_ = true;
  last_packet_ = monotonic_ns();
  drain_until_ = last_packet_ + options_.drain_max;
  return true;
}

bool LiveQueue::is_closed(std::int64_t now) const noexcept {
  return is_draining_ && now >= drain_until_;
}

bool LiveQueue::is_drained(std::int64_t now) const noexcept {
  return is_draining_ && now - last_packet_ >= options_.drain_pause;
}

}  // namespace linger
