// OpenVPN, up to the data: how its control channel is protected, and the TLS in it.
//
//     stream      length(2), then as a datagram
//     datagram    opcode(5 bits) key(3 bits) session(8)
//                 [HMAC(n) number(4) time(4)]                                          --tls-auth
//                 acks(1) [acknowledged(4)… session of the other side(8)] number(4) bytes of TLS
//
// Source: OpenVPN's "Network protocol" (doc/doxygen/doc_protocol_overview.h, src/openvpn/ssl_pkt.h
// tell the same). Taken is who begins with a client's reset; its length says how long the HMAC is.
// With --tls-crypt all but the head is encrypted, and no more than that is told; with
// --tls-crypt-v2 the client's key, wrapped, stands behind that, and its length at the end
// (doc/tls-crypt-v2.txt). The bytes of TLS are read in the order of their numbers, as if they had
// come over TCP; what comes before its turn waits (conversations.h), if it is one of the next
// kWindow. A side is read up to what the capture cut off. It is over with the first data. No other
// limits of its own.
#pragma once

#include <array>
#include <cstdint>

#include "parsers/facts.h"
#include "parsers/parser.h"
#include "parsers/tls.h"

namespace linger {

#define LINGER_OPENVPN_FIELDS(X)    \
  X(protection, text, "protection", \
    "Of its control channel: none, tls-auth, tls-crypt or tls-crypt-v2.")

enum class OpenvpnField : std::uint8_t { LINGER_OPENVPN_FIELDS(LINGER_FIELD_NAME) };

class Openvpn {
 public:
  static constexpr Pattern kPatterns[] = {
      {Carrier::stream, R"(^\x00[\x0e-\x56]\x38.{8})"},
      {Carrier::stream, R"(^[\x01-\x04].\x50.{8}[\x00\x0f]\x00\x00\x01)"},
      {Carrier::datagrams, R"(^\x38.{13})"},
      {Carrier::datagrams, R"(^\x50.{8}[\x00\x0f]\x00\x00[\x01-\x0f])"}};

  static Detection detect(Carrier carrier, Bytes bytes) noexcept;
  Answer on_data(unsigned side, Bytes bytes, Facts& facts) noexcept;
  Answer on_datagram(unsigned side, Bytes bytes, std::uint32_t sent_bytes, Facts& facts) noexcept;

 private:
  struct Side {
    std::uint64_t skip = 0;  // bytes of TLS to come that nobody looks at
    std::uint32_t next = 1;  // number of the packet of TLS whose turn it is
    std::uint32_t kept_bytes = 0;
    bool is_cut = false;                 // behind it bytes are missing
    std::array<std::uint8_t, 512> kept;  // of TLS, until there are enough; more than it asks for
  };

  static constexpr std::uint32_t kWindow = 16;

  Answer::Kind read(unsigned side, Bytes packet, bool is_cut, Facts& facts) noexcept;
  bool read_tls(unsigned side, Bytes bytes, Facts& facts) noexcept;

  Tls tls_;
  std::array<Side, 2> sides_;
  std::uint8_t authentication_bytes_ = 0;
  bool is_begun_ = false;
};

}  // namespace linger
