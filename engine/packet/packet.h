// One packet and the burst it travels in. The source fills the first part, decode the second;
// nobody else writes, but defrag, which makes one packet of the frames that a datagram came in: its
// bytes are in a buffer of defrag's, its times those of the frame that came last, wire_bytes their
// sum.
//
// Owner: the shard that received it; after a handoff the shard that owns its session. `data` stays
// valid until the burst's next rx() or, for a packet that was handed over, until its buffer is
// released.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

#include "engine/base/flow_key.h"
#include "engine/base/port_set.h"
#include "engine/base/time.h"

namespace linger {

// What a packet's bytes live in, when they must outlive the burst (handoff). Sources derive from
// it.
struct PacketBuffer {
  // Packets handed over and not yet finished; the source reuses it at 0.
  std::atomic<std::uint32_t> users{0};
};

// Why a packet is not session traffic: one list for the ledger, the summary and the reference page.
//   X(name, help)
#define LINGER_VERDICTS(X)                                                          \
  X(session, "belongs to a session")                                                \
  X(not_ip, "no IP packet inside: ARP, LLDP, STP, 802.11 management and the like")  \
  X(truncated, "cut by the capture before its addresses and ports could be read")   \
  X(malformed, "a header contradicts itself: version, header length, total length") \
  X(fragment, "IP fragments that never made a datagram, and do not tell its ports") \
  X(too_deep, "more nested headers than the decoder follows")                       \
  X(unknown_link, "a link type that linger does not decode")

enum class Verdict : std::uint8_t {
#define LINGER_VERDICT_ENUM(name, help) name,
  LINGER_VERDICTS(LINGER_VERDICT_ENUM)
#undef LINGER_VERDICT_ENUM
};
#define LINGER_VERDICT_NAME(name, help) std::string_view{#name},
inline constexpr std::array kVerdictNames = {LINGER_VERDICTS(LINGER_VERDICT_NAME)};
#undef LINGER_VERDICT_NAME
inline constexpr std::size_t kVerdictCount = kVerdictNames.size();

enum TcpFlag : std::uint8_t {  // RFC 9293 §3.1
  kTcpFin = 0x01,
  kTcpSyn = 0x02,
  kTcpRst = 0x04,
  kTcpPsh = 0x08,
  kTcpAck = 0x10,
  kTcpUrg = 0x20,
  kTcpEce = 0x40,
  kTcpCwr = 0x80,
};

enum TcpOption : std::uint8_t {  // which options a segment carried
  kTcpOptionMss = 0x01,
  kTcpOptionWindowScale = 0x02,
  kTcpOptionSackPermitted = 0x04,
  kTcpOptionTimestamp = 0x08,
  kTcpOptionFastOpen = 0x10,
  kTcpOptionSack = 0x20,
  kTcpOptionMptcp = 0x40,
  kTcpOptionMd5OrAo = 0x80,
};

struct TcpHeader {  // IANA protocol 6
  std::uint32_t sequence = 0;
  std::uint32_t acknowledgment = 0;
  std::uint16_t window = 0;  // as on the wire, not scaled
  std::uint8_t flags = 0;    // TcpFlag
  std::uint8_t options = 0;  // TcpOption
  std::uint16_t mss = 0;
  std::uint8_t window_scale = 0;
  // From the first MPTCP option that is more than a data sequence mapping to the end of the
  // options; 0: there is none.
  std::uint8_t mptcp_bytes = 0;
  std::uint32_t timestamp_value = 0;  // RFC 7323 §3.2
  std::uint32_t timestamp_echo = 0;
};

// No default values here and below: both share a union with TcpHeader.
struct SctpHeader {  // IANA protocol 132, RFC 9260 §3.1
  std::uint32_t verification_tag;
  std::uint32_t initiate_tag;  // of an INIT or INIT ACK, else 0
  // Type of the chunk that matters: ABORT or SHUTDOWN COMPLETE, wherever it stands, else the first;
  // kNoSctpChunk: none there.
  std::uint8_t chunk;
};
inline constexpr std::uint8_t kNoSctpChunk = 0xff;  // reserved by RFC 9260 §3.2

struct IcmpHeader {
  std::uint8_t type;
  std::uint8_t code;
  std::uint16_t id;  // of an echo or another query, else 0
};

// One piece of an IP datagram, beside Verdict::fragment. The key then names the datagram: source
// and destination as they were sent, IPv4's protocol, the identification in place of the ports,
// VLAN and tunnel ids in `scope` whatever sessionKey says (RFC 791 §3.2, RFC 8200 §4.5).
struct FragmentHeader {
  std::uint32_t offset;          // of its bytes in the datagram
  std::uint32_t captured_bytes;  // of packet.payload_bytes
  std::uint8_t protocol;         // of the datagram; IPv6: true in the first fragment
  bool has_more;
};

enum PacketFlag : std::uint8_t {
  // The key is that of the quoted packet; direction: the side that the error came from.
  kPacketIcmpError = 0x01,
  kPacketFragment = 0x02,       // the beginning of a datagram that never became whole
  kPacketBadChecksum = 0x04,    // transport checksum computed and wrong
  kPacketCut = 0x08,            // the capture does not hold all of the payload
  kPacketOffloaded = 0x10,      // the transport checksum was left to the network card
  kPacketBadIpChecksum = 0x20,  // of an IPv4 header around it; tells nothing about the transport's
  // It carries more, that is not told: of an A-MSDU all but the first frame, a later piece of a
  // frame in CAPWAP or PPP multilink.
  kPacketUntold = 0x40,
};

inline constexpr std::size_t kVlanDepthMax = 2;

struct Packet {
  // Filled by the source.
  const std::uint8_t* data = nullptr;  // the frame from its link layer on
  PacketBuffer* buffer = nullptr;      // null: the bytes outlive the run (memory source)
  Timestamp timestamp;                 // its own
  ClockNs clock = 0;                   // the source clock
  std::uint32_t captured_bytes = 0;    // bytes at `data`
  std::uint32_t wire_bytes = 0;        // bytes on the wire, >= captured_bytes
  std::uint16_t link_type = 0;         // LINKTYPE_ value (tcpdump.org/linktypes.html)
  PortSet ports = 0;                   // live: that it came by; of fragments, that any of them did

