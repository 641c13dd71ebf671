#include <gtest/gtest.h>

#include <algorithm>

#include "tests/packet/decoded.h"

namespace linger::test {
namespace {

const Address kA = "192.0.2.1", kB = "198.51.100.2", kA6 = "2001:db8::1", kB6 = "2001:db8::2";
const std::string kSession = "tcp 192.0.2.1:1 > 198.51.100.2:2";

PacketBuilder ethernet() { return PacketBuilder().ethernet(); }
std::string session_of(const Frame& frame) { return session_text(decoded(frame)); }
Packet tcp_behind(PacketBuilder builder) {
  static Frame frame;  // what the packet points into
  frame = builder.ip(kA, kB).tcp(1, 2).payload("x").frame();
  return decoded(frame);
}

struct LinkHeader {
  const char* name;
  std::uint16_t link_type;
  ByteList header;
};

TEST(link, every_link_type_leads_to_its_packet) {
  const LinkHeader headers[] = {
      {"null, little-endian", 0, {2, 0, 0, 0}},
      {"null, big-endian", 0, {0, 0, 0, 2}},
      {"null, cisco hdlc", 0, {0x0f, 0, 0x08, 0x00}},
      {"token ring", 6, {0x10, 0x40, 1,  2,    3,    4, 5, 6, 7, 8, 9,
                         10,   11,   12, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0}},
      {"token ring with routes", 6, {0x10, 0x40, 1, 2, 3, 4,    5,    6, 0x87, 8, 9, 10, 11,
                                     12,   4,    0, 0, 1, 0xaa, 0xaa, 3, 0,    0, 0, 8,  0}},
      {"slip", 8, ByteList(16)},
      {"ppp", 9, {0xff, 0x03, 0x00, 0x21}},
      {"ppp without address", 9, {0x00, 0x21}},
      {"ppp, all compressed", 9, {0x21}},
      {"fddi", 10, {0x50, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0}},
      {"raw, OpenBSD", 12, {}},
      {"raw, BSD", 14, {}},
      {"ppp in hdlc", 50, {0xff, 0x03, 0x00, 0x21}},
      {"cisco hdlc in old ppp", 9, {0x0f, 0x00, 0x08, 0x00}},
      {"cisco hdlc in ppp", 50, {0x0f, 0x00, 0x08, 0x00}},
      {"pppoe", 51, {0x11, 0, 0, 1, 0, 50, 0x00, 0x21}},
      {"atm rfc1483", 100, {0xaa, 0xaa, 3, 0, 0, 0, 8, 0}},
      {"raw", 101, {}},
      {"cisco hdlc", 104, {0x0f, 0x00, 0x08, 0x00}},
      {"frame relay", 107, {0x18, 0x41, 0x03, 0xcc}},
      {"frame relay with snap", 107, {0x18, 0x41, 0x03, 0x00, 0x80, 0, 0, 0, 8, 0}},
      {"loop", 108, {0, 0, 0, 2}},
      {"enc, little-endian", 109, {2, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0}},
      {"enc, big-endian", 109, {0, 0, 0, 2, 0, 0, 1, 2, 0, 0, 0, 0}},
      {"pflog", 117, {5, 2, 0, 0, 'e', 0, 0, 0}},
      {"linux cooked", 113, {0, 0, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0, 0x08, 0x00}},
      {"sun atm", 123, {0x02, 0, 0, 5, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0}},
      {"linux arcnet, rfc 1051", 129, {1, 2, 0, 0, 240}},
      {"linux arcnet, rfc 1201", 129, {1, 2, 0, 0, 212, 0, 0, 1}},
      {"pppd", 166, {0x01, 0x03, 0x00, 0x21}},
      {"ppp with direction", 204, {0x01, 0xff, 0x03, 0x00, 0x21}},
      {"cisco hdlc with direction", 205, {0x00, 0x0f, 0x00, 0x08, 0x00}},
      {"frame relay with direction", 206, {0x00, 0x18, 0x41, 0x03, 0xcc}},
      {"juniper ethernet", 178, {0x4d, 0x47, 0x43, 0x81, 0, 3, 1,  1,  2,  1, 2, 3,
                                 4,    5,    6,    7,    8, 9, 10, 11, 12, 8, 0}},
      {"juniper ethernet, no link layer", 178, {0x4d, 0x47, 0x43, 0x02, 2, 0, 0, 0}},
      {"mpls", 219, {0, 0, 0x11, 64}},
      {"pktap, as user's", 149, {12, 0, 0, 0, 1, 0, 0, 0, 228, 0, 0, 0}},
      {"ipv4", 228, {}},
      {"ipv4 in what should be ipv6", 229, {}},
      {"nflog", 239, {2, 0, 0, 0, 8, 0, 1, 0, 8, 0, 1, 0, 5, 0, 10, 0, 'a', 0, 0, 0, 45, 0, 9, 0}},
      {"ppi", 192, {0, 0, 8, 0, 101, 0, 0, 0}},
      {"net analyzer", 240, {0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 8, 0}},
      {"pktap", 258, {12, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0}},
      {"linux cooked v2", 276, {8, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0}},
      {"broadcom tag", 281, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0x20, 0, 0, 5, 8, 0}},
      {"broadcom tag before", 282, {0x20, 0, 0, 5, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 8, 0}},
      {"dsa", 284, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0xc0, 0x08, 0, 1, 8, 0}},
      {"edsa", 285, {1,  2,    3,    4, 5, 6,    7,    8, 9, 10, 11,
                     12, 0xda, 0xda, 0, 0, 0xc0, 0x08, 0, 1, 8,  0}},
  };
  for (const auto& [name, link_type, header] : headers) {
    const Packet packet = tcp_behind(PacketBuilder().link(link_type, header));
    EXPECT_EQ(session_text(packet), kSession) << name;
    EXPECT_EQ(packet.ip_offset, header.size()) << name;
    EXPECT_EQ(packet.payload_bytes, 1U) << name;
    const bool has_ethernet =
        link_type == 240 || link_type >= 281 || (link_type == 178 && header.size() > 14);
    EXPECT_EQ(packet.mac_offset != Packet::kNoMac, has_ethernet) << name;
  }
}

