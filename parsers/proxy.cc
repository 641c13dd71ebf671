#include "parsers/proxy.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "engine/base/crc32c.h"
#include "engine/base/socket_headers.h"
#include "parsers/lines.h"
#include "parsers/list.h"

namespace linger {
namespace {

using Field = ProxyField;

constexpr ProtocolField kFields[] = {LINGER_PROXY_FIELDS(LINGER_FIELD_ROW)};

constexpr std::string_view kSignature1 = "PROXY ";
constexpr std::string_view kSignature2{"\r\n\r\n\0\r\nQUIT\n", 12};
constexpr std::size_t kHeaderBytes2 = 16;

// --- Version 1 ----------------------------------------------------------------------------------

std::string_view next_word(std::string_view& rest) noexcept {
  const std::size_t end = std::min(rest.find(' '), rest.size());
  const std::string_view word = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return word;
}

struct AddressText {
  std::array<std::uint8_t, 16> bytes;
  std::size_t size;

  Bytes view() const noexcept { return {bytes.data(), size}; }
};
bool read_address(std::string_view text, bool is_v6, AddressText& address) noexcept {
  char room[INET6_ADDRSTRLEN] = {};
  if (text.size() >= sizeof room) return false;
  std::copy(text.begin(), text.end(), room);
  address.size = is_v6 ? 16 : 4;
  return inet_pton(is_v6 ? AF_INET6 : AF_INET, room, address.bytes.data()) == 1;
}

bool read_port(std::string_view text, std::uint16_t& port) noexcept {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc{} && end == text.data() + text.size();
}

// False: not as §2.1 has it.
bool tell_line(std::string_view line, Facts& facts) noexcept {
  line.remove_prefix(kSignature1.size());
  const std::string_view family = next_word(line);
  if (family == "UNKNOWN") {
    facts.number(Field::version, 1);
    return true;
  }
  if (family != "TCP4" && family != "TCP6") return false;
  AddressText source, destination;
  std::uint16_t source_port = 0, destination_port = 0;
  const bool is_v6 = family == "TCP6";
  if (!read_address(next_word(line), is_v6, source) ||
      !read_address(next_word(line), is_v6, destination) ||
      !read_port(next_word(line), source_port) || !read_port(line, destination_port))
    return false;
  facts.number(Field::version, 1);
  facts.text(Field::command, "proxy");
  facts.text(Field::transport, "tcp");
  facts.address(Field::ip, source.view());
  facts.number(Field::port, source_port);
  facts.address(Field::destination_ip, destination.view());
  facts.number(Field::destination_port, destination_port);
  return true;
}

Answer read_line(Bytes bytes, Facts& facts) noexcept {
  std::size_t taken;
  const Bytes line = line_of(bytes.first(std::min(bytes.size(), Proxy::kLineBytesMax)), taken);
  if (taken == 0)
    return bytes.size() < Proxy::kLineBytesMax ? Answer::need(bytes.size() + 1)
                                               : Answer::malformed();
  const bool has_crlf = line.size() + 2 == taken;
  return has_crlf && tell_line(text_of(line), facts) ? Answer::hand_over(taken)
                                                     : Answer::malformed();
}

// --- Version 2 ----------------------------------------------------------------------------------

enum Type : std::uint8_t {  // §2.2
  kAlpn = 0x01,
  kAuthority = 0x02,
  kCrc32c = 0x03,
  kNoop = 0x04,
  kUniqueId = 0x05,
  kTls = 0x20,
  kTlsVersion = 0x21,
  kTlsName = 0x22,
  kTlsCipher = 0x23,
  kNetworkNamespace = 0x30,
  kFirstCustom = 0xe0,
};

struct Value {
  std::uint8_t type;
  Bytes bytes;
};
bool next_value(Reader& reader, Value& value) noexcept {
  value.type = reader.u8();
  value.bytes = reader.bytes(reader.be16());
  return reader.ok();
}

// Behind a header of no family: nothing but values of types that there are. What is not may be
// addresses, which are to be ignored (§2.2).
bool are_values(Bytes bytes) noexcept {
  constexpr std::uint8_t kTypes[] = {kAlpn,     kAuthority, kCrc32c,          kNoop,
                                     kUniqueId, kTls,       kNetworkNamespace};
  Reader reader(bytes);
  for (Value value; reader.remaining() != 0;) {
    if (!next_value(reader, value)) return false;
    const bool has_name =
        std::find(std::begin(kTypes), std::end(kTypes), value.type) != std::end(kTypes);
    if (!has_name && value.type < kFirstCustom) return false;
  }
  return true;
}

// client(1) verify(4), then values (§2.2.6).
void tell_tls(Bytes bytes, Facts& facts) noexcept {
  constexpr std::uint8_t kHasCertificate = 0x06;  // in this connection, or in its session
  Reader reader(bytes);
  const std::uint8_t client = reader.u8();
  const std::uint32_t verify = reader.be32();
  if (!reader.ok()) return;
  if ((client & kHasCertificate) != 0 && verify == 0) facts.flag(Field::tls_verified);
  for (Value value; reader.remaining() != 0 && next_value(reader, value);) {
    if (value.type == kTlsVersion) facts.text(Field::tls_version, value.bytes);
    if (value.type == kTlsName) facts.text(Field::tls_name, value.bytes);
    if (value.type == kTlsCipher) facts.text(Field::tls_cipher, value.bytes);
  }
}

// `rest` of them may be told without name.
void tell_value(const Value& value, int& rest, Facts& facts) noexcept {
  switch (value.type) {
    case kAlpn:
      return facts.text(Field::alpn, value.bytes);
    case kAuthority:
      return facts.text(Field::authority, value.bytes);
    case kUniqueId:
      return facts.bytes(Field::unique_id, value.bytes);
    case kNetworkNamespace:
      return facts.text(Field::network_namespace, value.bytes);
    case kTls:
      return tell_tls(value.bytes, facts);
    case kCrc32c:
    case kNoop:
      return;
    default:
      rest-- > 0 ? facts.number(Field::other, value.type) : facts.leave_out();
  }
}

// Bytes of the addresses of a family (§2.2); 0: none that can be told.
std::size_t address_bytes(std::uint8_t family) noexcept {
  return family == 1 ? 4 : family == 2 ? 16 : 0;
}

void tell_addresses(Bytes addresses, unsigned family, unsigned transport, Facts& facts) noexcept {
  constexpr std::string_view kTransports[] = {"", "tcp", "udp"};
  constexpr unsigned kUnix = 3;
  if (family == kUnix) return facts.text(Field::transport, "unix");
  const std::size_t size = address_bytes(static_cast<std::uint8_t>(family));
  if (size == 0 || transport == 0 || transport >= std::size(kTransports)) return;
  facts.text(Field::transport, kTransports[transport]);
  facts.address(Field::ip, addresses.first(size));
  facts.address(Field::destination_ip, addresses.subspan(size, size));
  facts.number(Field::port, load_be16(addresses.data() + 2 * size));
  facts.number(Field::destination_port, load_be16(addresses.data() + 2 * size + 2));
}

// Finds the checksum, of which there is one (§2.2.3): more are wrong. False: the values are not as
// they should be.
bool check(Bytes header, Bytes values, bool& has_checksum, bool& is_right) noexcept {
  Reader reader(values);
  Bytes checksum;
  bool is_good = true;
  for (Value value; is_good && reader.remaining() != 0;) {
    is_good = next_value(reader, value);
    if (!is_good || value.type != kCrc32c || value.bytes.size() != 4) continue;
    is_right = !std::exchange(has_checksum, true);
    checksum = value.bytes;
  }
  if (!has_checksum || !is_right) return is_good;
  const auto place = static_cast<std::size_t>(checksum.data() - header.data());
  is_right = crc32c_of(header, place) == load_be32(checksum.data());
  return is_good;
}

Answer read_header(Bytes bytes, Facts& facts) noexcept {
  if (bytes.size() < kHeaderBytes2) return Answer::need(kHeaderBytes2);
  const unsigned version = bytes[12] >> 4, command = bytes[12] & 15;
  const unsigned family = bytes[13] >> 4, transport = bytes[13] & 15;
  const std::size_t whole = kHeaderBytes2 + load_be16(bytes.data() + 14);
  if (version != 2 || command > 1 || whole > kUnitBytesMax) return Answer::malformed();
  if (bytes.size() < whole) return Answer::need(whole);
  constexpr std::size_t kAddressesBytes[] = {0, 12, 36, 216};  // §2.2, by family
  const std::size_t addresses = family < std::size(kAddressesBytes) ? kAddressesBytes[family] : 0;
  if (addresses > whole - kHeaderBytes2) return Answer::malformed();
  const Bytes header = bytes.first(whole);
  Bytes values = header.subspan(kHeaderBytes2 + addresses);
  if (family == 0 && !are_values(values)) values = {};
  bool has_checksum = false, is_right = true;
  const bool is_proxy = command == 1;
  if (!check(header, values, has_checksum, is_right) && is_proxy) return Answer::malformed();
  facts.number(Field::version, 2);
  facts.text(Field::command, is_proxy ? std::string_view("proxy") : "local");
  if (has_checksum) facts.text(Field::checksum, is_right ? std::string_view("right") : "wrong");
  if (is_proxy && is_right) {
    tell_addresses(header.subspan(kHeaderBytes2, addresses), family, transport, facts);
    Reader reader(values);
    int rest = Proxy::kOthersMax;
    for (Value value; reader.remaining() != 0 && next_value(reader, value);)
      tell_value(value, rest, facts);
  }
  return Answer::hand_over(whole);
}

bool is_start(Bytes bytes, std::string_view signature) noexcept {
  return text_of(bytes).substr(0, signature.size()) == signature;
}

}  // namespace

Detection Proxy::detect(Carrier carrier, Bytes bytes) noexcept {
  if (carrier == Carrier::datagrams)
    return bytes.size() >= kHeaderBytes2 && is_start(bytes, kSignature2) ? Detection::yes
                                                                         : Detection::no;
  for (const std::string_view signature : {kSignature1, kSignature2}) {
    if (is_start(bytes, signature)) return Detection::yes;
    if (signature.starts_with(text_of(bytes))) return Detection::maybe;
  }
  return Detection::no;
}

Answer Proxy::on_data(unsigned side, Bytes bytes, Facts& facts) noexcept {
  const Detection detection = detect(Carrier::stream, bytes);  // it may have gone by the other side
  if (side != facts.opener())  // an answer that was captured before the header
    return detection == Detection::yes ? Answer::malformed() : Answer::need(bytes.size() + 1);
  if (detection == Detection::maybe) return Answer::need(bytes.size() + 1);
  if (detection == Detection::no) return Answer::malformed();
  return bytes[0] == 'P' ? read_line(bytes, facts) : read_header(bytes, facts);
}

Answer Proxy::on_datagram(unsigned side, Bytes bytes, std::uint32_t, Facts& facts) noexcept {
  const bool is_told =
      side == facts.opener() && read_header(bytes, facts).kind == Answer::Kind::hand_over;
  return is_told ? Answer::done() : Answer::malformed();
}

namespace parser {
constinit const Parser proxy =
    make_parser<Proxy>({.name = "proxy", .fields = kFields, .object = "client"});
}  // namespace parser

}  // namespace linger
