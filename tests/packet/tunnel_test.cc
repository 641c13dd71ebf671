#include <gtest/gtest.h>

#include "tests/packet/decoded.h"
#include "tests/packet/defragmenter.h"

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

// "vxlan 7 192.0.2.1 > 198.51.100.2, …"
std::string layers_text(const Frame& frame) {
  const DecodeSettings settings = decode_settings();
  const TunnelLayers layers = tunnel_layers_of(decoded(frame, settings), settings);
  std::string text;
  for (std::size_t i = 0; i < layers.count(); ++i) {
    const TunnelLayer& layer = layers.layer[i];
    text += text.empty() ? "" : ", ";
    text += kTunnelWords[static_cast<std::size_t>(layer.kind)];
    if (layer.has_id) text += " " + std::to_string(layer.id);
    if (layer.ip_version == 0) continue;
    text += " " + address_text(layer.address[0], layer.ip_version) + " > " +
            address_text(layer.address[1], layer.ip_version);
  }
  return text;
}
std::string layers_of(PacketBuilder builder) {
  return layers_text(builder.ip(kA, kB).tcp(1, 2).frame());
}

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
  EXPECT_EQ(inner_of(gre({0, 0x80, 8, 0})), kInner);  // of version 1 that is an acknowledgment
  EXPECT_EQ(session_of(gre({0, 2, 8, 0}).ip(kA, kB).tcp(1, 2).frame()),
            "ip47 192.0.2.1:0 > 198.51.100.2:0");
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
  EXPECT_EQ(inner_of(udp(2152, {0x32, 255, 0, 4, 0, 0, 0, 7, 0, 1, 0, 0x85})), kInner);
  EXPECT_EQ(inner6_of(udp(3544, {0, 1, 2, 1, 'i', 'd', 'a', 0, 0, 0, 0, 0,
                                 0, 0, 0, 0, 0,   0,   1,   2, 3, 4, 5, 6})),
            kInner6);
  EXPECT_EQ(
      inner_of(udp(1701, {0x4a, 2, 0, 20, 0, 1, 0, 2, 0, 0, 0, 0, 0, 2, 0, 0, 0xff, 3, 0, 0x21})),
      kInner);
}

// 802.11 data to the distribution system, LLC.
const ByteList kWifi{0x08, 0x01, 0, 0, 1, 2, 3, 4, 5,    6,    1, 2, 3, 4, 5, 6,
                     1,    2,    3, 4, 5, 6, 0, 0, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0};

PacketBuilder capwap(ByteList header, const ByteList& frame = {}) {
  header.insert(header.end(), frame.begin(), frame.end());
  return outer().udp(9, 5247).payload(std::move(header));
}

TEST(tunnel, capwap_carries_ethernet_or_wifi) {
  const ByteList ethernet{0, 0x10, 0x02, 0, 0, 0, 0, 0}, wifi{0, 0x10, 0x03, 0, 0, 0, 0, 0};
  const ByteList informed{0, 0x20, 0x03, 0x20, 0, 0, 0, 0, 4, 1, 2, 3, 4, 0, 0, 0};
  EXPECT_EQ(inner_of(capwap(ethernet).ethernet()), kInner);
  EXPECT_EQ(inner_of(capwap(wifi, kWifi)), kInner);
  EXPECT_EQ(inner_of(capwap(informed, kWifi)), kInner);
  ByteList swapped = kWifi;
  std::swap(swapped[0], swapped[1]);
  swapped[22] = 0x76;  // of the sequence number, of which 0x7630 is the 1,891st, not a fragment
  swapped[23] = 0x30;
  EXPECT_EQ(inner_of(capwap(wifi, swapped)), kInner);
  const ByteList first_fragment{0, 0x10, 0x03, 0x80, 0, 1, 0, 0};
  EXPECT_EQ(inner_of(capwap(first_fragment, kWifi)), kInner);
  EXPECT_EQ(
      session_of(outer().udp(5247, 9).payload(ethernet).ethernet().ip(kA, kB).tcp(1, 2).frame()),
      kInner);
}

