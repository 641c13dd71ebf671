#include "parsers/xmpp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/parsers/dialogue.h"
#include "tests/support/tls_words.h"

namespace linger::test {
namespace {

using namespace std::string_literals;
using testing::HasSubstr;

const std::string kXml = "<?xml version='1.0'?>";
const std::string kHeader =
    "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' "
    "goto='no' to='example.org'\r\n from=\"romeo@example.org\" version='1.0'>";
const std::string kAsk = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
const std::string kTold = R"(,"xmpp":{"to":"example.org","from":"romeo@example.org")";

Dialogue with_tls(const std::string& asked) {
  Dialogue dialogue = {
      {0, kXml + " \n" + kHeader},
      {1, kXml + "<stream:stream from='example.org' id='1'>"},
      {1, "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>"},
      {0, asked},
      {1, "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"}};
  const std::vector<std::string> tls = tls_1_2();
  for (unsigned i = 0; i < tls.size(); ++i) dialogue.push_back({i % 2, tls[i], 0});
  return dialogue;
}

TEST(xmpp, behind_starttls_tls_is_read) {
  for (const std::string& asked : {kAsk, "<starttls></starttls>\n"s}) {
    const Heard heard = hear(with_tls(asked));
    EXPECT_EQ(heard.protocol, "tls") << asked;
    EXPECT_THAT(heard.objects, HasSubstr(kTold + R"(,"starttls":true})")) << asked;
    EXPECT_THAT(heard.objects, HasSubstr(R"("server_name":"www.example.com")")) << asked;
    EXPECT_THAT(heard.objects, HasSubstr(R"("server":{"ja3s":)")) << asked;
    EXPECT_FALSE(heard.is_malformed) << asked;
  }
}

// The capture begins with the server's header, so that it seems to have opened the session.
TEST(xmpp, a_header_that_is_an_answer_is_not_the_clients) {
  const Dialogue whole = with_tls(kAsk);
  Dialogue rest(whole.begin() + 1, whole.end());
  for (Said& said : rest) said.side ^= 1;
  const Heard heard = hear(rest);
  EXPECT_EQ(heard.protocol, "tls");
  EXPECT_THAT(heard.objects, HasSubstr(R"(,"xmpp":{"starttls":true})"));
  EXPECT_THAT(heard.objects, HasSubstr(R"("server_name":"www.example.com")"));
  expect_same_however_cut(rest);
}

// Two taps, of which that of the client is late: the server's words come before what they answer.
TEST(xmpp, tls_of_a_server_waits_for_the_clients) {
  const Dialogue asked = with_tls(kAsk);
  const Dialogue early = {asked[0], asked[1], asked[2], asked[4], asked[6], asked[3], asked[5]};
  EXPECT_EQ(hear(early).objects, hear(Dialogue(asked.begin(), asked.begin() + 7)).objects);
  EXPECT_FALSE(hear(early).is_malformed);
  expect_same_however_cut(early);
}

TEST(xmpp, it_is_the_same_however_it_is_cut) { expect_same_however_cut(with_tls(kAsk)); }

TEST(xmpp, truncated_and_hostile_bytes_are_survived) {
  expect_nothing_garbled(with_tls(kAsk));
  expect_hostile_is_survived(with_tls(kAsk));
}

TEST(xmpp, a_session_without_tls_is_told_up_to_its_first_tag) {
  for (const std::string& next : {"<auth mechanism='PLAIN'>AGJvYg==</auth>"s, "nonsense"s,
                                  "<" + std::string(Xmpp::kTagBytesMax, 'x')}) {
    const Heard heard = hear({{0, kHeader + next}, {0, kHeader + kAsk}});
    EXPECT_EQ(heard.protocol, "xmpp");
    EXPECT_EQ(heard.objects, kTold + "}");
    EXPECT_FALSE(heard.is_malformed);
  }
}

TEST(xmpp, a_second_header_tells_nothing_and_tls_that_nobody_asked_for_is_none) {
  const std::string tls = tls_1_2()[0];
  for (const std::string& next : {"<stream:stream to='other'>"s, tls}) {
    const Heard heard = hear({{0, kHeader}, {0, next}});
    EXPECT_EQ(heard.objects, kTold + "}");
    EXPECT_EQ(heard.protocol, "xmpp");
  }
}

TEST(xmpp, other_xml_is_left_to_others) {
  for (const std::string& words : {kXml + "<methodCall>", kXml + "<stream:streams x", "<stream>x"s})
    EXPECT_EQ(hear({{0, words + std::string(128, ' ')}}).protocol, "") << words;
}

}  // namespace
}  // namespace linger::test
