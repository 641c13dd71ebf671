// What the capture's link type says the frame begins with.
#include "engine/packet/link_types.h"

namespace linger {
namespace {

// Address families as the systems that write LINKTYPE_NULL number them.
void follow_family(Walk& walk, std::uint32_t family) noexcept {
  switch (family) {
    case 2:
      walk.next = Header::ipv4;
      return;
    case 10:  // Linux
    case 24:  // NetBSD, OpenBSD
    case 28:  // FreeBSD
    case 30:  // macOS
      walk.next = Header::ipv6;
      return;
    default:
      walk.stop(Verdict::not_ip);
  }
}

void read_cisco_hdlc(Walk& walk) noexcept {  // address, control, EtherType
  if (walk.has(4)) follow_ethertype(walk, be16<2>(walk.take<4>()));
}

// In the byte order of the machine that captured.
void follow_own_family(Walk& walk, std::uint32_t family) noexcept {
  follow_family(walk, family > 0xffff ? __builtin_bswap32(family) : family);
}

// Of old PPP lines it may be Cisco HDLC's header.
void read_null(Walk& walk) noexcept {
  if (!walk.has(4)) return;
  const std::uint32_t family = be32<0>(walk.peek<4>());
  if (family >> 16 == 0x0f00 && (family & 0xffff) >= kEthertypeMin) return read_cisco_hdlc(walk);
  walk.take<4>();
  follow_own_family(walk, family);
}

void read_loop(Walk& walk) noexcept {
  if (walk.has(4)) follow_family(walk, be32<0>(walk.take<4>()));
}

void read_enc(Walk& walk) noexcept {  // IPsec of the BSDs: address family, SPI, flags
  if (walk.has(12)) follow_own_family(walk, be32<0>(walk.take<12>()));
}

// Packet filter of the BSDs: length of the header, which is padded to a multiple of 4; address
// family, …
void read_pflog(Walk& walk) noexcept {
  if (!walk.has(2)) return;
  const auto header = walk.peek<2>();
  if (u8<0>(header) < 2) return walk.stop(Verdict::malformed);
  if (walk.skip((u8<0>(header) + 3U) / 4 * 4)) follow_family(walk, u8<1>(header));
}

// What a switch tells its processor, between the addresses and the type of Ethernet. Marvell's tag
// (4 bytes; EDSA: behind 4 more) takes the place of that of a VLAN: flags (0x20: there was one),
// port, VLAN (12 bits).
void read_switch_tag(Walk& walk) noexcept {
  constexpr std::uint32_t kAddresses = 12;
  constexpr std::uint8_t kHasVlan = 0x20;
  const std::uint32_t bytes = walk.link_type == kEdsaMarvell ? 8 : 4;
  if (!walk.has(kAddresses + bytes + 2)) return;
  walk.packet.mac_offset = static_cast<std::uint16_t>(std::min(walk.offset, 0xffffU));
  walk.offset += kAddresses + bytes;
  const std::uint8_t* tag = walk.position() - 4;
  const bool is_marvell = walk.link_type != kDsaBroadcom;
  if (is_marvell && (tag[0] & kHasVlan) != 0) walk.add_vlan(load_be16(tag + 2) & 0xfff);
  follow_ethertype(walk, be16<0>(walk.take<2>()));
}

void read_ppp_hdlc(Walk& walk) noexcept {  // PPP in HDLC framing or Cisco HDLC, by the address
  if (!walk.has(1)) return;
  const std::uint8_t address = u8<0>(walk.peek<1>());
  if (address == 0x0f || address == 0x8f) return read_cisco_hdlc(walk);
  walk.next = Header::ppp;
}

// The protocol of a Linux socket address: an EtherType, or a number of Linux's own.
void follow_linux_protocol(Walk& walk, std::uint16_t hardware, std::uint16_t protocol) noexcept {
  constexpr std::uint16_t kNetlink = 824, kMonitorRadiotap = 803, kProtocol8022 = 4;
  if (hardware == kNetlink) return walk.stop(Verdict::not_ip);
  if (hardware == kMonitorRadiotap) return follow_link(walk, kRadiotap);
  if (protocol == kProtocol8022) {
    walk.next = Header::llc;
    return;
  }
  if (protocol < kEthertypeMin) return walk.stop(Verdict::not_ip);
  follow_ethertype(walk, protocol);
}

void read_linux_cooked(Walk& walk) noexcept {
  if (!walk.has(16)) return;
  const auto header = walk.take<16>();
  follow_linux_protocol(walk, be16<2>(header), be16<14>(header));
}

void read_linux_cooked_v2(Walk& walk) noexcept {
  if (!walk.has(20)) return;
  const auto header = walk.take<20>();
  follow_linux_protocol(walk, be16<8>(header), be16<0>(header));
}

struct WifiVariant {
  bool is_padded = false;       // the header, to a multiple of 4
  bool may_be_swapped = false;  // the bytes of its fields of two
};

// A-MSDU (§9.3.2.2.2): destination 6, source 6, length 2 before each LLC, from the second on padded
// to a multiple of 4. A packet is of one session: the first one's.
void read_first_subframe(Walk& walk) noexcept {
  constexpr std::uint32_t kHeader = 14;
  if (!walk.has(kHeader)) return;
  const std::uint32_t bytes = be16<12>(walk.take<kHeader>());
  const std::uint32_t padding = (4 - (kHeader + bytes) % 4) % 4;
  walk.leaves_untold = walk.claimed() >= bytes + padding + kHeader;
}

// IEEE 802.11-2020 §9.3.2. Only data frames that carry data and are not encrypted hold IP.
//
//     control 2 | duration 2 | address 3 x 6 | sequence 2 | address 4 (6) | QoS 2 | HT 4 | LLC …
void read_ieee80211(Walk& walk, const WifiVariant& variant) noexcept {
  if (!walk.has(2)) return;
  const auto control = walk.peek<2>();
  const bool is_swapped = variant.may_be_swapped && (u8<0>(control) & 0x03) != 0;
  const std::uint8_t kind = is_swapped ? u8<1>(control) : u8<0>(control);
  const std::uint8_t flags = is_swapped ? u8<0>(control) : u8<1>(control);
  const bool is_data = (kind & 0x0f) == 0x08 && (kind & 0x40) == 0;  // version 0, type data
  const bool is_protected = (flags & 0x40) != 0;
  if (!is_data || is_protected) return walk.stop(Verdict::not_ip);

  const bool has_qos = (kind & 0x80) != 0;
  std::uint32_t bytes = 24;
  if ((flags & 0x03) == 0x03) bytes += 6;  // to and from the distribution system
  const std::uint32_t qos_offset = bytes;
  if (has_qos) bytes += (flags & 0x80) != 0 ? 6 : 2;
  if (!walk.has(bytes)) return;
  const auto first_byte = [&](std::uint32_t field) {  // of two: the lower half
    return walk.position()[field + (is_swapped ? 1 : 0)];
  };
  const bool is_later_fragment = (first_byte(22) & 0x0f) != 0;
  if (is_later_fragment) return walk.stop(Verdict::not_ip);
  const bool is_aggregate = has_qos && (first_byte(qos_offset) & 0x80) != 0;
  if (!walk.skip(variant.is_padded ? (bytes + 3) / 4 * 4 : bytes)) return;
  walk.next = Header::llc;
  if (is_aggregate) read_first_subframe(walk);
}

// https://www.radiotap.org: version, pad, length (LE), one or more words of present bits (LE), then
// the fields.
void read_radiotap(Walk& walk) noexcept {
  constexpr std::uint32_t kTimer = 1, kFlags = 2, kMorePresent = 0x80000000, kDataPad = 0x20;
  constexpr std::uint32_t kPresentWordsMax = 8;
  if (!walk.has(8)) return;
  const std::uint8_t* header = walk.position();
  const std::uint32_t bytes = load_le16(header + 2);
  if (bytes < 8) return walk.stop(Verdict::malformed);
  if (!walk.has(bytes)) return;
  const std::uint32_t present = load_le32(header + 4);
  std::uint32_t field = 8;
  for (std::uint32_t word = present, i = 0; (word & kMorePresent) && i < kPresentWordsMax; ++i) {
    if (field + 4 > bytes) return walk.stop(Verdict::malformed);
    word = load_le32(header + field);
    field += 4;
  }
  if (present & kTimer) field = (field + 7) / 8 * 8 + 8;
  const bool is_padded = (present & kFlags) && field < bytes && (header[field] & kDataPad);
  walk.offset += bytes;
  read_ieee80211(walk, {.is_padded = is_padded});
}

void read_capture_header(Walk& walk, std::uint32_t length_offset, bool is_little_endian) noexcept {
  if (!walk.has(length_offset + 4)) return;
  const std::uint8_t* length = walk.position() + length_offset;
  const std::uint32_t bytes = is_little_endian ? load_le32(length) : load_be32(length);
  if (bytes < length_offset + 4) return walk.stop(Verdict::malformed);
  if (walk.skip(bytes)) read_ieee80211(walk, {});
}

// Drivers of Linux write AVS's header under the number of Prism's, whose first word is another one.
void read_prism(Walk& walk) noexcept {
  constexpr std::uint32_t kAvsVersion1 = 0x80211001, kAvsVersion2 = 0x80211002;
  if (!walk.has(4)) return;
  const std::uint32_t first = be32<0>(walk.peek<4>());
  const bool is_avs = first == kAvsVersion1 || first == kAvsVersion2;
  read_capture_header(walk, 4, !is_avs);
}

void read_ppi(Walk& walk) noexcept {  // version, flags, length (LE), link type (LE)
  if (!walk.has(8)) return;
  const std::uint8_t* header = walk.position();
  const std::uint32_t link_type = load_le32(header + 4);
  if (load_le16(header + 2) < 8) return walk.stop(Verdict::malformed);
  if (link_type > 0xffff) return walk.stop(Verdict::unknown_link);
  if (walk.skip(load_le16(header + 2))) walk.link_type = static_cast<std::uint16_t>(link_type);
}

void read_pktap(Walk& walk) noexcept {  // length (LE), record type, link type (LE), …
  if (!walk.has(12)) return;
  const std::uint8_t* header = walk.position();
  const std::uint32_t link_type = load_le32(header + 8);
  if (load_le32(header) < 12) return walk.stop(Verdict::malformed);
  if (link_type > 0xffff) return walk.stop(Verdict::unknown_link);
  if (walk.skip(load_le32(header))) walk.link_type = static_cast<std::uint16_t>(link_type);
}

// Linux nfnetlink_log: family, version, resource id; then attributes: length, type (both in the
// byte order of the machine that captured, little-endian here), value padded to 4. The packet is
// one of them.
void read_nflog(Walk& walk) noexcept {
  constexpr int kAttributesMax = 32;
  constexpr std::uint16_t kPayload = 9;
  if (!walk.skip(4)) return;
  for (int i = 0; i < kAttributesMax; ++i) {
    if (!walk.has(4)) return;
    const std::uint32_t bytes = load_le16(walk.position());
    const std::uint16_t type = load_le16(walk.position() + 2) & 0x7fff;
    if (bytes < 4) return walk.stop(Verdict::malformed);
    if (type == kPayload) {
      walk.offset += 4;
      walk.next = Header::ip;
      return;
    }
    if (!walk.skip((bytes + 3) / 4 * 4)) return;
  }
  walk.stop(Verdict::too_deep);
}

// Access and frame control, destination, source, routes.
void read_token_ring(Walk& walk) noexcept {
  if (!walk.has(14)) return;
  const auto header = walk.take<14>();
  const bool is_llc = (u8<1>(header) & 0xc0) == 0x40;
  if (!is_llc) return walk.stop(Verdict::not_ip);
  walk.next = Header::llc;
  const bool has_routes = (u8<8>(header) & 0x80) != 0;
  if (has_routes && walk.has(1)) walk.skip(u8<0>(walk.peek<1>()) & 0x1f);
}

void read_fddi(Walk& walk) noexcept {  // frame control, destination, source
  if (!walk.has(13)) return;
  const bool is_llc = (u8<0>(walk.take<13>()) & 0xf0) == 0x50;
  if (!is_llc) return walk.stop(Verdict::not_ip);
  walk.next = Header::llc;
}

void read_sun_atm(Walk& walk) noexcept {  // direction and traffic type, VPI, VCI
  if (!walk.has(4)) return;
  const bool is_llc = (u8<0>(walk.take<4>()) & 0x0f) == 2;
  if (!is_llc) return walk.stop(Verdict::not_ip);
  walk.next = Header::llc;
}

void read_linux_arcnet(Walk& walk) noexcept {  // source, destination, offset (2), type, …
  constexpr std::uint8_t kIpRfc1201 = 212, kIpRfc1051 = 240;
  if (!walk.has(5)) return;
  const std::uint8_t type = u8<4>(walk.take<5>());
  if (type != kIpRfc1201 && type != kIpRfc1051) return walk.stop(Verdict::not_ip);
  if (type == kIpRfc1201 && !walk.skip(3)) return;  // split flag, sequence (2)
  walk.next = Header::ipv4;
}

// destination (20), source (20): RFC 4391 §6 stands behind them: EtherType, reserved
void read_ip_over_infiniband(Walk& walk) noexcept {
  if (walk.has(44)) follow_ethertype(walk, be16<40>(walk.take<44>()));
}

// RFC 2427 §3: Q.922 address, control, padding, NLPID. Cisco's own has the EtherType behind the
// address.
void read_frame_relay(Walk& walk) noexcept {
  if (!walk.has(4)) return;
  const auto header = walk.take<4>();
  const bool is_two_byte_address = (u8<0>(header) & 1) == 0 && (u8<1>(header) & 1) == 1;
  if (!is_two_byte_address) return walk.stop(Verdict::not_ip);
  if (be16<2>(header) >= kEthertypeMin) return follow_ethertype(walk, be16<2>(header));
  if (u8<2>(header) != 0x03) return walk.stop(Verdict::not_ip);
  if (u8<3>(header) != 0) walk.offset -= 1;  // no padding
  read_network_layer_id(walk);
}

// FRF.16 §3: beginning, end, control (a bit each), sequence. Only a packet that is whole is told.
void read_multilink_frame_relay(Walk& walk) noexcept {
  constexpr std::uint8_t kKind = 0xe0, kWhole = 0xc0;
  if (!walk.has(2)) return;
  if ((u8<0>(walk.take<2>()) & kKind) != kWhole) return walk.stop(Verdict::not_ip);
  read_frame_relay(walk);
}

// RFC 2734 on FireWire: destination (8), source (8), EtherType.
void read_ip_over_firewire(Walk& walk) noexcept {
  if (walk.has(18)) follow_ethertype(walk, be16<16>(walk.take<18>()));
}

// IEEE 802.3 §99.3: a preamble of 8 bytes; the last one says that a frame begins, which may be
// express or go on in other packets.
void read_mpacket(Walk& walk) noexcept {
  if (!walk.has(8)) return;
  switch (u8<7>(walk.take<8>())) {
    case 0xd5:
    case 0xe6:
    case 0x4c:
    case 0x7f:
    case 0xb3:
      walk.next = Header::ethernet;
      return;
    default:
      walk.stop(Verdict::not_ip);
  }
}

void read_ipnet(Walk& walk) noexcept {  // of Solaris: version, family (2: IPv4, 26: IPv6), … (22)
  if (!walk.has(24)) return;
  const std::uint8_t family = u8<1>(walk.take<24>());
  if (family != 2 && family != 26) return walk.stop(Verdict::not_ip);
  walk.next = Header::ip;
}

}  // namespace

// In a tunnel. Cisco's access points swap the bytes of such fields in CAPWAP: every frame there
// goes to or from the distribution system, and these flags stand where the version is, always 0.
void read_wifi(Walk& walk) noexcept {
  read_ieee80211(walk, {.may_be_swapped = walk.tunnel == TunnelKind::capwap});
}

void read_link(Walk& walk) noexcept {
  switch (walk.link_type) {
    case kEthernet:
      walk.next = Header::ethernet;
      return;
    case kRaw:
    case kRawOpenBsd:
    case kRawBsd:
    case kIpv4:  // there are captures of the one that hold the other
    case kIpv6:
      walk.next = Header::ip;
      return;
    case kLinuxCooked:
      return read_linux_cooked(walk);
    case kLinuxCookedV2:
      return read_linux_cooked_v2(walk);
    case kNull:
      return read_null(walk);
    case kLoop:
      return read_loop(walk);
    case kEnc:
      return read_enc(walk);
    case kPflog:
      return read_pflog(walk);
    case kDsaBroadcom:
    case kDsaMarvell:
    case kEdsaMarvell:
      return read_switch_tag(walk);
    case kDsaBroadcomBefore:
      if (walk.skip(4)) walk.next = Header::ethernet;
      return;
    case kPpp:
    case kPppHdlc:
      return read_ppp_hdlc(walk);
    case kPppPppd:  // direction in place of the address, control
      if (walk.skip(2)) walk.next = Header::ppp;
      return;
    case kPppWithDirection:
      if (walk.skip(1)) read_ppp_hdlc(walk);
      return;
    case kCiscoHdlcWithDirection:
      if (walk.skip(1)) read_cisco_hdlc(walk);
      return;
    case kFrameRelayWithDirection:
      if (walk.skip(1)) read_frame_relay(walk);
      return;
    case kPppEther:
      walk.next = Header::pppoe;
      return;
    case kCiscoHdlc:
      return read_cisco_hdlc(walk);
    case kIeee80211:
      return read_ieee80211(walk, {});
    case kRadiotap:
      return read_radiotap(walk);
    case kPrism:
      return read_prism(walk);
    case kAvs:
      return read_capture_header(walk, 4, false);
    case kJuniperMlppp:
    case kJuniperAtm2:
    case kJuniperAtm1:
    case kJuniperPppoe:
    case kJuniperPppoeAtm:
    case kJuniperEther:
    case kJuniperPpp:
    case kJuniperFrameRelay:
    case kJuniperCiscoHdlc:
      return read_juniper(walk);
    case kErf:
      return read_erf(walk);
    case kDocsis:
      return read_docsis(walk);
    case kSymantec:
      return read_symantec(walk);
    case kExportedPdu:
      return read_exported_pdu(walk);
    case kMultilinkFrameRelay:
      return read_multilink_frame_relay(walk);
    case kIpOverFibreChannel:  // RFC 2625 §4: destination (8), source (8), LLC
      if (walk.skip(16)) walk.next = Header::llc;
      return;
    case kIpOverFireWire:
      return read_ip_over_firewire(walk);
    case kIpnet:
      return read_ipnet(walk);
    case kLinuxArcnet:
      return read_linux_arcnet(walk);
    case kIpOverInfiniband:
      return read_ip_over_infiniband(walk);
    case kPpi:
      return read_ppi(walk);
    case kPktap:
    case kUser2:  // what it was on macOS before it had a number
      return read_pktap(walk);
    case kNflog:
      return read_nflog(walk);
    case kMpls:
      walk.next = Header::mpls;
      return;
    case kFrameRelay:
      return read_frame_relay(walk);
    case kAtmRfc1483:
    case kAtmRfc1483Bsd:
    case kAtmClip:
      return read_atm_payload(walk);
    case kSunAtm:
      return read_sun_atm(walk);
    case kTokenRing:
      return read_token_ring(walk);
    case kFddi:
      return read_fddi(walk);
    case kSlip:  // direction, 15 bytes for compressed headers
      if (walk.skip(16)) walk.next = Header::ip;
      return;
    case kNetAnalyzer:
      if (walk.skip(4)) walk.next = Header::ethernet;
      return;
    case kNetAnalyzerTransparent:  // with the preamble
      if (walk.skip(4 + 8)) walk.next = Header::ethernet;
      return;
    case kMpacket:
      return read_mpacket(walk);
    default:
      walk.packet.link_type = walk.link_type;  // what PPI or PKTAP said
      walk.stop(Verdict::unknown_link);
  }
}

}  // namespace linger
