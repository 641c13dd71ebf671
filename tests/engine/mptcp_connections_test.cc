#include "engine/mptcp_connections.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <tuple>

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

TEST(mptcp_connections, a_share_is_rounded_up_at_half_a_thousandth) {
  Meeting run;
  run.connections.add(end(kInitial, 5, 203));
  run.connections.add(end(kBack, 6, 197));
  run.connections.finish();
  ASSERT_EQ(run.told.size(), 1u);
  EXPECT_EQ(run.told[0].paths[0].share, 508);  // 0.5075 is not quite so much as a binary fraction
  EXPECT_EQ(run.told[0].paths[1].share, 493);
}

TEST(mptcp_connections, a_join_whose_syn_came_again_as_another_offer_ends_all_the_same) {
  Meeting run;
  MptcpNotice offer = end(kJoin, 6);
  offer.subflow.role = MptcpRole::offered;
  ASSERT_TRUE(offer.names_connection());
  for (const MptcpNotice& notice : {kInitial, kJoin, end(kInitial, 5), offer})
    run.connections.add(notice);
  run.connections.advance(7 * kSecond + kTimeout);
  EXPECT_EQ(run.told.size(), 2u) << "it named its connection once";
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

// Its first news are told by the sides of its key, its last by who opened it.
TEST(mptcp_connections, a_join_that_stays_longer_than_the_rest_is_told_with_them) {
  MptcpNotice turned = kJoin;
  std::swap(turned.subflow.host[0], turned.subflow.host[1]);
  for (const MptcpNotice& join : {kJoin, turned}) {
    Meeting run;
    run.connections.add(kInitial);
    run.connections.add(join);
    run.connections.add(end(kInitial, 5));
    run.connections.add(end(kJoin, 900));
    run.connections.finish();
    ASSERT_EQ(run.told.size(), 1u);
    EXPECT_EQ(run.told[0].record.mptcp_subflows, 2u);
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

TEST(mptcp_connections, addresses_in_vain_beyond_the_list_are_counted) {
  Meeting run;
  for (std::uint8_t i = 0; i < 3; ++i) {
    MptcpNotice notice = end(begin(10 + i, MptcpRole::join, {0, kServer}, 1), 5);
    for (std::uint8_t j = 0; j < kMptcpAddressesMax; ++j) {
      MptcpAddress& address = notice.subflow.addresses[notice.subflow.address_count++];
      address.address.bytes = {10, 0, i, j};
      address.ip_version = 4;
      address.id = static_cast<std::uint8_t>(100 + 8 * i + j);
    }
    run.connections.add(notice);
  }
  run.connections.finish();
  EXPECT_EQ(run.told.at(0).unused_count, kMptcpUnusedMax);
  EXPECT_EQ(run.counters.mptcp_unused_unlisted.value(), 3 * kMptcpAddressesMax - kMptcpUnusedMax);
}

TEST(mptcp_connections, withdrawn_addresses_and_failed_checksums_are_told_by_host) {
  Meeting run;
  MptcpNotice back = end(kBack, 5);  // its source is the connection's destination
  back.subflow.removed = {0b110, 0};
  back.subflow.fail = {true, false};
  MptcpNotice initial = end(kInitial, 5);
  initial.subflow.removed = {0, 0b100};
  run.connections.add(initial);
  run.connections.add(back);
  run.connections.finish();
  EXPECT_EQ(run.told.at(0).record.mptcp_removed, (std::array<std::uint8_t, 2>{0, 2}));
  EXPECT_EQ(run.told.at(0).record.mptcp_fail, (std::array<bool, 2>{false, true}));
}

// The session that goes on with this one.
MptcpNotice rest_of(const MptcpNotice& cut, std::uint64_t id, std::int64_t seconds) {
  MptcpNotice rest = begin(id, MptcpRole::mid_stream, {0, 0}, seconds);
  rest.continues = cut.path.id;
  return rest;
}

TEST(mptcp_connections, a_cut_subflow_and_what_continues_it_are_one_path) {
  const MptcpNotice second = rest_of(kBack, 7, 20), third = rest_of(second, 8, 30);
  Meeting run;
  run.connections.add(kInitial);
  run.connections.add(end(kBack, 10, 5));
  run.connections.add(second);
  run.connections.add(end(second, 25, 6));
  run.connections.add(third);
  run.connections.add(end(kInitial, 12, 1));
  run.connections.advance(80 * kSecond);
  EXPECT_TRUE(run.told.empty()) << "the third part is open";
  run.connections.add(end(third, 31, 8));
  run.connections.advance(100 * kSecond);
  ASSERT_EQ(run.told.size(), 1u);
  const MptcpConnection& told = run.told[0];
  EXPECT_EQ(told.record.mptcp_subflows, 2u);
  EXPECT_EQ(told.record.payload_bytes, (std::array<std::uint64_t, 2>{1, 19}));
  EXPECT_EQ(told.paths[1].id, kBack.path.id);
  EXPECT_EQ(told.paths[1].payload_bytes, (std::array<std::uint64_t, 2>{0, 19}));
  EXPECT_EQ(told.paths[1].end.value, 31 * kSecond);
  EXPECT_EQ(told.paths[1].share, 950);
}

TEST(mptcp_connections, what_continues_a_subflow_later_is_not_told_whenever_news_of_it_come) {
  const MptcpNotice late = rest_of(kJoin, 7, 66);
  for (const bool is_told_before : {false, true}) {
    Meeting run;
    run.connections.add(end(kJoin, 5, 3));
    if (is_told_before) run.connections.advance(66 * kSecond);
    run.connections.add(late);
    run.connections.add(end(late, 70, 4));
    run.connections.finish();
    ASSERT_EQ(run.told.size(), 1u);
    EXPECT_EQ(run.told[0].record.payload_bytes[0], 3u);
  }
}

TEST(mptcp_connections, connections_whose_tokens_clash_are_told_apart_by_the_address_of_the_host) {
  const auto at = [](MptcpNotice notice, std::uint8_t server) {
    notice.path.address[1].bytes = {10, 0, 0, server};
    return notice;
  };
  const MptcpNotice other = begin(6, MptcpRole::initial, {33, kServer}, 1);
  MptcpNotice announcing = at(end(other, 9, 10), 2);
  announcing.subflow.address_count = 1;
  announcing.subflow.addresses[0].address.bytes = {10, 0, 0, 3};
  announcing.subflow.addresses[0].side = 1;
  Meeting run;
  run.connections.add(at(end(kInitial, 9, 1), 1));
  run.connections.add(announcing);
  for (std::uint8_t server = 1; server <= 3; ++server)
    run.connections.add(
        at(end(begin(20U + server, MptcpRole::join, {0, kServer}, 2), 8, 100), server));
  run.connections.finish();
  ASSERT_EQ(run.told.size(), 2u);
  EXPECT_EQ(run.told[0].record.mptcp_host[0].token, kClient);
  EXPECT_EQ(run.told[0].record.payload_bytes[0], 101u);
  EXPECT_EQ(run.told[1].record.mptcp_host[0].token, 33u);
  EXPECT_EQ(run.told[1].record.payload_bytes[0], 210u);
  EXPECT_EQ(run.counters.mptcp_clashes.value(), 1u);
}

// Its first segment names other keys: nobody's, or another connection's that took the ports over.
TEST(mptcp_connections, an_initial_subflow_of_other_keys_that_goes_on_is_told_with_what_was_cut) {
  MptcpNotice other = begin(6, MptcpRole::initial, {33, kServer}, 31);
  other.continues = kInitial.path.id;
  Meeting run;
  run.connections.add(end(kInitial, 1, 10));
  run.connections.add(end(other, 31, 20));
  run.connections.finish();
  ASSERT_EQ(run.told.size(), 1u);
  EXPECT_EQ(run.told[0].record.mptcp_subflows, 1u);
  EXPECT_EQ(run.told[0].record.payload_bytes[0], 30u);
  EXPECT_EQ(run.counters.mptcp_clashes.value(), 0u);
}

TEST(mptcp_connections, what_was_only_offered_is_none_though_it_goes_on_with_a_session) {
  MptcpNotice offered = rest_of(kInitial, 7, 500);
  offered.subflow.role = MptcpRole::offered;
  offered.subflow.host[0].token = kClient;
  Meeting run;
  run.connections.add(end(kInitial, 10));
  run.connections.add(offered);
  run.connections.add(end(offered, 501));
  run.connections.finish();
  ASSERT_EQ(run.told.size(), 1u);
  EXPECT_EQ(run.told[0].paths[0].id, kInitial.path.id);
}

// The same two hosts, each of which opened one.
TEST(mptcp_connections, an_initial_subflow_of_the_same_keys_is_told_with_them_whoever_opened_it) {
  const auto at = [](MptcpNotice notice, std::uint8_t from, std::uint8_t to) {
    notice.path.address[0].bytes = {10, 0, 0, from};
    notice.path.address[1].bytes = {10, 0, 0, to};
    return notice;
  };
  const MptcpNotice clashing = begin(6, MptcpRole::initial, {33, kServer}, 1);
  const MptcpNotice back = begin(7, MptcpRole::initial, {kServer, kClient}, 2);
  Meeting run;
  run.connections.add(at(end(kInitial, 9, 1), 1, 2));
  run.connections.add(at(end(clashing, 9, 10), 3, 4));
  run.connections.add(at(end(back, 9, 100), 4, 1));
  run.connections.finish();
  ASSERT_EQ(run.told.size(), 2u);
  EXPECT_EQ(run.told[0].record.payload_bytes, (std::array<std::uint64_t, 2>{1, 100}));
  EXPECT_EQ(run.told[1].record.payload_bytes, (std::array<std::uint64_t, 2>{10, 0}));
}

TEST(mptcp_connections, the_first_subflow_is_never_the_other_way_round) {
  Meeting run;
  run.connections.add(end(begin(1, MptcpRole::join, {kServer, kServer}, 0), 9, 7));
  run.connections.finish();
  ASSERT_EQ(run.told.size(), 1u);
  EXPECT_FALSE(run.told[0].paths[0].is_by_destination);
  EXPECT_EQ(run.told[0].record.payload_bytes[0], 7u);
}

// Tokens that clash, joins of nobody, sessions that go on with any other one.
std::vector<MptcpNotice> random_news(std::mt19937_64& random, std::uint64_t subflows) {
  const auto below = [&](std::uint64_t limit) { return random() % limit; };
  std::vector<MptcpNotice> news;
  std::int64_t second = 0;
  for (std::uint64_t i = 0; i < subflows; ++i) {
    second += static_cast<std::int64_t>(below(30));
    const auto role = below(2) == 0 ? MptcpRole::initial : MptcpRole::join;
    const auto token = static_cast<std::uint32_t>(1 + below(6));
    MptcpNotice notice = begin(i + 1, role, {static_cast<std::uint32_t>(below(6)), token}, second);
    if (i != 0 && below(3) == 0) notice.continues = {0, 1 + below(i)};
    if (below(2) == 0) {  // it knows more at its end
      MptcpNotice first = notice;
      if (below(2) == 0) first.subflow.host[below(2)].token = 0;
      news.push_back(first);
    }
    news.push_back(
        end(notice, second + static_cast<std::int64_t>(below(90)), std::uint64_t{1} << i));
    news.back().path.packets = {1, 0};
  }
  return news;
}

TEST(mptcp_connections, whatever_subflows_say_each_is_told_once) {
  constexpr std::uint64_t kSeeds = 3'000, kSubflows = 20;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    std::mt19937_64 random(seed);
    Meeting run(seed % 4 == 0 ? 3 : 100);
    for (const MptcpNotice& notice : random_news(random, kSubflows)) run.connections.add(notice);
    run.connections.finish();
    std::uint64_t packets = 0, payload = 0;  // as many and as much only if none is missing
    for (const MptcpConnection& connection : run.told) {
      EXPECT_NE(connection.path_count, 0u) << "seed " << seed;
      packets += connection.record.packets[0] + connection.record.packets[1];
      payload += connection.record.payload_bytes[0] + connection.record.payload_bytes[1];
    }
    ASSERT_EQ(packets, kSubflows) << "seed " << seed;
    ASSERT_EQ(payload, (std::uint64_t{1} << kSubflows) - 1) << "seed " << seed;
  }
}

// How far the shards have come when it looks is a matter of chance.
TEST(mptcp_connections, what_is_told_does_not_depend_on_when_one_that_is_over_goes_away) {
  for (std::uint64_t seed = 0; seed < 3'000; ++seed) {
    std::mt19937_64 random(seed);
    std::vector<MptcpNotice> news = random_news(random, 12);
    std::stable_sort(news.begin(), news.end(),
                     [](const MptcpNotice& a, const MptcpNotice& b) { return a.clock < b.clock; });
    using Told = std::set<std::tuple<std::uint64_t, std::uint64_t, std::uint64_t>>;
    const auto told = [&](std::uint64_t advances_each) {
      Meeting run;
      for (std::size_t i = 0; i < news.size(); ++i) {
        if (advances_each != 0 && i % advances_each == 0) run.connections.advance(news[i].clock);
        run.connections.add(news[i]);
      }
      run.connections.finish();
      Told all;
      for (const MptcpConnection& c : run.told)
        all.emplace(c.record.id.low, c.record.packets[0] + c.record.packets[1],
                    c.record.payload_bytes[0] + c.record.payload_bytes[1]);
      return all;
    };
    const Told at_the_end = told(0);
    ASSERT_EQ(told(1), at_the_end) << "seed " << seed;
    ASSERT_EQ(told(5), at_the_end) << "seed " << seed;
  }
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

// Each with another key of the server: told at once, they would be held against each other for
// minutes.
TEST(mptcp_connections, what_shares_a_token_is_told_in_parts) {
  Meeting run(100'000);
  const auto add = [&](std::uint32_t i) {
    run.connections.add(end(begin(i, MptcpRole::initial, {kClient, 100 + i}, 1), 2));
  };
  for (std::uint32_t i = 1; i < MptcpConnections::kGroupMax; ++i) add(i);
  EXPECT_TRUE(run.told.empty());
  add(MptcpConnections::kGroupMax);
  EXPECT_EQ(run.told.size(), MptcpConnections::kGroupMax);
  EXPECT_EQ(run.counters.mptcp_crowded.value(), 1u);
  add(MptcpConnections::kGroupMax + 1);
  run.connections.finish();
  EXPECT_EQ(run.told.size(), MptcpConnections::kGroupMax + 1);
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
