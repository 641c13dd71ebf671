// A burst's last packet that steps in time: it waits for its successor, which confirms the step
// (SourceClock), and is the first of the next burst.
//
// Meanwhile, and while that burst is out, it counts as a user of its buffer. Owner: one source.
#pragma once

#include <atomic>
#include <utility>

#include "engine/packet/packet.h"
#include "engine/source/source_clock.h"

namespace linger {

class HeldPacket {
 public:
  // A new burst; the one before is finished.
  void begin(Burst& burst) noexcept {
    release();
    burst.count = 0;
    if (!std::exchange(is_waiting_, false)) return;
    burst.packets[burst.count++] = packet_;
    buffer_ = packet_.buffer;
  }

  // SourceClock::stamp_burst(); what it leaves over waits. `is_end`: no packet comes any more.
  void stamp(SourceClock& clock, Burst& burst, bool is_end) noexcept {
    const std::uint32_t stamped = clock.stamp_burst(burst.packets.data(), burst.count, is_end);
    if (stamped == burst.count) return;
    packet_ = burst.packets[stamped];
    is_waiting_ = true;
    packet_.buffer->users.fetch_add(1, std::memory_order_relaxed);
    if (stamped == 0) release();  // it has waited before
    burst.count = stamped;
  }

 private:
  void release() noexcept {
    if (buffer_ == nullptr) return;
    buffer_->users.fetch_sub(1, std::memory_order_release);
    buffer_ = nullptr;
  }

  Packet packet_;
  bool is_waiting_ = false;
  PacketBuffer* buffer_ = nullptr;  // of the packet that had waited, in the burst now out
};

}  // namespace linger
