#include "output/text_format.h"

#include <gtest/gtest.h>

#include <random>

#include "engine/base/socket_headers.h"

namespace linger {
namespace {

std::string number(std::uint64_t value) {
  char out[64];
  return {out, put_number(out, value)};
}

std::string ipv6(const char* text) {
  std::uint8_t address[16];
  EXPECT_EQ(inet_pton(AF_INET6, text, address), 1) << text;
  char out[96];
  return {out, put_ipv6(out, address)};
}

std::string time_text(Timestamp timestamp) {
  char out[96];
  TimeText text;
  return {out, text.put(out, timestamp)};
}

TEST(text_format, numbers_equal_the_standard_library_at_every_power_of_ten_and_of_two) {
  for (int shift = 0; shift < 64; ++shift) {
    for (int step = -2; step <= 2; ++step) {
      const std::uint64_t value = (std::uint64_t{1} << shift) + static_cast<std::uint64_t>(step);
      EXPECT_EQ(number(value), std::to_string(value));
    }
  }
  for (std::uint64_t power = 1;; power *= 10) {
    for (int step = -1; step <= 1; ++step) {
      const std::uint64_t value = power + static_cast<std::uint64_t>(step);
      EXPECT_EQ(number(value), std::to_string(value));
    }
    if (power == 10'000'000'000'000'000'000u) break;
  }
}

TEST(text_format, numbers_equal_the_standard_library_at_random) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 100'000; ++i) {
    const std::uint64_t value = random() >> (random() % 64);
    ASSERT_EQ(number(value), std::to_string(value));
  }
  for (std::uint64_t value = 0; value < 20'000; ++value)
    ASSERT_EQ(number(value), std::to_string(value));
}

TEST(text_format, ipv4_octets_of_one_two_and_three_digits) {
  const std::uint8_t address[4] = {0, 9, 10, 255};
  char out[64];
  EXPECT_EQ(std::string(out, put_ipv4(out, address)), "0.9.10.255");
  const std::uint8_t other[4] = {99, 100, 199, 200};
  EXPECT_EQ(std::string(out, put_ipv4(out, other)), "99.100.199.200");
}

TEST(text_format, ipv6_is_written_as_rfc_5952_says) {
  for (const char* text :
       {"::", "::1", "1::", "2001:db8::1", "2001:db8:0:1:1:1:1:1", "2001:db8::1:0:0:1",
        "fe80::a:b:c:d", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:0", "0:2:3:4:5:6:7:8", "1:0:0:4::8",
        "::ffff:192.0.2.1", "::ffff:0:c000:201", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "::2:3:4:5:6:7:8", "1:2:3:4:5:6::", "::1:ffff:1:2"}) {
    EXPECT_EQ(ipv6(text),
              text[0] == ':' && std::string(text) == "::2:3:4:5:6:7:8" ? "0:2:3:4:5:6:7:8" : text);
  }
}

TEST(text_format, ipv6_equals_inet_ntop_for_random_patterns_of_zeros) {
  std::mt19937 random(11);
  for (int i = 0; i < 20'000; ++i) {
    std::uint8_t address[16] = {};
    address[0] = 0x20;  // the C library writes ::a.b.c.d for ::/96, which RFC 5952 does not ask for
    for (int group = 1; group < 8; ++group) {
      if (random() % 2) address[2 * group + 1] = static_cast<std::uint8_t>(random());
      if (random() % 4 == 0) address[2 * group] = static_cast<std::uint8_t>(random());
    }
    char expected[INET6_ADDRSTRLEN], out[96];
    inet_ntop(AF_INET6, address, expected, sizeof expected);
    ASSERT_EQ(std::string(out, put_ipv6(out, address)), expected);
  }
}

TEST(text_format, mac_and_id) {
  char out[96];
  EXPECT_EQ(std::string(out, put_mac(out, {0x00, 0x00, 0x5e, 0xab, 0xcd, 0xff})),
            "00-00-5E-AB-CD-FF");
  EXPECT_EQ(std::string(out, put_id(out, {0x0123'4567'89ab'cdef, 0x9})),
            "0123456789abcdef0000000000000009");
}

TEST(text_format, times_from_the_first_to_the_last_that_a_capture_can_hold) {
  EXPECT_EQ(time_text({0}), "1970-01-01T00:00:00.000000000Z");
  EXPECT_EQ(time_text({1}), "1970-01-01T00:00:00.000000001Z");
  EXPECT_EQ(time_text(make_timestamp(951'827'696, 999'999'999)), "2000-02-29T12:34:56.999999999Z");
  EXPECT_EQ(time_text({kTimestampFineMax}), "2116-02-20T23:53:38.427387000Z");
  EXPECT_EQ(time_text({kTimestampFineMax + 1}), "2116-02-20T23:53:38.427388000Z");
  EXPECT_EQ(time_text(make_timestamp(kLastSecond, 999'999'999)).substr(0, 26),
            "9999-12-31T23:59:59.999999");
}

TEST(text_format, the_date_changes_at_midnight_and_back) {
  TimeText text;
  char out[96];
  const auto put = [&](std::int64_t seconds) {
    return std::string(out, text.put(out, make_timestamp(seconds, 0))).substr(0, 19);
  };
  EXPECT_EQ(put(1'709'164'799), "2024-02-28T23:59:59");
  EXPECT_EQ(put(1'709'164'800), "2024-02-29T00:00:00");
  EXPECT_EQ(put(1'709'164'799), "2024-02-28T23:59:59");
}

TEST(text_format, texts_of_every_length) {
  const std::string source = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJ";
  for (std::size_t size = 0; size <= source.size(); ++size) {
    char out[128];
    EXPECT_EQ(std::string(out, put_text(out, std::string_view(source).substr(0, size))),
              source.substr(0, size));
  }
}

TEST(text_format, json_text_is_escaped_and_always_utf8) {
  EXPECT_EQ(json_escaped("plain"), "plain");
  EXPECT_EQ(json_escaped("a\"b\\c\n\x01"), "a\\\"b\\\\c\\u000a\\u0001");
  EXPECT_EQ(json_escaped("\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\xa2"),
            "\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\xa2");
  const std::string bad = "\xef\xbf\xbd";
  EXPECT_EQ(json_escaped("\xff"), bad);
  EXPECT_EQ(json_escaped("x\xc3"), "x" + bad);                         // cut short
  EXPECT_EQ(json_escaped("\xc0\xaf"), bad + bad);                      // overlong
  EXPECT_EQ(json_escaped("\xed\xa0\x80"), bad + bad + bad);            // surrogate
  EXPECT_EQ(json_escaped("\xf4\x90\x80\x80"), bad + bad + bad + bad);  // above U+10FFFF
}

}  // namespace
}  // namespace linger
