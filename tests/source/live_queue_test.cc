#include "engine/source/live_queue.h"

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <utility>
#include <vector>

namespace linger {
namespace {

constexpr std::int64_t kStart = 1'704'067'200 * kSecond;

class TestQueue final : public LiveQueue {
 public:
  using LiveQueue::LiveQueue;

  std::deque<std::vector<std::int64_t>> arrivals;  // timestamps, a burst each
  PacketBuffer buffer;
  bool refuses = false;
  bool is_endless = false;
  DurationNs away = 0;  // the next receive() finds nothing, and is so long about it

 private:
  std::uint32_t receive(Packet* packets, std::uint32_t) noexcept override {
    if (away != 0) {
      const std::int64_t back = monotonic_ns() + std::exchange(away, 0);
      while (monotonic_ns() < back) {
      }
      return 0;
    }
    if (is_endless) arrivals.push_back({kStart});
    if (arrivals.empty()) return 0;
    std::uint32_t count = 0;
    for (const std::int64_t time : arrivals.front()) {
      packets[count].timestamp = {time};
      packets[count++].buffer = &buffer;
    }
    arrivals.pop_front();
    return count;
  }
  void refuse_more() noexcept override { refuses = true; }
};

struct LiveQueueTest : testing::Test {
  std::unique_ptr<Burst> burst = std::make_unique<Burst>();
};

TEST_F(LiveQueueTest, an_empty_poll_moves_the_clock_to_now) {
  TestQueue queue(LiveQueueOptions{});
  const std::int64_t before = system_time().value;
  EXPECT_EQ(queue.rx(*burst), RxStatus::idle);
  EXPECT_GE(burst->clock, before);
  EXPECT_LE(burst->clock, system_time().value);
}

TEST_F(LiveQueueTest, an_empty_poll_tells_no_time_of_which_packets_may_still_come) {
  TestQueue queue({.behind = kMinute});
  EXPECT_EQ(queue.rx(*burst), RxStatus::idle);
  const std::int64_t time = system_time().value - kSecond;
  queue.arrivals = {{time, time + 1}};
  EXPECT_EQ(queue.rx(*burst), RxStatus::packets);
  EXPECT_EQ(burst->packets[0].clock, time);
  EXPECT_EQ(burst->packets[1].clock, time + 1);
}

TEST_F(LiveQueueTest, a_recorded_queue_knows_the_time_of_its_packets_only) {
  TestQueue queue({.is_recorded = true});
  queue.arrivals = {{kStart, kStart + 5}};
  EXPECT_EQ(queue.rx(*burst), RxStatus::packets);
  EXPECT_EQ(queue.rx(*burst), RxStatus::idle);
  EXPECT_EQ(burst->clock, kStart + 5);
}

TEST_F(LiveQueueTest, a_packet_that_steps_in_time_waits_for_the_next_and_keeps_its_buffer) {
  TestQueue queue({.is_recorded = true});
  const std::int64_t later = kStart + 5 * kHour;
  queue.arrivals = {{kStart, later}, {later + 1}};
  EXPECT_EQ(queue.rx(*burst), RxStatus::packets);
  EXPECT_EQ(burst->count, 1u);
  EXPECT_EQ(queue.buffer.users, 1u);
  EXPECT_EQ(queue.rx(*burst), RxStatus::packets);
  ASSERT_EQ(burst->count, 2u);
  EXPECT_EQ(burst->packets[0].clock, later);
  EXPECT_EQ(queue.buffer.users, 1u);
  EXPECT_EQ(queue.rx(*burst), RxStatus::idle);
  EXPECT_EQ(queue.buffer.users, 0u);
}

TEST_F(LiveQueueTest, a_step_that_nothing_confirms_is_no_time) {
  TestQueue queue({.is_recorded = true});
  queue.arrivals = {{kStart, kStart + 5 * kHour}};
  queue.rx(*burst);
  EXPECT_EQ(queue.rx(*burst), RxStatus::packets);
  ASSERT_EQ(burst->count, 1u);
  EXPECT_EQ(burst->packets[0].clock, kStart);
}

TEST_F(LiveQueueTest, draining_takes_what_had_arrived_and_ends) {
  TestQueue queue(LiveQueueOptions{});
  queue.arrivals = {{kStart}, {kStart + 1}};
  EXPECT_TRUE(queue.drain());
  EXPECT_TRUE(queue.refuses);
  EXPECT_EQ(queue.rx(*burst), RxStatus::packets);
  EXPECT_EQ(queue.rx(*burst), RxStatus::packets);
  EXPECT_EQ(queue.rx(*burst), RxStatus::end);
  EXPECT_EQ(queue.counters().taken.value(), 2u);
}

TEST_F(LiveQueueTest, draining_gives_out_the_packet_that_waits_for_the_next) {
  TestQueue queue({.is_recorded = true});
  queue.arrivals = {{kStart, kStart + 5 * kHour}};
  EXPECT_TRUE(queue.drain());
  EXPECT_EQ(queue.rx(*burst), RxStatus::packets);
  EXPECT_EQ(queue.rx(*burst), RxStatus::packets);
  EXPECT_EQ(burst->count, 1u);
  EXPECT_EQ(queue.rx(*burst), RxStatus::end);
}

TEST_F(LiveQueueTest, a_thread_that_was_put_aside_while_draining_looks_once_more) {
  TestQueue queue({.drain_pause = kMillisecond, .is_recorded = true});
  queue.arrivals = {{kStart}};  // as it looked
  queue.away = 2 * kMillisecond;
  EXPECT_TRUE(queue.drain());
  EXPECT_EQ(queue.rx(*burst), RxStatus::idle);
  EXPECT_EQ(queue.rx(*burst), RxStatus::packets);
}

TEST_F(LiveQueueTest, draining_a_device_that_never_pauses_ends_all_the_same) {
  TestQueue queue({.drain_pause = kMillisecond, .drain_max = kMillisecond});
  queue.is_endless = true;
  EXPECT_TRUE(queue.drain());
  while (queue.rx(*burst) == RxStatus::packets) {
  }
  EXPECT_EQ(queue.rx(*burst), RxStatus::end);
}

TEST_F(LiveQueueTest, a_device_that_is_gone_ends_it_after_what_it_left) {
  TestQueue queue({.is_recorded = true});
  EXPECT_EQ(queue.rx(*burst), RxStatus::idle);
  queue.arrivals = {{kStart}};
  queue.lose_device();
  EXPECT_EQ(queue.rx(*burst), RxStatus::packets);
  EXPECT_FALSE(queue.has_lost_device());
  EXPECT_EQ(queue.rx(*burst), RxStatus::end);
  EXPECT_TRUE(queue.has_lost_device());
}

class PaceTest : public testing::Test {
 protected:
  Timestamp ask(std::uint32_t place) {
    const Timestamp before = system_time();
    while (system_time() == before) {
    }
    return pace.now(place);
  }
  Pace pace;
  const std::uint32_t first = pace.take_place();
  const std::uint32_t second = pace.take_place();
};

TEST_F(PaceTest, the_queues_of_a_shard_have_one_time_in_each_poll) {
  Timestamp before;
  for (int poll = 0; poll < 3; ++poll) {
    const Timestamp time = ask(first);
    EXPECT_GT(time, before);
    EXPECT_EQ(ask(second), time);
    before = time;
  }
  EXPECT_GT(ask(second), before);  // the first has ended
}

TEST_F(PaceTest, so_they_have_after_one_was_left_out_of_a_poll) {
  for (const std::uint32_t left : {first, second}) {
    const Timestamp alone = ask(left == first ? second : first);
    const Timestamp time = ask(first);
    EXPECT_GT(time, alone);
    EXPECT_EQ(ask(second), time);
  }
}

TEST_F(LiveQueueTest, one_that_was_asked_to_end_has_lost_no_device) {
  TestQueue queue(LiveQueueOptions{});
  queue.drain();
  EXPECT_EQ(queue.rx(*burst), RxStatus::end);
  EXPECT_FALSE(queue.has_lost_device());
}

}  // namespace
}  // namespace linger
