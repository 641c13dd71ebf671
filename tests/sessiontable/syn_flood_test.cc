#include "sessiontable/syn_flood.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/sessiontable/table_run.h"

namespace linger::test {
namespace {

Settings summarising(std::uint64_t rate) {
  Settings settings;
  settings.maxStreams = 20'000;
  settings.synFloodSummary = true;
  settings.synFloodRate = rate;
  return settings;
}

// Their sessions end beside those of the seconds in which the others came again.
TEST(syn_flood, half_of_it_comes_again_and_each_second_has_one_record_all_the_same) {
  constexpr unsigned kSeconds = 10, kEachSecond = 1'000, kRate = 100;
  Frames frames;
  for (unsigned i = 0; i < kSeconds * kEachSecond; ++i) {
    TcpPeers tcp = peers(frames, i);
    const std::int64_t time = at(kSecond + i * kMillisecond);
    tcp.syn(time);
    if (i % 2 == 0) continue;
    tcp.syn(time + kSecond, {.sequence_offset = -1});
    tcp.syn(time + 3 * kSecond, {.sequence_offset = -1});
  }
  sort_by_time(frames);
  TableRun run(summarising(kRate));
  run.see(frames);
  for (int i = 0; i < 400; ++i) run.pass(kSecond / 10);
  run.finish();
  EXPECT_EQ(run.all(Action::session_end).size(), kSeconds * kRate);
  const std::vector<Record> floods = run.all(Action::syn_flood);
  ASSERT_EQ(floods.size(), kSeconds);
  for (const Record& r : floods) {  // those of odd numbers end last
    const std::int64_t second = r.start.value / kSecond * kSecond;
    EXPECT_EQ(r.start.value, second + kMillisecond);
    EXPECT_EQ(r.end.value, second + 3 * kSecond + 999 * kMillisecond);
  }
  EXPECT_EQ(run.packets_told(), frames.size());
}

// By the refusal of an older connection, or from the way there.
TEST(syn_flood, what_was_answered_by_anything_has_a_record_of_its_own) {
  Frames frames;
  for (unsigned i = 0; i < 20; ++i) {
    TcpPeers tcp = peers(frames, i);
    const Frame syn = tcp.syn(at(0));
    if (i < 5) tcp.ack(Side::server, at(kMillisecond), {.acknowledgment_offset = -9});
    if (i >= 15)
      frames.push_back(PacketBuilder()
                           .ethernet()
                           .ip("203.0.113.9", "192.0.2.1")
                           .icmp_error(3, 1, syn)
                           .frame(at(kMillisecond)));
  }
  sort_by_time(frames);
  TableRun run(summarising(1));
  run.see(frames);
  run.pass(kMinute);
  run.finish();
  EXPECT_EQ(run.all(Action::session_end).size(), 11u);
  EXPECT_EQ(run.only(Action::syn_flood).flood_sessions, 9u);
  EXPECT_EQ(run.packets_told(), frames.size());
}

// Whether time passes beside the packets or all at once behind them.
TEST(syn_flood, a_second_is_told_when_none_of_it_ends_any_more) {
  for (const bool is_swept : {true, false}) {
    Frames frames;
    for (unsigned i = 0; i < 40; ++i) peers(frames, i).syn(at(kSecond + i * kMillisecond));
    TcpPeers slow = peers(frames, 40);  // ends 80 s after the others
    for (const int second : {1, 21, 41, 61, 81})
      slow.syn(at(second * kSecond), {.sequence_offset = second == 1 ? 0 : -1});
    sort_by_time(frames);
    Settings settings = summarising(1);
    settings.tcpSynTimeout = 30 * kSecond;
    TableRun run(settings);
    auto pass_to = [&, now = 0](int second) mutable {
      for (; now < second; ++now)
        for (int i = 0; i < 200; ++i) run.pass(kSecond / 200);
    };
    for (const Frame& frame : frames) {
      if (is_swept) pass_to(static_cast<int>((frame.timestamp_ns - at(0)) / kSecond) - 1);
      run.see({frame});
      EXPECT_LE(run.all(Action::syn_flood).size(), frame.timestamp_ns > at(70 * kSecond) ? 1u : 0u);
    }
    EXPECT_EQ(run.all(Action::syn_flood).size(), is_swept ? 1u : 0u);
    pass_to(150);
    std::vector<std::uint64_t> sessions;
    for (const Record& r : run.all(Action::syn_flood)) sessions.push_back(r.flood_sessions);
    EXPECT_EQ(sessions, (std::vector<std::uint64_t>{39, 1}));
    run.finish();
    EXPECT_EQ(run.all(Action::session_end).size(), 1u);
    EXPECT_EQ(run.packets_told(), frames.size());
  }
}

TEST(syn_flood, what_an_interim_record_told_of_has_an_end_record) {
  Settings settings = summarising(1);
  settings.tcpSaveTimeout = kSecond;
  Frames frames;
  for (unsigned i = 0; i < 20; ++i) {
    TcpPeers tcp = peers(frames, i);
    tcp.syn(at(i % 2 == 0 ? 0 : 3 * kSecond / 2));
    if (i % 2 == 0) tcp.syn(at(2 * kSecond), {.sequence_offset = -1});
  }
  sort_by_time(frames);
  TableRun run(settings);
  run.see(frames);
  run.finish();
  std::set<std::pair<std::uint64_t, std::uint64_t>> ended;
  for (const Record& r : run.all(Action::session_end)) ended.insert({r.id.high, r.id.low});
  EXPECT_EQ(run.all(Action::session_interim).size(), 10u);
  for (const Record& r : run.all(Action::session_interim))
    EXPECT_TRUE(ended.contains({r.id.high, r.id.low}));
  EXPECT_EQ(run.only(Action::syn_flood).flood_sessions, 9u);
  EXPECT_EQ(run.packets_told(), frames.size());
}

}  // namespace
}  // namespace linger::test
