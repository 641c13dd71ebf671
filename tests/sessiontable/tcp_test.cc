#include "sessiontable/tcp.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "tests/packet/decoded.h"

namespace linger::test {
namespace {

static_assert(seq_before(0xffff'ffff, 0));
static_assert(seq_after(5, 0xffff'fff0));
static_assert(!seq_before(7, 7));
static_assert(seq_before(5, 0x8000'0005) && !seq_after(5, 0x8000'0005));
static_assert(seq_within(2, 0xffff'fffe, 4));
static_assert(!seq_within(5, 0xffff'fffe, 4));
static_assert(seq_within(9, 9, 9));

bool is_usual(const SessionHot& hot, const Packet& packet) {
  return tcp_is_quiet(hot, tcp_quiet_flags(packet)) && tcp_is_next(hot, packet);
}

// One session outside of any table: frames in, its state out.
class OneSession {
 public:
  explicit OneSession(std::uint32_t extensions = 4)
      : extensions_(extensions, counters_.extension_dry) {
    cold_.extension = kNoSlot;
    name_.opening = openings_.take({});
  }

  void see(const Frame& frame) {
    const Packet packet = packet_at(frame);
    if (!is_open_) {
      is_open_ = true;
      session().set_key(packet.key);
      hot_.flags = kSessionNewest;
      session().begin_time(packet.clock, packet.timestamp);
      cold_.start = packet.timestamp;
      cold_.phase_clock = packet.clock;
      cold_.first_side = packet.direction & 1;
      name_.id_sequence = packet.tcp.sequence;
      tcp_open(session(), packet);
    }
    ++hot_.packets[packet.direction];
    if (takes_fast_path_ && is_usual(hot_, packet)) {
      tcp_join_next(session(), packet);
      ++fast_;
      return;
    }
    tcp_update(session(), packet, {extensions_, counters_, kMillisecond, 0, packet.clock});
  }
  void see(const Frames& frames) {
    for (const Frame& frame : frames) see(frame);
  }
  Membership membership(const Frame& frame) { return tcp_membership(session(), packet_at(frame)); }
  std::uint32_t distance(const Frame& frame) { return tcp_distance(session(), packet_at(frame)); }

  Session session() { return {hot_, cold_, name_, rare_, long_addresses_, nullptr, openings_}; }
  const SessionHot& hot() const { return hot_; }
  const SessionCold& cold() const { return cold_; }
  const SessionName& name() const { return name_; }
  Extension extension() {
    const Extension* found = extensions_.find(cold_);
    return found != nullptr ? *found : Extension{};
  }
  bool has_extension() { return extensions_.find(cold_) != nullptr; }
  // Of the side that the first frame came from.
  std::uint64_t payload_bytes(bool of_client = true) {
    const unsigned side = hot_.originator() ^ (of_client ? 0u : 1u);
    return tcp_payload_bytes(session(), extensions_.find(cold_), side);
  }
  int fast() const { return fast_; }
  void use_fast_path() { takes_fast_path_ = true; }

 private:
  static Packet packet_at(const Frame& frame) {
    Packet packet = decoded(frame);
    packet.clock = frame.timestamp_ns;
    return packet;
  }

  SessionHot hot_{};
  SessionCold cold_{};
  SessionName name_{};
  SessionRare rare_{};
  LongAddresses long_addresses_{};
  OpeningPool openings_{1, make_hash_seed(1)};
  TableCounters counters_;
  ExtensionPool extensions_;
  bool is_open_ = false;
  bool takes_fast_path_ = false;
  int fast_ = 0;
};

TcpPeers peers(Frames& frames, std::uint32_t client_isn = 1'000, std::uint32_t server_isn = 9'000) {
  return TcpPeers(frames, {"192.0.2.1", 40'000}, {"198.51.100.2", 80}, client_isn, server_isn);
}

TEST(tcp, phases_follow_a_connection) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  OneSession session;
  session.see(tcp.syn(at(0)));
  EXPECT_EQ(session.hot().phase, Phase::opening);
  session.see(tcp.syn_ack(at(1)));
  EXPECT_EQ(session.hot().phase, Phase::opening);
  session.see(tcp.ack(Side::client, at(2)));
  EXPECT_EQ(session.hot().phase, Phase::established);
  session.see(tcp.fin(Side::server, at(3)));
  EXPECT_EQ(session.hot().phase, Phase::half_closed);
  session.see(tcp.ack(Side::client, at(4)));
  EXPECT_EQ(session.hot().phase, Phase::half_closed);
  session.see(tcp.fin(Side::client, at(5)));
  EXPECT_EQ(session.hot().phase, Phase::closed);
  session.see(tcp.ack(Side::server, at(6)));
  EXPECT_EQ(session.hot().phase, Phase::closed);
  EXPECT_FALSE(session.has_extension());
}

TEST(tcp, payload_counts_across_the_wrap_of_either_side) {
  for (const std::uint32_t isn : {0xffff'ffffu, 0xffff'fffeu, 0xffff'fff0u, 0u, 0x7fff'fffeu}) {
    Frames frames;
    TcpPeers tcp = peers(frames, isn, isn - 3);
    OneSession session;
    tcp.handshake(at(0));
    for (int i = 0; i < 10; ++i) {
      tcp.data(Side::client, "0123456789", at(kSecond + i));
      tcp.data(Side::server, "abc", at(kSecond + i));
    }
    tcp.close(Side::client, at(2 * kSecond));
    session.see(frames);
    EXPECT_EQ(session.payload_bytes(), 100u) << isn;
    EXPECT_EQ(session.payload_bytes(false), 30u) << isn;
    EXPECT_FALSE(session.has_extension()) << isn;
  }
}

TEST(tcp, mid_stream_payload_counts_across_the_wrap_when_the_first_bytes_come_second) {
  Frames frames;
  TcpPeers tcp = peers(frames, 5);
  OneSession session;
  session.see(tcp.data(Side::client, "behind the wrap", at(0)));
  session.see(tcp.data(Side::client, "before the", at(1), {.sequence_offset = -25}));
  EXPECT_EQ(session.payload_bytes(), 25u);
}

TEST(tcp, more_than_four_gibibytes_are_counted) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  OneSession session;
  tcp.handshake(at(0));
  session.see(frames);
  const std::string chunk(60'000, 'x');
  std::uint64_t sent = 0;
  Frame data = tcp.data(Side::client, chunk, at(kSecond));
  Packet packet = decoded(data);
  while (sent < (std::uint64_t{5} << 30)) {  // the header alone moves on: as fast as possible
    if (is_usual(session.hot(), packet)) {
      tcp_join_next(session.session(), packet);
    } else {
      TableCounters counters;
      ExtensionPool none(1, counters.extension_dry);
      tcp_update(session.session(), packet, {none, counters, 0, 0, 0});
    }
    packet.tcp.sequence += packet.payload_bytes;
    sent += packet.payload_bytes;
  }
  EXPECT_EQ(session.payload_bytes(), sent);
}

TEST(tcp, what_the_capture_missed_stays_missed_however_much_comes_after) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  OneSession session;
  tcp.handshake(at(0));
  tcp.data(Side::client, "not seen", at(kSecond), {.captured = false});
  tcp.data(Side::client, "seen", at(kSecond));
  session.see(frames);
  const Extension e = session.extension();
  const Session s = session.session();
  for (int quarters = 0; quarters < 8; ++quarters) {  // of 4 GiB
    s.hot.acknowledged[1] = s.hot.sequence_low[0];
    EXPECT_EQ(tcp_missed_bytes(s, &e, 0), 8u) << quarters;
    s.advance_sequence(0, 1u << 30);
  }
}

TEST(tcp, a_gap_is_told_and_filled_from_either_end) {
  for (const std::vector<int>& order :
       {std::vector<int>{1, 2, 3}, {3, 2, 1}, {2, 1, 3}, {2, 3, 1}, {1, 3, 2}, {3, 1, 2}}) {
    Frames frames;
    TcpPeers tcp = peers(frames);
    OneSession session;
    tcp.handshake(at(0));
    for (int i = 0; i < 5; ++i) tcp.data(Side::client, "0123456789", at(kSecond));
    session.see(Frames(frames.begin(), frames.begin() + 4));
    session.see(frames[7]);
    EXPECT_EQ(session.extension().gap_bytes[0], 30u);
    EXPECT_EQ(session.payload_bytes(), 20u);
    for (const int i : order) session.see(frames[static_cast<std::size_t>(3 + i)]);
    const Extension e = session.extension();
    EXPECT_EQ(e.gap_count, 0);
    EXPECT_EQ(e.gap_bytes[0], 0u);
    EXPECT_EQ(e.out_of_order_packets[0], 3u);
    EXPECT_EQ(e.retransmitted_packets[0], 0u);
    EXPECT_EQ(session.payload_bytes(), 50u);
  }
}

TEST(tcp, gaps_of_both_sides_do_not_mix) {
  Frames frames;
  TcpPeers tcp = peers(frames, 70'000, 70'000);  // the same numbers on both sides
  OneSession session;
  tcp.handshake(at(0));
  session.see(frames);
  tcp.data(Side::client, "0123456789", at(kSecond), {.captured = false});
  tcp.data(Side::server, "01234", at(kSecond), {.captured = false});
  session.see(tcp.data(Side::client, "a", at(2 * kSecond)));
  session.see(tcp.data(Side::server, "b", at(2 * kSecond)));
  session.see(tcp.data(Side::server, "01234", at(3 * kSecond), {.sequence_offset = -6}));
  const Extension e = session.extension();
  EXPECT_EQ(session.payload_bytes(true), 1u);
  EXPECT_EQ(session.payload_bytes(false), 6u);
  EXPECT_EQ(e.gap_bytes[0] + e.gap_bytes[1], 10u);
}

// Payload is the set of bytes seen, whatever order and overlap they come in.
TEST(tcp, payload_is_the_set_of_bytes_seen) {
  constexpr std::size_t kBytes = 4'000;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    std::mt19937_64 random(seed);
    Frames frames;
    TcpPeers tcp = peers(frames, static_cast<std::uint32_t>(0xffff'f800 + random() % 4096));
    OneSession session(2 + kGapBlocksMax);
    tcp.handshake(at(0));
    session.see(frames);
    const std::uint32_t first = tcp.next(Side::client);
    std::vector<bool> seen(kBytes);
    const auto see = [&](std::size_t begin, std::size_t length, DurationNs time) {
      tcp.set_next(Side::client, first + static_cast<std::uint32_t>(begin));
      session.see(tcp.data(Side::client, std::string(length, 'x'), at(time)));
      for (std::size_t j = begin; j < begin + length; ++j) seen[j] = true;
    };
    std::size_t gaps_most = 0;
    for (int i = 0; i < 200; ++i) {
      const std::size_t length = 1 + random() % 20;
      see(random() % (kBytes - length), length, kSecond + i);
      gaps_most = std::max<std::size_t>(gaps_most, session.extension().gap_count);
      ASSERT_EQ(session.payload_bytes(),
                static_cast<std::uint64_t>(std::count(seen.begin(), seen.end(), true)))
          << "seed " << seed << ", segment " << i;
    }
    EXPECT_GT(gaps_most, 50u);
    see(0, kBytes / 2, 2 * kSecond);
    see(kBytes / 2, kBytes / 2, 2 * kSecond);
    EXPECT_EQ(session.payload_bytes(), kBytes);
    EXPECT_EQ(session.extension().gap_count, 0);
    EXPECT_EQ(session.extension().more_gaps, nullptr);
    EXPECT_FALSE(session.cold().extension_dry);
  }
}

// More of them than a session can keep: the oldest are a loss, whatever comes later.
TEST(tcp, of_too_many_gaps_the_oldest_stay_a_loss) {
  for (const std::uint32_t blocks : {0u, 1u, 2u, 100u}) {  // beside the Extension
    const std::size_t kept =
        Extension::kGaps + std::min<std::size_t>(blocks, kGapBlocksMax) * GapBlock::kGaps;
    Frames frames;
    TcpPeers tcp = peers(frames);
    OneSession session(1 + blocks);
    tcp.handshake(at(0));
    session.see(frames);
    const std::uint32_t first = tcp.next(Side::client);
    const auto see_each_second = [&](std::uint32_t from) {
      for (std::uint32_t i = from; i < 400; i += 2) {
        tcp.set_next(Side::client, first + i);
        session.see(tcp.data(Side::client, "x", at(kSecond + i)));
      }
    };
    see_each_second(1);
    EXPECT_EQ(session.payload_bytes(), 200u);
    see_each_second(0);
    const Extension e = session.extension();
    EXPECT_EQ(session.payload_bytes(), 200 + kept) << blocks;
    EXPECT_EQ(e.gap_bytes[0], 200 - kept);
    EXPECT_EQ(e.retransmitted_packets[0], 200 - kept);
    EXPECT_EQ(e.more_gaps, nullptr);
    EXPECT_EQ(session.cold().extension_dry, blocks < kGapBlocksMax);
  }
}

TEST(tcp, a_dry_extension_pool_is_marked_and_breaks_nothing) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  OneSession session(0);
  tcp.handshake(at(0));
  session.see(frames);
  tcp.data(Side::client, "lost", at(kSecond), {.captured = false});
  session.see(tcp.data(Side::client, "there", at(2 * kSecond)));
  session.see(tcp.data(Side::client, "there", at(3 * kSecond), {.sequence_offset = -5}));
  EXPECT_TRUE(session.cold().extension_dry);
  EXPECT_EQ(session.hot().phase, Phase::established);
}

TEST(tcp, the_fast_path_changes_what_the_slow_one_would) {
  Frames frames;
  TcpPeers tcp = peers(frames, 0xffff'fff0);
  tcp.handshake(at(0));
  for (int i = 0; i < 20; ++i) {
    tcp.data(i % 3 ? Side::client : Side::server, "0123456789", at(kSecond + i));
    tcp.ack(i % 3 ? Side::server : Side::client, at(kSecond + i));
  }
  OneSession slow;
  OneSession fast;
  fast.use_fast_path();
  slow.see(frames);
  fast.see(frames);
  EXPECT_GT(fast.fast(), 30);
  EXPECT_EQ(fast.hot().sequence_low, slow.hot().sequence_low);
  EXPECT_EQ(fast.cold().sequence_high, slow.cold().sequence_high);
  EXPECT_EQ(fast.hot().acknowledged, slow.hot().acknowledged);
  EXPECT_EQ(fast.hot().window, slow.hot().window);
  EXPECT_EQ(fast.hot().flags, slow.hot().flags);
  EXPECT_EQ(fast.cold().history, slow.cold().history);
}

TEST(tcp, the_fast_path_leaves_anything_unusual_alone) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  OneSession session;
  tcp.handshake(at(0));
  tcp.data(Side::client, "hello", at(kSecond));
  session.see(frames);
  const auto is_fast = [&](const Frame& frame) { return is_usual(session.hot(), decoded(frame)); };
  EXPECT_TRUE(is_fast(tcp.data(Side::client, "x", at(0))));
  tcp.set_next(Side::client, 1'006);
  EXPECT_FALSE(is_fast(tcp.data(Side::client, "x", at(0), {.sequence_offset = 1})));
  tcp.set_next(Side::client, 1'006);
  EXPECT_FALSE(is_fast(tcp.data(Side::client, "x", at(0), {.sequence_offset = -1})));
  EXPECT_FALSE(is_fast(tcp.data(Side::client, "x", at(0), {.window = 0})));
  tcp.set_next(Side::client, 1'006);
  EXPECT_FALSE(is_fast(tcp.data(Side::client, "x", at(0), {.acknowledgment_offset = -9})));
  tcp.set_next(Side::client, 1'006);
  EXPECT_FALSE(is_fast(tcp.fin(Side::client, at(0))));
  EXPECT_FALSE(is_fast(tcp.rst(Side::client, at(0))));
}

TEST(tcp, membership_of_a_syn_goes_by_its_number) {
  Frames frames;
  TcpPeers tcp = peers(frames, 1'000);
  OneSession session;
  tcp.handshake(at(0));
  session.see(frames);
  TcpPeers again = peers(frames, 1'000);
  TcpPeers another = peers(frames, 77'000);
  EXPECT_EQ(session.membership(again.syn(at(kSecond))), Membership::member);
  EXPECT_EQ(session.membership(another.syn(at(kSecond))), Membership::candidate);
  session.see(tcp.fin(Side::client, at(2 * kSecond)));
  session.see(tcp.fin(Side::server, at(2 * kSecond)));
  EXPECT_EQ(session.membership(another.syn(at(3 * kSecond), {.sequence_offset = -1})),
            Membership::stranger);
}

TEST(tcp, a_syn_that_later_data_and_its_answer_overtook_is_of_their_session) {
  for (const std::uint32_t isn : {1'000u, 0xffff'fffcu}) {  // the second: data across the wrap
    Frames frames;
    TcpPeers tcp = peers(frames, isn);
    tcp.handshake(at(0));
    const Frame syn = frames[0];
    const Frame syn_ack = frames[1];
    OneSession session;
    session.see(syn_ack);
    session.see(tcp.data(Side::client, "behind", at(1), {.sequence_offset = 5}));
    EXPECT_EQ(session.membership(peers(frames, isn - 70'000).syn(at(2))), Membership::candidate);
    EXPECT_EQ(session.membership(peers(frames, isn + 6).syn(at(2))), Membership::candidate);
    ASSERT_EQ(session.membership(syn), Membership::member);
    session.see(syn);
    EXPECT_EQ(session.extension().gap_bytes[session.hot().originator()], 5u);
    session.see(tcp.data(Side::client, "first", at(3), {.sequence_offset = -11}));
    EXPECT_EQ(session.extension().gap_bytes[session.hot().originator()], 0u);
    EXPECT_EQ(session.payload_bytes(), 11u) << isn;
  }
}

TEST(tcp, nothing_lies_beyond_a_senders_fin) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  OneSession session;
  tcp.handshake(at(0));
  tcp.data(Side::client, "hello", at(kSecond));
  tcp.close(Side::client, at(2 * kSecond));
  session.see(frames);
  EXPECT_EQ(session.membership(tcp.data(Side::client, "hello", at(0), {.sequence_offset = -6})),
            Membership::member);
  EXPECT_EQ(session.membership(tcp.ack(Side::server, at(0))), Membership::member);
  EXPECT_EQ(session.membership(tcp.rst(Side::client, at(0))), Membership::member);
  EXPECT_EQ(session.membership(tcp.data(Side::client, "beyond", at(0))), Membership::stranger);
}

TEST(tcp, what_was_sent_last_is_known_after_more_than_four_gibibytes) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  OneSession session;
  tcp.handshake(at(0));
  session.see(frames);
  session.session().advance_sequence(0, UINT32_MAX);
  session.session().advance_sequence(0, 8);
  tcp.set_next(Side::client, session.hot().sequence_low[0]);
  session.see(tcp.data(Side::client, "hello", at(kSecond)));
  session.see(tcp.fin(Side::client, at(kSecond)));
  session.see(tcp.fin(Side::server, at(kSecond)));
  EXPECT_EQ(session.membership(
                tcp.data(Side::client, "before hello", at(0), {.sequence_offset = -6 - 2'000})),
            Membership::member);
  EXPECT_EQ(session.membership(tcp.data(Side::client, "beyond", at(0), {.sequence_offset = 2'000})),
            Membership::stranger);
}

TEST(tcp, a_packet_fits_best_where_its_numbers_are) {
  Frames frames;
  TcpPeers tcp = peers(frames, 0xffff'fff0);
  OneSession session;
  tcp.handshake(at(0));
  tcp.data(Side::client, std::string(100, 'x'), at(kSecond));
  session.see(frames);
  EXPECT_EQ(session.distance(tcp.rst(Side::client, at(0), {.flags = kTcpRst})), 0u);
  const auto far = peers(frames, 5'000'000).rst(Side::client, at(0), {.flags = kTcpRst});
  EXPECT_GT(session.distance(far), 1'000'000u);
}

TEST(tcp, a_rst_must_lie_in_the_window) {
  struct Case {
    std::int64_t offset;
    Phase phase;
  };
  // The client announced 65,535 << 7 bytes from what it acknowledged on.
  for (const Case& c :
       {Case{0, Phase::reset}, Case{1, Phase::reset}, Case{65'535 << 7, Phase::reset},
        Case{(65'535 << 7) + 1, Phase::established}, Case{-1, Phase::established}}) {
    Frames frames;
    TcpPeers tcp = peers(frames);
    OneSession session;
    tcp.handshake(at(0));
    session.see(frames);
    session.see(
        tcp.rst(Side::server, at(kSecond), {.flags = kTcpRst, .sequence_offset = c.offset}));
    EXPECT_EQ(session.hot().phase, c.phase) << c.offset;
  }
}

// As Darwin sends it after the FIN; Linux takes it (tcp_reset_check()).
TEST(tcp, a_rst_with_the_number_of_its_senders_fin_resets) {
  for (const std::int64_t offset : {-1, -2}) {
    Frames frames;
    TcpPeers tcp = peers(frames);
    OneSession session;
    tcp.handshake(at(0));
    tcp.fin(Side::client, at(kSecond));
    tcp.ack(Side::server, at(kSecond));
    tcp.rst(Side::client, at(kSecond), {.sequence_offset = offset});
    session.see(frames);
    EXPECT_EQ(session.hot().phase, offset == -1 ? Phase::reset : Phase::half_closed) << offset;
  }
}

TEST(tcp, a_side_that_ended_and_reset_before_the_other_was_seen_has_reset) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.handshake(at(0));
  tcp.data(Side::client, "ask", at(1));
  tcp.fin(Side::client, at(2));
  tcp.data(Side::server, "answer", at(3));
  tcp.rst(Side::client, at(4));
  const auto is_from_client = [](const Frame& frame) {
    return frame.bytes[frame.ip_offset + 12] == 192;
  };
  // One tap is ahead of the other.
  std::stable_partition(frames.begin(), frames.end(), is_from_client);
  OneSession session;
  for (Frame& frame : frames) {
    frame.timestamp_ns = at(10);
    session.see(frame);
    if (!is_from_client(frame)) {
      EXPECT_EQ(session.hot().phase, Phase::reset);
    }
  }
  EXPECT_TRUE(session.cold().rst_seen);
  EXPECT_EQ(session.cold().rst_side, session.hot().originator());
  EXPECT_EQ(session.payload_bytes(), 3u);
  EXPECT_EQ(session.payload_bytes(false), 6u);
}

TEST(tcp, a_rst_against_a_syn_must_acknowledge_it) {
  for (const std::int64_t offset : {-1, 0, 1}) {
    Frames frames;
    TcpPeers tcp = peers(frames);
    OneSession session;
    session.see(tcp.syn(at(0)));
    session.see(tcp.rst(Side::server, at(1), {.acknowledgment_offset = offset}));
    EXPECT_EQ(session.hot().phase, offset == 0 ? Phase::reset : Phase::opening) << offset;
  }
}

TEST(tcp, counts_of_flags_end_at_65535_and_may_become_smaller) {
  OneSession one;
  const Session session = one.session();
  for (const std::uint32_t count : {300u, 200u, 0u, 255u, 256u, 65'535u, 65'536u, 70'000u}) {
    session.set_count(TcpCount::syn, 1, count);
    EXPECT_EQ(session.count(TcpCount::syn, 1), std::min(count, 65'535u));
    EXPECT_EQ(session.count(TcpCount::syn, 0), 0u);
  }
}

TEST(tcp, round_trip_times_come_from_the_handshake_alone) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  OneSession session;
  session.see(tcp.syn(at(0)));
  session.see(tcp.syn_ack(at(30 * kMillisecond)));
  session.see(tcp.ack(Side::client, at(35 * kMillisecond)));
  EXPECT_EQ(session.name().rtt_ns[0], 30 * kMillisecond);
  EXPECT_EQ(session.name().rtt_ns[1], 5 * kMillisecond);

  Frames more;
  TcpPeers slow = peers(more);
  OneSession retried;
  retried.see(slow.syn(at(0)));
  retried.see(slow.syn(at(kSecond), {.sequence_offset = -1}));
  retried.see(slow.syn_ack(at(kSecond + kMillisecond)));
  EXPECT_EQ(retried.name().rtt_ns[0], 0u);  // to which SYN? (RFC 6298 §3)
}

}  // namespace
}  // namespace linger::test
