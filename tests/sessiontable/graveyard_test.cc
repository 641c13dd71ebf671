#include "sessiontable/graveyard.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

namespace linger {
namespace {

constexpr DurationNs kLate = 120 * kSecond;
constexpr DurationNs kContinue = 130 * kMinute;

class GraveyardTest : public testing::Test, private LateSink {
 protected:
  void open(std::uint64_t graves, std::uint32_t blocks, DurationNs late_timeout = kLate) {
    LateSink& sink = *this;
    const GraveyardSettings settings{graves, blocks, late_timeout, kContinue};
    graveyard_ = std::make_unique<Graveyard>(settings, counters_, sink);
  }

  static FlowKey key(std::uint16_t number) {
    FlowKey key;
    key.port = {number, 80};
    key.protocol = kProtocolTcp;
    key.ip_version = 4;
    return key;
  }
  static FlowHash hash(std::uint16_t number) { return (FlowHash{number} << 48) + number; }

  void bury(std::uint16_t number, ClockNs clock, Ending ending = Ending::closed,
            ClockNs opened = 1) {
    Grave grave{};
    grave.fingerprint = hash(number);
    grave.opened = opened;
    grave.ending = static_cast<std::uint32_t>(ending) & 7;
    grave.burial_second = Graveyard::second_of(clock) & 0x1ffff;
    if (Grave* place = graveyard_->dig(grave.fingerprint, ending, clock, clock)) *place = grave;
  }

  Graveyard::Place find(std::uint16_t number, ClockNs now) const {
    return graveyard_->find(key(number), hash(number), now,
                            [](const Grave&, bool) { return GraveVerdict::late; });
  }

  // A late RST of 60 bytes; false: there is no grave.
  bool late(std::uint16_t number, ClockNs now, bool off_sequence = false,
            std::uint16_t frames = 1) {
    const Graveyard::Place place = find(number, now);
    if (!place) return false;
    Packet packet;
    packet.key = key(number);
    packet.hash = hash(number);
    packet.clock = now;
    packet.timestamp = {now};
    packet.wire_bytes = 60;
    packet.frames = frames;
    packet.direction = 1;
    packet.tcp.flags = kTcpRst;
    graveyard_->join(place, packet, off_sequence);
    return true;
  }

  void expire(ClockNs now) {
    int steps = 1'000'000;
    graveyard_->expire(now, steps);
  }

  TableCounters counters_;
  std::vector<LateBlock> told_;
  std::unique_ptr<Graveyard> graveyard_;

