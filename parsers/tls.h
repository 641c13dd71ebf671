// TLS 1.0 to 1.3 and SSL 3.0 over streams, DTLS over datagrams (dtls.cc), as far as it can be read:
// both hellos, the certificates of 1.2 and before, alerts, and whether both sides went on to
// protected records.
//
//     record    type(1) version(2) length(2) …   RFC 8446 §5.1
//     message   type(1) length(3) …              RFC 8446 §4; cut into records as the sender likes
//
// The shard cuts messages out of records and copies those that are wanted, as they come; what they
// say is read where the record is encoded (tls_told.h). Of a chain of certificates the first
// maxCertificates are copied, of a key exchange its curve. It is over when both sides are
// protected. A session may have several handshakes, or a hello that was demanded: the first hello
// of each side is told, or of the server the first one that is no retry, and of further ones what
// is new. That a ticket was taken may show only in the handshake's being shorter (RFC 5077 §3.4),
// which is not told of DTLS: there it may be that messages were lost.
//
// It goes on behind a gap in a record, or if a record begins right behind it: no more is told of
// the message that was cut, and of its side, if where the next one begins was missed, only alerts
// and whether it went on to protected records. Limits: kHelloBytesMax for the hellos of a side,
// kCertificateBytesMax for a certificate, kChainBytesMax for a chain; what is longer is not told,
// but counted (network.values_dropped).
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "parsers/facts.h"
#include "parsers/parser.h"

