#include "sessiontable/tcp_anomalies.h"

#include <gtest/gtest.h>

#include "tests/sessiontable/table_run.h"

namespace linger::test {
namespace {

using Pair = std::array<std::uint32_t, 2>;
using WidePair = std::array<std::uint64_t, 2>;

constexpr TcpKnobs kLost{.captured = false};

// Their number is one before the next byte: an ACK tells, before them or behind, or that byte.
TEST(tcp_anomalies, a_capture_that_begins_with_a_keep_alive_misses_no_byte) {
  for (const DurationNs answer : {-kMillisecond, kMillisecond, kMinute}) {
    for (const std::uint32_t next : {1'000u, 0u}) {
      Frames frames;
      TcpPeers tcp = peers(frames, 0, next);
      tcp.ack(Side::client, at(kSecond), {.sequence_offset = -1});
      tcp.ack(Side::server, at(kSecond + answer));
      tcp.data(Side::client, "hello", at(2 * kSecond));
      sort_by_time(frames);
      const Record r = record_of(frames);
      const std::size_t client = r.port[0] == 80 ? 1 : 0;
      EXPECT_EQ(r.gap_bytes, (WidePair{0, 0})) << answer;
      EXPECT_EQ(r.missed_bytes, (WidePair{0, 0})) << answer;
      EXPECT_EQ(r.payload_bytes[client], 5u) << answer;
      EXPECT_EQ(r.keep_alives[client], 1u) << answer;
    }
  }
}

TEST(tcp_anomalies, a_keep_alive_of_a_side_whose_syn_ack_was_missed_is_none_of_its_bytes) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.syn(at(0));
  tcp.syn_ack(at(0), kLost);
  tcp.ack(Side::server, at(kSecond), {.sequence_offset = -1});
  tcp.ack(Side::client, at(kSecond));
  const Record r = record_of(frames);
  EXPECT_EQ(r.missed_bytes, (WidePair{0, 0}));
  EXPECT_EQ(r.keep_alives, (Pair{0, 1}));
}

TEST(tcp_anomalies, a_capture_may_begin_with_a_keep_alive_of_one_byte) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.ack(Side::server, at(0));
  tcp.set_next(Side::client, tcp.next(Side::client) - 1);
  tcp.data(Side::client, "x", at(kSecond));
  tcp.data(Side::client, "hello", at(2 * kSecond));
  const Record r = record_of(frames);
  const std::size_t client = r.port[0] == 80 ? 1 : 0;
  EXPECT_EQ(r.payload_bytes[client], 5u);
  EXPECT_EQ(r.keep_alives[client], 1u);
  EXPECT_EQ(r.retransmitted_packets[client], 0u);
}

// --- Duplicates -------------------------------------------------------------------------------

// Each frame twice, the second copy `delay` later, with IP identifications as a stack counts them.
Frames mirrored(Frames frames, DurationNs delay) {
  Frames both;
  for (const Frame& frame : frames) {
    both.push_back(frame);
    both.push_back(frame);
    both.back().timestamp_ns += delay;
  }
  sort_by_time(both);
  return both;
}

Frames conversation(DurationNs step) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  auto next = [&, i = 0]() mutable {
    ++tcp.ip_fields.identification;
    return at(i++ * step);
  };
  tcp.syn(next());
  tcp.syn_ack(next());
  tcp.ack(Side::client, next());
  for (int i = 0; i < 5; ++i) {
    tcp.data(Side::client, "request", next());
    tcp.data(Side::server, "answer", next());
    tcp.ack(Side::client, next());
  }
  tcp.fin(Side::client, next());
  tcp.fin(Side::server, next());
  tcp.ack(Side::client, next());
  return frames;
}

TEST(tcp_anomalies, a_mirrored_session_is_told_as_the_session_itself) {
  for (const DurationNs step : {10 * kMicrosecond, 10 * kMillisecond}) {
    const Frames frames = conversation(step);
    const Record once = record_of(frames);
    const Record twice = record_of(mirrored(frames, 15 * kMicrosecond));
    EXPECT_EQ(twice.duplicates, (Pair{14, 7}));
    EXPECT_EQ(twice.packets, (WidePair{28, 14}));
    EXPECT_EQ(twice.payload_bytes, once.payload_bytes);
    EXPECT_EQ(twice.history.view(), once.history.view());
    EXPECT_EQ(twice.syn + twice.syn_ack + twice.fin, 4u);
    EXPECT_EQ(twice.retransmitted_packets, (Pair{0, 0}));
    EXPECT_EQ(twice.duplicate_acks, (Pair{0, 0}));
    EXPECT_EQ(twice.late_packets, (Pair{0, 0}));
    EXPECT_EQ(twice.rtt_syn_ack_ns, once.rtt_syn_ack_ns);
  }
}

