// The memory of parsers: their states, bytes that wait for more, and what they found. Blocks of
// three sizes, taken at start.
//
// Owner: one shard. Limit: its share of `parserMemory`. A block of a size that is used up is not
// taken from the next one: so that a flood of one kind does not take all.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include "engine/base/check.h"
#include "engine/base/mapping.h"

namespace linger {

using BlockId = std::uint32_t;  // size class in the two upper bits
inline constexpr BlockId kNoMemory = UINT32_MAX;

class ParserMemory {
 public:
  static constexpr std::array<std::uint32_t, 3> kBytes = {256, 2 * 1024, 20 * 1024};
  static constexpr std::array<std::uint32_t, 3> kPercent = {50, 30, 20};

  explicit ParserMemory(std::uint64_t memory) {
    for (std::size_t i = 0; i < kBytes.size(); ++i) {
      sizes_[i].capacity = static_cast<std::uint32_t>(
          std::min<std::uint64_t>(memory / 100 * kPercent[i] / kBytes[i], kIndexMask));
      sizes_[i].memory = Array<std::uint8_t>(std::size_t{sizes_[i].capacity} * kBytes[i]);
    }
  }

  // A block of at least `bytes`; kNoMemory when there is none.
  BlockId take(std::size_t bytes) noexcept {
    std::uint32_t size = 0;
    while (kBytes[size] < bytes)
      if (++size == kBytes.size()) return kNoMemory;
    Size& s = sizes_[size];
    std::uint32_t index = s.free;
    if (index != kNoMemory) {
      std::memcpy(&s.free, at(size, index), sizeof s.free);
    } else {
      if (s.untouched == s.capacity) return kNoMemory;
      index = s.untouched++;
    }
    ++used_;
    return size << kIndexBits | index;
  }
  void give_back(BlockId id) noexcept {
    Size& s = sizes_[id >> kIndexBits];
    std::memcpy(data(id), &s.free, sizeof s.free);
    s.free = id & kIndexMask;
    --used_;
  }

  std::uint8_t* data(BlockId id) noexcept {
    DCHECK(id != kNoMemory);
    return at(id >> kIndexBits, id & kIndexMask);
  }
  static std::uint32_t bytes_of(BlockId id) noexcept { return kBytes[id >> kIndexBits]; }

  std::uint32_t used() const noexcept { return used_; }
  void populate() noexcept {
    for (Size& s : sizes_) s.memory.populate();
  }

 private:
  static constexpr std::uint32_t kIndexBits = 30;
  static constexpr std::uint32_t kIndexMask = (1u << kIndexBits) - 1;

  struct Size {
    Array<std::uint8_t> memory;
    std::uint32_t capacity = 0;
    std::uint32_t untouched = 0;
    std::uint32_t free = kNoMemory;
  };
  std::uint8_t* at(std::uint32_t size, std::uint32_t index) noexcept {
    return sizes_[size].memory.data() + std::size_t{index} * kBytes[size];
  }

  std::array<Size, 3> sizes_;
  std::uint32_t used_ = 0;
};

}  // namespace linger