TEST(tunnel, capwap_that_holds_no_readable_frame_is_its_own_session) {
  const ByteList headers[] = {
      {1, 0, 0, 0, 22, 254, 253, 0},      // DTLS
      {0x10, 0x10, 0x02, 0, 0, 0, 0, 0},  // another version
      {0, 0x10, 0x02, 0x08, 0, 0, 0, 0},  // keep-alive
      {0, 0x10, 0x02, 0x80, 0, 1, 0, 8},  // second fragment
      {0, 0x10, 0x07, 0, 0, 0, 0, 0},     // a radio of EPCglobal
      {0, 0x08, 0x02, 0, 0, 0, 0, 0},     // a header of 4 bytes
  };
  for (const ByteList& header : headers) {
    const Frame frame = capwap(header).ethernet().ip(kA, kB).tcp(1, 2).frame();
    EXPECT_EQ(session_of(frame), "udp 192.0.2.1:9 > 198.51.100.2:5247");
    EXPECT_EQ((decoded(frame).flags & kPacketUntold) != 0, header[3] == 0x80);
  }
}

TEST(tunnel, gre_of_aruba_carries_wifi) {
  ByteList aggregate = kWifi;
  aggregate[0] = 0x88;
  aggregate.insert(aggregate.begin() + 24, {0x80, 0, 1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6, 0, 49});
  for (const std::uint16_t protocol : {0x8200, 0x8240, 0x8370}) {
    const PacketBuilder gre = outer().gre().next_is(protocol);
    EXPECT_EQ(inner_of(PacketBuilder(gre).payload(kWifi)), kInner);
    EXPECT_EQ(inner_of(PacketBuilder(gre).payload(aggregate)), kInner);
    EXPECT_EQ(layers_of(PacketBuilder(gre).payload(kWifi)), "gre 192.0.2.1 > 198.51.100.2");
  }
  for (const std::uint16_t protocol : {0x81f0, 0x8208, 0x8380}) {
    const PacketBuilder gre = outer().gre().next_is(protocol).payload(kWifi);
    EXPECT_EQ(session_of(PacketBuilder(gre).ip(kA, kB).tcp(1, 2).frame()),
              "ip47 192.0.2.1:0 > 198.51.100.2:0");
  }
}

// An identity of 4 bytes, a signature of 8.
PacketBuilder ayiya(std::uint8_t operation, std::uint8_t next) {
  ByteList header(8 + 4 + 8);
  header[0] = 0x21, header[1] = 0x22, header[2] = operation, header[3] = next;
  return outer().udp(9, 5072).payload(std::move(header));
}

TEST(tunnel, ayiya_carries_ip_behind_identity_and_signature) {
  EXPECT_EQ(inner6_of(ayiya(0x11, 41)), kInner6);
  EXPECT_EQ(inner_of(ayiya(0x11, 4)), kInner);
  EXPECT_EQ(inner6_of(ayiya(0x13, 41)), kInner6);  // an echo request with it
  for (const auto& [operation, next] : {std::pair{0x10, 41}, {0x12, 41}, {0x14, 41}, {0x11, 59}}) {
    const PacketBuilder message =
        ayiya(static_cast<std::uint8_t>(operation), static_cast<std::uint8_t>(next));
    EXPECT_EQ(session_of(PacketBuilder(message).ip(kA6, kB6).tcp(1, 2).frame()),
              "udp 192.0.2.1:9 > 198.51.100.2:5072");
  }
}

PacketBuilder l2tp_v3(ByteList header) { return outer().next_is(115).payload(std::move(header)); }

TEST(tunnel, l2tp_version_3_is_entered_where_a_packet_fits_to_the_byte) {
  for (const std::size_t more : {0, 4, 8, 12}) {  // cookie, sublayer
    ByteList header{0, 0, 0, 7};
    header.resize(4 + more, 0x45);
    EXPECT_EQ(inner_of(l2tp_v3(header).ethernet()), kInner);
    EXPECT_EQ(inner6_of(l2tp_v3(header).ethernet().vlan(5)), kInner6);
    EXPECT_EQ(inner6_of(l2tp_v3(header).ethernet().pppoe()), kInner6);
    ByteList hdlc = header;
    for (const std::uint8_t byte : {0x0f, 0x00, 0x08, 0x00}) hdlc.push_back(byte);
    EXPECT_EQ(inner_of(l2tp_v3(hdlc)), kInner);
    ByteList ppp = header;
    for (const std::uint8_t byte : {0xff, 0x03, 0x00, 0x57}) ppp.push_back(byte);
    EXPECT_EQ(inner6_of(l2tp_v3(ppp)), kInner6);
    ByteList udp{0, 3, 0, 0};
    udp.insert(udp.end(), header.begin(), header.end());
    EXPECT_EQ(inner_of(outer().udp(9, 1701).payload(udp).ethernet()), kInner);
  }
  EXPECT_EQ(layers_of(l2tp_v3({0, 1, 0, 2}).ethernet()), "l2tpv3 65538 192.0.2.1 > 198.51.100.2");
}