 private:
  void on_late(const LateBlock& block) noexcept override { told_.push_back(block); }
};

TEST_F(GraveyardTest, a_late_packet_finds_its_grave_for_late_timeout) {
  open(10, 10);
  bury(1, kHour);
  EXPECT_TRUE(find(1, kHour));
  EXPECT_TRUE(find(1, kHour + kLate));
  EXPECT_FALSE(find(1, kHour + kLate + kSecond));
  EXPECT_FALSE(find(2, kHour));
}

TEST_F(GraveyardTest, more_late_packets_than_a_block_can_count_are_told_in_two) {
  open(10, 10);
  bury(1, kHour);
  constexpr std::uint64_t kTimes = 65'600;
  for (std::uint64_t i = 0; i < kTimes; ++i) ASSERT_TRUE(late(1, kHour, false, UINT16_MAX));
  graveyard_->finish();
  ASSERT_EQ(told_.size(), 2u);
  EXPECT_EQ(told_[0].counts.total() + told_[1].counts.total(), kTimes * UINT16_MAX);
  EXPECT_NE(told_[0].sequence(), told_[1].sequence());
}

TEST_F(GraveyardTest, no_grave_ends_before_its_time_though_it_is_no_whole_second) {
  for (const DurationNs late : {kMillisecond, kSecond / 2, 3 * kSecond / 2}) {
    open(10, 10, late);
    for (const DurationNs part : {DurationNs{0}, DurationNs{1}, kSecond - 1}) {
      bury(1, kHour + part);
      EXPECT_TRUE(find(1, kHour + part + late)) << late << " " << part;
    }
  }
}

TEST_F(GraveyardTest, a_grave_of_the_next_second_is_found_and_one_of_long_ago_is_not_dug) {
  open(10, 10);
  bury(1, kHour + kSecond);
  EXPECT_TRUE(find(1, kHour));
  const auto dig = [&](ClockNs now) {
    return graveyard_->dig(hash(2), Ending::closed, kHour, now);
  };
  EXPECT_EQ(dig(kHour + kLate + 3 * kSecond), nullptr);
  EXPECT_NE(dig(kHour + kLate), nullptr);
}

TEST_F(GraveyardTest, a_cut_session_is_remembered_for_continue_timeout) {
  open(10, 10);
  std::uint16_t number = 0;
  for (const Ending ending : {Ending::idle, Ending::attempt, Ending::evicted}) {
    bury(++number, kHour, ending);
    EXPECT_TRUE(find(number, kHour + kContinue));
    EXPECT_FALSE(find(number, kHour + kContinue + kSecond));
  }
}

TEST_F(GraveyardTest, late_packets_are_told_once_after_late_timeout_of_silence) {
  open(10, 10);
  bury(1, kHour);
  for (const int seconds : {10, 20, 30}) EXPECT_TRUE(late(1, kHour + seconds * kSecond));
  expire(kHour + 30 * kSecond + kLate);
  EXPECT_TRUE(told_.empty());
  expire(kHour + 31 * kSecond + kLate);
  ASSERT_EQ(told_.size(), 1u);
  const LateBlock& block = told_.front();
  EXPECT_TRUE(block.key == key(1));
  EXPECT_EQ(block.counts.packets[1], 3u);
  EXPECT_EQ(block.counts.rst[1], 3u);
  EXPECT_EQ(block.counts.total(), 3u);
  EXPECT_EQ(block.bytes[1], 180u);
  EXPECT_EQ(block.first.value, kHour + 10 * kSecond);
  EXPECT_EQ(block.last.value, kHour + 30 * kSecond);
  EXPECT_EQ(graveyard_->blocks_used(), 0u);
  EXPECT_FALSE(find(1, kHour + 31 * kSecond + kLate));
}

TEST_F(GraveyardTest, late_packets_keep_the_grave_for_a_day) {
  open(10, 10);
  bury(1, 0);
  for (ClockNs now = kMinute; now <= kDay; now += kMinute) {
    expire(now);
    ASSERT_TRUE(late(1, now));
  }
  graveyard_->finish();
  ASSERT_EQ(told_.size(), 1u);
  EXPECT_EQ(told_.front().counts.packets[1], 1'440u);
}

TEST_F(GraveyardTest, off_sequence_rsts_are_counted_apart) {
  open(10, 10);
  bury(1, kHour);
  late(1, kHour);
  late(1, kHour, true);
  graveyard_->finish();
  ASSERT_EQ(told_.size(), 1u);
  EXPECT_EQ(told_.front().counts.rst[1], 2u);
  EXPECT_EQ(told_.front().counts.rst_off_sequence, 1u);
}

TEST_F(GraveyardTest, a_dry_pool_writes_the_oldest_record_early_and_forgets_nobody) {
  open(10, 2);
  for (std::uint16_t number = 1; number <= 3; ++number) bury(number, kHour);
  for (std::uint16_t number = 1; number <= 3; ++number)
    EXPECT_TRUE(late(number, kHour + number * kSecond));
  ASSERT_EQ(told_.size(), 1u);
  EXPECT_TRUE(told_[0].key == key(1));
  EXPECT_EQ(told_[0].grave.late_sequence, 0u);
  EXPECT_EQ(counters_.late_blocks_early.value(), 1u);
  EXPECT_TRUE(late(1, kHour + 10 * kSecond));
  graveyard_->finish();
  ASSERT_EQ(told_.size(), 4u);
  std::uint64_t packets = 0;
  for (const LateBlock& block : told_) packets += block.counts.total();
  EXPECT_EQ(packets, 4u);
  for (const LateBlock& block : told_)
    if (block.key == key(1) && block.first.value == kHour + 10 * kSecond) {
      EXPECT_EQ(block.grave.late_sequence, 1u);
    }
}

TEST_F(GraveyardTest, of_a_dry_pool_the_one_that_was_silent_longest_goes) {
  open(10, 2);
  for (std::uint16_t number = 1; number <= 3; ++number) bury(number, kHour);
  for (const std::uint16_t number : {1, 2, 1, 3}) EXPECT_TRUE(late(number, kHour));
  ASSERT_EQ(told_.size(), 1u);
  EXPECT_TRUE(told_[0].key == key(2));
}

TEST_F(GraveyardTest, a_full_ring_loses_the_oldest_grave_and_counts_it) {
  open(3, 10);
  for (std::uint16_t number = 1; number <= 4; ++number) bury(number, kHour);
  EXPECT_FALSE(find(1, kHour));
  for (std::uint16_t number = 2; number <= 4; ++number) EXPECT_TRUE(find(number, kHour));
  EXPECT_EQ(counters_.graves_lost.value(), 1u);
}

TEST_F(GraveyardTest, a_grave_is_lost_to_one_that_was_due_before_it_too) {
  open(1, 10);
  for (const ClockNs due : {kHour + 10 * kMinute, kHour}) {
    Grave* const place = graveyard_->dig(hash(1), Ending::idle, due, kHour + 11 * kMinute);
    ASSERT_NE(place, nullptr);
    *place = {};
    place->fingerprint = hash(1);
    place->ending = static_cast<std::uint32_t>(Ending::idle) & 7;
    place->burial_second = Graveyard::second_of(due) & 0x1ffff;
  }
  EXPECT_EQ(counters_.graves_lost.value(), 1u);
}

TEST_F(GraveyardTest, a_grave_whose_time_is_over_is_not_lost) {
  open(3, 10);
  for (std::uint16_t number = 1; number <= 3; ++number) bury(number, kHour);
  for (std::uint16_t number = 4; number <= 6; ++number) bury(number, kHour + kLate + kMinute);
  EXPECT_EQ(counters_.graves_lost.value(), 0u);
  expire(kDay);
  for (std::uint16_t number = 7; number <= 9; ++number) bury(number, kDay);
  EXPECT_EQ(counters_.graves_lost.value(), 0u);
}

// Else each of its packets would look at all of them: one pair of ports, opened and reset 300 times
// a second, would stop a shard.
TEST_F(GraveyardTest, a_key_that_is_used_again_and_again_keeps_its_newest_graves) {
  constexpr std::uint32_t kMany = 100'000;  // more than 16 bits of overflow
  constexpr std::uint32_t kLookedAtMax = 160;
  open(2 * kMany, kMany);
  for (const bool has_late_packets : {false, true}) {
    for (std::uint32_t i = 1; i <= kMany; ++i) {
      bury(1, kHour, Ending::closed, i);
      ASSERT_TRUE(!has_late_packets || late(1, kHour));
    }
    std::uint32_t looked_at = 0;
    ClockNs oldest = kMany;
    const auto place = graveyard_->find(key(1), hash(1), kHour, [&](const Grave& grave, bool) {
      oldest = std::min(oldest, grave.opened);
      ++looked_at;
      return GraveVerdict::late;
    });
    ASSERT_TRUE(place);
    EXPECT_EQ(place.grave->opened, kMany);
    EXPECT_LE(looked_at, kLookedAtMax);
    EXPECT_GE(looked_at, 64u);
    if (!has_late_packets) {
      EXPECT_GE(oldest, kMany - kLookedAtMax);
    }
    EXPECT_GE(counters_.graves_crowded.value(), kMany - kLookedAtMax);
  }
  graveyard_->finish();
  std::uint64_t packets = 0;
  for (const LateBlock& block : told_) packets += block.counts.total();
  EXPECT_EQ(packets, kMany);
  expire(kDay);
  EXPECT_FALSE(find(1, kDay));
}

TEST_F(GraveyardTest, graves_of_one_key_whose_time_is_over_are_not_crowded_out) {
  constexpr int kMany = 1'000;
  open(kMany, 1);
  for (int i = 1; i <= kMany; ++i) bury(1, kHour + i * kMinute, Ending::closed, i);
  EXPECT_EQ(counters_.graves_crowded.value(), 0u);
}

TEST_F(GraveyardTest, without_graves_nothing_is_remembered) {
  open(0, 10);
  bury(1, kHour);
  EXPECT_FALSE(find(1, kHour));
}

TEST_F(GraveyardTest, the_newest_of_equal_graves_is_found) {
  open(10, 10);
  bury(1, kHour, Ending::closed, 100);
  bury(1, kHour, Ending::closed, 300);
  bury(1, kHour, Ending::closed, 200);
  EXPECT_EQ(find(1, kHour).grave->opened, 300);
  late(1, kHour);  // the newest is in a block now
  EXPECT_EQ(find(1, kHour).grave->opened, 300);
}

TEST_F(GraveyardTest, the_better_verdict_wins_over_the_newer_grave) {
  open(10, 10);
  bury(1, kHour, Ending::closed, 100);
  bury(1, kHour, Ending::closed, 200);
  const auto place = graveyard_->find(key(1), hash(1), kHour, [](const Grave& grave, bool) {
    return grave.opened == 100 ? GraveVerdict::late : GraveVerdict::late_off_sequence;
  });
  ASSERT_TRUE(place);
  EXPECT_EQ(place.grave->opened, 100);
}

TEST_F(GraveyardTest, a_stranger_finds_nothing) {
  open(10, 10);
  bury(1, kHour);
  EXPECT_FALSE(graveyard_->find(key(1), hash(1), kHour,
                                [](const Grave&, bool) { return GraveVerdict::stranger; }));
}

// Seconds of burial are kept modulo 1.5 days.
TEST_F(GraveyardTest, a_grave_does_not_come_back_when_its_seconds_wrap) {
  open(10, 10);
  bury(1, kHour, Ending::idle);
  bury(2, kHour, Ending::closed);
  constexpr DurationNs kWrap = (DurationNs{1} << 17) * kSecond;
  for (ClockNs now = kHour; now <= kHour + kWrap + kMinute; now += kMinute) expire(now);
  EXPECT_FALSE(find(1, kHour + kWrap + kMinute));
  EXPECT_FALSE(find(2, kHour + kWrap + kMinute));
}

TEST_F(GraveyardTest, none_of_a_full_ring_comes_back_when_their_seconds_wrap) {
  for (const std::uint16_t more : {0, 1, 4}) {
    open(3, 10);
    const std::uint16_t last = static_cast<std::uint16_t>(3 + more);
    for (std::uint16_t number = 1; number <= last; ++number) bury(number, kHour);
    constexpr DurationNs kWrap = (DurationNs{1} << 17) * kSecond;
    for (ClockNs now = kHour; now <= kHour + kWrap; now += kMinute) expire(now);
    for (std::uint16_t number = 1; number <= last; ++number)
      EXPECT_FALSE(find(number, kHour + kWrap + kMinute)) << number << " of " << last;
  }
}

TEST_F(GraveyardTest, one_lost_block_for_a_test_is_one_record_less) {
  open(10, 10);
  bury(1, kHour);
  bury(2, kHour);
  graveyard_->lose_next_block_for_test();
  late(1, kHour);
  late(2, kHour);
  graveyard_->finish();
  EXPECT_EQ(told_.size(), 1u);
}

}  // namespace
}  // namespace linger
