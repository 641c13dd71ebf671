// Connections that use one tuple after the other: which of them a packet belongs to, in the table
// or buried.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/sessiontable/table_run.h"

namespace linger::test {
namespace {

constexpr TcpKnobs kBareRst{.flags = kTcpRst};

TEST(tuple_reuse, a_rst_of_a_buried_session_leaves_its_successor_alone) {
  Frames frames;
  TcpPeers old = peers(frames);
  whole(old, at(0));
  TcpPeers fresh = peers(frames, 0, 900'000'000, 905'000'000);
  fresh.handshake(at(30 * kSecond));
  old.rst(Side::server, at(31 * kSecond), kBareRst);
  fresh.data(Side::client, "ping", at(32 * kSecond));
  TableRun run;
  run.see(frames);
  run.finish();
  const std::vector<Record> ends = run.all(Action::session_end);
  ASSERT_EQ(ends.size(), 2u);
  EXPECT_EQ(ends[1].rst, 0u);
  EXPECT_EQ(run.only(Action::session_late).id, ends[0].id);
}

TEST(tuple_reuse, a_rst_of_a_buried_session_leaves_an_older_one_that_still_lingers_alone) {
  Frames frames;
  TcpPeers old = peers(frames);
  whole(old, at(0));
  TcpPeers fresh = peers(frames, 0, 900'000'000, 905'000'000);
  whole(fresh, at(kSecond));
  old.rst(Side::client, at(4 * kSecond), kBareRst);  // lingers until 9 s, the other until 6 s
  fresh.rst(Side::server, at(7 * kSecond), kBareRst);
  TableRun run;
  run.see(frames);
  run.finish();
  const std::vector<Record> ends = run.all(Action::session_end);
  ASSERT_EQ(ends.size(), 2u);
  EXPECT_EQ(ends[1].late_rst[1], 0u);
  EXPECT_EQ(run.only(Action::session_late).id, ends[0].id);
  EXPECT_EQ(run.only(Action::session_late).late_rst[1], 1u);
}

// The seconds of graves wrap after 36 hours, in which nothing else came.
TEST(tuple_reuse, a_rst_after_a_silence_of_days_finds_no_grave) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  whole(tcp, at(0));
  TableRun run;
  run.see(frames);
  run.pass(10 * kSecond);
  run.see({tcp.rst(Side::server, at((1 << 17) * kSecond + 7 * kSecond), kBareRst)});
  run.finish();
  EXPECT_EQ(run.all(Action::session_end).size(), 2u);
  EXPECT_EQ(run.counters().lone_rst.value(), 1u);
}

// Nor after as long with a few other packets, and no sweep, or none that keeps up.
TEST(tuple_reuse, a_rst_after_a_trickle_of_days_finds_no_grave) {
  struct Case {
    unsigned closed, at_once;
  };
  for (const auto& [closed, at_once] : {Case{1, 1}, Case{1'000, 64}}) {
    Frames frames;
    for (unsigned i = 0; i < closed; ++i) {
      TcpPeers tcp = peers(frames, i);
      whole(tcp, at(i * kMillisecond));
    }
    TableRun run;
    run.see(frames);
    run.pass(10 * kSecond);
    frames.clear();
    for (int hours = 5; hours <= 35; hours += 5)
      for (unsigned i = 0; i < at_once; ++i)
        peers(frames, closed + i).segment(Side::client, kTcpSyn, "", at(hours * kHour));
    peers(frames, closed - 1).rst(Side::server, at((1 << 17) * kSecond + 7 * kSecond), kBareRst);
    run.see(frames);
    run.finish();
    EXPECT_EQ(run.counters().lone_rst.value(), 1u) << closed;
    EXPECT_TRUE(run.all(Action::session_late).empty());
  }
}

// As late as a capture may say it is.
TEST(tuple_reuse, a_syn_of_the_year_2116_that_is_answered_is_another_session) {
  constexpr DurationNs kThen = DurationNs{1} << 62;
  Frames frames;
  peers(frames).handshake(at(kThen));
  peers(frames, 0, 900'000'000, 905'000'000).handshake(at(kThen + kSecond));
  TableRun run;
  run.see(frames);
  run.finish();
  EXPECT_EQ(run.all(Action::session_end).size(), 2u);
}

// The sides have taken turns, and by chance it has the number of the other one's.
TEST(tuple_reuse, a_syn_of_the_side_that_was_connected_to_is_another_session) {
  Frames frames;
  TcpPeers old = peers(frames, 0, 1'000);
  whole(old, at(0));
  peers(frames, 0, 1'000, 1'000).segment(Side::server, kTcpSyn, "", at(30 * kSecond));
  TableRun run;
  run.see(frames);
  run.finish();
  const std::vector<Record> ends = run.all(Action::session_end);
  ASSERT_EQ(ends.size(), 2u);
  EXPECT_EQ(ends[1].reuse_of, ends[0].id);
}

TEST(tuple_reuse, a_syn_that_comes_again_late_is_of_the_session_that_its_answer_opened) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  whole(tcp, at(0));
  std::swap(frames[0].timestamp_ns, frames[1].timestamp_ns);
  frames.push_back(frames[0]);
  frames.back().timestamp_ns = at(30 * kSecond);
  sort_by_time(frames);
  TableRun run;
  run.see(frames);
  run.finish();
  EXPECT_EQ(run.only(Action::session_end).syn, 1u);
  EXPECT_EQ(run.only(Action::session_late).syn, 1u);
}

// The other session of its tuple is still open.
TEST(tuple_reuse, what_goes_on_with_a_cut_session_leaves_an_older_one_alone) {
  Frames frames;
  TcpPeers old = peers(frames);
  old.handshake(at(0));
  TcpPeers fresh = peers(frames, 0, 900'000'000, 905'000'000);
  fresh.syn(at(kSecond));
  fresh.syn_ack(at(kSecond));
  fresh.data(Side::client, "ping", at(kMinute));
  TableRun run;
  run.see(frames);
  run.finish();
  const std::vector<Record> ends = run.all(Action::session_end);
  ASSERT_EQ(ends.size(), 3u);
  EXPECT_EQ(ends[0].reason, Reason::attempt);
  for (const Record& r : ends) {
    EXPECT_EQ(r.gap_bytes[0], 0u);
    EXPECT_EQ(r.payload_bytes[0], r.continues == ends[0].id ? 4u : 0u);
  }
}

TEST(tuple_reuse, a_refusal_that_overtook_its_syn_is_one_session_with_it) {
  for (const std::uint32_t isn : {1'000u, 2'000u}) {  // the refused one, another one
    Frames frames;
    peers(frames, 0, isn, 0).syn(at(kMicrosecond));
    peers(frames, 0, 1'001, 0).rst(Side::server, at(0));
    sort_by_time(frames);
    TableRun run;
    run.see(frames);
    run.finish();
    const std::vector<Record> ends = run.all(Action::session_end);
    ASSERT_EQ(ends.size(), isn == 1'000 ? 1u : 2u);
    EXPECT_EQ(ends[0].state, isn == 1'000 ? ConnState::rej : ConnState::s0);
  }
}

// Of the client alone, and no close: it goes on with the SYN that waits, whichever of the sessions
// before its numbers are nearest to.
TEST(tuple_reuse, connections_of_one_tuple_are_told_apart_where_one_side_is_seen) {
  for (const std::uint32_t step : {40'000'000u, 1'500'000'000u, 2'654'435'761u}) {
    Frames frames;
    for (std::uint32_t i = 0; i < 6; ++i) {
      TcpPeers tcp = peers(frames, 0, 1'000 + i * step, 7'000 + i * 3 * step);
      tcp.syn(at(i * kSecond));
      tcp.syn_ack(at(i * kSecond), {.captured = false});
      tcp.ack(Side::client, at(i * kSecond + kMillisecond));
      tcp.data(Side::client, "hello", at(i * kSecond + 2 * kMillisecond));
    }
    TableRun run;
    run.see(frames);
    run.finish();
    const std::vector<Record> ends = run.all(Action::session_end);
    EXPECT_EQ(ends.size(), 6u) << step;
    for (const Record& r : ends) {
      EXPECT_EQ(r.packets[0], 3u) << step;
      EXPECT_EQ(r.payload_bytes[0], 5u) << step;
    }
  }
}

// The first is beyond what was sent before, the second repeats a part of it.
TEST(tuple_reuse, a_late_record_tells_each_payload_byte_once_and_data_is_no_ack) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.handshake(at(0));
  tcp.rst(Side::server, at(10 * kMillisecond));
  tcp.set_next(Side::client, 1'101);
  tcp.data(Side::client, "ping", at(30 * kSecond));
  tcp.set_next(Side::client, 1'102);
  tcp.data(Side::client, "in", at(29 * kSecond));  // its timestamp went back
  TableRun run;
  run.see(frames);
  run.finish();
  const Record late = run.only(Action::session_late);
  EXPECT_EQ(late.end.value - late.start.value, kSecond);
  EXPECT_EQ(late.payload_bytes[0], 4u);
  EXPECT_EQ(late.late_data[0], 2u);
  EXPECT_EQ(late.late_ack[0], 0u);
}

// What was cut, was gone on with and closed, takes nothing of a later use of its tuple.
TEST(tuple_reuse, a_cut_session_that_went_on_and_closed_is_over) {
  // Within lateTimeout, and when only the first one is still known.
  for (const std::int64_t pause : {30 * kSecond, 10 * kMinute}) {
    Frames frames;
    TcpPeers old = peers(frames);
    old.handshake(at(0));
    old.data(Side::client, "ping", at(kHour));  // idle meanwhile
    old.close(Side::client, at(kHour + kSecond));
    TcpPeers fresh = peers(frames, 0, 900'000'000, 905'000'000);
    fresh.set_next(Side::client, 900'000'001);
    fresh.ack(Side::client, at(kHour + pause));  // no SYN was captured
    fresh.data(Side::client, "ping", at(kHour + pause + kSecond));
    TableRun run;
    run.see(frames);
    run.finish();
    const std::vector<Record> ends = run.all(Action::session_end);
    ASSERT_EQ(ends.size(), 3u);
    EXPECT_EQ(ends[1].continues, ends[0].id);
    EXPECT_FALSE(ends[2].continues.is_set());
    EXPECT_EQ(ends[2].packets[0], 2u);
    EXPECT_TRUE(run.all(Action::session_late).empty());
  }
}

// The answer acknowledges what the SYN carried (RFC 7413 §3).
TEST(tuple_reuse, a_fast_open_against_an_open_session_is_a_session) {
  for (const std::uint8_t flags : {kTcpSyn | kTcpAck, kTcpRst | kTcpAck}) {
    Frames frames;
    TcpPeers old = peers(frames);
    old.handshake(at(0));
    TcpPeers fresh = peers(frames, 0, 900'000'000, 905'000'000);
    fresh.segment(Side::client, kTcpSyn, "question", at(kMinute));
    fresh.segment(Side::server, flags, "", at(kMinute + kMillisecond));
    TableRun run;
    run.see(frames);
    run.finish();
    const std::vector<Record> ends = run.all(Action::session_end);
    ASSERT_EQ(ends.size(), 2u);
    const Record& record = ends[ends[0].reuse_of.is_set() ? 0 : 1];
    EXPECT_EQ(record.packets[0], 1u);
    EXPECT_EQ(record.syn, 1u);
    EXPECT_EQ(record.payload_bytes[0], 8u);
    EXPECT_EQ(record.gap_bytes[0], 0u);
  }
}

// Its ACK came first, and follows what the SYN carries.
TEST(tuple_reuse, a_fast_open_whose_syn_was_overtaken_is_one_session) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.segment(Side::client, kTcpSyn, "question", at(1));
  tcp.syn_ack(at(2));
  tcp.ack(Side::client, at(0));
  std::rotate(frames.begin(), frames.begin() + 2, frames.end());
  tcp.close(Side::client, at(kMillisecond));
  TableRun run;
  run.see(frames);
  run.finish();
  const Record record = run.only(Action::session_end);
  EXPECT_EQ(record.packets[0], 4u);
  EXPECT_EQ(record.payload_bytes[0], 8u);
  EXPECT_EQ(record.gap_bytes[0], 0u);
}

// A connection that was reset goes on where something of it is acknowledged that was not seen, but
// nothing follows its FINs: who acknowledges more is another one, and recorded once.
TEST(tuple_reuse, a_session_that_was_reset_and_had_its_fins_is_over) {
  Settings settings = small_settings();
  settings.tcpClosingTimeout = 0;
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.handshake(at(0));
  tcp.rst(Side::server, at(10 * kMillisecond), kBareRst);
  tcp.fin(Side::client, at(20 * kMillisecond));
  tcp.fin(Side::server, at(30 * kMillisecond));
  for (const std::int64_t offset : {1'000, -1})
    tcp.fin(Side::server, at(kMinute), {.sequence_offset = offset, .acknowledgment_offset = 1});
  TableRun run(settings);
  run.see(frames);
  run.finish();
  const std::vector<Record> ends = run.all(Action::session_end);
  ASSERT_EQ(ends.size(), 2u);
  EXPECT_EQ(ends[1].reuse_of, ends[0].id);
  EXPECT_EQ(run.only(Action::session_late).id, ends[1].id);
}

// Nor what was cut and closed late; the SYN of the next one was overtaken.
TEST(tuple_reuse, a_cut_session_that_closed_late_is_over) {
  Frames frames;
  TcpPeers old = peers(frames);
  old.handshake(at(0));
  old.close(Side::client, at(kHour));  // idle meanwhile
  TcpPeers fresh = peers(frames, 0, 900'000'000, 905'000'000);
  fresh.set_next(Side::client, 900'000'001);
  fresh.ack(Side::client, at(kHour + kSecond));
  fresh.data(Side::client, "ping", at(kHour + kSecond + 1'000));
  fresh.set_next(Side::client, 900'000'000);
  fresh.syn(at(kHour + kSecond + 2'000));
  TableRun run;
  run.see(frames);
  run.finish();
  const std::vector<Record> ends = run.all(Action::session_end);
  ASSERT_EQ(ends.size(), 2u);
  EXPECT_EQ(ends[1].reuse_of, ends[0].id);
  EXPECT_FALSE(ends[1].continues.is_set());
  EXPECT_EQ(ends[1].packets[0], 3u);
  EXPECT_EQ(run.only(Action::session_late).packets[0], 2u);
}

// The older one is still open; an error quotes what was said last.
TEST(tuple_reuse, an_icmp_error_joins_the_newest_though_it_is_buried) {
  Settings settings = small_settings();
  settings.tcpRstTimeout = 0;
  Frames frames;
  TcpPeers older = peers(frames);
  older.handshake(at(0));
  TcpPeers newer = peers(frames, 0, 500'000, 900'000'000);
  const Frame syn = newer.syn(at(kSecond));
  newer.syn_ack(at(kSecond + kMillisecond));
  newer.rst(Side::client, at(kSecond + 2 * kMillisecond));
  frames.push_back(PacketBuilder()
                       .ethernet()
                       .ip("203.0.113.9", "192.0.2.1")
                       .icmp_error(3, 1, syn)
                       .frame(at(2 * kSecond)));
  TableRun run(settings);
  run.see(frames);
  run.finish();
  const std::vector<Record> ends = run.all(Action::session_end);
  ASSERT_EQ(ends.size(), 2u);
  EXPECT_EQ(ends[0].reason, Reason::reset);
  EXPECT_EQ(run.only(Action::session_late).id, ends[0].id);
  EXPECT_EQ(run.only(Action::session_late).icmp_error_packets, 1u);
}

// Without a block for the link, what goes on with it is late for as long as it is not silent.
TEST(tuple_reuse, an_evicted_udp_session_that_goes_on_is_no_other_one) {
  Settings settings = small_settings();
  settings.extensionPool = 1;
  Frames frames;
  const auto say = [&](std::uint16_t port, std::int64_t time) {
    frames.push_back(
        PacketBuilder().ethernet().ip("192.0.2.1", "198.51.100.2").udp(port, 7'000).frame(time));
  };
  for (std::uint16_t i = 1; i <= 1'001; ++i) say(i, at(i * kMillisecond));
  for (const int second : {5, 25, 45, 65}) {
    say(1, at(second * kSecond));  // has the block
    say(2, at((second + 1) * kSecond));
  }
  TableRun run(settings);
  run.see(frames);
  run.finish();
  EXPECT_EQ(run.counters().opened.value(), 1'002u);
  EXPECT_EQ(run.only(Action::session_late).packets[0], 4u);
}

// Nor does it matter to an ICMP error that the session it quotes was evicted while it spoke.
TEST(tuple_reuse, an_icmp_error_about_a_udp_session_that_fell_silent_is_one_of_its_own) {
  for (const std::uint16_t others : {0, 1'000}) {  // they evict it
    for (const int second : {20, 30, 100}) {       // udpTimeout
      Frames frames;
      for (std::uint16_t i = 1; i <= 1 + others; ++i)
        frames.push_back(PacketBuilder()
                             .ethernet()
                             .ip("192.0.2.1", "198.51.100.2")
                             .udp(i, 7'000)
                             .frame(at((i - 1) * kMillisecond)));
      frames.push_back(PacketBuilder()
                           .ethernet()
                           .ip("203.0.113.9", "192.0.2.1")
                           .icmp_error(3, 1, frames[0])
                           .frame(at(second * kSecond)));
      TableRun run;
      run.see(frames);
      run.finish();
      EXPECT_EQ(run.counters().opened.value(), 1u + others + (second >= 30 ? 1u : 0u))
          << others << " others, " << second << " s";
    }
  }
}

}  // namespace
}  // namespace linger::test
