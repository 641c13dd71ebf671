// Payload that came before its turn, copied into blocks until the hole in front of it is filled,
// or what it acknowledges has come.
//
// Overlaps: the first copy of each byte stays; hold() keeps only what is not held yet, and
// differs() says whether the other copy had other bytes. Owner: one shard. Limits: `blocks` of 2
// KiB for the shard, kBlocksMax of them for one direction, and kBlocksSure while half of all are in
// use. Cost: appending behind the last block is constant; anything else walks the list, which takes
// short cuts of kStride blocks, put where it walked before. Neighbouring segments share a block if
// they acknowledge the same: between them the other side was not heard.
#pragma once

#include <cstdint>

#include "engine/base/counters.h"
#include "engine/base/mapping.h"
#include "sessiontable/free_list.h"
#include "sessiontable/stream_state.h"

namespace linger {

class HeldPool {
 public:
  static constexpr std::uint16_t kBlocksMax = 1024;  // of one direction: 2 MiB beyond a hole
  static constexpr std::uint16_t kBlocksSure = 64;
  static constexpr unsigned kStride = 32;

  HeldPool(std::uint32_t blocks, TableCounters& counters)
      : blocks_(blocks), free_(blocks), counters_(counters) {}

  // Copies what was captured of the payload and is not held yet. False: there was no block for all
  // of it, and that is counted; what was copied stays.
  bool hold(StreamSide& side, Payload payload) noexcept;

  // Whether a byte of the payload differs from the held one of the same sequence number.
  bool differs(const StreamSide& side, const Payload& payload) noexcept;

  // The piece nearest to `side.next`; there is one.
  const HeldBlock& front(const StreamSide& side) const noexcept { return blocks_[side.first]; }

  // Takes that piece out of the list; give_back() when its bytes were read.
  std::uint32_t take_front(StreamSide& side) noexcept;
  const HeldBlock& block(std::uint32_t index) const noexcept { return blocks_[index]; }
  void give_back(std::uint32_t index) noexcept { free_.give_back(index, next_of()); }

  void clear(StreamSide& side) noexcept;

  std::uint32_t used() const noexcept { return free_.used(); }
  void populate() noexcept { blocks_.populate(); }

 private:
  struct NextOf {
    Array<HeldBlock>& blocks;
    std::uint32_t& operator()(std::uint32_t index) noexcept { return blocks[index].next; }
  };
  NextOf next_of() noexcept { return {blocks_}; }
  struct Place {
    std::uint32_t before, after;  // the blocks that end before a byte, and behind it
  };
  Place place_of(const StreamSide& side, std::uint32_t sequence) noexcept;
  std::uint32_t append(std::uint32_t index, const Payload& payload) noexcept;
  std::uint32_t insert_after(StreamSide& side, std::uint32_t before) noexcept;

  Array<HeldBlock> blocks_;
  FreeList free_;
  TableCounters& counters_;
};

}  // namespace linger
