// The walk over one frame's headers: where it stands, how far it may read, and what comes next.
// Internal to decode.
//
//      data        offset            readable_end     claimed_end
//       |  read      |  can be read       |  not captured  |  padding, trailers
//
// Every reader below takes one header: it checks that the header is there, moves `offset` behind it
// and says what comes `next`, or stops the walk with a verdict. offset <= readable_end always;
// claimed_end may lie behind what was on the wire when an IP header says so. Cost: the walk lives
// on the stack; the outer packet of a tunnel is copied only then.
#pragma once

#include <algorithm>
#include <cstring>
#include <optional>

#include "engine/base/bytes.h"
#include "engine/packet/decode.h"
#include "engine/packet/transport.h"

namespace linger {

// Every header the walk knows: one line yields its number and its reader, read_<name>().
#define LINGER_HEADERS(X)                                             \
  X(link) /* Walk::link_type says which */                            \
  X(ethernet)                                                         \
  X(wifi)                                                             \
  X(llc) /* IEEE 802.2 */                                             \
  X(vlan)                                                             \
  X(service) /* 802.1ah I-TAG, an Ethernet frame follows */           \
  X(vn_tag)                                                           \
  X(e_tag)        /* IEEE 802.1BR */                                  \
  X(fabric_path)  /* Cisco's, an Ethernet frame follows */            \
  X(trill)        /* an Ethernet frame follows */                     \
  X(mac_security) /* IEEE 802.1AE */                                  \
  X(mpls)                                                             \
  X(pppoe)                                                            \
  X(metadata) /* Cisco CMD */                                         \
  X(nsh)                                                              \
  X(ppp)                                                              \
  X(ip) /* version by its first nibble */                             \
  X(ipv4)                                                             \
  X(ipv6)                                                             \
  X(extension) /* of IPv6 (AH: of both), Walk::protocol says which */ \
  X(transport) /* Walk::protocol says which */                        \
  X(tunnel)    /* Walk::tunnel says which */

enum class Header : std::uint8_t {
#define LINGER_HEADER_ENUM(name) name,
  LINGER_HEADERS(LINGER_HEADER_ENUM)
#undef LINGER_HEADER_ENUM
      done,
};

enum EtherType : std::uint16_t {  // those that several readers know; the others: follow_ethertype()
  kEthertypeMin = 0x0600,         // below it is a length (IEEE 802.3 §3.2.6)
  kEthertypeIpv4 = 0x0800,
  kEthertypeBridged = 0x6558,  // an Ethernet frame
  kEthertypeVlan = 0x8100,
  kEthertypeIpv6 = 0x86dd,
  kEthertypeServiceVlan = 0x88a8,
};

// Beside those of IpProtocol: what carries whole packets or frames.
enum CarrierProtocol : std::uint8_t {
  kProtocolIpv4 = 4,
  kProtocolIpv6 = 41,
  kProtocolGre = 47,
  kProtocolEtherIp = 97,
  kProtocolPim = 103,
  kProtocolL2tp = 115,
  kProtocolMpls = 137,
  kProtocolEthernet = 143,
};

constexpr bool is_network(Header header) noexcept {
  return header >= Header::ip && header <= Header::extension;
}

struct Walk {
  Walk(Packet& packet_in, const DecodeSettings& settings_in) noexcept
      : packet(packet_in),
        settings(settings_in),
        readable_end(packet_in.captured_bytes),
        claimed_end(std::max(packet_in.captured_bytes, packet_in.wire_bytes)),
        link_type(packet_in.link_type) {}

  Packet& packet;
  const DecodeSettings& settings;
  std::uint32_t offset = 0;
  std::uint32_t readable_end;
  std::uint32_t claimed_end;
  Header next = Header::link;
  std::uint8_t protocol = 0;  // of what follows the IP header
  std::uint8_t ip_version = 0;
  TunnelKind tunnel = TunnelKind::none;  // whose header comes next, for Header::tunnel
  std::uint16_t link_type;
  bool enters_first_fragment = false;  // its beginning is all there is of the datagram
  // Else claimed_end may be that of a fragment, whose datagram was judged.
  bool is_end_known = true;
  PacketEnd source;
  PacketEnd destination;
  std::optional<Packet> outer;  // the session that carries the tunnel we are in
  struct Extent {
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
  };
  Extent transport;  // what the checksum of the innermost session covers; empty: nothing known
  bool leaves_untold = false;  // kPacketUntold
  // To another destination than its header says, which the checksum holds.
  bool is_rerouted = false;
  // The tunnels so far; packet.tunnel_depth says how many.
  std::array<TunnelLayer, kTunnelLayersMax> layers;

  std::uint32_t readable() const noexcept { return readable_end - offset; }
  std::uint32_t claimed() const noexcept { return claimed_end - offset; }
  const std::uint8_t* position() const noexcept { return packet.data + offset; }

