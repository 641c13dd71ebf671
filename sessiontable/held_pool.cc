#include "sessiontable/held_pool.h"

#include <algorithm>
#include <cstring>

#include "sessiontable/session.h"

namespace linger {

static_assert(kNoBlock == kNoSlot, "what an empty FreeList gives");

// Blocks leave the list in its order, so what lies ahead of one is there as long as that is.
HeldPool::Place HeldPool::place_of(const StreamSide& side, std::uint32_t sequence) noexcept {
  const auto is_passed = [&](std::uint32_t index) {
    return index != kNoBlock && !seq_after(blocks_[index].end(), sequence);
  };
  if (is_passed(side.last)) return {side.last, kNoBlock};
  Place place{kNoBlock, side.first};
  std::uint32_t mark = side.first;
  for (unsigned steps = 0; is_passed(place.after); ++steps) {
    if (steps == kStride) {
      blocks_[mark].ahead = place.after;
      mark = place.after;
      steps = 0;
    }
    while (is_passed(blocks_[place.after].ahead)) {
      mark = place.after = blocks_[place.after].ahead;
      steps = 0;
    }
    place = {place.after, blocks_[place.after].next};
  }
  return place;
}

bool HeldPool::hold(StreamSide& side, Payload payload) noexcept {
  payload.bytes = payload.captured;
  auto [before, after] = place_of(side, payload.sequence);
  while (payload.bytes != 0) {
    while (after != kNoBlock && !seq_after(blocks_[after].end(), payload.sequence))
      before = after, after = blocks_[after].next;
    std::uint32_t room = payload.bytes;
    if (after != kNoBlock && seq_before(blocks_[after].begin, payload.end())) {
      if (!seq_after(blocks_[after].begin, payload.sequence)) {  // held already
        payload.drop_front(std::min(payload.bytes, blocks_[after].end() - payload.sequence));
        continue;
      }
      room = blocks_[after].begin - payload.sequence;
    }
    std::uint32_t taken = append(before, payload.front(room));
    if (taken == 0) {
      const std::uint32_t added = insert_after(side, before);
      if (added == kNoBlock) return false;
      HeldBlock& block = blocks_[added];
      block.time = payload.time;
      block.begin = payload.sequence;
      block.after = payload.after;
      block.bytes = 0;
      block.ahead = kNoBlock;
      before = added;
      taken = append(before, payload.front(room));
    }
    payload.drop_front(taken);
  }
  return true;
}

// Adds to a block what continues it, as far as there is room; how many bytes.
std::uint32_t HeldPool::append(std::uint32_t index, const Payload& payload) noexcept {
  if (index == kNoBlock || blocks_[index].end() != payload.sequence) return 0;
  HeldBlock& block = blocks_[index];
  if (block.after != payload.after) return 0;
  const std::uint32_t bytes = std::min(payload.bytes, HeldBlock::kBytesMax - block.bytes);
  std::memcpy(block.data.data() + block.bytes, payload.data, bytes);
  block.bytes += bytes;
  counters_.stream_held_bytes.add(bytes);
  return bytes;
}

// An empty block behind `before` (kNoBlock: in front of all); kNoBlock when there is none.
std::uint32_t HeldPool::insert_after(StreamSide& side, std::uint32_t before) noexcept {
  if (side.blocks == kBlocksMax) {
    counters_.stream_hold_full.add();
    return kNoBlock;
  }
  const bool may_take = side.blocks < kBlocksSure || free_.used() < free_.capacity() / 2;
  const std::uint32_t added = may_take ? free_.take(next_of()) : kNoBlock;
  if (added == kNoBlock) {
    counters_.stream_pool_dry.add();
    return kNoBlock;
  }
  ++side.blocks;
  std::uint32_t& link = before == kNoBlock ? side.first : blocks_[before].next;
  blocks_[added].next = link;
  link = added;
  if (side.last == before) side.last = added;
  return added;
}

bool HeldPool::differs(const StreamSide& side, const Payload& payload) noexcept {
  const std::uint32_t end = payload.sequence + payload.captured;
  std::uint32_t i = place_of(side, payload.sequence).after;
  for (; i != kNoBlock; i = blocks_[i].next) {
    const HeldBlock& block = blocks_[i];
    if (!seq_before(block.begin, end)) return false;
    const std::uint32_t low =
        seq_after(block.begin, payload.sequence) ? block.begin : payload.sequence;
    const std::uint32_t high = seq_before(block.end(), end) ? block.end() : end;
    if (!seq_before(low, high)) continue;
    if (std::memcmp(block.data.data() + (low - block.begin),
                    payload.data + (low - payload.sequence), high - low) != 0)
      return true;
  }
  return false;
}

std::uint32_t HeldPool::take_front(StreamSide& side) noexcept {
  const std::uint32_t index = side.first;
  side.first = blocks_[index].next;
  if (side.first == kNoBlock) side.last = kNoBlock;
  --side.blocks;
  return index;
}

void HeldPool::clear(StreamSide& side) noexcept {
  while (side.first != kNoBlock) give_back(take_front(side));
}

}  // namespace linger
