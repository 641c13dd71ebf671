#include "engine/source/block_pool.h"

#include <utility>

namespace linger {

std::unique_ptr<CaptureBlock> BlockPool::take(std::size_t bytes) {
  reclaim();
  if (retired_bytes_ >= retired_bytes_max_) return nullptr;
  if (bytes > block_bytes_) return std::make_unique<CaptureBlock>(bytes);
  if (free_.empty()) return std::make_unique<CaptureBlock>(block_bytes_);
  auto block = std::move(free_.back());
  free_.pop_back();
  return block;
}

void BlockPool::retire(std::unique_ptr<CaptureBlock> block) {
  block->retired_in_burst = burst_;
  retired_bytes_ += block->capacity;
  retired_.push_back(std::move(block));
}

void BlockPool::reclaim() {
  std::size_t kept = 0;
  for (auto& block : retired_) {
    // Pairs with the release of the thread that finishes a handed-over packet: its reads come
    // before our writes.
    if (block->retired_in_burst == burst_ || block->users.load(std::memory_order_acquire) != 0) {
      std::swap(retired_[kept++], block);
      continue;
    }
    retired_bytes_ -= block->capacity;
    if (block->capacity == block_bytes_) free_.push_back(std::move(block));
  }
  retired_.resize(kept);
}

}  // namespace linger
