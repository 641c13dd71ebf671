// How protocols that are not read otherwise ask for TLS, so that it is read behind that.
//
//     POP3 STLS (RFC 2595 §4), IMAP tag STARTTLS (RFC 9051 §6.2.1), STARTTLS of IRC, NNTP, …
//     LDAP an extended request of 1.3.6.1.4.1.1466.20037                          RFC 4511 §4.14
//     RDP a request of security protocols in X.224's connection request   [MS-RDPBCGR] §2.2.1.1
//     PostgreSQL SSLRequest, perhaps behind a GSSENCRequest; MySQL a login of 32 bytes with its
//       CLIENT_SSL: as their manuals have them
//     ADB STLS, which both sides say, the device perhaps first: Android's adb, protocol.txt
//
// Taken is who says so in his first bytes, with nothing before it but questions of what the server
// can do. What the server says is passed over, line by line or message by message, up to a record
// of TLS, which may have been captured before what it answers. If the client goes on with one, TLS
// begins. No other state; kUnitBytesMax wait for the client.
#pragma once

#include <cstdint>

#include "parsers/facts.h"
#include "parsers/parser.h"

namespace linger {

#define LINGER_STARTTLS_FIELDS(X)                                                             \
  X(protocol, text, "protocol",                                                               \
    "Who asked for TLS: adb, imap, ldap, mysql, pop3, postgresql, rdp; text: another one of " \
    "lines.")

enum class StarttlsField : std::uint8_t { LINGER_STARTTLS_FIELDS(LINGER_FIELD_NAME) };

class Starttls {
 public:
  static constexpr Pattern kPatterns[] = {
      {Carrier::stream, R"(^\x00\x00\x00\x08\x04\xd2\x16\x2f)"},
      {Carrier::stream, R"(^\x00\x00\x00\x08\x04\xd2\x16\x30\x00\x00\x00\x08\x04\xd2\x16\x2f)"},
      {Carrier::stream, R"(^\x20\x00\x00\x01.[\x08-\xff])"},
      {Carrier::stream, R"(^\x03\x00\x00..\xe0\x00\x00)"},
      {Carrier::stream, R"(^(CNXN|STLS)[\x00\x01]\x00\x00\x01)"},
      {Carrier::stream,
       R"(^\x30(.|\x81.|\x84.{4})\x02(\x01.|\x02.{2}|\x04.{4})\x77(.|\x81.|\x84.{4}))"
       R"(\x80(\x16|\x84\x00{3}\x16)1\.3\.6\.1\.4\.1\.1466\.20037)"},
      {Carrier::stream, R"(^(?i)(auth|capa|capabilities|stls|starttls)\r?\n)"},
      {Carrier::stream, R"(^(?i)[0-9a-z.]{1,12} (capability|starttls|id |noop))"}};

  static Detection detect(Carrier carrier, Bytes bytes) noexcept;
  Answer on_data(unsigned side, Bytes bytes, Facts& facts) noexcept;

  // What is spoken before TLS: each has units of its own.
  enum class Speech : std::uint8_t { lines, postgresql, mysql, ldap, rdp, adb };

 private:
  static Answer read_server(Speech speech, Bytes bytes) noexcept;

  bool has_asked_ = false;
  std::uint8_t client_ = 0;  // its side, once it has
  Speech speech_{};
};

}  // namespace linger
