// The DPDK port against cards that answer as drivers do.
#include <gtest/gtest.h>
#include <rte_lcore.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <set>
#include <thread>

#include "engine/base/rss.h"
#include "engine/ledger.h"
#include "engine/live.h"
#include "engine/shard.h"
#include "engine/source/dpdk_eal.h"
#include "engine/source/dpdk_port.h"
#include "engine/source/tick_clock.h"
#include "tests/dpdk/fake_nic.h"

namespace linger::test {
namespace {

constexpr unsigned kSessions = 60;

// TCP and UDP, IPv4 and IPv6, both directions.
Frames conversations() {
  Frames frames;
  for (unsigned i = 0; i < kSessions; ++i) {
    const auto port = static_cast<std::uint16_t>(30'000 + i * 7);
    const Endpoint client =
        i % 2 == 0 ? Endpoint{"192.0.2.1", port} : Endpoint{"2001:db8::1", port};
    const Endpoint server =
        i % 2 == 0 ? Endpoint{"198.51.100.2", 80} : Endpoint{"2001:db8:7::2", 80};
    TcpPeers tcp(frames, client, server, 1'000 * i);
    tcp.handshake(at(0));
    tcp.data(Side::client, "ping", at(kMillisecond));
    tcp.data(Side::server, "pong", at(2 * kMillisecond));
    tcp.close(Side::client, at(3 * kMillisecond));
  }
  sort_by_time(frames);
  return frames;
}

struct Seen {
  Ledger ledger;
  std::vector<std::string> notes;
  std::vector<std::uint32_t> queues;  // that each frame came through
};

// Two shards on one card.
Seen run(FakeNic& nic, const Frames& frames, std::size_t segment_bytes = 2'000,
         const std::string& bpf = {}) {
  Settings settings;
  settings.maxStreams = 4'000;
  settings.maxPacketsInQueue = 2'048;
  auto port = open_dpdk_port(nic.name, {.queue_count = FakeNic::kQueues,
                                        .descriptors = 512,
                                        .handoff_packets = settings.maxPacketsInQueue,
                                        .bpf = bpf});
  if (!port) throw std::runtime_error(port.error());
  if (auto started = (*port)->start(); !started) throw std::runtime_error(started.error());

  Handoff handoff(Shares::equal(FakeNic::kQueues), settings.maxPacketsInQueue);
  if ((*port)->steers_to_owners()) handoff.follow_cards();
  std::vector<std::unique_ptr<Output>> outputs;
  std::vector<std::unique_ptr<Shard>> shards;
  for (std::uint32_t i = 0; i < FakeNic::kQueues; ++i) {
    const Seeds seeds{make_hash_seed(7), make_hash_seed(1)};
    shards.push_back(std::make_unique<Shard>(i, settings, seeds, handoff, outputs, false));
    shards.back()->attach((*port)->queue(i));
  }
  Seen seen;
  for (const Frame& frame : frames) {
    seen.queues.push_back(nic.queue_of(frame));
    nic.receive(frame, 0, segment_bytes);
    for (auto& shard : shards) shard->poll();
  }
  for (auto& shard : shards) shard->stop(Ending::end_of_input);
  for (std::size_t done = 0; done < shards.size();) {
    done = 0;
    for (auto& shard : shards) done += shard->poll() == Shard::Progress::done;
  }
  seen.ledger = make_ledger(shards, outputs, settings.maxStreams);
  seen.ledger.ports.push_back((*port)->totals());
  seen.notes = (*port)->notes();
  return seen;
}

class DpdkPort : public testing::Test {
 protected:
  void SetUp() override {
    const std::string why = start_test_eal();
    if (!why.empty()) GTEST_SKIP() << why;
  }
};

void expect_whole_sessions(const Seen& seen, const Frames& frames) {
  EXPECT_EQ(seen.ledger.opened, kSessions);
  EXPECT_EQ(seen.ledger.ended_closed, kSessions);
  EXPECT_EQ(seen.ledger.packets, frames.size());
  EXPECT_TRUE(seen.ledger.residues().empty());
  EXPECT_EQ(std::set(seen.queues.begin(), seen.queues.end()).size(), 2u);
}

TEST_F(DpdkPort, packets_arrive_at_their_owner_where_the_card_takes_a_key) {
  const Frames frames = conversations();
  for (const FakeCard& card : {ice_like(), mlx5_like()}) {
    FakeNic nic(card);
    const Seen seen = run(nic, frames);
    expect_whole_sessions(seen, frames);
    EXPECT_EQ(seen.ledger.handed_over, 0u) << card.driver;
    EXPECT_TRUE(nic.symmetric_types.empty());
  }
}

TEST_F(DpdkPort, directions_stay_together_where_only_the_flow_api_is_symmetric) {
  const Frames frames = conversations();
  FakeNic nic(symmetric_only());
  const Seen seen = run(nic, frames);
  expect_whole_sessions(seen, frames);
  EXPECT_EQ(nic.symmetric_types.size(), 6u);
  EXPECT_EQ(seen.ledger.directions_apart, 0u);
  EXPECT_GT(seen.ledger.handed_others, 0u);
}

TEST_F(DpdkPort, directions_stay_together_where_only_the_key_is_ours) {
  const Frames frames = conversations();
  FakeCard card = ice_like();
  card.table_entries = 64;
  card.has_symmetric_flow = false;
  FakeNic nic(card);
  const Seen seen = run(nic, frames);
  expect_whole_sessions(seen, frames);
  EXPECT_EQ(seen.ledger.directions_apart, 0u);
  for (const std::string& note : seen.notes) EXPECT_EQ(note.find("apart"), std::string::npos);
}

TEST_F(DpdkPort, sessions_stay_whole_whatever_a_card_does) {
  const Frames frames = conversations();
  for (const FakeCard& card : {fixed_key(), refuses_all()}) {
    FakeNic nic(card);
    const Seen seen = run(nic, frames);
    expect_whole_sessions(seen, frames);
    EXPECT_EQ(seen.ledger.handed_others, seen.ledger.handed_over);
    EXPECT_GT(seen.ledger.handed_over, frames.size() / 4);
    EXPECT_GE(seen.notes.size(), 1u);
  }
}

TEST_F(DpdkPort, frames_in_segments_are_told_whole_wherever_they_are_handed_to) {
  const Frames frames = conversations();
  for (const FakeCard& card : {ice_like(), fixed_key()}) {
    FakeNic nic(card);
    const Seen seen = run(nic, frames, 40);
    expect_whole_sessions(seen, frames);
    EXPECT_EQ(seen.ledger.ports[0].sum.cut, 0u);
    EXPECT_EQ(seen.ledger.bad_tcp_checksums, 0u);
  }
}

TEST_F(DpdkPort, a_filter_keeps_packets_out_and_counts_them) {
  const Frames frames = conversations();
  FakeNic nic(ice_like());
  const Seen seen = run(nic, frames, 2'000, "ip6");
  EXPECT_EQ(seen.ledger.opened, kSessions / 2);
  EXPECT_EQ(seen.ledger.ports[0].sum.filtered, frames.size() / 2);
  EXPECT_TRUE(seen.ledger.residues().empty());
}

TEST_F(DpdkPort, what_a_card_cannot_do_is_said_in_a_sentence_each) {
  FakeNic nic(refuses_all());
  const Seen seen = run(nic, {});
  std::string all;
  for (const std::string& note : seen.notes) all += note + '\n';
  EXPECT_NE(all.find("promiscuous"), std::string::npos) << all;
  EXPECT_NE(all.find("does not spread"), std::string::npos) << all;
}

TEST_F(DpdkPort, what_the_card_missed_is_lost) {
  const Frames frames = conversations();
  FakeNic nic(ice_like());
  nic.missed = 5;
  const Seen seen = run(nic, frames);
  EXPECT_EQ(seen.ledger.packets_lost(), 5u);
  EXPECT_EQ(seen.ledger.ports[0].sum.received, frames.size() + 5);
  EXPECT_TRUE(seen.ledger.residues().empty());
}

TEST_F(DpdkPort, what_a_driver_never_counts_as_missed_is_unknown) {
  for (const char* driver : {"net_ixgbe_vf", "net_mlx4", "net_gve"}) {
    FakeCard card = ice_like();
    card.driver = driver;
    FakeNic nic(card);
    const Seen seen = run(nic, {});
    EXPECT_FALSE(seen.ledger.ports[0].sum.lost) << driver;
    EXPECT_FALSE(seen.ledger.ports[0].sum.received) << driver;
  }
}

TEST_F(DpdkPort, its_ledger_is_exact_to_a_burst_for_each_queue_while_packets_come) {
  FakeNic nic(ice_like());
  nic.missed = 3;
  auto port = open_dpdk_port(nic.name, {.queue_count = FakeNic::kQueues, .descriptors = 512});
  ASSERT_TRUE(port) << port.error();
  ASSERT_TRUE((*port)->start());
  std::atomic<bool> is_over{false};
  std::vector<std::thread> shards;
  for (std::uint32_t i = 0; i < FakeNic::kQueues; ++i)
    shards.emplace_back([&, i] {
      const auto burst = std::make_unique<Burst>();
      while (!is_over.load(std::memory_order_relaxed))
        if ((*port)->queue(i).rx(*burst) == RxStatus::idle) std::this_thread::yield();
    });
  const Frames frames = conversations();
  constexpr std::int64_t kWithin = FakeNic::kQueues * kBurstMax;
  std::uint64_t sent = 0;
  std::uint64_t moving = 0;  // looks at which packets were on their way
  PortCounts counts;
  for (int look = 0; look < 200; ++look) {
    for (; sent < counts.taken + 300; ++sent) nic.receive(frames[sent % frames.size()]);
    counts = (*port)->totals().sum;
    const auto accounted = static_cast<std::int64_t>(counts.taken + *counts.lost);
    ASSERT_LE(std::abs(static_cast<std::int64_t>(*counts.received) - accounted), kWithin);
    moving += counts.taken < sent ? 1 : 0;
  }
  while (counts.taken < sent) counts = (*port)->totals().sum;
  is_over = true;
  for (std::thread& shard : shards) shard.join();
  EXPECT_EQ(*(*port)->totals().sum.received, sent + 3);
  EXPECT_GT(moving, 0u);
}

// A card of 250 MHz, whose clock began at some time and gains a thousandth, for as long as the
// shard takes to know it and a while longer; packets come kLate after their time. `skew` is between
// the clock that stamps and the one that is read. How far each packet's time was off.
constexpr DurationNs kLate = 50 * kMillisecond;

std::vector<DurationNs> errors_of(FakeNic& nic, LivePort& port, std::uint64_t skew) {
  const std::int64_t first = system_time().value;
  const auto ticks_at = [first](std::int64_t time) {
    return 77'000'000'000u + static_cast<std::uint64_t>(time - first) * 1'001 / 4'000;
  };
  nic.clock = [&] { return ticks_at(system_time().value); };
  const Frame frame = conversations().front();
  Source& queue = port.queue(nic.queue_of(frame));
  auto burst = std::make_unique<Burst>();
  std::vector<DurationNs> errors;
  for (std::int64_t now = first; now < first + 600 * kMillisecond; now = system_time().value) {
    nic.receive(frame, ticks_at(now - kLate) + skew);
    queue.rx(*burst);
    for (std::uint32_t i = 0; i < burst->count && now > first + 300 * kMillisecond; ++i)
      errors.push_back(std::abs(burst->packets[i].timestamp.value - (now - kLate)));
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  nic.clock = {};
  std::sort(errors.begin(), errors.end());
  return errors;
}

TEST_F(DpdkPort, packets_have_the_time_of_the_cards_clock_whatever_its_rate_and_epoch) {
  FakeNic nic(mlx5_like());
  auto port = open_dpdk_port(nic.name, {.queue_count = FakeNic::kQueues, .descriptors = 512});
  ASSERT_TRUE(port) << port.error();
  ASSERT_TRUE((*port)->start());
  const std::vector<DurationNs> errors = errors_of(nic, **port, 0);
  ASSERT_FALSE(errors.empty());
  EXPECT_LT(errors[errors.size() / 2], kLate / 5);
  (*port)->totals();
  EXPECT_TRUE((*port)->notes().empty()) << (*port)->notes().front();
}

TEST_F(DpdkPort, a_card_whose_times_are_seconds_off_is_not_believed_and_that_is_said) {
  FakeNic nic(mlx5_like());
  auto port = open_dpdk_port(nic.name, {.queue_count = FakeNic::kQueues, .descriptors = 512});
  ASSERT_TRUE(port) << port.error();
  ASSERT_TRUE((*port)->start());
  const std::vector<DurationNs> errors = errors_of(nic, **port, 5 * 250'000'000);
  ASSERT_FALSE(errors.empty());
  EXPECT_GE(errors[errors.size() / 2], kLate);  // the time of the burst
  EXPECT_LT(errors[errors.size() / 2], kSecond);
  (*port)->totals();  // looks after such things
  std::string all;
  for (const std::string& note : (*port)->notes()) all += note + '\n';
  EXPECT_NE(all.find("clock"), std::string::npos) << all;
}

TEST_F(DpdkPort, too_few_queues_are_an_error_with_the_mend) {
  FakeNic nic(ice_like());
  const auto port = open_dpdk_port(nic.name, {.queue_count = 99});
  ASSERT_FALSE(port);
  EXPECT_NE(port.error().find("set packetThreads to"), std::string::npos) << port.error();
}

TEST_F(DpdkPort, its_packet_buffers_are_of_its_numa_node) {
  FakeCard far = ice_like();
  far.node = 1;  // without huge pages DPDK has memory of node 0 only
  FakeNic nic(far);
  const auto port = open_dpdk_port(nic.name, {.queue_count = 2, .descriptors = 512});
  ASSERT_FALSE(port);
  EXPECT_NE(port.error().find("NUMA node 1"), std::string::npos) << port.error();
}

TEST_F(DpdkPort, a_thread_is_one_lcore_of_the_eal_whatever_it_receives_from) {
  std::set<unsigned> lcores;
  for (int i = 0; i < 2; ++i) {
    FakeNic nic(ice_like());
    run(nic, {});
    lcores.insert(rte_lcore_count());
  }
  EXPECT_EQ(lcores.size(), 1u);
}

TEST(dpdk_port, its_pool_holds_what_other_shards_have_taken_out_of_their_rings_too) {
  Settings settings;
  settings.packetThreads = 8;
  settings.maxPacketsInQueue = 128;
  settings.dpdkHugePages = false;  // a page for each
  const std::uint64_t others = 8 * (settings.maxPacketsInQueue + kBurstMax);
  const std::uint64_t each = settings.rxDescriptors + others * 4 / 3;
  EXPECT_GE(dpdk_port_memory_needed(settings) / 4'096, 8 * each);
}

TEST_F(DpdkPort, too_few_mbufs_are_an_error_with_the_mend) {
  FakeNic nic(ice_like());
  const auto port = open_dpdk_port(nic.name, {.queue_count = 2, .mbufs = 100});
  ASSERT_FALSE(port);
  EXPECT_NE(port.error().find("dpdkMbufs"), std::string::npos) << port.error();
}

TEST(rss, computes_what_cards_do) {
  std::vector<std::uint8_t> key(40);
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = kRssKey[i % 2];
  for (std::uint32_t word = 0; word < 65'536; word += 257) {
    const auto high = static_cast<std::uint8_t>(word >> 8);
    const auto low = static_cast<std::uint8_t>(word);
    EXPECT_EQ(rss_bucket_of_word(static_cast<std::uint16_t>(word)),
              toeplitz(key, {high, low}) % kRssBuckets);
    EXPECT_EQ(toeplitz(key, {1, 2, high, low}), toeplitz(key, {high, low, 1, 2}));
  }
}

TEST(rss, spreads_one_client_and_one_server_evenly) {
  FlowKey key;
  key.protocol = kProtocolTcp;
  std::array<int, 4> shards{};
  for (std::uint32_t port = 1'024; port < 65'536; ++port) {
    key.port[0] = static_cast<std::uint16_t>(port);
    ++shards[rss_bucket(key) % 4];
  }
  for (const int count : shards) EXPECT_NEAR(count, 64'512 / 4, 64'512 / 40);
}

constexpr std::int64_t kNow = 1'704'067'200 * kSecond;

TEST(tick_clock, follows_any_rate_epoch_and_drift) {
  TickClock clock;
  std::uint64_t ticks = 77'000'000;
  std::int64_t now = kNow;
  for (int i = 0; i < 100; ++i) {
    clock.compare(ticks, {now});
    now += 100 * kMillisecond;
    ticks += 15'625'000 + static_cast<std::uint64_t>(i) * 10;  // 156.25 MHz, getting faster
    if (i < 2) continue;
    const auto time = clock.time_of(ticks, {now});
    ASSERT_TRUE(time) << i;
    EXPECT_NEAR(static_cast<double>(time->value - now), 0, 1e5) << i;
  }
  EXPECT_TRUE(clock.is_trusted());
}

TEST(tick_clock, knows_nothing_before_it_has_compared_twice) {
  TickClock clock;
  EXPECT_FALSE(clock.time_of(5, {kNow}));
  clock.compare(5, {kNow});
  EXPECT_FALSE(clock.time_of(5, {kNow}));
  EXPECT_TRUE(clock.is_trusted());
}

TEST(tick_clock, is_not_believed_again_after_a_step_of_more_than_a_second) {
  TickClock clock;
  for (int i = 0; i < 10; ++i)
    clock.compare(static_cast<std::uint64_t>(i) * 100'000'000, {kNow + i * 100 * kMillisecond});
  EXPECT_TRUE(clock.time_of(950'000'000, {kNow + 950 * kMillisecond}));
  EXPECT_FALSE(clock.time_of(3'000'000'000, {kNow + 950 * kMillisecond}));
  EXPECT_FALSE(clock.is_trusted());
}

TEST(tick_clock, is_compared_at_once_when_the_systems_clock_is_set_back) {
  TickClock clock;
  clock.compare(0, {kNow});
  EXPECT_FALSE(clock.is_due({kNow + TickClock::kPeriod - 1}));
  EXPECT_TRUE(clock.is_due({kNow + TickClock::kPeriod}));
  EXPECT_TRUE(clock.is_due({kNow - kHour}));
}

TEST(tick_clock, that_cannot_be_read_is_asked_again_after_a_period) {
  TickClock clock;
  clock.miss({kNow});
  EXPECT_FALSE(clock.is_due({kNow + TickClock::kPeriod - 1}));
  EXPECT_TRUE(clock.is_due({kNow + TickClock::kPeriod}));
}

TEST(tick_clock, is_not_believed_when_it_stands_still) {
  TickClock clock;
  clock.compare(5, {kNow});
  clock.compare(5, {kNow + 100 * kMillisecond});
  EXPECT_FALSE(clock.is_trusted());
}

TEST(dpdk_eal, tells_pci_devices_from_virtual_ones) {
  for (const char* pci : {"0000:3b:00.0", "3b:00.1", "0000:3b:00.0,option=1", "pci:0000:3b:00.0"})
    EXPECT_TRUE(is_pci_device(pci)) << pci;
  for (const char* other : {"net_ring0", "net_memif,role=client", "", "0000", "eth_af_packet0"})
    EXPECT_FALSE(is_pci_device(other)) << other;
}

}  // namespace
}  // namespace linger::test
