#include <gtest/gtest.h>

#include "tests/sessiontable/table_run.h"

namespace linger::test {
namespace {

constexpr TcpKnobs kBareRst{.flags = kTcpRst};

// RFC 9293 §3.5.1: one side has lost a connection that the capture never saw, the other answers for
// it, with a challenge ACK or a SYN-ACK of an older SYN, and is reset. Then both go on.
TEST(half_open, what_the_sender_of_a_syn_refuses_is_no_part_of_its_connection) {
  const auto see = [](bool is_syn_ack, std::uint32_t lost_isn) {
    Frames frames;
    TcpPeers lost = peers(frames, 0, lost_isn, 3'000'000);
    TcpPeers fresh = peers(frames, 0, 1'000'000, 7'000'000);
    fresh.syn(at(0));
    is_syn_ack ? lost.syn_ack(at(kMillisecond)) : lost.ack(Side::server, at(kMillisecond));
    lost.rst(Side::client, at(2 * kMillisecond), kBareRst);
    fresh.syn(at(kSecond), {.sequence_offset = -1});
    fresh.syn_ack(at(kSecond + kMillisecond));
    fresh.ack(Side::client, at(kSecond + 2 * kMillisecond));
    fresh.data(Side::client, "upload", at(2 * kSecond));
    fresh.ack(Side::server, at(2 * kSecond + kMillisecond));
    fresh.close(Side::client, at(3 * kSecond));
    TableRun run;
    run.see(frames);
    run.finish();
    const Record r = run.only(Action::session_end);
    EXPECT_EQ(r.reason, Reason::closed);
    EXPECT_EQ(r.state, ConnState::sf);
    EXPECT_EQ(r.payload_bytes, (std::array<std::uint64_t, 2>{6, 0}));
    EXPECT_EQ(r.packets[0] + r.packets[1], frames.size());
    EXPECT_EQ(r.gap_bytes, (std::array<std::uint64_t, 2>{0, 0}));
    EXPECT_EQ(r.syn_ack, is_syn_ack ? 2u : 1u);
    EXPECT_EQ(run.counters().rst_off_window.value(), 1u);
  };
  for (const std::uint32_t lost_isn : {500'000u, 2'500'000u, 1'500'000'000u}) {  // fresh: 1,000,000
    see(false, lost_isn);
    see(true, lost_isn);
  }
}

// As Windows does it, which sends a refused SYN again: by then somebody listens.
TEST(half_open, a_refused_syn_that_is_sent_again_may_be_answered) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.syn(at(0));
  tcp.set_next(Side::server, 0);
  tcp.rst(Side::server, at(kMillisecond));
  tcp.syn(at(kSecond), {.sequence_offset = -1});
  tcp.set_next(Side::server, 5'000'000);
  tcp.syn_ack(at(kSecond + kMillisecond));
  tcp.ack(Side::client, at(kSecond + 2 * kMillisecond));
  for (int i = 2; i < 60; ++i) tcp.data(Side::server, "tick", at(i * kSecond));
  tcp.close(Side::client, at(kMinute));
  TableRun run;
  run.see(frames);
  run.finish();
  const Record r = run.only(Action::session_end);
  EXPECT_EQ(r.reason, Reason::closed);
  EXPECT_EQ(r.state, ConnState::sf);
  EXPECT_EQ(r.rst_ignored, (std::array<std::uint32_t, 2>{0, 1}));
  EXPECT_EQ(run.packets_told(), frames.size());
}

// The same without the answer before it: that RST is its own, and the answer late.
TEST(half_open, who_sent_a_syn_may_reset_it) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.syn(at(0));
  tcp.rst(Side::client, at(kMillisecond), kBareRst);
  tcp.syn_ack(at(2 * kMillisecond));
  TableRun run(small_settings(), 1);
  run.see(frames);
  run.finish();
  EXPECT_EQ(run.only(Action::session_end).reason, Reason::reset);
  EXPECT_EQ(run.only(Action::session_end).late_packets[1], 1u);
}

