#include "tests/support/packet_builder.h"

#include <gtest/gtest.h>

namespace linger::test {
namespace {

std::uint32_t sum_of(std::span<const std::uint8_t> bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) sum += i % 2 ? bytes[i] : bytes[i] << 8;
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return sum;
}

TEST(packet_builder, frame_is_what_the_wire_has) {
  const Frame frame = PacketBuilder()
                          .ethernet(0x0a0b0c0d0e0f, 0x010203040506)
                          .ip("192.0.2.1", "198.51.100.2")
                          .udp(40000, 53)
                          .payload("ab")
                          .frame(at(0));
  const ByteList expected{0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 1,  2,    3,    4,   5,
                          6,    0x08, 0x00, 0x45, 0,    0,    30, 0,    0,    0,   0,
                          64,   17,   0x8e, 0x98, 192,  0,    2,  1,    198,  51,  100,
                          2,    0x9c, 0x40, 0,    53,   0,    10, 0x15, 0xcb, 'a', 'b'};
  EXPECT_EQ(frame.bytes, expected);
  EXPECT_EQ(frame.wire_bytes, expected.size());
  EXPECT_EQ(frame.timestamp_ns, 1'704'067'200'000'000'000);
}

TEST(packet_builder, checksums_verify) {
  const Frame frame =
      PacketBuilder().ethernet().ip("192.0.2.1", "198.51.100.2").tcp(1, 2).payload("odd").frame();
  const auto ip = std::span(frame.bytes).subspan(14);
  EXPECT_EQ(sum_of(ip.first(20)), 0xffffU);
  ByteList pseudo(ip.begin() + 12, ip.end());  // addresses, segment
  pseudo.insert(pseudo.begin(), {0, 6, 0, 23});
  EXPECT_EQ(sum_of(pseudo), 0xffffU);
}

TEST(packet_builder, macs_follow_the_addresses) {
  const Frame frame = PacketBuilder().ethernet().ip("192.0.2.1", "198.51.100.2").udp(1, 2).frame();
  const ByteList macs(frame.bytes.begin(), frame.bytes.begin() + 12);
  EXPECT_EQ(macs, (ByteList{2, 0, 198, 51, 100, 2, 2, 0, 192, 0, 2, 1}));
}

TEST(tcp_peers, numbers_follow_from_what_was_sent) {
  Frames frames;
  TcpPeers tcp(frames, {"192.0.2.1", 40000}, {"198.51.100.2", 80}, 100, 900);
  tcp.handshake(at(0));
  tcp.data(Side::client, "hello", at(kSecond));
  tcp.data(Side::client, "hello", at(kSecond), {.sequence_offset = -5});
  tcp.data(Side::server, "lost", at(kSecond), {.captured = false});
  tcp.close(Side::server, at(2 * kSecond));
  tcp.rst(Side::client, at(3 * kSecond), {.flags = kTcpRst});
  ASSERT_EQ(frames.size(), 9U);
  const auto sequence_of = [&](std::size_t i) { return load_be32(&frames[i].bytes[38]); };
  const auto acknowledgment_of = [&](std::size_t i) { return load_be32(&frames[i].bytes[42]); };
  EXPECT_EQ(sequence_of(0), 100U);
  EXPECT_EQ(acknowledgment_of(0), 0U);
  EXPECT_EQ(sequence_of(1), 900U);
  EXPECT_EQ(acknowledgment_of(1), 101U);
  EXPECT_EQ(sequence_of(3), 101U);
  EXPECT_EQ(sequence_of(4), 101U);  // the retransmission
  EXPECT_EQ(sequence_of(5), 905U);  // FIN behind what was lost
  EXPECT_EQ(acknowledgment_of(6), 906U);
  EXPECT_EQ(sequence_of(8), 107U);
  EXPECT_EQ(acknowledgment_of(8), 0U);  // RST without ACK
  EXPECT_EQ(tcp.next(Side::client), 107U);
}

}  // namespace
}  // namespace linger::test
