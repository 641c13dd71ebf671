#include "sessiontable/shared_pool.h"

#include <gtest/gtest.h>

#include "sessiontable/session.h"

namespace linger {
namespace {

constexpr auto kOne = [](int) { return FlowHash{1}; };

TEST(shared_pool, equal_values_share_a_place_until_the_last_session_lets_go) {
  SharedPool<int> pool(2);
  const std::uint32_t place = pool.take(7, 1);
  EXPECT_EQ(pool.take(7, 1), place);
  EXPECT_EQ(pool[place], 7);
  const std::uint32_t other = pool.take(8, 1);  // of the same hash
  EXPECT_NE(other, place);
  EXPECT_EQ(pool.take(9, 2), kNoSlot);
  pool.release(place, kOne);
  EXPECT_EQ(pool.take(9, 2), kNoSlot);
  pool.release(place, kOne);
  EXPECT_EQ(pool.used(), 1u);
  EXPECT_EQ(pool.take(9, 2), place);
}

TEST(shared_pool, is_taken_again_only_while_it_is_held) {
  SharedPool<int> pool(2);
  EXPECT_FALSE(pool.take_again(0, 0));  // never taken
  const std::uint32_t place = pool.take(7, 1);
  EXPECT_FALSE(pool.take_again(place, 8));
  EXPECT_TRUE(pool.take_again(place, 7));
  pool.release(place, kOne);
  EXPECT_EQ(pool.used(), 1u);
  pool.release(place, kOne);
  EXPECT_FALSE(pool.take_again(place, 7));
  EXPECT_EQ(pool.used(), 0u);
}

// As many different ones as there are sessions, each changed once while all are held.
TEST(opening_pool, is_never_dry) {
  constexpr std::uint32_t kSessions = 1'000;
  OpeningPool pool(kSessions, make_hash_seed(1));
  const auto numbered = [](std::uint64_t i) {
    SessionOpening opening;
    opening.link[1] = i;
    return opening;
  };
  std::vector<std::uint32_t> places;
  for (std::uint64_t i = 0; i < kSessions; ++i) places.push_back(pool.take(numbered(i)));
  for (std::uint64_t i = 0; i < kSessions; ++i) {
    const std::uint32_t before = places[i];
    ASSERT_EQ(pool[before], numbered(i));
    places[i] = pool.take(numbered(kSessions + i));
    ASSERT_NE(places[i], kNoSlot);
    pool.release(before);
  }
  for (std::uint64_t i = 0; i < kSessions; ++i) EXPECT_EQ(pool[places[i]], numbered(kSessions + i));
}

TEST(session_opening, turned_round_it_keeps_its_tags) {
  SessionOpening opening;
  opening.link = {0x0605'0403'0201 | SessionOpening::kHasMac | SessionOpening::kHasVlan |
                      std::uint64_t{7} << SessionOpening::kVlanShift,
                  0x1615'1413'1211};
  opening.swap_macs();
  EXPECT_EQ(opening.mac(0), (std::array<std::uint8_t, 6>{0x11, 0x12, 0x13, 0x14, 0x15, 0x16}));
  EXPECT_EQ(opening.mac(1), (std::array<std::uint8_t, 6>{1, 2, 3, 4, 5, 6}));
  EXPECT_TRUE(opening.has_mac());
  EXPECT_TRUE(opening.has_vlan(0));
  EXPECT_EQ(opening.vlan(0), 7);
  EXPECT_FALSE(opening.has_vlan(1));
}

}  // namespace
}  // namespace linger
