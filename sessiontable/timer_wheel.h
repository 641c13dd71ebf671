// Deadlines of sessions: a two-level timing wheel of intrusive queues, one wheel for each Phase.
//
//     near   4096 buckets of 2^28 ns (268 ms)     18 minutes: every usual timeout
//     far      64 buckets of 2^40 ns (18 min)     19 hours; later deadlines wait in the last one
//
// A packet that extends a deadline writes last_clock and leaves the links alone; when the bucket
// falls due the wheel asks for the real deadline and links again. Within one wheel all timeouts are
// equal, so bucket order is idle order: the wheel is also the list from which a full table evicts.
//
// A bucket is eight queues that are filled and emptied in turn: the next eight sessions to leave
// are known at any time and come from memory while others are worked on.
//
// Owner: one shard. Memory: 260 KiB. Cost: link, unlink O(1); due() does a bounded number of steps
// a call; empty stretches of time are skipped through bitmaps.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "engine/base/time.h"
#include "sessiontable/planted.h"
#include "sessiontable/session.h"

namespace linger {

// Owner: TimerLink& timer_link(slot); ClockNs deadline(slot), the real one; is_at_home(slot): in
// the wheel where it belongs; link_anew(slot): out of this wheel and into that one, by its
// deadline; prefetch_session(slot), prefetch_timer_link(slot).
template <class Owner>
class TimerWheel {
 public:
  explicit TimerWheel(Owner& owner) : owner_(owner), buckets_(kNear + kFar) {}

  // Sets the time of an empty wheel. Call once, before the first link.
  void start(ClockNs now) noexcept { cursor_ = tick_of(now); }

  void link(std::uint32_t slot, ClockNs deadline) noexcept {
    const std::uint32_t bucket = bucket_for(deadline);
    Queue& queue = buckets_[bucket][filled_++ % kQueues];
    const std::uint32_t end = kEndFlag | static_cast<std::uint32_t>(&queue - &buckets_[0][0]);
    TimerLink& link = owner_.timer_link(slot);
    link.next = end;
    if (queue.head == kNoSlot) {
      link.previous = end;
      queue.head = slot;
      set_occupied(bucket);
    } else {
      link.previous = queue.tail;
      owner_.timer_link(queue.tail).next = slot;
    }
    queue.tail = slot;
    ++size_;
  }

  void unlink(std::uint32_t slot) noexcept {
    const TimerLink link = owner_.timer_link(slot);
    --size_;
    if (is_end(link.previous)) {
      queue_of(link.previous).head = is_end(link.next) ? kNoSlot : link.next;
      if (is_end(link.next)) clear_if_empty((link.next & ~kEndFlag) / kQueues);
    } else {
      owner_.timer_link(link.previous).next = link.next;
    }
    if (is_end(link.next)) {
      queue_of(link.next).tail = link.previous;
    } else {
      owner_.timer_link(link.next).previous = link.previous;
    }
  }

  // What an unlink() of the session with this link will touch.
  [[gnu::always_inline]] static void prefetch_neighbours(const Owner& owner,
                                                         TimerLink link) noexcept {
    if (!is_end(link.next)) owner.prefetch_timer_link(link.next);
    if (!is_end(link.previous)) owner.prefetch_timer_link(link.previous);
  }

  // Whether due() has anything to do.
  bool is_behind(ClockNs now) const noexcept { return cursor_ < tick_of(now); }

  // A slot that is due, still linked; kNoSlot: none is, or `steps` are used up (then steps is 0).
  std::uint32_t due(ClockNs now, int& steps) noexcept {
    const std::int64_t now_tick = tick_of(now);
    while (cursor_ < now_tick) {
      const std::uint32_t slot = next_of(near_bucket(cursor_));
      if (slot == kNoSlot) {
        if (!has_entered_span())
          advance(now_tick);
        else if (!cascade(steps))
          return kNoSlot;
        prefetch_bucket(near_bucket(cursor_));
        continue;
      }
      if (steps <= 0) return kNoSlot;
      --steps;
      prefetch_next(slot);
      const ClockNs deadline = owner_.deadline(slot);
      if (PLANTED(10, deadline <= now, true)) return slot;
      owner_.link_anew(slot);
    }
    return kNoSlot;
  }

