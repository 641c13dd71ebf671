// The blocks that capture files are read into; packets point into them.
//
//     reading   a reader's current block                        any number, one per open file
//     ahead     being filled by ReadAhead's thread, or full     a few, of one file
//     retired   read to its end; packets may still point here   at most `retired_bytes_max`, else
//     take() refuses free      used again, the one freed last first (it is still in the cache)
//
// A retired block is free when its users are gone (handed-over packets) and the burst it was
// retired in is over. Owner: the source's thread, which gives blocks to ReadAhead and gets them
// back; other threads only count `users` down (release; paired with the acquire here). Memory is
// touched as it is filled: a ten-packet capture costs one page.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/packet/packet.h"

namespace linger {

struct CaptureBlock : PacketBuffer {
  explicit CaptureBlock(std::size_t bytes)
      : data(std::make_unique_for_overwrite<std::uint8_t[]>(bytes)), capacity(bytes) {}

  std::unique_ptr<std::uint8_t[]> data;
  std::size_t capacity;
  std::uint64_t retired_in_burst = 0;
};

class BlockPool {
 public:
  static constexpr std::size_t kRetiredBytesMax = std::size_t{64} << 20;

  explicit BlockPool(std::size_t block_bytes, std::size_t retired_bytes_max = kRetiredBytesMax)
      : block_bytes_(block_bytes), retired_bytes_max_(retired_bytes_max) {}

  // The packets of the burst before are finished or counted in their block's users.
  void begin_burst() noexcept { ++burst_; }

  // A block of at least `bytes`; null when too many retired blocks are still in use.
  std::unique_ptr<CaptureBlock> take(std::size_t bytes);
  void retire(std::unique_ptr<CaptureBlock> block);

  std::size_t block_bytes() const noexcept { return block_bytes_; }

 private:
  void reclaim();

  std::size_t block_bytes_;
  std::size_t retired_bytes_max_;
  std::size_t retired_bytes_ = 0;
  std::uint64_t burst_ = 1;
  std::vector<std::unique_ptr<CaptureBlock>> retired_;
  std::vector<std::unique_ptr<CaptureBlock>> free_;  // all of block_bytes_
};

}  // namespace linger
