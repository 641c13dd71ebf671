#include "sessiontable/session_table.h"

#include <gtest/gtest.h>

#include <set>

#include "sessiontable/session_reader.h"
#include "tests/packet/decoded.h"
#include "tests/sessiontable/table_run.h"

namespace linger::test {
namespace {

constexpr TcpKnobs kBareRst{.flags = kTcpRst};

Frame ping(std::uint16_t port, std::int64_t time) {
  return PacketBuilder().ethernet().ip("192.0.2.1", "198.51.100.2").udp(port, 7'000).frame(time);
}

TEST(session_table, late_rst_while_lingering_joins_its_session) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  whole(tcp, at(0));
  tcp.rst(Side::server, at(4 * kSecond), kBareRst);
  TableRun run;
  run.see(frames);
  run.pass(kMinute);
  const Record record = run.only(Action::session_end);
  EXPECT_EQ(record.reason, Reason::closed);
  EXPECT_EQ(record.packets[0] + record.packets[1], frames.size());
  EXPECT_EQ(record.late_rst[1], 1u);
  EXPECT_EQ(record.late_packets[1], 1u);
  EXPECT_EQ(run.counters().late_lingering.value(), 1u);
}

TEST(session_table, late_rst_after_the_record_joins_its_session) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  whole(tcp, at(0));
  for (const int seconds : {7, 60, 110}) tcp.rst(Side::server, at(seconds * kSecond), kBareRst);
  TableRun run;
  run.see(frames);
  run.finish();
  const Record end = run.only(Action::session_end);
  const Record late = run.only(Action::session_late);
  EXPECT_EQ(late.id, end.id);
  EXPECT_EQ(late.packets[1], 3u);
  EXPECT_EQ(late.rst, 3u);
  EXPECT_EQ(run.counters().opened.value(), 1u);
  EXPECT_EQ(run.packets_told(), frames.size());
}

TEST(session_table, lingering_ends_5_s_after_the_last_late_packet_and_30_s_after_the_close) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  whole(tcp, at(0));
  TableRun run;
  run.see(frames);
  run.pass(4 * kSecond);
  EXPECT_EQ(run.table().sessions(), 1u);
  run.pass(2 * kSecond);
  EXPECT_EQ(run.table().sessions(), 0u);

  Frames more;
  TcpPeers chatty = peers(more, 1);
  whole(chatty, at(kMinute));
  for (int second = 3; second <= 45; second += 3)
    chatty.rst(Side::client, at(kMinute + second * kSecond), kBareRst);
  run.see(more);
  run.finish();
  ASSERT_EQ(run.all(Action::session_end).size(), 2u);
  EXPECT_EQ(run.all(Action::session_end)[1].rst, 10u);  // at 3 … 30 s
  EXPECT_EQ(run.only(Action::session_late).rst, 5u);
}

