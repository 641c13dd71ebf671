#include "parsers/tls_told.h"

#include <algorithm>
#include <string>

#include "parsers/certificate.h"
#include "parsers/digest.h"
#include "parsers/facts.h"
#include "parsers/tls.h"
#include "parsers/tls_names.h"

namespace linger {
namespace {

using Field = TlsField;

constexpr std::size_t kHeadBytes = 4;
constexpr std::size_t kListMax = 128;  // values of one list; a longer one is told as cut

enum CertificateField : std::uint8_t { LINGER_CERTIFICATE_FIELDS(LINGER_FIELD_NAME, at) };

bool is_datagram(std::uint16_t version) noexcept { return version >> 8 == 0xfe; }

void tell_name(Field field, const TlsName& name, Derived& derived, bool is_list_cut = false) {
  derived.text(field, std::string(name.prefix()).append(name.text()), is_list_cut);
}

template <class NameOf>
void tell_names(Field field, const Numbers& numbers, const NameOf& name_of, Derived& derived) {
  const bool is_cut = numbers.size() > kListMax;
  for (std::size_t i = 0; i < std::min(numbers.size(), kListMax); ++i)
    if (!is_grease(numbers[i])) tell_name(field, name_of(numbers[i]), derived, is_cut);
}

void tell_server_hello(const ServerHello& hello, Bytes client_session, bool took_ticket,
                       Derived& derived) {
  if (const auto version = tls_version_of(hello.version); !version.empty())
    derived.text(Field::version, version);
  derived.text(Field::version_protocol, tls_protocol_of(hello.version));
  tell_name(Field::cipher, TlsName::of_cipher(hello.cipher), derived);
  derived.text(Field::server_ja3s, Digest(DigestKind::md5, ja3s_of(hello)).text());
  if (hello.group != 0) tell_name(Field::curve, TlsName::of_group(hello.group), derived);
  if (!hello.protocol.empty()) derived.text(Field::next_protocol, hello.protocol);
  // TLS 1.3 resumes by a key (RFC 8446 §2.2), and echoes the session for show. A ticket needs none
  // (RFC 5077 §3.4).
  const bool is_1_3 = tls_version_of(hello.version) == "1.3";
  const bool is_echo =
      !hello.session.empty() && std::equal(hello.session.begin(), hello.session.end(),
                                           client_session.begin(), client_session.end());
  if (is_1_3 ? hello.extensions.has(kPreSharedKey) : is_echo || took_ticket)
    derived.flag(Field::resumed);
}

void tell_client_hello(const ClientHello& hello, HelloCarrier carrier, Derived& derived) {
  if (!hello.server_name.empty()) derived.text(Field::client_server_name, hello.server_name);
  derived.text(Field::client_ja3, Digest(DigestKind::md5, ja3_of(hello)).text());
  derived.text(Field::client_ja4, ja4_of(hello, carrier));
  const auto tell_version = [&](std::uint16_t version) {
    if (const auto text = tls_version_of(version); !text.empty())
      derived.text(Field::client_versions, text);
  };
  for (std::size_t i = 0; i < hello.versions.size(); ++i) tell_version(hello.versions[i]);
  if (hello.versions.size() == 0) tell_version(hello.version);
  tell_names(Field::client_ciphers, hello.ciphers, TlsName::of_cipher, derived);
  tell_names(Field::client_groups, hello.groups, TlsName::of_group, derived);
  Reader protocols(hello.protocols);
  for (std::size_t i = 0; i < kListMax && protocols.remaining() != 0; ++i) {
    const Bytes protocol = protocols.bytes(protocols.u8());
    const bool is_cut = i + 1 == kListMax && protocols.remaining() != 0;
    if (!protocol.empty()) derived.text(Field::client_alpn, protocol, is_cut);
  }
  if (hello.extensions.has(kEncryptedClientHello) || hello.extensions.has(kEncryptedServerName))
    derived.flag(Field::client_ech);
}

struct Fingerprints {
  std::string name, ja3, ja4;

