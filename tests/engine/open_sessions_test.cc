#include "engine/open_sessions.h"

#include <gtest/gtest.h>

namespace linger::test {
namespace {

SessionRow row_of(std::uint8_t protocol, Phase phase, std::uint64_t bytes) {
  SessionRow row;
  row.key.ip_version = 4;
  row.key.protocol = protocol;
  row.key.address = {IpAddress{{192, 0, 2, 1}}, IpAddress{{198, 51, 100, 2}}};
  row.key.port = {40'000, 443};
  row.phase = phase;
  row.bytes = {bytes, 0};
  return row;
}

TEST(open_sessions, tell_their_states_and_the_largest_of_all_shards) {
  SessionSurvey all;
  all.add({}, 2);
  EXPECT_EQ(text_of(all), "");
  SessionSurvey one;
  one.in_phase[static_cast<std::size_t>(Phase::established)] = 1'200;
  one.largest = {row_of(6, Phase::established, 5'000'000), row_of(6, Phase::established, 4)};
  SessionSurvey other;
  other.in_phase[static_cast<std::size_t>(Phase::established)] = 34;
  other.in_phase[static_cast<std::size_t>(Phase::icmp)] = 1;
  other.largest = {row_of(1, Phase::icmp, 900)};
  other.largest[0].key.ip_version = 6;
  other.largest[0].key.address[0].bytes = {0x20, 0x01, 0x0d, 0xb8};
  other.largest[0].key.address[1].bytes = {0x20, 0x01, 0x0d, 0xb8, 0, 1};
  other.largest[0].key.port = {};
  other.largest[0].originator = 1;
  all.add(one, 2);
  all.add(other, 2);
  EXPECT_EQ(text_of(all),
            "  open      1,235 sessions: established 1,234, icmp 1\n"
            "  largest   5,000,000 bytes, tcp 192.0.2.1:40000 > 198.51.100.2:443, established\n"
            "  largest   900 bytes, icmp 2001:db8:1:: > 2001:db8::, icmp\n");
}

}  // namespace
}  // namespace linger::test
