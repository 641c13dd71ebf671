// Where datagrams put together from fragments lie until all their users are done with them: a ring
// of blocks, each as long as its datagram needs.
//
//     | free | in use by owners … | put out in this burst | free |
//            tail                 burst_begin             head
//
// A block is free when its users are gone (packets handed over) and the burst it was put out in is
// over. Owner: the thread that decodes; others only count `users` down (release; paired with the
// acquire here). Limit: kBytes; when the oldest block is still in use, take() refuses. When nothing
// is in use it begins at the front again, which is still in the cache.
#pragma once

#include <cstdint>
#include <new>

#include "engine/base/mapping.h"
#include "engine/packet/packet.h"

namespace linger {

class DatagramArena {
 public:
  static constexpr std::uint64_t kBytes = std::uint64_t{8} << 20;

  struct alignas(64) Block : PacketBuffer {
    std::uint32_t bytes;  // with this header

    std::uint8_t* data() noexcept { return reinterpret_cast<std::uint8_t*>(this) + sizeof(Block); }
  };

  DatagramArena() : memory_(kBytes) {}

  // The packets put out before are finished or counted in their block's users.
  void begin_burst() noexcept { burst_begin_ = head_; }

  // Null: no room.
  Block* take(std::uint32_t bytes) noexcept {
    reclaim();
    const std::uint64_t needed = (sizeof(Block) + bytes + kLine - 1) / kLine * kLine;
    const std::uint64_t to_end = kBytes - head_ % kBytes;
    const std::uint64_t skipped = needed > to_end ? to_end : 0;  // a block does not wrap around
    if (head_ + skipped + needed - tail_ > kBytes) return nullptr;
    if (skipped != 0) place(skipped);
    return place(needed);
  }

 private:
  static constexpr std::uint64_t kLine = alignof(Block);

  Block* block_at(std::uint64_t position) noexcept {
    return std::launder(reinterpret_cast<Block*>(memory_.data() + position % kBytes));
  }
  Block* place(std::uint64_t bytes) noexcept {
    auto* block = new (memory_.data() + head_ % kBytes) Block{};
    block->bytes = static_cast<std::uint32_t>(bytes);
    head_ += bytes;
    return block;
  }
  void reclaim() noexcept {
    // At most the blocks that were put out since the last call.
    while (tail_ < burst_begin_ && block_at(tail_)->users.load(std::memory_order_acquire) == 0) {
      tail_ += block_at(tail_)->bytes;
    }
    if (tail_ == head_) tail_ = head_ = burst_begin_ = 0;
  }

  Array<std::uint8_t> memory_;
  std::uint64_t head_ = 0;  // positions only grow, until nothing is in use
  std::uint64_t burst_begin_ = 0;
  std::uint64_t tail_ = 0;
};

}  // namespace linger