  // The slot whose deadline comes first, to the width of its bucket (268 ms; 18 minutes where the
  // timeout is longer than that), still linked; kNoSlot when there is none. Slots whose deadline
  // was extended, or that belong elsewhere, go there on the way, at most `steps` of them: then the
  // one found may not be the first, and none is found where all were strangers.
  std::uint32_t first(int steps) noexcept {
    while (size_ != 0) {
      const std::uint32_t bucket = first_bucket();
      const std::uint32_t slot = next_of(bucket);
      const bool is_at_home = owner_.is_at_home(slot);
      prefetch_next(slot);
      if (is_at_home && (steps <= 0 || bucket_for(owner_.deadline(slot)) == bucket)) return slot;
      if (steps-- <= 0) return kNoSlot;
      owner_.link_anew(slot);
    }
    return kNoSlot;
  }

  // A slot whose turn comes soon if slots leave one by one, its lines asked for by now: for what
  // is to be prefetched by their contents. kNoSlot: none.
  std::uint32_t soon() const noexcept {
    if (size_ == 0) return kNoSlot;
    return buckets_[first_bucket()][(emptied_ + kQueues / 2) % kQueues].head;
  }

  // Any slot; kNoSlot when the wheel is empty.
  std::uint32_t any() noexcept {
    if (size_ == 0) return kNoSlot;
    const std::uint32_t slot = next_of(first_bucket());
    prefetch_next(slot);
    return slot;
  }

  std::uint32_t size() const noexcept { return size_; }

 private:
  static constexpr int kTickShift = 28;
  static constexpr int kNearShift = 12;
  static constexpr std::uint32_t kNear = 1u << kNearShift;
  static constexpr std::uint32_t kFar = 64;
  static constexpr std::uint32_t kQueues = 8;
  static constexpr std::uint32_t kEndFlag = 0x8000'0000;  // of a link: the end of this queue
  static_assert(kNear == 64 * 64, "near_words_ has one bit for each word of near_");

  struct Queue {
    std::uint32_t head = kNoSlot;  // kNoSlot: empty
    std::uint32_t tail;
  };

  static bool is_end(std::uint32_t link) noexcept { return (link & kEndFlag) != 0; }
  Queue& queue_of(std::uint32_t end) noexcept { return (&buckets_[0][0])[end & ~kEndFlag]; }

  // The head of the queue whose turn it is; kNoSlot: the bucket is empty.
  std::uint32_t next_of(std::uint32_t bucket) noexcept {
    for (std::uint32_t i = 0; i < kQueues; ++i) {
      const std::uint32_t slot = buckets_[bucket][(emptied_ + i) % kQueues].head;
      if (slot == kNoSlot) continue;
      emptied_ += i + 1;
      return slot;
    }
    return kNoSlot;
  }
  [[gnu::always_inline]] void prefetch_next(std::uint32_t slot) const noexcept {
    const std::uint32_t next = owner_.timer_link(slot).next;
    if (!is_end(next)) owner_.prefetch_session(next);
  }
  [[gnu::always_inline]] void prefetch_bucket(std::uint32_t bucket) const noexcept {
    for (const Queue& queue : buckets_[bucket])
      if (queue.head != kNoSlot) owner_.prefetch_session(queue.head);
  }

  static std::int64_t tick_of(ClockNs clock) noexcept { return clock >> kTickShift; }
  static std::uint32_t near_bucket(std::int64_t tick) noexcept {
    return static_cast<std::uint32_t>(tick) & (kNear - 1);
  }
  static std::uint32_t far_bucket(std::int64_t span) noexcept {
    return kNear + (static_cast<std::uint32_t>(span) & (kFar - 1));
  }
  static std::uint64_t bit(std::uint32_t i) noexcept { return std::uint64_t{1} << (i % 64); }
  static std::uint32_t lowest(std::uint64_t bits) noexcept {
    return static_cast<std::uint32_t>(__builtin_ctzll(bits));
  }