TEST(session_table, each_state_ends_after_its_own_timeout) {
  struct Case {
    const char* name;
    DurationNs Settings::*setting;
    DurationNs timeout;  // of itself
    std::function<void(TcpPeers&)> talk;
    Reason reason = Reason::idle;
  };
  const auto packet = [](const PacketBuilder& builder) {
    return [builder](TcpPeers& tcp) { tcp.syn(at(0)) = builder.frame(at(0)); };
  };
  const PacketBuilder ip = PacketBuilder().ethernet().ip("192.0.2.1", "198.51.100.2");
  const auto behind = [&](auto&& add) {
    PacketBuilder builder = ip;
    add(builder);
    return packet(builder);
  };
  const Case cases[] = {
      {"opening", &Settings::tcpSynTimeout, 40 * kSecond, [](TcpPeers& tcp) { tcp.syn(at(0)); },
       Reason::attempt},
      {"established", &Settings::tcpTimeout, 10 * kMinute,
       [](TcpPeers& tcp) { tcp.handshake(at(0), 0); }},
      {"half closed", &Settings::tcpHalfClosedTimeout, 120 * kSecond,
       [](TcpPeers& tcp) {
         tcp.handshake(at(0), 0);
         tcp.fin(Side::server, at(0));
       }},
      {"closed", &Settings::tcpClosingTimeout, 5 * kSecond,
       [](TcpPeers& tcp) {
         tcp.handshake(at(0), 0);
         tcp.close(Side::client, at(0), 0);
       },
       Reason::closed},
      {"reset", &Settings::tcpRstTimeout, 5 * kSecond,
       [](TcpPeers& tcp) {
         tcp.handshake(at(0), 0);
         tcp.rst(Side::client, at(0));
       },
       Reason::reset},
      {"UDP", &Settings::udpTimeout, 30 * kSecond,
       behind([](PacketBuilder& p) { p.udp(5, 7'000); })},
      {"ICMP", &Settings::icmpTimeout, 10 * kSecond,
       behind([](PacketBuilder& p) { p.icmp(8, 0, 1); })},
      {"SCTP", &Settings::sctpTimeout, kMinute,
       behind([](PacketBuilder& p) { p.sctp(5, 6, 7).sctp_chunk(4, 0, {}); })},
      {"ESP", &Settings::espTimeout, 10 * kMinute,
       behind([](PacketBuilder& p) { p.esp(1, 1).payload("secret"); })},
      {"OSPF", &Settings::otherTimeout, kMinute,
       behind([](PacketBuilder& p) { p.next_is(89).payload("hello"); })},
  };
  for (const Case& c : cases) {
    for (const DurationNs timeout : {c.timeout, 2 * c.timeout}) {
      Settings settings = small_settings();
      if (timeout != c.timeout) settings.*c.setting = timeout;
      Frames frames;
      TcpPeers tcp = peers(frames);
      c.talk(tcp);
      TableRun run(settings);
      run.see(frames);
      run.pass(timeout - kMillisecond);
      EXPECT_EQ(run.table().sessions(), 1u) << c.name;
      run.pass(kSecond);
      EXPECT_EQ(run.only(Action::session_end).reason, c.reason) << c.name;
    }
  }
}

// More than fit into the eight bits that a session has for them.
TEST(session_table, hundreds_of_handshake_segments_are_counted) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  Frame syn = tcp.syn(at(0));
  for (int i = 1; i < 300; ++i) {
    syn.timestamp_ns = at(i * 10 * kMillisecond);
    frames.push_back(syn);
  }
  tcp.syn_ack(at(4 * kSecond));
  for (int i = 0; i < 300; ++i) tcp.rst(Side::server, at(5 * kSecond + i * 10 * kMillisecond));
  TableRun run;
  run.see(frames);
  run.finish();
  const Record record = run.only(Action::session_end);
  EXPECT_EQ(record.syn, 300u);
  EXPECT_EQ(record.syn_ack, 1u);
  EXPECT_EQ(record.rst, 300u);
  EXPECT_EQ(record.rst_sent[1], 300u);
}

// One slot, whose sessions have keys of either kind in turn.
TEST(session_table, readers_see_the_key_of_the_session_that_there_is) {
  const auto datagram = [](bool is_ipv6, std::int64_t time) {
    const auto from = is_ipv6 ? "2001:db8::1" : "192.0.2.1";
    const auto to = is_ipv6 ? "2001:db8::2" : "198.51.100.2";
    return PacketBuilder().ethernet().ip(from, to).udp(4'000, 53).payload("?").frame(time);
  };
  TableRun run;
  const SessionReader reader(run.table());
  int minute = 0;
  for (const bool is_ipv6 : {true, false, true, true}) {
    run.see({datagram(is_ipv6, at(minute * kMinute))});
    EXPECT_TRUE(reader.find(decoded(datagram(is_ipv6, 0)).key));
    EXPECT_FALSE(reader.find(decoded(datagram(!is_ipv6, 0)).key));
    EXPECT_EQ(reader.survey(2).largest.size(), 1u);
    run.pass(Settings().udpTimeout + 2 * kSecond);
    EXPECT_EQ(run.table().sessions(), 0u);
    EXPECT_EQ(reader.survey(2).largest.size(), 0u);
    minute += 10;
  }
}

// A sweep only does earlier what the next packet of the key would do.
TEST(session_table, records_do_not_depend_on_sweeps_or_bursts) {
  Frames frames;
  for (unsigned i = 0; i < 20; ++i) {
    TcpPeers tcp = peers(frames, i);
    whole(tcp, at(i * 700 * kMillisecond));
    if (i % 2) tcp.rst(Side::server, at((20 + i) * kSecond), kBareRst);
    TcpPeers again = peers(frames, i, 800'000'000);
    if (i % 3 == 0) whole(again, at((60 + i) * kSecond));
    for (int minute = 0; minute < 15; minute += 4)
      frames.push_back(ping(static_cast<std::uint16_t>(i + 1), at(minute * kMinute + i)));
  }
  sort_by_time(frames);
  const auto told = [&](std::uint32_t burst_max, bool sweeps) {
    TableRun run(small_settings(), burst_max);
    for (const Frame& frame : frames) {
      run.see({frame});
      if (sweeps) run.pass(0);
    }
    if (!sweeps && burst_max > 1) {
      TableRun whole_bursts(small_settings(), burst_max);
      whole_bursts.see(frames);
      whole_bursts.finish();
      std::set<std::string> lines;
      for (const Record& r : whole_bursts.records())
        lines.insert(std::string(reinterpret_cast<const char*>(&r), sizeof r));
      return lines;
    }
    run.finish();
    std::set<std::string> lines;
    for (const Record& r : run.records())
      lines.insert(std::string(reinterpret_cast<const char*>(&r), sizeof r));
    return lines;
  };
  const auto expected = told(1, false);
  EXPECT_GT(expected.size(), 60u);
  EXPECT_EQ(told(1, true), expected);
  EXPECT_EQ(told(7, false), expected);
  EXPECT_EQ(told(kBurstMax, false), expected);
}

TEST(session_table, a_full_table_evicts_the_longest_idle) {
  TableRun run;
  Frames frames;
  std::vector<TcpPeers> all;
  for (unsigned i = 0; i < 1'000; ++i) {
    all.push_back(peers(frames, i));
    all.back().handshake(at(i * 500 * kMillisecond), kMillisecond);
  }
  constexpr unsigned kIdle = 30;  // those before it had packets since
  for (unsigned i = 0; i < kIdle; ++i)
    all[i].data(Side::client, "still here", at(450 * kSecond + i * kSecond));
  sort_by_time(frames);
  TcpPeers another = peers(frames, 1'000);
  another.syn(at(510 * kSecond));
  run.see(frames);
  ASSERT_FALSE(run.records().empty());
  const Record& first = run.records().front();
  EXPECT_EQ(first.port[0], 20'000 + kIdle);
}

TEST(session_table, a_full_table_takes_lingering_sessions_first_and_keeps_their_reason) {
  TableRun run;
  Frames frames;
  for (unsigned i = 0; i < 1'000; ++i) {
    TcpPeers tcp = peers(frames, i);
    tcp.handshake(at(i * kMillisecond), 10 * kMicrosecond);
    if (i == 700) tcp.close(Side::client, at(i * kMillisecond + 100 * kMicrosecond), 0);
  }
  TcpPeers another = peers(frames, 1'000);
  another.syn(at(2 * kSecond));
  run.see(frames);
  const Record record = run.only(Action::session_end);
  EXPECT_EQ(record.reason, Reason::closed);
  EXPECT_EQ(record.port[0], 20'700);
  EXPECT_EQ(run.counters().evicted_lingering.value(), 1u);
}

TEST(session_table, a_syn_flood_fills_no_more_than_its_share) {
  TableRun run;
  Frames frames;
  for (unsigned i = 0; i < 400; ++i)
    peers(frames, i).handshake(at(i * kMillisecond), 10 * kMicrosecond);
  for (unsigned i = 0; i < 5'000; ++i)
    peers(frames, 1'000 + i).syn(at(kSecond + i * 100 * kMicrosecond));
  run.see(frames);
  EXPECT_EQ(run.table().sessions_in(Phase::opening), 500u);
  EXPECT_EQ(run.table().sessions_in(Phase::established), 400u);
}

TEST(session_table, an_evicted_session_is_continued_by_its_next_payload) {
  TableRun run;
  Frames frames;
  std::vector<TcpPeers> all;
  for (unsigned i = 0; i <= 1'000; ++i) {
    all.push_back(peers(frames, i));
    all.back().handshake(at(i * kMillisecond), 10 * kMicrosecond);
  }
  all[0].rst(Side::server, at(2 * kSecond), {.flags = kTcpRst, .sequence_offset = 3});
  all[0].set_next(Side::server, 5'000'001);
  all[0].data(Side::server, "greetings", at(3 * kSecond));
  run.see(frames);
  run.finish();
  const std::vector<Record> ends = run.all(Action::session_end);
  std::vector<Record> chain;
  for (const Record& r : ends)
    if (r.port[0] == 20'000 || r.port[1] == 20'000) chain.push_back(r);
  ASSERT_EQ(chain.size(), 2u);
  EXPECT_EQ(chain[0].reason, Reason::evicted);
  EXPECT_EQ(chain[1].continues, chain[0].id);
  EXPECT_EQ(chain[1].port[0], 20'000);  // the source stays the source
  EXPECT_EQ(chain[1].payload_bytes[1], 9u);
  EXPECT_EQ(run.packets_told(), frames.size());
}

TEST(session_table, an_evicted_udp_session_is_continued_within_its_timeout) {
  TableRun run;
  Frames frames;
  for (std::uint16_t i = 0; i <= 1'000; ++i)
    frames.push_back(ping(static_cast<std::uint16_t>(1 + i), at(i * kMillisecond)));
  frames.push_back(ping(1, at(5 * kSecond)));
  frames.push_back(ping(2, at(50 * kSecond)));
  run.see(frames);
  run.finish();
  std::vector<Record> first;
  std::vector<Record> second;
  for (const Record& r : run.all(Action::session_end)) {
    if (r.port[0] == 1) first.push_back(r);
    if (r.port[0] == 2) second.push_back(r);
  }
  ASSERT_EQ(first.size(), 2u);
  EXPECT_EQ(first[1].continues, first[0].id);
  ASSERT_EQ(second.size(), 2u);
  EXPECT_FALSE(second[1].continues.is_set());  // 50 s later it would have been idle
}

TEST(session_table, interim_records_cover_the_packets_before_the_due_moment) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.handshake(at(0), 0);
  for (const int minute : {6, 11, 12, 18, 30})
    tcp.data(Side::client, "x", at(minute * kMinute + (minute == 12 ? 1 : 0)));
  Settings settings;
  settings.maxStreams = 1'000;
  settings.tcpTimeout = kHour;
  TableRun run(settings);
  run.see(frames);
  run.pass(0);
  run.finish();
  const std::vector<Record> interim = run.all(Action::session_interim);
  ASSERT_EQ(interim.size(), 2u);
  EXPECT_EQ(interim[0].packets[0], 4u);
  EXPECT_EQ(interim[0].sequence, 0u);
  EXPECT_EQ(interim[1].packets[0], 6u);
  EXPECT_EQ(interim[1].sequence, 1u);
  EXPECT_EQ(interim[0].id, run.only(Action::session_end).id);
  EXPECT_EQ(run.only(Action::session_end).packets[0], 7u);
}

TEST(session_table, a_reset_that_was_ignored_after_its_record_is_continued) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.handshake(at(0));
  tcp.rst(Side::server, at(kSecond), {.flags = kTcpRst, .sequence_offset = 7});
  tcp.set_next(Side::server, 5'000'001);
  tcp.ack(Side::client, at(kSecond + kMillisecond));  // the challenge
  tcp.data(Side::client, "still here", at(20 * kSecond));
  tcp.ack(Side::server, at(21 * kSecond));
  tcp.data(Side::server, "so am I", at(22 * kSecond));
  tcp.close(Side::client, at(23 * kSecond));
  TableRun run;
  run.see(frames);
  run.finish();
  const std::vector<Record> ends = run.all(Action::session_end);
  ASSERT_EQ(ends.size(), 2u);
  EXPECT_EQ(ends[0].reason, Reason::reset);
  EXPECT_EQ(ends[1].reason, Reason::closed);
  EXPECT_EQ(ends[1].continues, ends[0].id);
  EXPECT_EQ(run.packets_told(), frames.size());
}

TEST(session_table, a_promoted_syn_takes_its_time_with_it) {
  Frames frames;
  TcpPeers old = peers(frames);
  old.handshake(at(0));
  TcpPeers fresh = peers(frames, 0, 900'000'000);
  fresh.handshake(at(kMinute));
  TableRun run;
  run.see(frames);
  run.finish();
  std::vector<Record> ends = run.all(Action::session_end);
  ASSERT_EQ(ends.size(), 2u);
  if (ends[0].start > ends[1].start) std::swap(ends[0], ends[1]);
  EXPECT_EQ(ends[0].end.value, at(2 * kMillisecond));
  EXPECT_EQ(ends[0].packets[0], 2u);
  EXPECT_EQ(ends[1].start.value, at(kMinute));
  EXPECT_EQ(ends[1].packets[0], 2u);
  EXPECT_EQ(ends[1].reuse_of, ends[0].id);
  EXPECT_EQ(ends[0].reused_by, ends[1].id);
}

TEST(session_table, a_candidate_whose_syn_comes_again_keeps_both) {
  Frames frames;
  TcpPeers old = peers(frames);
  old.handshake(at(0));
  TcpPeers fresh = peers(frames, 0, 900'000'000);
  fresh.syn(at(kMinute));
  old.rst(Side::client, at(kMinute + kMillisecond), kBareRst);
  fresh.syn(at(kMinute + kSecond), {.sequence_offset = -1});
  fresh.syn_ack(at(kMinute + kSecond + kMillisecond));
  fresh.ack(Side::client, at(kMinute + kSecond + 2 * kMillisecond));
  TableRun run;
  run.see(frames);
  run.finish();
  std::vector<Record> ends = run.all(Action::session_end);
  ASSERT_EQ(ends.size(), 2u);
  if (ends[0].start > ends[1].start) std::swap(ends[0], ends[1]);
  EXPECT_EQ(ends[0].syn, 1u);
  EXPECT_EQ(ends[1].syn, 2u);
  EXPECT_EQ(ends[1].start.value, at(kMinute));
}

// What is wrong with the segment that makes it a session is not wrong with its SYN.
TEST(session_table, a_candidate_does_not_take_the_checksum_of_its_answer) {
  Frames frames;
  TcpPeers old = peers(frames);
  old.handshake(at(0));
  TcpPeers fresh = peers(frames, 0, 900'000'000, 70'000'000);
  fresh.syn(at(kMinute));
  constexpr std::size_t kChecksum = 14 + 20 + 16;
  fresh.syn_ack(at(kMinute + kMillisecond)).bytes[kChecksum] ^= 0x55;
  fresh.ack(Side::client, at(kMinute + 2 * kMillisecond));
  TableRun run;
  run.verify_checksums();
  run.see(frames);
  run.finish();
  std::vector<Record> ends = run.all(Action::session_end);
  ASSERT_EQ(ends.size(), 2u);
  if (ends[0].start > ends[1].start) std::swap(ends[0], ends[1]);
  EXPECT_EQ(ends[1].bad_checksums, (std::array<std::uint32_t, 2>{0, 1}));
  EXPECT_EQ(ends[1].packets, (std::array<std::uint64_t, 2>{2, 1}));
}

TEST(session_table, a_fin_in_a_continued_session_is_not_taken_for_a_one_way_capture) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.handshake(at(0));
  tcp.data(Side::client, "after a while", at(15 * kMinute));
  tcp.close(Side::client, at(15 * kMinute + kSecond));
  TableRun run;
  run.see(frames);
  run.finish();
  const std::vector<Record> ends = run.all(Action::session_end);
  ASSERT_EQ(ends.size(), 2u);
  EXPECT_EQ(ends[1].continues, ends[0].id);
  EXPECT_EQ(ends[1].reason, Reason::closed);
  EXPECT_EQ(ends[1].late_packets[0] + ends[1].late_packets[1], 0u);
}

TEST(session_table, keep_alives_find_their_connection_every_two_hours) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.handshake(at(0));
  for (int hours = 2; hours <= 8; hours += 2) {
    tcp.ack(Side::server, at(hours * kHour), {.sequence_offset = -1});
    tcp.ack(Side::client, at(hours * kHour + kMillisecond));
  }
  TableRun run;
  run.see(frames);
  run.finish();
  EXPECT_EQ(run.counters().opened.value(), 1u);
  std::uint64_t late = 0;
  for (const Record& r : run.all(Action::session_late)) late += r.packets[0] + r.packets[1];
  EXPECT_EQ(late, 8u);
}

TEST(session_table, late_records_are_numbered_for_as_long_as_they_come) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.handshake(at(0));
  for (int hours = 2; hours <= 100; hours += 2) tcp.ack(Side::server, at(hours * kHour));
  TableRun run;
  run.see(frames);
  run.finish();
  const std::vector<Record> late = run.all(Action::session_late);
  ASSERT_EQ(late.size(), 50u);
  for (std::size_t i = 1; i < late.size(); ++i)
    EXPECT_GT(late[i].sequence, late[i - 1].sequence) << i;
}

TEST(session_table, the_order_within_reorder_window_changes_neither_source_nor_state_nor_counters) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.handshake(at(0));
  tcp.data(Side::client, "ping", at(0));
  tcp.data(Side::server, "pong", at(0));
  tcp.close(Side::client, at(0));
  const std::vector<std::vector<std::size_t>> orders = {
      {0, 1, 2, 3, 4, 5, 6, 7}, {1, 0, 2, 3, 4, 5, 6, 7}, {0, 2, 1, 3, 4, 5, 6, 7},
      {3, 0, 1, 2, 4, 5, 6, 7}, {0, 3, 1, 2, 4, 5, 6, 7}, {0, 1, 2, 5, 3, 4, 6, 7},
      {0, 1, 2, 3, 6, 4, 5, 7}, {4, 3, 2, 1, 0, 5, 6, 7}, {0, 1, 2, 3, 5, 6, 4, 7},
  };
  for (const std::vector<std::size_t>& order : orders) {
    Frames told;
    for (const std::size_t i : order) {
      told.push_back(frames[i]);
      told.back().timestamp_ns = at(static_cast<std::int64_t>(told.size()) * 100 * kMicrosecond);
    }
    TableRun run;
    run.see(told);
    run.finish();
    const Record r = run.only(Action::session_end);
    const std::string name = testing::PrintToString(order);
    EXPECT_EQ(r.port[0], 20'000) << name;
    EXPECT_EQ(r.state, ConnState::sf) << name;
    EXPECT_EQ(r.reason, Reason::closed) << name;
    EXPECT_EQ(r.packets[0], 5u) << name;
    EXPECT_EQ(r.payload_bytes[0], 4u) << name;
    EXPECT_EQ(r.payload_bytes[1], 4u) << name;
    EXPECT_EQ(r.gap_bytes[0] + r.gap_bytes[1], 0u) << name;
    EXPECT_EQ(r.retransmitted_packets[0] + r.retransmitted_packets[1], 0u) << name;
    EXPECT_EQ(r.late_packets[0] + r.late_packets[1], 0u) << name;
    EXPECT_EQ(r.history.view().find('^'), std::string_view::npos) << name;
  }
}

// Of several the first is told.
TEST(session_table, an_icmp_error_joins_what_it_quotes_buried_or_not) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  const Frame syn = tcp.syn(at(0));
  for (const DurationNs time : {kSecond, kMinute}) {
    for (const auto& [type, code] : {std::pair{3, 1}, std::pair{11, 0}})
      frames.push_back(
          PacketBuilder()
              .ethernet()
              .ip("203.0.113.9", "192.0.2.1")
              .icmp_error(static_cast<std::uint8_t>(type), static_cast<std::uint8_t>(code), syn)
              .frame(at(time)));
  }
  TableRun run;
  run.see(frames);
  run.finish();
  EXPECT_EQ(run.only(Action::session_end).icmp_error_packets, 2u);
  EXPECT_EQ(run.only(Action::session_end).icmp_error_type, 3u);
  EXPECT_EQ(run.only(Action::session_end).icmp_error_code, 1u);
  EXPECT_EQ(run.only(Action::session_late).icmp_error_packets, 2u);
  EXPECT_EQ(run.only(Action::session_late).icmp_error_type, 3u);
  EXPECT_EQ(run.only(Action::session_late).icmp_error_code, 1u);
  EXPECT_EQ(run.packets_told(), frames.size());
}

// More than 4 GiB of them: what one record, or one side of it, cannot tell of errors it tells of
// packets.
TEST(session_table, no_byte_of_icmp_errors_is_lost) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  const Frame syn = tcp.syn(at(0));
  std::uint64_t bytes = syn.bytes.size();
  for (const DurationNs time : {kSecond, kMinute}) {
    for (int i = 0; i < 4; ++i) {
      frames.push_back(PacketBuilder()
                           .ethernet()
                           .ip("203.0.113.9", "192.0.2.1")
                           .icmp_error(3, 1, syn)
                           .frame(at(time)));
      frames.back().wire_bytes = INT32_MAX;
      bytes += INT32_MAX;
    }
  }
  TableRun run;
  run.see(frames);
  run.finish();
  std::uint64_t told = 0;
  for (const Record& record : run.records()) told += record.total_bytes();
  EXPECT_EQ(told, bytes);
  EXPECT_EQ(run.only(Action::session_late).icmp_error_bytes, 4 * std::uint64_t{INT32_MAX});
  EXPECT_EQ(run.packets_told(), frames.size());
}

TEST(session_table, a_lone_rst_is_a_session_of_its_own_and_counted) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.rst(Side::client, at(0), kBareRst);
  TableRun run;
  run.see(frames);
  run.finish();
  EXPECT_EQ(run.only(Action::session_end).state, ConnState::oth);
  EXPECT_EQ(run.counters().lone_rst.value(), 1u);
}

TEST(session_table, shutdown_ends_open_sessions_and_lingering_ones_keep_their_reason) {
  Frames frames;
  TcpPeers closed = peers(frames, 0);
  whole(closed, at(0));
  TcpPeers open = peers(frames, 1);
  open.handshake(at(0));
  TableRun run;
  run.see(frames);
  run.finish(Ending::shutdown);
  std::set<Reason> reasons;
  for (const Record& r : run.all(Action::session_end)) reasons.insert(r.reason);
  EXPECT_EQ(reasons, (std::set<Reason>{Reason::closed, Reason::shutdown}));
}

}  // namespace
}  // namespace linger::test
