// What a full session table does (DESIGN §4, Full table): SessionTable's part that makes room.
#include "sessiontable/session_table.h"

namespace linger {
namespace {

constexpr int kIncarnationsMax = 4;  // of one key in the table at a time
constexpr int kEvictionSteps = 8;    // sessions looked at for one that may go
constexpr int kDueSteps = 4;

}  // namespace

// A free slot for the packet's session.
std::uint32_t SessionTable::take_slot(const Packet& packet) noexcept {
  const auto next_of = [this](std::uint32_t i) -> std::uint32_t& { return cold_[i].timer.next; };
  const bool half_open = packet.key.protocol == kProtocolTcp && (packet.tcp.flags & kTcpSyn) != 0;
  if (half_open && sessions_in(Phase::opening) >= half_open_max_)
    evict_from(Phase::opening, packet.clock, INT64_MAX);
  std::uint32_t slot = free_.take(next_of);
  if (slot != kNoSlot) return slot;
  evict(packet.clock);
  slot = free_.take(next_of);
  CHECK(slot != kNoSlot);
  return slot;
}

// Makes room for one session (DESIGN §4, Full table). Constant work: a few heads of lists.
void SessionTable::evict(ClockNs now) noexcept {
  for (Wheel& wheel : wheels_) {
    int steps = kDueSteps;
    const std::uint32_t slot = wheel.due(now, steps);
    if (slot != kNoSlot) return end(slot, ending_of(hot_[slot].phase), deadline(slot));
  }
  if (evict_from(Phase::closed, now, INT64_MAX) || evict_from(Phase::reset, now, INT64_MAX)) return;
  if (evict_from(Phase::opening, now, now - settings_.halfOpenMinimum)) return;
  Phase longest = Phase::opening;
  ClockNs oldest = INT64_MAX;
  for (Phase phase : {Phase::established, Phase::half_closed, Phase::udp, Phase::icmp, Phase::sctp,
                      Phase::esp, Phase::other}) {
    const std::uint32_t slot = wheel_of(phase).first();
    if (slot == kNoSlot || hot_[slot].last_clock >= oldest) continue;
    oldest = hot_[slot].last_clock;
    longest = phase;
  }
  evict_from(longest, now, INT64_MAX);
}

// The session of this phase that has waited longest, if it began to wait by `not_after`.
bool SessionTable::evict_from(Phase phase, ClockNs now, ClockNs not_after) noexcept {
  Wheel& wheel = wheel_of(phase);
  std::uint32_t best = kNoSlot;
  for (int step = 0; step < kEvictionSteps; ++step) {
    const std::uint32_t slot = wheel.first();
    if (slot == kNoSlot) return false;
    if (best == kNoSlot || hot_[slot].last_clock < hot_[best].last_clock) best = slot;
    // Packets may have come since it was linked: to where it belongs now.
    wheel.unlink(slot);
    wheel.link(slot, deadline(slot));
    if (wheel.first() == slot) break;
  }
  if (cold_[best].phase_clock > not_after) return false;
  const ClockNs due = deadline(best);
  if (due <= now) {
    end(best, ending_of(phase), due);
  } else if (lingers(phase)) {
    counters_.evicted_lingering.add();
    end(best, ending_of(phase), now);
  } else {
    (phase == Phase::opening ? counters_.evicted_half_open : counters_.evicted_open).add();
    end(best, Ending::evicted, now);
  }
  return true;
}

// At most kIncarnationsMax of one key in the table, the coming one included.
void SessionTable::limit_incarnations(const Packet& packet) noexcept {
  int count = 1;
  std::uint32_t oldest = kNoSlot;
  for (std::uint32_t i = find(packet.key, packet.hash); i != kNoSlot; i = cold_[i].older)
    ++count, oldest = i;
  if (count <= kIncarnationsMax) return;
  const Phase phase = hot_[oldest].phase;
  end(oldest, lingers(phase) ? ending_of(phase) : Ending::evicted, now_);
}

}  // namespace linger
