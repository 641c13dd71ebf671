#include "engine/port_watch.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>

namespace linger {
namespace {

PortTotals port_of(std::uint64_t taken, std::optional<std::uint64_t> lost) {
  return {"eth0", {.received = {}, .lost = lost, .taken = taken}, {}};
}

constexpr PortSet kFirst = port_set_of(0);

// While nobody sets the clock.
void look(PortWatch& watch, const std::vector<PortTotals>& totals, Timestamp now) {
  watch.look(totals, now, now.value);
}

TEST(loss_log, tells_whether_a_span_of_time_meets_a_loss) {
  LossLog log;
  EXPECT_FALSE(log.overlaps(kFirst, {0}, {1'000}));
  log.add(kFirst, {100}, {200});
  log.add(kFirst, {500}, {600});
  EXPECT_TRUE(log.overlaps(kFirst, {150}, {160}));
  EXPECT_TRUE(log.overlaps(kFirst, {0}, {100}));
  EXPECT_TRUE(log.overlaps(kFirst, {200}, {300}));
  EXPECT_FALSE(log.overlaps(kFirst, {201}, {499}));
  EXPECT_FALSE(log.overlaps(kFirst, {0}, {99}));
  EXPECT_FALSE(log.overlaps(kFirst, {601}, {900}));
}

TEST(loss_log, knows_ports_apart_but_those_that_share_a_bit) {
  LossLog log;
  log.add(port_set_of(3), {100}, {200});
  log.add(port_set_of(4), {150}, {300});
  EXPECT_FALSE(log.overlaps(port_set_of(2), {0}, {1'000}));
  EXPECT_FALSE(log.overlaps(port_set_of(3), {201}, {300}));
  EXPECT_TRUE(log.overlaps(port_set_of(3) | port_set_of(4), {201}, {300}));
  EXPECT_TRUE(log.overlaps(kAllPorts, {150}, {150}));
  EXPECT_TRUE(log.overlaps(port_set_of(3 + kPortBits), {150}, {150}));
}

TEST(loss_log, what_reaches_back_beyond_its_memory_counts_as_lossy) {
  LossLog log;
  for (std::int64_t i = 0; i <= static_cast<std::int64_t>(LossLog::kIntervals); ++i)
    log.add(kFirst, {1'000 + 10 * i}, {1'001 + 10 * i});
  EXPECT_TRUE(log.overlaps(kFirst, {0}, {5}));
  EXPECT_FALSE(log.overlaps(kFirst, {1'015}, {1'018}));
}

TEST(loss_log, joins_losses_that_follow_one_another) {
  LossLog log;
  for (std::int64_t i = 0; i < 10'000; ++i) log.add(kFirst, {10 * i}, {10 * i + 10 + i % 3});
  EXPECT_FALSE(log.overlaps(kFirst, {-5}, {-1}));
  EXPECT_TRUE(log.overlaps(kFirst, {5}, {6}));
}

TEST(loss_log, forgets_none_where_time_goes_back) {
  LossLog log;
  log.add(kFirst, {1'000}, {1'100});
  log.add(kFirst, {500}, {600});
  log.add(kFirst, {550}, {560});
  EXPECT_TRUE(log.overlaps(kFirst, {1'050}, {1'060}));
  EXPECT_TRUE(log.overlaps(kFirst, {510}, {510}));
  EXPECT_FALSE(log.overlaps(kFirst, {0}, {499}));
  EXPECT_FALSE(log.overlaps(kFirst, {1'101}, {2'000}));
}

// The reader begins at the newest while the writer takes the oldest one's place.
TEST(loss_log, tells_of_a_loss_that_makes_way_for_another_meanwhile) {
  for (int round = 0; round < 500; ++round) {
    const auto log = std::make_unique<LossLog>();
    const auto add = [&](std::int64_t i) { log->add(kFirst, {10 * i}, {10 * i + 1}); };
    const auto full = static_cast<std::int64_t>(LossLog::kIntervals);
    for (std::int64_t i = 0; i < full; ++i) add(i);
    std::atomic<bool> begins{false};
    std::thread writer([&] {
      begins = true;
      for (std::int64_t i = full; i < 2 * full; ++i) add(i);
    });
    while (!begins) std::this_thread::yield();
    for (int i = 0; i < 20; ++i) EXPECT_TRUE(log->overlaps(kFirst, {0}, {1}));
    writer.join();
  }
}

TEST(port_watch, notes_the_time_in_which_a_port_lost_packets) {
  PortWatch watch;
  const auto at = [](std::int64_t looks) { return Timestamp{looks * PortWatch::kWaiting}; };
  look(watch, {port_of(0, 0)}, at(1));
  look(watch, {port_of(10, 0)}, at(2));
  look(watch, {port_of(20, 3)}, at(3));
  look(watch, {port_of(30, 3)}, at(4));
  const auto overlaps = [&](Timestamp first, Timestamp last) {
    return watch.losses().overlaps(kFirst, first, last);
  };
  EXPECT_FALSE(overlaps(at(1), {at(2).value - 1}));
  EXPECT_TRUE(overlaps({at(2).value + 1}, {at(2).value + 2}));
  EXPECT_TRUE(overlaps(at(4), at(5)));  // what waited in the ring
  EXPECT_FALSE(overlaps({at(4).value + 1}, at(5)));
}

TEST(port_watch, a_loss_is_that_of_its_port) {
  PortWatch watch;
  look(watch, {port_of(0, 0), port_of(0, 0)}, {kSecond});
  look(watch, {port_of(5, 0), port_of(5, 1)}, {2 * kSecond});
  EXPECT_FALSE(watch.losses().overlaps(port_set_of(0), {0}, {kHour}));
  EXPECT_TRUE(watch.losses().overlaps(port_set_of(1), {0}, {kHour}));
}

TEST(port_watch, tells_the_worst_beside_the_mean_and_begins_anew) {
  PortWatch watch;
  const auto at = [](std::int64_t looks) { return Timestamp{looks * PortWatch::kPeriod}; };
  look(watch, {port_of(0, 0)}, at(1));
  watch.take();
  look(watch, {port_of(100, 0)}, at(2));
  look(watch, {port_of(110, 8)}, at(3));
  look(watch, {port_of(120, 8)}, at(4));
  look(watch, {port_of(120, 8)}, at(5));
  const auto rates = watch.take();
  ASSERT_EQ(rates.size(), 1u);
  EXPECT_EQ(rates[0].taken_mean, 30u);
  EXPECT_EQ(rates[0].taken_worst, 100u);
  EXPECT_EQ(rates[0].lost_mean, 2u);
  EXPECT_EQ(rates[0].lost_worst, 8u);
  look(watch, {port_of(121, 8)}, at(6));
  EXPECT_EQ(watch.take()[0].taken_worst, 1u);
}

TEST(port_watch, what_is_told_of_100_ms_is_so_whenever_it_looks) {
  PortWatch watch;
  const auto at = [](std::int64_t ms) { return Timestamp{ms * kMillisecond}; };
  look(watch, {port_of(0, 0)}, at(1'000));
  watch.take();
  look(watch, {port_of(50, 0)}, at(1'050));  // woken by a signal
  look(watch, {port_of(100, 0)}, at(1'100));
  look(watch, {port_of(3'100, 300)}, at(4'100));  // 3 s behind
  const auto rates = watch.take();
  EXPECT_EQ(rates[0].taken_worst, 100u);
  EXPECT_EQ(rates[0].taken_mean, 100u);
  EXPECT_EQ(rates[0].lost_worst, 10u);
  EXPECT_EQ(rates[0].lost_mean, 10u);
}

TEST(port_watch, looks_at_the_end_however_short_ago_it_did) {
  PortWatch watch;
  look(watch, {port_of(0, 0)}, {kSecond});
  const Timestamp end = {kSecond + 30 * kMillisecond};
  watch.look_now({port_of(60, 6)}, end, end.value);
  EXPECT_TRUE(watch.losses().overlaps(kFirst, end, end));
  const auto rates = watch.take();
  EXPECT_EQ(rates[0].taken_worst, 60u);  // of 30 ms it is not known what 100 would have been
  EXPECT_EQ(rates[0].taken_mean, 60u);
  EXPECT_EQ(rates[0].lost_worst, 6u);
}

TEST(port_watch, a_loss_while_the_clock_is_set_back_is_noted) {
  PortWatch watch;
  watch.look({port_of(0, 0)}, {2 * kHour}, kSecond);
  watch.look({port_of(5, 1)}, {kHour}, 2 * kSecond);
  EXPECT_TRUE(watch.losses().overlaps(kFirst, {kHour}, {kHour}));
}

TEST(port_watch, a_loss_that_is_known_no_more_was_not_taken_back) {
  PortWatch watch;
  look(watch, {port_of(0, 0)}, {kSecond});
  look(watch, {port_of(50, 5)}, {kSecond + PortWatch::kPeriod});
  look(watch, {port_of(60, {})}, {kSecond + 2 * PortWatch::kPeriod});  // the device is gone
  const auto rates = watch.take();
  EXPECT_EQ(rates[0].lost_worst, 5u);
  EXPECT_EQ(rates[0].lost_mean, 3u);
}

TEST(port_watch, an_unknown_loss_is_none_that_was_noted) {
  PortWatch watch;
  look(watch, {port_of(0, {})}, {kSecond});
  look(watch, {port_of(5, {})}, {2 * kSecond});
  EXPECT_FALSE(watch.losses().overlaps(kAllPorts, {0}, {kHour}));
}

}  // namespace
}  // namespace linger
