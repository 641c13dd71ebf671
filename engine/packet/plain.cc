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
  std::uint8_t ip_version;
  std::uint32_t transport_offset;
  std::uint32_t end;  // by the IP header; not behind the captured bytes
};

constexpr std::uint32_t kIpv4Bytes = 20, kIpv6Bytes = 40, kUdpBytes = 8, kTcpBytes = 20;

// `ip_offset` + 20 + 8 bytes are there.
bool read_plain_ipv4(const Packet& packet, std::uint32_t ip_offset, Datagram& datagram) noexcept {
  const Block<kIpv4Bytes> header{packet.data + ip_offset};
  const bool is_plain = u8<0>(header) == 0x45 && (be16<6>(header) & 0x3fff) == 0;
  datagram.source = {{load_le32(header.data + 12), 0}};
  datagram.destination = {{load_le32(header.data + 16), 0}};
  datagram.protocol = u8<9>(header);
  datagram.ip_version = 4;
  datagram.transport_offset = ip_offset + kIpv4Bytes;
  datagram.end = ip_offset + be16<2>(header);
  return is_plain && datagram.end >= datagram.transport_offset;
}

bool read_plain_ipv6(const Packet& packet, std::uint32_t ip_offset, Datagram& datagram) noexcept {
  if (packet.captured_bytes < ip_offset + kIpv6Bytes + kUdpBytes) return false;
  const Block<kIpv6Bytes> header{packet.data + ip_offset};
  datagram.source = {{load_le64(header.data + 8), load_le64(header.data + 16)}};
  datagram.destination = {{load_le64(header.data + 24), load_le64(header.data + 32)}};
  datagram.protocol = u8<6>(header);
  datagram.ip_version = 6;
  datagram.transport_offset = ip_offset + kIpv6Bytes;
  datagram.end = datagram.transport_offset + be16<4>(header);
  return u8<0>(header) >> 4 == 6 && be16<4>(header) != 0;
}

void verify(Packet& packet, const Datagram& datagram, std::uint32_t segment_bytes) noexcept {
  const std::uint8_t* ip = packet.data + packet.ip_offset;
  if (datagram.ip_version == 4 && !is_ipv4_header_right(ip, kIpv4Bytes))
    packet.flags |= kPacketBadIpChecksum;
  packet.flags |= verify_usual_segment({ip, datagram.ip_version, datagram.protocol,
                                        packet.data + datagram.transport_offset, segment_bytes});
}

}  // namespace

bool decode_plain(Packet& packet, const DecodeSettings& settings) noexcept {
  constexpr std::uint32_t kVlanBytes = 4, kBytesNeeded = 14 + kIpv4Bytes + kUdpBytes;
  if (packet.link_type != kEthernet || packet.captured_bytes < kBytesNeeded) return false;

  std::uint32_t ip_offset = 14;
  std::uint16_t ethertype = load_be16(packet.data + 12);
  std::uint16_t vlan = 0;
  if (ethertype == kEthertypeVlan) {
    if (packet.captured_bytes < kVlanBytes + kBytesNeeded) return false;
    vlan = load_be16(packet.data + 14) & 0xfff;
    ethertype = load_be16(packet.data + 16);
    ip_offset += kVlanBytes;
  }
  Datagram datagram;
  const bool is_plain_ip =
      (ethertype == kEthertypeIpv4 && read_plain_ipv4(packet, ip_offset, datagram)) ||
      (ethertype == kEthertypeIpv6 && read_plain_ipv6(packet, ip_offset, datagram));
  if (!is_plain_ip || datagram.end > packet.captured_bytes) return false;

  const std::uint8_t* transport = packet.data + datagram.transport_offset;
  const std::uint32_t transport_bytes = datagram.end - datagram.transport_offset;
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
  packet.ip_offset = static_cast<std::uint16_t>(ip_offset);
  packet.payload_offset = static_cast<std::uint16_t>(datagram.transport_offset + header_bytes);
  packet.tunnel_depth = 0;
  packet.frames = 1;
  packet.payload_bytes = length - header_bytes;
  packet.direction = set_key(packet, datagram.source, datagram.destination, datagram.protocol,
                             datagram.ip_version, settings.key_has_vlan ? vlan : 0);
  packet.hash = hash_of(packet.key, settings.seed);
  packet.verdict = Verdict::session;
  if (settings.verify_checksums) verify(packet, datagram, length);
  return true;
}

}  // namespace linger
