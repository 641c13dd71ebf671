// QUIC v1, v2 and the drafts from the 22nd on: what its Initial packets show, which is both hellos,
// and what long headers say in the clear.
//
//     1 1 type(2) ????  version(4)  dcid(1+)  scid(1+)  token(n, Initial)  length(n)  number …
//     RFC 9000 §17.2 (types of v2: RFC 9369 §3.2)          version 0: a list of versions, §17.2.1
//
// The shard takes the protection off and copies what CRYPTO frames carry, each byte once, in
// whatever order they come; the hellos are put together where the record is encoded, and told as
// fields of `tls`. Keys follow from the connection id of the client's first packet, or of the first
// one behind a Retry or a refused version, and from the version of each packet: a server may answer
// in another one (RFC 9369 §4.1), which is then the version in use. All Initial packets are opened:
// behind the hellos there may be a retry of TLS, and who gives up. The spin bit of packets with
// short headers tells the round trip, of which the least is told. A session that goes on with a
// connection from another address, or after a pause, sends short headers from the first packet on:
// the server's connection id, which it then shows, is a link, so that its record names this
// session. A client that moves on purpose takes an id that nobody has seen (RFC 9000 §9.5). Limits:
// kWindow from the handshake on for that; kCryptoBytesMax of each side, in at most ByteRanges::kMax
// parts at a time; kOpeningsMax attempts to take off a protection, microseconds each; over after
// kShortMax packets with short headers. Memory: one small block.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "parsers/facts.h"
#include "parsers/parser.h"
#include "parsers/quic_crypto.h"

namespace linger {

#define LINGER_QUIC_FIELDS(X)                                                                    \
  X(version, text, "version", "Version in use: 1, 2, draft-29.")                                 \
  X(client_id, hex, "client.connection_id", "Connection id that the client chose for itself.")   \
  X(client_versions, text, "client.version",                                                     \
    "Version of the client's first packet, when refused.")                                       \
  X(max_idle_timeout, number, "client.max_idle_timeout_ms", "Milliseconds, of the client.")      \
  X(max_data, number, "client.initial_max_data", "Bytes the client takes on all streams.")       \
  X(max_streams_bidi, number, "client.initial_max_streams_bidi", "Streams the server may open.") \
  X(max_streams_uni, number, "client.initial_max_streams_uni", "One-way streams it may open.")   \
  X(max_udp_payload, number, "client.max_udp_payload_size",                                      \
    "Bytes of a datagram the client takes.")                                                     \
  X(server_id, hex, "server.connection_id", "Connection id that the server chose for itself.")   \
  X(server_versions, text, "server.supported_versions[]", "What a version negotiation offers.")  \
  X(original_id, hex, "original_connection_id", "Where the client's first packet went to.")      \
  X(retried, flag, "retried", "The server had the client prove its address (Retry).")            \
  X(early_data, flag, "early_data", "The client sent 0-RTT packets.")                            \
  X(continues, hex, "continues",                                                                 \
    "event.id of the session whose connection this one goes on with, known by its id.")          \
  X(spin_rtt, duration, "spin_rtt_ns", "Least round trip that the spin bit shows.")              \
  X(close_source, text, "close.source", "Who gave up in the handshake: client or server.")       \
  X(close_code, number, "close.error_code", "Its error code.")                                   \
  X(close_reason, text, "close.reason", "Its reason.")                                           \
  X(raw_client, raw, "client_crypto", "The client's CRYPTO frames.")                             \
  X(raw_server, raw, "server_crypto", "The server's CRYPTO frames.")

enum class QuicField : std::uint8_t { LINGER_QUIC_FIELDS(LINGER_FIELD_NAME) };

// A number of one, two, four or eight bytes (RFC 9000 §16).
inline std::uint64_t read_quic_number(Reader& reader) noexcept {
  const std::uint8_t first = reader.u8();
  std::uint64_t number = first & 0x3f;
  for (int more = (1 << (first >> 6)) - 1; more > 0; --more) number = number << 8 | reader.u8();
  return number;
}

// Which bytes of a stream have come: sorted parts, apart from each other.
class ByteRanges {
 public:
  static constexpr std::size_t kMax = 14;

  // Calls `take(begin, end)` for each part of [begin, end) that was not there. False: what would
  // need one part too many, and what is behind it, is left out.
  template <class Take>
  bool add(std::uint32_t begin, std::uint32_t end, const Take& take) noexcept;

 private:
  struct Part {
    std::uint16_t begin, end;
  };
  bool join(std::uint16_t begin, std::uint16_t end) noexcept;

