#include <gtest/gtest.h>

#include "tests/packet/decoded.h"

namespace linger::test {
namespace {

const Address kOuterA = "192.0.2.1", kOuterB = "198.51.100.2";
const Address kOuterA6 = "2001:db8::1", kOuterB6 = "2001:db8::2";
const Address kA = "10.0.0.1", kB = "10.0.0.2";
const Address kA6 = "fd00::1", kB6 = "fd00::2";

PacketBuilder outer() { return PacketBuilder().ethernet().ip(kOuterA, kOuterB); }
PacketBuilder outer6() { return PacketBuilder().ethernet().ip(kOuterA6, kOuterB6); }
std::string inner_of(PacketBuilder builder) {
  const Frame frame = builder.ip(kA, kB).tcp(1, 2).payload("x").frame();
  EXPECT_EQ(payload_text(frame), "x");
  return session_text(decoded(frame));
}
std::string inner6_of(PacketBuilder builder) {
  return session_text(decoded(builder.ip(kA6, kB6).tcp(1, 2).frame()));
}
std::string session_of(const Frame& frame) { return session_text(decoded(frame)); }

const std::string kInner = "tcp 10.0.0.1:1 > 10.0.0.2:2";
const std::string kInner6 = "tcp [fd00::1]:1 > [fd00::2]:2";

TEST(tunnel, session_is_that_of_the_inner_packet) {
  for (const auto& carrier : {outer(), outer6()}) {
    const auto with = [&] { return PacketBuilder(carrier); };
    EXPECT_EQ(inner_of(with()), kInner);
    EXPECT_EQ(inner6_of(with()), kInner6);
    EXPECT_EQ(inner_of(with().gre()), kInner);
    EXPECT_EQ(inner6_of(with().gre(7)), kInner6);
    EXPECT_EQ(inner_of(with().gre(7).ethernet()), kInner);
    EXPECT_EQ(inner_of(with().udp(9, 4789).vxlan(7).ethernet()), kInner);
    EXPECT_EQ(inner_of(with().udp(9, 8472).vxlan(7).ethernet().vlan(8)), kInner);
    EXPECT_EQ(inner_of(with().udp(9, 6081).geneve(7).ethernet()), kInner);
    EXPECT_EQ(inner6_of(with().udp(9, 6081).geneve(7)), kInner6);
    EXPECT_EQ(inner_of(with().udp(2152, 9).gtp_u(7)), kInner);
    EXPECT_EQ(inner6_of(with().udp(9, 3544)), kInner6);
    EXPECT_EQ(inner_of(with().next_is(137).mpls(7)), kInner);
    EXPECT_EQ(inner_of(with().next_is(97).payload({0x30, 0}).ethernet()), kInner);
  }
}

TEST(tunnel, optional_fields_are_skipped) {
  const auto gre = [](ByteList header) { return outer().next_is(47).payload(std::move(header)); };
  const auto udp = [](std::uint16_t port, ByteList header) {
    return outer().udp(9, port).payload(std::move(header));
  };
  EXPECT_EQ(inner_of(gre({0xb0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1})), kInner);
  EXPECT_EQ(inner_of(gre({0x30, 0x81, 0x88, 0x0b, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 2, 0x21})),
            kInner);
  EXPECT_EQ(inner_of(gre({0, 0, 0x88, 0xbe}).ethernet()), kInner);  // ERSPAN I, II, III
  EXPECT_EQ(inner_of(gre({0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}).ethernet()),
            kInner);
  ByteList erspan3{0x10, 0, 0x22, 0xeb, 0, 0, 0, 1};
  erspan3.resize(8 + 12 + 8);
  erspan3[19] = 1;
  EXPECT_EQ(inner_of(gre(erspan3).ethernet()), kInner);
  EXPECT_EQ(inner_of(udp(4790, {0x0c, 0, 0, 1, 0, 0, 7, 0})), kInner);  // VXLAN-GPE
  EXPECT_EQ(inner_of(udp(6081, {0x01, 0, 8, 0, 0, 0, 7, 0, 1, 2, 3, 0})), kInner);
  EXPECT_EQ(inner_of(udp(2152, {0x34, 255, 0, 9, 0, 0, 0, 7, 0, 0, 0, 0x85, 1, 0x10, 1, 0})),
            kInner);
  EXPECT_EQ(inner6_of(udp(3544, {0, 1, 2, 1, 'i', 'd', 'a', 0, 0, 0, 0, 0,
                                 0, 0, 0, 0, 0,   0,   1,   2, 3, 4, 5, 6})),
            kInner6);
  EXPECT_EQ(
      inner_of(udp(1701, {0x4a, 2, 0, 20, 0, 1, 0, 2, 0, 0, 0, 0, 0, 2, 0, 0, 0xff, 3, 0, 0x21})),
      kInner);
}

TEST(tunnel, tunnels_nest) {
  EXPECT_EQ(inner_of(outer().udp(9, 2152).gtp_u(7).ip(kOuterA6, kOuterB6).gre()), kInner);
}

TEST(tunnel, what_is_no_valid_packet_leaves_the_outer_session) {
  const std::string vxlan = "udp 192.0.2.1:9 > 198.51.100.2:4789";
  EXPECT_EQ(session_of(outer().udp(9, 4789).payload("no tunnel").frame()), vxlan);
  EXPECT_EQ(session_of(outer().udp(9, 4789).frame()), vxlan);
  const PacketBuilder arp = outer().udp(9, 4789).vxlan(7).ethernet().next_is(0x0806);
  EXPECT_EQ(session_of(PacketBuilder(arp).payload(ByteList(28)).frame()), vxlan);
  Frame bad = outer().udp(9, 4789).vxlan(7).ethernet().ip(kA, kB).tcp(1, 2).frame();
  bad.bytes[14 + 20 + 8 + 8 + 14] = 0x41;  // a header length of 4
  const Packet packet = decoded(bad);
  EXPECT_EQ(session_text(packet), vxlan);
  EXPECT_EQ(packet.ip_offset, 14);
  EXPECT_EQ(packet.payload_offset, 42);
  EXPECT_EQ(packet.payload_bytes, bad.bytes.size() - 42);
  EXPECT_EQ(packet.tcp.flags, 0);
  EXPECT_EQ(session_of(outer().gre().next_is(0x9000).payload("keepalive").frame()),
            "ip47 192.0.2.1:0 > 198.51.100.2:0");
  EXPECT_EQ(
      session_of(outer().udp(9, 2152).payload({0x32, 1, 0, 4, 0, 0, 0, 0, 0, 1, 0, 0}).frame()),
      "udp 192.0.2.1:9 > 198.51.100.2:2152");  // GTP echo
}

TEST(tunnel, innermost_valid_session_stays_when_the_next_is_not) {
  const Frame frame =
      outer().ip(kA, kB).udp(9, 4789).vxlan(7).ethernet().next_is(0x0806).payload("x").frame();
  EXPECT_EQ(session_of(frame), "udp 10.0.0.1:9 > 10.0.0.2:4789");
}

TEST(tunnel, inner_fragment_is_a_fragment) {
  EXPECT_EQ(session_of(outer().gre().ip(kA, kB, {.fragment_offset = 8}).payload("x").frame()),
            "fragment");
}

TEST(tunnel, tunnels_separate_sessions_only_when_asked) {
  const auto in_vxlan = [](std::uint32_t vni) {
    return outer().udp(9, 4789).vxlan(vni).ethernet().ip(kA, kB).tcp(1, 2).frame();
  };
  const Frame plain = PacketBuilder().ethernet().ip(kA, kB).tcp(1, 2).frame();
  EXPECT_EQ(decoded(in_vxlan(1)).key, decoded(plain).key);
  DecodeSettings settings = decode_settings();
  settings.key_has_tunnel = true;
  EXPECT_FALSE(decoded(in_vxlan(1), settings).key == decoded(in_vxlan(2), settings).key);
  EXPECT_FALSE(decoded(in_vxlan(1), settings).key == decoded(plain, settings).key);
  // The ids of a GTP tunnel differ by direction: they must not.
  const Frame up = outer().udp(9, 2152).gtp_u(1).ip(kA, kB).tcp(1, 2).frame();
  const Frame down = outer().udp(9, 2152).gtp_u(2).ip(kB, kA).tcp(2, 1).frame();
  EXPECT_EQ(decoded(up, settings).key, decoded(down, settings).key);
}

}  // namespace
}  // namespace linger::test
