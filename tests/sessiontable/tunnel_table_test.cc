#include "sessiontable/tunnel_table.h"

#include <gtest/gtest.h>

namespace linger {
namespace {

TunnelLayers vxlan(std::uint32_t vni) {
  TunnelLayers layers{};
  layers.depth = 1;
  layers.layer[0].kind = TunnelKind::vxlan;
  layers.layer[0].id = vni;
  layers.layer[0].has_id = true;
  layers.layer[0].ip_version = 4;
  layers.layer[0].address[0].bytes = {192, 0, 2, 1};
  layers.layer[0].address[1].bytes = {192, 0, 2, 2};
  return layers;
}

struct Tables {
  Counter dry;
  TunnelTable table{4, make_hash_seed(1), dry};
};

TEST(tunnel_table, equal_stacks_share_a_place_until_the_last_session_ends) {
  Tables t;
  const std::uint32_t place = t.table.take(vxlan(1));
  EXPECT_EQ(t.table.take(vxlan(1)), place);
  EXPECT_NE(t.table.take(vxlan(2)), place);
  EXPECT_EQ(t.table.used(), 2u);
  ASSERT_NE(t.table.find(place), nullptr);
  EXPECT_EQ(*t.table.find(place), vxlan(1));
  t.table.release(place);
  EXPECT_EQ(t.table.used(), 2u);
  t.table.release(place);
  EXPECT_EQ(t.table.used(), 1u);
  EXPECT_EQ(t.table.take(vxlan(3)), place);
}

TEST(tunnel_table, when_it_is_full_sessions_go_without_and_are_counted) {
  Tables t;
  for (std::uint32_t vni = 0; vni < 4; ++vni) EXPECT_LT(t.table.take(vxlan(vni)), 4u);
  EXPECT_EQ(t.table.take(vxlan(4)), TunnelTable::kMissing);
  EXPECT_EQ(t.table.find(TunnelTable::kMissing), nullptr);
  EXPECT_EQ(t.table.find(kNoSlot), nullptr);
  EXPECT_EQ(t.dry.value(), 1u);
  t.table.release(TunnelTable::kMissing);
  t.table.release(kNoSlot);
  EXPECT_EQ(t.table.take_reversed(TunnelTable::kMissing), TunnelTable::kMissing);
  EXPECT_LT(t.table.take(vxlan(3)), 4u);
  EXPECT_EQ(t.table.used(), 4u);
}

TEST(tunnel_table, a_reversed_stack_replaces_the_old) {
  Tables t;
  const std::uint32_t place = t.table.take_reversed(t.table.take(vxlan(1)));
  EXPECT_EQ(t.table.used(), 1u);
  TunnelLayers expected = vxlan(1);
  expected.reverse();
  EXPECT_EQ(*t.table.find(place), expected);
}

TEST(tunnel_table, thousands_of_stacks_come_and_go) {
  Counter dry;
  TunnelTable table(1'000, make_hash_seed(1), dry);
  std::vector<std::uint32_t> places;
  for (std::uint32_t round = 0; round < 10; ++round) {
    for (std::uint32_t vni = 0; vni < 1'000; ++vni) places.push_back(table.take(vxlan(vni * 7)));
    for (std::uint32_t vni = 0; vni < 1'000; ++vni)
      EXPECT_EQ(table.find(places[vni])->layer[0].id, vni * 7);
    for (const std::uint32_t place : places) table.release(place);
    places.clear();
    EXPECT_EQ(table.used(), 0u);
  }
  EXPECT_EQ(dry.value(), 0u);
}

}  // namespace
}  // namespace linger
