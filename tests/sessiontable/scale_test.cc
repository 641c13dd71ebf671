// The session table on its worst days, at a hundredth of the rates of bench/: every session is
// recorded once, in time, whatever comes late and however small the table is.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <optional>
#include <thread>
#include <vector>

#include "sessiontable/session_reader.h"
#include "sessiontable/session_table.h"

namespace linger {
namespace {

#if defined(LINGER_IS_SANITIZED)
constexpr bool kIsSanitized = true;
constexpr std::uint32_t kMillion = 50'000;
#else
constexpr bool kIsSanitized = false;
constexpr std::uint32_t kMillion = 1'000'000;
#endif
constexpr ClockNs kStart = 1'704'067'200 * kSecond;

struct CountingSink : SessionSink {
  std::uint64_t ends = 0, lates = 0, floods = 0, flood_sessions = 0;
  std::uint64_t packets = 0;  // told in end, late and flood records
  std::map<Ending, std::uint64_t> endings;
  DurationNs overdue_max = 0;  // how late a record came
  ClockNs now = 0;
  std::uint64_t continued = 0;

  void on_session(const SessionView& view) noexcept override {
    if (view.is_interim) return;
    ++ends;
    ++endings[view.ending];
    packets += view.session.hot.packets[0] + view.session.hot.packets[1];
    if (view.extension != nullptr && view.extension->link == Link::continues) ++continued;
    if (view.ending == Ending::closed)
      overdue_max = std::max(overdue_max, now - view.session.hot.last_clock - 5 * kSecond);
  }
  void on_late(const LateBlock& block, const Id128&) noexcept override {
    ++lates;
    packets += block.counts.total();
  }
  void on_flood(const FloodSecond& flood) noexcept override {
    ++floods;
    flood_sessions += flood.sessions;
    packets += flood.packets;
  }
};

enum class Side : std::uint8_t { client, server };

constexpr std::uint32_t kSaid = 10;  // bytes that each side says

// A session by its number: addresses, ports and numbers follow from it. The client is side 0.
struct Flow {
  std::uint32_t number;
  std::uint32_t client_isn = number * 7919 + 1;
  std::uint32_t server_isn = number * 104'729 + 5;

  FlowKey key() const {
    FlowKey k;
    k.ip_version = 4;
    k.protocol = kProtocolTcp;
    k.address[0].bytes = {10, static_cast<std::uint8_t>(number >> 16),
                          static_cast<std::uint8_t>(number >> 8),
                          static_cast<std::uint8_t>(number)};
    k.address[1].bytes = {192, 0, 2, 1};
    k.port = {static_cast<std::uint16_t>(1024 + (number >> 24)), 80};
    return k;
  }
};

// One table and what it says.
class Table {
 public:
  explicit Table(const std::function<void(Settings&)>& change = [](Settings&) {}) {
    settings.maxStreams = 4'000'000;
    settings.hashSeed = 1;
    change(settings);
    decode.seed = make_hash_seed(1);
    table.emplace(settings, decode, make_hash_seed(2), counters, sink);
  }