  // A tunnel begins, in IP of this version; below IP (0) it has no addresses.
  void add_layer(TunnelKind kind, std::uint8_t carrier_version) noexcept {
    if (packet.tunnel_depth == 0xff) return;
    const std::size_t i = packet.tunnel_depth++;
    if (i >= layers.size()) return;
    layers[i] = {};
    layers[i].kind = kind;
    layers[i].ip_version = carrier_version;
    if (carrier_version == 0) return;
    std::memcpy(&layers[i].address[0], source.address, sizeof source.address);
    std::memcpy(&layers[i].address[1], destination.address, sizeof destination.address);
  }
  // What the header of the tunnel that began last says of it.
  void rename_layer(TunnelKind kind) noexcept {
    const std::size_t i = packet.tunnel_depth - 1U;
    if (i < layers.size()) layers[i].kind = kind;
  }
  void identify_layer(TunnelKind kind, std::uint32_t id) noexcept {
    const std::size_t i = packet.tunnel_depth - 1U;
    if (i >= layers.size()) return;
    layers[i].kind = kind;
    layers[i].id = id;
    layers[i].has_id = true;
  }

  // Id 0 is a priority, not a VLAN (IEEE 802.1Q §9.6).
  void add_vlan(std::uint16_t id) noexcept {
    if (id != 0 && packet.vlan_count < kVlanDepthMax) packet.vlan[packet.vlan_count++] = id;
  }

  void stop(Verdict verdict) noexcept {
    packet.verdict = verdict;
    next = Header::done;
  }

  // A header and the length of what it stands in contradict each other. In the beginning of a
  // datagram they need not: the rest of the header was in a fragment that is missing.
  void contradict() noexcept {
    const bool is_beginning = (packet.flags & kPacketFragment) != 0;
    stop(is_beginning ? Verdict::fragment : Verdict::malformed);
  }
  // The bytes of a header are there to read; else stops: cut by the capture, or claimed to be
  // shorter than it must be.
  bool has(std::uint32_t bytes) noexcept {
    if (bytes <= readable()) return true;
    bytes <= claimed() ? stop(Verdict::truncated) : contradict();
    return false;
  }
  // N bytes that are there; the second one also moves behind them.
  template <std::size_t N>
  Block<N> peek() const noexcept {
    return {position()};
  }
  template <std::size_t N>
  Block<N> take() noexcept {
    offset += N;
    return {position() - N};
  }
  bool skip(std::uint32_t bytes) noexcept {
    if (!has(bytes)) return false;
    offset += bytes;
    return true;
  }
  // What follows may be `bytes` long.
  bool may_hold(std::uint32_t bytes) const noexcept { return bytes == claimed() || !is_end_known; }
  // What follows is `bytes` long, whatever was captured or is on the wire behind it.
  void set_length(std::uint32_t bytes) noexcept {
    claimed_end = offset + bytes;
    readable_end = std::min(readable_end, claimed_end);
  }
};

#define LINGER_HEADER_READER(name) void read_##name(Walk& walk) noexcept;
LINGER_HEADERS(LINGER_HEADER_READER)
#undef LINGER_HEADER_READER

// The one of them that walk.next names; not `done`.
void read_next(Walk& walk) noexcept;

// What an EtherType, an IP protocol number or that of NSH says comes next.
void follow_ethertype(Walk& walk, std::uint16_t ethertype) noexcept;
void follow_protocol(Walk& walk, std::uint8_t protocol) noexcept;
void follow_service_protocol(Walk& walk, std::uint8_t protocol) noexcept;

// What lies below the bottom of an MPLS stack, and in an L2TPv3 message; nothing says it. In IP the
// stack has no type of its own, but a port that any client may have: what lies there fits.
void follow_label_stack(Walk& walk, bool is_in_ip) noexcept;
void read_l2tp_v3(Walk& walk) noexcept;

// set_key() from the walk's ends, protocol and scope.
std::uint8_t set_key(Packet& packet, const Walk& walk) noexcept;

// What separates datagrams of equal addresses: two VLAN ids (12 bits each), kinds and ids of the
// tunnels (40).
std::uint64_t datagram_scope_of(const Walk& walk) noexcept;

// One IP packet, and nothing behind it.
void follow_whole_ip(Walk& walk) noexcept;

// The packet in walk.packet is complete and stays the result unless a valid one is inside.
void enter_tunnel(Walk& walk, TunnelKind kind, Header next) noexcept;
void follow_udp_tunnel(Walk& walk) noexcept;  // walk.offset stands at the UDP header

// decode() without its short cut (plain.h).
void walk_headers(Packet& packet, const DecodeSettings& settings) noexcept;

}  // namespace linger
