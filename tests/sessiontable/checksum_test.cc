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

}  // namespace
}  // namespace linger::test
