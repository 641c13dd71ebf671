#include "tests/packet/decoded.h"

#include <fmt/format.h>

// <sys/socket.h> has a struct of the name of our namespace.
#define linger linger_option
#include <arpa/inet.h>
#undef linger

namespace linger::test {
namespace {

const char* verdict_name(Verdict verdict) {
  static constexpr const char* kNames[] = {
#define LINGER_VERDICT_NAME(name, help) #name,
      LINGER_VERDICTS(LINGER_VERDICT_NAME)
#undef LINGER_VERDICT_NAME
  };
  return kNames[static_cast<std::size_t>(verdict)];
}

std::string protocol_name(std::uint8_t protocol) {
  switch (protocol) {
    case kProtocolIcmp:
      return "icmp";
    case kProtocolTcp:
      return "tcp";
    case kProtocolUdp:
      return "udp";
    case kProtocolEsp:
      return "esp";
    case kProtocolIcmpV6:
      return "icmp6";
    case kProtocolSctp:
      return "sctp";
    default:
      return fmt::format("ip{}", protocol);
  }
}

std::string end_text(const FlowKey& key, std::size_t side) {
  const std::string text = address_text(key.address[side], key.ip_version);
  return key.ip_version == 4 ? fmt::format("{}:{}", text, key.port[side])
                             : fmt::format("[{}]:{}", text, key.port[side]);
}

// What decode tells of the transport header: one of a union.
std::string transport_text(const Packet& packet) {
  const bool is_error = (packet.flags & kPacketIcmpError) != 0;
  const std::uint8_t protocol = packet.key.protocol;
  if (is_error || protocol == kProtocolIcmp || protocol == kProtocolIcmpV6)
    return fmt::format("icmp {} {} {}", packet.icmp.type, packet.icmp.code, packet.icmp.id);
  if (protocol == kProtocolSctp) {
    const SctpHeader& sctp = packet.sctp;
    return fmt::format("sctp {} {} {}", sctp.verification_tag, sctp.initiate_tag, sctp.chunk);
  }
  if (protocol != kProtocolTcp) return {};
  const TcpHeader& tcp = packet.tcp;
  return fmt::format("tcp {} {} {} {:x} {:x} {} {} {} {}", tcp.sequence, tcp.acknowledgment,
                     tcp.window, tcp.flags, tcp.options, tcp.mss, tcp.window_scale,
                     tcp.timestamp_value, tcp.timestamp_echo);
}

}  // namespace

std::string address_text(const IpAddress& address, std::uint8_t ip_version) {
  char text[INET6_ADDRSTRLEN];
  inet_ntop(ip_version == 4 ? AF_INET : AF_INET6, address.bytes.data(), text, sizeof text);
  return text;
}

DecodeSettings decode_settings() { return decode_settings_of(Settings{}, make_hash_seed(1)); }

Packet decoded(const Frame& frame, const DecodeSettings& settings) {
  Packet packet = packet_of(frame);
  decode(packet, settings);
  return packet;
}

std::string session_text(const Packet& packet) {
  if (packet.verdict != Verdict::session) return verdict_name(packet.verdict);
  const std::size_t from = packet.direction;
  return fmt::format("{} {} > {}", protocol_name(packet.key.protocol), end_text(packet.key, from),
                     end_text(packet.key, 1 - from));
}

std::string whole_text(const Packet& packet) {
  const auto key = packet.key.words();
  return fmt::format(
      "{} {} direction {} flags {:x} vlan {}:{},{} tunnels {} mac {} ip {} payload {}+{} hash "
      "{:x}\n"
      "key {:x} {:x} {:x} {:x} {:x} {:x}\n"
      "{}",
      verdict_name(packet.verdict), session_text(packet), packet.direction, packet.flags,
      packet.vlan_count, packet.vlan[0], packet.vlan[1], packet.tunnel_depth, packet.mac_offset,
      packet.ip_offset, packet.payload_offset, packet.payload_bytes, packet.hash, key[0], key[1],
      key[2], key[3], key[4], key[5], transport_text(packet));
}

std::string payload_text(const Frame& frame) {
  const Packet packet = decoded(frame);
  const std::uint32_t captured = packet.captured_bytes - packet.payload_offset;
  const std::uint32_t bytes = std::min(captured, packet.payload_bytes);
  const std::uint8_t* payload = packet.data + packet.payload_offset;
  return std::string(payload, payload + bytes);
}

std::vector<Sample> samples() {
  const Address a = "192.0.2.1", b = "198.51.100.2", a6 = "2001:db8::1", b6 = "2001:db8::2";
  const TcpOptions options{.mss = 1460,
                           .window_scale = 7,
                           .sack_permitted = true,
                           .timestamps = TcpOptions::Stamps{1, 2}};
  const auto ethernet = [] { return PacketBuilder().ethernet(); };
  const auto inner = [&](PacketBuilder builder) {
    return builder.ip(a6, b6).tcp(40000, 80).payload("inner").frame();
  };
  const Frame quoted = ethernet().ip(a, b).tcp(40000, 80).payload("data").frame();
  const Frame quoted6 = ethernet().ip(a6, b6).extension(0).udp(40000, 53).frame();
  return {
      {"tcp", ethernet().ip(a, b).tcp(40000, 80).payload("hello, world").frame()},
      {"tcp options", ethernet().ip(a, b).tcp(40000, 80, {.options = options}).frame()},
      {"tcp over ipv6", ethernet().ip(a6, b6).tcp(40000, 80, {.options = options}).frame()},
      {"ipv4 options", ethernet().ip(a, b, {.options = {7, 4, 4, 0}}).tcp(1, 2).frame()},
      {"source route",
       ethernet().ip(a, b, {.options = {1, 131, 7, 4, 203, 0, 113, 7}}).tcp(1, 2).frame()},
      {"udp", ethernet().ip(b, a).udp(53, 40000).payload("answer").frame()},
      {"udp over ipv6", ethernet().ip(b6, a6).udp(53, 40000).payload("answer").frame()},
      {"udp-lite", ethernet().ip(a, b).next_is(136).udp(1, 2).payload("x").frame()},
      {"dccp", ethernet().ip(a, b).next_is(33).udp(1, 2).payload("x").frame()},
      {"icmp echo", ethernet().ip(a, b).icmp(8, 0, 0x12340001).payload("ping").frame()},
      {"icmpv6 echo", ethernet().ip(a6, b6).icmp(128, 0, 0x12340001).payload("ping").frame()},
      {"icmpv6 neighbour", ethernet().ip(a6, b6).icmp(135, 0).payload(ByteList(16)).frame()},
      {"icmp error", ethernet().ip(b, a).icmp_error(3, 1, quoted).frame()},
      {"icmpv6 error", ethernet().ip(b6, a6).icmp_error(1, 4, quoted6).frame()},
      {"sctp", ethernet().ip(a, b).sctp(1, 2, 0).sctp_chunk(1, 0, ByteList(16, 7)).frame()},
      {"esp", ethernet().ip(a, b).esp(1, 1).payload(ByteList(32)).frame()},
      {"ospf", ethernet().ip(a, b).next_is(89).payload(ByteList(24)).frame()},
      {"extensions", ethernet()
                         .ip(a6, b6)
                         .extension(0)
                         .extension(43)
                         .extension(60)
                         .extension(51)
                         .ipv6_fragment(0, false)
                         .tcp(1, 2)
                         .frame()},
      {"vlans", ethernet().vlan(5, 0x88a8).vlan(7).vlan(9, 0x9100).ip(a, b).tcp(1, 2).frame()},
      {"llc", ethernet().llc_snap().ip(a, b).tcp(1, 2).frame()},
      {"mpls", ethernet().mpls(3).mpls(4).ip(a6, b6).tcp(1, 2).frame()},
      {"pseudowire", ethernet().mpls(3).payload(ByteList(4)).ethernet().ip(a, b).tcp(1, 2).frame()},
      {"pppoe", ethernet().pppoe().ip(a, b).tcp(1, 2).frame()},
      {"juniper ethernet", PacketBuilder()
                               .link(178, {0x4d, 0x47, 0x43, 0x80, 0, 3, 1, 1, 2})
                               .ethernet()
                               .ip(a, b)
                               .tcp(1, 2)
                               .frame()},
      {"juniper, no link layer",
       PacketBuilder().link(178, {0x4d, 0x47, 0x43, 0x02, 2, 0, 0, 0}).ip(a, b).tcp(1, 2).frame()},
      {"juniper atm2", PacketBuilder()
                           .link(135, {0x4d, 0x47, 0x43, 0, 0, 0, 0, 1, 0, 0, 0, 0})
                           .ethernet()
                           .ip(a, b)
                           .tcp(1, 2)
                           .frame()},
      {"juniper mlppp", PacketBuilder()
                            .link(130, {0x4d, 0x47, 0x43, 1, 0x47, 0, 0, 0, 0, 0x10, 0, 0})
                            .ip(a6, b6)
                            .tcp(1, 2)
                            .frame()},
      {"erf", PacketBuilder()
                  .link(197, {1, 2, 3, 4, 5, 6, 7, 8, 0x82, 4, 0, 0, 0,
                              0, 0, 0, 3, 0, 0, 0, 0, 0,    0, 0, 0, 0})
                  .ethernet()
                  .ip(a, b)
                  .tcp(1, 2)
                  .frame()},
      {"erf aal5", PacketBuilder()
                       .link(197, {1, 2, 3, 4, 5, 6, 7, 8, 4, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
                       .ip(a, b)
                       .tcp(1, 2)
                       .frame()},
      {"symantec", PacketBuilder()
                       .link(99, {1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0,
                                  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
                       .ip(a, b)
                       .tcp(1, 2)
                       .frame()},
      {"docsis", PacketBuilder()
                     .link(143, {1, 5, 0, 65, 0x44, 0x10, 0, 1, 0, 0, 0})
                     .ethernet()
                     .ip(a, b)
                     .tcp(1, 2)
                     .frame()},
      {"exported pdu", PacketBuilder()
                           .link(252, {0, 12, 0, 4, 'i', 'p', 0, 0, 0, 0, 0, 0})
                           .ip(a, b)
                           .tcp(1, 2)
                           .frame()},
      {"frame relay", PacketBuilder()
                          .link(107, {0x18, 0x41, 3, 0, 0x80, 0, 0x80, 0xc2, 0, 7})
                          .ethernet()
                          .ip(a, b)
                          .tcp(1, 2)
                          .frame()},
      {"multilink",
       ethernet().pppoe().next_is(0x3d).payload({0xc0, 0, 0, 1, 0x21}).ip(a, b).tcp(1, 2).frame()},
      {"trill", ethernet()
                    .next_is(0x22f3)
                    .payload({0, 0x7f, 0, 1, 0, 2, 0, 0, 0, 0})
                    .ethernet()
                    .ip(a, b)
                    .tcp(1, 2)
                    .frame()},
      {"raw", PacketBuilder().raw_ip().ip(a6, b6).tcp(1, 2).frame()},
      {"ip in ip", inner(ethernet().ip(a, b))},
      {"gre", inner(ethernet().ip(a, b).gre(7))},
      {"nvgre", inner(ethernet().ip(a, b).gre(0x700).ethernet())},
      {"vxlan", inner(ethernet().ip(a, b).udp(9, 4789).vxlan(7).ethernet().vlan(3))},
      {"geneve", inner(ethernet().ip(a, b).udp(9, 6081).geneve(7).ethernet())},
      {"nsh", ethernet()
                  .next_is(0x894f)
                  .payload({0x0f, 0xc2, 1, 1, 0, 0, 7, 255})
                  .ip(a, b)
                  .tcp(1, 2)
                  .frame()},
      {"802.1ah",
       ethernet().next_is(0x88e7).payload(ByteList(4)).ethernet().ip(a, b).tcp(1, 2).frame()},
      {"cisco metadata",
       ethernet().next_is(0x8909).payload({1, 1, 0, 1, 0, 9, 8, 0}).ip(a, b).tcp(1, 2).frame()},
      {"etherip", inner(ethernet().ip(a, b).next_is(97).payload({0x30, 0}).ethernet())},
      {"mpls in ip", inner(ethernet().ip(a, b).next_is(137).mpls(7))},
      {"mpls in udp", inner(ethernet().ip(a, b).udp(9, 6635).mpls(7))},
      {"gre, all fields", ethernet()
                              .ip(a, b)
                              .next_is(47)
                              .payload({0xb0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1})
                              .ip(a, b)
                              .tcp(1, 2)
                              .frame()},
      {"pptp", ethernet()
                   .ip(a, b)
                   .next_is(47)
                   .payload({0x30, 0x81, 0x88, 0x0b, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 2, 0x21})
                   .ip(a, b)
                   .tcp(1, 2)
                   .frame()},
      {"erspan i", inner(ethernet().ip(a, b).next_is(47).payload({0, 0, 0x88, 0xbe}).ethernet())},
      {"erspan ii", inner(ethernet()
                              .ip(a, b)
                              .next_is(47)
                              .payload({0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 5, 0, 7, 0, 0, 0, 0})
                              .ethernet())},
      {"erspan iii", inner(ethernet()
                               .ip(a, b)
                               .next_is(47)
                               .payload({0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 5, 0, 7, 0, 0,
                                         0,    0, 0,    0,    0, 1, 0, 0, 0,    0, 0, 0, 0, 0})
                               .ethernet())},
      {"vxlan-gpe", inner(ethernet().ip(a, b).udp(9, 4790).payload({0x0c, 0, 0, 2, 0, 0, 7, 0}))},
      {"l2tp", ethernet()
                   .ip(a, b)
                   .udp(9, 1701)
                   .payload({0x4a, 2, 0, 20, 0, 1, 0, 2, 0, 0, 0, 0, 0, 2, 0, 0, 0xff, 3, 0, 0x21})
                   .ip(a, b)
                   .tcp(1, 2)
                   .frame()},
      {"capwap, ethernet",
       inner(ethernet().ip(a, b).udp(9, 5247).payload({0, 0x10, 2, 0, 0, 0, 0, 0}).ethernet())},
      {"capwap, 802.11", ethernet()
                             .ip(a, b)
                             .udp(9, 5247)
                             .payload({0, 0x20, 3, 0x20, 0, 0, 0, 0, 4, 1, 2, 3, 4, 0, 0, 0})
                             .payload({0x88, 2, 0, 0, 1, 2, 3, 4, 5, 6, 1, 2, 3,
                                       4,    5, 6, 1, 2, 3, 4, 5, 6, 0, 0, 0, 0})
                             .payload({0xaa, 0xaa, 3, 0, 0, 0, 8, 0})
                             .ip(a, b)
                             .tcp(1, 2)
                             .frame()},
      {"ayiya", inner(ethernet().ip(a, b).udp(9, 5072).payload(
                    {0x21, 0x22, 0x11, 41, 0, 0, 0, 0, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0}))},
      {"gre, 802.11",
       ethernet()
           .ip(a, b)
           .gre()
           .next_is(0x8240)
           .payload(
               {0x88, 2, 0, 0, 1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6, 0, 0, 0, 0})
           .payload({0xaa, 0xaa, 3, 0, 0, 0, 8, 0})
           .ip(a, b)
           .tcp(1, 2)
           .frame()},
      {"gtp extension", ethernet()
                            .ip(a, b)
                            .udp(9, 2152)
                            .payload({0x34, 255, 0, 9, 0, 0, 0, 7, 0, 0, 0, 0x85, 1, 0x10, 1, 0})
                            .ip(a, b)
                            .tcp(1, 2)
                            .frame()},
      {"gtp 0", inner(ethernet().ip(a, b).udp(9, 3386).payload(
                    {0x1e, 0xff, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}))},
      {"l2tp 3",
       inner(ethernet().ip(a, b).next_is(115).payload({0, 0, 0, 7, 1, 2, 3, 4}).ethernet())},
      {"l2tp 3, hdlc", ethernet()
                           .ip(a, b)
                           .udp(9, 1701)
                           .payload({0, 3, 0, 0, 0, 0, 0, 7, 0x0f, 0, 8, 0})
                           .ip(a, b)
                           .tcp(1, 2)
                           .frame()},
      {"lisp", inner(ethernet().ip(a, b).udp(9, 4341).payload({8, 0, 0, 0, 0, 0, 7, 0}))},
      {"tzsp",
       inner(ethernet().ip(a, b).udp(9, 37008).payload({1, 0, 0, 1, 0, 10, 1, 9, 1}).ethernet())},
      {"gue", inner(ethernet().ip(a, b).udp(9, 6080).payload({1, 4, 0, 1, 0, 0, 0, 0}))},
      {"gue, variant 1", inner(ethernet().ip(a, b).udp(9, 6080))},
      {"pim", inner(ethernet().ip(a, b).next_is(103).payload({0x21, 0, 0, 0, 0, 0, 0, 0}))},
      {"wccp", ethernet()
                   .ip(a, b)
                   .next_is(47)
                   .payload({0, 0, 0x88, 0x3e, 0, 0, 0, 1})
                   .ip(a, b)
                   .tcp(1, 2)
                   .frame()},
      {"eoip", ethernet()
                   .ip(a, b)
                   .next_is(47)
                   .payload({0x20, 1, 0x64, 0, 0, 54, 7, 0})
                   .ethernet()
                   .ip(a, b)
                   .tcp(1, 2)
                   .frame()},
      {"ethernet in ipv6", inner(ethernet().ip(a6, b6).next_is(143).ethernet())},
      {"gtp", inner(ethernet().ip(a, b).udp(9, 2152).gtp_u(7))},
      {"teredo", inner(ethernet().ip(a, b).udp(9, 3544))},
  };
}

}  // namespace linger::test
