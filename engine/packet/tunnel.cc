// Tunnels: what carries whole packets. The session is that of the inner packet, if there is a valid
// one.
#include "engine/packet/walk.h"

namespace linger {
namespace {

// RFC 2784, RFC 2890: flags and version, protocol; then checksum, key, sequence as the flags say.
// Version 1 is PPTP's (RFC 2637 §4.1), whose call ids differ by direction.
void read_gre(Walk& walk) noexcept {
  constexpr std::uint16_t kChecksum = 0x8000, kRouting = 0x4000, kKey = 0x2000, kSequence = 0x1000;
  constexpr std::uint16_t kAcknowledgment = 0x0080, kVersion = 0x0007;
  constexpr std::uint16_t kErspan = 0x88be, kErspanIII = 0x22eb, kBridged = 0x6558;
  if (!walk.has(4)) return;
  const auto header = walk.take<4>();
  const std::uint16_t flags = be16<0>(header);
  const std::uint16_t protocol = be16<2>(header);
  if ((flags & kRouting) != 0 || (flags & kVersion) > 1) return walk.stop(Verdict::not_ip);
  if ((flags & kChecksum) && !walk.skip(4)) return;
  if (flags & kKey) {
    if (!walk.has(4)) return;
    const std::uint32_t key = be32<0>(walk.take<4>());
    if (protocol == kBridged) walk.tunnel_id = key >> 8;  // NVGRE (RFC 7637 §3.2): VSID, flow id
  }
  if ((flags & kSequence) && !walk.skip(4)) return;
  if ((flags & kVersion) == 1 && (flags & kAcknowledgment) && !walk.skip(4)) return;

  if (protocol ==
      kErspan) {  // type II has a header of its own and a sequence number, type I has neither
    if ((flags & kSequence) && !walk.skip(8)) return;
    walk.next = Header::ethernet;
  } else if (protocol == kErspanIII) {
    if (!walk.has(12)) return;
    const bool has_platform = (u8<11>(walk.take<12>()) & 1) != 0;
    if (has_platform && !walk.skip(8)) return;
    walk.next = Header::ethernet;
  } else {
    follow_ethertype(walk, protocol);
  }
}

void read_ether_ip(Walk& walk) noexcept {  // RFC 3378 §3: version 3
  if (!walk.has(2)) return;
  if (be16<0>(walk.take<2>()) != 0x3000) return walk.stop(Verdict::not_ip);
  walk.next = Header::ethernet;
}

// RFC 7348 §5: flags (8: there is a VNI), reserved, VNI, reserved. GPE puts a protocol into the
// reserved byte.
void read_vxlan(Walk& walk) noexcept {
  if (!walk.has(8)) return;
  const auto header = walk.take<8>();
  if ((u8<0>(header) & 0x08) == 0) return walk.stop(Verdict::not_ip);
  walk.tunnel_id = be32<4>(header) >> 8;
  walk.next = Header::ethernet;
  const bool has_protocol = walk.tunnel == Tunnel::vxlan_gpe && (u8<0>(header) & 0x04) != 0;
  if (!has_protocol) return;
  switch (u8<3>(header)) {
    case 1:
      walk.next = Header::ipv4;
      return;
    case 2:
      walk.next = Header::ipv6;
      return;
    case 3:
      return;
    default:
      walk.stop(Verdict::not_ip);
  }
}

void read_geneve(
    Walk& walk) noexcept {  // RFC 8926 §3.4: version, option words; flags; protocol; VNI
  if (!walk.has(8)) return;
  const auto header = walk.take<8>();
  if (u8<0>(header) >> 6 != 0) return walk.stop(Verdict::not_ip);
  walk.tunnel_id = be32<4>(header) >> 8;
  if (walk.skip((u8<0>(header) & 0x3fU) * 4)) follow_ethertype(walk, be16<2>(header));
}

// 3GPP TS 29.281 §5: flags, message type (255: a user's packet), length, TEID; any of three flags
// adds four bytes, whose last is the type of an extension header (length in words, …, next type).
void read_gtp(Walk& walk) noexcept {
  constexpr int kExtensionsMax = 8;
  if (!walk.has(8)) return;
  const auto header = walk.take<8>();
  const bool is_version_1 = (u8<0>(header) & 0xf0) == 0x30;
  if (!is_version_1 || u8<1>(header) != 0xff) return walk.stop(Verdict::not_ip);
  walk.next = Header::ip;
  if ((u8<0>(header) & 0x07) == 0) return;
  if (!walk.has(4)) return;
  std::uint8_t extension = u8<3>(walk.take<4>());
  if ((u8<0>(header) & 0x04) == 0) return;
  for (int i = 0; extension != 0; ++i) {
    if (i == kExtensionsMax) return walk.stop(Verdict::too_deep);
    if (!walk.has(1)) return;
    const std::uint32_t bytes = u8<0>(walk.peek<1>()) * 4U;
    if (bytes == 0) return walk.stop(Verdict::malformed);
    if (!walk.skip(bytes)) return;
    extension = walk.position()[-1];
  }
}

// RFC 4380 §5.1.1: an authentication (00 01) and an origin (00 00) may stand before the IPv6
// packet.
void read_teredo(Walk& walk) noexcept {
  if (!walk.has(4)) return;
  if (be16<0>(walk.peek<2>()) == 1) {
    const auto header = walk.peek<4>();
    if (!walk.skip(13U + u8<2>(header) + u8<3>(header)) || !walk.has(2)) return;
  }
  if (be16<0>(walk.peek<2>()) == 0 && !walk.skip(8)) return;
  walk.next = Header::ipv6;
}

// RFC 2661 §3.1: flags and version, then length, tunnel and session, sequence numbers, padding as
// the flags say.
void read_l2tp(Walk& walk) noexcept {
  constexpr std::uint16_t kControl = 0x8000, kLength = 0x4000, kSequence = 0x0800,
                          kPadding = 0x0200;
  if (!walk.has(2)) return;
  const std::uint16_t flags = be16<0>(walk.take<2>());
  if ((flags & kControl) || (flags & 0x0f) != 2) return walk.stop(Verdict::not_ip);
  if ((flags & kLength) && !walk.skip(2)) return;
  if (!walk.skip(4)) return;
  if ((flags & kSequence) && !walk.skip(4)) return;
  if (flags & kPadding) {
    if (!walk.has(2)) return;
    if (!walk.skip(be16<0>(walk.take<2>()))) return;
  }
  walk.next = Header::ppp;
}

}  // namespace

Tunnel tunnel_of(std::uint16_t source_port, std::uint16_t destination_port) noexcept {
  switch (destination_port) {
    case 4789:
    case 8472:
      return Tunnel::vxlan;
    case 4790:
      return Tunnel::vxlan_gpe;
    case 6081:
      return Tunnel::geneve;
    case 2152:
      return Tunnel::gtp;
    case 3544:
      return Tunnel::teredo;
    case 1701:
      return Tunnel::l2tp;
    default:
      break;
  }
  switch (source_port) {  // the others are never answered from their port
    case 2152:
      return Tunnel::gtp;
    case 3544:
      return Tunnel::teredo;
    case 1701:
      return Tunnel::l2tp;
    default:
      return Tunnel::none;
  }
}

void enter_tunnel(Walk& walk, Tunnel tunnel, Header next) noexcept {
  walk.outer = walk.packet;
  walk.packet.flags = 0;
  walk.tunnel = tunnel;
  walk.tunnel_id = 0;
  walk.next = next;
}

void follow_udp_tunnel(Walk& walk) noexcept {
  const Tunnel tunnel = tunnel_of(walk.source.port, walk.destination.port);
  if (tunnel == Tunnel::none || walk.readable() <= 8) return;
  enter_tunnel(walk, tunnel, Header::tunnel);
  walk.offset += 8;
}

void read_tunnel(Walk& walk) noexcept {
  switch (walk.tunnel) {
    case Tunnel::ether_ip:
      return read_ether_ip(walk);
    case Tunnel::gre:
      return read_gre(walk);
    case Tunnel::vxlan:
    case Tunnel::vxlan_gpe:
      return read_vxlan(walk);
    case Tunnel::geneve:
      return read_geneve(walk);
    case Tunnel::gtp:
      return read_gtp(walk);
    case Tunnel::teredo:
      return read_teredo(walk);
    case Tunnel::l2tp:
      return read_l2tp(walk);
    case Tunnel::ip:  // has no header of its own
    case Tunnel::none:
      walk.stop(Verdict::not_ip);
  }
}

}  // namespace linger