  Fingerprints(const ClientHello& hello, HelloCarrier carrier)
      : name(hello.server_name.begin(), hello.server_name.end()),
        ja3(ja3_of(hello)),
        ja4(ja4_of(hello, carrier)) {}
  bool operator==(const Fingerprints&) const = default;
};

// The hellos of a client behind its first one, as far as each says something else than the one
// before it.
void tell_further_hellos(Bytes messages, const ClientHello& first, HelloCarrier carrier,
                         Derived& derived) {
  if (messages.empty()) return;
  Fingerprints before(first, carrier);
  for (Bytes body = next_message(messages); !body.empty(); body = next_message(messages)) {
    ClientHello hello;
    if (!hello.read(body, carrier == HelloCarrier::dtls)) continue;
    Fingerprints now(hello, carrier);
    if (now == before) continue;
    derived.text(Field::client_more_ja3, Digest(DigestKind::md5, now.ja3).text());
    derived.text(Field::client_more_ja4, now.ja4);
    if (!now.name.empty()) derived.text(Field::client_more_name, now.name);
    before = std::move(now);
  }
}

// Those of a server that are not the chosen one, as far as each says something else.
struct OtherHello {
  std::string ja3s;
  std::uint16_t cipher;
};
void tell_others(const std::vector<OtherHello>& others, std::string_view told, Derived& derived) {
  for (const OtherHello& other : others) {
    if (other.ja3s == told) continue;
    derived.text(Field::server_more_ja3s, Digest(DigestKind::md5, other.ja3s).text());
    tell_name(Field::server_more_cipher, TlsName::of_cipher(other.cipher), derived);
    told = other.ja3s;
  }
}

// Takes a certificate with its length (3) off the front; empty: it is not whole.
Bytes next_certificate(Bytes& chain) {
  constexpr std::size_t kLengthBytes = 3;
  if (chain.size() <= kLengthBytes) return {};
  const std::size_t length = load_be24(chain.data());
  if (chain.size() - kLengthBytes < length) return {};
  const Bytes certificate = chain.subspan(kLengthBytes, length);
  chain = chain.subspan(kLengthBytes + length);
  return certificate;
}

// The one that the sender shows of itself.
void tell_certificate(Bytes bytes, Field first_field, Derived& derived) {
  Certificate certificate;
  const bool is_read = certificate.read(bytes);
  const auto at = [&](CertificateField field) {
    return static_cast<Field>(static_cast<unsigned>(first_field) + field);
  };
  const auto tell = [&](CertificateField field, const std::string& text) {
    if (!text.empty()) derived.text(at(field), text);
  };
  tell(at_sha1, certificate.sha1);
  tell(at_sha256, certificate.sha256);
  if (!is_read) return;
  tell(at_issuer, certificate.issuer);
  tell(at_not_after, certificate.not_after);
  tell(at_not_before, certificate.not_before);
  tell(at_subject, certificate.subject);
  for (const Certificate::Name& name : certificate.alternative_names) {
    const Bytes text{reinterpret_cast<const std::uint8_t*>(name.text.data()), name.text.size()};
    name.is_address ? derived.address(at(at_names), text) : derived.text(at(at_names), text);
  }
  tell(at_issuer_name, certificate.issuer_common_name);
  tell(at_key, certificate.key_algorithm);
  if (certificate.key_bits != 0) derived.number(at(at_key_bits), certificate.key_bits);
  tell(at_serial, certificate.serial);
  tell(at_signature, certificate.signature_algorithm);
  tell(at_subject_name, certificate.subject_common_name);
  tell(at_x509_version, std::to_string(certificate.version));
}

// Those that vouch for it.
void tell_chain(Bytes chain, Field first_field, Derived& derived) {
  for (Bytes bytes = next_certificate(chain); !bytes.empty(); bytes = next_certificate(chain)) {
    Certificate certificate;
    const bool is_read = certificate.read(bytes);
    const auto tell = [&](CertificateField field, const std::string& text) {
      if (!text.empty())
        derived.text(static_cast<Field>(static_cast<unsigned>(first_field) + field), text);
    };
    tell(at_chain_sha1, certificate.sha1);
    tell(at_chain_sha256, certificate.sha256);
    if (!is_read) continue;
    tell(at_chain_issuer, certificate.issuer);
    tell(at_chain_not_after, certificate.not_after);
    tell(at_chain_not_before, certificate.not_before);
    tell(at_chain_serial, certificate.serial);
    tell(at_chain_subject, certificate.subject);
  }
}

// `message`: its head (4), the length of the list (3), then each with its length.
void tell_certificates(Bytes message, Field first_field, Derived& derived) {
  constexpr std::size_t kBefore = kHeadBytes + 3;
  if (message.size() <= kBefore) return;
  Bytes chain = message.subspan(kBefore);
  const Bytes first = next_certificate(chain);
  if (first.empty()) return;
  tell_certificate(first, first_field, derived);
  tell_chain(chain, first_field, derived);
}

}  // namespace

Bytes next_message(Bytes& messages) noexcept {
  if (messages.size() < kHeadBytes) return {};
  const std::size_t length = load_be24(messages.data() + 1);
  if (messages.size() - kHeadBytes < length) return {};
  const Bytes body = messages.subspan(kHeadBytes, length);
  messages = messages.subspan(kHeadBytes + length);
  return body;
}

bool tell_client_hellos(Bytes messages, HelloCarrier carrier, ClientHello& hello,
                        Derived& derived) {
  const Bytes body = next_message(messages);
  if (body.empty() || !hello.read(body, carrier == HelloCarrier::dtls)) return false;
  tell_client_hello(hello, carrier, derived);
  tell_further_hellos(messages, hello, carrier, derived);
  return true;
}

std::optional<std::uint16_t> tell_server_hellos(Bytes messages, Bytes client_session,
                                                bool took_ticket, Derived& derived) {
  std::vector<OtherHello> others;
  std::optional<ServerHello> chosen;
  for (Bytes body = next_message(messages); !body.empty(); body = next_message(messages)) {
    ServerHello hello;
    if (!hello.read(body)) continue;
    if (hello.is_retry) derived.flag(Field::retried);
    if (hello.is_retry || chosen)
      others.push_back({ja3s_of(hello), hello.cipher});
    else
      chosen = hello;
  }
  if (chosen) tell_server_hello(*chosen, client_session, took_ticket, derived);
  if (!others.empty()) tell_others(others, chosen ? ja3s_of(*chosen) : std::string(), derived);
  if (!chosen) return std::nullopt;
  return chosen->cipher;
}

void derive_tls(std::uint8_t protocol, ItemReader items, ItemWriter& more) {
  Derived derived(protocol, more);
  const auto raw = [&](Field field) { return pieces_of(protocol, field, items); };
  const auto client = raw(Field::raw_client_hello);
  const auto server = raw(Field::raw_server_hello);
  ClientHello hello;
  const bool has_version = client.size() >= kHeadBytes + 2;
  const bool is_dtls = has_version && is_datagram(load_be16(client.data() + kHeadBytes));
  if (!tell_client_hellos(client, is_dtls ? HelloCarrier::dtls : HelloCarrier::tcp, hello, derived))
    hello = {};
  const bool took_ticket = hello.has_ticket && !raw(Field::raw_abbreviated).empty();
  if (const auto cipher = tell_server_hellos(server, hello.session, took_ticket, derived)) {
    // Only ECDHE names its curve there, as a named one (RFC 8422 §5.4); with a key that both had
    // before, behind a hint at that (RFC 5489 §2).
    constexpr std::uint8_t kNamedCurve = 3;
    const auto exchange = raw(Field::raw_key_exchange);
    const TlsName name = TlsName::of_cipher(*cipher);
    Reader reader(exchange);
    reader.skip(kHeadBytes);
    if (name.text().starts_with("ECDHE_PSK")) reader.skip(reader.be16());
    const bool has_curve = name.text().starts_with("ECDH") && reader.u8() == kNamedCurve;
    const std::uint16_t curve = reader.be16();
    if (has_curve && reader.ok()) tell_name(Field::curve, TlsName::of_group(curve), derived);
  }
  tell_certificates(raw(Field::raw_client_certificate), Field::client_sha1, derived);
  tell_certificates(raw(Field::raw_server_certificate), Field::server_sha1, derived);
}

void tell_alert(bool is_client, std::uint8_t level, std::uint8_t description,
                Facts& facts) noexcept {
  facts.text(Field::alert_source, std::string_view(is_client ? "client" : "server"));
  facts.text(Field::alert_level, std::string_view(level == 1 ? "warning" : "fatal"));
  facts.text(Field::alert_description, TlsName::of_alert(description).text());
}

}  // namespace linger