  std::uint32_t bucket_for(ClockNs deadline) const noexcept {
    const std::int64_t tick = tick_of(deadline) < cursor_ ? cursor_ : tick_of(deadline);
    if (tick - cursor_ < kNear) return near_bucket(tick);
    const std::int64_t last = (cursor_ >> kNearShift) + kFar - 1;
    const std::int64_t span = tick >> kNearShift;
    return far_bucket(span < last ? span : last);
  }

  void set_occupied(std::uint32_t bucket) noexcept {
    if (bucket >= kNear) {
      far_ |= bit(bucket);
      return;
    }
    near_[bucket / 64] |= bit(bucket);
    near_words_ |= bit(bucket / 64);
  }
  void clear_if_empty(std::uint32_t bucket) noexcept {
    for (const Queue& queue : buckets_[bucket])
      if (queue.head != kNoSlot) return;
    if (bucket >= kNear) {
      far_ &= ~bit(bucket);
      return;
    }
    near_[bucket / 64] &= ~bit(bucket);
    if (near_[bucket / 64] == 0) near_words_ &= ~bit(bucket / 64);
  }

  // The first occupied near bucket from `from` on, without wrapping; kNear: none.
  std::uint32_t next_near(std::uint32_t from) const noexcept {
    if (from >= kNear) return kNear;
    const std::uint64_t here = near_[from / 64] >> (from % 64);
    if (here != 0) return from + lowest(here);
    const std::uint32_t word = from / 64 + 1;
    const std::uint64_t words = word < 64 ? near_words_ >> word : 0;
    if (words == 0) return kNear;
    const std::uint32_t found = word + lowest(words);
    return found * 64 + lowest(near_[found]);
  }

  // In time order, from the cursor on; the wheel is not empty.
  std::uint32_t first_bucket() const noexcept {
    const std::uint32_t after = next_near(near_bucket(cursor_));
    if (after != kNear) return after;
    const std::uint32_t wrapped = next_near(0);
    if (wrapped != kNear) return wrapped;
    const auto turn = static_cast<std::uint32_t>(cursor_ >> kNearShift) % kFar;
    return far_bucket(turn + lowest(far_ >> turn | (turn != 0 ? far_ << (64 - turn) : 0)));
  }

  // From an empty bucket to the next one that may hold something, or to where a far bucket's span
  // begins.
  void advance(std::int64_t now_tick) noexcept {
    const std::uint32_t index = next_near(near_bucket(cursor_) + 1);
    const std::int64_t next = (cursor_ & ~std::int64_t{kNear - 1}) + index;
    cursor_ = size_ == 0 || next > now_tick ? now_tick : next;
  }

  // The cursor is in the span of a far bucket, whose slots have to move to the near ones.
  bool has_entered_span() const noexcept {
    return (far_ & bit(far_bucket(cursor_ >> kNearShift))) != 0;
  }

  // They do, one a step. False: steps ran out.
  bool cascade(int& steps) noexcept {
    const std::uint32_t bucket = far_bucket(cursor_ >> kNearShift);
    for (std::uint32_t slot; (slot = next_of(bucket)) != kNoSlot;) {
      if (steps <= 0) return false;
      --steps;
      unlink(slot);
      link(slot, owner_.deadline(slot));
    }
    return true;
  }

  Owner& owner_;
  std::int64_t cursor_ = 0;  // buckets before this tick are empty
  std::uint32_t size_ = 0;
  std::uint64_t near_words_ = 0;                     // one bit for each word of near_
  std::uint64_t far_ = 0;                            // one bit for each far bucket
  std::array<std::uint64_t, kNear / 64> near_{};     // one bit for each near bucket
  std::uint32_t filled_ = 0, emptied_ = 0;           // turns of the queues
  std::vector<std::array<Queue, kQueues>> buckets_;  // near ones, then far ones
};

}  // namespace linger
