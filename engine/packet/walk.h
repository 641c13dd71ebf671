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
#include <optional>

#include "engine/base/bytes.h"
#include "engine/packet/decode.h"
#include "engine/packet/transport.h"

namespace linger {

// Every header the walk knows: one line yields its number and its reader, read_<name>().
#define LINGER_HEADERS(X)                                             \
  X(link) /* Walk::link_type says which */                            \
  X(ethernet)                                                         \
  X(llc) /* IEEE 802.2 */                                             \
  X(vlan)                                                             \
  X(service) /* 802.1ah I-TAG, an Ethernet frame follows */           \
  X(vn_tag)                                                           \
  X(mpls)                                                             \
  X(pppoe)                                                            \
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

constexpr bool is_network(Header header) noexcept {
  return header >= Header::ip && header <= Header::extension;
}

enum class Tunnel : std::uint8_t {
  none,
  ip,
  ether_ip,
  gre,
  vxlan,
  vxlan_gpe,
  geneve,
  gtp,
  teredo,
  l2tp
};

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
  Tunnel tunnel = Tunnel::none;  // the innermost one
  std::uint16_t link_type;
  std::uint32_t tunnel_id = 0;         // the same for both directions: VNI, VSID; else 0
  bool enters_first_fragment = false;  // its beginning is all there is of the datagram
  PacketEnd source;
  PacketEnd destination;
  std::optional<Packet> outer;  // the session that carries the tunnel we are in

  std::uint32_t readable() const noexcept { return readable_end - offset; }
  std::uint32_t claimed() const noexcept { return claimed_end - offset; }
  const std::uint8_t* position() const noexcept { return packet.data + offset; }

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

// What an EtherType or an IP protocol number says comes next.
void follow_ethertype(Walk& walk, std::uint16_t ethertype) noexcept;
void follow_protocol(Walk& walk, std::uint8_t protocol) noexcept;

// set_key() from the walk's ends, protocol and scope.
std::uint8_t set_key(Packet& packet, const Walk& walk) noexcept;

// What separates sessions, or datagrams, of equal addresses: two VLAN ids (12 bits each), the
// tunnel's id (32) and its kind (8). Ids that differ by direction (a GTP TEID) take no part.
std::uint64_t scope_of(const Walk& walk, bool has_vlan, bool has_tunnel) noexcept;

// The packet in walk.packet is complete and stays the result unless a valid one is inside.
void enter_tunnel(Walk& walk, Tunnel tunnel, Header next) noexcept;
// Ports that IANA gave to tunnels, and 8472, which Linux took for VXLAN before there was one.
Tunnel tunnel_of(std::uint16_t source_port, std::uint16_t destination_port) noexcept;
void follow_udp_tunnel(Walk& walk) noexcept;  // walk.offset stands at the UDP header

// decode() without its short cut (plain.h).
void walk_headers(Packet& packet, const DecodeSettings& settings) noexcept;

}  // namespace linger
