#include "parsers/proxy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/parsers/dialogue.h"

namespace linger::test {
namespace {

using namespace std::string_literals;
using testing::HasSubstr;

const std::string kGet = "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n";
const Said kOk = {1, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"};

std::string value(char type, const std::string& bytes) {
  return type + "\x00"s + static_cast<char>(bytes.size()) + bytes;
}
// 192.0.2.7:40000 to 198.51.100.1:443, over TCP.
std::string header(const std::string& values, char command = '\x21') {
  const std::string addresses = "\xc0\x00\x02\x07\xc6\x33\x64\x01\x9c\x40\x01\xbb"s;
  return "\r\n\r\n\0\r\nQUIT\n"s + command + "\x11\x00"s +
         static_cast<char>(addresses.size() + values.size()) + addresses + values;
}

const Dialogue kFirst = {{0, "PROXY TCP4 192.0.2.7 198.51.100.1 40000 443\r\n" + kGet}, kOk};
const Dialogue kSecond = {
    {0, header(value(1, "h2") + value(2, "example.com") + value(5, "\x01\x02") +
               value(0x20, "\x07\x00\x00\x00\x00"s + value(0x21, "TLSv1.3") + value(0x22, "bob") +
                               value(0x23, "TLS_AES_128_GCM_SHA256")) +
               value(0x30, "blue") + value(4, "xx") + value('\xea', "\x01vpce")) +
            kGet},
    kOk};

TEST(proxy, version_1_names_the_client_and_hands_over) {
  const Heard heard = hear(kFirst);
  EXPECT_EQ(heard.protocol, "http");
  EXPECT_THAT(heard.objects,
              HasSubstr(R"("client":{"ip":"192.0.2.7","port":40000,"proxy":{"version":1,)"
                        R"("command":"proxy","transport":"tcp",)"
                        R"("destination":{"ip":"198.51.100.1","port":443}}})"));
  EXPECT_THAT(heard.objects, HasSubstr(R"("status_code":200)"));
}

TEST(proxy, version_1_over_ipv6_and_unknown) {
  EXPECT_THAT(hear({{0, "PROXY TCP6 2001:db8::7 2001:db8::1 1 2\r\n"}}).objects,
              HasSubstr(R"("client":{"ip":"2001:db8::7","port":1,)"));
  EXPECT_EQ(hear({{0, "PROXY UNKNOWN ffff:f...f:ffff what ever 65535\r\n" + kGet}}).protocol,
            "http");
}

TEST(proxy, version_2_tells_its_values) {
  const Heard heard = hear(kSecond);
  EXPECT_EQ(heard.protocol, "http");
  EXPECT_THAT(heard.objects,
              HasSubstr(R"("client":{"ip":"192.0.2.7","port":40000,"proxy":{"version":2,)"
                        R"("command":"proxy","transport":"tcp",)"
                        R"("destination":{"ip":"198.51.100.1","port":443},"alpn":"h2",)"
                        R"("authority":"example.com","unique_id":"0102","namespace":"blue",)"
                        R"("tls":{"version":"TLSv1.3","cipher":"TLS_AES_128_GCM_SHA256",)"
                        R"("client_name":"bob","client_verified":true},"other_types":[234]}})"));
}

TEST(proxy, a_client_is_verified_by_its_certificate) {
  for (const auto& [flags, verify] : {std::pair{'\1', '\0'}, {'\5', '\0'}, {'\7', '\1'}}) {
    const std::string tls = flags + "\0\0\0"s + verify;
    EXPECT_EQ(hear({{0, header(value(0x20, tls))}}).objects.find("verified") != std::string::npos,
              flags == '\5');
  }
}

TEST(proxy, a_balancer_that_speaks_for_itself_names_no_client) {
  EXPECT_EQ(hear({{0, header("", '\x20')}}).objects,
            R"(,"client":{"proxy":{"version":2,"command":"local"}})");
}

TEST(proxy, of_types_without_name_so_many_are_told_and_more_are_counted) {
  std::string values;
  for (int i = 0; i <= Proxy::kOthersMax; ++i) values += value(static_cast<char>(0xe0 + i), "");
  const Heard heard = hear({{0, header(values)}});
  EXPECT_THAT(heard.objects, HasSubstr("238,239]"));
  EXPECT_EQ(heard.values_dropped, 1u);
}

TEST(proxy, a_right_checksum_is_believed_and_a_wrong_one_is_not) {
  const std::string checksum = "\x39\x42\x6b\xbf"s;  // by another program
  EXPECT_EQ(hear({{0, header(value(3, checksum))}}).objects,
            R"(,"client":{"ip":"192.0.2.7","port":40000,"proxy":{"version":2,"command":"proxy",)"
            R"("transport":"tcp","destination":{"ip":"198.51.100.1","port":443},)"
            R"("checksum":"right"}})");
  EXPECT_EQ(hear({{0, header(value(3, "\x00\x01\x02\x03"s))}}).objects,
            R"(,"client":{"proxy":{"version":2,"command":"proxy","checksum":"wrong"}})");
}

// A sender that repeats it would have each of them computed over all.
TEST(proxy, a_second_checksum_is_wrong) {
  const std::string second = "\x36\xe2\xe8\x35"s;  // right where it stands
  EXPECT_EQ(hear({{0, header(value(3, "abcd") + value(3, second))}}).objects,
            R"(,"client":{"proxy":{"version":2,"command":"proxy","checksum":"wrong"}})");
}

TEST(proxy, what_breaks_its_rules_is_malformed) {
  for (const char* line :
       {"PROXY TCP4 192.0.2.7 198.51.100.1 40000 99999\r\n", "PROXY TCP4 192.0.2.7 nowhere 1 2\r\n",
        "PROXY TCP6 192.0.2.7 198.51.100.1 1 2\r\n", "PROXY TCP4 192.0.2.7 198.51.100.1 1 2\n"})
    EXPECT_TRUE(hear({{0, line}}).is_malformed) << line;
  EXPECT_TRUE(hear({{0, "PROXY UNKNOWN " + std::string(200, 'x')}}).is_malformed);
  EXPECT_TRUE(hear({{0, header("\x01\x00\x09x"s)}}).is_malformed);
  EXPECT_TRUE(hear({{0, header("", '\x31')}}).is_malformed);
  EXPECT_TRUE(hear({{0, header("", '\x22')}}).is_malformed);
}

// Its addresses are to be ignored, whatever they are (§2.2); values may stand alone.
TEST(proxy, of_a_header_without_family_only_what_must_be_values_is_told) {
  const std::string start = "\r\n\r\n\0\r\nQUIT\n\x21\x00\x00"s;
  const auto told = [](const std::string& values) {
    return R"("client":{"proxy":{"version":2,"command":"proxy")" + values + "}}";
  };
  for (const std::string& ignored :
       {""s, "\xc0\x00\x02\x07\xc6\x33\x64\x01\x9c\x40\x01\xbb"s, std::string(12, '\0'),
        "\x02\x00\x01\x02\x0a\x00\x05\x02\x1f\x90\x00\x50"s, "\x02\x00"s}) {
    const Dialogue dialogue = {{0, start + static_cast<char>(ignored.size()) + ignored + kGet},
                               kOk};
    const Heard heard = hear(dialogue);
    EXPECT_THAT(heard.objects, HasSubstr(told("")));
    EXPECT_THAT(heard.objects, HasSubstr(R"("status_code":200)"));
    expect_same_however_cut(dialogue);
  }
  const std::string values = value(2, "example.com") + value('\xea', "\x01vpce");
  EXPECT_THAT(hear({{0, start + static_cast<char>(values.size()) + values + kGet}, kOk}).objects,
              HasSubstr(told(R"(,"authority":"example.com","other_types":[234])")));
}

TEST(proxy, only_the_side_that_opened_the_session_is_believed) {
  const Heard heard = hear({{1, "PROXY TCP4 192.0.2.7 198.51.100.1 40000 443\r\n"}});
  EXPECT_TRUE(heard.is_malformed);
  EXPECT_EQ(heard.objects, "");
}

TEST(proxy, a_line_shorter_than_its_first_word_is_malformed_when_the_other_side_was_detected) {
  const Heard heard =
      hear({{0, "PROXY\r\n"}, {1, "PROXY TCP4 192.0.2.7 198.51.100.1 40000 443\r\n"}});
  EXPECT_TRUE(heard.is_malformed);
  EXPECT_EQ(heard.objects, "");
}

// Two taps, of which that of the client is late.
TEST(proxy, a_header_is_told_behind_an_answer_that_had_not_told_its_protocol) {
  for (const Dialogue& first : {kFirst, kSecond}) {
    const std::string header = first[0].bytes.substr(0, first[0].bytes.find("GET"));
    const Dialogue late = {{1, "HTTP/1.1 20"}, first[0]};
    const Heard heard = hear(late);
    EXPECT_THAT(heard.objects, HasSubstr(hear({{0, header}}).objects));
    EXPECT_THAT(heard.objects, HasSubstr("GET"));
    EXPECT_FALSE(heard.is_malformed);
    expect_same_however_cut(late);
    expect_hostile_is_survived(late);
  }
}

TEST(proxy, an_answer_that_begins_like_a_header_is_none_however_it_is_cut) {
  for (const Dialogue& first : {kFirst, kSecond}) {
    const std::string& said = first[0].bytes;
    const Dialogue crossed = {{0, said.substr(0, 14)}, {1, "\rno"}, {0, said.substr(14)}};
    EXPECT_FALSE(hear(crossed).is_malformed);
    expect_same_however_cut(crossed);
  }
}

TEST(proxy, of_datagrams_the_first_header_is_told) {
  std::string datagram = header("") + "a question";
  datagram[13] = '\x12';
  const Heard heard = hear({{0, datagram}, {1, "an answer"}, {0, datagram}}, Carrier::datagrams);
  EXPECT_EQ(heard.protocol, "proxy");
  EXPECT_EQ(heard.objects,
            R"(,"client":{"ip":"192.0.2.7","port":40000,"proxy":{"version":2,"command":"proxy",)"
            R"("transport":"udp","destination":{"ip":"198.51.100.1","port":443}}})");
  EXPECT_FALSE(heard.is_malformed);
  EXPECT_EQ(hear({{1, datagram}}, Carrier::datagrams).objects, "");
  expect_hostile_is_survived({{0, datagram}}, Carrier::datagrams);
}

TEST(proxy, the_record_does_not_depend_on_segmentation) {
  expect_same_however_cut(kFirst);
  expect_same_however_cut(kSecond);
}

TEST(proxy, truncation_gaps_and_hostile_bytes_are_survived) {
  for (const Dialogue& dialogue : {kFirst, kSecond}) {
    expect_nothing_garbled(dialogue);
    expect_hostile_is_survived(dialogue);
  }
}

}  // namespace
}  // namespace linger::test
