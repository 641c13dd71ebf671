// DTLS 1.0 to 1.3: the messages of TLS in datagrams, each in fragments that may be lost, repeated
// or turned.
//
//     record    type(1) version(2) epoch(2) number(6) length(2) …            RFC 6347 §4.1
//     message   type(1) length(3) sequence(2) offset(3) length(3) …          RFC 6347 §4.2.2
//
// Of a message, fragments are taken in order; datagrams that come before their turn wait, as many
// as conversations.h keeps. Then the message of which something is missing is given up for others,
// and is read when it is sent again. Limits: that is known of the first kNumbersMax messages of a
// side; an association that follows on the same ports is not told.
#include <utility>

#include "parsers/tls.h"
#include "parsers/tls_told.h"

namespace linger {
namespace {

constexpr std::size_t kRecordHeadBytes = 13;
constexpr std::size_t kFragmentHeadBytes = 12;
constexpr int kRecordsMax = 32;            // in a datagram
constexpr std::uint16_t kNumbersMax = 32;  // bits of Side::whole

enum RecordType : std::uint8_t { kAlert = 21, kHandshake = 22, kUnified = 0x20 };
constexpr std::uint8_t kVerifyRequest = 3;  // RFC 6347 §4.2.1

bool is_dtls_version(std::uint16_t version) noexcept {
  return version == 0xfeff || version == 0xfefd || version == 0xfefc;
}

}  // namespace

Detection Tls::detect_datagram(Bytes bytes) noexcept {
  constexpr std::size_t kBytesMin = kRecordHeadBytes + kFragmentHeadBytes;
  if (bytes.size() < kBytesMin || bytes[0] != kHandshake) return Detection::no;
  const std::size_t length = load_be16(bytes.data() + 11);
  const std::uint8_t* const fragment = bytes.data() + kRecordHeadBytes;
  const bool is_good = is_dtls_version(load_be16(bytes.data() + 1)) &&
                       load_be16(bytes.data() + 3) == 0 && length <= kRecordBytesMax &&
                       length >= kFragmentHeadBytes && fragment[0] >= 1 && fragment[0] <= 3 &&
                       load_be24(fragment + 6) + load_be24(fragment + 9) <= load_be24(fragment + 1);
  return is_good ? Detection::yes : Detection::no;
}

Answer Tls::on_datagram(unsigned side, Bytes bytes, std::uint32_t, Facts& facts) noexcept {
  Side& s = sides_[side];
  bool is_early = false;
  for (int count = 0; count < kRecordsMax && bytes.size() >= kRecordHeadBytes; ++count) {
    const bool is_1_3 = (bytes[0] & 0xe0) == kUnified;  // RFC 9147 §4: no version, no length
    if (!is_1_3 && !is_dtls_version(load_be16(bytes.data() + 1))) break;  // STUN, RTP (RFC 7983)
    if (is_1_3 || load_be16(bytes.data() + 3) != 0) {                     // the epoch: protected
      const Answer answer = on_protected(s, facts);
      if (answer.kind == Answer::Kind::done) return answer;
      break;
    }
    const std::size_t length = load_be16(bytes.data() + 11);
    if (length > bytes.size() - kRecordHeadBytes) {  // the capture cut it
      if (bytes[0] == kHandshake && bytes.size() > kRecordHeadBytes)
        note_sides(side, bytes[kRecordHeadBytes]);
      break;
    }
    const Bytes record = bytes.subspan(kRecordHeadBytes, length);
    if (bytes[0] == kHandshake && !read_fragments(side, record, is_early, facts))
      return Answer::malformed();
    if (bytes[0] == kAlert && length == 2) {
      const std::uint32_t end = load_be32(bytes.data() + 7) + 1;
      const bool is_repeated = std::exchange(s.alert_end, end) == end;  // by a mirror port
      if (!is_repeated) tell_alert(s.messages.is_client(), record[0], record[1], facts);
    }
    bytes = bytes.subspan(kRecordHeadBytes + length);
  }
  return is_early ? Answer::later() : Answer::took_all();
}

// By a hello, whole or not, or the demand for another one.
void Tls::note_sides(unsigned side, std::uint8_t type) noexcept {
  if (type == static_cast<std::uint8_t>(TlsMessage::client_hello))
    sides_[side].messages.note_client();
  if (type == static_cast<std::uint8_t>(TlsMessage::server_hello) || type == kVerifyRequest)
    sides_[side ^ 1].messages.note_client();
}

// False: they are no messages. `is_early`: one of them comes before its turn.
bool Tls::read_fragments(unsigned side, Bytes record, bool& is_early, Facts& facts) noexcept {
  Side& s = sides_[side];
  while (!record.empty()) {
    if (record.size() < kFragmentHeadBytes) return false;
    const std::uint8_t* const head = record.data();
    const std::uint32_t message_bytes = load_be24(head + 1);
    const std::uint16_t sequence = load_be16(head + 4);
    const std::uint32_t offset = load_be24(head + 6), length = load_be24(head + 9);
    if (length > record.size() - kFragmentHeadBytes || offset + length > message_bytes)
      return false;
    const Bytes body = record.subspan(kFragmentHeadBytes, length);
    record = record.subspan(kFragmentHeadBytes + length);
    note_sides(side, head[0]);
    const bool is_numbered = sequence < kNumbersMax;
    if (is_numbered ? (s.whole >> sequence & 1) != 0 : sequence < s.sequence) continue;
    const bool goes_on = s.is_begun && sequence == s.sequence;
    if (goes_on ? offset > s.offset : s.is_begun || offset != 0) {
      if (facts.can_wait() || s.is_begun) is_early = true;
      if (!facts.can_wait()) s.is_begun = false;  // of which something is missing
      continue;
    }
    if (!goes_on) {
      s.offset = 0;
      s.sequence = sequence;
    }
    if (offset + length < s.offset) continue;
    if (!s.is_begun) {
      s.messages.give_up();
      if (!read_messages(side, Bytes{head, 4}, facts)) return false;
      if (head[0] == kVerifyRequest && !std::exchange(is_verified_, true))
        facts.flag(TlsField::retried);
    }
    s.is_begun = true;
    if (!read_messages(side, body.subspan(s.offset - offset), facts)) return false;
    s.offset = offset + length;
    if (s.offset < message_bytes) continue;
    if (is_numbered) s.whole |= std::uint32_t{1} << sequence;
    s.is_begun = false;
    s.offset = 0;
    ++s.sequence;
  }
  return true;
}

}  // namespace linger