// RFC 9293 §3.10.7.3: who sent a SYN takes no data before the answer.
TEST(half_open, numbers_that_a_server_sent_before_its_syn_ack_do_not_count) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.syn(at(0));
  tcp.ack(Side::server, at(kMillisecond), {.sequence_offset = 10});
  tcp.set_next(Side::server, 5'000'000);
  tcp.syn_ack(at(2 * kMillisecond));
  tcp.ack(Side::client, at(3 * kMillisecond));
  tcp.data(Side::server, "hello", at(4 * kMillisecond));
  TableRun run;
  run.see(frames);
  run.finish();
  const Record record = run.only(Action::session_end);
  EXPECT_EQ(record.payload_bytes[1], 5u);
  EXPECT_EQ(record.gap_bytes[1], 0u);
}

// Of a tap that sees one direction, a little out of order.
TEST(half_open, a_rst_that_overtook_its_syn_is_of_its_session) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.set_next(Side::client, 1'001);
  tcp.rst(Side::client, at(0));
  tcp.set_next(Side::client, 1'000);
  tcp.syn(at(kMillisecond));
  tcp.ack(Side::client, at(2 * kMillisecond));
  TableRun run;
  run.see(frames);
  run.finish();
  const Record record = run.only(Action::session_end);
  EXPECT_EQ(record.packets[0], 3u);
  EXPECT_EQ(record.reason, Reason::reset);
}

TEST(half_open, a_syn_is_of_no_session_of_rsts_that_the_other_side_sent) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.set_next(Side::client, 5'000'001);
  tcp.rst(Side::client, at(0));
  tcp.segment(Side::server, kTcpSyn, "", at(kMillisecond));
  TableRun run;
  run.see(frames);
  run.finish();
  EXPECT_EQ(run.all(Action::session_end).size(), 2u);
}

