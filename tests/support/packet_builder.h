// The one place where tests, benches and the capture generator build packets.
//
// PacketBuilder names the layers in wire order; frame() fills in what follows from the others: type
// fields, lengths and checksums. next_is() overrides the type field of the layer before it.
//
//   Frame syn = PacketBuilder().ethernet().vlan(7).ip("192.0.2.1", "198.51.100.2")
//                   .tcp(40000, 80, {.sequence = 1, .flags = kTcpSyn, .options = {.mss = 1460}})
//                   .frame(at(0));
//   Frame error = PacketBuilder().ethernet().ip("203.0.113.9", "192.0.2.1")
//                     .icmp_error(3, 1, syn).frame(at(kMillisecond));
//
// TcpPeers plays a TCP conversation into a list of frames, IPv4 or IPv6, and keeps the numbers of
// both sides:
//
//   Frames frames;
//   TcpPeers tcp(frames, {"192.0.2.1", 40000}, {"198.51.100.2", 80});
//   tcp.handshake(at(0));  // SYN, SYN-ACK, ACK
//   tcp.data(Side::client, "GET / HTTP/1.0", at(10 * kMillisecond));
//   tcp.data(Side::server, "200", at(11 * kMillisecond), {.captured = false});  // sent, not seen
//   tcp.fin(Side::client, at(20 * kMillisecond));
//   tcp.rst(Side::server, at(kMinute), {.flags = kTcpRst, .sequence_offset = -5});  // late
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/bytes.h"
#include "engine/packet/packet.h"

namespace linger::test {

using ByteList = std::vector<std::uint8_t>;

inline constexpr std::uint16_t kLinkEthernet = 1;
inline constexpr std::uint16_t kLinkRawIp = 101;

struct Frame {
  std::int64_t timestamp_ns = 0;  // since 1970, at most kTimestampFineMax
  ByteList bytes;                 // as captured
  std::uint32_t wire_bytes = 0;   // as it was on the wire
  std::uint16_t link_type = kLinkEthernet;
  std::uint32_t ip_offset = 0;  // of the first IP header