TEST(tcp_anomalies, a_copy_after_the_window_is_a_retransmission) {
  for (const bool is_soon : {true, false}) {
    Frames frames;
    TcpPeers tcp = peers(frames);
    tcp.data(Side::client, "hello", at(kSecond));
    tcp.data(Side::client, "hello", at(kSecond + kMillisecond + (is_soon ? 0 : 1)),
             {.sequence_offset = -5});
    const Record r = record_of(frames);
    EXPECT_EQ(r.duplicates[0], is_soon ? 1u : 0u);
    EXPECT_EQ(r.retransmitted_packets[0], is_soon ? 0u : 1u);
  }
}

// An acknowledgment brings about a retransmission of the last segment, within dedupWindow.
TEST(tcp_anomalies, where_the_syn_came_once_the_first_copy_is_a_retransmission) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.handshake(at(0));
  tcp.data(Side::client, "hello", at(kSecond));
  tcp.ack(Side::server, at(2 * kSecond), {.acknowledgment_offset = -5});
  tcp.data(Side::client, "hello", at(2 * kSecond + kMicrosecond), {.sequence_offset = -5});
  tcp.data(Side::client, "hello", at(2 * kSecond + 2 * kMicrosecond), {.sequence_offset = -5});
  const Record r = record_of(frames);
  EXPECT_EQ(r.duplicates, (Pair{1, 0}));
  EXPECT_EQ(r.retransmitted_packets, (Pair{1, 0}));
}

TEST(tcp_anomalies, once_duplicates_are_known_the_ip_identification_tells_a_retransmission) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.ip_fields.identification = 7;
  tcp.syn(at(0));
  tcp.syn(at(10 * kMicrosecond), {.sequence_offset = -1});  // the mirror port's
  tcp.syn_ack(at(kMillisecond));
  tcp.ack(Side::client, at(2 * kMillisecond));
  tcp.data(Side::client, "hello", at(kSecond));
  tcp.ip_fields.identification = 8;
  tcp.data(Side::client, "hello", at(kSecond + kMicrosecond), {.sequence_offset = -5});
  tcp.data(Side::client, "hello", at(kSecond + 2 * kMicrosecond), {.sequence_offset = -5});
  const Record r = record_of(frames);
  EXPECT_EQ(r.duplicates, (Pair{2, 0}));
  EXPECT_EQ(r.retransmitted_packets, (Pair{1, 0}));
}

// A mirror port repeats the SYN: all that follows is held against what was said lately.
TcpPeers mirrored_opening(Frames& frames) {
  TcpPeers tcp = peers(frames, 0, 1'000, 1'000);
  tcp.syn(at(0));
  tcp.syn(at(kMicrosecond), {.sequence_offset = -1});
  tcp.syn_ack(at(kMillisecond));
  tcp.ack(Side::client, at(2 * kMillisecond));
  return tcp;
}

TEST(tcp_anomalies, what_both_sides_say_alike_is_no_duplicate) {
  Frames frames;
  TcpPeers tcp = mirrored_opening(frames);
  tcp.data(Side::client, "hello", at(kSecond));
  tcp.data(Side::server, "hello", at(kSecond + kMicrosecond), {.acknowledgment_offset = -5});
  const Record r = record_of(frames);
  EXPECT_EQ(r.duplicates, (Pair{1, 0}));
  EXPECT_EQ(r.payload_bytes, (WidePair{5, 5}));
}

// Its clocks wrap by then.
TEST(tcp_anomalies, what_was_said_4_seconds_ago_is_not_said_lately) {
  constexpr DurationNs kWrap = DurationNs{1} << 32;
  Frames frames;
  TcpPeers tcp = mirrored_opening(frames);
  tcp.ack(Side::server, at(kSecond));
  tcp.data(Side::client, "hello", at(kSecond + kWrap - kMicrosecond));
  tcp.ack(Side::server, at(kSecond + kWrap), {.acknowledgment_offset = -5});
  EXPECT_EQ(record_of(frames).duplicates, (Pair{1, 0}));
}

TEST(tcp_anomalies, without_a_window_nothing_is_a_duplicate) {
  Settings settings = small_settings();
  settings.dedupWindow = 0;
  const Record r = record_of(mirrored(conversation(10 * kMillisecond), 0), settings);
  EXPECT_EQ(r.duplicates, (Pair{0, 0}));
  EXPECT_EQ(r.retransmitted_packets, (Pair{5, 5}));
}