// What is idle leaves before one that may yet be answered.
TEST(half_open, for_half_open_minimum_it_stays_in_a_full_table) {
  for (const DurationNs minimum : {DurationNs{0}, 3 * kSecond}) {
    Settings settings = small_settings();
    settings.halfOpenMinimum = minimum;
    Frames frames;
    for (unsigned i = 0; i < 990; ++i) peers(frames, i).handshake(at(i), 1);
    for (unsigned i = 990; i < 1'001; ++i) peers(frames, i).syn(at(2 * kSecond));
    TableRun run(settings);
    run.see(frames);
    EXPECT_EQ(run.counters().evicted_half_open.value(), minimum == 0 ? 1u : 0u);
    EXPECT_EQ(run.counters().evicted_open.value(), minimum == 0 ? 0u : 1u);
  }
}

TEST(half_open, where_there_is_none_the_longest_idle_of_all_protocols_is_evicted) {
  Frames frames;
  const auto ping = [&](std::uint32_t id, std::int64_t time) {
    const std::uint32_t rest = id << 16;
    frames.push_back(
        PacketBuilder().ethernet().ip("192.0.2.1", "198.51.100.2").icmp(8, 0, rest).frame(time));
  };
  const auto say = [&](std::uint16_t port, std::int64_t time) {
    frames.push_back(
        PacketBuilder().ethernet().ip("192.0.2.1", "198.51.100.2").udp(port, 7'000).frame(time));
  };
  ping(1, at(0));
  for (std::uint16_t i = 1; i <= 998; ++i) say(i, at(2 * kSecond));
  ping(2, at(4 * kSecond));
  say(999, at(5 * kSecond));
  say(1'000, at(5 * kSecond));
  TableRun run;
  run.see(frames);
  const std::vector<Record> ends = run.all(Action::session_end);
  ASSERT_EQ(ends.size(), 2u);
  EXPECT_EQ(ends[0].start.value, at(0));
  EXPECT_EQ(ends[1].start.value, at(2 * kSecond));
}

// Without a sweep before the end of the run.
TEST(half_open, what_is_due_at_the_end_has_ended_by_its_timeout) {
  Frames frames;
  peers(frames, 0).syn(at(0));
  peers(frames, 1).syn(at(kMinute));
  TableRun run;
  run.see(frames);
  run.finish();
  const std::vector<Record> ends = run.all(Action::session_end);
  ASSERT_EQ(ends.size(), 2u);
  EXPECT_EQ(ends[0].reason, Reason::attempt);
  EXPECT_EQ(ends[1].reason, Reason::end_of_input);
}

// Between two sweeps.
TEST(half_open, where_something_is_due_nothing_is_evicted) {
  const auto udp = [](std::uint16_t port, std::int64_t time) {
    return PacketBuilder().ethernet().ip("192.0.2.1", "198.51.100.2").udp(port, 7'000).frame(time);
  };
  Frames frames = {
      PacketBuilder().ethernet().ip("192.0.2.1", "198.51.100.2").icmp(8, 0, 1).frame(at(0))};
  for (std::uint16_t i = 1; i <= 998; ++i) frames.push_back(udp(i, at(8 * kSecond)));
  TcpPeers tcp = peers(frames);
  tcp.handshake(at(8 * kSecond), 0);
  tcp.close(Side::client, at(8 * kSecond), 0);  // lingers
  frames.push_back(udp(999, at(11 * kSecond)));
  TableRun run;
  run.see(frames);
  EXPECT_EQ(run.only(Action::session_end).reason, Reason::idle);
  EXPECT_EQ(run.counters().evicted_lingering.value(), 0u);
}

TEST(half_open, one_beyond_their_share_that_is_due_is_not_evicted) {
  Frames frames;
  for (unsigned i = 0; i < 500; ++i) peers(frames, i).syn(at(0));
  peers(frames, 500).syn(at(40 * kSecond));
  TableRun run;
  run.see(frames);
  EXPECT_EQ(run.only(Action::session_end).reason, Reason::attempt);
  EXPECT_EQ(run.counters().evicted_half_open.value(), 0u);
}

// A cluster that keeps no state answers a repeated SYN with another ISN; the client holds to one.
TEST(half_open, of_two_answers_the_one_counts_that_the_client_took) {
  for (const std::uint32_t taken : {5'000'000u, 905'000'000u}) {
    Frames frames;
    TcpPeers tcp = peers(frames);
    tcp.syn(at(0));
    tcp.syn_ack(at(kMillisecond));
    tcp.set_next(Side::server, 905'000'000);
    tcp.syn_ack(at(2 * kMillisecond));
    tcp.set_next(Side::server, taken + 1);
    tcp.ack(Side::client, at(3 * kMillisecond));
    tcp.data(Side::client, "ping", at(4 * kMillisecond));
    tcp.data(Side::server, "pong", at(5 * kMillisecond));
    tcp.close(Side::server, at(6 * kMillisecond));
    tcp.ack(Side::server, at(kSecond));
    tcp.ack(Side::server, at(30 * kSecond));
    TableRun run;
    run.see(frames);
    run.finish();
    const Record record = run.only(Action::session_end);
    EXPECT_EQ(record.payload_bytes[1], 4u);
    EXPECT_EQ(record.gap_bytes[1], 0u);
    EXPECT_EQ(record.retransmitted_packets[1], 0u);
    EXPECT_EQ(run.packets_told(), frames.size());
  }
}

// Of each side its own: here what the client said was damaged into a SYN-ACK.
TEST(half_open, of_two_answers_the_one_counts_that_is_gone_on_with_though_the_client_answers_too) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.syn(at(0));
  tcp.syn_ack(at(kMillisecond));
  tcp.set_next(Side::server, 905'000'000);
  tcp.syn_ack(at(2 * kMillisecond));
  tcp.set_next(Side::server, 5'000'001);
  tcp.segment(Side::client, kTcpSyn | kTcpAck, "", at(3 * kMillisecond));
  tcp.data(Side::server, "pong", at(5 * kMillisecond), {.acknowledgment_offset = -1});
  TableRun run;
  run.see(frames);
  run.finish();
  const Record record = run.only(Action::session_end);
  EXPECT_EQ(record.payload_bytes[1], 4u);
  EXPECT_EQ(record.retransmitted_packets[1], 0u);
}

}  // namespace
}  // namespace linger::test
