// What lies below IP, what is no IP, and what the capture file itself does to a packet.
#include "pcaps/catalogue.h"

namespace linger::test {
namespace {

enum LinkType : std::uint16_t {  // tcpdump.org/linktypes.html
  kLinkNull = 0,
  kLinkPpp = 9,
  kLinkFrameRelay = 107,
  kLinkLinuxCooked = 113,
  kLinkPflog = 117,
  kLinkRadiotap = 127,
  kLinkJuniperAtm2 = 135,
  kLinkDocsis = 143,
  kLinkJuniperEther = 178,
  kLinkErf = 197,
  kLinkLinuxCookedV2 = 276,
  kLinkDsa = 284,
};

void whole(TcpPeers& tcp) {
  tcp.handshake(at(0));
  exchange(tcp, at(10 * kMillisecond));
  tcp.close(Side::client, at(20 * kMillisecond));
}

// A whole connection over IPv4 and over IPv6; `below(version)`: the layers below IP.
Frames over_link(const std::function<PacketBuilder(unsigned version)>& below) {
  Frames frames;
  for (const unsigned version : {4, 6}) {
    const Hosts ends = hosts(1, version);
    TcpPeers tcp(frames, ends.client, ends.server);
    tcp.link = below(version);
    whole(tcp);
  }
  sort_by_time(frames);
  return frames;
}

std::uint8_t ethertype_high(unsigned version) { return version == 4 ? 0x08 : 0x86; }
std::uint8_t ethertype_low(unsigned version) { return version == 4 ? 0x00 : 0xdd; }

PacketBuilder link(std::uint16_t type, ByteList header) {
  return PacketBuilder().link(type, std::move(header));
}

void add_encapsulations(Catalogue& catalogue) {
  Frames frames = over_link([](unsigned) { return PacketBuilder().ethernet().vlan(7); });
  const auto add = [&](PacketBuilder below, unsigned number) {
    const Hosts ends = hosts(number);
    TcpPeers tcp(frames, ends.client, ends.server);
    tcp.link = std::move(below);
    whole(tcp);
  };
  add(PacketBuilder().ethernet().vlan(100, 0x88a8).vlan(7), 2);
  add(PacketBuilder().ethernet().mpls(16).mpls(17), 3);
  add(PacketBuilder().ethernet().pppoe(9), 4);
  add(PacketBuilder().ethernet().llc_snap(), 5);
  sort_by_time(frames);
  catalogue.capture("link_encapsulations",
                    "VLAN, QinQ, MPLS, PPPoE and LLC/SNAP below IP; VLAN ids are in the record",
                    frames);

  Frames scoped;
  for (const std::uint16_t vlan : {7, 8}) {
    const Hosts ends = hosts(1);
    TcpPeers tcp(scoped, ends.client, ends.server);
    tcp.link = PacketBuilder().ethernet().vlan(vlan);
    whole(tcp);
  }
  sort_by_time(scoped);
  catalogue.capture("session_key_vlan",
                    "equal addresses and ports in two VLANs are two sessions when sessionKey says "
                    "so",
                    scoped, {.settings = "sessionKey=vlan"});
}

void add_link_types(Catalogue& catalogue) {
  catalogue.capture("link_raw", "raw IP",
                    over_link([](unsigned) { return PacketBuilder().raw_ip(); }));
  catalogue.capture("link_null", "BSD loopback, address families 2 and 30",
                    over_link([](unsigned version) {
                      const auto family = static_cast<std::uint8_t>(version == 4 ? 2 : 30);
                      return link(kLinkNull, {family, 0, 0, 0});
                    }));
  catalogue.capture("link_ppp", "PPP", over_link([](unsigned version) {
                      const auto low = static_cast<std::uint8_t>(version == 4 ? 0x21 : 0x57);
                      return link(kLinkPpp, {0xff, 0x03, 0x00, low});
                    }));
  catalogue.capture(
      "link_linux_cooked", "Linux cooked capture, version 1", over_link([](unsigned version) {
        return link(kLinkLinuxCooked, {0, 0, 0, 1, 0, 6, 2, 0, 0x5e, 0, 0x53, 1, 0, 0,
                                       ethertype_high(version), ethertype_low(version)});
      }));
  catalogue.capture("link_linux_cooked_v2", "Linux cooked capture, version 2",
                    over_link([](unsigned version) {
                      return link(kLinkLinuxCookedV2, {ethertype_high(version),
                                                       ethertype_low(version),
                                                       0,
                                                       0,
                                                       0,
                                                       0,
                                                       0,
                                                       2,
                                                       0,
                                                       1,
                                                       0,
                                                       6,
                                                       2,
                                                       0,
                                                       0x5e,
                                                       0,
                                                       0x53,
                                                       1,
                                                       0,
                                                       0});
                    }));
  catalogue.capture(
      "link_radiotap", "802.11 data frames behind a radiotap header", over_link([](unsigned) {
        // radiotap without fields; a data frame to the access point, three addresses,
        // sequence control
        PacketBuilder below =
            link(kLinkRadiotap,
                 {0,    0, 8,    0, 0,    0, 0,    0, 0x08, 0x01, 0,    0, 0x02, 0, 0x5e, 0,
                  0x53, 1, 0x02, 0, 0x5e, 0, 0x53, 2, 0x02, 0,    0x5e, 0, 0x53, 3, 0x10, 0});
        below.llc_snap();
        return below;
      }));
}

void add_juniper(Catalogue& catalogue) {
  catalogue.capture(
      "link_juniper", "Juniper's header with extensions before Ethernet, and without a link layer",
      over_link([](unsigned version) {
        if (version == 6) return link(kLinkJuniperEther, {'M', 'G', 'C', 0x02, 6, 0, 0, 0});
        PacketBuilder below = link(kLinkJuniperEther, {'M', 'G', 'C', 0x81, 0, 3, 1, 1, 2});
        return below.ethernet();
      }));
}

void add_devices(Catalogue& catalogue) {
  catalogue.capture("link_erf",
                    "a capture card's records: Ethernet behind two extension headers, Cisco HDLC",
                    over_link([](unsigned version) {
                      const bool is_ethernet = version == 4;
                      ByteList header(16);
                      header[8] = is_ethernet ? 0x82 : 0x01;
                      if (!is_ethernet) {
                        for (const std::uint8_t byte : {0x0f, 0x00, 0x86, 0xdd})
                          header.push_back(byte);
                        return link(kLinkErf, header);
                      }
                      header.resize(16 + 2 * 8 + 2);
                      header[16] = 0x84;
                      header[24] = 0x03;
                      PacketBuilder below = link(kLinkErf, header);
                      return below.ethernet();
                    }));
  catalogue.capture("link_juniper_atm",
                    "Juniper's header before ATM: LLC/SNAP, and PPP by its number alone",
                    over_link([](unsigned version) {
                      ByteList header{'M', 'G', 'C', 1, 0, 0, 0, 1, 0, 0, 0, 0};
                      if (version == 6) {
                        for (const std::uint8_t byte : {0x00, 0x57}) header.push_back(byte);
                        return link(kLinkJuniperAtm2, header);
                      }
                      for (const std::uint8_t byte : {0xaa, 0xaa, 3, 0, 0, 0, 8, 0})
                        header.push_back(byte);
                      return link(kLinkJuniperAtm2, header);
                    }));
  catalogue.capture("link_docsis", "a cable modem's frames, with and without an extended header",
                    over_link([](unsigned version) {
                      PacketBuilder below =
                          version == 4
                              ? link(kLinkDocsis, {0x00, 0, 0, 0, 0, 0})
                              : link(kLinkDocsis, {0x01, 5, 0, 0, 0x44, 0x10, 0, 1, 0, 0, 0});
                      return below.ethernet();
                    }));
  catalogue.capture("link_frame_relay",
                    "Frame Relay with Cisco's encapsulation and with RFC 2427's",
                    over_link([](unsigned version) {
                      return version == 4 ? link(kLinkFrameRelay, {0x18, 0x41, 0x08, 0x00})
                                          : link(kLinkFrameRelay, {0x18, 0x41, 0x03, 0x8e});
                    }));
}

void add_switches(Catalogue& catalogue) {
  Frames frames;
  const auto add = [&](std::uint16_t type, const ByteList& header, bool has_frame,
                       unsigned number) {
    const Hosts ends = hosts(number);
    TcpPeers tcp(frames, ends.client, ends.server);
    tcp.link.next_is(type).payload(header);
    if (has_frame) tcp.link.ethernet();
    whole(tcp);
  };
  add(0x8903, {0, 0x60}, true, 1);
  add(0x893f, {0, 0, 0, 5, 0, 0, 8, 0}, false, 2);
  add(0x88e5, {0x20, 0, 0, 0, 0, 1, 2, 0, 0x5e, 0, 0x53, 1, 0, 1, 8, 0}, false, 3);
  sort_by_time(frames);
  catalogue.capture("link_switches", "Cisco FabricPath, IEEE 802.1BR, and MACsec that only signs",
                    frames);
  catalogue.capture("link_dsa", "a Marvell switch's tag in place of that of a VLAN",
                    over_link([](unsigned version) {
                      return link(kLinkDsa,
                                  {2, 0, 0x5e, 0, 0x53, 1, 2, 0, 0x5e, 0, 0x53, 2, 0xe0, 0x08, 0, 7,
                                   ethertype_high(version), ethertype_low(version)});
                    }));
  catalogue.capture("link_pflog", "a BSD firewall's log: a header of 5 bytes, padded",
                    over_link([](unsigned version) {
                      const auto family = static_cast<std::uint8_t>(version == 4 ? 2 : 24);
                      return link(kLinkPflog, {5, family, 0, 0, 'e', 0, 0, 0});
                    }));
}

void add_not_ip(Catalogue& catalogue) {
  Frames frames;
  tick(frames, at(0), at(2 * kSecond), kSecond);
  frames.push_back(
      PacketBuilder()  // LLDP, IEEE 802.1AB
          .ethernet(0x0180'c200'000e, 0x0200'5e00'5301)
          .next_is(0x88cc)
          .payload(ByteList{2, 7, 4, 2, 0, 0x5e, 0, 0x53, 1, 4, 2, 7, '1', 6, 2, 0, 120, 0, 0})
          .frame(at(3 * kSecond)));
  frames.push_back(PacketBuilder()  // a spanning tree BPDU: a length, LLC
                       .ethernet(0x0180'c200'0000, 0x0200'5e00'5301)
                       .next_is(38)
                       .payload(ByteList(38, 0x42))
                       .frame(at(4 * kSecond)));
  catalogue.capture("not_ip", "ARP, LLDP and spanning tree: counted, no records", frames);
  catalogue.file("empty.pcap", "a capture without packets: no records", PcapWriter().bytes());
}

void add_cut(Catalogue& catalogue) {
  Frames frames;
  for (const Frame& frame : over_link([](unsigned) { return PacketBuilder().ethernet(); })) {
    const bool is_v6 = frame.bytes[12] == 0x86;
    frames.push_back(frame.cut(is_v6 ? 14 + 40 + 20 : 14 + 20 + 20));
  }
  catalogue.capture("cut",
                    "a snap length that leaves the TCP header: packets, bytes and payload count "
                    "with what was on the wire",
                    frames);
  const Frames whole_frames = over_link([](unsigned) { return PacketBuilder().ethernet(); });
  Frames short_frames;
  for (const Frame& frame : whole_frames) short_frames.push_back(frame.cut(30));
  catalogue.capture("cut_too_short",
                    "a snap length that leaves no ports: counted as truncated, no records",
                    short_frames);
  ByteList bytes = pcap_of(whole_frames);
  bytes.erase(bytes.end() - 5, bytes.end());
  catalogue.file("broken_off.pcap",
                 "a file that breaks off within its last packet: records of all that could be "
                 "read, exit code 3",
                 bytes, {.exit_code = 3});
}

void add_formats(Catalogue& catalogue) {
  Frames frames;
  const Hosts ends = hosts(1);
  TcpPeers tcp(frames, ends.client, ends.server);
  whole(tcp);
  for (std::size_t i = 0; i < frames.size(); ++i) frames[i].timestamp_ns += static_cast<int>(i);
  // The client's side on an Ethernet tap that counts nanoseconds, the server's as raw IP in
  // microseconds.
  PcapngWriter writer;
  writer.interface({.link_type = kLinkEthernet, .resolution = 9});
  writer.interface({.link_type = kLinkRawIp});
  for (const Frame& frame : frames) {
    const auto time = static_cast<std::uint64_t>(frame.timestamp_ns);
    const bool is_server = load_be16(frame.bytes.data() + 14 + 20) == 80;
    const auto ip = std::span(frame.bytes).subspan(frame.ip_offset);
    is_server ? writer.packet(1, time, ip) : writer.packet(0, time, frame.bytes);
  }
  catalogue.file("pcapng_interfaces.pcapng",
                 "pcapng with two interfaces: Ethernet in ns and raw IP in us, one session",
                 writer.bytes());
  catalogue.file("pcap_nanoseconds.pcap", "pcap in big-endian order with nanoseconds",
                 pcap_of(frames, {.order = ByteOrder::big, .is_nanoseconds = true}));
  SnoopWriter snoop;
  for (const Frame& frame : frames)
    snoop.packet(static_cast<std::uint64_t>(frame.timestamp_ns), frame.bytes, frame.wire_bytes);
  catalogue.file("snoop.snoop", "a snoop capture (RFC 1761) of Ethernet", snoop.bytes());
}

}  // namespace

void add_link_captures(Catalogue& catalogue) {
  add_encapsulations(catalogue);
  add_link_types(catalogue);
  add_juniper(catalogue);
  add_devices(catalogue);
  add_switches(catalogue);
  add_not_ip(catalogue);
  add_cut(catalogue);
  add_formats(catalogue);
}

}  // namespace linger::test
