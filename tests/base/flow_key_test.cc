#include "engine/base/flow_key.h"

#include <gtest/gtest.h>

#include <bitset>
#include <unordered_set>

namespace linger {
namespace {

FlowKey tcp_key(std::uint16_t client_port) {
  FlowKey key;
  key.address[0].bytes = {10, 0, 0, 1};
  key.address[1].bytes = {192, 0, 2, 1};
  key.port = {client_port, 443};
  key.protocol = 6;
  key.ip_version = 4;
  return key;
}

TEST(FlowKey, every_field_separates_keys) {
  const auto key = tcp_key(1000);
  EXPECT_EQ(key, tcp_key(1000));
  auto other = key;
  other.address[0].bytes[15] = 1;
  EXPECT_FALSE(other == key);
  other = key;
  other.address[1].bytes[0] = 1;
  EXPECT_FALSE(other == key);
  other = key;
  other.port[1] = 80;
  EXPECT_FALSE(other == key);
  other = key;
  other.protocol = 17;
  EXPECT_FALSE(other == key);
  other = key;
  other.ip_version = 6;
  EXPECT_FALSE(other == key);
  other = key;
  other.scope = 1;
  EXPECT_FALSE(other == key);
}

TEST(FlowHash, depends_on_key_and_seed) {
  const auto one = make_hash_seed(1);
  const auto two = make_hash_seed(2);
  EXPECT_EQ(hash_of(tcp_key(1), one), hash_of(tcp_key(1), one));
  EXPECT_NE(hash_of(tcp_key(1), one), hash_of(tcp_key(2), one));
  EXPECT_NE(hash_of(tcp_key(1), one), hash_of(tcp_key(1), two));
}

TEST(FlowHash, sessions_that_differ_in_one_port_spread_evenly) {
  const auto seed = make_hash_seed(42);
  std::vector<int> low(256);
  std::vector<int> high(256);
  std::unordered_set<FlowHash> distinct;
  for (int port = 0; port < 65'536; ++port) {
    const auto hash = hash_of(tcp_key(static_cast<std::uint16_t>(port)), seed);
    ++low[hash & 255];
    ++high[hash >> 56];
    distinct.insert(hash);
  }
  EXPECT_EQ(distinct.size(), 65'536U);
  for (int bucket = 0; bucket < 256; ++bucket) {  // 256 expected, standard deviation 16
    EXPECT_NEAR(low[bucket], 256, 6 * 16) << bucket;
    EXPECT_NEAR(high[bucket], 256, 6 * 16) << bucket;
  }
}

TEST(FlowHash, one_changed_bit_changes_half_of_the_hash) {
  const auto seed = make_hash_seed(7);
  const auto key = tcp_key(50'000);
  double changed = 0;
  int tries = 0;
  for (std::size_t byte = 0; byte < sizeof(FlowKey); ++byte) {
    for (int bit = 0; bit < 8; ++bit) {
      auto words = std::bit_cast<std::array<std::uint8_t, sizeof(FlowKey)>>(key);
      words[byte] ^= static_cast<std::uint8_t>(1 << bit);
      const auto difference = hash_of(key, seed) ^ hash_of(std::bit_cast<FlowKey>(words), seed);
      changed += static_cast<double>(std::bitset<64>(difference).count());
      ++tries;
    }
  }
  EXPECT_NEAR(changed / tries, 32, 2);
}

TEST(HashSeed, neighbouring_secrets_share_no_word) {
  const auto a = make_hash_seed(0);
  const auto b = make_hash_seed(1);
  for (std::size_t i = 0; i < a.words.size(); ++i) EXPECT_NE(a.words[i], b.words[i]);
}

}  // namespace
}  // namespace linger