  // The same frame, captured with a snap length.
  Frame cut(std::size_t captured_bytes) const;
};
using Frames = std::vector<Frame>;

// What a source would fill in; the bytes stay the frame's.
Packet packet_of(const Frame& frame);

// Frames in order of their timestamps; equal ones keep their order.
void sort_by_time(Frames& frames);

// 2024-01-01T00:00:00Z + offset, as Frame::timestamp_ns.
constexpr std::int64_t at(DurationNs offset) { return 1'704'067'200 * kSecond + offset; }

struct Address {
  IpAddress ip;
  std::uint8_t version = 4;

  Address(const char* text);  // NOLINT: "192.0.2.1" or "2001:db8::1"; aborts on anything else
  Address(const std::string& text) : Address(text.c_str()) {}  // NOLINT
};

struct Endpoint {
  Address address;
  std::uint16_t port;
};

struct IpFields {
  std::uint8_t ttl = 64;
  std::uint16_t identification = 0;   // IPv4
  std::uint16_t fragment_offset = 0;  // IPv4, in bytes, a multiple of 8
  bool more_fragments = false;        // IPv4
  ByteList options = {};              // IPv4, padded to a multiple of 4
};

struct TcpOptions {
  std::optional<std::uint16_t> mss = {};
  std::optional<std::uint8_t> window_scale = {};
  bool sack_permitted = false;
  struct Stamps {
    std::uint32_t value = 0;
    std::uint32_t echo = 0;
  };
  std::optional<Stamps> timestamps = {};
  std::optional<ByteList> fast_open_cookie = {};  // RFC 7413; empty: a request
  struct Block {
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
  };
  std::vector<Block> sack = {};
  ByteList other = {};  // any further options, as they are on the wire
};
ByteList encode(const TcpOptions& options);  // padded with NOP to a multiple of 4

struct TcpFields {
  std::uint32_t sequence = 0;
  std::uint32_t acknowledgment = 0;
  std::uint8_t flags = kTcpAck;
  std::uint16_t window = 65'535;
  TcpOptions options = {};
};

class PacketBuilder {
 public:
  // Link layers. ethernet() without addresses derives them from those of the IP layer that follows.
  PacketBuilder& ethernet();
  PacketBuilder& ethernet(std::uint64_t destination_mac, std::uint64_t source_mac);
  PacketBuilder& raw_ip();
  // Any other: its header as on the wire. The builder sets no type field in it.
  PacketBuilder& link(std::uint16_t link_type, ByteList header);

  // Between link and network.
  PacketBuilder& vlan(std::uint16_t id, std::uint16_t ethertype = 0x8100);
  PacketBuilder& llc_snap();
  PacketBuilder& mpls(std::uint32_t label);  // the last of a row gets the bottom-of-stack bit
  PacketBuilder& pppoe(std::uint16_t session = 1);

  // Network. The version is that of the addresses.
  PacketBuilder& ip(const Address& source, const Address& destination, IpFields fields = {});
  // IPv6 extension header: 0 hop-by-hop, 43 routing, 60 destination …, 51 authentication (IPv4
  // too); body: what follows its length field, padded to 8 n + 6 bytes.
  PacketBuilder& extension(std::uint8_t protocol, ByteList body = {});
  PacketBuilder& ipv6_fragment(std::uint16_t offset, bool more_fragments,
                               std::uint32_t identification = 1);

  // Transport. icmp() is ICMPv6 behind an IPv6 layer; `rest`: bytes 4 to 7 (echo: id, sequence).
  PacketBuilder& tcp(std::uint16_t source_port, std::uint16_t destination_port,
                     TcpFields fields = {});
  PacketBuilder& udp(std::uint16_t source_port, std::uint16_t destination_port);
  PacketBuilder& icmp(std::uint8_t type, std::uint8_t code, std::uint32_t rest = 0);
  PacketBuilder& icmp_error(std::uint8_t type, std::uint8_t code, const Frame& quoted,
                            std::size_t quoted_bytes_max = 128, std::uint32_t rest = 0);
  PacketBuilder& sctp(std::uint16_t source_port, std::uint16_t destination_port,
                      std::uint32_t verification_tag);
  PacketBuilder& sctp_chunk(std::uint8_t type, std::uint8_t flags, ByteList value);
  PacketBuilder& esp(std::uint32_t spi, std::uint32_t sequence);

  // Tunnels: gre() with a key carries it; the others follow udp(…, their port).
  PacketBuilder& gre(std::optional<std::uint32_t> key = {});
  PacketBuilder& vxlan(std::uint32_t vni);
  PacketBuilder& geneve(std::uint32_t vni);
  PacketBuilder& gtp_u(std::uint32_t teid);

  // Anything: application bytes, or a header that the builder has no name for.
  PacketBuilder& payload(std::string_view text);
  PacketBuilder& payload(ByteList bytes);

  // The type field (EtherType, IP protocol, PPP protocol) of the layer added last, instead of what
  // follows it.
  PacketBuilder& next_is(std::uint16_t type);

  Frame frame(std::int64_t timestamp_ns = 0) const;

 private:
  enum class Kind : std::uint8_t {
    ethernet,
    link,
    vlan,
    llc_snap,
    mpls,
    pppoe,
    ipv4,
    ipv6,
    extension,
    tcp,
    udp,
    icmp,
    sctp,
    esp,
    gre,
    vxlan,
    geneve,
    gtp_u,
    payload
  };
  struct Layer {
    Kind kind;
    ByteList header = {};
    std::optional<std::uint16_t> next = {};  // set by next_is()
    std::uint16_t own_type = 0;              // vlan: its EtherType; extension: its protocol number
  };

  PacketBuilder& add(Kind kind, ByteList header, std::uint16_t own_type = 0);
  void finish(ByteList& bytes, std::size_t index, std::size_t offset) const;
  void finish_ethernet(ByteList& bytes, std::size_t index, std::size_t offset) const;
  std::uint16_t transport_checksum(const ByteList& bytes, std::size_t index, std::size_t offset,
                                   std::uint8_t protocol) const;
  Kind kind_behind(std::size_t index) const;
  const Layer* enclosing_ip(std::size_t index) const;
  std::uint16_t ethertype_behind(std::size_t index) const;
  std::uint16_t protocol_behind(std::size_t index) const;

  std::uint16_t link_type_ = kLinkEthernet;
  std::vector<Layer> layers_;
};

enum class Side : std::uint8_t { client, server };
constexpr Side other(Side side) { return side == Side::client ? Side::server : Side::client; }

// How a segment differs from the ordinary one of its kind.
struct TcpKnobs {
  std::optional<std::uint8_t> flags = {};
  std::int64_t sequence_offset = 0;  // from the side's next number; a retransmission of n bytes: -n
  std::int64_t acknowledgment_offset = 0;  // from the other side's next number
  std::uint16_t window = 65'535;
  TcpOptions options = {};
  bool captured = true;  // false: sent, so the numbers move on, but the capture missed it
};

// Both sides of a TCP connection. A segment's acknowledgment is all that the other side has sent so
// far (0 without ACK). Each call appends one frame and returns it; the reference holds until the
// next call.
class TcpPeers {
 public:
  TcpPeers(Frames& frames, Endpoint client, Endpoint server, std::uint32_t client_isn = 1'000,
           std::uint32_t server_isn = 5'000'000);

  Frame& syn(std::int64_t time, const TcpKnobs& knobs = {});      // client
  Frame& syn_ack(std::int64_t time, const TcpKnobs& knobs = {});  // server
  Frame& ack(Side side, std::int64_t time, const TcpKnobs& knobs = {});
  Frame& data(Side side, std::string_view text, std::int64_t time, const TcpKnobs& knobs = {});
  Frame& fin(Side side, std::int64_t time, const TcpKnobs& knobs = {});  // FIN ACK
  Frame& rst(Side side, std::int64_t time, const TcpKnobs& knobs = {});  // RST ACK
  Frame& segment(Side side, std::uint8_t flags, std::string_view text, std::int64_t time,
                 const TcpKnobs& knobs = {});

  void handshake(std::int64_t time, DurationNs step = kMillisecond);          // SYN, SYN-ACK, ACK
  void close(Side first, std::int64_t time, DurationNs step = kMillisecond);  // FIN, FIN, ACK

  // The next sequence number of a side.
  std::uint32_t next(Side side) const { return next_[static_cast<std::size_t>(side)]; }
  void set_next(Side side, std::uint32_t sequence) {
    next_[static_cast<std::size_t>(side)] = sequence;
  }

  PacketBuilder link = PacketBuilder().ethernet();  // the layers below IP
  IpFields ip_fields;

 private:
  Frames& frames_;
  Endpoint endpoints_[2];
  std::uint32_t next_[2];
  Frame missed_;  // what segment() returns when the capture missed it
};

}  // namespace linger::test
