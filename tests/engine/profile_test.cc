#include "engine/profile.h"

#include <emmintrin.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace linger {
namespace {

using testing::HasSubstr;

void pass_time() {
  const std::uint64_t begin = ticks_now();
  while (ticks_now() - begin < 1000) _mm_pause();
}

TEST(Profile, time_belongs_to_the_stage_that_is_left) {
  Profile profile;
  profile.switch_on();
  pass_time();
  profile.leave(Stage::receive);
  profile.leave(Stage::decode);
  {
    const Profile::Within within(profile, Stage::track, Stage::record);
    pass_time();
  }
  profile.end_poll(true);
  EXPECT_GE(profile.ticks(Stage::receive), 1000u);
  EXPECT_GE(profile.ticks(Stage::record), 1000u);
  EXPECT_EQ(profile.ticks(Stage::read), 0u);
  EXPECT_EQ(profile.ticks(Stage::idle), 0u);
}

TEST(Profile, a_poll_that_found_nothing_was_idle) {
  Profile profile;
  profile.switch_on();
  pass_time();
  profile.leave(Stage::receive);
  EXPECT_EQ(profile.ticks(Stage::idle), 0u);
  profile.end_poll(false);
  EXPECT_EQ(profile.ticks(Stage::receive), 0u);
  EXPECT_GE(profile.ticks(Stage::idle), 1000u);
}

TEST(Profile, switched_off_it_counts_nothing) {
  Profile profile;
  pass_time();
  profile.leave(Stage::receive);
  profile.end_poll(true);
  EXPECT_EQ(profile.ticks(Stage::receive), 0u);
}

TEST(Profile, the_sum_says_what_a_packet_costs_and_what_rates_that_carries) {
  ProfileSum sum;
  sum.ticks[static_cast<std::size_t>(Stage::decode)] = 40'000;
  sum.ticks[static_cast<std::size_t>(Stage::track)] = 60'000;
  sum.ticks[static_cast<std::size_t>(Stage::idle)] = 300'000;
  sum.packets = 1'000;
  sum.bytes = 696'000;
  sum.ticks_per_second = 3e9;
  sum.writing_seconds = 1e-6;
  sum.records = 10;
  const std::string text = profile_of(sum);
  EXPECT_THAT(text, HasSubstr("100 cycles a packet at 3.00 GHz: receive 0.0, decode 40.0, steer "
                              "0.0, track 60.0, read 0.0, record 0.0; idle 75 % of the time\n"));
  EXPECT_THAT(text, HasSubstr("100 ns of other threads for each of 10 records\n"));
  // 100 Gbit/s of the smallest frames are 148.8 M a second, 33.3 ns each: 4.96 cores, 6.2 at 80 %.
  EXPECT_THAT(text, HasSubstr("100         7       2       1       1\n"));
}

TEST(Profile, packets_shorter_than_a_frame_are_filled_up_on_a_link) {
  ProfileSum sum;
  sum.ticks[static_cast<std::size_t>(Stage::track)] = 100'000;
  sum.packets = 1'000;
  sum.bytes = 40'000;  // without a link's header
  sum.ticks_per_second = 3e9;
  EXPECT_THAT(profile_of(sum), HasSubstr("100         7       2       1       7\n"));
}

TEST(Profile, nothing_seen_has_no_cost) {
  EXPECT_EQ(profile_of(ProfileSum{}), "profile   nothing was seen\n");
}

}  // namespace
}  // namespace linger
