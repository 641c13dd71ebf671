// Extension blocks: what most sessions lack, taken from a pool at first need. A dry pool is counted
// and marked on the session (record: extension_missing); the session goes on without.
// Owner: one shard. Memory: 192 bytes a block, taken at start, touched as used.
#pragma once

#include <cstdint>

#include "engine/base/counters.h"
#include "engine/base/mapping.h"
#include "sessiontable/free_list.h"
#include "sessiontable/session.h"

namespace linger {

class ExtensionPool {
 public:
  ExtensionPool(std::uint32_t capacity, Counter& dry)
      : blocks_(capacity), free_(capacity), dry_(dry) {}

  Extension* find(const SessionCold& cold) noexcept {
    return cold.extension != kNoSlot ? &blocks_[cold.extension] : nullptr;
  }

  void prefetch(const SessionCold& cold) const noexcept {
    if (cold.extension == kNoSlot) return;
    const char* lines = reinterpret_cast<const char*>(&blocks_.data()[cold.extension]);
    for (std::size_t at = 0; at < sizeof(Extension); at += 64) __builtin_prefetch(lines + at, 1, 2);
  }

  // The session's block, a new one if it has none; null when the pool is dry.
  Extension* get(SessionCold& cold) noexcept {
    if (cold.extension != kNoSlot) return &blocks_[cold.extension];
    cold.extension = free_.take(next_of());
    if (cold.extension == kNoSlot) {
      cold.extension_dry = 1;
      dry_.add();
      return nullptr;
    }
    if (free_.next() != kNoSlot) prefetch(free_.next());
    blocks_[cold.extension] = Extension{};
    return &blocks_[cold.extension];
  }

  bool is_dry() const noexcept { return free_.used() == free_.capacity(); }

  void release(SessionCold& cold) noexcept {
    if (cold.extension == kNoSlot) return;
    free_.give_back(cold.extension, next_of());
    cold.extension = kNoSlot;
  }

  std::uint64_t bytes() const noexcept { return blocks_.bytes(); }
  void populate() noexcept { blocks_.populate(); }

 private:
  void prefetch(std::uint32_t block) const noexcept {
    const char* lines = reinterpret_cast<const char*>(&blocks_.data()[block]);
    for (std::size_t at = 0; at < sizeof(Extension); at += 64) __builtin_prefetch(lines + at, 1, 2);
  }

  struct NextOf {
    Array<Extension>& blocks;
    std::uint32_t& operator()(std::uint32_t slot) noexcept { return blocks[slot].gaps[0].begin; }
  };
  NextOf next_of() noexcept { return {blocks_}; }

  Array<Extension> blocks_;
  FreeList free_;
  Counter& dry_;
};

}  // namespace linger
