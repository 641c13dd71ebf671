// Blocks of what few sessions have, each at a place that SessionRare holds.
//
// Owner: one shard. Limit: `capacity` blocks, taken at start and touched as used; when there is
// none left, the session goes without: counted, and marked by the place itself.
#pragma once

#include <cstdint>

#include "engine/base/counter.h"
#include "engine/base/mapping.h"
#include "sessiontable/flow_index.h"
#include "sessiontable/free_list.h"

namespace linger {

// next_of(Block&) is a word of the block that leads to the next one while it is free.
template <class Block>
class RarePool {
 public:
  static constexpr std::uint32_t kMissing = kNoSlot - 1;  // instead of a place: there was none left
  static constexpr std::size_t kBytesPerBlock = sizeof(Block);

  RarePool(std::uint32_t capacity, Counter& dry, const Block& fresh = {})
      : blocks_(capacity), free_(capacity), dry_(dry), fresh_(fresh) {}

  Block* find(std::uint32_t place) noexcept { return place < kMissing ? &blocks_[place] : nullptr; }
  const Block* find(std::uint32_t place) const noexcept {
    return place < kMissing ? &blocks_[place] : nullptr;
  }

  // The block at this place; a fresh one, and its place, if there is none yet. Null: missing.
  Block* get(std::uint32_t& place) noexcept {
    if (place != kNoSlot) return find(place);
    place = free_.take(Next{blocks_});
    if (place != kNoSlot) return &(blocks_[place] = fresh_);
    place = kMissing;
    dry_.add();
    return nullptr;
  }

  [[gnu::always_inline]] void prefetch(std::uint32_t place) const noexcept {
    if (place >= kMissing) return;
    const char* block = reinterpret_cast<const char*>(&blocks_.data()[place]);
    __builtin_prefetch(block, 1);
    __builtin_prefetch(block + kBytesPerBlock - 1, 1);
  }

  // Any value that a session may hold.
  void release(std::uint32_t place) noexcept {
    if (place < kMissing) free_.give_back(place, Next{blocks_});
  }

  void populate() noexcept { blocks_.populate(); }

 private:
  struct Next {
    Array<Block>& blocks;
    std::uint32_t& operator()(std::uint32_t place) noexcept { return next_of(blocks[place]); }
  };

  Array<Block> blocks_;
  FreeList free_;
  Counter& dry_;
  const Block fresh_;
};

}  // namespace linger