TEST(tunnel, l2tp_version_3_without_a_packet_that_fits_is_its_own_session) {
  const std::string carrier = "ip115 192.0.2.1:0 > 198.51.100.2:0";
  const auto with = [](ByteList header, int more) {
    Frame frame = l2tp_v3(header).ethernet().ip(kA, kB).udp(1, 2).payload(ByteList(60)).frame();
    frame.bytes[14 + 20 + header.size() + 14 + 3] += static_cast<std::uint8_t>(more);
    return session_of(frame);
  };
  EXPECT_EQ(with({0, 0, 0, 7}, 0), "udp 10.0.0.1:1 > 10.0.0.2:2");
  EXPECT_EQ(with({0, 0, 0, 7}, -4), "udp 10.0.0.1:1 > 10.0.0.2:2") << "a check sequence";
  EXPECT_EQ(with({0, 0, 0, 7}, 1), carrier);
  EXPECT_EQ(with({0, 0, 0, 7}, -1), carrier);
  EXPECT_EQ(with({0, 0, 0, 7, 1}, 0), carrier);
  EXPECT_EQ(with({0, 0, 0, 0}, 0), carrier) << "control";
}

TEST(tunnel, a_short_frame_in_l2tp_version_3_is_padded) {
  ByteList padded = PacketBuilder().ethernet().ip(kA, kB).tcp(1, 2).frame().bytes;
  padded.resize(60);
  EXPECT_EQ(session_of(l2tp_v3({0, 0, 0, 7}).payload(padded).frame()), kInner);
}

TEST(tunnel, gtp_had_a_version_before_its_first) {
  ByteList header(20);
  header[0] = 0x1e, header[1] = 0xff, header[7] = 7;
  const auto gtp = [&] { return outer().udp(3386, 3386).payload(header); };
  EXPECT_EQ(inner_of(gtp()), kInner);
  EXPECT_EQ(layers_of(gtp()), "gtp 7 192.0.2.1 > 198.51.100.2");
  header[1] = 1;  // an echo request
  EXPECT_EQ(session_of(gtp().ip(kA, kB).tcp(1, 2).frame()),
            "udp 192.0.2.1:3386 > 198.51.100.2:3386");
  header[0] = 0x0e;  // charging
  EXPECT_EQ(session_of(gtp().ip(kA, kB).tcp(1, 2).frame()),
            "udp 192.0.2.1:3386 > 198.51.100.2:3386");
}

// Any client may have one of these ports, and be sent what begins like a packet.
TEST(tunnel, what_does_not_fit_the_datagram_is_no_packet) {
  const std::vector<std::pair<std::uint16_t, ByteList>> headers = {
      {3544, {}}, {4341, ByteList(8)}, {6635, {0, 0, 0x11, 64}}};
  for (const auto& [port, header] : headers) {
    const std::string carrier = "udp 192.0.2.1:9 > 198.51.100.2:" + std::to_string(port);
    Frame frame =
        outer().udp(9, port).payload(header).ip(kA6, kB6).tcp(1, 2).payload(ByteList(99)).frame();
    EXPECT_EQ(session_of(frame), kInner6);
    Defragmenter defrag;  // the end of a beginning is not known
    defrag.add(fragments_of(frame, 120).front());
    defrag.finish();
    EXPECT_EQ(defrag.take().at(0).session, kInner6);
    ++frame.bytes[14 + 20 + 8 + header.size() + 5];
    EXPECT_EQ(session_of(frame), carrier);
    const PacketBuilder carried = outer().ip(kA, kB).udp(9, port).payload(header);
    frame = PacketBuilder(carried).ip(kA6, kB6).tcp(1, 2).payload(ByteList(99)).frame();
    ++frame.bytes[14 + 20 + 20 + 8 + header.size() + 5];
    EXPECT_EQ(layers_text(frame), "ip 192.0.2.1 > 198.51.100.2");
  }
}

