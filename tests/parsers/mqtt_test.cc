#include "parsers/mqtt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/parsers/dialogue.h"

namespace linger::test {
namespace {

using namespace std::string_literals;
using testing::HasSubstr;

std::string text(const std::string& value) {
  return std::string{static_cast<char>(value.size() >> 8), static_cast<char>(value.size())} + value;
}
std::string packet(unsigned first, const std::string& rest) {
  std::string length;
  for (std::size_t left = rest.size(); length.empty() || left != 0; left >>= 7)
    length += static_cast<char>((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
  return static_cast<char>(first) + length + rest;
}

const std::string kConnect =
    packet(0x10, text("MQTT") + "\x04\xc6\x00\x3c"s + text("sensor-1") + text("last/will") +
                     text("gone") + text("bob") + text("secret"));
const Dialogue kSession = {
    {0, kConnect},
    {1, packet(0x20, "\x00\x00"s)},
    {0, packet(0x82, "\x00\x01"s + text("a/#") + "\x00"s + text("b/+") + "\x01"s)},
    {1, packet(0x90, "\x00\x01\x00\x01"s)},
    {0, packet(0x30, text("t/1") + std::string(300, 'x')) + packet(0x30, text("t/1") + "again")},
    {1, packet(0x32, text("a/b") + "\x00\x02"s + "hello")},
    {0, packet(0x40, "\x00\x02"s) + packet(0xc0, "") + packet(0xe0, "")}};

const Dialogue kSession5 = {
    {0, packet(0x10, text("MQTT") + "\x05\x06\x00\x0a\x05\x11\x00\x00\x00\x0a"s + text("c5") +
                         "\x00"s + text("will") + text("x"))},
    {1, packet(0x20, "\x00\x87\x00"s)},
    {0, packet(0x82, "\x00\x01\x02\x0b\x01"s + text("five") + "\x00"s)},
    {0, packet(0x30, text("") + "\x03\x23\x00\x01"s + "x")},
    {0, packet(0xe0, "\x04\x00"s)}};

TEST(mqtt, a_session_tells_client_and_topics) {
  const Heard heard = hear(kSession);
  EXPECT_EQ(heard.protocol, "mqtt");
  EXPECT_EQ(heard.objects,
            R"(,"mqtt":{"version":"3.1.1","client_id":"sensor-1","user":{"name":"bob"},)"
            R"("keep_alive":60,"clean_start":true,"will_topic":"last/will","connect":{"code":0},)"
            R"("published":["t/1","a/b"],"subscribed":["a/#","b/+"],"messages":3})");
  EXPECT_FALSE(heard.is_malformed);
}

TEST(mqtt, version_5_with_properties) {
  const Heard heard = hear(kSession5);
  EXPECT_EQ(heard.objects,
            R"(,"mqtt":{"version":"5.0","client_id":"c5","keep_alive":10,"clean_start":true,)"
            R"("will_topic":"will","connect":{"code":135},"subscribed":["five"],"messages":1,)"
            R"("disconnect":{"code":4}})");
  EXPECT_FALSE(heard.is_malformed);
}

TEST(mqtt, version_3_1_has_another_name) {
  EXPECT_THAT(hear({{0, packet(0x10, text("MQIsdp") + "\x03\x02\x00\x3c"s + text("old"))}}).objects,
              HasSubstr(R"("version":"3.1","client_id":"old")"));
}

TEST(mqtt, a_bridge_is_known_by_what_is_before_its_version) {
  for (const auto& [name, version] : {std::pair{text("MQTT") + '\x84', "3.1.1"},
                                      {text("MQTT") + '\x85', "5.0"},
                                      {text("MQIsdp") + '\x83', "3.1"}}) {
    const std::string properties = version == "5.0"s ? "\0"s : ""s;
    const std::string bridge = packet(0x10, name + "\x00\x00\x3c"s + properties + text("bridge"));
    EXPECT_EQ(hear({{0, bridge}}).objects,
              R"(,"mqtt":{"version":")"s + version + R"(","client_id":"bridge","keep_alive":60})");
  }
}

TEST(mqtt, topics_beyond_the_limit_are_only_counted) {
  std::string published;
  for (std::size_t i = 0; i < 2 * Mqtt::kTopicsMax; ++i)
    published += packet(0x30, text("t/" + std::to_string(i % (Mqtt::kTopicsMax + 8))));
  const Heard heard = hear({{0, kConnect}, {0, published}});
  EXPECT_THAT(heard.objects, HasSubstr(R"("messages":64)"));
  EXPECT_THAT(heard.objects, testing::Not(HasSubstr("t/32")));
  EXPECT_EQ(heard.values_dropped, 8u);
  EXPECT_EQ(hear({{0, kConnect}, {0, published + published}}).values_dropped, 16u);  // each time
}

TEST(mqtt, a_packet_longer_than_is_kept_is_passed_over) {
  std::string filters = "\x00\x01"s;
  while (filters.size() < 30'000) filters += text(std::string(100, 'f')) + "\x00"s;
  const std::string longest = text(std::string(30'000, 't'));
  const Heard heard =
      hear({{0, kConnect},
            {0, packet(0x82, filters) + packet(0x30, text("t/1")) + packet(0x30, longest)}});
  EXPECT_THAT(heard.objects, HasSubstr(R"("published":["t/1"],"messages":2)"));
  EXPECT_EQ(heard.values_dropped, 2u);
  const std::string connect = packet(0x10, text("MQTT") + "\x04\x02\x00\x3c"s + longest);
  EXPECT_EQ(hear({{0, connect}}).values_dropped, 1u);
}

TEST(mqtt, what_breaks_its_rules_is_malformed) {
  for (const std::string& bytes :
       {packet(0x00, ""), packet(0x30, "\x00"s), packet(0x30, "\x00\x09x"s),
        "\x30\xff\xff\xff\xff\x01"s, packet(0x82, "\x00\x01\x00\x09x"s), packet(0x20, "x")})
    EXPECT_TRUE(hear({{0, kConnect}, {0, bytes}}).is_malformed);
  EXPECT_TRUE(hear({{0, packet(0x10, text("MQTT") + "\x04\xc6\x00\x3c\x00\x99"s)}}).is_malformed);
}

// What a message tells that comes right behind `first`, and that behind a gap.
std::string told_behind(const std::string& connect, const std::string& first) {
  const std::string message = packet(0x30, text("seen") + "x");
  const Dialogue dialogue = {{0, connect}, {1, "", 99}, {1, first + message}};
  if (first.size() < 100) expect_same_however_cut(dialogue);
  const Heard heard = hear(dialogue);
  EXPECT_TRUE(heard.has_gap);
  EXPECT_FALSE(heard.is_malformed);
  return heard.objects;
}

TEST(mqtt, it_goes_on_where_a_packet_begins_behind_a_gap) {
  const std::string connect5 = kSession5[0].bytes;
  for (const std::string& connect : {kConnect, connect5})
    for (const std::string& first :
         {""s, packet(0x3d, text("t") + std::string(30'000, 'x')), packet(0x40, "\x00\x01"s),
          packet(0x62, "\x00\x01"s), packet(0x90, "\x00\x01\x00\x01"s), packet(0xd0, ""),
          packet(0xe0, ""), packet(0x20, "\x00\x00"s)})
      EXPECT_THAT(told_behind(connect, first), HasSubstr(R"("seen"])")) << first.substr(0, 9);
  for (const std::string& first :
       {packet(0x82, "\x00\x01"s + text("a/#") + "\x00"s + text("+") + "\x01"s),
        packet(0xa2, "\x00\x01"s + text("a/#") + text("+"))})
    EXPECT_THAT(told_behind(kConnect, first), HasSubstr(R"("seen"])"));
  for (const std::string& first :
       {packet(0x82, "\x00\x01\x02\x0b\x01"s + text("a/#") + "\x00"s), packet(0xe0, "\x04\x00"s),
        packet(0xf0, "\x18\x00"s), packet(0x50, "\x00\x01\x10\x00"s)})
    EXPECT_THAT(told_behind(connect5, first), HasSubstr(R"("seen"])"));
}

TEST(mqtt, what_is_no_packet_behind_a_gap_ends_its_side) {
  for (const std::string& first :
       {packet(0x00, ""), kConnect, packet(0x36, text("t") + "x"), packet(0x41, "\x00\x01"s),
        packet(0x60, "\x00\x01"s), packet(0x80, "\x00\x01"s + text("a") + "\x00"s),
        packet(0xd0, "x"), packet(0x82, "\x00\x01"s + text("a")), packet(0xa2, "\x00\x01"s),
        packet(0xf0, "\x18\x00"s), packet(0x30, text("a/#") + "x"), packet(0x30, text("a\n") + "x"),
        packet(0x30, text("") + "x"), packet(0x30, "\x00\x09x"s), packet(0x40, "\x00\x01\x00"s),
        packet(0xe0, "\x04"s), "{\"a\":1}"s, "\x40\xff\xff\xff\xff\x01"s,
        packet(0x82, "\x00\x01"s + std::string(30'000, 'x'))})
    EXPECT_THAT(told_behind(kConnect, first), testing::Not(HasSubstr("seen")))
        << first.substr(0, 9);
}

TEST(mqtt, the_record_does_not_depend_on_segmentation) {
  expect_same_however_cut(kSession);
  expect_same_however_cut(kSession5);
}

TEST(mqtt, truncation_gaps_and_hostile_bytes_are_survived) {
  for (const Dialogue& dialogue : {kSession, kSession5}) {
    expect_nothing_garbled(dialogue);
    expect_hostile_is_survived(dialogue);
  }
}

}  // namespace
}  // namespace linger::test
