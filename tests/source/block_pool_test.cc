#include "engine/source/block_pool.h"

#include <gtest/gtest.h>

namespace linger {
namespace {

constexpr std::size_t kBlockBytes = 1'000;

TEST(BlockPool, a_block_comes_back_when_its_burst_is_over) {
  BlockPool pool(kBlockBytes);
  auto block = pool.take(10);
  const CaptureBlock* const first = block.get();
  EXPECT_EQ(block->capacity, kBlockBytes);
  pool.retire(std::move(block));
  auto second = pool.take(10);
  EXPECT_NE(second.get(), first);  // packets of the burst point into the first
  pool.begin_burst();
  EXPECT_EQ(pool.take(10).get(), first);
}

TEST(BlockPool, a_block_with_users_does_not_come_back) {
  BlockPool pool(kBlockBytes);
  auto block = pool.take(10);
  CaptureBlock* const first = block.get();
  first->users.store(1);
  pool.retire(std::move(block));
  pool.begin_burst();
  auto second = pool.take(10);
  EXPECT_NE(second.get(), first);
  first->users.store(0);
  EXPECT_EQ(pool.take(10).get(), first);
}

TEST(BlockPool, refuses_while_too_many_retired_blocks_are_in_use) {
  BlockPool pool(kBlockBytes, 3 * kBlockBytes);
  std::vector<CaptureBlock*> blocks;
  for (int i = 0; i < 3; ++i) {
    auto block = pool.take(10);
    ASSERT_NE(block, nullptr);
    block->users.store(1);
    blocks.push_back(block.get());
    pool.retire(std::move(block));
    pool.begin_burst();
  }
  EXPECT_EQ(pool.take(10), nullptr);
  blocks[1]->users.store(0);
  EXPECT_EQ(pool.take(10).get(), blocks[1]);
}

TEST(BlockPool, a_large_block_is_as_large_as_asked_for_and_not_kept) {
  BlockPool pool(kBlockBytes);
  auto large = pool.take(50'000);
  EXPECT_GE(large->capacity, 50'000U);
  pool.retire(std::move(large));
  pool.begin_burst();
  EXPECT_EQ(pool.take(10)->capacity, kBlockBytes);
}

}  // namespace
}  // namespace linger
