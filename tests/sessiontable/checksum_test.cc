// What wrong checksums do to sessions (ARCHITECTURE, "A session in memory").
#include <gtest/gtest.h>

#include "tests/sessiontable/table_run.h"

namespace linger::test {
namespace {

constexpr std::size_t kTcpChecksum = 14 + 20 + 16, kUdpChecksum = 14 + 20 + 6;

Frame& with_wrong_checksum(Frame& frame, std::size_t at = kTcpChecksum) {
  frame.bytes[at] ^= 0x55;
  return frame;
}

std::vector<Record> ends_of(const TableRun& run) {
  std::vector<Record> ends = run.all(Action::session_end);
  std::ranges::sort(ends, {}, &Record::start);
  return ends;
}

// Of a side that was never right, nothing tells what is damaged.
TEST(session_checksums, a_wrong_datagram_is_as_many_wrong_packets_as_it_came_in) {
  constexpr std::uint16_t kFragments = 23;
  Frames frames;
  for (int i = 0; i < 10; ++i) {
    frames.push_back(PacketBuilder()
                         .ethernet()
                         .ip("192.0.2.1", "198.51.100.2")
                         .udp(1'000, 2'049)
                         .payload("read")
                         .frame(at(i * kSecond)));
    with_wrong_checksum(frames.back(), kUdpChecksum);
  }
  TableRun run;
  run.verify_checksums();
  run.see(frames, kFragments);
  run.finish();
  const Record record = run.only(Action::session_end);
  EXPECT_EQ(record.packets[0], 10u * kFragments);
  EXPECT_EQ(record.bad_checksums[0], 10u * kFragments);
  EXPECT_EQ(record.payload_bytes[0], 40u);
}

// An open session, and one that takes its tuple over: its SYN waits for the answer.
struct TakenOver {
  Frames frames;
  TcpPeers old = peers(frames);
  TcpPeers fresh = peers(frames, 0, 900'000'000, 70'000'000);

  TakenOver() { old.handshake(at(0)); }
  std::vector<Record> ends() {
    fresh.syn_ack(at(kMinute + kSecond));
    fresh.ack(Side::client, at(kMinute + 2 * kSecond));
    TableRun run;
    run.verify_checksums();
    run.see(frames);
    run.finish();
    return ends_of(run);
  }
};

TEST(session_checksums, a_candidate_takes_its_own_wrong_ones_with_it) {
  TakenOver tuple;
  with_wrong_checksum(tuple.fresh.syn(at(kMinute)));
  with_wrong_checksum(tuple.fresh.syn(at(kMinute + kMillisecond), {.sequence_offset = -1}));
  const std::vector<Record> ends = tuple.ends();
  ASSERT_EQ(ends.size(), 2u);
  EXPECT_EQ(ends[0].bad_checksums, (std::array<std::uint32_t, 2>{0, 0}));
  EXPECT_EQ(ends[1].bad_checksums, (std::array<std::uint32_t, 2>{2, 0}));
}

TEST(session_checksums, a_candidate_shows_that_its_host_leaves_them_to_the_network_card) {
  TakenOver tuple;
  Frame& syn = tuple.fresh.syn(at(kMinute));
  syn.bytes[kTcpChecksum] = syn.bytes[kTcpChecksum + 1] = 0;
  const std::vector<Record> ends = tuple.ends();
  ASSERT_EQ(ends.size(), 2u);
  EXPECT_EQ(ends[0].checksums_offloaded, (std::array<bool, 2>{false, false}));
  EXPECT_EQ(ends[1].checksums_offloaded, (std::array<bool, 2>{true, false}));
}

TEST(session_checksums, what_a_host_leaves_to_its_card_is_not_forgotten_with_a_candidate) {
  TakenOver tuple;
  tuple.frames[0].bytes[kTcpChecksum] = tuple.frames[0].bytes[kTcpChecksum + 1] = 0;
  with_wrong_checksum(tuple.fresh.syn(at(kMinute)));
  const std::vector<Record> ends = tuple.ends();
  ASSERT_EQ(ends.size(), 2u);
  EXPECT_EQ(ends[0].checksums_offloaded, (std::array<bool, 2>{true, false}));
  EXPECT_EQ(ends[1].bad_checksums, (std::array<std::uint32_t, 2>{1, 0}));
}

TEST(session_checksums, what_no_tcp_sends_tells_its_key_and_no_more_beside_a_grave_too) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.handshake(at(0));
  tcp.close(Side::client, at(kSecond));
  with_wrong_checksum(tcp.segment(
      Side::client, kTcpSyn | kTcpFin, "", at(20 * kSecond),
      {.sequence_offset = 1'000'000, .options = {.other = {30, 4, 0x20, 0x01}}}));  // of MPTCP
  TableRun run;
  run.verify_checksums();
  run.see(frames);
  run.finish();
  const std::vector<Record> ends = ends_of(run);
  ASSERT_EQ(ends.size(), 2u);
  EXPECT_EQ(ends[1].reuse_of, ends[0].id);
  EXPECT_EQ(ends[1].packets[0], 1u);
  EXPECT_EQ(ends[1].syn + ends[1].fin, 0u);
  EXPECT_EQ(ends[1].state, ConnState::oth);
  EXPECT_EQ(ends[1].mptcp_role, MptcpRole::none);
}

}  // namespace
}  // namespace linger::test
