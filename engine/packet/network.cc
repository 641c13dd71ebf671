// IPv4 (RFC 791), IPv6 (RFC 8200) and its extension headers.
#include "engine/packet/checksum.h"
#include "engine/packet/link_type.h"
#include "engine/packet/walk.h"

namespace linger {
namespace {

enum Extension : std::uint8_t {
  kHopByHop = 0,
  kRouting = 43,
  kFragment = 44,
  kAuthentication = 51,
  kDestination = 60,
};

// Packet holds 16-bit offsets; behind an IP header come at most 60 + 60 bytes before a payload, or
// a checked extension.
constexpr std::uint32_t kIpOffsetMax = 0xff00;

bool start_ip(Walk& walk, std::uint8_t version) noexcept {
  if (walk.offset > kIpOffsetMax) {
    walk.stop(Verdict::too_deep);
    return false;
  }
  walk.packet.ip_offset = static_cast<std::uint16_t>(walk.offset);
  walk.ip_version = version;
  return true;
}

struct Piece {
  std::uint32_t id;
  std::uint32_t offset;  // in bytes
  bool has_more;
  std::uint8_t protocol;
};

// True: the walk stops at a fragment, and the packet says of which datagram and where in it
// (FragmentHeader). Its bytes begin at walk.offset.
[[gnu::cold, gnu::noinline]] bool stop_at_fragment(Walk& walk, const Piece& piece) noexcept {
  Packet& packet = walk.packet;
  if (piece.offset == 0 && walk.enters_first_fragment) {
    packet.flags |= kPacketFragment;
    return false;
  }
  walk.stop(walk.offset > 0xffff ? Verdict::too_deep : Verdict::fragment);
  packet.payload_offset = static_cast<std::uint16_t>(walk.offset);
  packet.payload_bytes = walk.claimed();
  packet.fragment = {.offset = piece.offset,
                     .captured_bytes = walk.readable(),
                     .protocol = piece.protocol,
                     .has_more = piece.has_more};
  // In IPv6 the identification alone tells datagrams apart (RFC 8200 §4.5).
  const std::uint8_t protocol = walk.ip_version == 4 ? piece.protocol : std::uint8_t{0};
  const std::uint64_t kind = protocol | static_cast<std::uint64_t>(walk.ip_version) << 8;
  for (std::size_t i = 0; i < 2; ++i) {
    packet.key.set_word(i, walk.source.address[i]);
    packet.key.set_word(2 + i, walk.destination.address[i]);
  }
  packet.key.set_word(4, piece.id | kind << 32);
  packet.key.set_word(5, datagram_scope_of(walk));
  return true;
}

// RFC 791 §3.1, loose and strict source route: type, length, pointer, addresses. While the pointer
// is not behind the last address, the header's destination is only the next hop, and the last
// address is where the packet goes to.
[[gnu::cold, gnu::noinline]] void follow_source_route(Walk& walk, const std::uint8_t* option,
                                                      std::uint32_t bytes) noexcept {
  constexpr std::uint8_t kEnd = 0, kNoOperation = 1, kLoose = 131, kStrict = 137;
  constexpr std::uint32_t kRouteBytesMin = 3 + 4, kFirstPointer = 4;
  while (bytes >= kRouteBytesMin && *option != kEnd) {
    const std::uint32_t length = *option == kNoOperation ? 1 : option[1];
    if (length == 0 || length > bytes) return;
    if (*option == kLoose || *option == kStrict) {
      const std::uint32_t pointer = option[2];
      if (length < kRouteBytesMin || pointer < kFirstPointer || pointer > length - 3) return;
      walk.destination.address[0] = load_le32(option + length - 4);
      walk.is_rerouted = true;
      return;
    }
    option += length;
    bytes -= length;
  }
}

// RFC 8200 §4.4: next header, length, type, segments left, … While there are some, the header's
// destination is only the next hop. Where the packet goes to is the first segment in a segment
// routing header (RFC 8754 §2) and the only one of type 2 (RFC 6275 §6.4.1), the last one in one of
// type 0 (RFC 2460 §4.4).
[[gnu::cold, gnu::noinline]] void follow_routing(Walk& walk, const std::uint8_t* header,
                                                 std::uint32_t bytes) noexcept {
  constexpr std::uint8_t kSourceRoute = 0, kHomeAddress = 2, kSegments = 4;
  constexpr std::uint32_t kFirst = 8, kAddress = 16;
  walk.is_rerouted = true;
  const std::uint8_t type = header[2];
  const bool is_known = type == kSourceRoute || type == kHomeAddress || type == kSegments;
  if (!is_known || header[3] == 0 || bytes < kFirst + kAddress) return;
  const std::uint32_t last = kFirst + (bytes - kFirst) / kAddress * kAddress - kAddress;
  const std::uint8_t* address = header + (type == kSourceRoute ? last : kFirst);
  for (std::size_t i = 0; i < 2; ++i) walk.destination.address[i] = load_le64(address + 8 * i);
}

bool is_fragment(Walk& walk, const Piece& piece) noexcept {
  if (piece.offset == 0 && !piece.has_more) return false;  // whole; IPv6: atomic (RFC 6946)
  return stop_at_fragment(walk, piece);
}

// Of frames without their link header, Linux 6.11 and later names what stands behind all tags
// (af_packet's vlan_get_protocol_dgram), though of several it takes off the outermost one only.
[[gnu::cold, gnu::noinline]] void stop_unless_tagged(Walk& walk) noexcept {
  const bool is_cooked = walk.link_type == kLinuxCooked || walk.link_type == kLinuxCookedV2;
  const bool is_outermost = walk.ip_version == 0;
  if (is_cooked && is_outermost && walk.readable() >= 4) {
    const std::uint16_t type = be16<2>(walk.peek<4>());
    if (type == kEthertypeIpv4 || type == kEthertypeIpv6 || type == kEthertypeVlan ||
        type == kEthertypeServiceVlan) {
      walk.next = Header::vlan;
      return;
    }
  }
  walk.stop(Verdict::malformed);
}

}  // namespace

void follow_protocol(Walk& walk, std::uint8_t protocol) noexcept {
  walk.protocol = protocol;
  walk.next = Header::transport;
  switch (protocol) {
    case kHopByHop:
    case kRouting:
    case kFragment:
    case kDestination:
      if (walk.ip_version == 6) walk.next = Header::extension;
      return;
    case kAuthentication:
      walk.next = Header::extension;
      return;
    default:
      return;
  }
}

void read_ip(Walk& walk) noexcept {
  if (!walk.has(1)) return;
  switch (u8<0>(walk.peek<1>()) >> 4) {
    case 4:
      walk.next = Header::ipv4;
      return;
    case 6:
      walk.next = Header::ipv6;
      return;
    default:
      walk.stop(Verdict::not_ip);
  }
}

void read_ipv4(Walk& walk) noexcept {
  if (!walk.has(20)) return;
  const auto header = walk.peek<20>();
  const std::uint32_t header_bytes = (u8<0>(header) & 0x0fU) * 4;
  const std::uint16_t total_bytes = be16<2>(header);
  // A total length of 0 is a segment that the network card was to cut (TSO): all that is there.
  const bool is_length_possible = total_bytes == 0 || total_bytes >= header_bytes;
  if (u8<0>(header) >> 4 != 4 || header_bytes < 20 || !is_length_possible)
    return stop_unless_tagged(walk);
  if (!start_ip(walk, 4)) return;
  if (total_bytes != 0) walk.set_length(total_bytes);
  if (!walk.skip(header_bytes)) return;
  walk.is_rerouted = false;
  if (walk.settings.verify_checksums && !is_ipv4_header_right(header.data, header_bytes))
    walk.packet.flags |= kPacketBadIpChecksum;
  walk.source.address[0] = load_le32(header.data + 12);
  walk.destination.address[0] = load_le32(header.data + 16);
  walk.source.address[1] = walk.destination.address[1] = 0;
  if (header_bytes > 20) follow_source_route(walk, header.data + 20, header_bytes - 20);
  const std::uint16_t fragment = be16<6>(header);
  const std::uint8_t protocol = u8<9>(header);
  const std::uint32_t offset = (fragment & 0x1fffU) * 8;
  if (is_fragment(walk, {be16<4>(header), offset, (fragment & 0x2000) != 0, protocol})) return;
  follow_protocol(walk, protocol);
}

void read_ipv6(Walk& walk) noexcept {
  if (!walk.has(40)) return;
  const auto header = walk.peek<40>();
  if (u8<0>(header) >> 4 != 6) return stop_unless_tagged(walk);
  if (!start_ip(walk, 6)) return;
  walk.offset += 40;
  walk.is_rerouted = false;
  // A payload length of 0 is a jumbogram (RFC 2675) or a segment for the network card: all that is
  // there.
  if (be16<4>(header) != 0) walk.set_length(be16<4>(header));
  for (std::size_t i = 0; i < 2; ++i) {
    walk.source.address[i] = load_le64(header.data + 8 + 8 * i);
    walk.destination.address[i] = load_le64(header.data + 24 + 8 * i);
  }
  follow_protocol(walk, u8<6>(header));
}

// RFC 8200 §4, RFC 4302 §2: next header, length in units of 8 (AH: 4) bytes, … A fragment header
// has no length.
void read_extension(Walk& walk) noexcept {
  if (!walk.has(8)) return;
  const auto header = walk.peek<8>();
  const std::uint8_t kind = walk.protocol;
  std::uint32_t bytes = (u8<1>(header) + 1U) * 8;
  if (kind == kAuthentication) bytes = (u8<1>(header) + 2U) * 4;
  if (kind == kFragment) bytes = 8;
  if (!walk.skip(bytes)) return;
  if (kind == kRouting) follow_routing(walk, walk.position() - bytes, bytes);
  if (kind == kFragment) {
    const std::uint16_t fragment = be16<2>(header);
    const std::uint32_t offset = fragment & 0xfff8U;
    if (is_fragment(walk, {be32<4>(header), offset, (fragment & 1) != 0, u8<0>(header)})) return;
  }
  follow_protocol(walk, u8<0>(header));
}

}  // namespace linger
