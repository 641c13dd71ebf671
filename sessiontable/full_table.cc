// What a full session table does: SessionTable's part that makes room. Who goes first: make_room().
#include "sessiontable/session_table.h"

namespace linger {
namespace {

constexpr int kIncarnationsMax = 4;  // of one key in the table at a time
constexpr int kEvictionSteps = 64;   // sessions looked at for one that may go
constexpr int kDueSteps = 4;

}  // namespace

// A free slot for the packet's session.
std::uint32_t SessionTable::take_slot(const Packet& packet) noexcept {
  const auto next_of = [this](std::uint32_t i) -> std::uint32_t& { return cold_[i].timer.next; };
  const bool half_open = packet.key.protocol == kProtocolTcp && (packet.tcp.flags & kTcpSyn) != 0;
  if (half_open && sessions_in(Phase::opening) >= half_open_max_)
    evict(wheel_of(Phase::opening).first(kEvictionSteps), packet.clock);
  std::uint32_t slot = free_.take(next_of);
  if (const std::uint32_t next = free_.next(); next != kNoSlot) prefetch_session(next);
  if (slot != kNoSlot) return slot;
  make_room(packet.clock);
  slot = free_.take(next_of);
  CHECK(slot != kNoSlot);
  return slot;
}

// Makes room for one session: what is due goes first, then what lingers, half-open sessions of
// halfOpenMinimum, the longest idle of the others. Constant work: a few heads of lists.
void SessionTable::make_room(ClockNs now) noexcept {
  for (Wheel& wheel : wheels_) {
    int steps = kDueSteps;
    const std::uint32_t slot = wheel.due(now, steps);
    if (slot == kNoSlot) continue;
    prefetch_end_after(wheel);
    return end(slot, ending_of(hot_[slot].phase), deadline(slot));
  }
  if (evict_longest({Phase::closed, Phase::reset}, now)) return;
  const std::uint32_t half_open = wheel_of(Phase::opening).first(kEvictionSteps);
  if (half_open != kNoSlot && cold_[half_open].phase_clock <= now - settings_.halfOpenMinimum)
    return evict(half_open, now);
  const auto others = {Phase::established, Phase::half_closed, Phase::udp,  Phase::icmp,
                       Phase::sctp,        Phase::esp,         Phase::other};
  if (evict_longest(others, now)) return;
  if (half_open != kNoSlot) return evict(half_open, now);
  // All that was looked at had to go to another list first; each time it is fewer.
  while (!evict_longest({Phase::closed, Phase::reset}, now) && !evict_longest(others, now)) {
  }
}

// The session of these phases that had no packet for longest. False: there is none.
bool SessionTable::evict_longest(std::initializer_list<Phase> phases, ClockNs now) noexcept {
  std::uint32_t longest = kNoSlot;
  for (const Phase phase : phases) {
    const std::uint32_t slot = wheel_of(phase).first(kEvictionSteps);
    if (slot == kNoSlot) continue;
    if (longest == kNoSlot || hot_[slot].last_clock < hot_[longest].last_clock) longest = slot;
  }
  if (longest == kNoSlot) return false;
  evict(longest, now);
  return true;
}

void SessionTable::evict(std::uint32_t slot, ClockNs now) noexcept {
  prefetch_end_after(wheel_with(slot));
  const Phase phase = hot_[slot].phase;
  const ClockNs due = deadline(slot);
  if (due <= now) return end(slot, ending_of(phase), due);
  counters_.streams_missing.raise_to(demand_.left_early(now, due - now));
  if (lingers(phase)) {  // keeps its reason, is only buried early
    counters_.evicted_lingering.add();
    return end(slot, ending_of(phase), now);
  }
  if (phase != Phase::opening) evicted_idle_ = now - hot_[slot].last_clock;
  (phase == Phase::opening ? counters_.evicted_half_open : counters_.evicted_open).add();
  end(slot, Ending::evicted, now);
}

// A session that was evicted goes on. It had been idle for about as long as others that leave: they
// do so in that order.
void SessionTable::note_return(const Packet& packet, const Grave& grave) noexcept {
  Phase phase = phase_of_protocol(packet.key.protocol);
  if (phase == Phase::established && grave.seen != kBothSides) phase = Phase::opening;
  if (phase == Phase::established && grave.fin != 0) phase = Phase::half_closed;
  demand_.came_back(timeout_[static_cast<std::size_t>(phase)] - evicted_idle_ -
                    Graveyard::age_of(grave, packet.clock));
}

// At most kIncarnationsMax of one key in the table, the coming one included.
void SessionTable::limit_incarnations(const Packet& packet) noexcept {
  int count = 1;
  std::uint32_t oldest = kNoSlot;
  for (std::uint32_t i = find(packet.key, packet.hash); i != kNoSlot; i = older_of(i))
    ++count, oldest = i;
  if (count <= kIncarnationsMax) return;
  const Phase phase = hot_[oldest].phase;
  end(oldest, lingers(phase) ? ending_of(phase) : Ending::evicted, now_);
}

}  // namespace linger