TEST(tunnel, lisp_and_what_was_sniffed_are_looked_into) {
  const auto lisp = [](ByteList header) { return outer().udp(9, 4341).payload(std::move(header)); };
  EXPECT_EQ(inner_of(lisp(ByteList(8))), kInner);
  EXPECT_EQ(inner6_of(lisp({0x80, 1, 2, 3, 0, 0, 0, 1})), kInner6);
  EXPECT_EQ(inner_of(lisp({0x0c, 0, 0, 3, 0, 0, 7, 0}).ethernet()), kInner);
  EXPECT_EQ(layers_of(lisp({0x08, 0, 0, 0, 0, 0, 7, 1})), "lisp 7 192.0.2.1 > 198.51.100.2");
  const auto tzsp = [](ByteList header) {
    return outer().udp(9, 37008).payload(std::move(header));
  };
  EXPECT_EQ(inner_of(tzsp({1, 0, 0, 1, 1}).ethernet()), kInner);
  EXPECT_EQ(inner_of(tzsp({1, 0, 0, 1, 0, 10, 2, 8, 9, 0, 1}).ethernet()), kInner);
  EXPECT_EQ(inner_of(tzsp({1, 1, 0, 18, 1}).payload(kWifi)), kInner);
  ByteList avs{1, 0, 0, 127, 1, 0, 0, 0, 0, 0, 0, 0, 12, 0, 0, 0, 0};
  EXPECT_EQ(inner_of(tzsp(avs).payload(kWifi)), kInner);
  EXPECT_EQ(layers_of(tzsp({1, 0, 0, 1, 1}).ethernet()), "tzsp 192.0.2.1 > 198.51.100.2");
  for (const ByteList& header :
       {ByteList{1, 4, 0, 1, 1}, {1, 2, 0, 1, 1}, {2, 0, 0, 1, 1}, {1, 0, 0, 7, 1}}) {
    EXPECT_EQ(session_of(tzsp(header).ethernet().ip(kA, kB).tcp(1, 2).frame()),
              "udp 192.0.2.1:9 > 198.51.100.2:37008");
  }
}

TEST(tunnel, gue_carries_any_protocol_and_packets_without_a_header) {
  const auto gue = [](ByteList header) { return outer().udp(9, 6080).payload(std::move(header)); };
  EXPECT_EQ(inner_of(gue({0, 4, 0, 0})), kInner);
  EXPECT_EQ(inner6_of(gue({2, 41, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4})), kInner6);
  EXPECT_EQ(inner_of(gue({0, 143, 0, 0}).ethernet()), kInner);
  const auto gre = [&] { return gue({0, 47, 0, 0, 0x20, 0, 8, 0, 0, 0, 0, 7}); };
  EXPECT_EQ(inner_of(gre()), kInner);
  EXPECT_EQ(layers_of(gre()), "gue 192.0.2.1 > 198.51.100.2, gre 7");
  EXPECT_EQ(inner_of(outer().udp(9, 6080)), kInner);
  EXPECT_EQ(inner6_of(outer6().udp(9, 6080)), kInner6);
  EXPECT_EQ(layers_of(outer().udp(9, 6080)), "gue 192.0.2.1 > 198.51.100.2");
  const std::string carrier = "udp 192.0.2.1:9 > 198.51.100.2:6080";
  for (const ByteList& header : {ByteList{0x20, 4, 0, 0},
                                 {0, 6, 0, 0},
                                 {0, 59, 0, 0},
                                 {0x80, 4, 0, 0},
                                 {0, 4, 0, 0, 0},
                                 {0, 137, 0, 0, 0, 0, 0x71, 64}})
    EXPECT_EQ(session_of(gue(header).ip(kA, kB).tcp(1, 2).frame()), carrier);
  // What only looks like a packet is longer or shorter than it says.
  for (const auto& [a, b, length_at] : {std::tuple{kA, kB, 3}, {kA6, kB6, 5}}) {
    Frame frame = outer().udp(9, 6080).ip(a, b).tcp(1, 2).payload("x").frame();
    EXPECT_NE(session_of(frame), carrier);
    ++frame.bytes[static_cast<std::size_t>(14 + 20 + 8 + length_at)];
    EXPECT_EQ(session_of(frame), carrier);
    frame = gue({0, 4, 0, 0}).ip(a, b).tcp(1, 2).payload("x").frame();
    EXPECT_NE(session_of(frame), carrier);
    ++frame.bytes[static_cast<std::size_t>(14 + 20 + 8 + 4 + length_at)];
    EXPECT_EQ(session_of(frame), carrier);
  }
}

