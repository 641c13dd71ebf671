#include "engine/base/units.h"

#include <gtest/gtest.h>

namespace linger {
namespace {

TEST(Units, durations_take_every_unit) {
  EXPECT_EQ(parse_duration("7ns"), 7);
  EXPECT_EQ(parse_duration("10us"), 10 * kMicrosecond);
  EXPECT_EQ(parse_duration("120ms"), 120 * kMillisecond);
  EXPECT_EQ(parse_duration("5s"), 5 * kSecond);
  EXPECT_EQ(parse_duration("3m"), 3 * kMinute);
  EXPECT_EQ(parse_duration("3min"), 3 * kMinute);
  EXPECT_EQ(parse_duration("2h"), 2 * kHour);
  EXPECT_EQ(parse_duration("1d"), kDay);
}

TEST(Units, a_bare_number_is_seconds_or_bytes) {
  EXPECT_EQ(parse_duration("0"), 0);
  EXPECT_EQ(parse_duration("600"), 10 * kMinute);
  EXPECT_EQ(parse_bytes("600"), 600U);
}

TEST(Units, decimals_are_exact_or_refused) {
  EXPECT_EQ(parse_duration("1.5h"), 90 * kMinute);
  EXPECT_EQ(parse_duration("0.1"), 100 * kMillisecond);
  EXPECT_EQ(parse_duration("0.1000000000000000000s"), 100 * kMillisecond);
  EXPECT_EQ(parse_duration("0.5ns").error(),
            "'0.5ns' is too fine for a duration (as in 90s, 1.5h, 120ms)");
  EXPECT_EQ(parse_bytes("1.5GiB"), 1'610'612'736U);
  EXPECT_EQ(parse_bytes("0.3KiB").error(),
            "'0.3KiB' is too fine for a size (as in 64KiB, 1.5GiB, 1MB)");
}

TEST(Units, one_space_may_stand_before_the_unit) {
  EXPECT_EQ(parse_duration("2 h"), 2 * kHour);
  EXPECT_FALSE(parse_duration("2  h"));
  EXPECT_FALSE(parse_duration(" 2h"));
  EXPECT_FALSE(parse_duration("2h "));
}

TEST(Units, what_is_no_duration_is_refused) {
  for (const char* text : {"", "s", "-5s", "+5s", "5x", "5S", "1h30m", "1.", ".5s", "1.s", "1e3",
                           "0x10", "5,5s", "inf", "nan", "1..5s", "five"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
}

TEST(Units, what_does_not_fit_is_refused) {
  EXPECT_EQ(parse_duration("9223372036854775807ns"), kDurationMax);
  EXPECT_FALSE(parse_duration("9223372036854775808ns"));
  EXPECT_FALSE(parse_duration("9999999999999999999d"));
  EXPECT_FALSE(parse_duration("99999999999999999999"));
  EXPECT_FALSE(parse_duration("1.00000000000000000000"));
  EXPECT_EQ(parse_bytes("16777215TiB"), std::uint64_t{16'777'215} << 40);
  EXPECT_FALSE(parse_bytes("16777216TiB"));
}

TEST(Units, sizes_take_decimal_and_binary_units) {
  EXPECT_EQ(parse_bytes("1B"), 1U);
  EXPECT_EQ(parse_bytes("1MB"), 1'000'000U);
  EXPECT_EQ(parse_bytes("1MiB"), 1'048'576U);
  EXPECT_EQ(parse_bytes("64KiB"), 65'536U);
  EXPECT_EQ(parse_bytes("2GB"), 2'000'000'000U);
  EXPECT_EQ(parse_bytes("1TB"), 1'000'000'000'000U);
  EXPECT_FALSE(parse_bytes("1kib"));
  EXPECT_FALSE(parse_bytes("1s"));
}

TEST(Units, counts_are_digits_only) {
  EXPECT_EQ(parse_count("0"), 0U);
  EXPECT_EQ(parse_count("18446744073709551615"), UINT64_MAX);
  EXPECT_EQ(parse_count("18446744073709551616").error(),
            "'18446744073709551616' is too large for a count");
  for (const char* text : {"", "-1", "+1", "1.5", "1k", " 1", "1 ", "one"}) {
    EXPECT_FALSE(parse_count(text)) << text;
  }
}

TEST(Units, printing_takes_the_largest_exact_unit) {
  EXPECT_EQ(format_duration(0), "0s");
  EXPECT_EQ(format_duration(1), "1ns");
  EXPECT_EQ(format_duration(1500), "1500ns");
  EXPECT_EQ(format_duration(90 * kSecond), "90s");
  EXPECT_EQ(format_duration(10 * kMinute), "10min");
  EXPECT_EQ(format_duration(130 * kMinute), "130min");
  EXPECT_EQ(format_duration(3 * kDay), "3d");
  EXPECT_EQ(format_bytes(0), "0B");
  EXPECT_EQ(format_bytes(1000), "1000B");
  EXPECT_EQ(format_bytes(65'536), "64KiB");
  EXPECT_EQ(format_bytes(std::uint64_t{3} << 30), "3GiB");
}

TEST(Units, printed_values_read_back) {
  for (DurationNs value = kDurationMax; value > 0; value -= value / 17 + 1) {
    const auto size = static_cast<std::uint64_t>(value);
    EXPECT_EQ(parse_duration(format_duration(value)), value);
    EXPECT_EQ(parse_bytes(format_bytes(size)), size);
  }
  EXPECT_EQ(parse_duration(format_duration(kDurationMax)), kDurationMax);
  EXPECT_EQ(parse_bytes(format_bytes(UINT64_MAX)), UINT64_MAX);
}

}  // namespace
}  // namespace linger
