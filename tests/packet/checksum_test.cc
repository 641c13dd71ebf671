#include "engine/packet/checksum.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/packet/decoded.h"

namespace linger::test {
namespace {

const Address kA = "192.0.2.1", kB = "198.51.100.2", kA6 = "2001:db8::1", kB6 = "2001:db8::2";
constexpr std::uint8_t kAll = kPacketBadChecksum | kPacketOffloaded | kPacketBadIpChecksum;

std::uint8_t flags_of(const Frame& frame) { return decoded(frame).flags & kAll; }

std::uint16_t naive_sum(const ByteList& bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    sum += i % 2 == 0 ? bytes[i] : bytes[i] << 8;
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return static_cast<std::uint16_t>(sum);
}

TEST(checksum, sums_are_those_of_a_naive_loop) {
  std::mt19937 random(1);
  for (std::size_t size = 8; size < 400; ++size) {
    ByteList bytes(size);
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random() | (size % 3 == 0 ? 255 : 0));
    const std::uint64_t sum = sum_words(bytes.data(), static_cast<std::uint32_t>(size));
    EXPECT_EQ(fold(sum), naive_sum(bytes)) << size;
    EXPECT_EQ(is_all_ones(sum), naive_sum(bytes) == 0xffff) << size;
  }
}

TEST(checksum, what_the_builder_makes_is_right) {
  for (const Sample& sample : samples()) EXPECT_EQ(flags_of(sample.frame), 0) << sample.name;
}

// One changed byte is found, and by the layer whose byte it is.
TEST(checksum, a_changed_byte_of_the_segment_is_found) {
  const auto ethernet = [] { return PacketBuilder().ethernet(); };
  const Frame quoted = ethernet().ip(kB, kA).udp(1, 2).frame();
  const Frame quoted6 = ethernet().ip(kB6, kA6).udp(1, 2).frame();
  const Frame frames[] = {
      ethernet().ip(kA, kB).tcp(1, 2).payload("odd").frame(),
      ethernet().ip(kA6, kB6).tcp(1, 2).payload("even").frame(),
      ethernet().ip(kA, kB).udp(1, 2).payload("x").frame(),
      ethernet().ip(kA6, kB6).udp(1, 2).frame(),
      ethernet().ip(kA, kB).icmp(8, 0, 7).payload("ping").frame(),
      ethernet().ip(kA6, kB6).icmp(128, 0, 7).payload("ping").frame(),
      ethernet().ip(kA, kB).icmp_error(3, 1, quoted).frame(),
      ethernet().ip(kA6, kB6).icmp_error(1, 1, quoted6).frame(),
      ethernet().ip(kA, kB).sctp(1, 2, 3).sctp_chunk(1, 0, ByteList(16, 7)).frame(),
      ethernet().mpls(3).ip(kA, kB, {.options = {7, 4, 4, 0}}).tcp(1, 2).payload("x").frame(),
      ethernet().ip(kB, kA).udp(9, 4789).vxlan(7).ethernet().ip(kA, kB).tcp(1, 2).frame(),
  };
  for (const Frame& right : frames) {
    Frame frame = right;
    frame.bytes.back() ^= 0x10;
    EXPECT_EQ(flags_of(frame), kPacketBadChecksum) << session_text(decoded(frame));
    frame = right;
    if (right.bytes[12] != 0x08) continue;
    frame.bytes[14 + 8] ^= 1;  // time to live
    EXPECT_EQ(flags_of(frame), kPacketBadIpChecksum) << session_text(decoded(frame));
  }
}

TEST(checksum, none_is_computed_when_the_settings_say_so_or_bytes_are_missing) {
  Frame frame = PacketBuilder().ethernet().ip(kA, kB).tcp(1, 2).payload("payload").frame();
  frame.bytes[14 + 20 + 16] ^= 1;
  DecodeSettings settings = decode_settings();
  settings.verify_checksums = false;
  EXPECT_EQ(decoded(frame, settings).flags, 0);
  EXPECT_EQ(flags_of(frame), kPacketBadChecksum);
  EXPECT_EQ(flags_of(frame.cut(frame.bytes.size() - 1)), 0);
  Frame fragment = PacketBuilder()
                       .ethernet()
                       .ip(kA, kB, {.more_fragments = true})
                       .udp(1, 2)
                       .payload("x")
                       .frame();
  fragment.bytes.back() ^= 1;
  EXPECT_EQ(flags_of(fragment), 0);
  Frame rerouted = PacketBuilder().ethernet().ip(kA6, kB6).extension(43).tcp(1, 2).frame();
  rerouted.bytes.back() ^= 1;
  EXPECT_EQ(flags_of(rerouted), 0);
  Frame padded = PacketBuilder().ethernet().ip(kA, kB).tcp(1, 2).frame();
  padded.bytes.resize(60, 0xee);  // Ethernet's padding is not covered
  padded.wire_bytes = 60;
  EXPECT_EQ(flags_of(padded), 0);
}

TEST(checksum, what_the_network_card_was_to_fill_in_is_recognised) {
  const auto with_field = [](Frame frame, std::size_t field, std::uint16_t in_memory) {
    std::memcpy(&frame.bytes[field], &in_memory, 2);
    return flags_of(frame);
  };
  const Frame tcp = PacketBuilder().ethernet().ip(kA, kB).tcp(1, 2).payload("payload").frame();
  const auto bytes = static_cast<std::uint32_t>(tcp.bytes.size()) - 34;
  const std::uint64_t addresses = sum_words(&tcp.bytes[26], 8) + in_memory_order(6);
  EXPECT_EQ(with_field(tcp, 50, fold(addresses + in_memory_order(bytes))), kPacketOffloaded);
  EXPECT_EQ(with_field(tcp, 50, fold(addresses)), kPacketOffloaded);
  EXPECT_EQ(with_field(tcp, 50, 0), kPacketOffloaded);
  EXPECT_EQ(with_field(tcp, 50, 0x1234), kPacketBadChecksum);
  EXPECT_EQ(with_field(tcp, 24, 0), 0);  // the IPv4 header's
  const Frame joined =
      PacketBuilder().ethernet().ip(kA, kB).tcp(1, 2).payload(std::string(3'000, 'x')).frame();
  EXPECT_EQ(with_field(joined, 50, 0x1234), kPacketOffloaded);
  const Frame udp = PacketBuilder().ethernet().ip(kA, kB).udp(1, 2).payload("x").frame();
  EXPECT_EQ(with_field(udp, 40, 0), 0);  // none
  Frame sctp = PacketBuilder().ethernet().ip(kA, kB).sctp(1, 2, 3).frame();
  std::memset(&sctp.bytes[42], 0, 4);
  EXPECT_EQ(flags_of(sctp), kPacketOffloaded);
}

}  // namespace
}  // namespace linger::test
