// What capture cards, firewalls, routers and modems put before a frame.
#include <string_view>

#include "engine/packet/link_types.h"

namespace linger {
namespace {

// What a record of Endace's capture cards holds.
enum ErfType : std::uint8_t {
  kErfHdlc = 1,
  kErfEthernet = 2,
  kErfAal5 = 4,
  kErfChannelHdlc = 5,
  kErfChannelAal5 = 9,
  kErfColorHdlc = 10,
  kErfColorEthernet = 11,
  kErfDsmColorHdlc = 15,
  kErfDsmColorEthernet = 16,
  kErfColorChannelHdlc = 17,
  kErfHashHdlc = 19,
  kErfHashEthernet = 20,
  kErfIpv4 = 22,
  kErfIpv6 = 23,
};

// Behind the header of a multi-channel record stand 4 bytes more; before an ATM adaptation layer's
// payload the cell's header.
void follow_erf(Walk& walk, std::uint8_t type) noexcept {
  switch (type) {
    case kErfEthernet:
    case kErfColorEthernet:
    case kErfDsmColorEthernet:
    case kErfHashEthernet:
      if (walk.skip(2)) walk.next = Header::ethernet;  // alignment
      return;
    case kErfChannelHdlc:
    case kErfColorChannelHdlc:
      if (walk.skip(4)) follow_link(walk, kPppHdlc);
      return;
    case kErfHdlc:
    case kErfColorHdlc:
    case kErfDsmColorHdlc:
    case kErfHashHdlc:
      return follow_link(walk, kPppHdlc);
    case kErfAal5:
      if (walk.skip(4)) read_atm_payload(walk);
      return;
    case kErfChannelAal5:
      if (walk.skip(8)) read_atm_payload(walk);
      return;
    case kErfIpv4:
      walk.next = Header::ipv4;
      return;
    case kErfIpv6:
      walk.next = Header::ipv6;
      return;
    default:
      walk.stop(Verdict::not_ip);
  }
}

bool is_llc(Block<3> start) noexcept {  // as RFC 2684 §5 has it
  const std::uint16_t saps = be16<0>(start);
  return (saps == 0xaaaa || saps == 0xfefe) && u8<2>(start) == 0x03;
}

// The adapter's cookie: 4 bytes (80: management) or 8 (70 in the last one: management, cells); then
// a frame whose kind shows. What the second kind of adapter sends with a gap count is Ethernet.
void read_juniper_atm(Walk& walk, bool is_second, bool is_sent) noexcept {
  constexpr std::uint32_t kGapCount = 0x3f;
  constexpr std::uint16_t kPppIpv4 = 0x0021, kPppIpv6 = 0x0057;
  if (!walk.has(is_second ? 8 : 4)) return;
  const std::uint8_t* cookie = walk.position();
  const bool is_management = is_second ? (cookie[7] & 0x70) != 0 : cookie[0] == 0x80;
  if (is_management) return walk.stop(Verdict::not_ip);
  walk.offset += is_second ? 8 : 4;
  if (!walk.has(3)) return;
  const auto start = walk.peek<3>();
  if (!is_second || is_llc(start)) return read_atm_payload(walk);
  if (is_sent && (load_be32(cookie) & kGapCount) != 0) {
    walk.next = Header::ethernet;
    return;
  }
  const bool is_ppp = be16<0>(start) == kPppIpv4 || be16<0>(start) == kPppIpv6;
  if (!is_ppp) return read_atm_payload(walk);
  walk.next = Header::ppp;
}

// Link services and adaptive services write a cookie of 2 and 8 bytes, the latter with the kind of
// packet behind it (IPv4 unless it is for the routing engine, IPv6, MPLS); else there is none.
void read_juniper_multilink(Walk& walk) noexcept {
  constexpr std::uint8_t kLinkServices = 0x54, kAdaptiveServices = 0x47, kKind = 0x70;
  constexpr std::uint8_t kToRoutingEngine = 0x0c;
  if (!walk.has(1)) return;
  walk.next = Header::ppp;
  const std::uint8_t first = u8<0>(walk.peek<1>());
  if (first == kLinkServices) walk.skip(2);
  if (first != kAdaptiveServices || !walk.has(8)) return;
  const auto cookie = walk.take<8>();
  switch (u8<5>(cookie) & kKind) {
    case 0x00:
      if (u8<4>(cookie) != kToRoutingEngine) walk.next = Header::ipv4;
      return;
    case 0x10:
      walk.next = Header::ipv6;
      return;
    case 0x20:
      walk.next = Header::mpls;
      return;
    default:
      walk.stop(Verdict::not_ip);
  }
}

}  // namespace

// The interface's address, then the EtherType: as the sixth of 44 bytes, or the tenth of 56.
void read_symantec(Walk& walk) noexcept {
  if (!walk.has(44)) return;
  const auto header = walk.peek<12>();
  const std::uint16_t old_type = be16<6>(header);
  const bool is_old = old_type != 0;
  if (walk.skip(is_old ? 44 : 56)) follow_ethertype(walk, is_old ? old_type : be16<10>(header));
}

// DOCSIS MULPI §6.2: kind (2 bits; 0: packet), parameter (5), is there an extended header (1); its
// length (8); length (16); extended header, checksum (16), Ethernet. The first element of an
// extended header, type and length (4 bits each), tells whether the packet is encrypted.
void read_docsis(Walk& walk) noexcept {
  constexpr std::uint8_t kKind = 0xc0, kExtended = 0x01, kEnabled = 0x80;
  if (!walk.has(6)) return;
  const auto header = walk.take<4>();
  if ((u8<0>(header) & kKind) != 0) return walk.stop(Verdict::not_ip);
  if ((u8<0>(header) & kExtended) != 0) {
    const std::uint32_t bytes = u8<1>(header);
    if (!walk.has(bytes)) return;
    const std::uint8_t* element = walk.position();
    const std::uint8_t type = bytes >= 3 ? element[0] >> 4 : 0;
    const bool is_privacy = type == 3 || type == 4 || type == 7;
    if (is_privacy && (element[2] & kEnabled) != 0) return walk.stop(Verdict::not_ip);
    walk.offset += bytes;
  }
  if (walk.skip(2)) walk.next = Header::ethernet;
}

// Endace's extensible record format: time (8), type (the high bit: an extension header follows),
// flags, length (2), … (2), length on the wire (2). Each extension header has 8 bytes and says the
// same with its high bit.
void read_erf(Walk& walk) noexcept {
  constexpr int kExtensionsMax = 16;
  constexpr std::uint8_t kMore = 0x80;
  if (!walk.has(16)) return;
  const std::uint8_t type = u8<8>(walk.take<16>());
  std::uint8_t last = type;
  for (int i = 0; (last & kMore) != 0; ++i) {
    if (i == kExtensionsMax) return walk.stop(Verdict::too_deep);
    if (!walk.has(8)) return;
    last = u8<0>(walk.take<8>());
  }
  follow_erf(walk, type & 0x7f);
}

// Juniper's own header, as tcpdump reads it: "MGC", flags; perhaps a length (2) and as many bytes
// of extensions; then the frame or, without a link layer, the address family (4) and the packet.
void read_juniper(Walk& walk) noexcept {
  constexpr std::uint8_t kExtensions = 0x80, kNoLinkLayer = 0x02, kReceived = 0x01;
  if (!walk.has(4)) return;
  const std::uint32_t header = be32<0>(walk.take<4>());
  if (header >> 8 != 0x4d4743) return walk.stop(Verdict::malformed);
  if (header & kExtensions) {
    if (!walk.has(2)) return;
    if (!walk.skip(be16<0>(walk.take<2>()))) return;
  }
  if (header & kNoLinkLayer) {
    if (walk.skip(4)) walk.next = Header::ip;
    return;
  }
  switch (walk.link_type) {
    case kJuniperPpp:
      walk.next = Header::ppp;
      return;
    case kJuniperFrameRelay:
      return follow_link(walk, kFrameRelay);
    case kJuniperCiscoHdlc:
      return follow_link(walk, kCiscoHdlc);
    case kJuniperPppoeAtm:
      if (walk.has(2)) follow_ethertype(walk, be16<0>(walk.take<2>()));
      return;
    case kJuniperMlppp:
      return read_juniper_multilink(walk);
    case kJuniperAtm1:
    case kJuniperAtm2:
      return read_juniper_atm(walk, walk.link_type == kJuniperAtm2, (header & kReceived) == 0);
    default:
      walk.next = Header::ethernet;
  }
}

// What Wireshark exports: tag (2), length (2), value; the tag 0 ends them. One names what follows.
void read_exported_pdu(Walk& walk) noexcept {
  constexpr int kTagsMax = 64;
  constexpr std::uint16_t kEnd = 0, kProtocol = 12;
  Header named = Header::done;
  for (int i = 0; i < kTagsMax; ++i) {
    if (!walk.has(4)) return;
    const auto header = walk.take<4>();
    if (be16<0>(header) == kEnd) {
      walk.next = named;
      if (named == Header::done) walk.stop(Verdict::not_ip);
      return;
    }
    const std::uint32_t bytes = be16<2>(header);
    if (!walk.skip(bytes)) return;
    if (be16<0>(header) != kProtocol) continue;
    std::string_view name(reinterpret_cast<const char*>(walk.position() - bytes), bytes);
    name = name.substr(0, name.find('\0'));
    if (name == "ip" || name == "ipv6") named = Header::ip;
    if (name.substr(0, 4) == "eth_") named = Header::ethernet;  // with, without a check sequence
  }
  walk.stop(Verdict::too_deep);
}

// What a virtual circuit of ATM carries: LLC (RFC 2684 §5), a network layer by its number as Cisco
// has it, or IP as it is.
void read_atm_payload(Walk& walk) noexcept {
  if (!walk.has(3)) return;
  const auto start = walk.peek<3>();
  if (is_llc(start)) {
    walk.next = Header::llc;
    return;
  }
  walk.next = Header::ip;
  if (u8<0>(start) != 0x03) return;
  walk.offset += 1;
  read_network_layer_id(walk);
}

}  // namespace linger
