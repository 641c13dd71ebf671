// The hellos of TLS, DTLS and QUIC, taken apart: views into the bytes of one message.
//
//     ClientHello   version(2) random(32) session(1+) cookie(1+, DTLS) ciphers(2+) compression(1+)
//                   extensions(2+)                                          RFC 8446 §4.1.2, RFC
//                   6347 §4.2.1
//     ServerHello   version(2) random(32) session(1+) cipher(2) compression(1) extensions(2+)
//     §4.1.3
//
// A message that breaks its own lengths is none, but for those of single extensions, which are read
// up to the first one that does. Limits: kExtensionsMax extensions are looked at. Used where
// records are encoded. Cost: one pass.
#pragma once

#include <array>
#include <cstdint>

#include "engine/base/bytes.h"

namespace linger {

// A list of numbers of two bytes, as it lies in a message.
class Numbers {
 public:
  Numbers() = default;
  explicit Numbers(Bytes bytes) noexcept : bytes_(bytes) {}

  std::size_t size() const noexcept { return bytes_.size() / 2; }
  std::uint16_t operator[](std::size_t i) const noexcept {
    return load_be16(bytes_.data() + 2 * i);
  }

 private:
  Bytes bytes_;
};

// RFC 8701: numbers that mean nothing, so that nobody relies on a list of them.
constexpr bool is_grease(std::uint16_t number) noexcept {
  return (number & 0x0f0f) == 0x0a0a && number >> 8 == (number & 0xff);
}

enum TlsExtension : std::uint16_t {
  kServerName = 0,
  kSupportedGroups = 10,
  kPointFormats = 11,
  kSignatureAlgorithms = 13,
  kAlpn = 16,
  kSessionTicket = 35,
  kPreSharedKey = 41,
  kSupportedVersions = 43,
  kKeyShare = 51,
  kTransportParameters = 57,          // RFC 9001 §8.2
  kTransportParametersDraft = 65445,  // of QUIC before it
  kEncryptedClientHello = 0xfe0d,
  kEncryptedServerName = 0xffce,  // what it was before
};

inline constexpr std::size_t kExtensionsMax = 256;

struct TlsExtensions {
  std::array<std::uint16_t, kExtensionsMax> types;
  std::size_t count = 0;

  bool has(std::uint16_t type) const noexcept {
    for (std::size_t i = 0; i < count; ++i)
      if (types[i] == type) return true;
    return false;
  }
};

struct ClientHello {
  std::uint16_t version = 0;
  Bytes session;
  Numbers ciphers;
  TlsExtensions extensions;
  Bytes server_name;
  Bytes protocols;  // ALPN: each behind its length
  Numbers versions;
  Numbers groups;
  Bytes point_formats;
  Numbers signature_algorithms;
  Bytes transport_parameters;
  bool has_ticket = false;  // RFC 5077 §3.2: an empty one only asks for one

  // `body`: behind the message's head.
  bool read(Bytes body, bool is_datagram) noexcept;
  // The first of ALPN.
  Bytes protocol() const noexcept;
};

struct ServerHello {
  std::uint16_t version = 0;  // the chosen one, of an extension if it is there
  std::uint16_t legacy_version = 0;
  Bytes session;
  std::uint16_t cipher = 0;
  std::uint16_t group = 0;  // of the key share; 0: none
  TlsExtensions extensions;
  Bytes protocol;
  bool is_retry = false;  // RFC 8446 §4.1.4

  bool read(Bytes body) noexcept;
};

}  // namespace linger