// --- Acknowledgments --------------------------------------------------------------------------

TEST(tcp_anomalies, duplicate_acks_say_nothing_new_while_data_is_under_way) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.handshake(at(0));
  tcp.ack(Side::server, at(kSecond));  // nothing under way
  tcp.ack(Side::server, at(kSecond));
  for (int i = 0; i < 4; ++i) tcp.data(Side::client, "0123456789", at(2 * kSecond));
  tcp.ack(Side::server, at(3 * kSecond), {.acknowledgment_offset = -30});
  tcp.ack(Side::server, at(4 * kSecond), {.acknowledgment_offset = -30});
  tcp.ack(Side::server, at(5 * kSecond), {.acknowledgment_offset = -30});
  tcp.ack(Side::server, at(6 * kSecond), {.acknowledgment_offset = -30, .window = 9'000});
  tcp.ack(Side::server, at(7 * kSecond));
  tcp.ack(Side::server, at(8 * kSecond));
  EXPECT_EQ(record_of(frames).duplicate_acks, (Pair{0, 2}));
}

TEST(tcp_anomalies, what_was_acknowledged_is_retransmitted_in_vain) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.handshake(at(0));
  tcp.data(Side::client, "0123456789", at(kSecond));
  tcp.data(Side::client, "0123456789", at(2 * kSecond), {.sequence_offset = -10});
  tcp.ack(Side::server, at(3 * kSecond));
  tcp.data(Side::client, "0123456789", at(4 * kSecond), {.sequence_offset = -10});
  const Record r = record_of(frames);
  EXPECT_EQ(r.retransmitted_packets, (Pair{2, 0}));
  EXPECT_EQ(r.spurious_packets, (Pair{1, 0}));
}

TEST(tcp_anomalies, the_capture_missed_what_was_acknowledged_and_never_seen) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.handshake(at(0));
  tcp.data(Side::client, "seen", at(kSecond));
  tcp.data(Side::client, "not seen", at(kSecond), kLost);
  tcp.data(Side::client, "seen", at(kSecond));
  tcp.ack(Side::server, at(2 * kSecond));
  EXPECT_EQ(record_of(frames).missed_bytes, (WidePair{8, 0}));
  tcp.data(Side::client, "nor this", at(3 * kSecond), kLost);
  tcp.ack(Side::server, at(4 * kSecond));
  EXPECT_EQ(record_of(frames).missed_bytes, (WidePair{16, 0}));
  EXPECT_EQ(record_of(frames).gap_bytes, (WidePair{8, 0}));
}

TEST(tcp_anomalies, what_was_lost_before_the_receiver_is_a_gap_but_not_missed) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.handshake(at(0));
  tcp.data(Side::client, "lost", at(kSecond), kLost);
  tcp.data(Side::client, "arrives", at(kSecond));
  tcp.ack(Side::server, at(2 * kSecond), {.acknowledgment_offset = -9});  // half of it, in truth
  const Record r = record_of(frames);
  EXPECT_EQ(r.gap_bytes, (WidePair{4, 0}));
  EXPECT_EQ(r.missed_bytes, (WidePair{2, 0}));
}

// By a timeout or a full table: over both parts of it each byte counts once.
TEST(tcp_anomalies, what_a_cut_session_sent_is_a_retransmission_in_what_continues_it) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.handshake(at(0));
  tcp.data(Side::client, "0123456789", at(kSecond));
  tcp.data(Side::client, "456789abcd", at(15 * kMinute), {.sequence_offset = -6});
  tcp.data(Side::client, "0123", at(15 * kMinute + kSecond), {.sequence_offset = -14});
  TableRun run;
  run.see(frames);
  run.finish();
  const std::vector<Record> ends = run.all(Action::session_end);
  ASSERT_EQ(ends.size(), 2u);
  EXPECT_EQ(ends[1].continues, ends[0].id);
  EXPECT_EQ(ends[0].payload_bytes, (WidePair{10, 0}));
  EXPECT_EQ(ends[1].payload_bytes, (WidePair{4, 0}));
  EXPECT_EQ(ends[1].retransmitted_packets, (Pair{2, 0}));
  EXPECT_EQ(ends[1].retransmitted_bytes, (WidePair{10, 0}));
  EXPECT_EQ(ends[1].out_of_order_packets, (Pair{0, 0}));
}

// --- Windows ----------------------------------------------------------------------------------