TEST(tunnel, routers_carry_frames_and_packets_in_ip) {
  const auto gre = [](ByteList header) { return outer().next_is(47).payload(std::move(header)); };
  EXPECT_EQ(inner_of(gre({0, 0, 0x88, 0x3e, 0x80, 0, 0, 1})), kInner);  // WCCP
  EXPECT_EQ(inner_of(gre({0, 0, 0x88, 0x3e})), kInner);
  const ByteList eoip{0x20, 0x01, 0x64, 0x00, 0, 55, 0x02, 0x01};
  EXPECT_EQ(inner_of(gre(eoip).ethernet()), kInner);
  EXPECT_EQ(layers_of(gre(eoip).ethernet()), "eoip 258 192.0.2.1 > 198.51.100.2");
  EXPECT_EQ(session_of(gre({0x20, 0x01, 0x64, 0x00, 0, 0, 2, 1}).frame()),
            "ip47 192.0.2.1:0 > 198.51.100.2:0");  // keep-alive
  const auto pim = [](std::uint8_t type, std::uint8_t flags) {
    return outer().next_is(103).payload({type, 0, 0, 0, flags, 0, 0, 0});
  };
  EXPECT_EQ(inner_of(pim(0x21, 0)), kInner);
  EXPECT_EQ(layers_of(pim(0x21, 0)), "pim 192.0.2.1 > 198.51.100.2");
  const std::string carrier = "ip103 192.0.2.1:0 > 198.51.100.2:0";
  EXPECT_EQ(session_of(pim(0x21, 0x40).ip(kA, kB).tcp(1, 2).frame()), carrier);
  EXPECT_EQ(session_of(pim(0x20, 0).ip(kA, kB).tcp(1, 2).frame()), carrier);
  EXPECT_EQ(inner_of(outer6().next_is(143).ethernet()), kInner);
  EXPECT_EQ(layers_of(outer6().extension(43).next_is(143).ethernet()),
            "etherip 2001:db8::1 > 2001:db8::2");
  const auto trill = [](ByteList header) {
    return PacketBuilder().ethernet().next_is(0x22f3).payload(std::move(header));
  };
  EXPECT_EQ(inner_of(trill({0, 0x3f, 0, 1, 0, 2}).ethernet()), kInner);
  EXPECT_EQ(inner_of(trill({0, 0x7f, 0, 1, 0, 2, 0, 0, 0, 0}).ethernet()), kInner);
  EXPECT_EQ(layers_of(trill({0, 0x3f, 0, 1, 0, 2}).ethernet()), "trill 65538");
  EXPECT_EQ(session_of(trill({0x40, 0x3f, 0, 1, 0, 2}).frame()), "malformed");
}

TEST(tunnel, what_stands_below_ip_may_be_in_a_tunnel_too) {
  const ByteList nsh_to_ethernet{0x0f, 0xc2, 1, 3, 0, 0, 7, 255};
  const ByteList nsh_to_ip{0x0f, 0xc6, 1, 1, 0, 0, 7, 255, 0, 0, 0, 0,
                           0,    0,    0, 0, 0, 0, 0, 0,   0, 0, 0, 0};
  const auto nsh = [&](ByteList header) {
    return PacketBuilder().ethernet().next_is(0x894f).payload(std::move(header));
  };
  EXPECT_EQ(inner_of(nsh(nsh_to_ethernet).ethernet()), kInner);
  EXPECT_EQ(inner_of(nsh(nsh_to_ip)), kInner);
  EXPECT_EQ(inner_of(outer().gre().next_is(0x894f).payload(nsh_to_ip)), kInner);
  EXPECT_EQ(inner_of(outer().udp(9, 4790).payload({0x0c, 0, 0, 4, 0, 0, 7, 0}).payload(nsh_to_ip)),
            kInner);
  EXPECT_EQ(inner_of(outer().udp(9, 4790).payload({0x0c, 0, 0, 5, 0, 0, 7, 0}).mpls(7)), kInner);
  EXPECT_EQ(session_of(nsh({0x0f, 0xc1, 1, 1, 0, 0, 7, 255}).frame()), "malformed");
  EXPECT_EQ(session_of(nsh({0x0f, 0xc2, 1, 6, 0, 0, 7, 255}).frame()), "not_ip");
  EXPECT_EQ(inner_of(outer().udp(9, 6635).mpls(6).mpls(7)), kInner);
  EXPECT_EQ(inner_of(outer().udp(9, 4754).payload({0x20, 0, 8, 0, 0, 0, 0, 7})), kInner);
  const auto metadata = [] { return PacketBuilder().ethernet().next_is(0x8909); };
  EXPECT_EQ(inner_of(metadata().payload({1, 1, 0, 1, 0, 9, 8, 0})), kInner);
  EXPECT_EQ(inner_of(PacketBuilder().ethernet().vlan(5).next_is(0x8909).payload(
                {1, 1, 0, 1, 0, 9, 8, 0})),
            kInner);
  EXPECT_EQ(session_of(metadata().payload({1, 1, 0, 1, 0, 9, 8}).frame()), "malformed");
}

