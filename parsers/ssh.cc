#include "parsers/ssh.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "parsers/derived.h"
#include "parsers/digest.h"
#include "parsers/lines.h"
#include "parsers/list.h"

namespace linger {
namespace {

using Field = SshField;

constexpr ProtocolField kFields[] = {LINGER_SSH_FIELDS(LINGER_FIELD_ROW)};

enum MessageType : std::uint8_t {  // RFC 4250 §4.1.2; those of key exchanges by their numbers
  kKexInit = 20,
  kNewKeys = 21,
  kFirstOfExchange = 30,
};

constexpr std::size_t kHeadBytes = 6;  // length, padding, type
constexpr std::size_t kCookieBytes = 16;
constexpr std::size_t kPacketBytesMax = 256 * 1024;  // more than any implementation takes

// --- Where the record is encoded ----------------------------------------------------------------

enum List : std::size_t {
  kex,
  host_key,
  cipher_client,
  cipher_server,
  mac_client,
  mac_server,
  compression_client,
  compression_server,
  kListCount
};

// What a side offers: the lists of its KEXINIT, in the order of the message.
struct Offer {
  std::array<std::string_view, kListCount> lists;
  bool is_whole = false;
};
Offer offer_of(Bytes payload) noexcept {
  Offer offer;
  Reader reader(payload);
  reader.skip(kCookieBytes);
  for (std::string_view& list : offer.lists) list = text_of(reader.bytes(reader.be32()));
  offer.is_whole = reader.ok();
  return offer;
}

// The first of the client's algorithms that the server has, too (RFC 4253 §7.1). Looked for in
// order: lists of thousands of names, each held against each, would take a tenth of a second.
std::string_view agreed(std::string_view client, std::string_view server) {
  const auto next = [](std::string_view& list) {
    const std::string_view name = list.substr(0, list.find(','));
    list.remove_prefix(std::min(list.size(), name.size() + 1));
    return name;
  };
  std::vector<std::string_view> known;
  while (!server.empty()) known.push_back(next(server));
  std::sort(known.begin(), known.end());
  while (!client.empty()) {
    const std::string_view wanted = next(client);
    if (std::binary_search(known.begin(), known.end(), wanted)) return wanted;
  }
  return {};
}

// Encrypts and authenticates; the lists of MACs count for nothing then (RFC 5647 §5.1, OpenSSH's
// PROTOCOL §1.6 and PROTOCOL.chacha20poly1305).
bool has_own_mac(std::string_view cipher) noexcept {
  return cipher.starts_with("AEAD_") || cipher.find("-gcm") != std::string_view::npos ||
         cipher.find("-poly1305") != std::string_view::npos;
}

void tell(Derived& derived, Field field, std::string_view value) {
  if (!value.empty()) derived.text(field, value);
}

// SSH-version-software comments
void tell_banner(Derived& derived, Field whole, Field version, Field software,
                 std::string_view line) {
  tell(derived, whole, line);
  if (!line.starts_with("SSH-")) return;
  const std::size_t dash = line.find('-', 4);
  tell(derived, version, line.substr(4, dash - 4));
  if (dash == std::string_view::npos) return;
  const std::string_view rest = line.substr(dash + 1);
  tell(derived, software, rest.substr(0, rest.find(' ')));
}

void tell_hassh(Derived& derived, Field field, const Offer& offer, List cipher, List mac,
                List compression) {
  std::string all(offer.lists[kex]);
  for (const List list : {cipher, mac, compression}) all.append(";").append(offer.lists[list]);
  derived.text(field, Digest(DigestKind::md5, all).text());
}

// Which side is the client. It sends the messages of even numbers of a key exchange, but for those
// by RSA, where the server does (RFC 4432 §4): so the numbers say it unless either side as the
// client would fit them, or none. Or else an offer tells (RFC 8308 §2.1).
unsigned client_of(const std::array<Offer, 2>& offers, unsigned opener, unsigned even) {
  const auto fits = [&](unsigned client) {
    const auto name = agreed(offers[client].lists[kex], offers[client ^ 1].lists[kex]);
    return (client == even) != name.starts_with("rsa");
  };
  if (even < 2 && fits(0) != fits(1)) return fits(0) ? 0 : 1;
  for (unsigned side = 0; side < 2; ++side) {
    if (offers[side].lists[kex].find("ext-info-c") != std::string_view::npos) return side;
    if (offers[side].lists[kex].find("ext-info-s") != std::string_view::npos) return side ^ 1;
  }
  return opener;
}

void derive(std::uint8_t protocol, ItemReader items, ItemWriter& more) {
  std::array<std::string_view, 2> banners;
  std::array<Offer, 2> offers;
  unsigned opener = 0, even = 2;
  for (Item item; items.next(item);) {
    if (item.protocol != protocol) continue;
    if (item.field <= static_cast<std::uint8_t>(Field::banner_of_1)) {
      banners[item.field] = text_of(item.value);
    } else if (item.field <= static_cast<std::uint8_t>(Field::offer_of_1)) {
      offers[item.field - static_cast<std::uint8_t>(Field::offer_of_0)] = offer_of(item.value);
    } else if (item.field == static_cast<std::uint8_t>(Field::sides)) {
      opener = number_of(item.value) & 1;
      even = number_of(item.value) >> 1;
    }
  }
  const unsigned client = client_of(offers, opener, even), server = client ^ 1;
  Derived derived(protocol, more);
  tell_banner(derived, Field::client_banner, Field::client_version, Field::client_software,
              banners[client]);
  tell_banner(derived, Field::server_banner, Field::server_version, Field::server_software,
              banners[server]);
  if (offers[client].is_whole)
    tell_hassh(derived, Field::client_hassh, offers[client], cipher_client, mac_client,
               compression_client);
  if (offers[server].is_whole)
    tell_hassh(derived, Field::server_hassh, offers[server], cipher_server, mac_server,
               compression_server);
  if (!offers[0].is_whole || !offers[1].is_whole) return;
  const auto agreed_of = [&](List list) {
    return agreed(offers[client].lists[list], offers[server].lists[list]);
  };
  const auto tell_cipher = [&](Field cipher_field, List cipher, Field mac_field, List mac) {
    const std::string_view name = agreed_of(cipher);
    tell(derived, cipher_field, name);
    if (!name.empty() && !has_own_mac(name)) tell(derived, mac_field, agreed_of(mac));
  };
  tell(derived, Field::kex_algorithm, agreed_of(kex));
  tell(derived, Field::host_key_algorithm, agreed_of(host_key));
  tell_cipher(Field::client_cipher, cipher_client, Field::client_mac, mac_client);
  tell_cipher(Field::server_cipher, cipher_server, Field::server_mac, mac_server);
}

}  // namespace

// --- In the shard -------------------------------------------------------------------------------

Detection Ssh::detect(Carrier carrier, Bytes bytes) noexcept {
  if (carrier != Carrier::stream) return Detection::no;
  const std::string_view text = text_of(bytes);
  if (text.starts_with("SSH-2.0-") || text.starts_with("SSH-1.")) return Detection::yes;
  return text.size() < 8 ? Detection::maybe : Detection::no;
}

Answer Ssh::on_data(unsigned side, Bytes bytes, Facts& facts) noexcept {
  switch (phases_[side]) {
    case Phase::line:
      return read_line(side, bytes, facts);
    case Phase::packets:
      return is_version_1_ ? end_side(side) : read_packet(side, bytes, facts);
    case Phase::unsure:
      return take_up(side, bytes, facts);
    case Phase::encrypted:
      break;
  }
  return Answer::took_all();
}

// Where the next packet begins is not known; the other side's are read on. A side that had said too
// much before the other one told the protocol goes on with what comes next.
Answer Ssh::on_gap(unsigned side, Bytes, std::uint64_t count, Facts&) noexcept {
  if (count != 0) return end_side(side);
  phases_[side] = Phase::unsure;
  return Answer::took(1);
}

// Lines that come before the banner, or a KEXINIT behind it; or else nothing that can be read.
Answer Ssh::take_up(unsigned side, Bytes bytes, Facts& facts) noexcept {
  if (bytes.size() < kHeadBytes) return Answer::need(kHeadBytes);
  const bool is_offer = bytes[5] == kKexInit && load_be32(bytes.data()) <= kUnitBytesMax;
  if (bytes[0] == 0 && !is_offer) return end_side(side);
  return read_line(side, bytes, facts);
}

// A server may send other lines before (RFC 4253 §4.2).
Answer Ssh::read_line(unsigned side, Bytes bytes, Facts& facts) noexcept {
  if (bytes[0] == 0) {  // a packet's length: the capture begins behind the line
    phases_[side] = Phase::packets;
    return on_data(side, bytes, facts);
  }
  const Bytes first = bytes.first(std::min(bytes.size(), kLineBytesMax));
  const void* end = std::memchr(first.data(), '\n', first.size());
  if (end == nullptr)
    return first.size() == kLineBytesMax ? end_side(side) : Answer::need(bytes.size() + 1);
  const auto length =
      static_cast<std::size_t>(static_cast<const std::uint8_t*>(end) - first.data());
  std::string_view line = text_of(first.first(length));
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (!line.starts_with("SSH-")) return Answer::took(length + 1);
  facts.bytes(side == 0 ? Field::banner_of_0 : Field::banner_of_1,
              {reinterpret_cast<const std::uint8_t*>(line.data()), line.size()});
  // Version 1 has packets of another form; 1.99 is a 2.0 that speaks both (RFC 4253 §5.1).
  if (!line.starts_with("SSH-2.") && !line.starts_with("SSH-1.99")) {
    is_version_1_ = true;
    return end_side(side);
  }
  phases_[side] = Phase::packets;
  return Answer::took(length + 1);
}

// Only a KEXINIT is wanted whole.
Answer Ssh::read_packet(unsigned side, Bytes bytes, Facts& facts) noexcept {
  if (bytes.size() < kHeadBytes) return Answer::need(kHeadBytes);
  const std::uint32_t length = load_be32(bytes.data());
  const std::uint8_t padding = bytes[4];
  const std::uint8_t type = bytes[5];
  if (length < 2u + padding || length > kPacketBytesMax) return Answer::malformed();
  const std::size_t whole = std::size_t{4} + length;
  if (type == kNewKeys) return end_side(side);
  if (type == kKexInit) {
    if (whole > kUnitBytesMax) return Answer::malformed();
    if (bytes.size() < whole) return Answer::need(whole);
    facts.bytes(side == 0 ? Field::offer_of_0 : Field::offer_of_1,
                bytes.subspan(kHeadBytes, length - 2u - padding));
  } else {
    note_sender(side, type);
  }
  return Answer::took(whole);
}

// Behind NEWKEYS all is encrypted (RFC 4253 §7.3), and not looked at.
Answer Ssh::end_side(unsigned side) noexcept {
  phases_[side] = Phase::encrypted;
  return phases_[side ^ 1] == Phase::encrypted ? Answer::done() : Answer::took_all();
}

// Who sends the messages of even numbers of the key exchange.
void Ssh::note_sender(unsigned side, std::uint8_t type) noexcept {
  if (even_ != kUnknown || type < kFirstOfExchange || type > kFirstOfExchange + 4) return;
  even_ = static_cast<std::uint8_t>(type % 2 == 0 ? side : side ^ 1);
}

void Ssh::tell(Facts& facts) const noexcept {
  const auto sides = static_cast<std::uint8_t>(facts.opener() | unsigned{even_} << 1);
  facts.bytes(Field::sides, {&sides, 1});
}

namespace parser {
constinit const Parser ssh = make_parser<Ssh>({.name = "ssh", .fields = kFields, .derive = derive});
}  // namespace parser

}  // namespace linger
