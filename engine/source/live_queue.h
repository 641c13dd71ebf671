// One receive queue of a live port, as a source: what all of them have in common.
//
// Stamps the source clock, on empty polls too, so that a quiet link expires on time, but with no
// time of which packets may still come. A step in time waits for the packet after it, as in a
// replay. drain() ends with the first pause after it, or when a device that cannot be quietened has
// gone on for drain_max. A device that is taken away drains too: what it has left behind is
// received. Recorded queues (net_pcap playing a file) tell the times of their packets only. Owner:
// one shard; counters are read by anybody.
#pragma once

#include <atomic>
#include <cstdint>

#include "engine/base/counter.h"
#include "engine/source/held_packet.h"
#include "engine/source/source.h"
#include "engine/source/source_clock.h"

namespace linger {

struct LiveQueueOptions {
  DurationNs clock_jump = kHour;
  DurationNs behind = 0;       // so old may packets be when they come
  DurationNs drain_pause = 0;  // a device may hold packets back for so long
  DurationNs drain_max = 2 * kSecond;
  bool is_recorded = false;
};

// Nanoseconds since 1970 by the system's clock; no system call where the vDSO has it.
Timestamp system_time() noexcept;
std::int64_t monotonic_ns() noexcept;

class LiveQueue : public Source {
 public:
  explicit LiveQueue(const LiveQueueOptions& options)
      : options_(options), clock_(options.clock_jump) {}

  RxStatus rx(Burst& burst) noexcept final;
  bool drain() noexcept final;
  bool is_recorded() const noexcept final { return options_.is_recorded; }

  // The device is gone: the queue ends once nothing more comes of it. Any thread.
  void lose_device() noexcept { is_lost_.store(true, std::memory_order_relaxed); }
  // It is gone and the queue has ended, so that its counters stay. Any thread.
  bool has_lost_device() const noexcept {
    return has_ended_.load(std::memory_order_acquire) && is_lost_.load(std::memory_order_relaxed);
  }

  struct alignas(64) Counters {
    Counter taken;
    Counter filtered;
    Counter early;
    Counter unbuffered;
    Counter cut;
  };
  const Counters& counters() const noexcept { return counters_; }

 protected:
  // Fills what a source fills but the clock, at most `room` packets, each with a buffer. Bytes stay
  // until the next call and while the buffer has users.
  virtual std::uint32_t receive(Packet* packets, std::uint32_t room) noexcept = 0;
  // After a receive() that found nothing: no packet that is before this may still come.
  virtual Timestamp empty_to() const noexcept { return {system_time().value - options_.behind}; }
  // What arrives from now on is not received, as far as the device can do that.
  virtual void refuse_more() noexcept {}

  Counters counters_;

 private:
  bool is_closed(std::int64_t now) const noexcept;  // monotonic clock
  bool is_drained(std::int64_t now) const noexcept;

  const LiveQueueOptions options_;
  SourceClock clock_;
  HeldPacket held_;
  std::atomic<bool> is_lost_{false};
  std::atomic<bool> has_ended_{false};  // released by the shard with all that it counted
  bool is_draining_ = false;
  std::int64_t drain_until_ = 0;  // monotonic clock: at the latest
  std::int64_t last_packet_ = 0;  // monotonic clock, while draining
};

// Of the queues of one shard: what time it is in a poll, the same for all of them. A queue whose
// packets wait is left out of a poll. Owner: the shard.
class alignas(64) Pace {
 public:
  // Before the first poll: in each, queues ask in the order in which they took their places.
  std::uint32_t take_place() noexcept { return places_++; }

  Timestamp now(std::uint32_t place) noexcept {
    if (place <= last_) now_ = system_time();  // the first one in this poll
    last_ = place;
    return now_;
  }

 private:
  std::uint32_t places_ = 0;
  std::uint32_t last_ = UINT32_MAX;
  Timestamp now_;
};

}  // namespace linger
