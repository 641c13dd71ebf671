#include "parsers/conversations.h"

#include <gtest/gtest.h>

#include "tests/parsers/dialogue.h"

namespace linger::test {
namespace {

const Said kRequest = {0, "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n"};
const Said kResponse = {1, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"};

TEST(conversations, what_no_parser_knows_is_given_up) {
  const std::string noise(kDetectBytesMax, '\x01');
  EXPECT_EQ(hear({{0, noise}, {1, noise}}).protocol, "");
  EXPECT_EQ(hear({{0, "\x01\x02"}, {1, "\x03"}}).protocol, "");
}

TEST(conversations, without_facts_is_what_is_over_and_was_not_known) {
  const auto detector = Detector::make({.shards = 1});
  ParserCounters counters;
  Conversations conversations({.conversations = 4, .memory = 1 << 20}, **detector, 0, counters);
  const auto has_facts_of = [&](std::string_view words) {
    const std::uint32_t id = conversations.open(Carrier::stream, 0);
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(words.data());
    conversations.on_data(id, 0, {bytes, words.size()});
    EXPECT_TRUE(conversations.has_facts(id));  // as long as it goes on
    for (unsigned side = 0; side < 2; ++side) conversations.on_end(id, side);
    return conversations.has_facts(id);
  };
  EXPECT_FALSE(has_facts_of("\x01\x02"));
  EXPECT_TRUE(has_facts_of(kRequest.bytes));
}

TEST(conversations, one_side_is_enough_to_know_the_protocol) {
  const std::string noise(kDetectBytesMax, '\x01');
  EXPECT_EQ(hear({{0, noise}, kResponse}).protocol, "http");
  EXPECT_EQ(hear({{0, "short"}, kResponse}).protocol, "http");
}

TEST(conversations, memory_that_is_used_up_is_told) {
  EXPECT_TRUE(hear({kRequest, kResponse}, Carrier::stream,
                   {.conversations = 1, .memory = 0, .transactions = 1})
                  .is_dry);
}

TEST(conversations, transactions_beyond_the_limit_are_counted) {
  const Heard heard =
      hear({kRequest, kResponse, kRequest, kResponse, kRequest, kResponse}, Carrier::stream,
           {.conversations = 1, .memory = 4 << 20, .transactions = 2});
  EXPECT_EQ(heard.transactions_dropped, 1u);
}

// More of them than sixteen bits count, as a connection that is kept for days has.
TEST(conversations, transactions_beyond_the_limit_are_counted_however_many) {
  Dialogue dialogue(140, Said{0, {}});
  for (Said& said : dialogue)
    for (int i = 0; i < 500; ++i) said.bytes += "GET / HTTP/1.1\r\n\r\n";
  const Heard heard =
      hear(dialogue, Carrier::stream, {.conversations = 1, .memory = 4 << 20, .transactions = 2});
  EXPECT_EQ(heard.transactions_dropped, 69'998u);
}

TEST(conversations, values_beyond_the_room_of_a_record_are_counted) {
  Dialogue dialogue;
  const std::string agent(1'500, 'x');
  for (int i = 0; i < 40; ++i) {
    dialogue.push_back({0, "GET / HTTP/1.1\r\nUser-Agent: " + agent + "\r\n\r\n"});
    dialogue.push_back(kResponse);
  }
  EXPECT_GT(hear(dialogue).values_dropped, 0u);
}

TEST(conversations, are_as_many_as_the_limit) {
  const auto detector = Detector::make({.shards = 1});
  ParserCounters counters;
  Conversations conversations({.conversations = 1, .memory = 1 << 20}, **detector, 0, counters);
  const std::uint32_t id = conversations.open(Carrier::stream, 0);
  EXPECT_EQ(conversations.open(Carrier::stream, 0), Conversations::kNone);
  EXPECT_EQ(counters.conversations_dry.value(), 1u);
  conversations.release(id);
  EXPECT_EQ(conversations.open(Carrier::stream, 0), id);
}

}  // namespace
}  // namespace linger::test
