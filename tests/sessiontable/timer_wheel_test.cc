#include "sessiontable/timer_wheel.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <vector>

namespace linger {
namespace {

constexpr DurationNs kBucket = DurationNs{1} << 28;
constexpr DurationNs kFarBucket = DurationNs{1} << 40;

// Slots with deadlines, as the session table has them.
struct Slots {
  explicit Slots(std::size_t count) : links(count), deadlines(count) {}

  TimerLink& timer_link(std::uint32_t slot) noexcept { return links[slot]; }
  ClockNs deadline(std::uint32_t slot) const noexcept { return deadlines[slot]; }
  bool is_at_home(std::uint32_t) const noexcept { return true; }
  void link_anew(std::uint32_t slot) noexcept {
    wheel->unlink(slot);
    wheel->link(slot, deadlines[slot]);
  }
  void prefetch_session(std::uint32_t) const noexcept {}

  std::vector<TimerLink> links;
  std::vector<ClockNs> deadlines;
  TimerWheel<Slots>* wheel = nullptr;
};

// All that is due by `now`, taken out of the wheel; never anything early.
std::vector<std::uint32_t> take_due(TimerWheel<Slots>& wheel, const Slots& slots, ClockNs now,
                                    int steps_a_call = 1'000'000) {
  std::vector<std::uint32_t> found;
  for (int idle = 0; idle < 100'000;) {
    int steps = steps_a_call;
    const std::uint32_t slot = wheel.due(now, steps);
    if (slot != kNoSlot) {
      EXPECT_LE(slots.deadlines[slot], now);
      wheel.unlink(slot);
      found.push_back(slot);
      idle = 0;
    } else if (steps > 0) {
      return found;
    } else {
      ++idle;
    }
  }
  ADD_FAILURE() << "due() never ended";
  return found;
}

// Random links, extensions, cancellations and steps of time against a std::map.
void compare_with_map(std::uint64_t seed, DurationNs deadline_max, DurationNs step_max,
                      int steps_a_call) {
  constexpr std::uint32_t kCount = 200;
  std::mt19937_64 random(seed);
  const auto up_to = [&](DurationNs max) {
    return static_cast<DurationNs>(random() % static_cast<std::uint64_t>(max + 1));
  };
  Slots slots(kCount);
  TimerWheel<Slots> wheel(slots);
  slots.wheel = &wheel;
  std::map<std::uint32_t, ClockNs> model;
  ClockNs now = 1'704'067'200 * kSecond;
  wheel.start(now);
  for (int step = 0; step < 20'000; ++step) {
    const auto slot = static_cast<std::uint32_t>(random() % kCount);
    const auto there = model.find(slot);
    const auto action = random() % 10;
    if (action < 5 && there == model.end()) {
      slots.deadlines[slot] = now + up_to(deadline_max);
      wheel.link(slot, slots.deadlines[slot]);
      model[slot] = slots.deadlines[slot];
    } else if (action < 7 && there != model.end()) {  // a packet came: the links stay as they are
      slots.deadlines[slot] += up_to(deadline_max);
      there->second = slots.deadlines[slot];
    } else if (action == 7 && there != model.end()) {
      wheel.unlink(slot);
      model.erase(there);
    } else if (action > 7) {
      now += random() % 4 == 0 ? up_to(step_max) : up_to(step_max / 1'000);
      for (const std::uint32_t due : take_due(wheel, slots, now, steps_a_call)) model.erase(due);
      for (const auto& [left, deadline] : model)
        ASSERT_GT(deadline, now - 2 * kBucket) << "slot " << left << " was passed over";
    }
    ASSERT_EQ(wheel.size(), model.size());
    if (!model.empty()) {
      ASSERT_TRUE(model.contains(wheel.first(4)));
    }
  }
}

TEST(timer_wheel, finds_every_slot_in_time_with_deadlines_of_seconds) {
  compare_with_map(1, 30 * kSecond, 10 * kSecond, 1'000'000);
}

TEST(timer_wheel, finds_every_slot_in_time_with_deadlines_of_minutes) {
  compare_with_map(2, 15 * kMinute, 5 * kMinute, 1'000'000);
}

TEST(timer_wheel, finds_every_slot_in_time_with_deadlines_of_days) {
  compare_with_map(3, 3 * kDay, 10 * kHour, 1'000'000);
}

TEST(timer_wheel, a_bounded_number_of_steps_a_call_gets_there_too) {
  compare_with_map(4, 3 * kDay, 10 * kHour, 3);
  compare_with_map(5, 30 * kSecond, 10 * kSecond, 1);
}

// Sessions of one phase: every packet sets its session's deadline to now + timeout.
void compare_first_with_minimum(DurationNs timeout, DurationNs step_max,
                                DurationNs width = kBucket) {
  constexpr std::uint32_t kCount = 300;
  std::mt19937_64 random(static_cast<std::uint64_t>(timeout));
  Slots slots(kCount);
  TimerWheel<Slots> wheel(slots);
  slots.wheel = &wheel;
  std::vector<bool> is_linked(kCount);
  ClockNs now = 1'704'067'200 * kSecond;
  wheel.start(now);
  for (int step = 0; step < 20'000; ++step) {
    now += static_cast<DurationNs>(random() % static_cast<std::uint64_t>(step_max));
    for (const std::uint32_t due : take_due(wheel, slots, now)) is_linked[due] = false;
    const auto slot = static_cast<std::uint32_t>(random() % kCount);
    slots.deadlines[slot] = now + timeout;
    if (!is_linked[slot]) {
      wheel.link(slot, slots.deadlines[slot]);
      is_linked[slot] = true;
    }
    if (step % 10 != 0) continue;
    ClockNs earliest = INT64_MAX;
    for (std::uint32_t i = 0; i < kCount; ++i)
      if (is_linked[i]) earliest = std::min(earliest, slots.deadlines[i]);
    const std::uint32_t first = wheel.first(10 * kCount);
    ASSERT_TRUE(is_linked[first]);
    ASSERT_LE(slots.deadlines[first], earliest + width) << "step " << step;
  }
}

TEST(timer_wheel, the_first_slot_is_the_longest_idle_with_the_usual_timeouts) {
  compare_first_with_minimum(5 * kSecond, 100 * kMillisecond);
  compare_first_with_minimum(30 * kSecond, 500 * kMillisecond);
  compare_first_with_minimum(10 * kMinute, 10 * kSecond);
}

TEST(timer_wheel, the_first_slot_is_within_a_far_bucket_of_the_longest_idle_with_long_timeouts) {
  compare_first_with_minimum(kHour, kMinute, kFarBucket);
  compare_first_with_minimum(12 * kHour, 10 * kMinute, kFarBucket);
}

// Behind a pause, the time is in a span of far slots, none of which is due.
TEST(timer_wheel, a_span_is_entered_however_few_of_its_slots_one_call_may_move) {
  constexpr std::uint32_t kCount = 20;
  Slots slots(kCount);
  TimerWheel<Slots> wheel(slots);
  slots.wheel = &wheel;
  const ClockNs start = 1'500 * kFarBucket + kMinute;
  wheel.start(start);
  for (std::uint32_t slot = 0; slot < kCount; ++slot)
    wheel.link(slot, slots.deadlines[slot] = start + 30 * kMinute);
  EXPECT_TRUE(take_due(wheel, slots, 1'501 * kFarBucket + kMinute, 16).empty());
  EXPECT_EQ(take_due(wheel, slots, start + 31 * kMinute, 16).size(), kCount);
}

TEST(timer_wheel, survives_a_jump_of_a_year) {
  Slots slots(3);
  TimerWheel<Slots> wheel(slots);
  slots.wheel = &wheel;
  wheel.start(0);
  slots.deadlines = {kSecond, kHour, 2 * 365 * kDay};
  for (std::uint32_t slot = 0; slot < 3; ++slot) wheel.link(slot, slots.deadlines[slot]);
  EXPECT_EQ(take_due(wheel, slots, 365 * kDay).size(), 2u);
  EXPECT_EQ(wheel.first(4), 2u);
  EXPECT_TRUE(take_due(wheel, slots, 730 * kDay - kSecond).empty());
  EXPECT_EQ(take_due(wheel, slots, 730 * kDay + kSecond), std::vector<std::uint32_t>{2});
  EXPECT_EQ(wheel.size(), 0u);
  EXPECT_EQ(wheel.first(4), kNoSlot);
}

TEST(timer_wheel, a_deadline_in_the_past_is_due_within_a_bucket) {
  Slots slots(1);
  TimerWheel<Slots> wheel(slots);
  slots.wheel = &wheel;
  wheel.start(kHour);
  slots.deadlines[0] = kHour - kMinute;
  wheel.link(0, slots.deadlines[0]);
  EXPECT_EQ(take_due(wheel, slots, kHour + 2 * kBucket), std::vector<std::uint32_t>{0});
}

TEST(timer_wheel, an_empty_wheel_takes_any_jump_in_one_call) {
  Slots slots(1);
  TimerWheel<Slots> wheel(slots);
  slots.wheel = &wheel;
  wheel.start(0);
  int steps = 1;
  EXPECT_EQ(wheel.due(100 * kDay, steps), kNoSlot);
  EXPECT_EQ(steps, 1);
}

}  // namespace
}  // namespace linger
