#include "engine/packet/plain.h"

#include "engine/packet/checksum.h"
#include "engine/packet/link_type.h"
#include "engine/packet/walk.h"

namespace linger {
namespace {

struct Datagram {
  PacketEnd source;
  PacketEnd destination;
  std::uint8_t protocol;
  std::uint32_t end;  // by the IP header; not behind the captured bytes
};

constexpr std::uint32_t kIpv4Bytes = 20, kIpv6Bytes = 40, kUdpBytes = 8, kTcpBytes = 20;

template <std::uint32_t kIpOffset>
bool read_plain_ipv4(const Packet& packet, Datagram& datagram) noexcept {
  const Block<kIpv4Bytes> header{packet.data + kIpOffset};
  const bool is_plain = u8<0>(header) == 0x45 && (be16<6>(header) & 0x3fff) == 0;
  datagram.source = {{load_le32(header.data + 12), 0}};
  datagram.destination = {{load_le32(header.data + 16), 0}};
  datagram.protocol = u8<9>(header);
  datagram.end = kIpOffset + be16<2>(header);
  return is_plain && datagram.end >= kIpOffset + kIpv4Bytes;
}

template <std::uint32_t kIpOffset>
bool read_plain_ipv6(const Packet& packet, Datagram& datagram) noexcept {
  const Block<kIpv6Bytes> header{packet.data + kIpOffset};
  datagram.source = {{load_le64(header.data + 8), load_le64(header.data + 16)}};
  datagram.destination = {{load_le64(header.data + 24), load_le64(header.data + 32)}};
  datagram.protocol = u8<6>(header);
  datagram.end = kIpOffset + kIpv6Bytes + be16<4>(header);
  return u8<0>(header) >> 4 == 6 && be16<4>(header) != 0;
}

// One for each place and version of an IP header: they are constants in it, and of an IPv4 key half
// is zero.
template <std::uint32_t kIpOffset, std::uint8_t kVersion>
bool decode_plain_ip(Packet& packet, const DecodeSettings& settings, std::uint16_t vlan) noexcept {
  constexpr std::uint32_t kTransportOffset = kIpOffset + (kVersion == 4 ? kIpv4Bytes : kIpv6Bytes);
  if (packet.captured_bytes < kTransportOffset + kUdpBytes) return false;
  Datagram datagram;
  const bool is_plain_ip = kVersion == 4 ? read_plain_ipv4<kIpOffset>(packet, datagram)
                                         : read_plain_ipv6<kIpOffset>(packet, datagram);
  if (!is_plain_ip || datagram.end > packet.captured_bytes) return false;

  const std::uint8_t* transport = packet.data + kTransportOffset;
  const std::uint32_t transport_bytes = datagram.end - kTransportOffset;
  std::uint32_t header_bytes = kUdpBytes;
  std::uint32_t length = transport_bytes;
  datagram.source.port = load_be16(transport);
  datagram.destination.port = load_be16(transport + 2);
  if (datagram.protocol == kProtocolTcp) {
    if (transport_bytes < kTcpBytes) return false;
    header_bytes = (transport[12] >> 4) * 4U;
    if (header_bytes < kTcpBytes || header_bytes > transport_bytes) return false;
    read_tcp_header(packet.tcp, transport, header_bytes);
  } else if (datagram.protocol == kProtocolUdp) {
    length = load_be16(transport + 4);
    if (length < kUdpBytes || length > transport_bytes) return false;
    const TunnelKind tunnel =
        settings.tunnel_ports.of(datagram.source.port, datagram.destination.port);
    if (tunnel != TunnelKind::none) return false;
    packet.tcp = TcpHeader{};
  } else {
    return false;
  }

  packet.flags = 0;
  packet.vlan_count = vlan != 0 ? 1 : 0;
  packet.vlan = {vlan, 0};
  packet.mac_offset = 0;
  packet.ip_offset = kIpOffset;
  packet.payload_offset = static_cast<std::uint16_t>(kTransportOffset + header_bytes);
  packet.tunnel_depth = 0;
  packet.frames = 1;
  packet.payload_bytes = length - header_bytes;
  packet.direction = set_key(packet, datagram.source, datagram.destination, datagram.protocol,
                             kVersion, settings.key_has_vlan ? vlan : 0);
  packet.hash = hash_of(packet.key, settings.seed);
  packet.verdict = Verdict::session;
  if (settings.verify_checksums) {
    const std::uint8_t* ip = packet.data + kIpOffset;
    if (kVersion == 4 && !is_ipv4_header_right(ip, kIpv4Bytes))
      packet.flags |= kPacketBadIpChecksum;
    packet.flags |= verify_usual_segment({ip, kVersion, datagram.protocol, transport, length});
  }
  return true;
}

}  // namespace

bool decode_plain(Packet& packet, const DecodeSettings& settings) noexcept {
  constexpr std::uint32_t kIpOffset = 14, kTaggedOffset = 18;
  if (packet.link_type != kEthernet || packet.captured_bytes < kTaggedOffset) return false;
  switch (load_be16(packet.data + 12)) {
    case kEthertypeIpv4:
      return decode_plain_ip<kIpOffset, 4>(packet, settings, 0);
    case kEthertypeIpv6:
      return decode_plain_ip<kIpOffset, 6>(packet, settings, 0);
    case kEthertypeVlan:
      break;
    default:
      return false;
  }
  const std::uint16_t vlan = load_be16(packet.data + 14) & 0xfff;
  switch (load_be16(packet.data + 16)) {
    case kEthertypeIpv4:
      return decode_plain_ip<kTaggedOffset, 4>(packet, settings, vlan);
    case kEthertypeIpv6:
      return decode_plain_ip<kTaggedOffset, 6>(packet, settings, vlan);
    default:
      return false;
  }
}

}  // namespace linger