  // Filled by decode.
  Verdict verdict = Verdict::not_ip;
  std::uint8_t direction = 0;  // the side of `key` that sent it
  std::uint8_t flags = 0;      // PacketFlag
  std::uint8_t vlan_count = 0;
  std::array<std::uint16_t, kVlanDepthMax> vlan{};  // outermost first, 12 bits
  // In `data`: of destination MAC and source MAC (12 bytes; kNoMac: none), of the innermost IP
  // header (ICMP error: of the packet that carries the quote), of the transport payload.
  std::uint16_t mac_offset = 0;
  std::uint16_t ip_offset = 0;
  std::uint16_t payload_offset = 0;
  std::uint8_t tunnel_depth = 0;  // layers around the session's IP header (tunnel_layers_of)
  std::uint16_t frames = 1;       // that it came in: more than one is a datagram of fragments
  // Transport payload by the lengths in the headers, captured or not; SCTP: in DATA chunks.
  std::uint32_t payload_bytes = 0;
  FlowHash hash = 0;
  FlowKey key;
  union {
    TcpHeader tcp{};
    SctpHeader sctp;
    IcmpHeader icmp;          // also beside kPacketIcmpError
    FragmentHeader fragment;  // beside Verdict::fragment
  };

  static constexpr std::uint16_t kNoMac = 0xffff;

  // Put together by defrag; also what a datagram that never became whole begins with.
  bool was_fragments() const noexcept { return frames > 1 || (flags & kPacketFragment) != 0; }
};

// Chosen by bench/track: each stage waits for memory once a burst. A hit among 0.1, 1 and 8 M
// sessions costs 14, 19 and 22 ns with bursts of 64, and 13, 16.5 and 20 ns with 128, which is what
// fits into a first-level cache of 32 KiB.
inline constexpr std::uint32_t kBurstMax = 128;

struct Burst {
  std::uint32_t count = 0;
  ClockNs clock = 0;  // of the source after this burst: time passes without packets too
  std::array<Packet, kBurstMax> packets;
};

}  // namespace linger