  void see(const Flow& flow, Side side, std::uint8_t flags, ClockNs clock, std::uint32_t sequence,
           std::uint32_t acknowledgment, std::uint32_t payload = 0) {
    if (burst.count == kBurstMax) flush();
    Packet& p = burst.packets[burst.count++];
    p = Packet{};
    p.verdict = Verdict::session;
    p.key = flow.key();
    p.hash = hash_of(p.key, decode.seed);
    p.direction = static_cast<std::uint8_t>(side);
    p.clock = clock;
    p.timestamp = {clock};
    p.wire_bytes = 60 + payload;
    p.payload_bytes = payload;
    p.mac_offset = Packet::kNoMac;
    p.tcp = {
        .sequence = sequence, .acknowledgment = acknowledgment, .window = 1000, .flags = flags};
    ++packets;
  }
  void flush() {
    if (burst.count != 0) sink.now = burst.packets[burst.count - 1].clock;
    table->track(burst);
    burst.count = 0;
  }
  void open(const Flow& f, ClockNs t) {
    see(f, Side::client, kTcpSyn, t, f.client_isn, 0);
    see(f, Side::server, kTcpSyn | kTcpAck, t + 1, f.server_isn, f.client_isn + 1);
    see(f, Side::client, kTcpAck, t + 2, f.client_isn + 1, f.server_isn + 1);
  }
  void talk(const Flow& f, ClockNs t) {
    see(f, Side::client, kTcpAck | kTcpPsh, t, f.client_isn + 1, f.server_isn + 1, kSaid);
    see(f, Side::server, kTcpAck | kTcpPsh, t, f.server_isn + 1, f.client_isn + 1 + kSaid, kSaid);
  }
  void close(const Flow& f, ClockNs t) {
    const std::uint32_t client = f.client_isn + 1 + kSaid;
    const std::uint32_t server = f.server_isn + 1 + kSaid;
    see(f, Side::client, kTcpFin | kTcpAck, t, client, server);
    see(f, Side::server, kTcpFin | kTcpAck, t + 1, server, client + 1);
    see(f, Side::client, kTcpAck, t + 2, client + 1, server + 1);
  }
  void finish() {
    flush();
    table->finish(Ending::end_of_input);
  }
  void expect_all_told() {
    EXPECT_EQ(sink.packets, packets);
    EXPECT_EQ(sink.ends + sink.flood_sessions, counters.opened.value());
  }

