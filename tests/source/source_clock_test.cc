#include "engine/source/source_clock.h"

#include <gtest/gtest.h>

#include <vector>

namespace linger {
namespace {

constexpr std::int64_t kStart = 1'704'067'200;  // 2024-01-01, seconds
constexpr ClockNs kStartClock = kStart * kSecond;

using Clocks = std::vector<ClockNs>;

// The clock of each packet; the packets come in bursts of `burst_max`, and one that has to wait for
// its successor comes again with it, as a source does it.
Clocks clocks_of(SourceClock clock, const std::vector<Timestamp>& timestamps,
                 std::size_t burst_max = 64) {
  Clocks clocks;
  std::size_t next = 0;
  while (next < timestamps.size()) {
    const std::size_t count = std::min(burst_max, timestamps.size() - next);
    std::vector<Packet> burst(count);
    for (std::size_t i = 0; i < count; ++i) burst[i].timestamp = timestamps[next + i];
    const bool is_end = next + count == timestamps.size();
    const std::uint32_t stamped =
        clock.stamp_burst(burst.data(), static_cast<std::uint32_t>(count), is_end);
    for (std::uint32_t i = 0; i < stamped; ++i) clocks.push_back(burst[i].clock);
    next += stamped;
    if (stamped == 0) burst_max = count + 1;  // alone it would wait for ever
  }
  return clocks;
}

// Both relative to 2024-01-01.
Clocks offsets_of(const std::vector<DurationNs>& offsets, DurationNs jump = kHour,
                  std::size_t burst_max = 64) {
  std::vector<Timestamp> timestamps;
  for (const DurationNs offset : offsets) timestamps.push_back({kStartClock + offset});
  Clocks clocks = clocks_of(SourceClock(jump), timestamps, burst_max);
  for (ClockNs& clock : clocks) clock -= kStartClock;
  return clocks;
}

Timestamp year_end(int years_before_10000) {
  return make_timestamp(kLastSecond - std::int64_t{years_before_10000} * 365 * 86'400, 0);
}

TEST(SourceClock, starts_at_the_first_timestamp_and_follows_it) {
  EXPECT_EQ(SourceClock().now(), 0);
  EXPECT_EQ(offsets_of({0, 5, kHour}), (Clocks{0, 5, kHour}));
}

TEST(SourceClock, is_the_running_maximum) {
  EXPECT_EQ(offsets_of({kSecond, 0, kSecond - 1, kSecond + 1}),
            (Clocks{kSecond, kSecond, kSecond, kSecond + 1}));
}

TEST(SourceClock, exactly_one_jump_length_is_no_jump) {
  EXPECT_EQ(offsets_of({0, kMinute, 2 * kMinute + 1}, kMinute), (Clocks{0, kMinute, kMinute}));
}

TEST(SourceClock, a_single_wild_timestamp_moves_nothing) {
  EXPECT_EQ(offsets_of({0, 30 * kDay, 1, -kStartClock, 2, 30 * kDay, 3}),
            (Clocks{0, 0, 1, 1, 2, 2, 3}));
}

TEST(SourceClock, a_confirmed_jump_counts_from_the_packet_that_jumped) {
  EXPECT_EQ(offsets_of({0, 2 * kDay, 2 * kDay + kSecond, 2 * kDay + 2}),
            (Clocks{0, 2 * kDay, 2 * kDay + kSecond, 2 * kDay + kSecond}));
}

TEST(SourceClock, a_jump_is_confirmed_by_a_packet_slightly_before_it) {
  EXPECT_EQ(offsets_of({0, 2 * kDay, 2 * kDay - kMillisecond}), (Clocks{0, 2 * kDay, 2 * kDay}));
}

TEST(SourceClock, a_jump_of_the_last_packet_is_never_confirmed) {
  EXPECT_EQ(offsets_of({0, 1, 2 * kDay}), (Clocks{0, 1, 1}));
}

TEST(SourceClock, a_jump_forward_moves_at_most_400_days) {
  EXPECT_EQ(offsets_of({0, 5000 * kDay, 5000 * kDay + 7}), (Clocks{0, 400 * kDay, 400 * kDay + 7}));
}

TEST(SourceClock, a_confirmed_jump_back_counts_on_from_where_it_stood) {
  EXPECT_EQ(offsets_of({0, -3 * kDay, -3 * kDay + 10, -3 * kDay + 30, -3 * kDay + 20}),
            (Clocks{0, 0, 10, 30, 30}));
}

TEST(SourceClock, two_jumps_in_opposite_directions_confirm_nothing) {
  EXPECT_EQ(offsets_of({0, 30 * kDay, -30 * kDay, 30 * kDay, -30 * kDay}), (Clocks{0, 0, 0, 0, 0}));
}

TEST(SourceClock, a_jump_much_further_than_its_successor_is_the_wild_one) {
  EXPECT_EQ(offsets_of({0, 30 * kDay, 20 * kDay, 20 * kDay + 1}),
            (Clocks{0, 0, 20 * kDay, 20 * kDay + 1}));
}

// One packet every two hours (a keep-alive without answer): each confirms the one before.
TEST(SourceClock, a_link_that_is_quiet_for_hours_keeps_time) {
  EXPECT_EQ(offsets_of({0, 2 * kHour, 4 * kHour, 6 * kHour}),
            (Clocks{0, 2 * kHour, 4 * kHour, 4 * kHour}));  // nothing confirms the last
}

TEST(SourceClock, a_wild_first_timestamp_is_left_behind) {
  EXPECT_EQ(offsets_of({1000 * kDay, 0, 1, kMinute}),
            (Clocks{1000 * kDay, 1000 * kDay, 1000 * kDay + 1, 1000 * kDay + kMinute}));
  EXPECT_EQ(clocks_of(SourceClock(), {{0}, {kStartClock}, {kStartClock + 1}}),
            (Clocks{0, 400 * kDay, 400 * kDay + 1}));
}

TEST(SourceClock, bursts_of_any_size_give_the_same_clocks) {
  const std::vector<DurationNs> offsets = {
      0,         30 * kDay, 1,         2,         -9 * kDay,     -9 * kDay, 5, 40 * kDay,
      41 * kDay, 3,         41 * kDay, 42 * kDay, 42 * kDay + 1, 6,         7};
  const Clocks whole = offsets_of(offsets);
  for (std::size_t burst = 1; burst < offsets.size(); ++burst)
    EXPECT_EQ(offsets_of(offsets, kHour, burst), whole) << "bursts of " << burst;
}

TEST(SourceClock, counts_on_through_every_year_that_a_capture_can_hold) {
  const Timestamp first = year_end(10);
  const Timestamp second = {first.value + 60 * kSecond / kMicrosecond};  // counts microseconds
  const ClockNs start = kTimestampFineMax;
  EXPECT_EQ(
      clocks_of(SourceClock(), {first, second, year_end(0), year_end(0)}),
      (Clocks{start, start + kMinute, start + kMinute + 400 * kDay, start + kMinute + 400 * kDay}));
}

TEST(SourceClock, passes_from_nanoseconds_to_microseconds_without_a_step) {
  const ClockNs start = kTimestampFineMax - 500;
  EXPECT_EQ(clocks_of(SourceClock(), {{start}, {kTimestampFineMax}, {kTimestampFineMax + 3}}),
            (Clocks{start, start + 500, start + 500 + 3 * kMicrosecond}));
}

TEST(SourceClock, never_overflows_whatever_a_capture_claims) {
  std::vector<Timestamp> timestamps = {{kTimestampFineMax}};
  for (int i = 0; i < 2000; ++i)
    for (int twice = 0; twice < 2; ++twice)
      timestamps.push_back(i % 2 == 0 ? year_end(0) : Timestamp{0});
  const Clocks clocks = clocks_of(SourceClock(), timestamps);
  EXPECT_TRUE(std::is_sorted(clocks.begin(), clocks.end()));
  EXPECT_EQ(clocks.back(), kClockMax);
}

}  // namespace
}  // namespace linger
