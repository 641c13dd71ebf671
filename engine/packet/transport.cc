// TCP (RFC 9293), UDP (RFC 768), SCTP (RFC 9260), ICMP (RFC 792, RFC 4443), and the key of the
// session.
//
// Protocols without ports are one session per pair of hosts and protocol, as are ICMP messages that
// are neither errors nor queries: ports 0.
#include "engine/packet/mptcp_options.h"
#include "engine/packet/walk.h"

namespace linger {
namespace {

bool is_icmp(const Walk& walk) noexcept {
  return walk.protocol == (walk.ip_version == 4 ? kProtocolIcmp : kProtocolIcmpV6);
}

bool is_icmp_error(std::uint8_t ip_version, std::uint8_t type) noexcept {
  if (ip_version == 6) return type >= 1 && type <= 4;                      // RFC 4443 §2.1
  return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;  // RFC 1122 §3.2.2
}

// Questions and answers that carry an identifier.
bool is_icmp_query(std::uint8_t ip_version, std::uint8_t type) noexcept {
  if (ip_version == 6) return type == 128 || type == 129 || type == 160 || type == 161;
  return type == 0 || type == 8 || (type >= 13 && type <= 18) || type == 42 || type == 43;
}

// Kinds and ids of all tunnels in 40 bits; a single one as it is, several mixed. Of what has two
// directions, ids that differ by direction (a GTP TEID) take no part.
std::uint64_t tunnel_scope_of(const Walk& walk, bool is_one_way) noexcept {
  constexpr std::uint64_t kMix = 0x9e37'79b9'7f4a'7c15;  // odd: no layer is lost
  std::uint64_t scope = 0;
  const std::size_t count = std::min<std::size_t>(walk.packet.tunnel_depth, walk.layers.size());
  for (std::size_t i = 0; i < count; ++i) {
    const TunnelLayer& layer = walk.layers[i];
    const std::uint32_t id = is_one_way || has_symmetric_id(layer.kind) ? layer.id : 0;
    scope = scope * kMix + (static_cast<std::uint64_t>(layer.kind) << 32 | id);
  }
  return scope;
}

std::uint64_t vlan_scope_of(const Walk& walk) noexcept {  // 24 bits
  return walk.packet.vlan[0] | static_cast<std::uint64_t>(walk.packet.vlan[1]) << 12;
}

// The session is found; its payload begins `header_bytes` further on. False: too far in.
bool finish(Walk& walk, std::uint32_t header_bytes) noexcept {
  Packet& packet = walk.packet;
  const std::uint32_t payload = walk.offset + std::min(header_bytes, walk.readable());
  if (payload > 0xffff) {
    walk.stop(Verdict::too_deep);
    return false;
  }
  packet.payload_offset = static_cast<std::uint16_t>(payload);
  packet.payload_bytes = walk.claimed() > header_bytes ? walk.claimed() - header_bytes : 0;
  if (walk.claimed_end > packet.captured_bytes) packet.flags |= kPacketCut;
  walk.transport = {walk.offset, walk.is_rerouted ? walk.offset : walk.claimed_end};
  packet.direction = set_key(packet, walk);
  walk.stop(Verdict::session);
  return true;
}

// A segment that ends within its options, or before its urgent pointer, still tells what its sender
// meant; as elsewhere, it belongs to the session. So does what a snap length cut there.
void read_tcp(Walk& walk) noexcept {
  if (!walk.has(kTcpBytesNeeded)) return;
  const auto header = walk.peek<kTcpBytesNeeded>();
  const std::uint32_t header_bytes = (u8<12>(header) >> 4) * 4U;
  if (header_bytes < 20) return walk.stop(Verdict::malformed);
  walk.source.port = be16<0>(header);
  walk.destination.port = be16<2>(header);
  read_tcp_header(walk.packet.tcp, walk.position(), std::min(header_bytes, walk.readable()));
  finish(walk, header_bytes);
}

void read_ports(Walk& walk) noexcept {
  const auto ports = walk.peek<4>();
  walk.source.port = be16<0>(ports);
  walk.destination.port = be16<2>(ports);
}

void read_udp(Walk& walk) noexcept {
  if (!walk.has(4)) return;
  if (walk.claimed() < 8) return walk.contradict();
  read_ports(walk);
  if (walk.readable() >= 6 && walk.protocol == kProtocolUdp) {
    const std::uint16_t length = be16<4>(walk.peek<6>());
    if (length != 0 && length < 8) return walk.stop(Verdict::malformed);
    if (length != 0 && length < walk.claimed()) walk.set_length(length);
  }
  walk.packet.tcp = TcpHeader{};
  if (finish(walk, 8)) follow_udp_tunnel(walk);
}

struct SctpChunks {
  std::uint8_t type = kNoSctpChunk;  // as SctpHeader::chunk
  std::uint32_t user_bytes = 0;      // in DATA (RFC 9260 §3.3.1) and I-DATA (RFC 8260 §2.1)
};

// RFC 9260 §3.2, §6.10: chunks stand one behind the other, each at a multiple of four bytes. Of
// `claimed` bytes so many can be read.
SctpChunks read_sctp_chunks(const std::uint8_t* chunks, std::uint32_t readable,
                            std::uint32_t claimed) noexcept {
  constexpr std::uint8_t kData = 0, kAbort = 6, kShutdownComplete = 14, kInterleavedData = 64;
  constexpr std::uint32_t kDataHeader = 16, kInterleavedDataHeader = 20;
  constexpr int kChunksMax = 1'024;
  SctpChunks found;
  if (readable == 0) return found;
  found.type = chunks[0];
  std::uint32_t offset = 0;
  for (int i = 0; i < kChunksMax && offset + 4 <= readable; ++i) {
    const std::uint8_t type = chunks[offset];
    if (type == kAbort || type == kShutdownComplete) {
      found.type = type;
      break;
    }
    const std::uint32_t length = load_be16(chunks + offset + 2);
    if (length < 4) break;
    const std::uint32_t header = type == kData ? kDataHeader : kInterleavedDataHeader;
    const std::uint32_t bytes = std::min(length, claimed - offset);
    if ((type == kData || type == kInterleavedData) && bytes > header)
      found.user_bytes += bytes - header;
    offset += (length + 3) & ~3u;
  }
  return found;
}

void read_sctp(Walk& walk) noexcept {
  constexpr std::uint8_t kInit = 1, kInitAck = 2;
  constexpr std::uint32_t kHeader = 12;
  if (!walk.has(8)) return;  // ports, verification tag
  if (walk.claimed() < kHeader) return walk.contradict();
  read_ports(walk);
  const std::uint8_t* header = walk.position();
  SctpChunks chunks;
  if (walk.readable() > kHeader)
    chunks =
        read_sctp_chunks(header + kHeader, walk.readable() - kHeader, walk.claimed() - kHeader);
  walk.packet.tcp = TcpHeader{};
  SctpHeader sctp{load_be32(header + 4), 0, chunks.type};
  const bool is_init = sctp.chunk == kInit || sctp.chunk == kInitAck;
  if (is_init && walk.readable() >= 20) sctp.initiate_tag = load_be32(header + 16);
  walk.packet.sctp = sctp;
  if (finish(walk, kHeader)) walk.packet.payload_bytes = chunks.user_bytes;
}

// Finds the session of the packet whose beginning stands at `offset`, as far as it was quoted: an
// IP header and what holds the ports. Returns false when it does not tell.
bool set_key_from_quote(Walk& walk, std::uint32_t offset) noexcept {
  if (offset >= walk.readable_end) return false;
  Packet scratch = walk.packet;
  Walk quote(scratch, walk.settings);
  quote.layers = walk.layers;
  quote.offset = offset;
  quote.readable_end = quote.claimed_end = walk.readable_end;
  quote.next = Header::ip;
  quote.enters_first_fragment = true;
  for (int depth = 0; depth < kHeadersMax && is_network(quote.next); ++depth) read_next(quote);
  if (quote.next != Header::transport) return false;
  if (has_ports(quote.protocol)) {
    if (!quote.has(4)) return false;
    read_ports(quote);
  } else if (is_icmp(quote)) {
    if (!quote.has(6)) return false;
    const auto message = quote.peek<6>();
    if (!is_icmp_query(quote.ip_version, u8<0>(message))) return false;
    quote.source.port = quote.destination.port = be16<4>(message);
  }
  // The error travels towards the sender of what it quotes.
  walk.packet.direction = set_key(walk.packet, quote) ^ 1;
  return true;
}

void read_icmp(Walk& walk) noexcept {
  if (!walk.has(4)) return;  // type, code, checksum
  const auto header = walk.peek<4>();
  IcmpHeader icmp{u8<0>(header), u8<1>(header), 0};
  if (is_icmp_query(walk.ip_version, icmp.type)) {
    if (!walk.has(6)) return;
    icmp.id = be16<4>(walk.peek<6>());
  }
  walk.source.port = walk.destination.port = icmp.id;
  walk.packet.tcp = TcpHeader{};
  walk.packet.icmp = icmp;
  if (!finish(walk, 8) || !is_icmp_error(walk.ip_version, icmp.type)) return;
  if (set_key_from_quote(walk, walk.offset + 8)) walk.packet.flags |= kPacketIcmpError;
}

// RFC 4340 §5.1: ports (4), length of the header with its options in words (1), …
void read_dccp(Walk& walk) noexcept {
  if (!walk.has(4)) return;
  read_ports(walk);
  walk.packet.tcp = TcpHeader{};
  finish(walk, walk.readable() > 4 ? walk.position()[4] * 4U : 0);
}

void read_other(Walk& walk) noexcept {
  walk.source.port = walk.destination.port = 0;
  walk.packet.tcp = TcpHeader{};
  if (!finish(walk, 0)) return;
  switch (walk.protocol) {
    case kProtocolIpv4:
      return enter_tunnel(walk, TunnelKind::ip, Header::ipv4);
    case kProtocolIpv6:
      return enter_tunnel(walk, TunnelKind::ip, Header::ipv6);
    case kProtocolMpls:
      return enter_tunnel(walk, TunnelKind::mpls, Header::mpls);
    case kProtocolGre:
      return enter_tunnel(walk, TunnelKind::gre, Header::tunnel);
    case kProtocolEtherIp:
      return enter_tunnel(walk, TunnelKind::ether_ip, Header::tunnel);
    case kProtocolEthernet:  // RFC 8986 §4.9
      return enter_tunnel(walk, TunnelKind::ether_ip, Header::ethernet);
    case kProtocolPim:
      return enter_tunnel(walk, TunnelKind::pim, Header::tunnel);
    case kProtocolL2tp:  // RFC 3931 §4.1.1
      return enter_tunnel(walk, TunnelKind::l2tp_v3, Header::tunnel);
    default:
      return;
  }
}

}  // namespace

void read_tcp_options(TcpHeader& tcp, const std::uint8_t* options, std::uint32_t bytes) noexcept {
  for (std::uint32_t i = 0; i < bytes;) {  // at most 40
    const std::uint8_t kind = options[i];
    if (kind == 0) return;
    if (kind == 1) {
      ++i;
      continue;
    }
    if (bytes - i < 2) return;
    const std::uint8_t length = options[i + 1];
    if (length < 2 || length > bytes - i) return;
    const std::uint8_t* value = options + i + 2;
    if (kind == 2 && length == 4) {
      tcp.options |= kTcpOptionMss;
      tcp.mss = load_be16(value);
    } else if (kind == 3 && length == 3) {
      tcp.options |= kTcpOptionWindowScale;
      tcp.window_scale = *value;
    } else if (kind == 4 && length == 2) {
      tcp.options |= kTcpOptionSackPermitted;
    } else if (kind == 5) {
      tcp.options |= kTcpOptionSack;
    } else if (kind == 8 && length == 10) {
      tcp.options |= kTcpOptionTimestamp;
      tcp.timestamp_value = load_be32(value);
      tcp.timestamp_echo = load_be32(value + 4);
    } else if (kind == 19 || kind == 29) {
      tcp.options |= kTcpOptionMd5OrAo;
    } else if (kind == kTcpOptionKindMptcp) {
      tcp.options |= kTcpOptionMptcp;
      if (tcp.mptcp_bytes == 0 && is_mptcp_signal(value, static_cast<std::uint8_t>(length - 2)))
        tcp.mptcp_bytes = static_cast<std::uint8_t>(bytes - i);
    } else if (kind == 34 || (kind == 254 && length >= 4 && load_be16(value) == 0xf989)) {
      tcp.options |= kTcpOptionFastOpen;  // RFC 7413 §4.1.1, §7
    }
    i += length;
  }
}

std::uint64_t datagram_scope_of(const Walk& walk) noexcept {
  return vlan_scope_of(walk) | tunnel_scope_of(walk, true) << 24;
}

std::uint8_t set_key(Packet& packet, const Walk& walk) noexcept {
  std::uint64_t scope = walk.settings.key_has_vlan ? vlan_scope_of(walk) : 0;
  if (walk.settings.key_has_tunnel) scope |= tunnel_scope_of(walk, false) << 24;
  return set_key(packet, walk.source, walk.destination, walk.protocol, walk.ip_version, scope);
}

void read_transport(Walk& walk) noexcept {
  if (walk.protocol == kProtocolTcp) return read_tcp(walk);
  if (walk.protocol == kProtocolUdp || walk.protocol == kProtocolUdpLite) return read_udp(walk);
  if (walk.protocol == kProtocolSctp) return read_sctp(walk);
  if (walk.protocol == kProtocolDccp) return read_dccp(walk);
  if (is_icmp(walk)) return read_icmp(walk);
  read_other(walk);
}

}  // namespace linger