TEST(tcp_anomalies, a_closed_window_is_timed_until_it_opens_or_the_session_ends) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.handshake(at(0));
  tcp.data(Side::client, "0123456789", at(kSecond));
  tcp.ack(Side::server, at(2 * kSecond), {.window = 0});
  tcp.ack(Side::server, at(3 * kSecond), {.window = 0});
  tcp.data(Side::server, "opens it", at(5 * kSecond));
  EXPECT_EQ(record_of(frames).zero_window_ns, (std::array<DurationNs, 2>{0, 3 * kSecond}));
  tcp.data(Side::client, "01234", at(6 * kSecond));
  tcp.ack(Side::server, at(7 * kSecond), {.window = 0});
  tcp.data(Side::client, "5", at(9 * kSecond));
  const Record r = record_of(frames);
  EXPECT_EQ(r.zero_window_ns, (std::array<DurationNs, 2>{0, 5 * kSecond}));
  EXPECT_EQ(r.zero_windows, (Pair{0, 3}));
}

// It is told in a second block.
TEST(tcp_anomalies, the_blocks_of_a_session_are_used_again) {
  Settings settings = small_settings();
  settings.extensionPool = 2;
  TableRun run(settings);
  for (unsigned i = 0; i < 10; ++i) {
    Frames frames;
    TcpPeers tcp = peers(frames, i);
    tcp.handshake(at(i * kHour));
    tcp.ack(Side::server, at(i * kHour + kSecond), {.window = 0});
    run.see(frames);
    run.pass(kHour / 2);
  }
  EXPECT_EQ(run.counters().extension_dry.value(), 0u);
  const std::vector<Record> ends = run.all(Action::session_end);
  EXPECT_EQ(ends.size(), 10u);
  for (const Record& r : ends) EXPECT_EQ(r.zero_windows, (Pair{0, 1}));
}

TEST(tcp_anomalies, a_keep_alive_comes_when_nothing_is_under_way_and_the_window_is_open) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.handshake(at(0));
  tcp.data(Side::client, "0", at(kSecond));
  tcp.data(Side::client, "0", at(2 * kSecond), {.sequence_offset = -1});  // sent again
  tcp.ack(Side::server, at(3 * kSecond));
  tcp.data(Side::client, "0", at(4 * kSecond), {.sequence_offset = -1});  // keep-alives
  tcp.ack(Side::client, at(5 * kSecond), {.sequence_offset = -1});
  tcp.ack(Side::server, at(6 * kSecond), {.window = 0});
  tcp.ack(Side::client, at(7 * kSecond), {.sequence_offset = -1});  // a probe of the window
  tcp.ack(Side::server, at(8 * kSecond));
  tcp.ack(Side::client, at(9 * kSecond), {.sequence_offset = -1});
  const Record r = record_of(frames);
  EXPECT_EQ(r.keep_alives, (Pair{3, 0}));
  EXPECT_EQ(r.retransmitted_packets, (Pair{1, 0}));
}

// --- The handshake and the close --------------------------------------------------------------

// Of a close that seemed to be seen from one side only.
TEST(tcp_anomalies, what_comes_long_after_its_fin_was_not_overtaken_by_it) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.data(Side::client, "seen", at(0));
  tcp.data(Side::client, "lost", at(0), kLost);
  tcp.fin(Side::client, at(kMillisecond));
  tcp.ack(Side::server, at(2 * kSecond));
  tcp.data(Side::client, "lost", at(2 * kSecond + kMicrosecond), {.sequence_offset = -5});
  EXPECT_EQ(record_of(frames).out_of_order_packets, (Pair{1, 0}));
}

// Some stacks count it as a byte.
TEST(tcp_anomalies, a_fin_that_is_sent_again_one_further_on_is_no_payload) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.handshake(at(0));
  tcp.data(Side::client, "hello", at(kSecond));
  for (int i = 2; i < 5; ++i) tcp.fin(Side::client, at(i * kSecond));
  const Record r = record_of(frames);
  EXPECT_EQ(r.payload_bytes, (WidePair{5, 0}));
  EXPECT_EQ(r.fin, 3u);
}

