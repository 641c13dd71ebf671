#include "parsers/starttls.h"

#include <algorithm>

#include "parsers/lines.h"
#include "parsers/list.h"

namespace linger {
namespace {

using Field = StarttlsField;

constexpr ProtocolField kFields[] = {LINGER_STARTTLS_FIELDS(LINGER_FIELD_ROW)};

using Speech = Starttls::Speech;

struct Request {
  std::string_view protocol;
  std::size_t bytes = 0;  // up to its end
  Speech speech = Speech::lines;
};

Detection whole(Bytes bytes, std::size_t count, std::string_view protocol, Speech speech,
                Request& request) {
  request = {protocol, count, speech};
  return bytes.size() < count ? Detection::maybe : Detection::yes;
}

// Length (4), then 1234 and 5679, perhaps behind the same with 5680, which the server did not agree
// to (PostgreSQL, Frontend/Backend Protocol, SSLRequest and GSSENCRequest).
Detection find_postgresql(Bytes bytes, Request& request) noexcept {
  constexpr std::size_t kBytes = 8;
  const bool has_asked_other = bytes.size() >= kBytes && bytes[kBytes - 1] == 0x30;
  return whole(bytes, has_asked_other ? 2 * kBytes : kBytes, "postgresql", Speech::postgresql,
               request);
}

// Length (3), number (1), capabilities (4), most bytes of a packet (4), characters (1), zeros (19),
// which MariaDB has four bytes behind (MySQL, Protocol::SSLRequest).
Detection find_mysql(Bytes bytes, Request& request) noexcept {
  constexpr std::size_t kBytes = 4 + 32, kZerosAt = 13, kZeros = 19;
  constexpr std::uint8_t kClientSsl = 0x08;  // of the second byte of the capabilities
  if (bytes.size() > 5 && (bytes[5] & kClientSsl) == 0) return Detection::no;
  for (std::size_t i = kZerosAt; i < std::min(bytes.size(), kZerosAt + kZeros); ++i)
    if (bytes[i] != 0) return Detection::no;
  return whole(bytes, kBytes, "mysql", Speech::mysql, request);
}

// An element of BER (X.690 §8.1); no bytes: more are needed. Some write a length in four bytes that
// would fit in one.
struct Element {
  std::size_t bytes = 0, head_bytes = 0;
};
Element element_of(Bytes bytes) noexcept {
  constexpr std::uint8_t kLong = 0x80;
  if (bytes.size() < 2) return {};
  if (bytes[1] < kLong) return {2u + bytes[1], 2};
  const std::size_t count = bytes[1] - kLong;
  if (count > 4) return {UINT32_MAX, 2};  // longer than any
  if (bytes.size() < 2 + count) return {};
  std::size_t length = 0;
  for (std::size_t i = 0; i < count; ++i) length = length << 8 | bytes[2 + i];
  return {2 + count + length, 2 + count};
}

// A tag of IMAP may begin with a zero, too.
bool is_ldap(Bytes bytes) noexcept {
  return bytes.size() > 2 && bytes[0] == 0x30 && (bytes[1] > 0x7f || bytes[2] == 2);
}

// A sequence, in it the number of the message and an extended request (RFC 4511 §4.12), whose name
// the pattern has seen.
Detection find_ldap(Bytes bytes, Request& request) noexcept {
  constexpr std::uint8_t kNumber = 0x02, kRequest = 0x77;
  const Element message = element_of(bytes);
  const Element number = element_of(bytes.subspan(message.head_bytes));
  const std::size_t place = message.head_bytes + number.bytes;
  if (number.bytes == 0 || bytes.size() <= place) return Detection::maybe;
  if (bytes[message.head_bytes] != kNumber || bytes[place] != kRequest) return Detection::no;
  return whole(bytes, message.bytes, "ldap", Speech::ldap, request);
}

// TPKT (4), its length in the second half; connection request (7); then perhaps a cookie or token
// up to CRLF; then type (1), flags (1), length (2), protocols (4) of the negotiation: any but 0 is
// TLS
// ([MS-RDPBCGR] §2.2.1.1).
Detection find_rdp(Bytes bytes, Request& request) noexcept {
  constexpr std::size_t kFixedBytes = 11, kNegotiationBytes = 8;
  constexpr std::uint8_t kRequest = 1;
  if (bytes.size() < 4) return Detection::maybe;
  const std::size_t length = load_be16(bytes.data() + 2);
  if (length < kFixedBytes + kNegotiationBytes) return Detection::no;
  if (whole(bytes, length, "rdp", Speech::rdp, request) != Detection::yes) return Detection::maybe;
  Bytes rest = bytes.first(length).subspan(kFixedBytes);
  const std::size_t end = text_of(rest).find("\r\n");
  if (rest[0] != kRequest && end != std::string_view::npos) rest = rest.subspan(end + 2);
  const bool is_asked =
      rest.size() >= kNegotiationBytes && rest[0] == kRequest && load_le32(rest.data() + 4) != 0;
  return is_asked ? Detection::yes : Detection::no;
}

bool is_adb(Bytes bytes) noexcept {
  const std::string_view text = text_of(bytes);
  return bytes.size() > 4 && bytes[4] <= 1 &&
         (text.starts_with("CNXN") || text.starts_with("STLS"));
}

// Messages of command (4), arguments (8), bytes of data (4), their sum (4), the command's
// complement (4), data.
Detection find_adb(Bytes bytes, Request& request) noexcept {
  constexpr std::size_t kHeadBytes = 24;
  for (std::size_t done = 0; bytes.size() >= done + kHeadBytes;) {
    const std::uint8_t* const head = bytes.data() + done;
    if (load_le32(head + 20) != ~load_le32(head)) return Detection::no;
    const bool is_request = text_of(bytes).substr(done, 4) == "STLS";
    done += kHeadBytes + load_le32(head + 12);
    if (is_request) return whole(bytes, done, "adb", Speech::adb, request);
  }
  return Detection::maybe;
}

// What may come before: a question of capabilities, an introduction, nothing.
bool is_harmless(std::string_view command) noexcept {
  constexpr std::string_view kHarmless[] = {"auth",         "capa", "capability",
                                            "capabilities", "id",   "noop"};
  return std::any_of(std::begin(kHarmless), std::end(kHarmless),
                     [&](auto harmless) { return equals(command, harmless); });
}

Detection find_line(Bytes bytes, Request& request) noexcept {
  constexpr int kLinesMax = 8;
  std::size_t done = 0;
  for (int count = 0; count < kLinesMax; ++count) {
    std::size_t taken;
    const std::string_view line = text_of(line_of(bytes.subspan(done), taken));
    if (taken == 0) return Detection::maybe;
    done += taken;
    const std::size_t space = std::min(line.find(' '), line.size());
    const std::string_view first = line.substr(0, space);
    const std::string_view rest = trimmed(line.substr(space));  // of IMAP, whose lines have a tag
    const std::string_view command = rest.substr(0, rest.find(' '));
    request.bytes = done;
    request.protocol = rest.empty() ? equals(first, "stls") ? "pop3" : "text" : "imap";
    if (rest.empty() && (equals(first, "stls") || equals(first, "starttls"))) return Detection::yes;
    if (equals(command, "starttls")) return Detection::yes;
    if (!is_harmless(rest.empty() ? first : command)) return Detection::no;
  }
  return Detection::no;
}

Detection find_request(Bytes bytes, Request& request) noexcept {
  if (is_adb(bytes)) return find_adb(bytes, request);
  switch (bytes[0]) {
    case 0x00:
      return find_postgresql(bytes, request);
    case 0x03:
      return find_rdp(bytes, request);
    case 0x20:
      return find_mysql(bytes, request);
    case 0x30:
      return is_ldap(bytes) ? find_ldap(bytes, request) : find_line(bytes, request);
    default:
      return find_line(bytes, request);
  }
}

// Of one that was heard before its client: what it greets with, or answers.
Speech speech_of_server(Bytes bytes) noexcept {
  constexpr std::uint8_t kMysqlVersion = 10;
  if (is_adb(bytes)) return Speech::adb;
  if (bytes[0] == 0x03) return Speech::rdp;
  if (is_ldap(bytes)) return Speech::ldap;
  const bool is_mysql = bytes.size() > 4 && bytes[3] == 0 && bytes[4] == kMysqlVersion;
  return is_mysql ? Speech::mysql : Speech::lines;
}

// Bytes of what a server says at once; 0: more are needed.
std::size_t unit_of(Speech speech, Bytes bytes) noexcept {
  const auto with_head = [&](std::size_t head_bytes, const auto& rest) {
    return bytes.size() < head_bytes ? std::size_t{0} : head_bytes + rest(bytes.data());
  };
  std::size_t taken = 0;
  switch (speech) {
    case Speech::lines:
      line_of(bytes, taken);
      return taken;
    case Speech::postgresql:  // a letter for each question
      return 1;
    case Speech::mysql:  // length (3), number (1)
      return with_head(4, [](const std::uint8_t* head) { return load_le32(head) & 0xffffff; });
    case Speech::ldap:
      return element_of(bytes).bytes;
    case Speech::rdp:
      return with_head(4, [](const std::uint8_t* head) {
        return std::max<std::uint32_t>(4, load_be16(head + 2)) - 4;
      });
    case Speech::adb:
      return with_head(24, [](const std::uint8_t* head) { return load_le32(head + 12); });
  }
  return 0;
}

}  // namespace

// The patterns have said how it begins.
Detection Starttls::detect(Carrier carrier, Bytes bytes) noexcept {
  if (carrier != Carrier::stream || bytes.empty()) return Detection::no;
  Request request;
  return find_request(bytes, request);
}

Answer Starttls::on_data(unsigned side, Bytes bytes, Facts& facts) noexcept {
  if (has_asked_) {
    if (side != client_) return read_server(speech_, bytes);
    return bytes[0] == kTlsHandshake ? Answer::hand_over(0) : Answer::done();
  }
  Request request;
  if (find_request(bytes, request) != Detection::yes)
    return read_server(speech_of_server(bytes), bytes);
  // The device asks: the client does, too, behind what was too long to be looked at.
  if (request.speech == Speech::adb && side != facts.opener())
    return Answer::hand_over(request.bytes);
  has_asked_ = true;
  client_ = static_cast<std::uint8_t>(side);
  speech_ = request.speech;
  facts.text(Field::protocol, request.protocol);
  return Answer::took(request.bytes);
}

// What is not TLS, which waits for the client's.
Answer Starttls::read_server(Speech speech, Bytes bytes) noexcept {
  std::size_t done = 0;
  while (done < bytes.size() && bytes[done] != kTlsHandshake) {
    const std::size_t unit = unit_of(speech, bytes.subspan(done));
    if (unit == 0) break;
    done += unit;
  }
  if (done != 0) return Answer::took(done);
  return bytes.size() < kUnitBytesMax ? Answer::need(bytes.size() + 1) : Answer::took_all();
}

namespace parser {
constinit const Parser starttls =
    make_parser<Starttls>({.name = "starttls",
                           .fields = kFields,
                           .naming_field = static_cast<std::uint8_t>(Field::protocol)});
}  // namespace parser

}  // namespace linger
