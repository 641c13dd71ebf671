#include "engine/source/packet_filter.h"

#include <gtest/gtest.h>

#include "engine/packet/link_type.h"
#include "tests/source/capture_writer.h"

namespace linger::test {
namespace {

// Ethernet, IPv4 without options, UDP.
ByteList udp_frame(std::uint16_t destination_port) {
  FieldWriter frame(ByteOrder::big);
  frame.raw(ByteList(12)).u16(0x0800);
  frame.u8(0x45).u8(0).u16(28).u32(0).u8(64).u8(17).u16(0);
  frame.u32(0xc000'0201).u32(0xc000'0202).u16(40'000).u16(destination_port).u16(8).u16(0);
  return frame.bytes();
}

Packet packet_of(const ByteList& bytes, std::size_t offset, std::uint16_t link_type) {
  Packet packet;
  packet.data = bytes.data() + offset;
  packet.captured_bytes = static_cast<std::uint32_t>(bytes.size() - offset);
  packet.wire_bytes = packet.captured_bytes;
  packet.link_type = link_type;
  return packet;
}

TEST(PacketFilter, keeps_what_matches_in_order) {
  const ByteList dns = udp_frame(53);
  const ByteList ntp = udp_frame(123);
  Packet packets[] = {packet_of(ntp, 0, 1), packet_of(dns, 0, 1), packet_of(ntp, 0, 1),
                      packet_of(dns, 0, 1)};
  packets[1].ports = 1;
  packets[3].ports = 4;
  PacketFilter filter("udp port 53");
  ASSERT_EQ(filter.keep_matching(packets, 4), 2U);
  EXPECT_EQ(packets[0].ports, 1);
  EXPECT_EQ(packets[1].ports, 4);
  EXPECT_EQ(packets[1].data, dns.data());
}

TEST(PacketFilter, keeps_everything_without_an_expression) {
  Packet packets[3];
  EXPECT_EQ(PacketFilter("").keep_matching(packets, 3), 3U);
}

TEST(PacketFilter, reads_each_link_type_in_its_own_way) {
  const ByteList dns = udp_frame(53);
  constexpr std::size_t kIpOffset = 14;
  constexpr std::uint16_t kRawIp = 101;
  Packet packets[] = {packet_of(dns, 0, 1), packet_of(dns, kIpOffset, kRawIp),
                      packet_of(dns, 0, kRawIp), packet_of(dns, kIpOffset, 1)};
  PacketFilter filter("udp port 53");
  EXPECT_EQ(filter.keep_matching(packets, 4), 2U);
  EXPECT_EQ(packets[1].link_type, kRawIp);
  EXPECT_EQ(filter.trouble(), "");
}

TEST(PacketFilter, knows_the_link_types_that_libpcap_numbers_in_another_way) {
  const ByteList dns = udp_frame(53);
  ByteList llc = {0xaa, 0xaa, 3, 0, 0, 0, 8, 0};
  llc.insert(llc.end(), dns.begin() + 14, dns.end());
  Packet packets[] = {packet_of(dns, 14, kRawBsd), packet_of(llc, 0, kAtmRfc1483),
                      packet_of(llc, 0, kAtmClip)};
  PacketFilter filter("udp port 53");
  EXPECT_EQ(filter.keep_matching(packets, 3), 3U) << filter.trouble();
}

TEST(PacketFilter, a_link_type_that_the_expression_does_not_fit_matches_nothing_and_is_named) {
  const ByteList dns = udp_frame(53);
  Packet packets[] = {packet_of(dns, 14, 101), packet_of(dns, 14, 101)};
  PacketFilter filter("ether host 00:00:00:00:00:00");
  EXPECT_EQ(filter.keep_matching(packets, 2), 0U);
  EXPECT_EQ(filter.keep_matching(packets, 2), 0U);
  EXPECT_EQ(filter.trouble().find("No packet of link type 101 matches the filter "
                                  "\"ether host 00:00:00:00:00:00\": "),
            0U)
      << filter.trouble();
  EXPECT_EQ(filter.trouble().find('\n'), std::string::npos);
}

TEST(PacketFilter, a_direction_that_only_the_kernel_knows_is_said_to_match_nothing) {
  const ByteList dns = udp_frame(53);
  for (const char* expression : {"inbound", "udp and outbound"}) {
    Packet packet = packet_of(dns, 0, 1);
    PacketFilter filter(expression);
    EXPECT_EQ(filter.keep_matching(&packet, 1), 0U);
    EXPECT_NE(filter.trouble().find("only the kernel knows"), std::string::npos) << expression;
  }
}

TEST(CheckBpf, says_what_is_wrong_with_an_expression_and_names_it) {
  EXPECT_TRUE(check_bpf("tcp port 80 and not host 192.0.2.1"));
  EXPECT_TRUE(check_bpf("wlan type mgt"));  // no sense on Ethernet, but on 802.11
  const auto bad = check_bpf("tcp prot 80");
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().find("BPF expression \"tcp prot 80\": "), 0U) << bad.error();
  EXPECT_GT(bad.error().size(), 32U);
}

}  // namespace
}  // namespace linger::test