  Settings settings;
  DecodeSettings decode;
  TableCounters counters;
  CountingSink sink;
  std::optional<SessionTable> table;
  Burst burst;
  std::uint64_t packets = 0;
};

TEST(scale, a_million_closes_are_each_recorded_within_a_second_of_their_moment) {
  Table t;
  for (std::uint32_t i = 0; i < kMillion; ++i) t.open({i}, kStart + i);
  for (std::uint32_t i = 0; i < kMillion; ++i) t.talk({i}, kStart + kSecond + i);
  const ClockNs close = kStart + kMinute;
  for (std::uint32_t i = 0; i < kMillion; ++i) t.close({i}, close + i * 1000);
  t.flush();
  // The link falls quiet; only the clock goes on, as polls without packets tell it.
  for (ClockNs now = close; now < close + 10 * kSecond; now += 100 * kMillisecond) {
    t.sink.now = now;
    while (!t.table->expire(now, 4 * kBurstMax)) {
    }
  }
  EXPECT_EQ(t.sink.endings[Ending::closed], kMillion);
  EXPECT_LE(t.sink.overdue_max, kSecond);
  t.finish();
  t.expect_all_told();
}

TEST(scale, sessions_that_fell_due_at_once_are_swept_in_bounded_steps) {
  Table t;
  for (std::uint32_t i = 0; i < kMillion; ++i) t.open({i}, kStart + i);
  t.flush();
  const ClockNs after = kStart + kHour;
  std::uint64_t before = 0;
  int sweeps = 0;
  while (!t.table->expire(after, 256)) {
    EXPECT_LE(t.sink.ends - before, 256u);
    before = t.sink.ends;
    ++sweeps;
  }
  EXPECT_EQ(t.sink.ends, kMillion);
  EXPECT_EQ(t.counters.sweeps_behind.value(), static_cast<std::uint64_t>(sweeps));
  EXPECT_GE(sweeps, static_cast<int>(kMillion / 256));
}

// What may come late, from either side.
enum class Late : std::uint8_t { rst, rst_off_sequence, rst_ack, fin, ack, data_again };
constexpr std::uint32_t kLateKinds = 6;

void see_late(Table& t, const Flow& f, Late late, Side side, ClockNs clock) {
  const std::uint32_t own = (side == Side::client ? f.client_isn : f.server_isn) + 1;
  const std::uint32_t peer = (side == Side::client ? f.server_isn : f.client_isn) + 2 + kSaid;
  const std::uint32_t end = own + kSaid + 1;
  switch (late) {
    case Late::rst:
      return t.see(f, side, kTcpRst, clock, end, 0);
    case Late::rst_off_sequence:
      return t.see(f, side, kTcpRst, clock, end + 0x1234'5678, 0);
    case Late::rst_ack:
      return t.see(f, side, kTcpRst | kTcpAck, clock, end, peer);
    case Late::fin:
      return t.see(f, side, kTcpFin | kTcpAck, clock, end - 1, peer);
    case Late::ack:
      return t.see(f, side, kTcpAck, clock, end, peer);
    case Late::data_again:
      return t.see(f, side, kTcpAck, clock, own, peer, kSaid);
  }
}

TEST(scale, every_late_packet_joins_its_session_at_any_rate_and_delay) {
  const DurationNs delays[] = {100 * kMicrosecond, 10 * kMillisecond, kSecond,      5 * kSecond,
                               7 * kSecond,        kMinute,           110 * kSecond};
  for (const std::uint32_t rate : {100u, 300u, 3'000u, 10'000u}) {  // sessions a second
    for (const DurationNs delay : delays) {
      // Steady state for the delay plus ten seconds; under a sanitizer as far as time allows.
      const auto seconds = static_cast<std::uint32_t>(delay / kSecond) + 10;
      const std::uint32_t sessions =
          kIsSanitized ? std::min(rate * seconds, kMillion / 20) : rate * seconds;
      Table t;
      std::vector<ClockNs> due;
      std::uint32_t next = 0;
      const auto see_due = [&](ClockNs now) {
        for (; next < due.size() && due[next] <= now; ++next)
          see_late(t, {next}, static_cast<Late>(next % kLateKinds),
                   next / kLateKinds % 2 == 0 ? Side::client : Side::server, due[next]);
      };
      for (std::uint32_t i = 0; i < sessions; ++i) {
        const ClockNs now = kStart + i * (kSecond / rate);
        see_due(now);
        t.open({i}, now);
        t.talk({i}, now + 5);
        t.close({i}, now + 10);
        due.push_back(now + 12 + delay);
      }
      see_due(INT64_MAX);
      t.finish();
      EXPECT_EQ(t.sink.ends, sessions) << rate << "/s, " << delay << " ns";
      t.expect_all_told();
    }
  }
}

TEST(scale, tuples_used_again_are_sessions_of_their_own_with_or_without_their_syn) {
  for (const DurationNs delay : {kSecond, 30 * kSecond}) {
    for (const bool with_syn : {true, false}) {
      Table t;
      constexpr std::uint32_t kSessions = 2'000;
      for (std::uint32_t i = 0; i < kSessions; ++i) {
        t.open({i}, kStart + i * kMillisecond);
        t.talk({i}, kStart + i * kMillisecond + 5);
        t.close({i}, kStart + i * kMillisecond + 10);
      }
      const ClockNs again = kStart + kSessions * kMillisecond + delay;
      for (std::uint32_t i = 0; i < kSessions; ++i) {
        Flow f{i};
        f.client_isn = i * 2'654'435'761u + 77;  // before the old numbers as often as behind them
        f.server_isn = i * 40'503'001u + 99;
        const ClockNs now = again + i * kMillisecond;
        if (with_syn) t.see(f, Side::client, kTcpSyn, now, f.client_isn, 0);
        if (with_syn)
          t.see(f, Side::server, kTcpSyn | kTcpAck, now + 1, f.server_isn, f.client_isn + 1);
        t.see(f, Side::client, kTcpAck, now + 2, f.client_isn + 1, f.server_isn + 1, 100);
        t.see(f, Side::server, kTcpAck, now + 3, f.server_isn + 1, f.client_isn + 101, 200);
      }
      t.finish();
      EXPECT_EQ(t.sink.ends, 2 * kSessions) << delay << (with_syn ? " with SYN" : " without");
      t.expect_all_told();
    }
  }
}

TEST(scale, a_table_that_is_too_small_records_every_session_once) {
  constexpr std::uint32_t kSessions = 20'000;
  for (const std::uint32_t streams : {kSessions * 96 / 100, kSessions / 2, kSessions / 10}) {
    Table t([&](Settings& s) { s.maxStreams = streams, s.graveyardSize = 4 * kSessions; });
    for (std::uint32_t i = 0; i < kSessions; ++i) t.open({i}, kStart + i * kMillisecond);
    const ClockNs later = kStart + kMinute;
    for (std::uint32_t i = 0; i < kSessions; ++i) {
      const Flow f{i};
      t.see(f, Side::client, kTcpAck, later + i, f.client_isn + 1, f.server_isn + 1, 10);
    }
    t.finish();
    EXPECT_EQ(t.sink.ends - t.sink.continued, kSessions) << streams;  // chains
    EXPECT_GT(t.counters.evicted_open.value(), 0u);
    EXPECT_GT(t.counters.streams_missing.value(), 0u);
    t.expect_all_told();
  }
}

// The same sessions leave and come back again and again: half of them are missing, not many times
// as many.
TEST(scale, a_full_table_tells_how_many_sessions_it_should_have_held) {
  constexpr std::uint32_t kSessions = 2'000;
  Table t([](Settings& s) { s.maxStreams = kSessions / 2, s.extensionPool = kSessions; });
  for (std::uint32_t i = 0; i < kSessions; ++i) t.open({i}, kStart + i * kMillisecond);
  for (std::uint32_t round = 0; round < 10; ++round) {
    for (std::uint32_t i = 0; i < kSessions; ++i) {
      const Flow f{i};
      const ClockNs now = kStart + 10 * (round + 1) * kSecond + i * kMillisecond;
      t.see(f, Side::client, kTcpAck, now, f.client_isn + 1 + 10 * round, f.server_isn + 1, 10);
    }
  }
  t.finish();
  EXPECT_EQ(t.sink.ends - t.sink.continued, kSessions);
  EXPECT_GE(t.counters.streams_missing.value(), kSessions / 2);
  EXPECT_LE(t.counters.streams_missing.value(), kSessions * 6 / 10);
}

TEST(scale, sessions_leave_a_full_table_in_the_order_of_the_design) {
  Table t([](Settings& s) { s.maxStreams = 1'000, s.halfOpenShare = 100; });
  // 300 idle established, 300 lingering, 300 half-open, 100 established and busy.
  for (std::uint32_t i = 0; i < 300; ++i) t.open({i}, kStart + i * kMillisecond);
  for (std::uint32_t i = 900; i < 1'000; ++i) t.open({i}, kStart + kSecond);
  for (std::uint32_t i = 600; i < 900; ++i)
    t.see({i}, Side::client, kTcpSyn, kStart + kSecond, Flow{i}.client_isn, 0);
  for (std::uint32_t i = 300; i < 600; ++i) t.open({i}, kStart + kSecond);
  for (std::uint32_t i = 300; i < 600; ++i) t.talk({i}, kStart + 2 * kSecond);
  for (std::uint32_t i = 300; i < 600; ++i) t.close({i}, kStart + 5 * kSecond);
  for (std::uint32_t i = 900; i < 1'000; ++i) {
    const Flow f{i};
    t.see(f, Side::client, kTcpAck, kStart + 6 * kSecond, f.client_isn + 1, f.server_isn + 1, 10);
  }
  t.flush();
  const ClockNs now = kStart + 7 * kSecond;
  const auto expect_after = [&](std::uint32_t first, std::uint32_t count, std::uint64_t lingering,
                                std::uint64_t half_open, std::uint64_t open) {
    for (std::uint32_t i = first; i < first + count; ++i) t.open({i}, now);
    t.flush();
    EXPECT_EQ(t.counters.evicted_lingering.value(), lingering);
    EXPECT_EQ(t.counters.evicted_half_open.value(), half_open);
    EXPECT_EQ(t.counters.evicted_open.value(), open);
  };
  expect_after(10'000, 300, 300, 0, 0);
  expect_after(20'000, 300, 300, 300, 0);
  expect_after(30'000, 300, 300, 300, 300);
  for (std::uint32_t i = 900; i < 1'000; ++i)  // the busy ones are still there
    EXPECT_TRUE(SessionReader(*t.table).find(Flow{i}.key())) << i;
}

TEST(scale, a_syn_flood_evicts_no_real_session) {
  for (const bool summary : {false, true}) {
    constexpr std::uint32_t kReal = kMillion / 100;
    Table t([&](Settings& s) {
      s.maxStreams = 4 * kReal;
      s.synFloodSummary = summary;
      s.synFloodRate = 100;
    });
    for (std::uint32_t i = 0; i < kReal; ++i) t.open({i}, kStart + i);
    const std::uint32_t flood = kMillion / 4;  // 50,000 a second
    for (std::uint32_t i = 0; i < flood; ++i) {
      const Flow f{0x0100'0000 + i};
      t.see(f, Side::client, kTcpSyn, kStart + kSecond + i * 20 * kMicrosecond, f.client_isn, 0);
    }
    t.flush();
    EXPECT_EQ(t.counters.evicted_open.value(), 0u);
    for (std::uint32_t i = 0; i < kReal; ++i)
      ASSERT_TRUE(SessionReader(*t.table).find(Flow{i}.key())) << i;
    t.finish();
    t.expect_all_told();
    EXPECT_EQ(t.sink.flood_sessions > 0, summary);
    EXPECT_EQ(t.counters.summarised.value(), t.sink.flood_sessions);
  }
}

TEST(scale, one_nat_with_a_hundred_thousand_ports_spreads_over_the_index) {
  const HashSeed seed = make_hash_seed(3);
  std::vector<std::uint32_t> load(8192);
  for (std::uint32_t port = 1; port < 65'536; ++port) {
    FlowKey key = Flow{1}.key();
    key.port[0] = static_cast<std::uint16_t>(port);
    ++load[hash_of(key, seed) >> 51];  // the bits that the index takes first
  }
  // 8 a place on average; a place of 40 would be one chance in 10^15.
  EXPECT_LT(*std::max_element(load.begin(), load.end()), 40u);
}

TEST(readers, see_consistent_sessions_while_the_shard_writes) {
  Table t;
  constexpr std::uint32_t kSessions = 500;
  constexpr std::uint32_t kRounds = 2'000;
  for (std::uint32_t i = 0; i < kSessions; ++i) t.open({i}, kStart);
  t.flush();
  std::atomic<bool> done{false};
  std::uint64_t found = 0;
  std::thread reader([&] {
    const SessionReader sessions(*t.table);
    do {
      for (std::uint32_t i = 0; i < kSessions; i += 50) {
        const auto row = sessions.find(Flow{i}.key());
        if (!row) continue;
        ++found;
        // Every packet of this test has 60 bytes: the two counts belong together.
        ASSERT_EQ(row->bytes[0], 60 * row->packets[0]);
        ASSERT_EQ(row->bytes[1], 60 * row->packets[1]);
      }
      const auto [in_phase, top] = sessions.survey(10);
      for (std::size_t i = 1; i < top.size(); ++i)
        ASSERT_GE(top[i - 1].total_bytes(), top[i].total_bytes());
      std::uint64_t count = 0;
      for (const std::uint64_t n : in_phase) count += n;
      ASSERT_LE(count, kSessions + kRounds);
    } while (!done.load(std::memory_order_relaxed));  // once, however late it begins
  });
  for (std::uint32_t round = 1; round < kRounds; ++round) {
    const ClockNs now = kStart + round * kMillisecond;
    for (std::uint32_t i = 0; i < kSessions; i += 5) {
      const Flow f{i};
      t.see(f, Side::server, kTcpAck, now, f.server_isn + 1, f.client_isn + 1);
    }
    const Flow brief{1'000 + round};  // slots are freed and taken again
    t.open(brief, now);
    t.see(brief, Side::client, kTcpRst, now, brief.client_isn + 1, 0);
    t.flush();
  }
  done.store(true, std::memory_order_relaxed);
  reader.join();
  EXPECT_GT(found, 0u);
}

}  // namespace
}  // namespace linger
