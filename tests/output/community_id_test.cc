#include "output/community_id.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <algorithm>
#include <random>
#include <string>
#include <tuple>

namespace linger {
namespace {

Record record_between(std::uint8_t protocol, std::array<std::uint8_t, 4> a,
                      std::array<std::uint8_t, 4> b) {
  Record r;
  r.ip_version = 4;
  r.protocol = protocol;
  std::copy(a.begin(), a.end(), r.address[0].bytes.begin());
  std::copy(b.begin(), b.end(), r.address[1].bytes.begin());
  return r;
}

std::string id_of(const Record& record) {
  char out[kCommunityIdBytes];
  CommunityIds ids;
  ids.put(out, record);
  ids.complete();
  return {out, kCommunityIdBytes};
}

Record reversed(Record r) {
  std::swap(r.address[0], r.address[1]);
  std::swap(r.port[0], r.port[1]);
  return r;
}

// The values of the specification's baseline (github.com/corelight/community-id-spec).
TEST(community_id, tcp_udp_and_sctp_as_the_specification_has_them) {
  Record tcp = record_between(6, {128, 232, 110, 120}, {66, 35, 250, 204});
  tcp.port = {34'855, 80};
  EXPECT_EQ(id_of(tcp), "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
  Record udp = record_between(17, {192, 168, 1, 52}, {8, 8, 8, 8});
  udp.port = {54'585, 53};
  EXPECT_EQ(id_of(udp), "1:d/FP5EW3wiY1vCndhwleRRKHowQ=");
  Record sctp = record_between(132, {192, 168, 170, 8}, {192, 168, 170, 56});
  sctp.port = {7, 80};
  EXPECT_EQ(id_of(sctp), "1:jQgCxbku+pNGw8WPbEc/TS/uTpQ=");
}

TEST(community_id, takes_ports_of_no_other_protocol) {
  Record udp_lite = record_between(136, {10, 0, 0, 1}, {10, 0, 0, 2});
  const std::string without = id_of(udp_lite);
  udp_lite.port = {1'000, 2'000};
  EXPECT_EQ(id_of(udp_lite), without);
}

TEST(community_id, icmp_types_that_answer_each_other_stand_for_ports) {
  Record ping = record_between(1, {192, 168, 0, 89}, {192, 168, 0, 1});
  ping.icmp_type = 8;
  EXPECT_EQ(id_of(ping), "1:X0snYXpgwiv9TZtqg64sgzUn6Dk=");
  Record answer = reversed(ping);
  answer.icmp_type = 0;
  EXPECT_EQ(id_of(answer), id_of(ping));
}

TEST(community_id, both_directions_have_the_same_id) {
  Record r = record_between(6, {10, 0, 0, 1}, {10, 0, 0, 2});
  r.port = {1000, 80};
  EXPECT_EQ(id_of(r), id_of(reversed(r)));
  r.address[1] = r.address[0];  // then the ports decide
  EXPECT_EQ(id_of(r), id_of(reversed(r)));
  r.ip_version = 6;
  r.address[0].bytes[15] = 7;
  EXPECT_EQ(id_of(r), id_of(reversed(r)));
  r.protocol = 50;
  EXPECT_EQ(id_of(r), id_of(reversed(r)));
}

TEST(community_id, one_way_icmp_is_not_turned_round) {
  Record unreachable = record_between(1, {10, 0, 0, 2}, {10, 0, 0, 1});
  unreachable.icmp_type = 3;
  unreachable.icmp_code = 1;
  EXPECT_NE(id_of(unreachable), id_of(reversed(unreachable)));
}

// Byte by byte, as the specification tells it.
std::string naive_id_of(const Record& r) {
  const std::size_t bytes = r.ip_version == 4 ? 4 : 16;
  const auto end = [&](unsigned side) {
    return std::string(r.address[side].bytes.begin(), r.address[side].bytes.begin() + bytes);
  };
  const auto port = [&](unsigned side) {
    return std::string{static_cast<char>(r.port[side] >> 8), static_cast<char>(r.port[side])};
  };
  const bool swap = std::tuple(end(0), port(0)) > std::tuple(end(1), port(1));
  std::string text(2, '\0');
  text += end(swap) + end(!swap) + static_cast<char>(r.protocol) + '\0';
  if (r.has_ports()) text += port(swap) + port(!swap);
  unsigned char digest[20], base64[29];
  EXPECT_EQ(EVP_Digest(text.data(), text.size(), digest, nullptr, EVP_sha1(), nullptr), 1);
  EXPECT_EQ(EVP_EncodeBlock(base64, digest, sizeof digest), 28);
  return "1:" + std::string(reinterpret_cast<char*>(base64), 28);
}

Record random_record(std::mt19937& random) {
  Record r;
  r.ip_version = random() % 2 == 0 ? 4 : 6;
  r.protocol = random() % 2 == 0 ? 17 : 50;
  for (IpAddress& address : r.address)
    std::generate_n(address.bytes.begin(), r.ip_version == 4 ? 4 : 16,
                    [&] { return static_cast<std::uint8_t>(random()); });
  if (r.has_ports())
    for (std::uint16_t& port : r.port) port = static_cast<std::uint16_t>(random());
  return r;
}

TEST(community_id, is_what_a_naive_one_is) {
  std::mt19937 random(1);
  for (int i = 0; i < 4'000; ++i) {
    const Record r = random_record(random);
    ASSERT_EQ(id_of(r), naive_id_of(r)) << i;
  }
}

// However many wait to be completed, each comes to its place, and nothing beside it is touched.
TEST(community_id, many_at_once_are_what_each_is_alone) {
  std::mt19937 random(1);
  CommunityIds ids;
  for (const std::size_t count : {1, 15, 16, 17, 100, 0, 3}) {
    std::string text(count * (kCommunityIdBytes + 1), '|');
    std::string expected;
    char* out = text.data();
    for (std::size_t i = 0; i < count; ++i) {
      const Record r = random_record(random);
      out = ids.put(out, r) + 1;
      expected += naive_id_of(r) + '|';
    }
    ids.complete();
    EXPECT_EQ(text, expected);
  }
}

}  // namespace
}  // namespace linger
