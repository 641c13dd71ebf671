#include "sessiontable/tcp_rtt.h"

#include <gtest/gtest.h>

#include "tests/sessiontable/table_run.h"

namespace linger::test {
namespace {

using Pair = std::array<std::uint32_t, 2>;
using Samples = std::array<std::uint16_t, 2>;

constexpr std::int64_t kMs = kMillisecond;

TcpKnobs stamped(std::uint32_t value, std::uint32_t echo, std::int64_t offset = 0) {
  return {.sequence_offset = offset, .options = {.timestamps = TcpOptions::Stamps{value, echo}}};
}

// The client's next packet is its 64th: the first that is measured.
TcpPeers long_session(Frames& frames, unsigned number = 0) {
  TcpPeers tcp = peers(frames, number);
  tcp.handshake(at(0));
  for (int i = 3; i < 64; ++i) {
    tcp.data(Side::client, "more", at(i * kMs));
    tcp.ack(Side::server, at(i * kMs) + kMs / 2);
  }
  return tcp;
}

TEST(tcp_rtt, payload_is_measured_to_its_acknowledgment_on_both_sides_of_the_observer) {
  Frames frames;
  TcpPeers tcp = long_session(frames);
  tcp.data(Side::client, "request", at(100 * kMs));
  tcp.data(Side::server, "answer", at(140 * kMs));
  tcp.ack(Side::client, at(143 * kMs));
  const Record r = record_of(frames);
  EXPECT_EQ(r.rtt_min_ns, (Pair{3'000'000, 40'000'000}));
  EXPECT_EQ(r.rtt_max_ns, r.rtt_min_ns);
  EXPECT_EQ(r.rtt_smoothed_ns, r.rtt_min_ns);
  EXPECT_EQ(r.rtt_samples, (Samples{1, 1}));
  EXPECT_FALSE(r.rtt_missing);
}

TEST(tcp_rtt, a_long_session_is_measured_again_and_again_and_told_smoothed) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.handshake(at(0));
  std::int64_t now = at(kSecond);
  for (int number = 3; number < 1'100; ++number) {
    tcp.data(Side::client, "more", now += kMs);
    const int delay = number == 64 ? 80 : number == 256 ? 8 : number == 1'024 ? 160 : 1;
    tcp.ack(Side::server, now += delay * kMs);
  }
  const Record r = record_of(frames);
  EXPECT_EQ(r.rtt_min_ns[1], 1'000'000u);
  EXPECT_EQ(r.rtt_max_ns[1], 160'000'000u);
  // The server's 64th packet comes a little later, and begins a measurement too.
  std::uint32_t smoothed = 80'000'000;
  for (const std::uint32_t ms : {1, 1, 1, 8, 1, 1, 1, 160, 1, 1, 1})
    smoothed = smoothed - smoothed / 8 + ms * 1'000'000 / 8;
  EXPECT_EQ(r.rtt_smoothed_ns[1], smoothed);
  EXPECT_EQ(r.rtt_samples[1], 12);
}

TEST(tcp_rtt, an_acknowledgment_of_what_was_sent_again_tells_nothing) {
  Frames frames;
  TcpPeers tcp = long_session(frames);
  tcp.data(Side::client, "hello", at(100 * kMs));
  tcp.data(Side::client, "hello", at(300 * kMs), {.sequence_offset = -5});
  tcp.ack(Side::server, at(320 * kMs));
  EXPECT_EQ(record_of(frames).rtt_samples, (Samples{0, 0}));
}

// Where segments are lost, the first few often are among them.
TEST(tcp_rtt, as_long_as_nothing_was_told_a_later_segment_may) {
  for (const unsigned untold : {4u, 63u, 64u}) {
    Frames frames;
    TcpPeers tcp = long_session(frames);
    tcp.data(Side::client, "hello", at(100 * kMs));
    tcp.data(Side::client, "hello", at(300 * kMs), {.sequence_offset = -5});
    tcp.ack(Side::server, at(320 * kMs));
    for (unsigned i = 3; i < untold; ++i) tcp.ack(Side::client, at((320 + i) * kMs));
    tcp.data(Side::client, "more", at(kSecond));
    tcp.ack(Side::server, at(kSecond + 7 * kMs));
    const Record r = record_of(frames);
    EXPECT_EQ(r.rtt_max_ns, (Pair{0, untold < TcpRtt::kTries ? 7'000'000u : 0u})) << untold;
    EXPECT_EQ(r.rtt_samples[1], untold < TcpRtt::kTries ? 1 : 0) << untold;
  }
}

TEST(tcp_rtt, unless_its_timestamp_names_the_first) {
  for (const bool names_first : {true, false}) {
    Frames frames;
    TcpPeers tcp = long_session(frames);
    tcp.data(Side::client, "hello", at(100 * kMs), stamped(10, 1));
    tcp.data(Side::client, "hello", at(300 * kMs), stamped(30, 1, -5));
    tcp.ack(Side::server, at(320 * kMs), stamped(2, names_first ? 10 : 30));
    const Record r = record_of(frames);
    EXPECT_EQ(r.rtt_samples[1], names_first ? 1 : 0);
    EXPECT_EQ(r.rtt_min_ns[1], names_first ? 220'000'000u : 0u);
  }
}

TEST(tcp_rtt, what_is_never_acknowledged_is_not_waited_for_forever) {
  Frames frames;
  TcpPeers tcp = long_session(frames);
  int number = 64;
  // It is watched anew with the 1,024th.
  for (; number < 1'024 + TcpRtt::kWatched; ++number)
    tcp.data(Side::client, "x", at(kSecond + number));
  tcp.ack(Side::server, at(2 * kSecond));
  EXPECT_EQ(record_of(frames).rtt_samples, (Samples{0, 0}));
  for (; number <= 4'096; ++number) tcp.data(Side::client, "x", at(2 * kSecond + number * kMs));
  tcp.ack(Side::server, at(2 * kSecond + 4'100 * kMs));
  EXPECT_EQ(record_of(frames).rtt_max_ns, (Pair{0, 4'000'000}));
}

TEST(tcp_rtt, of_a_side_that_was_not_seen_yet_no_answer_is_waited_for) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  for (int number = 1; number < 80; ++number) tcp.data(Side::client, "x", at(number * kMs));
  tcp.ack(Side::server, at(kSecond));
  EXPECT_EQ(record_of(frames).rtt_samples, (Samples{0, 0}));
}

// Of the first four packets one is measured.
TEST(tcp_rtt, a_syn_that_comes_again_takes_no_turn) {
  Frames frames;
  TcpPeers tcp = long_session(frames);
  tcp.ack(Side::client, at(100 * kMs));
  for (int i = 1; i <= 3; ++i) {
    frames.push_back(frames[0]);
    frames.back().timestamp_ns = at((100 + i) * kMs);
  }
  tcp.data(Side::client, "hello", at(110 * kMs));
  tcp.ack(Side::server, at(113 * kMs));
  EXPECT_EQ(record_of(frames).rtt_max_ns, (Pair{0, 3'000'000}));
}

TEST(tcp_rtt, a_block_is_used_again) {
  Settings settings = small_settings();
  settings.rttPool = 1;
  TableRun run(settings);
  for (unsigned i = 0; i < 3; ++i) {
    Frames frames;
    long_session(frames, i).data(Side::client, "hello", at(kSecond));
    run.see(frames);
    run.pass(kHour);
  }
  EXPECT_EQ(run.counters().rtt_missing.value(), 0u);
}

TEST(tcp_rtt, a_dry_pool_is_counted_and_told) {
  Settings settings = small_settings();
  settings.rttPool = 1;
  Frames frames;
  for (unsigned i = 0; i < 2; ++i) {
    TcpPeers tcp = long_session(frames, i);
    tcp.data(Side::client, "hello", at(kSecond));
    tcp.ack(Side::server, at(2 * kSecond));
  }
  TableRun run(settings);
  run.see(frames);
  run.finish();
  EXPECT_EQ(run.counters().rtt_missing.value(), 1u);
  int missing = 0, samples = 0;
  for (const Record& r : run.all(Action::session_end))
    missing += r.rtt_missing, samples += r.rtt_samples[1];
  EXPECT_EQ(missing, 1);
  EXPECT_EQ(samples, 1);
}

}  // namespace
}  // namespace linger::test