  std::array<Part, kMax> parts_;
  std::uint8_t count_ = 0;
};

// The latency spin bit (RFC 9000 §17.4): a server repeats the bit it saw last, a client turns it
// over. So it changes once in a round trip, first in what the client sends, then in the answers.
// Who does not take part may send anything: only turns in that order count.
class SpinBit {
 public:
  void see(bool is_client, bool bit, Timestamp now) noexcept;
  // Nanoseconds; none: too few turns, or too many out of order.
  std::optional<std::uint32_t> least() const noexcept;

 private:
  std::int64_t turned_ = 0;           // when the client's bit did; 0: not yet
  std::uint32_t least_ = UINT32_MAX;  // at most 4 s
  std::uint16_t turns_ = 0, breaks_ = 0;
  std::array<bool, 2> bits_{}, has_bit_{};  // server, client
  bool is_answered_ = false;
};

class Quic {
 public:
  // A version there is, none (a negotiation), or one that nobody speaks (RFC 9000 §15); an id.
  static constexpr Pattern kPatterns[] = {
      {Carrier::datagrams,
       R"(^[\xc0-\xff](\x00\x00\x00\x01|\x6b\x33\x43\xcf|\x70\x9a\x50\xc4)"
       R"(|\xff\x00\x00[\x16-\x22]|\xfa\xce\xb0[\x02\x0e])"
       R"(|([\x0a\x1a\x2a\x3a\x4a\x5a\x6a\x7a\x8a\x9a\xaa\xba\xca\xda\xea\xfa]){4})[\x00-\x14])"},
      {Carrier::datagrams, R"(^[\x80-\xff]\x00\x00\x00\x00[\x00-\x14])"}};
  static constexpr std::uint32_t kCryptoBytesMax = 12 * 1024;
  static constexpr std::uint16_t kShortMax = 1'024;
  static constexpr std::uint8_t kOpeningsMax = 128;
  static constexpr std::uint16_t kAgain = 0x4000;  // rows of a hello behind a refused version
  static constexpr std::uint8_t kEarlyMax = 4;     // before none waits for a client's first packet
  static constexpr DurationNs kWindow = kHour;
  using Tools = QuicCrypto;

  // The first byte has the fixed bit alone (RFC 9000 §17.3), and there is an id and more behind it.
  static bool has_short_header(Bytes datagram) noexcept {
    return datagram.size() > 1 + LinkKey::kIdBytesMax && (datagram[0] & 0xc0) == 0x40;
  }

  static Detection detect(Carrier carrier, Bytes bytes) noexcept;
  Answer on_datagram(unsigned side, Bytes bytes, std::uint32_t sent_bytes, Facts& facts) noexcept;
  void tell(Facts& facts) const noexcept;

 private:
  struct Packet;  // its long header
  struct Side {
    ByteRanges crypto;
    bool has_id = false;  // told; of the server: it was heard
  };

  bool on_initial(unsigned side, const Packet& packet, Facts& facts) noexcept;
  bool open_as_client(unsigned side, const Packet& packet, Bytes& frames, Facts& facts) noexcept;
  void on_server_id(Bytes id, Facts& facts) noexcept;
  void on_negotiation(unsigned side, Bytes versions, Facts& facts) noexcept;
  void note_version(const Packet& packet) noexcept;
  void on_refused(std::uint32_t version, Facts& facts) noexcept;
  void read_frames(unsigned side, Bytes frames, Facts& facts) noexcept;
  void on_crypto(unsigned side, std::uint64_t offset, Bytes bytes, Facts& facts) noexcept;

  std::optional<Bytes> open_with_id(QuicRole role, const Packet& packet, Facts& facts) noexcept;
  std::optional<Bytes> open(const QuicKeys& keys, const Packet& packet, Facts& facts) noexcept;

  QuicKeys keys_;  // of what `keys_role_` sends in `keys_version_`
  std::uint32_t keys_version_ = 0;
  std::uint32_t version_ = 0;                          // in use
  std::uint32_t first_version_ = 0;                    // of the client's first packet
  std::array<std::uint8_t, LinkKey::kIdBytesMax> id_;  // that keys are made of
  std::uint8_t id_bytes_ = 0;
  QuicRole keys_role_{};
  std::array<Side, 2> sides_;
  SpinBit spin_;
  std::uint16_t short_count_ = 0;
  std::uint8_t openings_ = 0;  // attempts
  std::uint8_t client_ = 2;    // its side; 2: not known yet
  bool has_negotiation_ = false;
  bool has_early_data_ = false;
  bool has_client_version_ = false;
  bool has_retry_ = false;
  bool awaits_keys_ = false;  // behind a Retry, or a refused version
  bool is_again_ = false;     // the client has begun again, in another version
  bool is_closed_ = false;
};
static_assert(Quic::kCryptoBytesMax <= Quic::kAgain);
static_assert(sizeof(Quic) <= ParserMemory::kBytes[0], "as long as the session lasts");

}  // namespace linger
