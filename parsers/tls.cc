#include "parsers/tls.h"

#include <algorithm>
#include <utility>

#include "parsers/list.h"
#include "parsers/tls_told.h"

namespace linger {
namespace {

using Field = TlsField;

constexpr ProtocolField kFields[] = {LINGER_TLS_FIELDS(LINGER_FIELD_ROW)};

constexpr std::size_t kRecordHeadBytes = 5;
constexpr std::uint32_t kLengthBytes = 3;   // of a certificate's length
constexpr std::uint32_t kPieceBytes = 256;  // of a record, read at once
// The shortest hello: of TLS 1.3's early drafts, without session id, compression and extensions.
constexpr std::uint32_t kHelloBytesMin = 36;
// A protected alert (2 bytes, 1 of type, 16 of tag) is not longer; a protected Finished is.
constexpr std::size_t kProtectedAlertBytesMax = 24;
constexpr std::size_t kAlertsBytesMax = 8;  // that are not protected: shorter than any MAC

enum RecordType : std::uint8_t {
  kChangeCipherSpec = 20,
  kAlert = 21,
  kHandshake = 22,
  kApplicationData = 23,
  kHeartbeat = 24,  // RFC 6520
};

bool begins_record(Bytes bytes) noexcept {
  const std::size_t length = load_be16(bytes.data() + 3);
  return bytes[0] >= kChangeCipherSpec && bytes[0] <= kHeartbeat && bytes[1] == 3 &&
         bytes[2] <= 4 && length != 0 && length <= Tls::kRecordBytesMax;
}

bool is_certificate(Field field) noexcept {
  return field == Field::raw_client_certificate || field == Field::raw_server_certificate;
}

bool is_message_type(std::uint8_t type) noexcept {  // IANA: TLS HandshakeType
  return type <= 6 || type == 8 || (type >= 11 && type <= 26) || type == 67 || type == 203;
}

// A client that would speak SSL 2.0, too, says its hello in that format (RFC 5246 §E.2). It is not
// told, but the server's answer is.
bool is_old_hello(Bytes record) noexcept {
  return (record[0] & 0x80) != 0 && record[2] == 1 && record[3] == 3;
}

// The begin of a hello, against protected bytes. It may go on in the next records.
bool is_hello(const std::uint8_t* message, std::size_t record_bytes) noexcept {
  const std::uint32_t bytes = load_be24(message + 1);
  return (message[0] == 1 || message[0] == 2) && bytes + 4 >= record_bytes &&
         bytes <= Tls::kHelloBytesMax && message[4] == 3 && message[5] <= 4;
}

}  // namespace

// --- Messages -----------------------------------------------------------------------------------

bool TlsMessages::read(Bytes bytes, Facts& facts) noexcept {
  while (!bytes.empty()) {
    const bool is_head = left_ == 0 || is_between_;
    const std::size_t wanted = is_head ? 1 : tell_left_ != 0 ? tell_left_ : left_;
    const Bytes part = bytes.first(std::min(bytes.size(), wanted));
    bytes = bytes.subspan(part.size());
    if (!is_head) {
      go_on(part, facts);
      continue;
    }
    head_[head_bytes_++] = part[0];
    if (is_between_) {
      next_certificate(facts);
    } else if (!begin(facts)) {
      return false;
    }
  }
  return true;
}

// Of a message: what is told, or else what is not.
void TlsMessages::go_on(Bytes bytes, Facts& facts) noexcept {
  left_ -= static_cast<std::uint32_t>(bytes.size());
  if (tell_left_ == 0) return;
  tell(bytes, facts);
  tell_left_ -= static_cast<std::uint32_t>(bytes.size());
  is_between_ = tell_left_ == 0 && is_certificate(field_) && left_ > kLengthBytes &&
                certificates_ < facts.certificates_max();
}

// With one more byte of its length.
void TlsMessages::next_certificate(Facts& facts) noexcept {
  --left_;
  if (head_bytes_ < kLengthBytes) return;
  is_between_ = false;
  const std::uint32_t length = load_be24(head_.data());
  const std::uint32_t with_length = told_[1] + kLengthBytes + length;
  if (length <= std::min(left_, Tls::kCertificateBytesMax) && with_length <= Tls::kChainBytesMax) {
    want(field_, length, facts);
    ++certificates_;
  } else {
    facts.leave_out();
  }
  head_bytes_ = 0;
}

// With one more byte of the head: perhaps it is whole.
bool TlsMessages::begin(Facts& facts) noexcept {
  if (!is_message_type(head_[0])) {
    head_bytes_ = 0;
    return false;
  }
  if (head_bytes_ < kHeadBytes) return true;
  const auto type = static_cast<TlsMessage>(head_[0]);
  const std::uint32_t length = load_be24(head_.data() + 1);
  const bool has_certificate =
      type == TlsMessage::certificate && length >= kCertificateHeadBytes - kHeadBytes;
  if (has_certificate && head_bytes_ < kCertificateHeadBytes) return true;
  const bool has_exchange =
      type == TlsMessage::key_exchange && length >= kKeyExchangeHeadBytes - kHeadBytes;
  if (has_exchange && head_bytes_ < kKeyExchangeHeadBytes) return true;
  left_ = length - static_cast<std::uint32_t>(head_bytes_ - kHeadBytes);
  tell_left_ = 0;
  is_wanted_ = false;
  has_hello_done_ |= type == TlsMessage::server_hello_done;
  if (type == TlsMessage::client_hello || type == TlsMessage::server_hello) {
    const bool is_client = type == TlsMessage::client_hello;
    (is_client ? is_client_ : is_server_) = true;
    if (told_[0] + kHeadBytes + length <= Tls::kHelloBytesMax)
      want(is_client ? Field::raw_client_hello : Field::raw_server_hello, length, facts);
    else
      facts.leave_out();
  } else if (has_certificate && told_[1] == 0) {
    const std::uint32_t first = load_be24(head_.data() + kHeadBytes + 3);
    if (first <= std::min(left_, Tls::kCertificateBytesMax))
      want(is_client_ ? Field::raw_client_certificate : Field::raw_server_certificate, first,
           facts);
    else
      facts.leave_out();
    certificates_ = 1;
  } else if (has_exchange && told_[2] == 0) {
    // A curve (RFC 8422 §5.4), perhaps behind a hint of less than 256 bytes (RFC 5489 §2).
    const std::uint32_t more = head_[kHeadBytes] == 0 ? head_[kHeadBytes + 1] + 3u : 1;
    want(Field::raw_key_exchange, std::min(left_, more), facts);
  }
  head_bytes_ = 0;
  return true;
}

bool TlsMessages::miss(std::uint64_t bytes) noexcept {
  if (left_ < bytes) return false;
  left_ -= static_cast<std::uint32_t>(bytes);
  if (tell_left_ != 0) told() = UINT16_MAX;  // what is told behind it would be taken for the rest
  tell_left_ = 0;
  is_between_ = false;
  return true;
}

void TlsMessages::give_up() noexcept {
  if (is_wanted_ && left_ != 0) told() = told_before_;
  is_wanted_ = is_between_ = false;
  left_ = tell_left_ = 0;
  head_bytes_ = 0;
}

void TlsMessages::want(Field field, std::uint32_t bytes, Facts& facts) noexcept {
  field_ = field;
  tell_left_ = bytes;
  if (!std::exchange(is_wanted_, true)) told_before_ = told();
  tell({head_.data(), head_bytes_}, facts);
}

void TlsMessages::tell(Bytes bytes, Facts& facts) noexcept {
  facts.bytes(field_, bytes, told());
  told() = static_cast<std::uint16_t>(told() + bytes.size());
}

std::uint16_t& TlsMessages::told() noexcept {
  return told_[is_certificate(field_) ? 1 : field_ == Field::raw_key_exchange ? 2 : 0];
}

// --- Records ------------------------------------------------------------------------------------

Detection Tls::detect(Carrier carrier, Bytes bytes) noexcept {
  if (carrier == Carrier::datagrams) return detect_datagram(bytes);
  if (bytes.size() < kRecordHeadBytes + 1) return Detection::maybe;
  const std::size_t length = load_be16(bytes.data() + 3);
  const std::uint8_t type = bytes[kRecordHeadBytes];
  if (bytes[0] != kHandshake || bytes[1] != 3 || bytes[2] > 4 || length == 0 ||
      length > kRecordBytesMax || (type != 1 && type != 2))
    return Detection::no;
  if (length < 6) return Detection::yes;  // who cuts it so has his reasons
  if (bytes.size() < kRecordHeadBytes + 6) return Detection::maybe;
  const std::uint8_t* const message = bytes.data() + kRecordHeadBytes;
  const std::uint32_t message_bytes = load_be24(message + 1);
  const bool is_good = message_bytes >= kHelloBytesMin && message_bytes <= UINT16_MAX &&
                       (message[4] == 3 || (type == 2 && message[4] == 0x7f));
  return is_good ? Detection::yes : Detection::no;
}

Answer Tls::on_data(unsigned side, Bytes bytes, Facts& facts) noexcept {
  Side& s = sides_[side];
  if (s.is_unsure) {
    if (bytes.size() < kRecordHeadBytes) return Answer::need(kRecordHeadBytes);
    if (!begins_record(bytes)) return Answer::took_all();
    s.is_unsure = false;
  }
  if (s.record_left == 0) return on_record(s, bytes, facts);
  if (s.is_lost) return Answer::took(std::exchange(s.record_left, 0));
  // Always the same pieces, however the bytes come.
  const std::uint32_t count = std::min(s.record_left, kPieceBytes);
  if (bytes.size() < count) return Answer::need(count);
  if (!read_messages(side, bytes.first(count), facts)) return Answer::malformed();
  s.record_left -= count;
  return Answer::took(count);
}

// False: they are no messages. Whose hello was not seen is known by the other one's.
bool Tls::read_messages(unsigned side, Bytes bytes, Facts& facts) noexcept {
  TlsMessages& messages = sides_[side].messages;
  if (!messages.read(bytes, facts)) return false;
  if (messages.is_server()) sides_[side ^ 1].messages.note_client();
  return true;
}

Answer Tls::on_record(Side& side, Bytes bytes, Facts& facts) noexcept {
  if (bytes.size() < kRecordHeadBytes) return Answer::need(kRecordHeadBytes);
  if (!std::exchange(side.has_records, true) && is_old_hello(bytes)) {
    side.messages.note_client();
    return Answer::took(2 + (load_be16(bytes.data()) & 0x7fff));
  }
  const std::size_t length = load_be16(bytes.data() + 3);
  const std::size_t record_bytes = kRecordHeadBytes + length;
  if (bytes[1] != 3 || length > kRecordBytesMax) return Answer::malformed();
  switch (bytes[0]) {
    case kChangeCipherSpec:
      // Before its hello was done, a server resumes a session (RFC 5077 §3.1).
      if (!std::exchange(side.has_changed, true) && side.messages.is_server() &&
          !side.messages.has_hello_done() && !side.is_lost)
        facts.bytes(Field::raw_abbreviated, bytes.first(1));
      return Answer::took(record_bytes);
    case kAlert:
      if (length > kAlertsBytesMax) return Answer::took(record_bytes);  // protected
      if (bytes.size() < record_bytes) return Answer::need(record_bytes);
      read_alerts(side, bytes.subspan(kRecordHeadBytes, length), facts);
      return Answer::took(record_bytes);
    case kHandshake:
      // Behind ChangeCipherSpec it is protected; but TLS 1.3 sends that for show, and perhaps one
      // more hello behind it (RFC 8446 §D.4).
      if (side.has_changed && (side.is_lost || !side.messages.is_inside())) {
        constexpr std::size_t kBegin = 6;
        if (length < kBegin) return on_protected(side, facts);
        if (bytes.size() < kRecordHeadBytes + kBegin)
          return Answer::need(kRecordHeadBytes + kBegin);
        if (!is_hello(bytes.data() + kRecordHeadBytes, length)) return on_protected(side, facts);
      }
      side.record_left = static_cast<std::uint32_t>(length);
      return Answer::took(kRecordHeadBytes);
    case kApplicationData: {
      // What a client sends before the server's hello is early data, and a short record an alert.
      const bool is_server_heard = std::any_of(sides_.begin(), sides_.end(), [](const Side& s) {
        return s.messages.is_server() || s.is_lost;
      });
      const bool is_alert = side.messages.is_client() && length <= kProtectedAlertBytesMax;
      if (!is_server_heard || is_alert) return Answer::took(record_bytes);
      return on_protected(side, facts);
    }
    case kHeartbeat:
      return Answer::took(record_bytes);
    default:
      return Answer::malformed();
  }
}

// Several in a record, or parts of one (RFC 5246 §6.2.1).
void Tls::read_alerts(Side& side, Bytes bytes, Facts& facts) noexcept {
  for (const std::uint8_t byte : bytes) {
    const auto level = std::exchange(side.alert_level, std::nullopt);
    if (level)
      tell_alert(side.messages.is_client(), *level, byte, facts);
    else
      side.alert_level = byte;
  }
}

Answer Tls::on_gap(unsigned side, Bytes left, std::uint64_t count, Facts& facts) noexcept {
  Side& s = sides_[side];
  if (s.record_left != 0 && !read_messages(side, left, facts)) return Answer::malformed();
  const std::uint64_t missed = count + left.size();
  const bool is_inside = count != 0 && missed <= s.record_left;
  s.is_lost |= count != 0 && !(is_inside && s.messages.miss(count));
  s.is_unsure = !is_inside;
  s.alert_level.reset();
  s.record_left = is_inside ? s.record_left - static_cast<std::uint32_t>(missed) : 0;
  return Answer::took(1);
}

// Of a record that was cut off, what is whole in it is read.
void Tls::on_end(unsigned side, Bytes left, Facts& facts) noexcept {
  const std::size_t inside = sides_[side].record_left;
  if (inside != 0) read_messages(side, left.first(std::min(left.size(), inside)), facts);
}

// This side says nothing more that can be read.
Answer Tls::on_protected(Side& side, Facts& facts) noexcept {
  side.is_protected = true;
  if (!sides_[0].is_protected || !sides_[1].is_protected) return Answer::took_all();
  facts.flag(Field::established);
  return Answer::done();
}

namespace parser {
constinit const Parser tls =
    make_parser<Tls>({.name = "tls", .fields = kFields, .derive = derive_tls});
}  // namespace parser

}  // namespace linger
