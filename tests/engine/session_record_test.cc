#include "engine/session_record.h"

#include <gtest/gtest.h>

#include "tests/sessiontable/table_run.h"

namespace linger::test {
namespace {

// What side 0, the source, and side 1, the destination, did.
struct Story {
  const char* name;
  ConnState state;
  bool source_syn = false;
  bool syn_ack = false;
  bool source_fin = false;
  bool destination_fin = false;
  int rst_by = -1;
  std::uint32_t acknowledged = 0;  // by the destination; the source's SYN is 1,000
  bool destination_data = false;
};

constexpr Story kStories[] = {
    {"nothing but data", ConnState::oth},
    {"a SYN", ConnState::s0, true},
    {"handshake", ConnState::s1, true, true},
    {"closed by both", ConnState::sf, true, true, true, true},
    {"closed by the source", ConnState::s2, true, true, true},
    {"closed by the destination", ConnState::s3, true, true, false, true},
    {"rejected", ConnState::rej, true, false, false, false, 1},
    {"reset by the source", ConnState::rsto, true, true, false, false, 0},
    {"reset by the destination", ConnState::rstr, true, true, false, false, 1},
    {"SYN and RST of the source", ConnState::rstos0, true, false, false, false, 0},
    {"SYN-ACK and RST of the destination", ConnState::rstrh, false, true, false, false, 1},
    {"SYN and FIN of the source", ConnState::sh, true, false, true},
    {"SYN-ACK and FIN of the destination", ConnState::shr, false, true, false, true},
    {"data and RST", ConnState::oth, false, false, false, false, 0},
    {"data and RST of the other", ConnState::oth, false, false, false, false, 1},
    {"closed, then reset", ConnState::rsto, true, true, true, false, 0},
    {"data and both FINs", ConnState::oth, false, false, true, true},
    {"a SYN-ACK that was not captured", ConnState::s1, true, false, false, false, -1, 1'001},
    {"the same, with data", ConnState::s1, true, false, false, false, -1, 1'501, true},
    {"the same, closed by the source", ConnState::s2, true, false, true, false, -1, 1'001},
    {"the same, reset by the source", ConnState::rsto, true, false, false, false, 0, 1'001},
    {"the same, reset by the destination", ConnState::rstr, true, false, false, false, 1, 1'001},
    {"a challenge ACK", ConnState::s0, true, false, false, false, -1, 77'001},
    {"data of before", ConnState::oth, false, false, false, false, 1, 1'001, true},
};

TEST(session_record, conn_state_is_zeeks_for_either_orientation) {
  for (const Story& story : kStories) {
    for (const unsigned source : {0u, 1u}) {
      SessionHot hot{};
      SessionCold cold{};
      SessionName name{};
      SessionRare rare{};
      LongAddresses long_addresses{};
      OpeningPool openings(1, make_hash_seed(1));
      const Session session{hot, cold, name, rare, long_addresses, nullptr, openings};
      hot.set_originator(source);
      if (story.source_syn) session.add(TcpCount::syn, source);
      cold.first_sequence[source] = hot.sequence_low[source] = 1'001;
      if (story.acknowledged != 0) hot.set(kSessionAck0, source ^ 1);
      if (story.destination_data) hot.set(kSessionData0, source ^ 1);
      hot.acknowledged[source ^ 1] = story.acknowledged;
      if (story.syn_ack) session.add(TcpCount::syn_ack, source ^ 1);
      if (story.source_fin) hot.set(kSessionFin0, source);
      if (story.destination_fin) hot.set(kSessionFin0, source ^ 1);
      cold.rst_seen = story.rst_by >= 0;
      cold.rst_side = story.rst_by == 1 ? (source ^ 1) & 1 : source & 1;
      EXPECT_EQ(conn_state_of(session), story.state) << story.name << ", source " << source;
    }
  }
}

// The same conversation with the client's address below and above the server's, so that its
// canonical side is 0 and 1.
TEST(session_record, source_is_the_client_whichever_side_it_is) {
  Record records[2];
  int i = 0;
  for (const char* client : {"192.0.2.1", "203.0.113.1"}) {
    Frames frames;
    TcpPeers tcp(frames, {client, 40'000}, {"198.51.100.2", 80});
    tcp.handshake(at(0));
    tcp.data(Side::client, "hello", at(kSecond));
    tcp.data(Side::client, "hello", at(kSecond + 200 * kMillisecond), {.sequence_offset = -5});
    tcp.data(Side::server, "hi", at(2 * kSecond));
    tcp.ack(Side::server, at(3 * kSecond), {.window = 0});
    tcp.close(Side::server, at(4 * kSecond));
    tcp.rst(Side::client, at(5 * kSecond), {.flags = kTcpRst});
    TableRun run;
    run.see(frames);
    run.finish();
    records[i++] = run.only(Action::session_end);
  }
  for (const Record& r : records) {
    EXPECT_EQ(r.port, (std::array<std::uint16_t, 2>{40'000, 80}));
    EXPECT_EQ(r.payload_bytes, (std::array<std::uint64_t, 2>{5, 2}));
    EXPECT_EQ(r.retransmitted_packets, (std::array<std::uint32_t, 2>{1, 0}));
    EXPECT_EQ(r.zero_windows, (std::array<std::uint32_t, 2>{0, 1}));
    EXPECT_EQ(r.late_rst, (std::array<std::uint32_t, 2>{1, 0}));
    EXPECT_EQ(r.mss, (std::array<std::uint16_t, 2>{1'460, 1'460}));
  }
  EXPECT_EQ(records[0].history.view(), records[1].history.view());
  EXPECT_EQ(records[0].packets, records[1].packets);
  EXPECT_EQ(records[0].bytes, records[1].bytes);
  EXPECT_EQ(records[0].state, records[1].state);
}

TEST(session_record, ports_are_those_of_every_protocol_that_has_them) {
  for (const int protocol : {17, 33, 136}) {
    const Frame frame = PacketBuilder()
                            .ethernet()
                            .ip("192.0.2.1", "198.51.100.2")
                            .next_is(static_cast<std::uint16_t>(protocol))
                            .udp(40'000, 53)
                            .frame(at(0));
    TableRun run;
    run.see({frame});
    run.finish();
    const Record r = run.only(Action::session_end);
    EXPECT_EQ(r.port, (std::array<std::uint16_t, 2>{40'000, 53})) << protocol;
    EXPECT_TRUE(r.has_ports());
  }
}

TEST(session_record, macs_and_vlans_are_those_of_the_first_frame) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.link = PacketBuilder().ethernet(0x0200'0000'0002, 0x0200'0000'0001).vlan(100, 0x88a8).vlan(7);
  tcp.syn(at(0));
  TableRun run;
  run.see(frames);
  run.finish();
  const Record r = run.only(Action::session_end);
  EXPECT_EQ(r.mac[0], (MacAddress{2, 0, 0, 0, 0, 1}));
  EXPECT_EQ(r.mac[1], (MacAddress{2, 0, 0, 0, 0, 2}));
  EXPECT_EQ(r.vlan_id, 100);
  EXPECT_EQ(r.inner_vlan_id, 7);
}

TEST(session_record, a_late_record_counts_only_what_came_after_the_end_record) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.handshake(at(0));
  tcp.close(Side::client, at(kSecond));
  const Frame rst = tcp.rst(Side::server, at(20 * kSecond), {.flags = kTcpRst});
  TableRun run;
  run.see(frames);
  run.finish();
  const Record late = run.only(Action::session_late);
  EXPECT_EQ(late.reason, Reason::closed);
  EXPECT_EQ(late.start.value, at(20 * kSecond));
  EXPECT_EQ(late.end.value, at(20 * kSecond));
  EXPECT_EQ(late.packets, (std::array<std::uint64_t, 2>{0, 1}));
  EXPECT_EQ(late.bytes, (std::array<std::uint64_t, 2>{0, rst.wire_bytes}));
  EXPECT_EQ(late.rst, 1u);
  EXPECT_EQ(late.port, run.only(Action::session_end).port);
}

// Whichever side it is, and who answered the SYN that was kept beside an open session.
TEST(session_record, tunnels_lead_from_source_to_destination) {
  for (const char* client : {"192.0.2.1", "203.0.113.1"}) {
    Frames frames;
    const auto talk = [&](std::uint32_t isn, std::int64_t time) {
      TcpPeers tcp(frames, {client, 40'000}, {"198.51.100.2", 80}, isn, isn + 1'000'000);
      const auto outer = [&](const char* from, const char* to) {
        tcp.link = PacketBuilder().ethernet().ip(from, to).gre(7);
      };
      outer("10.0.0.1", "10.0.0.2");
      tcp.syn(time);
      outer("10.0.0.2", "10.0.0.1");
      tcp.syn_ack(time + kMillisecond);
      tcp.data(Side::server, "hello", time + 2 * kMillisecond);
    };
    talk(1'000, at(0));
    talk(500'000'000, at(kMinute));
    TableRun run;
    run.see(frames);
    run.finish();
    const std::vector<Record> ends = run.all(Action::session_end);
    ASSERT_EQ(ends.size(), 2u);
    for (const Record& r : ends) {
      ASSERT_EQ(r.tunnels.depth, 1);
      EXPECT_EQ(r.tunnels.layer[0].address[0].bytes[3], 1);
      EXPECT_EQ(r.tunnels.layer[0].address[1].bytes[3], 2);
    }
  }
}

TEST(session_record, a_tunnel_is_forgotten_with_its_last_session) {
  Settings settings;
  settings.maxStreams = 1'000;
  settings.tunnelPool = 1;
  Frames frames;
  for (std::uint16_t i = 0; i < 5; ++i)
    frames.push_back(PacketBuilder()
                         .ethernet()
                         .ip("10.0.0.1", "10.0.0.2")
                         .gre(i)
                         .ip("192.0.2.1", "198.51.100.2")
                         .udp(i, 7'000)
                         .frame(at(i * kHour)));
  TableRun run(settings);
  for (const Frame& frame : frames) {
    run.see({frame});
    run.pass(kMinute);
  }
  EXPECT_EQ(run.counters().tunnels_missing.value(), 0u);
  const std::vector<Record> ends = run.all(Action::session_end);
  EXPECT_EQ(ends.size(), frames.size());
  for (const Record& r : ends) EXPECT_EQ(r.tunnels.depth, 1);
}

// A datagram may have come in as many fragments.
TEST(session_record, billions_of_packets_and_tens_of_thousands_of_icmp_errors_are_counted) {
  constexpr std::uint16_t kFragments = 65'535;
  const Frame frame =
      PacketBuilder().ethernet().ip("192.0.2.1", "198.51.100.2").udp(1, 7'000).frame(at(0));
  const Frame error = PacketBuilder()
                          .ethernet()
                          .ip("203.0.113.9", "192.0.2.1")
                          .icmp_error(3, 3, frame)
                          .frame(at(kSecond));
  TableRun run;
  run.see(Frames(65'540, frame), kFragments);
  run.see({error, error}, kFragments);
  run.finish();
  const Record record = run.only(Action::session_end);
  EXPECT_EQ(record.packets[0], 65'540ull * kFragments);
  EXPECT_EQ(record.total_packets(), 65'542ull * kFragments);
  EXPECT_EQ(record.icmp_error_packets, kFragments);
}

TEST(session_record, a_late_record_tells_syns_from_syn_acks) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.handshake(at(0));
  tcp.rst(Side::client, at(kSecond), {.flags = kTcpRst});
  for (const std::size_t again : {0, 1, 1}) {  // SYN, SYN-ACK
    frames.push_back(frames[again]);
    frames.back().timestamp_ns = at((20 + again) * kSecond);
  }
  TableRun run;
  run.see(frames);
  run.finish();
  const Record late = run.only(Action::session_late);
  EXPECT_EQ(late.syn, 1u);
  EXPECT_EQ(late.syn_ack, 2u);
  EXPECT_EQ(late.late_syn, (std::array<std::uint32_t, 2>{1, 2}));
}

}  // namespace
}  // namespace linger::test
