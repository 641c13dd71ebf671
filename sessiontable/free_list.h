// Which slots of an array are free: last freed, first reused, so that warm memory is used again.
// The list is threaded through the free slots themselves (the owner says where); slots never used
// cost nothing and are not touched. Owner: one shard.
#pragma once

#include <cstdint>

#include "engine/base/shared.h"
#include "sessiontable/flow_index.h"

namespace linger {

class FreeList {
 public:
  FreeList() = default;
  explicit FreeList(std::uint32_t capacity) noexcept : capacity_(capacity) {}

  // next_of(slot) -> std::uint32_t&, the link inside a free slot. kNoSlot when all are taken.
  template <class NextOf>
  std::uint32_t take(NextOf&& next_of) noexcept {
    if (head_ != kNoSlot) {
      const std::uint32_t slot = head_;
      head_ = next_of(slot);
      ++used_;
      return slot;
    }
    if (untouched_ == capacity_) return kNoSlot;
    ++used_;
    const std::uint32_t slot = untouched_;
    untouched_ = slot + 1;
    return slot;
  }
  template <class NextOf>
  void give_back(std::uint32_t slot, NextOf&& next_of) noexcept {
    next_of(slot) = head_;
    head_ = slot;
    --used_;
  }

  // The slot that take() gives next, if any: to prefetch it.
  std::uint32_t next() const noexcept {
    return head_ != kNoSlot ? head_ : untouched_ < capacity_ ? untouched_.own() : kNoSlot;
  }

  // Slots from 0 that were ever taken. Any thread.
  std::uint32_t touched() const noexcept { return untouched_.load(); }

  std::uint32_t used() const noexcept { return used_; }
  std::uint32_t capacity() const noexcept { return capacity_; }

 private:
  std::uint32_t head_ = kNoSlot;
  Shared<std::uint32_t> untouched_{};
  std::uint32_t used_ = 0;
  std::uint32_t capacity_ = 0;
};

}  // namespace linger
