#include "parsers/socks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/parsers/dialogue.h"

namespace linger::test {
namespace {

using namespace std::string_literals;
using testing::HasSubstr;

const Said kGet = {0, "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n"};
const Said kOk = {1, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"};

const std::string kRequest5 = "\x05\x01\x00\x03\x0b"s + "example.com" + "\x00\x50"s;
const std::string kReply5 = "\x05\x00\x00\x01\xc0\x00\x02\x01\x04\x38"s;
const Dialogue kSession5 = {{0, "\x05\x02\x00\x02"s},
                            {1, "\x05\x02"},
                            {0, "\x01\x03"s + "bob" + "\x06secret"},
                            {1, "\x01\x00"s},
                            {0, kRequest5},
                            {1, kReply5},
                            kGet,
                            kOk};
const Dialogue kSession4 = {{0, "\x04\x01\x00\x50\x00\x00\x00\x01"s + "bob\0example.com\0"s},
                            {1, "\x00\x5a\x00\x00\x00\x00\x00\x00"s},
                            kGet,
                            kOk};

TEST(socks, version_5_tells_who_asks_for_what_and_hands_over) {
  const Heard heard = hear(kSession5);
  EXPECT_EQ(heard.protocol, "http");
  EXPECT_THAT(
      heard.objects,
      HasSubstr(
          R"("socks":{"version":5,"method":2,"user":{"name":"bob"},"command":"connect",)"
          R"("destination":{"domain":"example.com","port":80},)"
          R"("reply":{"code":0,"text":"succeeded"},"bound":{"ip":"192.0.2.1","port":1080}})"));
  EXPECT_THAT(heard.objects, HasSubstr(R"("status_code":200)"));
  EXPECT_THAT(heard.objects, testing::Not(HasSubstr("secret")));
}

TEST(socks, version_4a_tells_its_name_and_hands_over) {
  const Heard heard = hear(kSession4);
  EXPECT_EQ(heard.protocol, "http");
  EXPECT_THAT(
      heard.objects,
      HasSubstr(R"("socks":{"version":4,"user":{"name":"bob"},"command":"connect",)"
                R"("destination":{"domain":"example.com","port":80},)"
                R"("reply":{"code":90,"text":"granted"},"bound":{"ip":"0.0.0.0","port":0}})"));
}

TEST(socks, version_4a_may_have_a_long_name) {
  const std::string name = std::string(240, 'a') + ".example";
  const Dialogue dialogue = {
      {0, "\x04\x01\x00\x50\x00\x00\x00\x01\x00"s + name + '\0'}, kSession4[1], kGet, kOk};
  const Heard heard = hear(dialogue);
  EXPECT_EQ(heard.protocol, "http");
  EXPECT_THAT(heard.objects, HasSubstr(name));
  expect_same_however_cut(dialogue);
}

TEST(socks, version_4_with_an_address_that_is_rejected) {
  const Heard heard = hear(
      {{0, "\x04\x01\x01\xbb\xc6\x33\x64\x07\x00"s}, {1, "\x00\x5b\x00\x00\x00\x00\x00\x00"s}});
  EXPECT_EQ(heard.objects,
            R"(,"socks":{"version":4,"command":"connect",)"
            R"("destination":{"ip":"198.51.100.7","port":443},)"
            R"("reply":{"code":91,"text":"rejected"},"bound":{"ip":"0.0.0.0","port":0},)"
            R"("failed":true})");
}

TEST(socks, a_failed_connect_is_told) {
  Dialogue failed(kSession5.begin(), kSession5.begin() + 5);
  failed.push_back({1, "\x05\x05\x00\x04"s + std::string(15, '\0') + "\x01\x00\x00"s});
  const Heard heard = hear(failed);
  EXPECT_EQ(heard.protocol, "socks");
  EXPECT_THAT(heard.objects, HasSubstr(R"("reply":{"code":5,"text":"connection-refused"},)"
                                       R"("bound":{"ip":"::1","port":0},"failed":true})"));
}

TEST(socks, a_client_that_is_refused_is_told) {
  EXPECT_THAT(hear({{0, "\x05\x01\x02"}, {1, "\x05\xff"}}).objects,
              HasSubstr(R"("method":255,"failed":true)"));
  Dialogue refused(kSession5.begin(), kSession5.begin() + 3);
  refused.push_back({1, "\x01\x01"});
  EXPECT_THAT(hear(refused).objects, HasSubstr(R"("user":{"name":"bob"},"failed":true)"));
}

TEST(socks, a_bind_hands_over_behind_its_second_reply) {
  const Heard heard = hear({{0, "\x05\x01\x00"s},
                            {1, "\x05\x00"s},
                            {0, "\x05\x02\x00\x01\xc0\x00\x02\x07\x00\x15"s},
                            {1, kReply5},
                            {1, kReply5},
                            kGet,
                            kOk});
  EXPECT_EQ(heard.protocol, "http");
  EXPECT_FALSE(heard.is_malformed);
}

TEST(socks, commands_beyond_the_standard_are_told) {
  const auto asked = [](char command, const std::string& reply) {
    return hear({{0, "\x05\x01\x00"s},
                 {1, "\x05\x00"s},
                 {0, "\x05"s + command + "\x00\x03\x07"s + "a.onion\0\0"s},
                 {1, reply}});
  };
  const Heard resolved = asked('\xf0', "\x05\x00\x00\x01\xc0\x00\x02\x01\x00\x00"s);
  EXPECT_THAT(resolved.objects,
              HasSubstr(R"("command":"resolve","destination":{"domain":"a.onion")"));
  EXPECT_THAT(resolved.objects, HasSubstr(R"("bound":{"ip":"192.0.2.1")"));
  EXPECT_THAT(asked('\xf1', "").objects, HasSubstr(R"("command":"resolve-ptr")"));
  const Heard refused = asked('\x07', "\x05\x07\x00\x01\x00\x00\x00\x00\x00\x00"s);
  EXPECT_THAT(refused.objects, HasSubstr(R"("command":"7")"));
  EXPECT_THAT(refused.objects, HasSubstr(R"("text":"command-not-supported")"));
  EXPECT_FALSE(resolved.is_malformed || refused.is_malformed);
  EXPECT_THAT(asked('\x01', "\x05\x08\x00\x01\x00\x00\x00\x00\x00\x00"s).objects,
              HasSubstr(R"("text":"address-type-not-supported")"));
}

TEST(socks, an_association_for_datagrams_ends_there) {
  const Heard heard = hear({{0, "\x05\x01\x00"s},
                            {1, "\x05\x00"s},
                            {0, "\x05\x03\x00\x01\x00\x00\x00\x00\x00\x00"s},
                            {1, kReply5}});
  EXPECT_THAT(heard.objects, HasSubstr(R"("command":"udp-associate")"));
  EXPECT_FALSE(heard.is_malformed);
}

TEST(socks, what_is_said_before_the_reply_is_not_lost) {
  Dialogue eager = kSession5;
  std::swap(eager[5], eager[6]);
  EXPECT_THAT(hear(eager).objects, HasSubstr(R"("url":{"original":"/")"));
}

TEST(socks, a_client_whose_proxy_is_not_seen_breaks_nothing) {
  Dialogue dialogue = {kSession5[0], kSession5[2], kSession5[4]};
  const std::string told = hear(dialogue).objects;
  for (int i = 0; i < 30; ++i) dialogue.push_back({0, std::string(1'000, 'x')});
  const Heard heard = hear(dialogue);
  EXPECT_EQ(heard.objects, told);
  EXPECT_FALSE(heard.is_malformed);
}

// Two taps, of which that of the client is late: the proxy's words come before what they answer.
TEST(socks, replies_that_were_captured_before_their_requests_are_read) {
  for (const Dialogue& asked : {kSession4, kSession5}) {
    Dialogue early;
    for (const Said& said : asked) early.insert(early.end() - (said.side == 1 ? 1 : 0), said);
    EXPECT_EQ(hear(early).protocol, "http");
    EXPECT_THAT(hear(early).objects, HasSubstr(R"("destination":{"domain":"example.com")"));
    expect_same_however_cut(early);
  }
  const Said refusal = {1, "\x00\x5b\x00\x00\x00\x00\x00\x00"s};
  const Heard refused =
      hear({{0, kSession4[0].bytes.substr(0, 20)}, refusal, {0, kSession4[0].bytes.substr(20)}});
  EXPECT_THAT(refused.objects, HasSubstr(R"("destination":{"domain":"example.com")"));
  EXPECT_THAT(refused.objects, HasSubstr(R"("failed":true)"));
}

TEST(socks, wrapped_by_gssapi_it_ends) {
  const Heard heard =
      hear({{0, "\x05\x01\x01"}, {1, "\x05\x01"}, {0, "\x01\x01\x00\x02xx"s}, {1, "\x01\x01"}});
  EXPECT_EQ(heard.objects, R"(,"socks":{"version":5,"method":1})");
  EXPECT_FALSE(heard.is_malformed);
}

TEST(socks, the_record_does_not_depend_on_segmentation) {
  expect_same_however_cut(kSession5);
  expect_same_however_cut(kSession4);
}

TEST(socks, truncation_gaps_and_hostile_bytes_are_survived) {
  for (const Dialogue& dialogue : {kSession5, kSession4}) {
    expect_nothing_garbled(dialogue);
    expect_hostile_is_survived(dialogue);
  }
}

// As where the capture began behind the greeting: what is no name is not told as one.
TEST(socks, what_was_not_offered_is_not_told) {
  EXPECT_EQ(
      hear({{0, kRequest5.substr(0, 3) + "\x01\x0a\x00\x00\x07\x01\xbb\x16\x03\x01"s}}).objects,
      R"(,"socks":{"version":5})");
  EXPECT_EQ(hear({{0, "\x05\x01\x00"s}, {1, "\x05\x02"}}).objects, R"(,"socks":{"version":5})");
  for (const std::string& choice : {"\x05\x00"s, ""s})
    EXPECT_EQ(hear({{0, choice}, {1, kRequest5}, {0, kReply5}}).objects, "");
}

TEST(socks, other_streams_are_not_taken_for_it) {
  EXPECT_EQ(hear({{0, "\x05\x00\x0b\x03\x10\x00\x00\x00\x48\x00\x00\x00"s}}).protocol, "");
  EXPECT_EQ(hear({{0, "\x05\x02\x00\x00"s}}).protocol, "");
  EXPECT_EQ(hear({{0, "\x05\x01\x09"s}}).protocol, "");
  EXPECT_EQ(hear({{0, "\x04\x01\x00\x00\x01\x02\x03\x04user\0"s}}).protocol, "");
}

}  // namespace
}  // namespace linger::test
