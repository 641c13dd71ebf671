// Tunnels: what carries whole packets. The session is that of the inner packet, if there is a valid
// one.
#include "engine/packet/link_types.h"

namespace linger {
namespace {

constexpr std::uint16_t kEthernetOverIp = 0x6400;  // in GRE

// RFC 2890 §2.1; NVGRE (RFC 7637 §3.2): VSID (24 bits), flow id; PPTP (RFC 2637 §4.1): length, call
// id; MikroTik's Ethernet over IP: length, tunnel id (little-endian).
void identify_by_key(Walk& walk, int version, std::uint16_t protocol, std::uint32_t key) noexcept {
  if (version == 1 && protocol == kEthernetOverIp)
    return walk.identify_layer(TunnelKind::eoip, __builtin_bswap16(key & 0xffff));
  if (version == 1) return walk.identify_layer(TunnelKind::pptp, key & 0xffff);
  if (protocol == kEthertypeBridged) return walk.identify_layer(TunnelKind::nvgre, key >> 8);
  walk.identify_layer(TunnelKind::gre, key);
}

// draft-foschiano-erspan §4: type I has no header, II one of 8 bytes, III of 12 and perhaps 8 more;
// version, VLAN, … session id (the low 10 bits of the first word).
void read_erspan(Walk& walk, std::uint32_t header_bytes) noexcept {
  walk.next = Header::ethernet;
  walk.rename_layer(TunnelKind::erspan);
  if (header_bytes == 0 || !walk.has(header_bytes)) return;
  walk.identify_layer(TunnelKind::erspan, be32<0>(walk.peek<4>()) & 0x3ff);
  const bool has_platform = header_bytes == 12 && (walk.position()[11] & 1) != 0;
  walk.skip(header_bytes + (has_platform ? 8 : 0));
}

// draft-wilson-wrec-wccp-v2 §4.12.2: before the packet may stand a header of 4 bytes, whose first
// one is 0 but for its two highest bits.
void read_wccp(Walk& walk) noexcept {
  if (!walk.has(1)) return;
  walk.next = Header::ip;
  const bool has_header = (u8<0>(walk.peek<1>()) & 0x3f) == 0;
  if (has_header) walk.skip(4);
}

// 802.11 of Aruba's access points: a multiple of 16 for each of their radios and networks.
bool is_aruba_wifi(std::uint16_t protocol) noexcept {
  return protocol >= 0x8200 && protocol <= 0x8370 && (protocol & 0x0f) == 0;
}

// RFC 2784, RFC 2890: flags and version, protocol; then checksum, key, sequence as the flags say.
// Version 1 is PPTP's (RFC 2637 §4.1), whose call ids differ by direction.
void read_gre(Walk& walk) noexcept {
  constexpr std::uint16_t kChecksum = 0x8000, kRouting = 0x4000, kKey = 0x2000, kSequence = 0x1000;
  constexpr std::uint16_t kAcknowledgment = 0x0080, kVersion = 0x0007;
  constexpr std::uint16_t kErspan = 0x88be, kErspanIII = 0x22eb, kWccp = 0x883e;
  if (!walk.has(4)) return;
  const auto header = walk.take<4>();
  const std::uint16_t flags = be16<0>(header);
  const std::uint16_t protocol = be16<2>(header);
  if ((flags & kRouting) != 0 || (flags & kVersion) > 1) return walk.stop(Verdict::not_ip);
  if ((flags & kChecksum) && !walk.skip(4)) return;
  if (flags & kKey) {
    if (!walk.has(4)) return;
    identify_by_key(walk, flags & kVersion, protocol, be32<0>(walk.take<4>()));
  }
  if ((flags & kSequence) && !walk.skip(4)) return;
  if ((flags & kVersion) == 1 && (flags & kAcknowledgment) && !walk.skip(4)) return;

  if (protocol == kErspan) return read_erspan(walk, (flags & kSequence) != 0 ? 8 : 0);
  if (protocol == kErspanIII) return read_erspan(walk, 12);
  if (protocol == kWccp) return read_wccp(walk);
  if (protocol == kEthernetOverIp && (flags & kVersion) == 1) {
    walk.next = Header::ethernet;
    return;
  }
  if (is_aruba_wifi(protocol)) {
    walk.next = Header::wifi;
    return;
  }
  follow_ethertype(walk, protocol);
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
  walk.identify_layer(walk.tunnel, be32<4>(header) >> 8);
  const bool has_protocol = walk.tunnel == TunnelKind::vxlan_gpe && (u8<0>(header) & 0x04) != 0;
  if (has_protocol) return follow_service_protocol(walk, u8<3>(header));
  walk.next = Header::ethernet;
}

// RFC 8926 §3.4: version, option words; flags; protocol; VNI.
void read_geneve(Walk& walk) noexcept {
  if (!walk.has(8)) return;
  const auto header = walk.take<8>();
  if (u8<0>(header) >> 6 != 0) return walk.stop(Verdict::not_ip);
  walk.identify_layer(TunnelKind::geneve, be32<4>(header) >> 8);
  if (walk.skip((u8<0>(header) & 0x3fU) * 4)) follow_ethertype(walk, be16<2>(header));
}

// 3GPP TS 09.60 §6: flags, message type (255: a user's packet), length, sequence number, flow label
// (2), number (1), … (3), TID (8).
void read_gtp_v0(Walk& walk) noexcept {
  if (!walk.has(20)) return;
  const auto header = walk.take<20>();
  if (u8<1>(header) != 0xff) return walk.stop(Verdict::not_ip);
  walk.identify_layer(TunnelKind::gtp, be16<6>(header));
  walk.next = Header::ip;
}

// 3GPP TS 29.281 §5: flags, message type (255: a user's packet), length, TEID; any of three flags
// adds four bytes, whose last is the type of an extension header (length in words, …, next type).
void read_gtp(Walk& walk) noexcept {
  constexpr int kExtensionsMax = 8;
  if (!walk.has(8)) return;
  if ((u8<0>(walk.peek<1>()) & 0xf0) == 0x10) return read_gtp_v0(walk);
  const auto header = walk.take<8>();
  const bool is_version_1 = (u8<0>(header) & 0xf0) == 0x30;
  if (!is_version_1 || u8<1>(header) != 0xff) return walk.stop(Verdict::not_ip);
  walk.identify_layer(TunnelKind::gtp, be32<4>(header));
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
// packet; RFC 6081 §4.1: trailers behind it, each with its type and length. All of it fits, or any
// client's port that has this number would open sessions of what it is sent.
void read_teredo(Walk& walk) noexcept {
  if (!walk.has(4)) return;
  if (be16<0>(walk.peek<2>()) == 1) {
    const auto header = walk.peek<4>();
    if (!walk.skip(13U + u8<2>(header) + u8<3>(header)) || !walk.has(2)) return;
  }
  if (be16<0>(walk.peek<2>()) == 0 && !walk.skip(8)) return;
  constexpr std::uint32_t kHead = 6, kHeader6 = 40, kTrailersMax = 8;
  if (!walk.has(kHead)) return;
  const auto head = walk.peek<kHead>();
  std::uint32_t end = kHeader6 + be16<4>(head);
  for (std::uint32_t i = 0; i < kTrailersMax && end + 2 <= walk.readable(); ++i)
    end += 2U + walk.position()[end + 1];
  if (u8<0>(head) >> 4 != 6 || !walk.may_hold(end)) return walk.stop(Verdict::not_ip);
  walk.next = Header::ipv6;
}

// RFC 2661 §3.1: flags and version, then length, tunnel and session, sequence numbers, padding as
// the flags say. Version 3 (RFC 3931 §4.1.2) has two bytes of nothing behind them.
void read_l2tp(Walk& walk) noexcept {
  constexpr std::uint16_t kControl = 0x8000, kLength = 0x4000, kSequence = 0x0800,
                          kPadding = 0x0200;
  if (!walk.has(2)) return;
  const std::uint16_t flags = be16<0>(walk.take<2>());
  const std::uint16_t version = flags & 0x0f;
  if ((flags & kControl) || (version != 2 && version != 3)) return walk.stop(Verdict::not_ip);
  if (version == 3) {
    if (walk.skip(2)) read_l2tp_v3(walk);
    return;
  }
  if ((flags & kLength) && !walk.skip(2)) return;
  if (!walk.has(4)) return;
  walk.identify_layer(TunnelKind::l2tp, be32<0>(walk.take<4>()));
  if ((flags & kSequence) && !walk.skip(4)) return;
  if (flags & kPadding) {
    if (!walk.has(2)) return;
    if (!walk.skip(be16<0>(walk.take<2>()))) return;
  }
  walk.next = Header::ppp;
}

// RFC 5415 §4.3: version and type (8 bits; 1: DTLS), length in words (5), radio (5), its kind (5;
// 1: 802.11), flags (9); fragment id (16) and offset (13), 0 (3); MAC and radio's information, as
// the length says. The first fragment of a frame tells its session (§3.4).
void read_capwap(Walk& walk) noexcept {
  constexpr std::uint32_t kNative = 0x100, kFragment = 0x080, kKeepAlive = 0x008;
  constexpr std::uint32_t kIeee80211 = 1;
  if (!walk.has(8)) return;
  const auto header = walk.peek<8>();
  const std::uint32_t word = be32<0>(header);
  const bool is_plain = word >> 24 == 0;
  const bool is_native = (word & kNative) != 0;
  const bool is_known_radio = (word >> 9 & 0x1f) == kIeee80211;
  const bool is_later_fragment = (word & kFragment) != 0 && be16<6>(header) >> 3 != 0;
  walk.leaves_untold = is_plain && is_later_fragment;
  if (!is_plain || (word & kKeepAlive) != 0 || is_later_fragment || (is_native && !is_known_radio))
    return walk.stop(Verdict::not_ip);
  const std::uint32_t bytes = (word >> 19 & 0x1f) * 4;
  if (bytes < 8) return walk.stop(Verdict::malformed);
  if (walk.skip(bytes)) walk.next = is_native ? Header::wifi : Header::ethernet;
}

// draft-massar-v6ops-ayiya §3: length of the identity (2^n; 4 bits), its type (4); length of the
// signature in words (4), hash (4); authentication (4), operation (4); next header; time (4);
// identity, signature.
void read_ayiya(Walk& walk) noexcept {
  constexpr std::uint8_t kForward = 1, kEchoAndForward = 3;
  if (!walk.has(8)) return;
  const auto header = walk.take<8>();
  const std::uint8_t operation = u8<2>(header) & 0x0f;
  const std::uint8_t protocol = u8<3>(header);
  const bool has_packet = operation == kForward || operation == kEchoAndForward;
  const bool is_ip = protocol == kProtocolIpv4 || protocol == kProtocolIpv6;
  if (!has_packet || !is_ip) return walk.stop(Verdict::not_ip);
  const std::uint32_t identity_bytes = 1U << (u8<0>(header) >> 4);
  const std::uint32_t signature_bytes = (u8<1>(header) >> 4) * 4U;
  if (!walk.skip(identity_bytes + signature_bytes)) return;
  walk.next = protocol == kProtocolIpv4 ? Header::ipv4 : Header::ipv6;
}

// RFC 9300 §5.1: flags (08: there is an instance id), nonce (3); instance id (3), locators (1).
// RFC 9305 §3 puts a protocol into the last byte of the nonce (04).
void read_lisp(Walk& walk) noexcept {
  constexpr std::uint8_t kHasInstance = 0x08, kHasProtocol = 0x04;
  if (!walk.has(8)) return;
  const auto header = walk.take<8>();
  if ((u8<0>(header) & kHasInstance) != 0)
    walk.identify_layer(TunnelKind::lisp, be32<4>(header) >> 8);
  if ((u8<0>(header) & kHasProtocol) != 0) return follow_service_protocol(walk, u8<3>(header));
  follow_whole_ip(walk);
}

// RFC 7761 §4.9: version (4 bits) and type (4; 1: register), … (1), checksum (2), border (1 bit),
// null (1): then only a packet's header follows.
void read_pim(Walk& walk) noexcept {
  constexpr std::uint8_t kRegister = 0x21, kNull = 0x40;
  if (!walk.has(8)) return;
  const auto header = walk.take<8>();
  const bool has_packet = u8<0>(header) == kRegister && (u8<4>(header) & kNull) == 0;
  if (!has_packet) return walk.stop(Verdict::not_ip);
  walk.next = Header::ip;
}

// Version, type (0, 1: received, to be sent), protocol (2); tags, each with its length but for
// padding (0) and the end (1).
void read_tzsp(Walk& walk) noexcept {
  constexpr int kTagsMax = 64;
  constexpr std::uint8_t kPadding = 0, kEnd = 1;
  constexpr std::uint16_t kTzspEthernet = 1, kTzspWifi = 18, kTzspPrism = 119, kTzspAvs = 127;
  if (!walk.has(4)) return;
  const auto header = walk.take<4>();
  if (u8<0>(header) != 1 || u8<1>(header) > 1) return walk.stop(Verdict::not_ip);
  for (int i = 0;; ++i) {
    if (i == kTagsMax) return walk.stop(Verdict::too_deep);
    if (!walk.has(1)) return;
    const std::uint8_t tag = u8<0>(walk.take<1>());
    if (tag == kEnd) break;
    if (tag == kPadding) continue;
    if (!walk.has(1)) return;
    if (!walk.skip(u8<0>(walk.take<1>()))) return;
  }
  switch (be16<2>(header)) {
    case kTzspEthernet:
      walk.next = Header::ethernet;
      return;
    case kTzspWifi:
      walk.next = Header::wifi;
      return;
    case kTzspPrism:
      return follow_link(walk, kPrism);
    case kTzspAvs:
      return follow_link(walk, kAvs);
    default:
      walk.stop(Verdict::not_ip);
  }
}

// draft-ietf-intarea-gue-09 §3.2: variant (2 bits; 0), control (1), length of the fields in words
// (5), protocol, flags (2), fields. §4.1: variant 1 is the first two bits of an IP packet, without
// a header, as FOU has it.
void read_gue(Walk& walk) noexcept {
  if (!walk.has(4)) return;
  const auto header = walk.peek<4>();
  const unsigned first = u8<0>(header);
  if (first >> 6 == 1) return follow_whole_ip(walk);
  if (first >> 5 != 0) return walk.stop(Verdict::not_ip);
  if (!walk.skip(4 + (first & 0x1f) * 4)) return;
  switch (u8<1>(header)) {
    case kProtocolIpv4:
    case kProtocolIpv6:
      return follow_whole_ip(walk);
    case kProtocolGre:
      walk.tunnel = TunnelKind::gre;
      return walk.add_layer(TunnelKind::gre, 0);
    case kProtocolEthernet:
      walk.next = Header::ethernet;
      return;
    default:  // of MPLS too little would tell that it is there
      walk.stop(Verdict::not_ip);
  }
}

}  // namespace

// One IP packet, and nothing behind it: of what comes at any port that is no tunnel's, hardly
// anything has the length that it would say.
void follow_whole_ip(Walk& walk) noexcept {
  constexpr std::uint32_t kHead = 6, kHeader6 = 40;
  if (!walk.has(kHead)) return;
  const auto head = walk.peek<kHead>();
  const unsigned version = u8<0>(head) >> 4;
  const bool is_whole = (version == 4 && walk.may_hold(be16<2>(head))) ||
                        (version == 6 && walk.may_hold(kHeader6 + be16<4>(head)));
  if (!is_whole) return walk.stop(Verdict::not_ip);
  walk.next = Header::ip;
}

void enter_tunnel(Walk& walk, TunnelKind kind, Header next) noexcept {
  walk.outer = walk.packet;
  walk.packet.flags &= kPacketBadIpChecksum;
  walk.tunnel = kind;
  walk.next = next;
  walk.add_layer(kind, walk.ip_version);
}

void follow_udp_tunnel(Walk& walk) noexcept {
  const TunnelKind kind = walk.settings.tunnel_ports.of(walk.source.port, walk.destination.port);
  if (kind == TunnelKind::none || walk.readable() <= 8) return;
  enter_tunnel(walk, kind, kind == TunnelKind::mpls ? Header::mpls : Header::tunnel);
  walk.offset += 8;
}

void read_tunnel(Walk& walk) noexcept {
  switch (walk.tunnel) {
    case TunnelKind::ether_ip:
      return read_ether_ip(walk);
    case TunnelKind::gre:
      return read_gre(walk);
    case TunnelKind::vxlan:
    case TunnelKind::vxlan_gpe:
      return read_vxlan(walk);
    case TunnelKind::geneve:
      return read_geneve(walk);
    case TunnelKind::gtp:
      return read_gtp(walk);
    case TunnelKind::teredo:
      return read_teredo(walk);
    case TunnelKind::l2tp:
      return read_l2tp(walk);
    case TunnelKind::l2tp_v3:
      return read_l2tp_v3(walk);
    case TunnelKind::capwap:
      return read_capwap(walk);
    case TunnelKind::ayiya:
      return read_ayiya(walk);
    case TunnelKind::lisp:
      return read_lisp(walk);
    case TunnelKind::pim:
      return read_pim(walk);
    case TunnelKind::tzsp:
      return read_tzsp(walk);
    case TunnelKind::gue:
      return read_gue(walk);
    default:  // has no header of its own
      walk.stop(Verdict::not_ip);
  }
}

}  // namespace linger
