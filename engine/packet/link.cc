// Ethernet and what may stand between it and IP: VLAN tags, LLC, MPLS, PPPoE and PPP.
#include "engine/packet/link_types.h"

namespace linger {
namespace {

constexpr std::uint16_t kLengthMax = 1'500;

// Organisation (3), type (2). Bridged Ethernet, with (1) and without (7) its checksum, stands
// behind so many bytes of padding (RFC 2684 §5.2, RFC 2427 §4.2).
void read_snap(Walk& walk, std::uint32_t padding_bytes) noexcept {
  if (!walk.has(5)) return;
  const auto header = walk.take<5>();
  const std::uint32_t organisation = be32<0>(header) >> 8;
  const std::uint16_t type = be16<3>(header);
  if (organisation == 0x000000 || organisation == 0x0000f8) {  // RFC 1042, 802.1H
    if (type < kEthertypeMin) return walk.stop(Verdict::not_ip);
    return follow_ethertype(walk, type);
  }
  if (organisation == 0x0080c2 && (type == 1 || type == 7)) {
    if (walk.skip(padding_bytes)) walk.next = Header::ethernet;
    return;
  }
  walk.stop(Verdict::not_ip);
}

}  // namespace

void follow_ethertype(Walk& walk, std::uint16_t ethertype) noexcept {
  switch (ethertype) {
    case kEthertypeIpv4:
      walk.next = Header::ipv4;
      return;
    case kEthertypeIpv6:
      walk.next = Header::ipv6;
      return;
    case kEthertypeVlan:
    case kEthertypeServiceVlan:
    case 0x9100:  // QinQ before it had a number
    case 0x9200:
    case 0x9300:
      walk.next = Header::vlan;
      return;
    case 0x88e7:
      walk.next = Header::service;
      return;
    case 0x8847:
    case 0x8848:
      walk.next = Header::mpls;
      return;
    case 0x8864:
      walk.next = Header::pppoe;
      return;
    case 0x8926:
    case 0x892f:  // IEC 62439-3 (HSR): path, size, sequence (4)
    case 0xf1c1:  // IEEE 802.1CB: reserved, sequence (4)
      walk.next = Header::vn_tag;
      return;
    case 0x22f3:
      walk.next = Header::trill;
      return;
    case 0x893f:
      walk.next = Header::e_tag;
      return;
    case 0x88e5:
      walk.next = Header::mac_security;
      return;
    case 0x8903:
      walk.next = Header::fabric_path;
      return;
    case 0x8909:
      walk.next = Header::metadata;
      return;
    case 0x894f:
      walk.next = Header::nsh;
      return;
    case 0x880b:
      walk.next = Header::ppp;
      return;
    case kEthertypeBridged:
      walk.next = Header::ethernet;
      return;
    default:
      break;
  }
  if (ethertype > kLengthMax) return walk.stop(Verdict::not_ip);
  if (ethertype < walk.claimed()) walk.set_length(ethertype);
  walk.next = Header::llc;
}

// RFC 8300 §2.2, and VXLAN-GPE's numbers (draft-ietf-nvo3-vxlan-gpe §3.2), which are the same.
void follow_service_protocol(Walk& walk, std::uint8_t protocol) noexcept {
  constexpr std::array kNext = {Header::done,     Header::ipv4, Header::ipv6,
                                Header::ethernet, Header::nsh,  Header::mpls};
  if (protocol == 0 || protocol >= kNext.size()) return walk.stop(Verdict::not_ip);
  walk.next = kNext[protocol];
}

void read_ethernet(Walk& walk) noexcept {
  if (!walk.has(14)) return;
  walk.packet.mac_offset = static_cast<std::uint16_t>(std::min(walk.offset, 0xffffU));
  const auto header = walk.take<14>();
  follow_ethertype(walk, be16<12>(header));
}

void read_network_layer_id(Walk& walk) noexcept {
  if (!walk.has(1)) return;
  switch (u8<0>(walk.take<1>())) {
    case 0xcc:
      walk.next = Header::ipv4;
      return;
    case 0x8e:
      walk.next = Header::ipv6;
      return;
    case 0xcf:  // RFC 1973 §4, RFC 2364 §5
      walk.next = Header::ppp;
      return;
    case 0x80:
      return read_snap(walk, 0);
    default:
      walk.stop(Verdict::not_ip);
  }
}

// IEEE 802.2 with the SNAP extension (RFC 1042): DSAP, SSAP, control, organisation (3), type (2).
void read_llc(Walk& walk) noexcept {
  if (!walk.has(3)) return;
  const std::uint16_t saps = be16<0>(walk.peek<3>());
  if (saps == 0x0606) {  // IP without SNAP
    walk.offset += 3;
    walk.next = Header::ip;
    return;
  }
  if (saps == 0xfefe) {  // ISO network layer
    if (u8<2>(walk.take<3>()) != 0x03) return walk.stop(Verdict::not_ip);
    return read_network_layer_id(walk);
  }
  if (saps != 0xaaaa) return walk.stop(Verdict::not_ip);
  if (walk.skip(3)) read_snap(walk, 2);
}

void read_vlan(Walk& walk) noexcept {
  if (!walk.has(4)) return;
  const auto tag = walk.take<4>();
  walk.add_vlan(be16<0>(tag) & 0xfff);
  follow_ethertype(walk, be16<2>(tag));
}

void read_service(Walk& walk) noexcept {  // IEEE 802.1Q §9.7: flags, I-SID (24), then a whole frame
  if (!walk.has(4)) return;
  walk.add_layer(TunnelKind::service, 0);
  walk.identify_layer(TunnelKind::service, be32<0>(walk.take<4>()) & 0xff'ffff);
  walk.next = Header::ethernet;
}

void read_vn_tag(Walk& walk) noexcept {  // IEEE 802.1BR's forerunner: 4 bytes, EtherType
  if (walk.has(6)) follow_ethertype(walk, be16<4>(walk.take<6>()));
}

void read_e_tag(Walk& walk) noexcept {  // IEEE 802.1BR: 6 bytes, EtherType
  if (walk.has(8)) follow_ethertype(walk, be16<6>(walk.take<8>()));
}

// Tree (10 bits), time to live (6), then a whole frame.
void read_fabric_path(Walk& walk) noexcept {
  if (walk.skip(2)) walk.next = Header::ethernet;
}

// RFC 6325 §3: version (2 bits) … length of the options in words (5), hop count (6); egress,
// ingress; options; then a whole frame.
void read_trill(Walk& walk) noexcept {
  if (!walk.has(6)) return;
  const auto header = walk.take<6>();
  if (u8<0>(header) >> 6 != 0) return walk.stop(Verdict::malformed);
  walk.add_layer(TunnelKind::trill, 0);
  walk.identify_layer(TunnelKind::trill, be32<2>(header));
  if (walk.skip((be16<0>(header) >> 6 & 0x1fU) * 4)) walk.next = Header::ethernet;
}

// IEEE 802.1AE §9.3: flags (0x20: there is a channel id; 0x0c: encrypted, or changed otherwise),
// length, packet number (4), channel id (8). What is only signed follows as it was.
void read_mac_security(Walk& walk) noexcept {
  constexpr std::uint8_t kHasChannel = 0x20, kChanged = 0x0c;
  if (!walk.has(6)) return;
  const std::uint8_t flags = u8<0>(walk.take<6>());
  if ((flags & kChanged) != 0) return walk.stop(Verdict::not_ip);
  if ((flags & kHasChannel) != 0 && !walk.skip(8)) return;
  if (walk.has(2)) follow_ethertype(walk, be16<0>(walk.take<2>()));
}

// Cisco metadata (a security group's tag): version, length in words of what follows, EtherType.
void read_metadata(Walk& walk) noexcept {
  if (!walk.has(2)) return;
  const std::uint32_t words = u8<1>(walk.take<2>());
  if (walk.skip(4 * words) && walk.has(2)) follow_ethertype(walk, be16<0>(walk.take<2>()));
}

// RFC 8300 §2: version (2 bits) … length in words (6), … type (4), next protocol (8); service path
// (24), index (8); context.
void read_nsh(Walk& walk) noexcept {
  if (!walk.has(8)) return;
  const auto header = walk.peek<8>();
  const std::uint32_t bytes = (be16<0>(header) & 0x3fU) * 4;
  if (u8<0>(header) >> 6 != 0 || bytes < 8) return walk.stop(Verdict::malformed);
  walk.add_layer(TunnelKind::nsh, 0);
  walk.identify_layer(TunnelKind::nsh, be32<4>(header) >> 8);
  if (walk.skip(bytes)) follow_service_protocol(walk, u8<3>(header));
}

// RFC 3032: label (20 bits), traffic class (3), bottom of stack (1), time to live (8).
void read_mpls(Walk& walk) noexcept {
  if (!walk.has(4)) return;
  const auto entry = walk.take<4>();
  const bool is_bottom = (u8<2>(entry) & 1) != 0;
  if (!is_bottom) return;  // the next entry
  // In IP (RFC 4023, RFC 7510) the layer has begun there.
  const bool is_in_ip = walk.tunnel == TunnelKind::mpls;
  if (!is_in_ip) walk.add_layer(TunnelKind::mpls, 0);
  walk.tunnel = TunnelKind::none;
  walk.identify_layer(TunnelKind::mpls, be32<0>(entry) >> 12);
  follow_label_stack(walk, is_in_ip);
}

void read_pppoe(Walk& walk) noexcept {  // RFC 2516 §4: version and type, code, session, length
  if (!walk.has(6)) return;
  const auto header = walk.take<6>();
  const bool is_session_data = be16<0>(header) == 0x1100;
  if (!is_session_data) return walk.stop(Verdict::not_ip);
  if (be16<4>(header) < walk.claimed()) walk.set_length(be16<4>(header));
  walk.add_layer(TunnelKind::pppoe, 0);
  walk.identify_layer(TunnelKind::pppoe, be16<2>(header));
  walk.next = Header::ppp;
}

namespace {

// IP in PPP stands so many bytes further on.
bool has_ppp_ip(const Walk& walk, std::uint32_t skipped) noexcept {
  constexpr std::uint32_t kBytes = 5;  // address and control, protocol (2), version
  if (walk.readable() < skipped + kBytes) return false;
  const std::uint8_t* header = walk.position() + skipped;
  if (load_be16(header) == 0xff03) header += 2;
  if (*header == 0) ++header;
  return (header[0] == 0x21 && header[1] >> 4 == 4) || (header[0] == 0x57 && header[1] >> 4 == 6);
}

// RFC 1990 §3: beginning (the first bit), end (the second), sequence number of 24 bits or, as the
// ends agreed, 12: what follows shows it. The first fragment of a packet tells its session.
void read_multilink(Walk& walk) noexcept {
  constexpr std::uint8_t kBeginning = 0x80;
  constexpr std::uint32_t kLong = 4, kShort = 2;
  if (!walk.has(kShort)) return;
  if ((u8<0>(walk.peek<1>()) & kBeginning) == 0) {
    walk.leaves_untold = true;
    return walk.stop(Verdict::not_ip);
  }
  const bool is_short = !has_ppp_ip(walk, kLong) && has_ppp_ip(walk, kShort);
  if (walk.skip(is_short ? kShort : kLong)) walk.next = Header::ppp;
}

}  // namespace

// RFC 1661 §2, RFC 1662 §3.1: address and control (FF 03) may be left out, as may be the high byte
// of the protocol, whose first byte is even when there are two.
void read_ppp(Walk& walk) noexcept {
  if (!walk.has(1)) return;
  if (u8<0>(walk.peek<1>()) == 0xff && !walk.skip(2)) return;
  if (!walk.has(1)) return;
  std::uint16_t protocol = u8<0>(walk.take<1>());
  if ((protocol & 1) == 0) {
    if (!walk.has(1)) return;
    protocol = static_cast<std::uint16_t>(protocol << 8 | u8<0>(walk.take<1>()));
  }
  switch (protocol) {
    case 0x0021:
      walk.next = Header::ipv4;
      return;
    case 0x0057:
      walk.next = Header::ipv6;
      return;
    case 0x003d:
      return read_multilink(walk);
    case 0x0281:
    case 0x0283:
      walk.next = Header::mpls;
      return;
    case 0x0031:  // RFC 3518 §4.2: bridged frame; flags and MAC type 1 (Ethernet)
      if (!walk.has(2)) return;
      if (u8<1>(walk.take<2>()) != 1) return walk.stop(Verdict::not_ip);
      walk.next = Header::ethernet;
      return;
    default:
      walk.stop(Verdict::not_ip);
  }
}

}  // namespace linger