TEST(tunnel, layers_are_told_with_ids_and_outer_addresses) {
  const std::string carried = " 192.0.2.1 > 198.51.100.2";
  EXPECT_EQ(layers_of(PacketBuilder().ethernet()), "");
  EXPECT_EQ(layers_of(PacketBuilder().ethernet().vlan(5).mpls(6).mpls(7)), "mpls 7");
  EXPECT_EQ(layers_of(PacketBuilder().ethernet().pppoe(9)), "pppoe 9");
  EXPECT_EQ(layers_of(PacketBuilder().ethernet().next_is(0x88e7).payload({0, 0, 1, 2}).ethernet()),
            "pbb 258");
  EXPECT_EQ(layers_of(PacketBuilder().ethernet().next_is(0x894f).payload(
                {0x0f, 0xc2, 1, 1, 0, 0, 7, 255})),
            "nsh 7");
  EXPECT_EQ(layers_of(outer()), "ip" + carried);
  EXPECT_EQ(layers_of(outer6()), "ip 2001:db8::1 > 2001:db8::2");
  EXPECT_EQ(layers_of(outer().next_is(137).mpls(7)), "mpls 7" + carried);
  EXPECT_EQ(layers_of(outer().next_is(97).payload({0x30, 0}).ethernet()), "etherip" + carried);
  EXPECT_EQ(layers_of(outer().gre()), "gre" + carried);
  EXPECT_EQ(layers_of(outer().gre(0)), "gre 0" + carried);
  EXPECT_EQ(layers_of(outer().gre(0x700).ethernet()), "nvgre 7" + carried);
  EXPECT_EQ(layers_of(outer().gre().ethernet()), "gre" + carried);
  EXPECT_EQ(layers_of(outer().next_is(47).payload(
                {0x30, 0x01, 0x88, 0x0b, 0, 9, 0, 7, 0, 0, 0, 1, 0x21})),
            "pptp 7" + carried);
  EXPECT_EQ(layers_of(outer().next_is(47).payload({0, 0, 0x88, 0xbe}).ethernet()),
            "erspan" + carried);
  EXPECT_EQ(layers_of(outer()
                          .next_is(47)
                          .payload({0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 5, 0xfc, 7, 0, 0, 0, 0})
                          .ethernet()),
            "erspan 7" + carried);
  EXPECT_EQ(layers_of(outer().udp(9, 4789).vxlan(7).ethernet()), "vxlan 7" + carried);
  EXPECT_EQ(layers_of(outer().udp(9, 4790).payload({0x0c, 0, 0, 1, 0, 0, 7, 0})),
            "vxlan-gpe 7" + carried);
  EXPECT_EQ(layers_of(outer().udp(9, 6081).geneve(7).ethernet()), "geneve 7" + carried);
  EXPECT_EQ(layers_of(outer().udp(2152, 2152).gtp_u(7)), "gtp 7" + carried);
  EXPECT_EQ(layers_of(outer().udp(9, 1701).payload({0, 2, 0, 1, 0, 2, 0x21})),
            "l2tp 65538" + carried);
  EXPECT_EQ(layers_of(ayiya(0x11, 4)), "ayiya" + carried);
  EXPECT_EQ(layers_of(capwap({0, 0x10, 0x02, 0, 0, 0, 0, 0}).ethernet()), "capwap" + carried);
  EXPECT_EQ(layers_of(outer().udp(9, 6635).mpls(6).mpls(7)), "mpls 7" + carried);
  const Frame teredo = outer().udp(9, 3544).ip(kA6, kB6).tcp(1, 2).frame();
  EXPECT_EQ(layers_text(teredo), "teredo" + carried);
}

