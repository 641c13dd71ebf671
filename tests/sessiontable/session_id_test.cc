// Each session's event.id is its own, whatever the timestamps say.
#include "sessiontable/session_id.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/sessiontable/table_run.h"

namespace linger::test {
namespace {

std::size_t distinct(const std::vector<Record>& records) {
  std::set<std::pair<std::uint64_t, std::uint64_t>> ids;
  for (const Record& record : records) ids.insert({record.id.high, record.id.low});
  return ids.size();
}

TEST(session_id, incarnations_of_one_key_have_ids_of_their_own) {
  Frames frames;
  for (int i = 0; i < 5; ++i) {  // the same numbers in the same tick
    TcpPeers tcp = peers(frames, 0, 1'000, 5'000'000);
    tcp.syn(at(0));
    tcp.rst(Side::server, at(0));
    TcpPeers other = peers(frames, 0, 700'000'000);
    other.syn(at(0));
    other.rst(Side::server, at(0));
  }
  TableRun run;
  run.see(frames);
  run.finish();
  const std::vector<Record> ends = run.all(Action::session_end);
  EXPECT_EQ(distinct(ends), ends.size());
  EXPECT_EQ(run.packets_told(), frames.size());
}

// With the id it tells a record from those that were sent again.
TEST(session_id, interim_records_are_numbered_for_as_long_as_they_come) {
  SessionHot hot{};
  SessionCold cold{};
  SessionName name{};
  SessionRare rare{};
  LongAddresses addresses{};
  OpeningPool openings(1, make_hash_seed(1));
  const Session session{hot, cold, name, rare, addresses, nullptr, openings};
  std::int64_t last = -1;
  for (int i = 0; i < 40'000; ++i) {  // a second each
    const std::uint32_t sequence = session.sequence(i * kSecond);
    ASSERT_GT(sequence, last);
    last = sequence;
    name.count_interim();
  }
}

// One of them is over at once; the session before both lingers.
TEST(session_id, so_have_those_of_a_tick_of_which_one_is_buried) {
  Settings settings = small_settings();
  settings.tcpClosingTimeout = 0;
  Frames frames;
  TcpPeers old = peers(frames, 0, 1'000, 5'000'000);
  old.handshake(at(0));
  old.rst(Side::client, at(kSecond));
  peers(frames, 0, 900'000'000).segment(Side::client, kTcpFin | kTcpAck, "", at(2 * kSecond));
  peers(frames, 0, 900'000'000).data(Side::client, "beyond it", at(2 * kSecond));
  TableRun run(settings);
  run.see(frames);
  run.finish();
  const std::vector<Record> ends = run.all(Action::session_end);
  EXPECT_EQ(ends.size(), 3u);
  EXPECT_EQ(distinct(ends), ends.size());
}

// Both go on with the same one: after its RST, what the other side sent is acknowledged.
TEST(session_id, so_have_two_of_a_tick_that_go_on_with_the_same_session) {
  Settings settings = small_settings();
  settings.tcpClosingTimeout = settings.tcpRstTimeout = 0;
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.handshake(at(0));
  tcp.fin(Side::server, at(kSecond));
  tcp.rst(Side::server, at(kSecond));
  tcp.set_next(Side::server, tcp.next(Side::server) + 100);  // not of what went on before
  tcp.data(Side::client, "taken all the same", at(2 * kSecond));
  tcp.ack(Side::server, at(2 * kSecond));
  tcp.fin(Side::client, at(2 * kSecond));
  tcp.ack(Side::server, at(2 * kSecond));
  TableRun run(settings);
  run.see(frames);
  run.finish();
  const std::vector<Record> ends = run.all(Action::session_end);
  EXPECT_EQ(ends.size(), 3u);
  EXPECT_EQ(distinct(ends), ends.size());
}

TEST(session_id, what_a_capture_repeats_has_an_id_of_its_own) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.handshake(at(0));
  tcp.close(Side::client, at(kSecond));
  frames.push_back(PacketBuilder()
                       .ethernet()
                       .ip("192.0.2.1", "198.51.100.2")
                       .udp(1, 7'000)
                       .frame(at(2 * kSecond)));
  TableRun run;
  for (int i = 0; i < 3; ++i) {  // a capture appended to itself
    run.see(frames);
    run.pass(kDay);  // nothing of the time before is remembered
  }
  run.finish();
  const std::vector<Record> ends = run.all(Action::session_end);
  EXPECT_EQ(ends.size(), 6u);
  EXPECT_EQ(distinct(ends), 6u);
  EXPECT_EQ(run.packets_told(), 3 * frames.size());
}

// As while a clock that was set back stands still.
TEST(session_id, what_a_full_table_cuts_in_one_tick_has_an_id_each_time) {
  constexpr unsigned kHosts = 2'000;
  constexpr std::size_t kRounds = 20;
  Settings settings = small_settings();
  settings.extensionPool = kHosts;
  settings.graveyardSize = kHosts * kRounds;
  Frames frames;
  for (std::size_t round = 0; round < kRounds; ++round) {
    for (unsigned host = 0; host < kHosts; ++host)
      frames.push_back(PacketBuilder()
                           .ethernet()
                           .ip("192.0.2.1", "198.51.100.2")
                           .udp(static_cast<std::uint16_t>(1'000 + host), 53)
                           .frame(at(0)));
  }
  TableRun run(settings);
  run.see(frames);
  run.finish();
  const std::vector<Record> ends = run.all(Action::session_end);
  EXPECT_EQ(ends.size(), kHosts * kRounds);
  EXPECT_EQ(distinct(ends), ends.size());
}

TEST(session_id, summaries_of_one_second_have_ids_of_their_own) {
  Settings settings = small_settings();
  settings.synFloodSummary = true;
  settings.synFloodRate = 1;
  std::vector<Record> floods;
  for (unsigned half = 0; half < 2; ++half) {  // as two shards see one flood of one moment
    Frames frames;
    for (unsigned i = 0; i < 10; ++i) peers(frames, half * 10 + i).syn(at(0));
    TableRun run(settings);
    run.see(frames);
    run.finish();
    floods.push_back(run.only(Action::syn_flood));
    EXPECT_EQ(floods.back().flood_sessions, 9u);
  }
  EXPECT_EQ(distinct(floods), 2u);
}

}  // namespace
}  // namespace linger::test
