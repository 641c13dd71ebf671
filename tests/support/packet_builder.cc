#include "tests/support/packet_builder.h"

// <sys/socket.h> has a struct of the name of our namespace.
#define linger linger_option
#include <arpa/inet.h>
#undef linger

#include <algorithm>

#include "engine/base/check.h"

namespace linger::test {
namespace {

void put8(ByteList& bytes, std::uint64_t value) {
  bytes.push_back(static_cast<std::uint8_t>(value));
}
void put16(ByteList& bytes, std::uint64_t value) {
  put8(bytes, value >> 8);
  put8(bytes, value);
}
void put32(ByteList& bytes, std::uint64_t value) {
  put16(bytes, value >> 16);
  put16(bytes, value);
}
void put_bytes(ByteList& bytes, std::span<const std::uint8_t> more) {
  bytes.insert(bytes.end(), more.begin(), more.end());
}
void set16(ByteList& bytes, std::size_t offset, std::uint64_t value) {
  bytes[offset] = static_cast<std::uint8_t>(value >> 8);
  bytes[offset + 1] = static_cast<std::uint8_t>(value);
}
void pad(ByteList& bytes, std::size_t multiple, std::size_t remainder, std::uint8_t with = 0) {
  while (bytes.size() % multiple != remainder) bytes.push_back(with);
}

std::uint32_t sum16(std::span<const std::uint8_t> bytes) {  // RFC 1071
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) sum += i % 2 ? bytes[i] : bytes[i] << 8;
  return sum;
}
std::uint16_t fold(std::uint32_t sum) {
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

std::uint32_t crc32c(std::span<const std::uint8_t> bytes) {  // RFC 9260 appendix A
  std::uint32_t crc = 0xffffffff;
  for (const std::uint8_t byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc;
}

}  // namespace

Frame Frame::cut(std::size_t captured_bytes) const {
  Frame shorter = *this;
  shorter.bytes.resize(std::min(captured_bytes, bytes.size()));
  return shorter;
}

Packet packet_of(const Frame& frame) {
  Packet packet;
  packet.data = frame.bytes.data();
  packet.timestamp = {frame.timestamp_ns};
  packet.clock = frame.timestamp_ns;
  packet.captured_bytes = static_cast<std::uint32_t>(frame.bytes.size());
  packet.wire_bytes = std::max(frame.wire_bytes, packet.captured_bytes);
  packet.link_type = frame.link_type;
  return packet;
}

void sort_by_time(Frames& frames) {
  std::stable_sort(frames.begin(), frames.end(),
                   [](const Frame& a, const Frame& b) { return a.timestamp_ns < b.timestamp_ns; });
}

Address::Address(const char* text) {
  if (inet_pton(AF_INET, text, ip.bytes.data()) == 1) return;
  version = 6;
  CHECK(inet_pton(AF_INET6, text, ip.bytes.data()) == 1);
}

ByteList encode(const TcpOptions& options) {
  ByteList bytes;
  if (options.mss) put16(bytes, 0x0204), put16(bytes, *options.mss);
  if (options.sack_permitted) put16(bytes, 0x0402);
  if (options.timestamps) {
    put16(bytes, 0x080a);
    put32(bytes, options.timestamps->value);
    put32(bytes, options.timestamps->echo);
  }
  if (options.window_scale) put16(bytes, 0x0303), put8(bytes, *options.window_scale);
  if (options.fast_open_cookie) {
    put8(bytes, 34), put8(bytes, 2 + options.fast_open_cookie->size());
    put_bytes(bytes, *options.fast_open_cookie);
  }
  if (!options.sack.empty()) put8(bytes, 5), put8(bytes, 2 + 8 * options.sack.size());
  for (const auto& block : options.sack) put32(bytes, block.begin), put32(bytes, block.end);
  put_bytes(bytes, options.other);
  pad(bytes, 4, 0, 1);
  CHECK(bytes.size() <= 40);
  return bytes;
}

PacketBuilder& PacketBuilder::add(Kind kind, ByteList header, std::uint16_t own_type) {
  layers_.push_back({kind, std::move(header), {}, own_type});
  return *this;
}

PacketBuilder& PacketBuilder::ethernet() { return add(Kind::ethernet, ByteList(14)); }

PacketBuilder& PacketBuilder::ethernet(std::uint64_t destination_mac, std::uint64_t source_mac) {
  ByteList header;
  put16(header, destination_mac >> 32), put32(header, destination_mac);
  put16(header, source_mac >> 32), put32(header, source_mac);
  put16(header, 0);
  return add(Kind::ethernet, std::move(header));
}

PacketBuilder& PacketBuilder::raw_ip() { return link(kLinkRawIp, {}); }

PacketBuilder& PacketBuilder::link(std::uint16_t link_type, ByteList header) {
  link_type_ = link_type;
  return add(Kind::link, std::move(header));
}

PacketBuilder& PacketBuilder::vlan(std::uint16_t id, std::uint16_t ethertype) {
  ByteList header;
  put16(header, id), put16(header, 0);
  return add(Kind::vlan, std::move(header), ethertype);
}

PacketBuilder& PacketBuilder::llc_snap() {
  return add(Kind::llc_snap, {0xaa, 0xaa, 0x03, 0, 0, 0, 0, 0});
}

PacketBuilder& PacketBuilder::mpls(std::uint32_t label) {
  ByteList header;
  put32(header, std::uint64_t{label} << 12 | 64);
  return add(Kind::mpls, std::move(header));
}

PacketBuilder& PacketBuilder::pppoe(std::uint16_t session) {
  ByteList header{0x11, 0};
  put16(header, session), put32(header, 0);
  return add(Kind::pppoe, std::move(header));
}

PacketBuilder& PacketBuilder::ip(const Address& source, const Address& destination,
                                 IpFields fields) {
  CHECK(source.version == destination.version);
  ByteList header;
  if (source.version == 6) {
    put32(header, 0x60000000), put32(header, 0);
    header[7] = fields.ttl;
    put_bytes(header, source.ip.bytes), put_bytes(header, destination.ip.bytes);
    return add(Kind::ipv6, std::move(header));
  }
  pad(fields.options, 4, 0);
  put8(header, 0x45 + fields.options.size() / 4), put8(header, 0), put16(header, 0);
  put16(header, fields.identification);
  put16(header, fields.fragment_offset / 8 | (fields.more_fragments ? 0x2000 : 0));
  put8(header, fields.ttl), put8(header, 0), put16(header, 0);
  put_bytes(header, std::span(source.ip.bytes).first(4));
  put_bytes(header, std::span(destination.ip.bytes).first(4));
  put_bytes(header, fields.options);
  return add(Kind::ipv4, std::move(header));
}

PacketBuilder& PacketBuilder::extension(std::uint8_t protocol, ByteList body) {
  const bool is_authentication = protocol == 51;  // counts words of 4, minus 2 (RFC 4302 §2.2)
  if (is_authentication && body.size() < 14) body.resize(14);
  pad(body, 8, 6);
  const std::size_t bytes = body.size() + 2;
  ByteList header{0, static_cast<std::uint8_t>(is_authentication ? bytes / 4 - 2 : bytes / 8 - 1)};
  put_bytes(header, body);
  return add(Kind::extension, std::move(header), protocol);
}

PacketBuilder& PacketBuilder::ipv6_fragment(std::uint16_t offset, bool more_fragments,
                                            std::uint32_t identification) {
  ByteList header{0, 0};
  put16(header, offset | (more_fragments ? 1 : 0)), put32(header, identification);
  return add(Kind::extension, std::move(header), 44);
}

PacketBuilder& PacketBuilder::tcp(std::uint16_t source_port, std::uint16_t destination_port,
                                  TcpFields fields) {
  const ByteList options = encode(fields.options);
  ByteList header;
  put16(header, source_port), put16(header, destination_port);
  put32(header, fields.sequence), put32(header, fields.acknowledgment);
  put8(header, (5 + options.size() / 4) << 4), put8(header, fields.flags);
  put16(header, fields.window), put32(header, 0);
  put_bytes(header, options);
  return add(Kind::tcp, std::move(header));
}

PacketBuilder& PacketBuilder::udp(std::uint16_t source_port, std::uint16_t destination_port) {
  ByteList header;
  put16(header, source_port), put16(header, destination_port), put32(header, 0);
  return add(Kind::udp, std::move(header));
}

PacketBuilder& PacketBuilder::icmp(std::uint8_t type, std::uint8_t code, std::uint32_t rest) {
  ByteList header{type, code, 0, 0};
  put32(header, rest);
  return add(Kind::icmp, std::move(header));
}

PacketBuilder& PacketBuilder::icmp_error(std::uint8_t type, std::uint8_t code, const Frame& quoted,
                                         std::size_t quoted_bytes_max, std::uint32_t rest) {
  const auto packet = std::span(quoted.bytes).subspan(quoted.ip_offset);
  const auto kept = packet.first(std::min(packet.size(), quoted_bytes_max));
  return icmp(type, code, rest).payload(ByteList(kept.begin(), kept.end()));
}

PacketBuilder& PacketBuilder::sctp(std::uint16_t source_port, std::uint16_t destination_port,
                                   std::uint32_t verification_tag) {
  ByteList header;
  put16(header, source_port), put16(header, destination_port);
  put32(header, verification_tag), put32(header, 0);
  return add(Kind::sctp, std::move(header));
}

PacketBuilder& PacketBuilder::sctp_chunk(std::uint8_t type, std::uint8_t flags, ByteList value) {
  CHECK(!layers_.empty() && layers_.back().kind == Kind::sctp);
  ByteList& header = layers_.back().header;
  put8(header, type), put8(header, flags), put16(header, 4 + value.size());
  put_bytes(header, value);
  pad(header, 4, 0);
  return *this;
}

PacketBuilder& PacketBuilder::esp(std::uint32_t spi, std::uint32_t sequence) {
  ByteList header;
  put32(header, spi), put32(header, sequence);
  return add(Kind::esp, std::move(header));
}

PacketBuilder& PacketBuilder::gre(std::optional<std::uint32_t> key) {
  ByteList header;
  put32(header, key ? 0x20000000 : 0);
  if (key) put32(header, *key);
  return add(Kind::gre, std::move(header));
}

PacketBuilder& PacketBuilder::vxlan(std::uint32_t vni) {
  ByteList header;
  put32(header, 0x08000000), put32(header, std::uint64_t{vni} << 8);
  return add(Kind::vxlan, std::move(header));
}

PacketBuilder& PacketBuilder::geneve(std::uint32_t vni) {
  ByteList header;
  put32(header, 0), put32(header, std::uint64_t{vni} << 8);
  return add(Kind::geneve, std::move(header));
}

PacketBuilder& PacketBuilder::gtp_u(std::uint32_t teid) {
  ByteList header{0x30, 0xff, 0, 0};
  put32(header, teid);
  return add(Kind::gtp_u, std::move(header));
}

PacketBuilder& PacketBuilder::payload(std::string_view text) {
  return payload(ByteList(text.begin(), text.end()));
}

PacketBuilder& PacketBuilder::payload(ByteList bytes) {
  return add(Kind::payload, std::move(bytes));
}

PacketBuilder& PacketBuilder::next_is(std::uint16_t type) {
  CHECK(!layers_.empty());
  layers_.back().next = type;
  return *this;
}

Frame PacketBuilder::frame(std::int64_t timestamp_ns) const {
  Frame frame;
  frame.timestamp_ns = timestamp_ns;
  frame.link_type = link_type_;
  std::vector<std::size_t> offsets;
  bool has_ip = false;
  for (const Layer& layer : layers_) {
    offsets.push_back(frame.bytes.size());
    const bool is_ip = layer.kind == Kind::ipv4 || layer.kind == Kind::ipv6;
    if (is_ip && !has_ip) frame.ip_offset = static_cast<std::uint32_t>(offsets.back());
    has_ip |= is_ip;
    put_bytes(frame.bytes, layer.header);
  }
  // Innermost first: a checksum covers everything behind it.
  for (std::size_t i = layers_.size(); i-- > 0;) finish(frame.bytes, i, offsets[i]);
  frame.wire_bytes = static_cast<std::uint32_t>(frame.bytes.size());
  return frame;
}

PacketBuilder::Kind PacketBuilder::kind_behind(std::size_t index) const {
  return index + 1 < layers_.size() ? layers_[index + 1].kind : Kind::payload;
}

const PacketBuilder::Layer* PacketBuilder::enclosing_ip(std::size_t index) const {
  while (index-- > 0) {
    if (layers_[index].kind == Kind::ipv4 || layers_[index].kind == Kind::ipv6) {
      return &layers_[index];
    }
  }
  return nullptr;
}

std::uint16_t PacketBuilder::ethertype_behind(std::size_t index) const {
  if (layers_[index].next) return *layers_[index].next;
  switch (kind_behind(index)) {
    case Kind::ipv4:
      return 0x0800;
    case Kind::ipv6:
      return 0x86dd;
    case Kind::vlan:
      return layers_[index + 1].own_type;
    case Kind::mpls:
      return 0x8847;
    case Kind::pppoe:
      return 0x8864;
    case Kind::ethernet:
      return 0x6558;  // transparent Ethernet bridging
    default:
      return 0x88b5;  // IEEE 802 local experimental
  }
}

std::uint16_t PacketBuilder::protocol_behind(std::size_t index) const {
  if (layers_[index].next) return *layers_[index].next;
  switch (kind_behind(index)) {
    case Kind::ipv4:
      return 4;
    case Kind::ipv6:
      return 41;
    case Kind::extension:
      return layers_[index + 1].own_type;
    case Kind::tcp:
      return 6;
    case Kind::udp:
      return 17;
    case Kind::icmp:
      return enclosing_ip(index + 1)->kind == Kind::ipv6 ? 58 : 1;
    case Kind::sctp:
      return 132;
    case Kind::esp:
      return 50;
    case Kind::gre:
      return 47;
    default:
      return 253;  // RFC 3692 experimental
  }
}

void PacketBuilder::finish_ethernet(ByteList& bytes, std::size_t index, std::size_t offset) const {
  const bool has_length = kind_behind(index) == Kind::llc_snap && !layers_[index].next;
  set16(bytes, offset + 12, has_length ? bytes.size() - offset - 14 : ethertype_behind(index));
  const bool has_addresses = std::any_of(bytes.begin() + static_cast<std::ptrdiff_t>(offset),
                                         bytes.begin() + static_cast<std::ptrdiff_t>(offset) + 12,
                                         [](std::uint8_t byte) { return byte != 0; });
  if (has_addresses) return;
  for (std::size_t i = index; i < layers_.size(); ++i) {
    const bool is_v4 = layers_[i].kind == Kind::ipv4;
    if (!is_v4 && layers_[i].kind != Kind::ipv6) continue;
    const auto header = std::span(layers_[i].header);
    const auto source = header.subspan(is_v4 ? 12 : 20, 4);
    const auto destination = header.subspan(is_v4 ? 16 : 36, 4);
    bytes[offset] = bytes[offset + 6] = 0x02;  // locally administered
    std::copy(destination.begin(), destination.end(),
              bytes.begin() + static_cast<std::ptrdiff_t>(offset) + 2);
    std::copy(source.begin(), source.end(),
              bytes.begin() + static_cast<std::ptrdiff_t>(offset) + 8);
    return;
  }
}

std::uint16_t PacketBuilder::transport_checksum(const ByteList& bytes, std::size_t index,
                                                std::size_t offset, std::uint8_t protocol) const {
  const auto segment = std::span(bytes).subspan(offset);
  const Layer* ip = enclosing_ip(index);
  std::uint32_t sum = sum16(segment);
  const bool is_icmp_v4 = protocol == 1;
  if (ip == nullptr || is_icmp_v4) return fold(sum);
  const auto addresses = std::span(ip->header).subspan(ip->kind == Kind::ipv6 ? 8 : 12);
  sum += sum16(addresses.first(ip->kind == Kind::ipv6 ? 32 : 8));  // RFC 9293 §3.1, RFC 8200 §8.1
  return fold(sum + protocol + static_cast<std::uint32_t>(segment.size()));
}

void PacketBuilder::finish(ByteList& bytes, std::size_t index, std::size_t offset) const {
  const Layer& layer = layers_[index];
  const std::size_t behind = bytes.size() - offset - layer.header.size();
  switch (layer.kind) {
    case Kind::ethernet:
      return finish_ethernet(bytes, index, offset);
    case Kind::vlan:
      return set16(bytes, offset + 2, ethertype_behind(index));
    case Kind::llc_snap:
      return set16(bytes, offset + 6, ethertype_behind(index));
    case Kind::mpls:
      if (kind_behind(index) != Kind::mpls) bytes[offset + 2] |= 1;
      return;
    case Kind::pppoe:
      set16(bytes, offset + 4, behind + 2);
      return set16(bytes, offset + 6,
                   layer.next ? *layer.next : (kind_behind(index) == Kind::ipv6 ? 0x57 : 0x21));
    case Kind::ipv4:
      set16(bytes, offset + 2, bytes.size() - offset);
      bytes[offset + 9] = static_cast<std::uint8_t>(protocol_behind(index));
      return set16(bytes, offset + 10,
                   fold(sum16(std::span(bytes).subspan(offset, layer.header.size()))));
    case Kind::ipv6:
      set16(bytes, offset + 4, behind);
      bytes[offset + 6] = static_cast<std::uint8_t>(protocol_behind(index));
      return;
    case Kind::extension:
      bytes[offset] = static_cast<std::uint8_t>(protocol_behind(index));
      return;
    case Kind::tcp:
      return set16(bytes, offset + 16, transport_checksum(bytes, index, offset, 6));
    case Kind::udp: {
      set16(bytes, offset + 4, 8 + behind);
      const std::uint16_t checksum = transport_checksum(bytes, index, offset, 17);
      return set16(bytes, offset + 6, checksum == 0 ? 0xffff : checksum);
    }
    case Kind::icmp: {
      const Layer* ip = enclosing_ip(index);
      const std::uint8_t protocol = ip != nullptr && ip->kind == Kind::ipv6 ? 58 : 1;
      return set16(bytes, offset + 2, transport_checksum(bytes, index, offset, protocol));
    }
    case Kind::sctp: {  // the CRC travels least significant byte first (RFC 9260 appendix A)
      const std::uint32_t crc = __builtin_bswap32(crc32c(std::span(bytes).subspan(offset)));
      set16(bytes, offset + 8, crc >> 16);
      return set16(bytes, offset + 10, crc);
    }
    case Kind::gre:
    case Kind::geneve:
      return set16(bytes, offset + 2, ethertype_behind(index));
    case Kind::gtp_u:
      return set16(bytes, offset + 2, behind);
    case Kind::link:
    case Kind::esp:
    case Kind::vxlan:
    case Kind::payload:
      return;
  }
}

TcpPeers::TcpPeers(Frames& frames, Endpoint client, Endpoint server, std::uint32_t client_isn,
                   std::uint32_t server_isn)
    : frames_(frames), endpoints_{client, server}, next_{client_isn, server_isn} {}

Frame& TcpPeers::syn(std::int64_t time, const TcpKnobs& knobs) {
  return segment(Side::client, kTcpSyn, "", time, knobs);
}
Frame& TcpPeers::syn_ack(std::int64_t time, const TcpKnobs& knobs) {
  return segment(Side::server, kTcpSyn | kTcpAck, "", time, knobs);
}
Frame& TcpPeers::ack(Side side, std::int64_t time, const TcpKnobs& knobs) {
  return segment(side, kTcpAck, "", time, knobs);
}
Frame& TcpPeers::data(Side side, std::string_view text, std::int64_t time, const TcpKnobs& knobs) {
  return segment(side, kTcpPsh | kTcpAck, text, time, knobs);
}
Frame& TcpPeers::fin(Side side, std::int64_t time, const TcpKnobs& knobs) {
  return segment(side, kTcpFin | kTcpAck, "", time, knobs);
}
Frame& TcpPeers::rst(Side side, std::int64_t time, const TcpKnobs& knobs) {
  return segment(side, kTcpRst | kTcpAck, "", time, knobs);
}

Frame& TcpPeers::segment(Side side, std::uint8_t flags, std::string_view text, std::int64_t time,
                         const TcpKnobs& knobs) {
  flags = knobs.flags.value_or(flags);
  const auto& source = endpoints_[static_cast<std::size_t>(side)];
  const auto& destination = endpoints_[static_cast<std::size_t>(other(side))];
  std::uint32_t& next = next_[static_cast<std::size_t>(side)];

  TcpFields fields{.flags = flags, .window = knobs.window, .options = knobs.options};
  fields.sequence = next + static_cast<std::uint32_t>(knobs.sequence_offset);
  if (flags & kTcpAck) {
    fields.acknowledgment =
        this->next(other(side)) + static_cast<std::uint32_t>(knobs.acknowledgment_offset);
  }
  const std::uint32_t end = fields.sequence + static_cast<std::uint32_t>(text.size()) +
                            (flags & kTcpSyn ? 1 : 0) + (flags & kTcpFin ? 1 : 0);
  if (static_cast<std::int32_t>(end - next) > 0) next = end;  // a retransmission moves nothing

  PacketBuilder builder = link;
  builder.ip(source.address, destination.address, ip_fields);
  builder.tcp(source.port, destination.port, fields).payload(text);
  if (!knobs.captured) return missed_ = builder.frame(time);
  frames_.push_back(builder.frame(time));
  return frames_.back();
}

void TcpPeers::handshake(std::int64_t time, DurationNs step) {
  syn(time, {.options = {.mss = 1'460, .window_scale = 7, .sack_permitted = true}});
  syn_ack(time + step, {.options = {.mss = 1'460, .window_scale = 7, .sack_permitted = true}});
  ack(Side::client, time + 2 * step);
}

void TcpPeers::close(Side first, std::int64_t time, DurationNs step) {
  fin(first, time);
  fin(other(first), time + step);
  ack(first, time + 2 * step);
}

}  // namespace linger::test