TEST(tcp_anomalies, the_answer_to_a_syn_ack_that_was_sent_twice_tells_no_round_trip) {
  for (const bool is_twice : {false, true}) {
    Frames frames;
    TcpPeers tcp = peers(frames);
    tcp.syn(at(0));
    tcp.syn_ack(at(10 * kMillisecond));
    if (is_twice) tcp.syn_ack(at(kSecond), {.sequence_offset = -1});
    tcp.ack(Side::client, at(2 * kSecond));
    const Record r = record_of(frames);
    EXPECT_EQ(r.rtt_syn_ack_ns, 10 * kMillisecond);
    EXPECT_EQ(r.rtt_ack_ns, is_twice ? 0 : 1'990 * kMillisecond);
  }
}

TEST(tcp_anomalies, what_the_handshake_announced_is_told_by_side) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.syn(at(0), {.flags = kTcpSyn | kTcpEce | kTcpCwr,
                  .window = 64'240,
                  .options = {.sack_permitted = true,
                              .timestamps = TcpOptions::Stamps{1, 0},
                              .fast_open_cookie = ByteList{},
                              .other = {30, 4, 0, 0}}});
  tcp.syn_ack(at(1), {.flags = kTcpSyn | kTcpAck | kTcpEce,
                      .window = 65'160,
                      .options = {.sack_permitted = true, .other = {29, 4, 0, 0}}});
  tcp.ack(Side::client, at(2));
  tcp.data(Side::client, "x", at(3), {.flags = kTcpAck | kTcpCwr});
  tcp.data(Side::client, "y", at(4), {.flags = kTcpAck | kTcpUrg});
  tcp.ack(Side::server, at(5), {.flags = kTcpAck | kTcpEce});
  const Record r = record_of(frames);
  EXPECT_EQ(r.options[0], kTcpSackPermitted | kTcpTimestamps | kTcpFastOpen | kTcpMptcp);
  EXPECT_EQ(r.options[1], kTcpSackPermitted | kTcpMd5OrAo);
  EXPECT_EQ(r.initial_window, (std::array<std::uint16_t, 2>{64'240, 65'160}));
  EXPECT_TRUE(r.ecn);
  EXPECT_EQ(r.ece, 1u);
  EXPECT_EQ(r.cwr, 1u);
  EXPECT_EQ(r.urg, 1u);
}

TEST(tcp_anomalies, ecn_needs_both_sides) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.syn(at(0), {.flags = kTcpSyn | kTcpEce | kTcpCwr});
  tcp.syn_ack(at(1));
  EXPECT_FALSE(record_of(frames).ecn);
}

TEST(tcp_anomalies, a_second_syn_is_answered_by_both_or_split) {
  for (const bool is_split : {true, false}) {
    Frames frames;
    TcpPeers tcp = peers(frames);
    tcp.syn(at(0));
    tcp.segment(Side::server, kTcpSyn, "", at(kMillisecond));
    tcp.segment(Side::client, kTcpSyn | kTcpAck, "", at(2 * kMillisecond), {.sequence_offset = -1});
    if (is_split) {
      tcp.ack(Side::server, at(3 * kMillisecond));
    } else {
      tcp.segment(Side::server, kTcpSyn | kTcpAck, "", at(3 * kMillisecond),
                  {.sequence_offset = -1});
    }
    tcp.data(Side::client, "hello", at(4 * kMillisecond));
    const Record r = record_of(frames);
    EXPECT_EQ(r.split_handshake, is_split);
    EXPECT_EQ(r.simultaneous_open, !is_split);
  }
}

TEST(tcp_anomalies, a_close_is_simultaneous_when_neither_fin_had_seen_the_other) {
  for (const bool is_simultaneous : {true, false}) {
    for (const bool is_reordered : {true, false}) {
      Frames frames;
      TcpPeers tcp = peers(frames);
      tcp.handshake(at(0));
      tcp.data(Side::client, "hello", at(kSecond));
      tcp.fin(Side::client, at(2 * kSecond));
      tcp.fin(Side::server, at(2 * kSecond + kMicrosecond),
              {.acknowledgment_offset = is_simultaneous ? -1 : 0});
      if (is_reordered) std::swap(frames[4].timestamp_ns, frames[5].timestamp_ns);
      sort_by_time(frames);
      for (const std::size_t again : {0, 1}) {  // the handshake
        frames.push_back(frames[again]);
        frames.back().timestamp_ns = at(3 * kSecond);
      }
      EXPECT_EQ(record_of(frames).simultaneous_close, is_simultaneous);
    }
  }
}

TEST(tcp_anomalies, resets_are_told_by_side_and_validity) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.handshake(at(0));
  tcp.data(Side::client, "hello", at(kSecond));
  const std::uint32_t next = tcp.next(Side::server);
  tcp.rst(Side::server, at(2 * kSecond), {.flags = kTcpRst, .sequence_offset = 1'000'000'000});
  tcp.set_next(Side::server, next);
  tcp.rst(Side::client, at(3 * kSecond));
  const Record r = record_of(frames);
  EXPECT_EQ(r.rst, 2u);
  EXPECT_EQ(r.rst_sent, (Pair{1, 1}));
  EXPECT_EQ(r.rst_off_window, (Pair{0, 1}));
}

}  // namespace
}  // namespace linger::test
