#include "sessiontable/flow_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <vector>

#include "sessiontable/free_list.h"

namespace linger {
namespace {

// Every slot under this hash, in any order.
std::vector<std::uint32_t> slots_of(const FlowIndex& index, FlowHash hash,
                                    const std::vector<FlowHash>& hash_of_slot) {
  std::vector<std::uint32_t> slots;
  index.find(hash, [&](std::uint32_t slot) {
    if (hash_of_slot[slot] == hash) slots.push_back(slot);
    return false;
  });
  std::sort(slots.begin(), slots.end());
  return slots;
}

// Random inserts and erases against a std::multimap, with hashes from `draw`, up to `capacity`.
template <class Draw>
void compare_with_multimap(std::uint32_t capacity, Draw&& draw) {
  std::mt19937_64 random(capacity);
  FlowIndex index(capacity, IndexLoad::dense);
  std::multimap<FlowHash, std::uint32_t> model;
  std::vector<FlowHash> hash_of_slot(capacity);
  std::vector<std::uint32_t> free;
  std::vector<std::uint32_t> used;
  for (std::uint32_t slot = 0; slot < capacity; ++slot) free.push_back(slot);
  for (int step = 0; step < 40'000; ++step) {
    const bool is_filling = step / 8'000 % 2 == 0;  // to the brim, down, and up again
    if (!free.empty() && (used.empty() || random() % 8 < (is_filling ? 7u : 1u))) {
      const std::uint32_t slot = free.back();
      free.pop_back();
      used.push_back(slot);
      hash_of_slot[slot] = draw(random);
      index.insert(hash_of_slot[slot], slot);
      model.emplace(hash_of_slot[slot], slot);
    } else {
      std::swap(used[random() % used.size()], used.back());
      const std::uint32_t slot = used.back();
      used.pop_back();
      free.push_back(slot);
      index.erase(hash_of_slot[slot], slot);
      const auto [begin, end] = model.equal_range(hash_of_slot[slot]);
      model.erase(std::find_if(begin, end, [&](const auto& e) { return e.second == slot; }));
    }
    const FlowHash hash =
        used.empty() || random() % 2 ? draw(random) : hash_of_slot[used[random() % used.size()]];
    std::vector<std::uint32_t> expected;
    const auto [begin, end] = model.equal_range(hash);
    for (auto i = begin; i != end; ++i) expected.push_back(i->second);
    std::sort(expected.begin(), expected.end());
    ASSERT_EQ(slots_of(index, hash, hash_of_slot), expected) << "step " << step;
  }
}

TEST(flow_index, equals_a_multimap_under_random_hashes) {
  compare_with_multimap(2'000, [](std::mt19937_64& random) { return random(); });
}

TEST(flow_index, equals_a_multimap_when_hashes_are_equal) {
  compare_with_multimap(300, [](std::mt19937_64& random) { return FlowHash{random() % 20} << 32; });
}

TEST(flow_index, equals_a_multimap_when_all_hashes_share_a_home_bucket) {
  compare_with_multimap(500, [](std::mt19937_64& random) { return FlowHash{random() % 5'000}; });
}

TEST(flow_index, equals_a_multimap_when_homes_lie_at_the_wrap) {
  compare_with_multimap(400,
                        [](std::mt19937_64& random) { return ~FlowHash{0} - random() % 100'000; });
}

TEST(flow_index, equals_a_multimap_at_the_smallest_capacity) {
  compare_with_multimap(1, [](std::mt19937_64& random) { return FlowHash{random() % 3}; });
}

TEST(flow_index, hash_zero_is_a_hash_like_any_other) {
  FlowIndex index(10, IndexLoad::dense);
  index.insert(0, 3);
  EXPECT_EQ(index.find(0, [](std::uint32_t) { return true; }), 3u);
  EXPECT_EQ(index.guess(0), 3u);
  index.erase(0, 3);
  EXPECT_EQ(index.find(0, [](std::uint32_t) { return true; }), kNoSlot);
  EXPECT_EQ(index.guess(0), kNoSlot);
}

TEST(flow_index, find_stops_at_the_slot_that_is_accepted) {
  FlowIndex index(10, IndexLoad::dense);
  for (std::uint32_t slot = 0; slot < 5; ++slot) index.insert(42, slot);
  int asked = 0;
  const std::uint32_t found = index.find(42, [&](std::uint32_t slot) {
    ++asked;
    return slot == 2;
  });
  EXPECT_EQ(found, 2u);
  EXPECT_LE(asked, 5);
  EXPECT_EQ(index.find(42, [](std::uint32_t slot) { return slot == 9; }), kNoSlot);
}

TEST(flow_index_death, erasing_what_is_not_there_is_a_broken_invariant) {
  FlowIndex index(10, IndexLoad::dense);
  index.insert(42, 1);
  EXPECT_DEATH(index.erase(42, 2), "");
}

TEST(free_list, gives_every_slot_once_and_the_last_freed_first) {
  std::vector<std::uint32_t> link(5);
  const auto next_of = [&](std::uint32_t slot) -> std::uint32_t& { return link[slot]; };
  FreeList free(5);
  std::set<std::uint32_t> taken;
  for (int i = 0; i < 5; ++i) taken.insert(free.take(next_of));
  EXPECT_EQ(taken, (std::set<std::uint32_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(free.used(), 5u);
  EXPECT_EQ(free.take(next_of), kNoSlot);
  EXPECT_EQ(free.used(), 5u);
  free.give_back(3, next_of);
  free.give_back(1, next_of);
  EXPECT_EQ(free.used(), 3u);
  EXPECT_EQ(free.take(next_of), 1u);
  EXPECT_EQ(free.take(next_of), 3u);
  EXPECT_EQ(free.take(next_of), kNoSlot);
}

TEST(free_list, without_capacity_gives_nothing) {
  std::vector<std::uint32_t> link(1);
  FreeList free(0);
  EXPECT_EQ(free.take([&](std::uint32_t slot) -> std::uint32_t& { return link[slot]; }), kNoSlot);
}

}  // namespace
}  // namespace linger
