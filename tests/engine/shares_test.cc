#include "engine/shares.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace linger {
namespace {

using testing::Each;

std::vector<std::uint32_t> owned_of_a_million(const Shares& shares) {
  std::mt19937_64 random(1);
  std::vector<std::uint32_t> count(shares.shard_count());
  for (int i = 0; i < 1'000'000; ++i) ++count.at(shares.owner_of(random()));
  return count;
}

void expect_parts(const Shares& shares, const std::vector<double>& expected) {
  const std::vector<std::uint32_t> owned = owned_of_a_million(shares);
  Settings all;
  all.maxStreams = 1'000'000;
  for (std::uint32_t i = 0; i < shares.shard_count(); ++i) {
    EXPECT_NEAR(owned[i], expected[i] * 1e6, 5'000) << "shard " << i;
    // As many as it owns have room.
    const std::uint64_t room = shares.settings_of(i, all).maxStreams;
    EXPECT_NEAR(static_cast<double>(room), std::max(64.0, expected[i] * 1e6), 2) << "shard " << i;
  }
}

TEST(shares, are_equal_where_each_shard_receives) {
  for (const std::uint32_t count : {1u, 2u, 3u, 8u, 64u})
    expect_parts(Shares::equal(count), std::vector<double>(count, 1.0 / count));
}

TEST(shares, the_shard_that_reads_for_all_owns_less) {
  expect_parts(Shares::beside_reader(1), {1});
  expect_parts(Shares::beside_reader(2), {0.25, 0.75});
  for (const std::uint32_t count : {3u, 4u, 8u, 64u}) {
    std::vector<double> parts(count, 1.0 / (count - 1));
    parts.front() = 0;
    expect_parts(Shares::beside_reader(count), parts);
  }
}

TEST(shares, the_last_hashes_have_an_owner) {
  // Those that the mixing takes to the ends of its range, found by its inverse.
  constexpr FlowHash kInverse = 0xf1de'83e1'9937'733d;
  static_assert(kInverse * 0x9e37'79b9'7f4a'7c15 == 1);
  for (const std::uint32_t count : {1u, 2u, 3u, 5u, 7u, 64u}) {
    for (const Shares& shares : {Shares::equal(count), Shares::beside_reader(count)}) {
      EXPECT_EQ(shares.owner_of(~FlowHash{0} * kInverse), count - 1);
      EXPECT_LT(shares.owner_of(0), count);
    }
  }
}

// The index takes its bucket from the high bits of the hash and its tag from the low ones: a shard
// must still use all of both.
TEST(shares, the_owner_says_nothing_about_the_bucket) {
  std::mt19937_64 random(2);
  const Shares shares = Shares::equal(8);
  std::vector<std::uint32_t> upper_half(8);
  std::vector<std::uint32_t> all(8);
  for (int i = 0; i < 64'000; ++i) {
    const FlowHash hash = random();
    ++all[shares.owner_of(hash)];
    upper_half[shares.owner_of(hash)] += hash >> 63;
  }
  for (std::size_t i = 0; i < 8; ++i) EXPECT_NEAR(upper_half[i], all[i] / 2, all[i] / 20);
}

std::vector<std::uint64_t> sizes_of(const Settings& settings) {
  return {settings.graveyard_size(), settings.extension_pool(), settings.rtt_pool(),
          settings.read_sessions(),  settings.latePool,         settings.tunnelPool,
          settings.mptcpPool,        settings.synFloodRate,     settings.parserMemory,
          settings.reorderMemory,    settings.ruleStreams};
}

TEST(shares, all_that_sessions_share_is_divided_as_they_are) {
  Settings all;
  all.maxStreams = 1'000'000;
  const std::vector<std::uint64_t> whole = sizes_of(all);
  const Shares shares = Shares::beside_reader(2);
  const Settings first = shares.settings_of(0, all);
  const Settings second = shares.settings_of(1, all);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    EXPECT_NEAR(static_cast<double>(sizes_of(first)[i]), static_cast<double>(whole[i]) / 4, 1);
    EXPECT_NEAR(static_cast<double>(sizes_of(second)[i]), static_cast<double>(whole[i]) * 3 / 4, 1);
  }
  EXPECT_EQ(first.packetThreads, 1u);
  EXPECT_EQ(first.tcpTimeout, all.tcpTimeout);
}

TEST(shares, a_shard_that_owns_nothing_still_has_tables_that_work) {
  const Settings least = Shares::beside_reader(8).settings_of(0, Settings());
  EXPECT_EQ(least.maxStreams, kStreamsPerThreadMin);
  EXPECT_THAT(sizes_of(least), Each(1u));
}

TEST(shares, one_shard_has_all) {
  for (const Shares& shares : {Shares::equal(1), Shares::beside_reader(1)}) {
    EXPECT_EQ(shares.settings_of(0, Settings()).maxStreams, Settings().maxStreams);
    EXPECT_EQ(sizes_of(shares.settings_of(0, Settings())), sizes_of(Settings()));
  }
}

}  // namespace
}  // namespace linger