// In front of Ethernet, of 14 bytes.
ByteList with_ethernet(ByteList header) {
  const ByteList ethernet{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 8, 0};
  header.insert(header.end(), ethernet.begin(), ethernet.end());
  return header;
}

ByteList erf(std::uint8_t type, const ByteList& behind) {
  ByteList header(16);
  header[8] = type;
  header.insert(header.end(), behind.begin(), behind.end());
  return header;
}

ByteList juniper(const ByteList& behind, std::uint8_t flags = 0x01) {
  ByteList header{'M', 'G', 'C', flags};
  header.insert(header.end(), behind.begin(), behind.end());
  return header;
}

ByteList symantec(std::size_t bytes, std::size_t type_at) {
  ByteList header(bytes);
  header[type_at] = 8;
  return header;
}

TEST(link, what_devices_put_before_a_frame_is_skipped) {
  const ByteList snap{0xaa, 0xaa, 3, 0, 0, 0, 8, 0};
  const LinkHeader headers[] = {
      {"erf ethernet", 197, with_ethernet(erf(2, {0, 0}))},
      {"erf ethernet with extensions", 197,
       with_ethernet(erf(0x90, {0x84, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0}))},
      {"erf cisco hdlc", 197, erf(1, {0x0f, 0x00, 0x08, 0x00})},
      {"erf ppp", 197, erf(1, {0xff, 0x03, 0x00, 0x21})},
      {"erf channel", 197, erf(5, {0, 0, 0, 1, 0x0f, 0x00, 0x08, 0x00})},
      {"erf aal5", 197, erf(4, {0, 0, 0, 0, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0})},
      {"erf channel aal5", 197, erf(9, ByteList(8))},
      {"erf ipv4", 197, erf(22, {})},
      {"juniper pppoe", 167, with_ethernet(juniper({}))},
      {"juniper pppoe over atm", 168, juniper({0x88, 0x64, 0x11, 0, 0, 1, 0, 43, 0x00, 0x21})},
      {"juniper ppp", 179, juniper({0xff, 0x03, 0x00, 0x21})},
      {"juniper frame relay", 180, juniper({0x18, 0x41, 0x03, 0xcc})},
      {"juniper cisco hdlc", 181, juniper({0x0f, 0x00, 0x08, 0x00})},
      {"juniper atm1, snap", 137, juniper({0, 0, 0, 1, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0})},
      {"juniper atm1, nlpid", 137, juniper({0, 0, 0, 1, 0x03, 0xcc})},
      {"juniper atm1, ip", 137, juniper({0, 0, 0, 1})},
      {"juniper atm2, nlpid", 135, juniper({0, 0, 0, 1, 0, 0, 0, 0, 0xfe, 0xfe, 3, 0xcc})},
      {"juniper atm2, ppp", 135, juniper({0, 0, 0, 1, 0, 0, 0, 0, 0x00, 0x21})},
      {"juniper atm2, ethernet", 135, with_ethernet(juniper({0, 0, 0, 1, 0, 0, 0, 0}, 0x00))},
      {"juniper atm2, no link layer", 135, juniper({2, 0, 0, 0}, 0x03)},
      {"juniper mlppp", 130, juniper({0xff, 0x03, 0x00, 0x21})},
      {"juniper mlppp, link services", 130, juniper({0x54, 0x01, 0xff, 0x03, 0x00, 0x21})},
      {"juniper mlppp, services", 130, juniper({0x47, 0, 0, 0, 0, 0x00, 0, 0})},
      {"symantec", 99, symantec(44, 6)},
      {"symantec 3", 99, symantec(56, 10)},
      {"docsis", 143, with_ethernet({0x00, 0, 0, 60, 0, 0})},
      {"docsis, clear", 143, with_ethernet({0x01, 5, 0, 65, 0x44, 0x10, 0x00, 1, 0, 0, 0})},
      {"exported pdu", 252, {0, 12, 0, 4, 'i', 'p', 0, 0, 0, 0, 0, 0}},
      {"exported frame", 252,
       with_ethernet({0,   12,  0,   14,  'e', 't', 'h', '_', 'w', 'i', 't', 'h', 'o', 'u',
                      't', 'f', 'c', 's', 0,   30,  0,   1,   7,   0,   0,   0,   0})},
      {"atm on bsd", 11, snap},
      {"atm clip", 106, snap},
      {"atm clip, ip", 106, {}},
      {"atm, ppp", 100, {0xfe, 0xfe, 0x03, 0xcf, 0x00, 0x21}},
      {"ip over fibre channel", 122, ByteList{1,  2,  3,  4,  5,    6,    7, 8, 9, 10, 11, 12,
                                              13, 14, 15, 16, 0xaa, 0xaa, 3, 0, 0, 0,  8,  0}},
      {"ip over firewire", 138, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 8, 0}},
      {"frame relay, cisco", 107, {0x18, 0x41, 0x08, 0x00}},
      {"frame relay, ppp", 107, {0x18, 0x41, 0x03, 0xcf, 0x00, 0x21}},
      {"frame relay, bridged", 107,
       with_ethernet({0x18, 0x41, 0x03, 0x00, 0x80, 0x00, 0x80, 0xc2, 0, 7})},
      {"multilink frame relay", 182, {0xc1, 0x05, 0x18, 0x41, 0x03, 0xcc}},
      {"ipnet", 226,
       ByteList{1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
      {"net analyzer, transparent", 241, with_ethernet(ByteList(12))},
      {"mpacket", 274, with_ethernet({0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0xd5})},
  };
  for (const auto& [name, link_type, header] : headers) {
    const Packet packet = tcp_behind(PacketBuilder().link(link_type, header));
    EXPECT_EQ(session_text(packet), kSession) << name;
    EXPECT_EQ(packet.ip_offset, header.size()) << name;
    EXPECT_EQ(packet.payload_bytes, 1U) << name;
  }
}

TEST(link, what_devices_write_beside_frames_is_not_ip) {
  const auto behind = [](std::uint16_t link_type, ByteList header) {
    return session_text(tcp_behind(PacketBuilder().link(link_type, std::move(header))));
  };
  EXPECT_EQ(behind(197, erf(27, {})), "not_ip");  // provenance
  EXPECT_EQ(behind(137, juniper({0x80, 0, 0, 0})), "not_ip");
  EXPECT_EQ(behind(135, juniper({0, 0, 0, 0, 0, 0, 0, 0x10})), "not_ip");
  EXPECT_EQ(behind(130, juniper({0x47, 0, 0, 0, 0, 0x30, 0, 0})), "not_ip");  // OSI
  EXPECT_EQ(behind(143, with_ethernet({0xc2, 0, 0, 60, 0, 0})), "not_ip");    // management
  EXPECT_EQ(behind(143, with_ethernet({0x01, 5, 0, 65, 0x44, 0x10, 0x80, 1, 0, 0, 0})),
            "not_ip");  // encrypted
  EXPECT_EQ(behind(252, {0, 12, 0, 4, 'h', 't', 't', 'p', 0, 0, 0, 0}), "not_ip");
  EXPECT_EQ(behind(252, {0, 0, 0, 0}), "not_ip");
  EXPECT_EQ(behind(182, {0x81, 0x05, 0x18, 0x41, 0x03, 0xcc}), "not_ip");  // a beginning
  EXPECT_EQ(behind(107, {0x18, 0x41, 0x20, 0x00}), "not_ip");              // CDP
  EXPECT_EQ(behind(226, ByteList(24)), "not_ip");
  EXPECT_EQ(behind(274, with_ethernet({0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x61, 0xe7})),
            "not_ip");  // a later piece
  ByteList endless(16 + 17 * 8, 0x80);
  EXPECT_EQ(behind(197, endless), "too_deep");
  EXPECT_EQ(behind(252, ByteList{0, 1, 0xff, 0xff}), "malformed");
}

TEST(link, a_switch_tag_may_stand_for_that_of_a_vlan) {
  const ByteList tagged{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0xe0, 0x08, 0x20, 100, 8, 0};
  const Packet packet = tcp_behind(PacketBuilder().link(284, tagged));
  EXPECT_EQ(session_text(packet), kSession);
  EXPECT_EQ(packet.vlan_count, 1);
  EXPECT_EQ(packet.vlan[0], 100);
  EXPECT_EQ(tcp_behind(PacketBuilder().link(281, tagged)).vlan_count, 0);  // Broadcom's has none
}

TEST(link, a_pflog_header_has_a_length) {
  const auto behind = [](ByteList header) {
    return session_text(tcp_behind(PacketBuilder().link(117, std::move(header))));
  };
  EXPECT_EQ(behind({1, 2, 0, 0}), "malformed");
  EXPECT_EQ(behind({4, 99, 0, 0}), "not_ip");
  EXPECT_EQ(behind({0x80, 2, 0, 0}), "malformed");  // beyond the frame
}

TEST(link, juniper_frames_begin_with_their_magic) {
  const ByteList header{0x4d, 0x47, 0x44, 0x02, 2, 0, 0, 0};
  EXPECT_EQ(session_text(tcp_behind(PacketBuilder().link(178, header))), "malformed");
}

TEST(link, infiniband_names_its_packet_by_ethertype) {
  ByteList header(44);
  header[40] = 0x08;
  EXPECT_EQ(session_text(tcp_behind(PacketBuilder().link(242, header))), kSession);
}

TEST(link, ipv6_is_found_behind_every_address_family) {
  for (const std::uint8_t family : {10, 24, 28, 30}) {
    const Frame frame = PacketBuilder().link(0, {family, 0, 0, 0}).ip(kA6, kB6).udp(1, 2).frame();
    EXPECT_EQ(session_of(frame), "udp [2001:db8::1]:1 > [2001:db8::2]:2");
  }
  EXPECT_EQ(session_of(PacketBuilder().link(229, {}).ip(kA6, kB6).udp(1, 2).frame()),
            "udp [2001:db8::1]:1 > [2001:db8::2]:2");
  EXPECT_EQ(session_of(PacketBuilder().link(9, {0x57}).ip(kA6, kB6).udp(1, 2).frame()),
            "udp [2001:db8::1]:1 > [2001:db8::2]:2");
}

TEST(link, unknown_link_type_is_named) {
  EXPECT_EQ(session_of(PacketBuilder().link(147, {}).payload("x").frame()), "unknown_link");
  EXPECT_EQ(session_of(PacketBuilder().link(192, {0, 0, 8, 0, 0, 0, 1, 0}).frame()),
            "unknown_link");
}

TEST(link, linux_cooked_without_ip_is_not_ip) {
  const ByteList netlink{0, 4, 3, 56, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0};  // ARPHRD_NETLINK
  EXPECT_EQ(session_of(PacketBuilder().link(113, netlink).payload(ByteList(40)).frame()), "not_ip");
  const ByteList can{0, 0, 1, 24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 12};
  EXPECT_EQ(session_of(PacketBuilder().link(113, can).payload(ByteList(40)).frame()), "not_ip");
}

// As Linux 6.11 has frames with several tags on `-i any`, where libpcap puts the outermost back.
TEST(link, linux_cooked_may_hide_tags_behind_what_it_says) {
  const ByteList v1{0, 0, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0, 0x81, 0, 0, 5, 8, 0, 0, 6, 8, 0};
  const Packet packet = tcp_behind(PacketBuilder().link(113, v1));
  EXPECT_EQ(session_text(packet), kSession);
  EXPECT_EQ(packet.vlan_count, 2);
  EXPECT_EQ(packet.vlan[1], 6);
  const ByteList v2{8, 0, 0, 0, 0, 0, 0, 2, 0,    1, 0, 6, 1, 2,
                    3, 4, 5, 6, 0, 0, 0, 6, 0x81, 0, 0, 7, 8, 0};
  EXPECT_EQ(session_text(tcp_behind(PacketBuilder().link(276, v2))), kSession);
  const ByteList no_tag{0, 0, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0, 8, 0, 0, 6, 9, 9};
  EXPECT_EQ(session_of(PacketBuilder().link(113, no_tag).payload(ByteList(40)).frame()),
            "malformed");
  const ByteList ethernet{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 8, 0, 0, 6, 8, 0};
  EXPECT_EQ(
      session_of(PacketBuilder().link(1, ethernet).ip("10.0.0.1", "10.0.0.2").tcp(1, 2).frame()),
      "malformed");
}

constexpr std::uint16_t kIeee80211 = 105, kRadiotap = 127;

// A data frame: control (2), duration, three addresses, sequence; then what is asked for; LLC.
ByteList wifi(std::uint8_t kind, std::uint8_t flags, std::size_t more, std::uint8_t fragment = 0) {
  ByteList header(24 + more);
  header[0] = kind;
  header[1] = flags;
  header[22] = fragment;
  const ByteList llc{0xaa, 0xaa, 3, 0, 0, 0, 8, 0};
  header.insert(header.end(), llc.begin(), llc.end());
  return header;
}

TEST(link, wifi_data_frames_lead_to_their_packet) {
  const ByteList headers[] = {
      wifi(0x08, 0x01, 0),      // to the access point
      wifi(0x08, 0x03, 6),      // between access points: four addresses
      wifi(0x88, 0x02, 2),      // QoS
      wifi(0x88, 0x82, 2 + 4),  // QoS and HT control
      wifi(0x88, 0x03, 6 + 2),  // QoS, four addresses
  };
  for (const ByteList& header : headers) {
    EXPECT_EQ(session_text(tcp_behind(PacketBuilder().link(kIeee80211, header))), kSession);
  }
  ByteList aggregate = wifi(0x88, 0x02, 2 + 14);
  aggregate[24] = 0x80;
  EXPECT_EQ(session_text(tcp_behind(PacketBuilder().link(kIeee80211, aggregate))), kSession);
}

TEST(link, frames_behind_the_first_of_an_aggregate_are_marked) {
  const std::uint8_t bytes = 8 + 20 + 20 + 1;  // LLC, IPv4, TCP, payload; then 3 of padding
  const auto flags_of = [&](std::size_t more) {
    ByteList header = wifi(0x88, 0x02, 2 + 14);
    header[24] = 0x80;
    header[26 + 13] = bytes;
    PacketBuilder builder = PacketBuilder().link(kIeee80211, header);
    Frame frame = builder.ip(kA, kB).tcp(1, 2).payload("x").frame();
    frame.bytes.resize(frame.bytes.size() + more);
    frame.wire_bytes += static_cast<std::uint32_t>(more);
    const Packet packet = decoded(frame);
    EXPECT_EQ(session_text(packet), kSession);
    return packet.flags;
  };
  EXPECT_EQ(flags_of(3), 0);
  EXPECT_EQ(flags_of(4 + 3), 0) << "a frame check sequence";
  EXPECT_EQ(flags_of(3 + 14), kPacketUntold);
}

TEST(link, wifi_frames_without_readable_data_are_not_ip) {
  for (const ByteList& header : {
           wifi(0x80, 0x00, 0),     // beacon
           wifi(0xb4, 0x00, 0),     // RTS
           wifi(0x48, 0x01, 0),     // null
           wifi(0xc8, 0x01, 2),     // QoS null
           wifi(0x08, 0x41, 0),     // protected
           wifi(0x08, 0x01, 0, 1),  // second fragment
       }) {
    EXPECT_EQ(session_text(tcp_behind(PacketBuilder().link(kIeee80211, header))), "not_ip");
  }
}

TEST(link, radiotap_is_skipped_and_its_padding_respected) {
  const auto with_radiotap = [](ByteList radiotap, const ByteList& frame) {
    radiotap.insert(radiotap.end(), frame.begin(), frame.end());
    return session_text(tcp_behind(PacketBuilder().link(kRadiotap, radiotap)));
  };
  EXPECT_EQ(with_radiotap({0, 0, 8, 0, 0, 0, 0, 0}, wifi(0x08, 0x01, 0)), kSession);
  // Timer and flags present, one more present word: the timer is aligned to 8 bytes, the flags
  // follow.
  ByteList padded(25);
  padded[2] = 25, padded[4] = 0x03, padded[7] = 0x80, padded[24] = 0x20;
  EXPECT_EQ(with_radiotap(padded, wifi(0x88, 0x02, 2 + 2)), kSession);  // 26 bytes, padded to 28
  EXPECT_EQ(with_radiotap({0, 0, 7, 0, 0, 0, 0, 0}, wifi(0x08, 0x01, 0)), "malformed");
  EXPECT_EQ(with_radiotap({0, 0, 8, 0, 0, 0, 0, 0x80}, wifi(0x08, 0x01, 0)), "malformed");
}

// An offset has 16 bits: of the IP header, and of the payload behind its extensions.
TEST(link, what_stands_too_far_in_is_too_deep) {
  const auto behind = [](std::size_t bytes, bool is_v6, std::size_t extension_bytes) {
    ByteList header(bytes - wifi(0x08, 0x01, 0).size());
    header[2] = static_cast<std::uint8_t>(header.size());
    header[3] = static_cast<std::uint8_t>(header.size() >> 8);
    for (const std::uint8_t byte : wifi(0x08, 0x01, 0)) header.push_back(byte);
    if (is_v6) header.end()[-2] = 0x86, header.end()[-1] = 0xdd;
    PacketBuilder builder = PacketBuilder().link(kRadiotap, header);
    builder.ip(is_v6 ? kA6 : kA, is_v6 ? kB6 : kB);
    if (extension_bytes != 0) builder.extension(0, ByteList(extension_bytes - 2));
    return session_of(builder.tcp(1, 2).payload("x").frame());
  };
  EXPECT_EQ(behind(0xff00, false, 0), kSession);
  EXPECT_EQ(behind(0xff01, false, 0), "too_deep");
  EXPECT_EQ(behind(0xff00, true, 128), "tcp [2001:db8::1]:1 > [2001:db8::2]:2");
  EXPECT_EQ(behind(0xff00, true, 256), "too_deep");
}

TEST(link, prism_and_avs_headers_are_skipped) {
  ByteList prism(144), avs(64);
  prism[4] = 144, avs[7] = 64;
  ByteList avs_of_linux = avs;
  std::ranges::copy(ByteList{0x80, 0x21, 0x10, 1}, avs_of_linux.begin());
  for (auto& [link_type, header] :
       {std::pair{119, prism}, std::pair{119, avs_of_linux}, std::pair{163, avs}}) {
    ByteList bytes = header;
    const ByteList frame = wifi(0x08, 0x01, 0);
    bytes.insert(bytes.end(), frame.begin(), frame.end());
    const auto type = static_cast<std::uint16_t>(link_type);
    EXPECT_EQ(session_text(tcp_behind(PacketBuilder().link(type, bytes))), kSession);
  }
}

TEST(link, tags_of_every_kind_are_followed) {
  EXPECT_EQ(session_text(tcp_behind(ethernet().vlan(7))), kSession);
  EXPECT_EQ(session_text(tcp_behind(ethernet().vlan(7, 0x88a8).vlan(8).vlan(9, 0x9100))), kSession);
  EXPECT_EQ(session_text(tcp_behind(ethernet().llc_snap())), kSession);
  EXPECT_EQ(session_text(tcp_behind(ethernet().mpls(5))), kSession);
  EXPECT_EQ(session_text(tcp_behind(ethernet().mpls(5).mpls(6).mpls(7))), kSession);
  EXPECT_EQ(session_text(tcp_behind(ethernet().pppoe())), kSession);
  // 802.1ah: I-TAG, then a frame; VN-Tag: four bytes, then a type
  const PacketBuilder service = ethernet().next_is(0x88e7).payload(ByteList(4)).ethernet();
  EXPECT_EQ(session_text(tcp_behind(service)), kSession);
  const PacketBuilder vn_tag = ethernet().next_is(0x8926).payload({0, 0, 0, 0, 8, 0});
  EXPECT_EQ(session_text(tcp_behind(vn_tag)), kSession);
  for (const std::uint16_t redundancy : {0x892f, 0xf1c1}) {
    const PacketBuilder tagged = ethernet().next_is(redundancy).payload({0, 0, 0, 0, 8, 0});
    EXPECT_EQ(session_text(tcp_behind(tagged)), kSession);
  }
  const PacketBuilder e_tag = ethernet().next_is(0x893f).payload({0, 0, 0, 0, 0, 0, 8, 0});
  EXPECT_EQ(session_text(tcp_behind(e_tag)), kSession);
  const auto macsec = [](ByteList header) {
    return session_text(tcp_behind(ethernet().next_is(0x88e5).payload(std::move(header))));
  };
  EXPECT_EQ(macsec({0x00, 0, 0, 0, 0, 1, 8, 0}), kSession);
  EXPECT_EQ(macsec({0x20, 0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 8, 0}), kSession);
  EXPECT_EQ(macsec({0x0c, 0, 0, 0, 0, 1, 8, 0}), "not_ip");  // encrypted
  const PacketBuilder fabric_path = ethernet().next_is(0x8903).payload(ByteList(2)).ethernet();
  EXPECT_EQ(session_text(tcp_behind(fabric_path)), kSession);
}

TEST(link, vlan_ids_are_kept_outermost_first) {
  const Packet packet = tcp_behind(ethernet().vlan(0xfff, 0x88a8).vlan(8).vlan(9));
  EXPECT_EQ(packet.vlan_count, 2);
  EXPECT_EQ(packet.vlan[0], 0xfff);
  EXPECT_EQ(packet.vlan[1], 8);
}

TEST(link, priority_tag_is_no_vlan) {
  const Packet packet = tcp_behind(ethernet().vlan(0));
  EXPECT_EQ(packet.vlan_count, 0);
  EXPECT_EQ(session_text(packet), kSession);
}

TEST(link, mpls_below_the_bottom_is_guessed) {
  const ByteList control_word(4);
  const PacketBuilder with_word = ethernet().mpls(5).payload(control_word).ethernet();
  EXPECT_EQ(session_text(tcp_behind(with_word)), kSession);
  const PacketBuilder bare = ethernet().mpls(5).ethernet(0xaabbccddeeff, 0x020000000001);
  EXPECT_EQ(session_text(tcp_behind(bare)), kSession);
}

TEST(link, a_bare_frame_below_mpls_may_begin_like_ip_or_a_control_word) {
  for (const std::uint64_t to : {0x001122334455, 0x486a01020304, 0x6c3b01020304, 0x0f0008000045}) {
    const auto bare = [&] { return ethernet().mpls(5).ethernet(to, 0x020000000001); };
    EXPECT_EQ(session_text(tcp_behind(bare())), kSession);
    EXPECT_EQ(session_text(tcp_behind(bare().vlan(7))), kSession);
    const Frame over_v6 = bare().ip(kA6, kB6).tcp(1, 2).frame();
    EXPECT_EQ(session_of(over_v6), "tcp [2001:db8::1]:1 > [2001:db8::2]:2");
  }
}

TEST(link, mpls_may_carry_frames_of_serial_lines) {
  const ByteList control_word(4);
  for (const ByteList& header :
       {ByteList{0x0f, 0x00, 0x08, 0x00}, {0xff, 0x03, 0x00, 0x21}, {0x00, 0x21}}) {
    EXPECT_EQ(session_text(tcp_behind(ethernet().mpls(5).payload(header))), kSession);
    EXPECT_EQ(session_text(tcp_behind(ethernet().mpls(5).payload(control_word).payload(header))),
              kSession);
  }
}

TEST(link, what_docsis_says_is_encrypted_is_not_ip) {
  for (const std::uint8_t type : {3, 4, 5, 7}) {
    const auto head = static_cast<std::uint8_t>(type << 4 | 4);
    const auto behind = [&](std::uint8_t flags) {
      const ByteList header = {0x01, 5, 0, 65, head, 0x10, flags, 1, 0, 0, 0};
      return session_text(tcp_behind(PacketBuilder().link(143, with_ethernet(header))));
    };
    EXPECT_EQ(behind(0x00), kSession) << int{type};
    EXPECT_EQ(behind(0x80), type == 5 ? kSession : "not_ip") << int{type};
  }
}

// Where the IP header does not tell its length (a segment that the network card was to cut).
TEST(link, bytes_behind_pppoe_are_no_payload) {
  Frame frame = ethernet().pppoe().ip(kA, kB).tcp(1, 2).payload("x").frame();
  frame.bytes[frame.ip_offset + 2] = frame.bytes[frame.ip_offset + 3] = 0;
  frame.bytes.resize(frame.bytes.size() + 9);
  frame.wire_bytes += 9;
  EXPECT_EQ(session_of(frame), kSession);
  EXPECT_EQ(decoded(frame).payload_bytes, 1U);
}

TEST(link, llc_without_ip_is_not_ip) {
  EXPECT_EQ(session_of(ethernet().llc_snap().next_is(0x809b).payload("x").frame()), "not_ip");
  Frame frame = ethernet().llc_snap().ip(kA, kB).tcp(1, 2).frame();
  frame.bytes[17] = 1;  // an organisation of its own
  EXPECT_EQ(session_of(frame), "not_ip");
}

TEST(link, multilink_tells_the_session_in_the_first_fragment_of_a_packet) {
  const auto behind = [](ByteList header) {
    return tcp_behind(ethernet().pppoe().next_is(0x3d).payload(std::move(header)));
  };
  for (const ByteList& header : {
           ByteList{0xc0, 0, 0, 1, 0x21},            // 24 bits
           ByteList{0xc0, 0, 0, 1, 0x00, 0x21},      //
           ByteList{0x80, 0, 0, 1, 0xff, 3, 0, 33},  // a beginning
           ByteList{0xc0, 1, 0x21},                  // 12 bits
           ByteList{0xcf, 1, 0xff, 3, 0x00, 0x21},   //
       }) {
    EXPECT_EQ(session_text(behind(header)), kSession);
    EXPECT_EQ(behind(header).flags, 0);
  }
  const Packet last = behind({0x40, 0, 0, 2});
  EXPECT_EQ(session_text(last), "not_ip");
  EXPECT_EQ(last.flags, kPacketUntold);
}

TEST(link, pppoe_discovery_and_ppp_control_are_not_ip) {
  EXPECT_EQ(session_of(ethernet().next_is(0x8863).payload(ByteList(20)).frame()), "not_ip");
  EXPECT_EQ(session_of(ethernet().pppoe().next_is(0xc021).payload(ByteList(20)).frame()), "not_ip");
}

}  // namespace
}  // namespace linger::test
