#include "parsers/openvpn.h"

#include <algorithm>
#include <optional>

#include "parsers/list.h"

namespace linger {
namespace {

using Field = OpenvpnField;

constexpr ProtocolField kFields[] = {LINGER_OPENVPN_FIELDS(LINGER_FIELD_ROW)};

constexpr std::size_t kLengthBytes = 2;
constexpr std::size_t kHeadBytes = 1 + 8;
constexpr std::size_t kReplayBytes = 4 + 4;  // number and time behind an HMAC
constexpr std::size_t kResetBytes = 14;      // a client's, without HMAC
constexpr std::size_t kSessionBytes = 8;
constexpr unsigned kAcksMax = 8;

enum Opcode : std::uint8_t {
  kControl = 4,
  kAck = 5,
  kData1 = 6,
  kClientReset = 7,
  kServerReset = 8,
  kData2 = 9,
  kClientResetWithKey = 10,
};

// One of the first numbers against replay: a reset that is not answered is sent again, with the
// next one. Since 2.6 a client says with its first byte what it can do (EARLY_NEG_START).
bool is_early(const std::uint8_t* number) noexcept {
  constexpr std::uint32_t kResetsMax = 15;
  const std::uint32_t count = load_be24(number + 1);
  return (number[0] == 0 || number[0] == 0x0f) && count >= 1 && count <= kResetsMax;
}

// A reset of so many bytes that --tls-crypt protects, its client's key behind it: the HMAC of that,
// two keys, perhaps what the server is to know of the client, and the length of it all.
constexpr std::size_t kWrappedBytes = kResetBytes + 32 + kReplayBytes;
bool may_have_key(Bytes head, std::size_t bytes) noexcept {
  constexpr std::size_t kKeyBytesMin = 32 + 2 * 128 + 2, kKeyBytesMax = 1024;
  return head.size() >= kHeadBytes + 4 && head[0] == kClientResetWithKey << 3 &&
         is_early(head.data() + kHeadBytes) && bytes >= kWrappedBytes + kKeyBytesMin &&
         bytes <= kWrappedBytes + kKeyBytesMax;
}

// What a client's first packet says.
struct Reset {
  std::string_view protection;
  std::uint8_t authentication_bytes = 0;
};
std::optional<Reset> reset_of(Bytes packet) noexcept {
  if (packet.size() < kResetBytes) return {};
  if (may_have_key(packet, packet.size()) &&
      load_be16(&packet.back() - 1) == packet.size() - kWrappedBytes)
    return Reset{"tls-crypt-v2"};
  if (packet[0] != kClientReset << 3) return {};
  // Nothing to acknowledge, and the first packet; with an HMAC it may have been sent before.
  const auto is_zero = [](std::uint8_t byte) { return byte == 0; };
  const bool is_plain = std::all_of(packet.end() - 5, packet.end(), is_zero);
  if (is_plain && packet.size() == kResetBytes) return Reset{"none"};
  for (const std::uint8_t hmac : {16, 20, 28, 32, 48, 64}) {  // MD5, SHA-1, SHA-2
    if (packet.size() != kResetBytes + hmac + kReplayBytes) continue;
    if (is_plain && is_early(packet.data() + kHeadBytes + hmac))
      return Reset{"tls-auth", static_cast<std::uint8_t>(hmac + kReplayBytes)};
    if (hmac == 32 && is_early(packet.data() + kHeadBytes)) return Reset{"tls-crypt"};
  }
  return {};
}

}  // namespace

Detection Openvpn::detect(Carrier carrier, Bytes bytes) noexcept {
  if (carrier == Carrier::datagrams) return reset_of(bytes) ? Detection::yes : Detection::no;
  if (bytes.size() < kLengthBytes) return Detection::maybe;
  const std::size_t length = load_be16(bytes.data());
  const std::size_t whole = kLengthBytes + length;
  // Longer than what is looked at here.
  if (may_have_key(bytes.subspan(kLengthBytes), length)) return Detection::yes;
  if (bytes.size() < whole) return Detection::maybe;
  return reset_of(bytes.subspan(kLengthBytes, whole - kLengthBytes)) ? Detection::yes
                                                                     : Detection::no;
}

Answer Openvpn::on_data(unsigned side, Bytes bytes, Facts& facts) noexcept {
  if (bytes.size() < kLengthBytes) return Answer::need(kLengthBytes);
  const std::size_t whole = kLengthBytes + load_be16(bytes.data());
  if (whole == kLengthBytes || whole > kUnitBytesMax) return Answer::malformed();
  if (bytes.size() < whole) return Answer::need(whole);
  const Bytes packet = bytes.subspan(kLengthBytes, whole - kLengthBytes);
  return read(side, packet, false, facts) == Answer::Kind::done ? Answer::done()
                                                                : Answer::took(whole);
}

Answer Openvpn::on_datagram(unsigned side, Bytes bytes, std::uint32_t sent_bytes,
                            Facts& facts) noexcept {
  if (bytes.empty()) return Answer::took_all();
  const Answer::Kind answer = read(side, bytes, bytes.size() < sent_bytes, facts);
  if (answer == Answer::Kind::later) return Answer::later();
  return answer == Answer::Kind::done ? Answer::done() : Answer::took_all();
}

// took; later: it comes before its turn; done: there is nothing more to read.
Answer::Kind Openvpn::read(unsigned side, Bytes packet, bool is_cut, Facts& facts) noexcept {
  using enum Answer::Kind;
  if (!is_begun_) {
    const std::optional<Reset> reset = reset_of(packet);
    if (!reset) return done;
    is_begun_ = true;
    authentication_bytes_ = reset->authentication_bytes;
    facts.text(Field::protection, reset->protection);
    if (reset->protection.starts_with("tls-crypt")) return done;
  }
  const unsigned opcode = packet[0] >> 3;
  // Resets have the number 0, and no TLS: so they may come late, or be lost.
  if (opcode == kAck || opcode == kClientReset || opcode == kServerReset) return took;
  if (opcode != kControl) return done;
  Reader reader(packet);
  reader.skip(kHeadBytes + authentication_bytes_);
  const unsigned acks = reader.u8();
  if (acks > kAcksMax) return done;
  if (acks != 0) reader.skip(4 * acks + kSessionBytes);
  const std::uint32_t number = reader.be32();
  Side& s = sides_[side];
  if (!reader.ok()) return is_cut ? took : done;
  if (s.is_cut) return took;
  if (number != s.next) {
    const bool is_early = number - s.next < kWindow;
    return is_early && facts.can_wait() ? later : took;
  }
  ++s.next;
  s.is_cut = is_cut;
  return read_tls(side, reader.bytes(reader.remaining()), facts) ? took : done;
}

// To the reader of TLS, who may leave bytes for when there are more. False: it wants no more.
bool Openvpn::read_tls(unsigned side, Bytes bytes, Facts& facts) noexcept {
  Facts tls_facts = facts.of(place_of(parser::tls.protocol));
  Side& s = sides_[side];
  while (!bytes.empty()) {
    const std::size_t skipped = std::min<std::uint64_t>(s.skip, bytes.size());
    s.skip -= skipped;
    bytes = bytes.subspan(skipped);
    const std::size_t count = std::min(bytes.size(), s.kept.size() - s.kept_bytes);
    std::copy_n(bytes.begin(), count, s.kept.begin() + s.kept_bytes);
    s.kept_bytes += static_cast<std::uint32_t>(count);
    bytes = bytes.subspan(count);
    while (s.kept_bytes != 0) {
      const Answer answer = tls_.on_data(side, {s.kept.data(), s.kept_bytes}, tls_facts);
      const bool needs_more = answer.kind == Answer::Kind::need && answer.bytes > s.kept_bytes;
      if (needs_more && answer.bytes <= s.kept.size()) break;
      if (answer.kind != Answer::Kind::took || answer.bytes == 0) return false;
      const auto taken =
          static_cast<std::uint32_t>(std::min<std::uint64_t>(answer.bytes, s.kept_bytes));
      s.skip = answer.bytes - taken;
      s.kept_bytes -= taken;
      std::copy_n(s.kept.begin() + taken, s.kept_bytes, s.kept.begin());
    }
  }
  return true;
}

namespace parser {
constinit const Parser openvpn = make_parser<Openvpn>({.name = "openvpn", .fields = kFields});
}  // namespace parser

}  // namespace linger
