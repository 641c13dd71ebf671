// Sessions inside tunnels: what the record lists, and what separates them.
#include "pcaps/catalogue.h"

namespace linger::test {
namespace {

// What a side's frames are wrapped in: the layers up to the inner frame or packet.
using Wrap = std::function<PacketBuilder(Side)>;

// Between the ends of a tunnel, in the direction of the side.
PacketBuilder outer(Side side, const Address& a = "203.0.113.1", const Address& b = "203.0.113.2") {
  return side == Side::client ? PacketBuilder().ethernet().ip(a, b)
                              : PacketBuilder().ethernet().ip(b, a);
}

// A whole connection of client `number`, each frame wrapped; `is_packet`: without its Ethernet
// header.
void add_wrapped(Frames& frames, unsigned number, unsigned version, bool is_packet,
                 const Wrap& wrap, DurationNs delay = 0) {
  const Hosts ends = hosts(number, version);
  Frames inner;
  TcpPeers tcp(inner, ends.client, ends.server);
  tcp.handshake(at(delay));
  exchange(tcp, at(delay + 10 * kMillisecond));
  tcp.close(Side::client, at(delay + 20 * kMillisecond));
  for (const Frame& frame : inner) {
    const std::size_t ports = frame.ip_offset + (version == 4 ? 20 : 40);
    const bool is_client = load_be16(frame.bytes.data() + ports + 2) == ends.server.port;
    const auto skipped = static_cast<std::ptrdiff_t>(is_packet ? frame.ip_offset : 0);
    frames.push_back(wrap(is_client ? Side::client : Side::server)
                         .payload(ByteList(frame.bytes.begin() + skipped, frame.bytes.end()))
                         .frame(frame.timestamp_ns));
  }
}

void add_ip_tunnels(Frames& frames) {
  const Address a6 = "2001:db8::a", b6 = "2001:db8::b";
  add_wrapped(frames, 1, 4, true, [](Side side) { return outer(side).next_is(4); });
  add_wrapped(frames, 2, 6, true, [](Side side) { return outer(side).next_is(41); });
  add_wrapped(frames, 3, 4, true, [&](Side side) { return outer(side, a6, b6).next_is(4); });
  add_wrapped(frames, 4, 4, true, [](Side side) {  // key, checksum, sequence number
    return outer(side).next_is(47).payload({0xb0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1});
  });
  add_wrapped(frames, 5, 4, false,
              [](Side side) { return outer(side).gre(7 << 8 | 9).next_is(0x6558); });
  add_wrapped(frames, 6, 4, false, [](Side side) {  // ERSPAN I, II, III
    return outer(side).gre().next_is(0x88be);
  });
  add_wrapped(frames, 7, 4, false, [](Side side) {
    return outer(side).next_is(47).payload(
        {0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 5, 0, 7, 0, 0, 0, 0});
  });
  add_wrapped(frames, 8, 4, false, [](Side side) {
    ByteList header{0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 5, 0, 7};
    header.resize(8 + 12 + 8);
    header[19] = 1;  // a platform's header follows
    return outer(side).next_is(47).payload(header);
  });
  add_wrapped(frames, 9, 4, true, [](Side side) {  // authentication only
    return outer(side).extension(51, ByteList(10)).next_is(4);
  });
  add_wrapped(frames, 10, 4, true, [](Side side) { return outer(side).next_is(137).mpls(7); });
}

void add_udp_tunnels(Frames& frames) {
  const auto udp = [](Side side, std::uint16_t port) { return outer(side).udp(50'000, port); };
  add_wrapped(frames, 21, 4, false, [&](Side side) { return udp(side, 4789).vxlan(7); });
  add_wrapped(frames, 22, 4, true, [&](Side side) {
    return udp(side, 4790).payload({0x0c, 0, 0, 1, 0, 0, 7, 0});
  });
  add_wrapped(frames, 23, 4, false,
              [&](Side side) { return udp(side, 6081).geneve(7).next_is(0x6558); });
  add_wrapped(frames, 24, 6, true, [&](Side side) {  // an extension header; each side has its TEID
    const auto teid = static_cast<std::uint8_t>(side == Side::client ? 7 : 8);
    return udp(side, 2152).payload({0x34, 255, 0, 0, 0, 0, 0, teid, 0, 0, 0, 0x85, 1, 0x10, 1, 0});
  });
  add_wrapped(frames, 25, 6, true, [&](Side side) { return udp(side, 3544); });
  add_wrapped(frames, 26, 4, true, [&](Side side) {
    return udp(side, 1701).payload({0, 2, 0, 1, 0, 2, 0xff, 3, 0, 0x21});
  });
}

void add_link_tunnels(Frames& frames) {
  const auto ethernet = [] { return PacketBuilder().ethernet(0x0200'5e00'5302, 0x0200'5e00'5301); };
  add_wrapped(frames, 31, 4, false, [&](Side) {  // a pseudowire with a control word
    return ethernet().mpls(16).mpls(17).payload(ByteList(4));
  });
  add_wrapped(frames, 32, 4, false, [&](Side) {
    return ethernet().next_is(0x88e7).payload({0, 0, 1, 2});
  });
  add_wrapped(frames, 33, 4, true, [&](Side) {
    return ethernet().next_is(0x894f).payload({0x0f, 0xc2, 1, 1, 0, 0, 7, 255});
  });
  add_wrapped(frames, 34, 4, true, [&](Side) {
    return ethernet().next_is(0x8909).payload({1, 1, 0, 1, 0, 9, 8, 0});
  });
  add_wrapped(frames, 35, 4, true, [&](Side) { return ethernet().pppoe(9).next_is(0x21); });
}

void add_wireless_tunnels(Catalogue& catalogue) {
  Frames frames;
  const auto udp = [](Side side, ByteList header) {
    const bool is_client = side == Side::client;
    return outer(side)
        .udp(is_client ? 50'000 : 5247, is_client ? 5247 : 50'000)
        .payload(std::move(header));
  };
  // A data frame to or from the distribution system, LLC; Cisco swaps the first two bytes.
  const auto wifi = [](Side side, bool is_swapped) {
    ByteList header(24);
    header[is_swapped ? 1 : 0] = 0x08;
    header[is_swapped ? 0 : 1] = side == Side::client ? 0x01 : 0x02;
    for (const std::uint8_t byte : {0xaa, 0xaa, 3, 0, 0, 0, 8, 0}) header.push_back(byte);
    return header;
  };
  add_wrapped(frames, 1, 4, false, [&](Side side) {
    return udp(side, {0, 0x10, 0x02, 0, 0, 0, 0, 0});
  });
  for (const bool is_swapped : {false, true}) {
    add_wrapped(frames, is_swapped ? 3 : 2, 4, true, [&](Side side) {
      return udp(side, {0, 0x10, 0x03, 0, 0, 0, 0, 0}).payload(wifi(side, is_swapped));
    });
  }
  add_wrapped(frames, 4, 4, false,  // encrypted: the session is that of the tunnel
              [&](Side side) {
                return udp(side, {1, 0, 0, 0, 23, 254, 253, 0});
              });
  sort_by_time(frames);
  catalogue.capture("tunnels_wireless",
                    "CAPWAP with Ethernet, with 802.11 in both orders of its control bytes, and "
                    "with DTLS, which is not looked into",
                    frames);
}

void add_aruba(Catalogue& catalogue) {
  Frames frames;
  for (const bool is_aggregate : {false, true}) {
    add_wrapped(frames, is_aggregate ? 2 : 1, 4, true, [=](Side side) {
      ByteList header(26);  // a QoS data frame to or from the distribution system
      header[0] = 0x88;
      header[1] = side == Side::client ? 0x01 : 0x02;
      if (is_aggregate) {
        header[24] = 0x80;
        header.resize(26 + 14);  // addresses and length of the first frame in it
      }
      for (const std::uint8_t byte : {0xaa, 0xaa, 3, 0, 0, 0, 8, 0}) header.push_back(byte);
      return outer(side).gre().next_is(0x8200).payload(std::move(header));
    });
  }
  sort_by_time(frames);
  catalogue.capture("tunnel_aruba", "GRE as Aruba's access points send it: 802.11 data frames",
                    frames);
}

void add_ayiya(Catalogue& catalogue) {
  Frames frames;
  const auto with = [&](unsigned number, std::uint8_t operation) {
    add_wrapped(frames, number, 6, true, [=](Side side) {
      ByteList header(8 + 16 + 20);  // an IPv6 address as identity, a signature of 20 bytes
      header[0] = 0x41, header[1] = 0x52, header[2] = operation, header[3] = 41;
      const bool is_client = side == Side::client;
      return outer(side)
          .udp(is_client ? 50'000 : 5072, is_client ? 5072 : 50'000)
          .payload(std::move(header));
    });
  };
  with(1, 0x11);  // forward
  with(2, 0x14);  // an echo response: the session is that of the tunnel
  sort_by_time(frames);
  catalogue.capture("tunnel_ayiya", "AYIYA: what it forwards is a session, its echoes are not",
                    frames);
}

void add_router_tunnels(Catalogue& catalogue) {
  Frames frames;
  const auto behind = [](Side side, std::uint8_t protocol, ByteList header) {
    return outer(side).next_is(protocol).payload(std::move(header));
  };
  const auto ethernet = [] { return PacketBuilder().ethernet(0x0200'5e00'5302, 0x0200'5e00'5301); };
  add_wrapped(frames, 1, 4, true, [&](Side side) {  // WCCP: with its header, and without
    const bool has_header = side == Side::client;
    return behind(side, 47,
                  has_header ? ByteList{0, 0, 0x88, 0x3e, 0, 0, 0, 1} : ByteList{0, 0, 0x88, 0x3e});
  });
  add_wrapped(frames, 2, 4, false, [&](Side side) {  // MikroTik's tunnel 258
    return behind(side, 47, {0x20, 1, 0x64, 0, 0, 0, 2, 1});
  });
  add_wrapped(frames, 3, 4, true, [&](Side side) {
    return behind(side, 103, {0x21, 0, 0xde, 0xff, 0, 0, 0, 0});
  });
  add_wrapped(frames, 6, 4, false,
              [](Side side) { return outer(side, "2001:db8::a", "2001:db8::b").next_is(143); });
  add_wrapped(frames, 4, 4, false, [&](Side side) {  // L2TPv3: a cookie of 4 bytes
    return behind(side, 115, {0, 0, 0, 7, 1, 2, 3, 4});
  });
  add_wrapped(frames, 5, 6, true, [&](Side side) {  // no cookie, Cisco HDLC
    return outer(side).udp(1701, 1701).payload({0, 3, 0, 0, 0, 0, 0, 7, 0x0f, 0, 0x86, 0xdd});
  });
  add_wrapped(frames, 10, 4, false, [&](Side) {  // a pseudowire without a control word
    return ethernet().mpls(16);
  });
  add_wrapped(frames, 7, 4, false, [&](Side side) {
    const bool is_client = side == Side::client;
    return ethernet().next_is(0x22f3).payload(is_client ? ByteList{0, 0x3f, 0, 1, 0, 2}
                                                        : ByteList{0, 0x3f, 0, 2, 0, 1});
  });
  add_wrapped(frames, 8, 4, true, [&](Side) {  // PPP multilink: a whole packet
    return ethernet().pppoe(9).next_is(0x3d).payload({0xc0, 0, 0, 1, 0x21});
  });
  add_wrapped(frames, 9, 4, true, [&](Side) {
    return ethernet().next_is(0x892f).payload({0, 60, 0, 1, 8, 0});  // HSR: no tunnel
  });
  add_wrapped(frames, 11, 4, true, [&](Side side) {
    ByteList header(20);
    header[0] = 0x1e, header[1] = 0xff, header[7] = 7;
    return outer(side).udp(3386, 3386).payload(std::move(header));
  });
  add_wrapped(frames, 12, 6, true, [&](Side side) {
    return outer(side).udp(50'000, 4341).payload({0x08, 0, 0, 0, 0, 0, 7, 1});
  });
  add_wrapped(frames, 13, 4, false, [&](Side) {  // both directions go to who asked for them
    return outer(Side::client).udp(50'000, 37008).payload({1, 0, 0, 1, 10, 1, 0xd0, 1});
  });
  sort_by_time(frames);
  catalogue.capture("tunnels_routers",
                    "WCCP, EoIP, PIM registers, L2TPv3 with what its ends agreed on unknown, a "
                    "pseudowire, a frame right in IPv6, TRILL, PPP multilink, HSR, GTP version 0, "
                    "LISP and TZSP",
                    frames);
}

void add_overlap(Catalogue& catalogue) {
  Frames frames;
  for (const std::uint32_t vni : {7, 8}) {
    add_wrapped(
        frames, 1, 4, false, [&](Side side) { return outer(side).udp(50'000, 4789).vxlan(vni); },
        vni * kMicrosecond);
  }
  sort_by_time(frames);
  catalogue.capture("session_key_tunnel",
                    "customers with equal addresses and ports in two VNIs are two sessions when "
                    "sessionKey says so",
                    frames, {.settings = "sessionKey=tunnel"});
}

}  // namespace

void add_tunnel_captures(Catalogue& catalogue) {
  Frames frames;
  add_ip_tunnels(frames);
  add_udp_tunnels(frames);
  add_link_tunnels(frames);
  sort_by_time(frames);
  catalogue.capture("tunnels",
                    "every tunnel: the inner session is the session, the record lists the layers",
                    frames);
  catalogue.run("tunnel_ports", "a UDP port that is in no list is not followed", {"tunnels.pcap"},
                {.settings = "vxlanPorts= gtpPorts=2123"});
  Frames nested;
  add_wrapped(nested, 1, 4, true, [](Side side) {
    return outer(side)
        .udp(50'000, 4789)
        .vxlan(7)
        .ethernet()
        .mpls(9)
        .ip("10.0.0.1", "10.0.0.2")
        .gre()
        .ip("10.0.0.3", "10.0.0.4")
        .ip("10.0.0.5", "10.0.0.6")
        .next_is(4);
  });
  catalogue.capture("tunnels_nested", "five tunnels in one another: the outer four are listed",
                    nested);
  add_wireless_tunnels(catalogue);
  add_ayiya(catalogue);
  add_aruba(catalogue);
  add_router_tunnels(catalogue);
  add_overlap(catalogue);
}

}  // namespace linger::test
