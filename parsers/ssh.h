// SSH: who speaks which version and software, what each side offers, and what comes of it; up to
// where the session is encrypted.
//
//     SSH-2.0-software comments CRLF        the first line of each side           RFC 4253 §4.2
//     | length (4) | padding (1) | type (1) | …                                   RFC 4253 §6
//     KEXINIT: cookie (16), ten lists of names, …                                 RFC 4253 §7.1
//
// The client is the side that begins the key exchange (RFC 4253 §8, RFC 4419 §3), or if that is by
// RSA, the other one (RFC 4432 §4); if that is not seen, the one whose offer says so, or else the
// side that opened the session. HASSH is the MD5 digest of what a side offers, over the lists of
// its own direction (github.com/salesforce/hassh). Behind a gap a side is not read on, the other
// one is; what a server says before its banner may be more than detection reads, and then the
// banner may be missed. Limits: a first line has 255 bytes, a KEXINIT kUnitBytesMax.
#pragma once

#include <array>
#include <cstdint>

#include "parsers/facts.h"
#include "parsers/parser.h"

namespace linger {

#define LINGER_SSH_FIELDS(X)                                                                      \
  X(banner_of_0, raw, "banner_of_0", "")                                                          \
  X(banner_of_1, raw, "banner_of_1", "")                                                          \
  X(offer_of_0, raw, "offer_of_0", "")                                                            \
  X(offer_of_1, raw, "offer_of_1", "")                                                            \
  X(sides, raw, "sides", "")                                                                      \
  X(client_banner, text, "client.banner", "First line of the client, as in SSH-2.0-OpenSSH_9.2.") \
  X(client_version, text, "client.version", "The protocol's version in it.")                      \
  X(client_software, text, "client.software", "The software in it.")                              \
  X(client_hassh, text, "client.hassh", "HASSH of what the client offers.")                       \
  X(server_banner, text, "server.banner", "First line of the server.")                            \
  X(server_version, text, "server.version", "The protocol's version in it.")                      \
  X(server_software, text, "server.software", "The software in it.")                              \
  X(server_hassh, text, "server.hassh", "HASSH of what the server offers.")                       \
  X(kex_algorithm, text, "kex_algorithm", "Key exchange that follows from both offers.")          \
  X(host_key_algorithm, text, "host_key_algorithm", "The host key's algorithm, likewise.")        \
  X(client_cipher, text, "cipher.client", "Cipher of what the client sends.")                     \
  X(server_cipher, text, "cipher.server", "Cipher of what the server sends.")                     \
  X(client_mac, text, "mac.client",                                                               \
    "Message authentication of what the client sends, if its cipher has none of its own.")        \
  X(server_mac, text, "mac.server",                                                               \
    "Message authentication of what the server sends, if its cipher has none of its own.")

enum class SshField : std::uint8_t { LINGER_SSH_FIELDS(LINGER_FIELD_NAME) };

class Ssh {
 public:
  static constexpr Pattern kPatterns[] = {{Carrier::stream, R"(^SSH-[12]\.)"}};
  static constexpr std::size_t kLineBytesMax = 255;

  static Detection detect(Carrier carrier, Bytes bytes) noexcept;
  Answer on_data(unsigned side, Bytes bytes, Facts& facts) noexcept;
  Answer on_gap(unsigned side, Bytes left, std::uint64_t count, Facts& facts) noexcept;
  void tell(Facts& facts) const noexcept;

 private:
  enum class Phase : std::uint8_t { line, packets, encrypted, unsure };
  static constexpr std::uint8_t kUnknown = 2;

  Answer take_up(unsigned side, Bytes bytes, Facts& facts) noexcept;
  Answer read_line(unsigned side, Bytes bytes, Facts& facts) noexcept;
  Answer read_packet(unsigned side, Bytes bytes, Facts& facts) noexcept;
  Answer end_side(unsigned side) noexcept;
  void note_sender(unsigned side, std::uint8_t type) noexcept;

  std::array<Phase, 2> phases_{};
  std::uint8_t even_ = kUnknown;  // the side that sends even numbers in the key exchange
  bool is_version_1_ = false;     // a side speaks no other one
};

}  // namespace linger
