#include "engine/source/source_clock.h"

#include <gtest/gtest.h>

namespace linger {
namespace {

constexpr std::int64_t kStart = 1'704'067'200;  // 2024-01-01, seconds
constexpr ClockNs kStartClock = kStart * kSecond;

Timestamp at(DurationNs offset) { return {kStartClock + offset}; }
Timestamp year_end(int years_before_10000) {
  return make_timestamp(kLastSecond - std::int64_t{years_before_10000} * 365 * 86'400, 0);
}

TEST(SourceClock, starts_at_the_first_timestamp_and_follows_it) {
  SourceClock clock;
  EXPECT_EQ(clock.now(), 0);
  EXPECT_EQ(clock.stamp(at(0)), kStartClock);
  EXPECT_EQ(clock.stamp(at(5)), kStartClock + 5);
  EXPECT_EQ(clock.stamp(at(kHour)), kStartClock + kHour);
  EXPECT_EQ(clock.now(), kStartClock + kHour);
}

TEST(SourceClock, is_the_running_maximum) {
  SourceClock clock;
  clock.stamp(at(kSecond));
  EXPECT_EQ(clock.stamp(at(0)), kStartClock + kSecond);
  EXPECT_EQ(clock.stamp(at(kSecond - 1)), kStartClock + kSecond);
  EXPECT_EQ(clock.stamp(at(kSecond + 1)), kStartClock + kSecond + 1);
}

TEST(SourceClock, exactly_one_jump_length_is_no_jump) {
  SourceClock clock(kMinute);
  clock.stamp(at(0));
  EXPECT_EQ(clock.stamp(at(kMinute)), kStartClock + kMinute);
  EXPECT_EQ(clock.stamp(at(2 * kMinute + 1)), kStartClock + kMinute);
}

TEST(SourceClock, a_single_wild_timestamp_moves_nothing) {
  SourceClock clock;
  clock.stamp(at(0));
  EXPECT_EQ(clock.stamp(at(30 * kDay)), kStartClock);
  EXPECT_EQ(clock.stamp(at(1)), kStartClock + 1);
  EXPECT_EQ(clock.stamp({0}), kStartClock + 1);
  EXPECT_EQ(clock.stamp(at(2)), kStartClock + 2);
  EXPECT_EQ(clock.stamp(at(30 * kDay)), kStartClock + 2);  // the earlier one was forgotten
  EXPECT_EQ(clock.stamp(at(3)), kStartClock + 3);
}

TEST(SourceClock, a_confirmed_jump_forward_counts) {
  SourceClock clock;
  clock.stamp(at(0));
  EXPECT_EQ(clock.stamp(at(2 * kDay)), kStartClock);
  EXPECT_EQ(clock.stamp(at(2 * kDay + kSecond)), kStartClock + 2 * kDay + kSecond);
  EXPECT_EQ(clock.stamp(at(2 * kDay + 2 * kSecond)), kStartClock + 2 * kDay + 2 * kSecond);
}

TEST(SourceClock, a_jump_is_confirmed_by_a_packet_slightly_before_it) {
  SourceClock clock;
  clock.stamp(at(0));
  clock.stamp(at(2 * kDay));
  EXPECT_EQ(clock.stamp(at(2 * kDay - kMillisecond)), kStartClock + 2 * kDay);
}

TEST(SourceClock, a_jump_forward_moves_at_most_400_days) {
  SourceClock clock;
  clock.stamp(at(0));
  clock.stamp(at(5000 * kDay));
  EXPECT_EQ(clock.stamp(at(5000 * kDay + 7)), kStartClock + 400 * kDay + 7);
  EXPECT_EQ(clock.stamp(at(5000 * kDay + 8)), kStartClock + 400 * kDay + 8);
}

TEST(SourceClock, a_confirmed_jump_back_counts_on_from_where_it_stood) {
  SourceClock clock;
  clock.stamp(at(0));
  EXPECT_EQ(clock.stamp(at(-3 * kDay)), kStartClock);
  EXPECT_EQ(clock.stamp(at(-3 * kDay + 10)), kStartClock + 10);
  EXPECT_EQ(clock.stamp(at(-3 * kDay + 30)), kStartClock + 30);
  EXPECT_EQ(clock.stamp(at(-3 * kDay + 20)), kStartClock + 30);
}

TEST(SourceClock, two_jumps_in_opposite_directions_confirm_nothing) {
  SourceClock clock;
  clock.stamp(at(0));
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(clock.stamp(at(30 * kDay)), kStartClock);
    EXPECT_EQ(clock.stamp(at(-30 * kDay)), kStartClock);
  }
}

TEST(SourceClock, a_jump_further_back_than_the_pending_one_waits_for_its_own_confirmation) {
  SourceClock clock;
  clock.stamp(at(0));
  clock.stamp(at(30 * kDay));
  EXPECT_EQ(clock.stamp(at(20 * kDay)), kStartClock);
  EXPECT_EQ(clock.stamp(at(20 * kDay + 1)), kStartClock + 20 * kDay + 1);
}

// One packet every two hours (a keep-alive without answer): each confirms the one before.
TEST(SourceClock, a_link_that_is_quiet_for_hours_keeps_time_one_packet_behind) {
  SourceClock clock;
  clock.stamp(at(0));
  for (int i = 1; i < 10; ++i) {
    EXPECT_EQ(clock.stamp(at(i * 2 * kHour)), kStartClock + (i - 1) * 2 * kHour);
  }
}

TEST(SourceClock, a_wild_first_timestamp_is_left_behind) {
  SourceClock future;
  const ClockNs wild = future.stamp(at(1000 * kDay));
  EXPECT_EQ(future.stamp(at(0)), wild);
  EXPECT_EQ(future.stamp(at(1)), wild + 1);
  EXPECT_EQ(future.stamp(at(kMinute)), wild + kMinute);

  SourceClock past;
  EXPECT_EQ(past.stamp({0}), 0);
  EXPECT_EQ(past.stamp(at(0)), 0);
  EXPECT_EQ(past.stamp(at(1)), 400 * kDay + 1);
}

TEST(SourceClock, counts_on_through_every_year_that_a_capture_can_hold) {
  SourceClock clock;
  const Timestamp first = year_end(10);
  const Timestamp second = {first.value + 60 * kSecond / kMicrosecond};  // counts microseconds
  const ClockNs start = clock.stamp(first);
  EXPECT_EQ(start, kTimestampFineMax);
  EXPECT_EQ(clock.stamp(second), start + kMinute);
  EXPECT_EQ(clock.stamp(year_end(0)), start + kMinute);
  EXPECT_EQ(clock.stamp(year_end(0)), start + kMinute + 400 * kDay);
}

TEST(SourceClock, passes_from_nanoseconds_to_microseconds_without_a_step) {
  SourceClock clock;
  const ClockNs start = clock.stamp({kTimestampFineMax - 500});
  EXPECT_EQ(clock.stamp({kTimestampFineMax}), start + 500);
  EXPECT_EQ(clock.stamp({kTimestampFineMax + 3}), start + 500 + 3 * kMicrosecond);
}

TEST(SourceClock, never_overflows_whatever_a_capture_claims) {
  SourceClock clock;
  ClockNs last = clock.stamp({kTimestampFineMax});
  for (int i = 0; i < 2000; ++i) {
    const Timestamp there = i % 2 == 0 ? year_end(0) : Timestamp{0};
    clock.stamp(there);
    const ClockNs now = clock.stamp(there);
    EXPECT_GE(now, last);
    last = now;
  }
  EXPECT_EQ(last, kClockMax);
  EXPECT_EQ(clock.stamp(Timestamp{1}), kClockMax);
}

}  // namespace
}  // namespace linger
