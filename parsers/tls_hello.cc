#include "parsers/tls_hello.h"

#include <algorithm>

namespace linger {
namespace {

constexpr std::size_t kRandomBytes = 32;

// SHA-256 of "HelloRetryRequest" (RFC 8446 §4.1.3).
constexpr std::uint8_t kRetryRandom[kRandomBytes] = {
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};

// A vector behind a length of one or two bytes.
Bytes vector8(Reader& reader) noexcept { return reader.bytes(reader.u8()); }
Bytes vector16(Reader& reader) noexcept { return reader.bytes(reader.be16()); }
Bytes vector8_of(Bytes bytes) noexcept {
  Reader reader(bytes);
  return vector8(reader);
}
Bytes vector16_of(Bytes bytes) noexcept {
  Reader reader(bytes);
  return vector16(reader);
}

// RFC 6066 §3: a list of names, of which only one kind, host_name, was ever defined.
Bytes host_of(Bytes extension) noexcept {
  Reader list(vector16_of(extension));
  while (list.remaining() != 0) {
    const std::uint8_t kind = list.u8();
    const Bytes name = vector16(list);
    if (kind == 0) return name;
  }
  return {};
}

// Hands each extension to `take(type, value)`, up to the first one whose length is wrong. False:
// that of all of them is.
template <class Take>
bool read_extensions(Reader& reader, TlsExtensions& extensions, const Take& take) noexcept {
  if (reader.remaining() == 0) return true;  // before TLS 1.3 there may be none
  Reader list(vector16(reader));
  while (list.remaining() != 0 && extensions.count != kExtensionsMax) {
    const std::uint16_t type = list.be16();
    const Bytes value = vector16(list);
    if (!list.ok()) break;
    if (!extensions.has(type)) take(type, value);
    extensions.types[extensions.count++] = type;
  }
  return reader.ok();
}

}  // namespace

bool ClientHello::read(Bytes body, bool is_datagram) noexcept {
  Reader reader(body);
  version = reader.be16();
  reader.skip(kRandomBytes);
  session = vector8(reader);
  if (is_datagram) vector8(reader);  // the cookie
  ciphers = Numbers(vector16(reader));
  vector8(reader);  // compression methods
  return reader.ok() && read_extensions(reader, extensions, [&](std::uint16_t type, Bytes value) {
           switch (type) {
             case kServerName:
               server_name = host_of(value);
               break;
             case kAlpn:
               protocols = vector16_of(value);
               break;
             case kSupportedVersions:
               versions = Numbers(vector8_of(value));
               break;
             case kSupportedGroups:
               groups = Numbers(vector16_of(value));
               break;
             case kPointFormats:
               point_formats = vector8_of(value);
               break;
             case kSignatureAlgorithms:
               signature_algorithms = Numbers(vector16_of(value));
               break;
             case kSessionTicket:
               has_ticket = !value.empty();
               break;
             case kTransportParameters:
             case kTransportParametersDraft:
               transport_parameters = value;
               break;
             default:
               break;
           }
         });
}

Bytes ClientHello::protocol() const noexcept { return vector8_of(protocols); }

bool ServerHello::read(Bytes body) noexcept {
  Reader reader(body);
  version = legacy_version = reader.be16();
  const Bytes random = reader.bytes(kRandomBytes);
  is_retry =
      std::equal(random.begin(), random.end(), std::begin(kRetryRandom), std::end(kRetryRandom));
  const bool is_draft = version >> 8 == 0x7f;  // of TLS 1.3, up to the 21st: some fields were gone
  if (!is_draft) session = vector8(reader);
  cipher = reader.be16();
  if (!is_draft) reader.skip(1);  // compression
  return reader.ok() && read_extensions(reader, extensions, [&](std::uint16_t type, Bytes value) {
           if (type == kAlpn) protocol = vector8_of(vector16_of(value));
           if (type == kSupportedVersions && value.size() == 2) version = load_be16(value.data());
           if (type == kKeyShare && value.size() >= 2) group = load_be16(value.data());
         });
}

}  // namespace linger
