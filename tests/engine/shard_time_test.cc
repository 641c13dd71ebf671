// Live, time passes while no packet comes.
#include <gtest/gtest.h>

#include "output/uri.h"
#include "tests/support/polled_shard.h"
#include "tests/support/temporary_folder.h"

namespace linger::test {
namespace {

// UDP sessions that all end at once, told through a small ring.
class MassExpiry {
 public:
  static constexpr std::uint16_t kSessions = 2'000;

  explicit MassExpiry(int outputs = 1) {
    settings_.maxStreams = 10'000;
    for (std::uint16_t port = 1; port <= kSessions; ++port)
      queue_.add(
          PacketBuilder().ethernet().ip("192.0.2.1", "198.51.100.2").udp(port, 53).frame(at(0)));
    for (int i = 0; i < outputs; ++i) {
      outputs_.push_back(std::make_unique<Output>(
          *parse_output_uri("file:" + folder_.file(std::to_string(i))),
          OutputOptions{
              .shard_count = 1, .ring_capacity = 64, .run = {}, .writer = {.is_live = true}}));
      EXPECT_TRUE(outputs_.back()->open());
    }
    shard_ = std::make_unique<Shard>(0, settings_, Seeds{make_hash_seed(1), make_hash_seed(2)},
                                     handoff_, outputs_, false);
    shard_->attach(queue_);
    while (shard_->sessions() < kSessions) shard_->poll();
    now_ = at(40 * kSecond);
  }

  Output& output(std::size_t index = 0) { return *outputs_[index]; }
  Shard& shard() { return *shard_; }
  void pass(DurationNs time) { now_ += time; }

 private:
  TemporaryFolder folder_;
  Settings settings_;
  ClockNs now_ = at(0);
  Queue queue_{now_};
  Handoff handoff_{Shares::equal(1), 64};
  std::vector<std::unique_ptr<Output>> outputs_;
  std::unique_ptr<Shard> shard_;
};

TEST(shard_time, sessions_that_end_all_at_once_wait_for_room_in_the_outputs) {
  MassExpiry expiry;
  expiry.output().start();
  while (expiry.shard().sessions() != 0) expiry.shard().poll();
  expiry.output().finish();
  EXPECT_EQ(expiry.output().totals().written, MassExpiry::kSessions);
}

TEST(shard_time, sessions_that_are_due_do_not_wait_for_an_output_that_takes_nothing) {
  MassExpiry expiry;
  DurationNs time = 0;
  for (; expiry.shard().sessions() != 0 && time < kMinute; time += kMillisecond) {
    expiry.shard().poll();
    expiry.pass(kMillisecond);
  }
  EXPECT_GT(time, kSecond);
  EXPECT_LT(time, 10 * kSecond);
  expiry.output().start();
  expiry.output().finish();
  const OutputTotals totals = expiry.output().totals();
  EXPECT_EQ(totals.handed, totals.written + totals.dropped_in_all());
  EXPECT_GE(totals.written, 64u);
}

TEST(shard_time, an_output_that_takes_nothing_costs_its_own_records_only) {
  MassExpiry expiry(2);
  expiry.output(0).start();
  for (DurationNs time = 0; time < 6 * kSecond;) {
    const bool is_full = expiry.output(1).room(0) < 4;
    if (is_full) expiry.pass(kMillisecond);
    if (is_full) time += kMillisecond;
    expiry.shard().poll();
  }
  while (expiry.shard().sessions() != 0) expiry.shard().poll();
  expiry.output(0).finish();
  EXPECT_EQ(expiry.output(0).totals().written, MassExpiry::kSessions);
  expiry.output(1).start();
  expiry.output(1).finish();
  EXPECT_LT(expiry.output(1).totals().written, MassExpiry::kSessions);
}

TEST(shard_time, a_quiet_link_expires_on_time) {
  Frames frames;
  TcpPeers(frames, {"192.0.2.1", 30'000}, {"198.51.100.2", 80}).handshake(at(0));
  frames.push_back(PacketBuilder()
                       .ethernet()
                       .ip("192.0.2.1", "198.51.100.2")
                       .udp(1, 53)
                       .payload("?")
                       .frame(at(kSecond)));
  ClockNs now = at(0);
  Queue queue(now);
  for (const Frame& frame : frames) queue.add(frame);
  PolledShard shard({&queue});
  for (; now < at(29 * kSecond); now += kSecond) shard->poll();
  EXPECT_EQ(shard->sessions(), 2u);
  for (; now < at(34 * kSecond); now += kSecond) shard->poll();
  EXPECT_EQ(shard->sessions(), 1u);
  EXPECT_EQ(shard->counters().table.ended_idle.value(), 1u);
}

// The run stood still for minutes.
TEST(shard_time, a_quiet_port_does_not_end_what_another_one_has_more_packets_of) {
  constexpr int kPackets = kBurstMax + 60;  // one a second
  const ClockNs now = at(kPackets * kSecond);
  Queue busy(now);
  Queue quiet(now, 1);
  for (int i = 0; i < kPackets; ++i)
    busy.add(
        PacketBuilder().ethernet().ip("192.0.2.1", "192.0.2.2").udp(1, 53).frame(at(i * kSecond)));
  PolledShard shard({&busy, &quiet});
  for (int poll = 0; poll < 10; ++poll) shard->poll();
  EXPECT_EQ(shard->counters().table.packets.value(), kPackets);
  EXPECT_EQ(shard->counters().table.opened.value(), 1u);
}

}  // namespace
}  // namespace linger::test