TEST(tunnel, layers_stand_in_order_and_the_first_four_are_told) {
  EXPECT_EQ(layers_of(PacketBuilder().ethernet().mpls(3).ip(kA6, kB6).udp(9, 2152).gtp_u(7)),
            "mpls 3, gtp 7 fd00::1 > fd00::2");
  const PacketBuilder five = outer().ip(kA, kB).ip(kA, kB).ip(kA, kB).ip(kA, kB);
  EXPECT_EQ(layers_of(five),
            "ip 192.0.2.1 > 198.51.100.2, ip 10.0.0.1 > 10.0.0.2, ip 10.0.0.1 > 10.0.0.2, "
            "ip 10.0.0.1 > 10.0.0.2");
  EXPECT_EQ(decoded(PacketBuilder(five).ip(kA, kB).tcp(1, 2).frame()).tunnel_depth, 5);
}

TEST(tunnel, a_layer_without_a_valid_packet_is_none) {
  const Frame arp = outer().ip(kA, kB).udp(9, 4789).vxlan(7).ethernet().next_is(0x0806).frame();
  EXPECT_EQ(layers_text(arp), "ip 192.0.2.1 > 198.51.100.2");
}

TEST(tunnel, ports_are_those_of_the_settings) {
  Settings settings;
  settings.vxlanPorts = {4800};
  settings.genevePorts = {};
  const DecodeSettings decode = decode_settings_of(settings, make_hash_seed(1));
  const auto session = [&](std::uint16_t port, bool is_geneve) {
    PacketBuilder builder = outer().udp(9, port);
    (is_geneve ? builder.geneve(7) : builder.vxlan(7)).ethernet().ip(kA, kB).tcp(1, 2);
    return session_text(decoded(builder.frame(), decode));
  };
  EXPECT_EQ(session(4800, false), kInner);
  EXPECT_EQ(session(4789, false), "udp 192.0.2.1:9 > 198.51.100.2:4789");
  EXPECT_EQ(session(6081, true), "udp 192.0.2.1:9 > 198.51.100.2:6081");
  const TunnelPorts ports(Settings{});
  EXPECT_EQ(ports.of(9, 8472), TunnelKind::vxlan);
  EXPECT_EQ(ports.of(4789, 9), TunnelKind::none);  // never answered from its port
  EXPECT_EQ(ports.of(3544, 9), TunnelKind::teredo);
  EXPECT_EQ(ports.of(4789, 2152), TunnelKind::gtp);
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
  const Frame error =
      outer().udp(9, 4789).vxlan(1).ethernet().ip("10.0.0.9", kA).icmp_error(3, 1, plain).frame();
  EXPECT_EQ(decoded(error, settings).key, decoded(in_vxlan(1), settings).key);
  const auto nested = [](std::uint32_t vni, std::uint32_t key) {
    return outer().udp(9, 4789).vxlan(vni).ethernet().ip(kA, kB).gre(key).ip(kA, kB).tcp(1, 2);
  };
  const FlowKey key = decoded(nested(1, 2).frame(), settings).key;
  EXPECT_EQ(decoded(nested(1, 2).frame(), settings).key, key);
  EXPECT_FALSE(decoded(nested(2, 2).frame(), settings).key == key);
  EXPECT_FALSE(decoded(nested(1, 3).frame(), settings).key == key);
  // The ids of a GTP tunnel differ by direction: they must not.
  const Frame up = outer().udp(9, 2152).gtp_u(1).ip(kA, kB).tcp(1, 2).frame();
  const Frame down = outer().udp(9, 2152).gtp_u(2).ip(kB, kA).tcp(2, 1).frame();
  EXPECT_EQ(decoded(up, settings).key, decoded(down, settings).key);
}

}  // namespace
}  // namespace linger::test
