// Deadlines of sessions: a two-level timing wheel of intrusive lists, one wheel for each Phase.
//
//     level 0   256 buckets of 2^27 ns (134 ms)       34 s
//     level 1   256 buckets of 2^35 ns (34 s)         2.4 h; later deadlines wait in its last
//     bucket
//
// A packet that extends a deadline writes last_clock and leaves the links alone; when the bucket
// falls due the wheel asks for the real deadline and links again. Within one wheel all timeouts are
// equal, so bucket order is idle order: the wheel is also the list from which a full table evicts.
//
// Owner: one shard. Cost: link, unlink O(1); due() does a bounded number of steps a call; empty
// stretches of time are skipped through bitmaps.
#pragma once

#include <array>
#include <cstdint>

#include "engine/base/time.h"
#include "sessiontable/session.h"

namespace linger {

// Owner: TimerLink& timer_link(slot); ClockNs deadline(slot), the real one.
template <class Owner>
class TimerWheel {
 public:
  explicit TimerWheel(Owner& owner) noexcept : owner_(owner) { head_.fill(kNoSlot); }

  // Sets the time of an empty wheel. Call once, before the first link.
  void start(ClockNs now) noexcept { cursor_ = tick_of(now); }

  void link(std::uint32_t slot, ClockNs deadline) noexcept {
    const std::uint32_t bucket = bucket_for(tick_of(deadline));
    TimerLink& link = owner_.timer_link(slot);
    link.next = head_[bucket];
    link.previous = kBucketFlag | bucket;
    if (link.next != kNoSlot) owner_.timer_link(link.next).previous = slot;
    head_[bucket] = slot;
    occupied_[bucket / 64] |= bit(bucket);
    ++size_;
  }

  void unlink(std::uint32_t slot) noexcept {
    const TimerLink link = owner_.timer_link(slot);
    --size_;
    if (link.next != kNoSlot) owner_.timer_link(link.next).previous = link.previous;
    if ((link.previous & kBucketFlag) == 0) {
      owner_.timer_link(link.previous).next = link.next;
      return;
    }
    const std::uint32_t bucket = link.previous & ~kBucketFlag;
    head_[bucket] = link.next;
    if (link.next == kNoSlot) occupied_[bucket / 64] &= ~bit(bucket);
  }

  // A slot that is due, still linked; kNoSlot: none is, or `steps` are used up (then steps is 0).
  std::uint32_t due(ClockNs now, int& steps) noexcept {
    const std::int64_t now_tick = tick_of(now);
    while (cursor_ < now_tick) {
      if (size_ == 0) {
        cursor_ = now_tick;
        return kNoSlot;
      }
      const std::uint32_t slot = head_[low(cursor_)];
      if (slot == kNoSlot) {
        if (!advance(now_tick, steps)) return kNoSlot;
        continue;
      }
      if (steps <= 0) return kNoSlot;
      --steps;
      const ClockNs deadline = owner_.deadline(slot);
      if (deadline <= now) return slot;
      unlink(slot);
      link(slot, deadline);
    }
    return kNoSlot;
  }

  // Whether a bucket of the past still holds slots: the sweep is behind.
  bool is_overdue(ClockNs now) const noexcept { return size_ != 0 && cursor_ + 1 < tick_of(now); }

  // The first slot in bucket order, still linked; kNoSlot when the wheel is empty. Its deadline may
  // have been extended.
  std::uint32_t first() const noexcept {
    if (size_ == 0) return kNoSlot;
    const std::uint32_t near = next_occupied(0, low(cursor_));
    if (near != kNoBucket) return head_[near];
    return head_[next_occupied(kBuckets, low(cursor_ >> 8))];
  }

  std::uint32_t size() const noexcept { return size_; }

 private:
  static constexpr int kTickShift = 27;
  static constexpr std::uint32_t kBuckets = 256;
  static constexpr std::uint32_t kBucketFlag = 0x8000'0000;
  static constexpr std::uint32_t kNoBucket = 0xffff'ffff;

  static std::int64_t tick_of(ClockNs clock) noexcept { return clock >> kTickShift; }
  static std::uint32_t low(std::int64_t tick) noexcept {
    return static_cast<std::uint32_t>(tick) & (kBuckets - 1);
  }
  static std::uint64_t bit(std::uint32_t bucket) noexcept {
    return std::uint64_t{1} << (bucket % 64);
  }

  std::uint32_t bucket_for(std::int64_t tick) const noexcept {
    if (tick < cursor_) tick = cursor_;
    if (tick - cursor_ < kBuckets) return low(tick);
    const std::int64_t last = (cursor_ >> 8) + kBuckets - 1;
    return kBuckets + low(tick >> 8 < last ? tick >> 8 : last);
  }

  // From an empty bucket to the next one that may hold something. False: steps ran out in the
  // middle of a cascade.
  bool advance(std::int64_t now_tick, int& steps) noexcept {
    std::uint32_t index = low(cursor_) + 1;
    while (index < kBuckets && head_[index] == kNoSlot) {
      const std::uint64_t rest = occupied_[index / 64] >> (index % 64);
      index = rest != 0 ? index + static_cast<std::uint32_t>(__builtin_ctzll(rest))
                        : (index / 64 + 1) * 64;
    }
    const std::int64_t next = (cursor_ & ~std::int64_t{kBuckets - 1}) + index;
    if (next > now_tick) {
      cursor_ = now_tick;
      return true;
    }
    // Entering a level-1 span: its slots move to level 0, one a step.
    if (index == kBuckets && !cascade(next, steps)) return false;
    cursor_ = next;
    return true;
  }

  bool cascade(std::int64_t tick, int& steps) noexcept {
    const std::uint32_t bucket = kBuckets + low(tick >> 8);
    const std::int64_t cursor = cursor_;
    while (head_[bucket] != kNoSlot) {
      if (steps <= 0) return false;
      --steps;
      const std::uint32_t slot = head_[bucket];
      unlink(slot);
      cursor_ = tick;  // the span being entered decides where it goes
      link(slot, owner_.deadline(slot));
      cursor_ = cursor;
    }
    return true;
  }

  std::uint32_t next_occupied(std::uint32_t base, std::uint32_t from) const noexcept {
    for (std::uint32_t i = 0; i <= kBuckets / 64;
         ++i) {  // the first word twice: its upper, then its lower part
      const std::uint32_t word = (from / 64 + i) % (kBuckets / 64);
      std::uint64_t bits = occupied_[base / 64 + word];
      if (i == 0) bits &= ~std::uint64_t{0} << (from % 64);
      if (bits != 0) return base + word * 64 + static_cast<std::uint32_t>(__builtin_ctzll(bits));
    }
    return kNoBucket;
  }

  Owner& owner_;
  std::int64_t cursor_ = 0;  // buckets before this tick are empty
  std::uint32_t size_ = 0;
  std::array<std::uint64_t, 2 * kBuckets / 64> occupied_{};
  std::array<std::uint32_t, 2 * kBuckets> head_;
};

}  // namespace linger
