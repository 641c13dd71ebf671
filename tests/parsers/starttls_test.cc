#include "parsers/starttls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/parsers/dialogue.h"
#include "tests/support/tls_words.h"

namespace linger::test {
namespace {

using namespace std::string_literals;
using testing::HasSubstr;
using testing::Not;

const std::string kPostgresql = "\x00\x00\x00\x08\x04\xd2\x16\x2f"s;
const std::string kMysqlGreeting = "\x4b\x00\x00\x00\x0a"s + "8.0.30" + std::string(68, '\x07');
const std::string kMysql =
    "\x20\x00\x00\x01\x85\xae\xff\x19\x00\x00\x00\x01\xff"s + std::string(23, '\0');
const std::string kLdap = "\x30\x1d\x02\x01\x01\x77\x18\x80\x16"s + "1.3.6.1.4.1.1466.20037";
// With lengths as Active Directory and its clients write them.
const std::string kLongLdap = "\x30\x84\x00\x00\x00\x21\x02\x01\x01"s +
                              "\x77\x84\x00\x00\x00\x18\x80\x16"s + "1.3.6.1.4.1.1466.20037";
// With the user's name in a cookie, and TLS wanted.
const std::string kRdp = "\x03\x00\x00\x29\x24\xe0\x00\x00\x00\x00\x00"s +
                         "Cookie: mstshash=bob\r\n" + "\x01\x00\x08\x00\x03\x00\x00\x00"s;
const std::string kRdpAnswer =
    "\x03\x00\x00\x13\x0e\xd0\x00\x00\x12\x34\x00\x02\x1f\x08\x00\x02\x00\x00\x00"s;

// A message of adb; its sum of the data nobody looks at.
std::string adb(std::string_view command, std::string_view data) {
  std::string head(command);
  head += "\x01\x00\x00\x01\x00\x00\x10\x00"s;
  for (unsigned i = 0; i < 4; ++i) head += static_cast<char>(data.size() >> 8 * i);
  head += std::string(4, '\0');
  for (const char c : command) head += static_cast<char>(~c);
  return head += data;
}

// These words in turn, the client first, then a handshake of TLS, or so many messages of it.
Dialogue then_tls(const std::vector<std::string>& words, std::size_t messages = SIZE_MAX) {
  Dialogue dialogue;
  for (unsigned i = 0; i < words.size(); ++i)
    if (!words[i].empty()) dialogue.push_back({i % 2, words[i], 0});
  const std::vector<std::string> tls = tls_1_2();
  for (unsigned i = 0; i < std::min(tls.size(), messages); ++i)
    dialogue.push_back({i % 2, tls[i], 0});
  return dialogue;
}

struct Case {
  std::string protocol;
  std::vector<std::string> words;
};
const std::vector<Case> kCases = {
    {"pop3", {"", "+OK ready\r\n", "CAPA\r\n", "+OK\r\nSTLS\r\n.\r\n", "STLS\r\n", "+OK go\r\n"}},
    {"imap",
     {"", "* OK ready\r\n", "a1 CAPABILITY\r\n", "* CAPABILITY STARTTLS\r\na1 OK\r\n",
      "a2 StartTLS\r\n", "a2 OK go\r\n"}},
    {"imap", {"", "* OK ready\r\n", "001 STARTTLS\r\n", "001 OK go\r\n"}},
    {"text",
     {"", "200 news.example.com\r\n", "CAPABILITIES\r\n", "101 Those\r\nSTARTTLS\r\n.\r\n",
      "STARTTLS\r\n", "382 go\r\n"}},
    {"text", {"STARTTLS\r\n", ":irc.example.com 670 bob :go\r\n"}},
    {"postgresql", {kPostgresql, "S"}},
    {"postgresql", {"\x00\x00\x00\x08\x04\xd2\x16\x30"s, "N", kPostgresql, "S"}},
    {"mysql", {"", kMysqlGreeting, kMysql}},
    {"rdp", {kRdp, kRdpAnswer}},
    {"adb", {adb("CNXN", "host::") + adb("STLS", ""), adb("STLS", "")}},
    {"ldap", {kLdap, "\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00"s}},
    {"ldap",
     {kLongLdap, "\x30\x84\x00\x00\x00\x10\x02\x01\x01"s +
                     "\x78\x84\x00\x00\x00\x07\x0a\x01\x00\x04\x00\x04\x00"s}}};

TEST(starttls, behind_a_request_tls_is_read) {
  for (const Case& c : kCases) {
    const Heard heard = hear(then_tls(c.words));
    EXPECT_EQ(heard.protocol, "tls") << c.protocol;
    EXPECT_FALSE(heard.is_malformed) << c.protocol;
    EXPECT_THAT(heard.objects, HasSubstr(R"("server_name":"www.example.com")")) << c.protocol;
    EXPECT_THAT(heard.objects, HasSubstr(R"("server":{"ja3s":)")) << c.protocol;
    EXPECT_THAT(heard.objects, HasSubstr(R"("starttls":{"protocol":")" + c.protocol + "\"}"));
  }
}

// Two taps, of which that of the client is late: the server's words come before what they answer.
TEST(starttls, answers_that_were_captured_before_their_questions_are_read) {
  for (const Case& c : kCases) {
    const Dialogue asked = then_tls(c.words, 2);
    Dialogue early;
    for (const Said& said : asked) {
      const bool is_answer = said.side == 1 && !early.empty() && early.back().side == 0;
      early.insert(early.end() - (is_answer ? 1 : 0), said);
    }
    const Heard heard = hear(early);
    EXPECT_EQ(heard.objects, hear(asked).objects) << c.protocol;
    EXPECT_FALSE(heard.is_malformed) << c.protocol;
  }
}

// Its first message is longer than what detection looks at.
TEST(starttls, a_device_of_adb_asks_first) {
  const Heard heard = hear(then_tls({adb("CNXN", "host::features=" + std::string(200, 'x')),
                                     adb("STLS", ""), adb("STLS", ""), ""}));
  EXPECT_EQ(heard.protocol, "tls");
  EXPECT_THAT(heard.objects, HasSubstr(R"("starttls":{"protocol":"adb"})"));
  EXPECT_THAT(heard.objects, HasSubstr(R"("server_name":"www.example.com")"));
}

TEST(starttls, it_is_the_same_however_it_is_cut) {
  for (const Case& c : kCases) expect_same_however_cut(then_tls(c.words, 1));
}

TEST(starttls, truncated_and_hostile_bytes_are_survived) {
  for (const Case& c : kCases) {
    expect_nothing_garbled(then_tls(c.words, 1));
    expect_hostile_is_survived(then_tls(c.words, 1));
  }
}

TEST(starttls, who_does_not_ask_is_left_to_others) {
  for (const std::string& words :
       {"CAPA\r\nUSER bob\r\nPASS secret\r\n"s, "a1 CAPABILITY\r\na2 LOGIN bob secret\r\n"s,
        "\x20\x00\x00\x01\x85\xa6\xff\x19"s + std::string(28, 'x'),
        kMysql.substr(0, 5) + '\xa6' + kMysql.substr(6),
        adb("CNXN", "host::") + "STLS" + std::string(20, '\0'),
        kRdp.substr(0, kRdp.size() - 4) + std::string(4, '\0'), kRdp.substr(0, 3) + "\x0b"s + kRdp})
    EXPECT_EQ(hear({{0, words}}).protocol, "") << words;
}

TEST(starttls, a_client_that_goes_on_without_tls_is_named_and_not_read_on) {
  const Heard heard = hear({{0, kPostgresql}, {1, "N"}, {0, "\x00\x00\x00\x09\x00\x03\x00\x00x"s}});
  EXPECT_EQ(heard.protocol, "postgresql");
  EXPECT_EQ(heard.objects, R"(,"starttls":{"protocol":"postgresql"})");
  EXPECT_FALSE(heard.is_malformed);
}

}  // namespace
}  // namespace linger::test
