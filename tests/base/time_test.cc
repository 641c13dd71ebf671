#include "engine/base/time.h"

#include <gtest/gtest.h>

namespace linger {
namespace {

constexpr std::int64_t kFineSeconds = kTimestampFineMax / kSecond;

TEST(Timestamp, holds_nanoseconds_of_our_century) {
  const auto t = make_timestamp(1'700'000'000, 123'456'789);
  EXPECT_EQ(time_parts(t).seconds, 1'700'000'000);
  EXPECT_EQ(time_parts(t).nanoseconds, 123'456'789U);
}

TEST(Timestamp, clamps_to_1970_and_9999) {
  EXPECT_EQ(make_timestamp(-1, 5).value, 0);
  EXPECT_EQ(time_parts(make_timestamp(INT64_MIN / 2, 0)).seconds, 0);
  for (const std::int64_t seconds : {kLastSecond + 1, INT64_MAX / 2}) {
    EXPECT_EQ(time_parts(make_timestamp(seconds, 0)).seconds, kLastSecond);
    EXPECT_GE(time_parts(make_timestamp(seconds, 0)).nanoseconds, 999'999'000U);
  }
}

TEST(Timestamp, more_than_a_second_of_nanoseconds_carries_over) {
  EXPECT_EQ(make_timestamp(10, 2'000'000'001), make_timestamp(12, 1));
}

TEST(Timestamp, far_futures_keep_their_microseconds) {
  const auto t = make_timestamp(200'000'000'000, 123'456'000);
  EXPECT_EQ(time_parts(t).seconds, 200'000'000'000);
  EXPECT_NEAR(time_parts(t).nanoseconds, 123'456'000, 1000);
}

TEST(Timestamp, order_holds_across_the_change_of_resolution) {
  Timestamp last = make_timestamp(kFineSeconds - 2, 0);
  for (std::int64_t step = 1; step < 4'000; ++step) {
    const auto next =
        make_timestamp(kFineSeconds - 2, static_cast<std::uint64_t>(step) * kMillisecond);
    ASSERT_LT(last, next);
    ASSERT_NEAR(duration_between(last, next), kMillisecond, kMicrosecond) << step;
    last = next;
  }
}

TEST(Timestamp, differences_have_a_sign_and_saturate) {
  const auto early = make_timestamp(100, 0);
  const auto late = make_timestamp(101, 500);
  EXPECT_EQ(duration_between(early, late), kSecond + 500);
  EXPECT_EQ(duration_between(late, early), -kSecond - 500);
  EXPECT_EQ(duration_between({0}, make_timestamp(kLastSecond, 0)), INT64_MAX);
  EXPECT_EQ(duration_between(make_timestamp(kLastSecond, 0), {0}), INT64_MIN);
}

}  // namespace
}  // namespace linger
