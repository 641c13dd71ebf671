#include "engine/mptcp_connections.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace linger {
namespace {

constexpr DurationNs kTimeout = 60 * kSecond;
constexpr std::uint32_t kClient = 11, kServer = 22;

struct Meeting {
  MptcpCounters counters;
  std::vector<MptcpConnection> told;
  MptcpConnections connections;

  explicit Meeting(std::size_t subflows_max = 100)
      : connections(kTimeout, subflows_max, counters,
                    [this](const MptcpConnection& connection) { told.push_back(connection); }) {}
};

MptcpNotice begin(std::uint64_t id, MptcpRole role, std::array<std::uint32_t, 2> tokens,
                  std::int64_t seconds) {
  MptcpNotice notice;
  notice.clock = seconds * kSecond;
  notice.path.id = {0, id};
  notice.subflow.role = notice.path.role = role;
  for (std::size_t side = 0; side < 2; ++side) notice.subflow.host[side].token = tokens[side];
  return notice;
}

MptcpNotice end(MptcpNotice notice, std::int64_t seconds, std::uint64_t payload = 0) {
  notice.path.start = {notice.clock};
  notice.has_ended = true;
  notice.clock = seconds * kSecond;
  notice.path.end = {notice.clock};
  notice.path.payload_bytes = {payload, 0};
  notice.path.ip_version = 4;
  return notice;
}

const MptcpNotice kInitial = begin(1, MptcpRole::initial, {kClient, kServer}, 0);
const MptcpNotice kJoin = begin(2, MptcpRole::join, {0, kServer}, 1);
const MptcpNotice kBack = begin(3, MptcpRole::join, {0, kClient}, 2);

TEST(mptcp_connections, a_connection_is_told_when_nothing_can_join_it_any_more) {
  Meeting run;
  run.connections.add(kInitial);
  run.connections.add(kJoin);
  run.connections.add(end(kJoin, 5));
  run.connections.advance(1'000 * kSecond);
  EXPECT_TRUE(run.told.empty()) << "the initial subflow is open";
  run.connections.add(end(kInitial, 900));
  run.connections.advance(900 * kSecond + kTimeout);
  EXPECT_TRUE(run.told.empty());
  run.connections.advance(900 * kSecond + kTimeout + 1);
  ASSERT_EQ(run.told.size(), 1u);
  EXPECT_EQ(run.told[0].record.mptcp_subflows, 2u);
  run.connections.finish();
  EXPECT_EQ(run.told.size(), 1u);
  EXPECT_EQ(run.counters.mptcp_connections.value(), 1u);
}

TEST(mptcp_connections, a_subflow_that_the_destination_opened_is_told_the_other_way_round) {
  Meeting run;
  run.connections.add(end(kInitial, 5, 100));
  run.connections.add(end(kBack, 6, 300));
  run.connections.finish();
  ASSERT_EQ(run.told.size(), 1u);
  const MptcpConnection& told = run.told[0];
  EXPECT_EQ(told.record.payload_bytes, (std::array<std::uint64_t, 2>{100, 300}));
  EXPECT_FALSE(told.paths[0].is_by_destination);
  EXPECT_TRUE(told.paths[1].is_by_destination);
  EXPECT_EQ(told.paths[0].share, 250);
  EXPECT_EQ(told.paths[1].share, 750);
}

TEST(mptcp_connections, news_in_any_order_give_the_same_connection) {
  // Each subflow's own come in order, as they do from one shard.
  const std::vector<std::vector<MptcpNotice>> shards = {
      {kInitial, end(kInitial, 9, 10)}, {kJoin, end(kJoin, 8, 20)}, {kBack, end(kBack, 7, 30)}};
  std::vector<std::size_t> turns = {0, 0, 1, 1, 2, 2};
  std::size_t orders = 0;
  do {
    Meeting run;
    std::size_t next[3] = {};
    for (const std::size_t shard : turns) run.connections.add(shards[shard][next[shard]++]);
    run.connections.advance(100 * kSecond);
    ASSERT_EQ(run.told.size(), 1u);
    EXPECT_EQ(run.told[0].path_count, 3);
    for (std::uint64_t i = 0; i < 3; ++i) EXPECT_EQ(run.told[0].paths[i].id, (Id128{0, i + 1}));
    EXPECT_EQ(run.told[0].record.payload_bytes, (std::array<std::uint64_t, 2>{30, 30}));
    ++orders;
  } while (std::next_permutation(turns.begin(), turns.end()));
  EXPECT_EQ(orders, 90u);
}

TEST(mptcp_connections, the_same_token_after_the_timeout_is_another_connection) {
  const MptcpNotice later = begin(4, MptcpRole::join, {0, kServer}, 100);
  for (const bool is_told_between : {false, true}) {
    Meeting run;
    run.connections.add(end(kJoin, 5));
    if (is_told_between) run.connections.advance(99 * kSecond);
    run.connections.add(later);
    run.connections.add(end(later, 101));
    run.connections.finish();
    ASSERT_EQ(run.told.size(), 2u);
    EXPECT_EQ(run.told[0].paths[0].id, (Id128{0, 2}));
    EXPECT_EQ(run.told[1].paths[0].id, (Id128{0, 4}));
    EXPECT_NE(run.told[0].record.id, run.told[1].record.id);
  }
}

TEST(mptcp_connections, an_announced_address_is_unused_until_a_subflow_uses_it_or_its_id) {
  MptcpNotice announcing = end(kInitial, 5);
  for (std::uint8_t i = 0; i < 3; ++i) {
    MptcpAddress& address = announcing.subflow.addresses[announcing.subflow.address_count++];
    address.address.bytes = {10, 0, 0, i};
    address.ip_version = 4;
    address.id = static_cast<std::uint8_t>(i + 1);
    address.side = 1;
  }
  MptcpNotice by_address = end(kJoin, 5);
  by_address.path.address[1].bytes = {10, 0, 0, 0};
  MptcpNotice by_id = end(begin(5, MptcpRole::join, {0, kServer}, 1), 5);
  by_id.path.address_id[1] = 2;
  Meeting run;
  for (const MptcpNotice& notice : {announcing, by_address, by_id}) run.connections.add(notice);
  run.connections.finish();
  ASSERT_EQ(run.told.size(), 1u);
  ASSERT_EQ(run.told[0].unused_count, 1);
  EXPECT_EQ(run.told[0].unused[0].id, 3);
  EXPECT_EQ(run.told[0].unused[0].side, 1);
}

TEST(mptcp_connections, beyond_the_limit_the_oldest_connection_is_told_early) {
  Meeting run(2);
  for (std::uint32_t i = 1; i <= 3; ++i)
    run.connections.add(end(begin(i, MptcpRole::join, {0, i}, 1), 2));
  ASSERT_EQ(run.told.size(), 1u);
  EXPECT_EQ(run.told[0].paths[0].id, (Id128{0, 1}));
  EXPECT_EQ(run.counters.mptcp_early.value(), 1u);
  run.connections.finish();
  EXPECT_EQ(run.told.size(), 3u);
}

TEST(mptcp_connections, more_subflows_than_a_record_lists_are_counted) {
  Meeting run;
  for (std::uint32_t i = 1; i <= kMptcpPathsMax + 3; ++i)
    run.connections.add(end(begin(i, MptcpRole::join, {0, kServer}, i), 50, 10));
  run.connections.finish();
  ASSERT_EQ(run.told.size(), 1u);
  EXPECT_EQ(run.told[0].path_count, kMptcpPathsMax);
  EXPECT_EQ(run.told[0].record.mptcp_subflows, kMptcpPathsMax + 3);
  EXPECT_EQ(run.told[0].record.payload_bytes[0], 10 * (kMptcpPathsMax + 3));
  EXPECT_EQ(run.counters.mptcp_unlisted.value(), 3u);
}

TEST(mptcp_tokens, are_hashes_of_the_keys_as_the_two_versions_have_them) {
  MptcpTokens tokens;
  EXPECT_EQ(tokens.of({}), 0u);
  EXPECT_EQ(tokens.of({0, 7, MptcpVersion::unknown}), 7u);
  EXPECT_EQ(tokens.of({0x0102030405060708, 0, MptcpVersion::v0}), 0xdd5783bcu);  // SHA-1
  EXPECT_EQ(tokens.of({0x0102030405060708, 0, MptcpVersion::v1}), 0x66840ddau);  // SHA-256
}

}  // namespace
}  // namespace linger