namespace linger {

#define LINGER_CERTIFICATE_FIELDS(X, side)                                                       \
  X(side##_sha1, text, #side ".hash.sha1", "SHA-1 of the certificate.")                          \
  X(side##_sha256, text, #side ".hash.sha256", "SHA-256 of the certificate.")                    \
  X(side##_issuer, text, #side ".issuer", "Its issuer.")                                         \
  X(side##_not_after, text, #side ".not_after", "When it ends to be valid.")                     \
  X(side##_not_before, text, #side ".not_before", "When it begins to be valid.")                 \
  X(side##_subject, text, #side ".subject", "Its subject.")                                      \
  X(side##_names, text, #side ".x509.alternative_names[]", "Its other names and addresses.")     \
  X(side##_issuer_name, text, #side ".x509.issuer.common_name", "Common name of its issuer.")    \
  X(side##_key, text, #side ".x509.public_key_algorithm", "Algorithm of its key.")               \
  X(side##_key_bits, number, #side ".x509.public_key_size", "Bits of its key.")                  \
  X(side##_serial, text, #side ".x509.serial_number", "Serial number, in hexadecimal digits.")   \
  X(side##_signature, text, #side ".x509.signature_algorithm", "Algorithm of its signature.")    \
  X(side##_subject_name, text, #side ".x509.subject.common_name", "Common name of its subject.") \
  X(side##_x509_version, text, #side ".x509.version_number", "Version of its format.")           \
  X(side##_chain_sha1, text, #side ".chain[].sha1", "SHA-1 of a certificate behind the first.")  \
  X(side##_chain_sha256, text, #side ".chain[].sha256", "Its SHA-256.")                          \
  X(side##_chain_issuer, text, #side ".chain[].issuer", "Its issuer.")                           \
  X(side##_chain_not_after, text, #side ".chain[].not_after", "When it ends to be valid.")       \
  X(side##_chain_not_before, text, #side ".chain[].not_before", "When it begins to be valid.")   \
  X(side##_chain_serial, text, #side ".chain[].serial_number", "Its serial number.")             \
  X(side##_chain_subject, text, #side ".chain[].subject", "Its subject.")

#define LINGER_TLS_FIELDS(X)                                                                      \
  X(version, text, "version", "Version chosen by the server, as in 1.2.")                         \
  X(version_protocol, text, "version_protocol", "tls, ssl or dtls.")                              \
  X(cipher, text, "cipher", "Cipher suite chosen by the server.")                                 \
  X(curve, text, "curve", "Group of the key exchange, as far as it is seen.")                     \
  X(next_protocol, text, "next_protocol", "Protocol chosen by the server (ALPN).")                \
  X(resumed, flag, "resumed", "An earlier session was resumed.")                                  \
  X(retried, flag, "retried", "The server asked for another hello.")                              \
  X(established, flag, "established", "Both sides went on to protected records.")                 \
  X(client_server_name, text, "client.server_name", "Name of the server the client wants (SNI).") \
  X(client_ja3, text, "client.ja3", "Fingerprint of the client's hello.")                         \
  X(client_ja4, text, "client.ja4", "Fingerprint of the client's hello.")                         \
  X(client_versions, text, "client.supported_versions[]", "Versions the client offers.")          \
  X(client_ciphers, text, "client.supported_ciphers[]", "Cipher suites the client offers.")       \
  X(client_groups, text, "client.supported_groups[]", "Groups the client offers.")                \
  X(client_alpn, text, "client.alpn[]", "Protocols the client offers.")                           \
  X(client_ech, flag, "client.ech", "Its hello has an encrypted one in it, or pretends so.")      \
  X(client_more_ja3, text, "client.more[].ja3", "Of a further hello that says something else.")   \
  X(client_more_ja4, text, "client.more[].ja4", "Its other fingerprint.")                         \
  X(client_more_name, text, "client.more[].server_name", "The name that it wants.")               \
  LINGER_CERTIFICATE_FIELDS(X, client)                                                            \
  X(server_ja3s, text, "server.ja3s", "Fingerprint of the server's hello.")                       \
  X(server_more_ja3s, text, "server.more[].ja3s", "Of a retry, or of a further handshake.")       \
  X(server_more_cipher, text, "server.more[].cipher", "Cipher suite that it chose.")              \
  LINGER_CERTIFICATE_FIELDS(X, server)                                                            \
  X(alert_source, text, "alerts[].source", "Who sent the alert: client or server.")               \
  X(alert_level, text, "alerts[].level", "Its level: warning or fatal.")                          \
  X(alert_description, text, "alerts[].description", "What it says.")                             \
  X(raw_client_hello, raw, "client_hello", "The client's hellos.")                                \
  X(raw_server_hello, raw, "server_hello", "The server's hellos.")                                \
  X(raw_key_exchange, raw, "key_exchange", "The server's key exchange, its begin.")               \
  X(raw_abbreviated, raw, "abbreviated", "The server changed ciphers without ServerHelloDone.")   \
  X(raw_client_certificate, raw, "client_certificate", "The client's certificates.")              \
  X(raw_server_certificate, raw, "server_certificate", "The server's certificates.")

enum class TlsField : std::uint8_t { LINGER_TLS_FIELDS(LINGER_FIELD_NAME) };

// The messages that are looked at.
enum class TlsMessage : std::uint8_t {
  client_hello = 1,
  server_hello = 2,
  certificate = 11,
  key_exchange = 12,
  server_hello_done = 14,
};

// Copies wanted messages as they come, in pieces; each behind a head of four bytes.
class TlsMessages {
 public:
  // The next bytes of what this side says. False: they are no messages.
  bool read(Bytes bytes, Facts& facts) noexcept;

  // So many bytes of what this side says were missed: what was told of their message stays. False:
  // where the next one begins is not known.
  bool miss(std::uint64_t bytes) noexcept;

  // A message begins, whatever is missing of the one before it, which may be told anew.
  void give_up() noexcept;

  // Known otherwise: by another protocol's hello, or by what the server says.
  void note_client() noexcept { is_client_ = true; }
  bool is_client() const noexcept { return is_client_; }
  bool is_server() const noexcept { return is_server_; }
  bool has_hello_done() const noexcept { return has_hello_done_; }
  // Of a message that has begun, more is to come.
  bool is_inside() const noexcept { return left_ != 0; }

 private:
  static constexpr std::size_t kHeadBytes = 4;
  // Of a certificate: its head, the length of the list, that of its first one.
  static constexpr std::size_t kCertificateHeadBytes = 10;
  // Of a key exchange: its head, what tells where its curve is.
  static constexpr std::size_t kKeyExchangeHeadBytes = 6;

  bool begin(Facts& facts) noexcept;
  void go_on(Bytes bytes, Facts& facts) noexcept;
  void next_certificate(Facts& facts) noexcept;
  void want(TlsField field, std::uint32_t bytes, Facts& facts) noexcept;
  void tell(Bytes bytes, Facts& facts) noexcept;
  std::uint16_t& told() noexcept;

  std::uint32_t left_ = 0;               // of the message
  std::uint32_t tell_left_ = 0;          // of it, that is told
  std::array<std::uint16_t, 3> told_{};  // of hellos, certificates, a key exchange
  std::uint16_t told_before_ = 0;        // this message
  std::array<std::uint8_t, kCertificateHeadBytes> head_;
  std::uint8_t head_bytes_ = 0;
  std::uint8_t certificates_ = 0;  // that are told
  TlsField field_{};
  bool is_wanted_ = false;   // the message: it is told as `field_`
  bool is_between_ = false;  // behind a certificate: what comes is the next one's length
  bool is_client_ = false;
  bool is_server_ = false;
  bool has_hello_done_ = false;
};

class Tls {
 public:
  // A record with a hello; of DTLS it may be the demand for another one, too.
  static constexpr Pattern kPatterns[] = {
      {Carrier::stream, R"(^\x16\x03[\x00-\x04][\x00-\x40].[\x01\x02])"},
      {Carrier::datagrams, R"(^\x16\xfe[\xfc-\xff]\x00\x00.{8}[\x01-\x03])"}};
  static constexpr std::size_t kRecordBytesMax = 16 * 1024 + 2 * 1024;  // RFC 5246 §6.2.3
  static constexpr std::uint32_t kHelloBytesMax = 12 * 1024;
  static constexpr std::uint32_t kCertificateBytesMax = 8 * 1024;
  static constexpr std::uint32_t kChainBytesMax = 16 * 1024;

  static Detection detect(Carrier carrier, Bytes bytes) noexcept;
  Answer on_data(unsigned side, Bytes bytes, Facts& facts) noexcept;
  Answer on_datagram(unsigned side, Bytes bytes, std::uint32_t sent_bytes, Facts& facts) noexcept;
  Answer on_gap(unsigned side, Bytes left, std::uint64_t count, Facts& facts) noexcept;
  void on_end(unsigned side, Bytes left, Facts& facts) noexcept;

 private:
  struct Side {
    TlsMessages messages;
    std::uint32_t record_left = 0;  // of a record of messages
    std::uint32_t offset = 0;       // in a message of DTLS, where it goes on
    std::uint32_t alert_end = 0;    // of DTLS: the record's number behind the last alert's
    std::uint32_t whole = 0;        // of DTLS: a bit for each of the first messages that was read
    std::uint16_t sequence = 0;     // of the message at `offset`
    bool is_begun = false;          // that message
    bool has_records = false;
    bool has_changed = false;  // ChangeCipherSpec
    bool is_protected = false;
    bool is_unsure = false;  // whether what comes is a record: it is behind a gap
    bool is_lost = false;    // what its messages are: where they begin was missed
    // Of an alert whose description is in the next record.
    std::optional<std::uint8_t> alert_level;
  };

  static Detection detect_datagram(Bytes bytes) noexcept;
  bool read_messages(unsigned side, Bytes bytes, Facts& facts) noexcept;
  void note_sides(unsigned side, std::uint8_t type) noexcept;
  bool read_fragments(unsigned side, Bytes record, bool& is_early, Facts& facts) noexcept;
  Answer on_record(Side& side, Bytes bytes, Facts& facts) noexcept;
  void read_alerts(Side& side, Bytes bytes, Facts& facts) noexcept;
  Answer on_protected(Side& side, Facts& facts) noexcept;

  std::array<Side, 2> sides_;
  bool is_verified_ = false;  // of DTLS: the client, by a cookie
};

}  // namespace linger
