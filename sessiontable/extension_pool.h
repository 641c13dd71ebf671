// Extension blocks: what most sessions lack, taken from a pool at first need; a second one for what
// most of these lack, and more for gaps while there are many. A dry pool is counted and marked on
// the session (record: extension_missing); the session goes on without. Owner: one shard. Memory:
// 192 bytes a block, taken at start, touched as used.
#pragma once

#include <cstdint>

#include "engine/base/counters.h"
#include "engine/base/mapping.h"
#include "sessiontable/free_list.h"
#include "sessiontable/session.h"

namespace linger {

union ExtensionBlock {
  Extension extension;
  TcpDetail detail;
  GapBlock gaps;
};

class ExtensionPool {
 public:
  ExtensionPool(std::uint32_t capacity, Counter& dry)
      : blocks_(capacity), free_(capacity), dry_(dry) {}

  Extension* find(const SessionCold& cold) noexcept {
    return cold.extension != kNoSlot ? &blocks_[cold.extension].extension : nullptr;
  }
  TcpDetail* find_detail(const SessionCold& cold) noexcept {
    const Extension* e = find(cold);
    return e != nullptr && e->detail != 0 ? &blocks_[e->detail - 1].detail : nullptr;
  }

  [[gnu::always_inline]] void prefetch(const SessionCold& cold) const noexcept {
    if (cold.extension != kNoSlot) prefetch(cold.extension);
  }

  // The session's block, a new one if it has none; null when the pool is dry.
  Extension* get(SessionCold& cold) noexcept {
    if (cold.extension != kNoSlot) return &blocks_[cold.extension].extension;
    cold.extension = take(cold);
    if (cold.extension == kNoSlot) return nullptr;
    return &(blocks_[cold.extension].extension = {});
  }
  TcpDetail* get_detail(SessionCold& cold) noexcept {
    if (TcpDetail* detail = find_detail(cold)) return detail;
    Extension* e = get(cold);
    if (e == nullptr) return nullptr;
    const std::uint32_t slot = take(cold);
    if (slot == kNoSlot) return nullptr;
    e->detail = slot + 1;
    return &(blocks_[slot].detail = {});
  }

  // Another block for gaps, null when the pool is dry.
  GapBlock* take_gaps(SessionCold& cold) noexcept {
    const std::uint32_t slot = take(cold);
    return slot != kNoSlot ? &(blocks_[slot].gaps = {}) : nullptr;
  }
  void give_back(GapBlock* block) noexcept {
    const auto* whole = reinterpret_cast<const ExtensionBlock*>(block);
    free_.give_back(static_cast<std::uint32_t>(whole - blocks_.data()), next_of());
  }

  bool is_dry() const noexcept { return free_.used() == free_.capacity(); }

  void release(SessionCold& cold) noexcept {
    if (cold.extension == kNoSlot) return;
    const Extension& e = blocks_[cold.extension].extension;
    if (e.detail != 0) free_.give_back(e.detail - 1, next_of());
    for (GapBlock* block = e.more_gaps; block != nullptr;) {
      GapBlock* next = block->next;
      give_back(block);
      block = next;
    }
    free_.give_back(cold.extension, next_of());
    cold.extension = kNoSlot;
  }

  void populate() noexcept { blocks_.populate(); }

 private:
  [[gnu::always_inline]] void prefetch(std::uint32_t block) const noexcept {
    const char* lines = reinterpret_cast<const char*>(&blocks_.data()[block]);
    for (std::size_t at = 0; at < sizeof(Extension); at += 64) __builtin_prefetch(lines + at, 1);
  }

  struct NextOf {
    Array<ExtensionBlock>& blocks;
    std::uint32_t& operator()(std::uint32_t slot) noexcept {
      return blocks[slot].extension.gaps[0].begin;
    }
  };
  NextOf next_of() noexcept { return {blocks_}; }

  // kNoSlot, told on the session, when there is none.
  std::uint32_t take(SessionCold& cold) noexcept {
    const std::uint32_t slot = free_.take(next_of());
    if (free_.next() != kNoSlot) prefetch(free_.next());
    if (slot != kNoSlot) return slot;
    cold.extension_dry = 1;
    dry_.add();
    return kNoSlot;
  }

  Array<ExtensionBlock> blocks_;
  FreeList free_;
  Counter& dry_;
};

}  // namespace linger
