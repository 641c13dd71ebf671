#include "parsers/socks.h"

#include <algorithm>
#include <charconv>

#include "parsers/list.h"

namespace linger {
namespace {

using Field = SocksField;

constexpr ProtocolField kFields[] = {LINGER_SOCKS_FIELDS(LINGER_FIELD_ROW)};

// The last two are Tor's ("Tor's extensions to the SOCKS protocol").
enum Command : std::uint8_t {
  kConnect = 1,
  kBind = 2,
  kUdpAssociate = 3,
  kResolve = 0xf0,
  kResolvePtr = 0xf1
};
enum Method : std::uint8_t {
  kNoAuthentication = 0,
  kGssapi = 1,
  kUserName = 2,
  kNoneAccepted = 255
};

constexpr std::string_view kReplies4[] = {"granted", "rejected", "identd-unreachable",
                                          "identd-mismatch"};
constexpr std::uint8_t kGranted4 = 90;
constexpr std::string_view kReplies5[] = {
    "succeeded",           "general-failure",       "not-allowed",
    "network-unreachable", "host-unreachable",      "connection-refused",
    "ttl-expired",         "command-not-supported", "address-type-not-supported"};

// Text up to a NUL from `at` on, in whole; npos: there is none yet.
std::size_t end_of_text(Bytes bytes, std::size_t at) noexcept {
  const auto end =
      std::find(bytes.begin() + static_cast<std::ptrdiff_t>(std::min(at, bytes.size())),
                bytes.end(), std::uint8_t{0});
  return end == bytes.end() ? std::string_view::npos
                            : static_cast<std::size_t>(end - bytes.begin());
}

bool is_printable(Bytes text) noexcept {
  return std::all_of(text.begin(), text.end(), [](auto c) { return c >= 0x20 && c != 0x7f; });
}

// Version 4a (SOCKS 4A, "SOCKS 4A: A Simple Extension to SOCKS 4 Protocol"): 0.0.0.x, x not 0.
bool has_domain4(Bytes request) noexcept { return load_be32(request.data() + 4) - 1 < 255; }

constexpr std::size_t kUserAt = 8;  // in a request of version 4

Detection detect4(Bytes bytes) noexcept {
  if (bytes.size() <= kUserAt) return Detection::maybe;
  if (load_be16(bytes.data() + 2) == 0 || load_be32(bytes.data() + 4) == 0) return Detection::no;
  std::size_t at = kUserAt;
  for (int texts = has_domain4(bytes) ? 2 : 1; texts != 0; --texts) {
    const std::size_t end = end_of_text(bytes, at);
    const bool is_whole = end != std::string_view::npos;
    if (!is_printable(bytes.subspan(at, (is_whole ? end : bytes.size()) - at)))
      return Detection::no;
    if (!is_whole) return bytes.size() < kDetectBytesMax ? Detection::maybe : Detection::yes;
    at = end + 1;
  }
  return Detection::yes;
}

// Methods that are assigned or private, each once, and one in use among them.
Detection detect5(Bytes bytes) noexcept {
  if (bytes.size() < 2) return Detection::maybe;
  const std::size_t count = bytes[1];
  const Bytes methods = bytes.subspan(2, std::min(count, bytes.size() - 2));
  bool is_usual = false;
  for (std::size_t i = 0; i < methods.size(); ++i) {
    const std::uint8_t method = methods[i];
    if (method > 9 && method < 0x80) return Detection::no;
    const Bytes before = methods.first(i);
    if (std::find(before.begin(), before.end(), method) != before.end()) return Detection::no;
    is_usual |= method <= kUserName;
  }
  if (methods.size() < count) return Detection::maybe;
  return is_usual ? Detection::yes : Detection::no;
}

// Bytes of a request or reply of version 5; 0: no type of address that there is.
std::size_t bytes_of5(Bytes bytes) noexcept {
  switch (bytes[3]) {
    case 1:
      return 4 + 4 + 2;
    case 3:
      return 4 + 1 + bytes[4] + 2u;
    case 4:
      return 4 + 16 + 2;
    default:
      return 0;
  }
}

// A proxy may know more than the standard has, or refuse it: then its number.
void tell_command(std::uint8_t command, Facts& facts) noexcept {
  const auto tell = [&](std::string_view text) { facts.text(Field::command, text); };
  switch (command) {
    case kConnect:
      return tell("connect");
    case kBind:
      return tell("bind");
    case kUdpAssociate:
      return tell("udp-associate");
    case kResolve:
      return tell("resolve");
    case kResolvePtr:
      return tell("resolve-ptr");
    default:
      char digits[3];
      const auto end = std::to_chars(digits, digits + sizeof digits, command).ptr;
      return tell({digits, static_cast<std::size_t>(end - digits)});
  }
}

struct AddressFields {
  Field domain, ip, port;
};
void tell_address5(Bytes whole, const AddressFields& fields, Facts& facts) noexcept {
  const std::size_t end = whole.size() - 2;
  if (whole[3] == 3)
    facts.text(fields.domain, whole.subspan(5, end - 5));
  else
    facts.address(fields.ip, whole.subspan(4, end - 4));
  facts.number(fields.port, load_be16(whole.data() + end));
}

}  // namespace

Detection Socks::detect(Carrier carrier, Bytes bytes) noexcept {
  if (carrier != Carrier::stream || bytes.empty()) return Detection::no;
  if (bytes[0] == 5) return detect5(bytes);
  return bytes[0] == 4 ? detect4(bytes) : Detection::no;
}

Answer Socks::on_data(unsigned side, Bytes bytes, Facts& facts) noexcept {
  if (side == facts.opener()) return read_client(bytes, facts);
  if (is_early(bytes) && bytes.size() < kUnitBytesMax) return Answer::need(bytes.size() + 1);
  return read_server(bytes, facts);
}

// What waited for its request; a choice among nothing is none.
void Socks::on_end(unsigned side, Bytes left, Facts& facts) noexcept {
  if (side == facts.opener() || left.empty()) return;
  if (answers_ != Answers::choice || left[0] == 0) read_server(left, facts);
}

// --- The client ---------------------------------------------------------------------------------

Answer Socks::read_client(Bytes bytes, Facts& facts) noexcept {
  switch (asks_) {
    case Asks::greeting: {
      if (bytes[0] == 4) return read_request4(bytes, facts);
      if (bytes[0] != 5) return Answer::malformed();
      if (bytes.size() < 2) return Answer::need(2);
      const std::size_t whole = 2u + bytes[1];
      if (bytes.size() < whole) return Answer::need(whole);
      for (const std::uint8_t method : bytes.subspan(2, whole - 2)) offered_.set(method);
      if (offered_.none()) return Answer::malformed();
      facts.number(Field::version, 5);
      asks_ = Asks::request;
      return Answer::took(whole);
    }
    case Asks::request:
      return bytes[0] == 1 && offered_[kUserName] ? read_user(bytes, facts)
                                                  : read_request5(bytes, facts);
    case Asks::nothing:
      break;
  }
  // What is said through the proxy, if it agrees: perhaps only this side is seen.
  return bytes.size() < kUnitBytesMax ? Answer::need(bytes.size() + 1) : Answer::done();
}

Answer Socks::read_user(Bytes bytes, Facts& facts) noexcept {
  if (bytes.size() < 2) return Answer::need(2);
  const std::size_t user = bytes[1];
  if (bytes.size() < 3 + user) return Answer::need(3 + user);
  const std::size_t whole = 3 + user + bytes[2 + user];
  if (bytes.size() < whole) return Answer::need(whole);
  facts.text(Field::user, bytes.subspan(2, user));
  return Answer::took(whole);
}

Answer Socks::read_request4(Bytes bytes, Facts& facts) noexcept {
  if (bytes.size() <= kUserAt) return Answer::need(kUserAt + 1);
  const std::size_t user_end = end_of_text(bytes, kUserAt);
  const bool is_named = has_domain4(bytes);
  std::size_t end = user_end;
  if (is_named && user_end != std::string_view::npos) end = end_of_text(bytes, user_end + 1);
  if (std::min(end, bytes.size()) > kUserAt + 2 * kTextMax) return Answer::malformed();
  if (end == std::string_view::npos) return Answer::need(bytes.size() + 1);
  command_ = bytes[1];
  if (command_ != kConnect && command_ != kBind) return Answer::malformed();
  facts.number(Field::version, 4);
  if (user_end != kUserAt) facts.text(Field::user, bytes.subspan(kUserAt, user_end - kUserAt));
  tell_command(command_, facts);
  if (is_named)
    facts.text(Field::domain, bytes.subspan(user_end + 1, end - user_end - 1));
  else
    facts.address(Field::ip, bytes.subspan(4, 4));
  facts.number(Field::port, load_be16(bytes.data() + 2));
  asks_ = Asks::nothing;
  return Answer::took(end + 1);
}

Answer Socks::read_request5(Bytes bytes, Facts& facts) noexcept {
  if (bytes[0] != 5) return Answer::malformed();
  if (bytes.size() < 5) return Answer::need(5);
  const std::size_t whole = bytes_of5(bytes);
  if (whole == 0) return Answer::malformed();
  if (bytes.size() < whole) return Answer::need(whole);
  command_ = bytes[1];
  tell_command(command_, facts);
  tell_address5(bytes.first(whole), {Field::domain, Field::ip, Field::port}, facts);
  asks_ = Asks::nothing;
  return Answer::took(whole);
}

// --- The proxy ----------------------------------------------------------------------------------

// What a reply brings about, its request says, and what may be chosen, the greeting.
bool Socks::is_early(Bytes reply) const noexcept {
  if (answers_ == Answers::choice && reply[0] != 0) return offered_.none();
  return answers_ != Answers::status && asks_ != Asks::nothing;
}

Answer Socks::read_server(Bytes bytes, Facts& facts) noexcept {
  if (answers_ == Answers::choice) {
    if (bytes[0] == 0) return read_reply4(bytes, facts);
    return read_choice(bytes, facts);
  }
  if (answers_ == Answers::reply) return read_reply5(bytes, facts);
  if (bytes.size() < 2) return Answer::need(2);  // RFC 1929 §2: 0 is success
  if (bytes[1] != 0) return end_reply(false, 0, facts);
  answers_ = Answers::reply;
  return Answer::took(2);
}

Answer Socks::read_choice(Bytes bytes, Facts& facts) noexcept {
  if (bytes[0] != 5) return Answer::malformed();
  if (bytes.size() < 2) return Answer::need(2);
  const std::uint8_t method = bytes[1];
  if (!offered_[method] && method != kNoneAccepted) return Answer::malformed();
  facts.number(Field::method, method);
  if (method == kNoneAccepted) return end_reply(false, 0, facts);
  if (method != kNoAuthentication && method != kUserName) return Answer::done();
  answers_ = method == kUserName ? Answers::status : Answers::reply;
  return Answer::took(2);
}

Answer Socks::read_reply4(Bytes bytes, Facts& facts) noexcept {
  constexpr std::size_t kBytes = 8;
  if (bytes.size() < kBytes) return Answer::need(kBytes);
  const unsigned code = bytes[1];
  if (code < kGranted4 || code - kGranted4 >= std::size(kReplies4)) return Answer::malformed();
  facts.number(Field::reply_code, code);
  facts.text(Field::reply, kReplies4[code - kGranted4]);
  facts.address(Field::bound_ip, bytes.subspan(4, 4));
  facts.number(Field::bound_port, load_be16(bytes.data() + 2));
  return end_reply(code == kGranted4, kBytes, facts);
}

Answer Socks::read_reply5(Bytes bytes, Facts& facts) noexcept {
  if (bytes[0] != 5) return Answer::malformed();
  if (bytes.size() < 5) return Answer::need(5);
  const std::size_t whole = bytes_of5(bytes);
  if (whole == 0) return Answer::malformed();
  if (bytes.size() < whole) return Answer::need(whole);
  const unsigned code = bytes[1];
  facts.number(Field::reply_code, code);
  if (code < std::size(kReplies5)) facts.text(Field::reply, kReplies5[code]);
  tell_address5(bytes.first(whole), {Field::bound_domain, Field::bound_ip, Field::bound_port},
                facts);
  return end_reply(code == 0, whole, facts);
}

// A bind has a second reply, when somebody has connected (RFC 1928 §6).
Answer Socks::end_reply(bool is_good, std::size_t taken, Facts& facts) noexcept {
  if (!is_good) {
    facts.flag(Field::failed);
    return Answer::done();
  }
  if (command_ == kBind && !has_reply_) {
    has_reply_ = true;
    return Answer::took(taken);
  }
  const bool is_tunnel = command_ == kConnect || command_ == kBind;
  return is_tunnel ? Answer::hand_over(taken) : Answer::done();
}

namespace parser {
constinit const Parser socks = make_parser<Socks>({.name = "socks", .fields = kFields});
}  // namespace parser

}  // namespace linger
