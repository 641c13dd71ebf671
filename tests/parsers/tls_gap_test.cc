#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/base/bytes.h"
#include "parsers/tls.h"
#include "tests/parsers/dialogue.h"
#include "tests/support/tls_words.h"

namespace linger::test {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kEstablished = R"("established":true)";
constexpr const char* kCurve = R"("curve":"x25519")";
constexpr const char* kServerName = R"("server_name":"www.example.com")";
constexpr const char* kVersion = R"("version":"1.2")";

// Of the words of a handshake one without `count` bytes from `at` on.
Dialogue without(const std::vector<std::string>& words, std::size_t missed, std::size_t at,
                 std::size_t count) {
  Dialogue dialogue;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto side = static_cast<unsigned>(i % 2);
    dialogue.push_back({side, words[i].substr(0, i == missed ? at : std::string::npos)});
    if (i != missed) continue;
    dialogue.push_back({side, "", count});
    dialogue.push_back({side, words[i].substr(at + count)});
  }
  return dialogue;
}

Heard hear_without(const std::vector<std::string>& words, std::size_t missed, std::size_t at,
                   std::size_t count) {
  const Heard heard = hear(without(words, missed, at, count));
  EXPECT_TRUE(heard.has_gap);
  EXPECT_FALSE(heard.is_malformed);
  return heard;
}

// Where the records begin, and the end.
std::vector<std::size_t> records_of(const std::string& word) {
  std::vector<std::size_t> places = {0};
  while (places.back() < word.size()) {
    const auto* const length = reinterpret_cast<const std::uint8_t*>(&word[places.back() + 3]);
    places.push_back(places.back() + 5 + load_be16(length));
  }
  return places;
}

// As hellos do not fit into one packet.
TEST(tls_gap, the_server_is_heard_though_the_end_of_the_client_s_hello_was_missed) {
  const auto words = tls_1_2();
  const Heard heard = hear_without(words, 0, 150, words[0].size() - 150);
  for (const char* told : {kVersion, kCurve, kEstablished})
    EXPECT_THAT(heard.objects, HasSubstr(told));
}

TEST(tls_gap, what_comes_behind_a_message_is_told_though_it_was_cut) {
  const auto words = tls_1_2();
  const auto records = records_of(words[1]);
  ASSERT_EQ(records.size(), 6u);  // hello, certificate, key exchange, request, done
  for (std::size_t i = 0; i + 1 < records.size(); ++i) {
    const std::size_t begin = records[i] + 20;
    if (begin >= records[i + 1]) continue;
    const std::size_t rest = records[i + 1] - begin;
    for (const std::size_t count : {rest, rest / 2}) {
      const std::string told = hear_without(words, 1, begin, count).objects;
      EXPECT_THAT(told, HasSubstr(kEstablished)) << i;
      EXPECT_THAT(told, HasSubstr(kServerName)) << i;
      // It is read by the cipher, and that is behind the session's id.
      EXPECT_EQ(told.find(kCurve) != std::string::npos, i != 0) << i;
    }
  }
}

TEST(tls_gap, it_goes_on_where_a_record_begins) {
  const auto words = tls_1_2();
  const auto records = records_of(words[1]);
  const std::size_t begin = records[1] + 50;
  const std::string told = hear_without(words, 1, begin, records[3] - begin).objects;
  EXPECT_THAT(told, HasSubstr(kVersion));
  EXPECT_THAT(told, HasSubstr(kEstablished));
  EXPECT_THAT(told, Not(HasSubstr(kCurve)));
  const std::string all = hear_without(words, 1, 0, words[1].size()).objects;
  EXPECT_THAT(all, HasSubstr(kServerName));
  EXPECT_THAT(all, HasSubstr(kEstablished));
  EXPECT_THAT(all, Not(HasSubstr(kVersion)));
}

TEST(tls_gap, where_no_record_begins_its_side_is_over) {
  const auto words = tls_1_2();
  const auto records = records_of(words[1]);
  for (const std::size_t beyond : {1, 2, 3, 5, 20}) {
    const std::size_t begin = records[1] + 50, count = records[2] + beyond - begin;
    const std::string told = hear_without(words, 1, begin, count).objects;
    EXPECT_THAT(told, HasSubstr(kVersion)) << beyond;
    EXPECT_THAT(told, Not(HasSubstr(kEstablished))) << beyond;
    EXPECT_THAT(told, Not(HasSubstr(kCurve))) << beyond;
  }
}

TEST(tls_gap, no_other_hello_is_taken_for_the_rest_of_one) {
  const auto words = tls_1_3_retried();
  EXPECT_EQ(hear_without(words, 0, 100, 50).values_dropped, 1u);
  EXPECT_EQ(hear_without(words, 2, 100, 50).values_dropped, 0u);
}

TEST(tls_gap, protected_records_end_the_handshake_of_a_server_that_was_not_heard) {
  const auto words = tls_1_3_retried();
  const std::size_t hello = records_of(words[3])[1];
  const Heard heard = hear({{0, words[0]},
                            {1, "", words[1].size()},
                            {0, words[2]},
                            {1, "", hello},
                            {1, words[3].substr(hello)},
                            {0, words[4]}});
  EXPECT_THAT(heard.objects, HasSubstr(kEstablished));
}

TEST(tls_gap, what_is_told_does_not_depend_on_segmentation) {
  const auto words = tls_1_2();
  const std::size_t begin = records_of(words[1])[1] + 50;
  for (const std::size_t end : {begin + 30, records_of(words[1])[3], begin + 400})
    expect_same_however_cut(without(words, 1, begin, end - begin));
}

// What is in it would be another message's begin.
TEST(tls_gap, of_a_side_whose_messages_were_lost_none_is_told) {
  auto words = tls_1_2();
  const auto records = records_of(words[1]);
  const std::size_t begin = records[1] + 50;
  const std::string hello = words[1].substr(0, records[1]);
  words[1].insert(records[3], hello);
  const Heard heard = hear_without(words, 1, begin, records[3] - begin);
  EXPECT_THAT(heard.objects, Not(HasSubstr("more")));
  EXPECT_EQ(heard.values_dropped, 0u);
}

TEST(tls_gap, a_ticket_is_not_taken_because_what_refused_it_was_missed) {
  auto words = tls_1_2();
  words[0] = tls_1_2_resumed()[0];
  const std::size_t begin = records_of(words[1])[1];
  const Heard heard = hear_without(words, 1, begin, words[1].size() - begin);
  EXPECT_THAT(heard.objects, HasSubstr(kVersion));
  EXPECT_THAT(heard.objects, Not(HasSubstr("resumed")));
}

}  // namespace
}  // namespace linger::test
