#include "parsers/http.h"

#include <algorithm>
#include <charconv>

#include "parsers/http_lines.h"
#include "parsers/lines.h"
#include "parsers/list.h"

namespace linger {
namespace {

using Field = HttpField;

constexpr ProtocolField kFields[] = {LINGER_HTTP_FIELDS(LINGER_FIELD_ROW)};

constexpr bool is_line_end(std::uint8_t byte) noexcept { return byte == '\r' || byte == '\n'; }

Bytes behind_line_ends(Bytes bytes) noexcept {
  return bytes.subspan(std::min(text_of(bytes).find_first_not_of("\r\n"), bytes.size()));
}

// A field whose first line is `line`, of `taken` bytes, with those that go on with it: they begin
// with a blank, and each line end before them stands for one (RFC 9112 §5.2). `taken` becomes that
// of all of them; 0: what comes next is not there yet, unless nothing does (`is_end`); beyond
// kLineBytesMax: there are too many. What is not whole is asked for again with each segment, so
// where it ends is found before anything is copied.
using FieldRoom = std::array<std::uint8_t, Http::kLineBytesMax>;
Bytes unfold(Bytes bytes, Bytes line, std::size_t& taken, bool is_end, FieldRoom& room) noexcept {
  const auto refuse = [&](std::size_t count) {
    taken = count;
    return Bytes{};
  };
  const auto goes_on = [&](std::size_t at) { return bytes[at] == ' ' || bytes[at] == '\t'; };
  std::array<std::size_t, Http::kFoldsMax + 1> ends;
  ends[0] = taken;
  std::size_t folds = 0;
  while (true) {
    const std::size_t end = ends[folds];
    if (end == bytes.size() && !is_end) return refuse(0);
    if (end == bytes.size() || !goes_on(end) || end > Http::kLineBytesMax) break;
    if (folds == Http::kFoldsMax) return refuse(Http::kLineBytesMax + 1);
    std::size_t more;
    line_of(bytes.subspan(end), more);
    if (more == 0) return refuse(0);
    ends[++folds] = end + more;
  }
  taken = ends[folds];
  if (folds == 0) return line;
  std::size_t size = 0;
  const auto add = [&](std::string_view text) {
    size += text.copy(reinterpret_cast<char*>(room.data()) + size, room.size() - size);
  };
  add(text_of(line));
  for (std::size_t i = 0; i < folds; ++i) {
    std::size_t more;
    add(" ");
    add(trimmed(text_of(line_of(bytes.subspan(ends[i]), more))));
  }
  return Bytes(room).first(size);
}

// RFC 9110 §8.6: a number, perhaps repeated by who joins fields, where empty elements do not count
// (§5.6.1.2). False: it is none, or several.
bool read_length(std::string_view value, std::uint64_t& length) noexcept {
  bool has_one = false;
  while (true) {
    const std::size_t comma = std::min(value.find(','), value.size());
    std::string_view digits = trimmed(value.substr(0, comma));
    if (!digits.empty()) {
      if (!is_digits(digits)) return false;
      digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size()));
      if (digits.size() > 18) return false;
      std::uint64_t number = 0;
      for (const char c : digits) number = 10 * number + static_cast<unsigned>(c - '0');
      if (has_one && number != length) return false;
      length = number;
      has_one = true;
    }
    if (comma == value.size()) return has_one;
    value.remove_prefix(comma + 1);
  }
}

}  // namespace

// A first line that is whole says it; of a longer one the method and how the target begins. Empty
// lines may stand before it (RFC 9112 §2.2).
Detection Http::detect(Carrier carrier, Bytes bytes) noexcept {
  if (carrier != Carrier::stream) return Detection::no;
  const bool is_short = bytes.size() < kDetectBytesMax;
  bytes = behind_line_ends(bytes);
  const std::string_view text = text_of(bytes);
  if (kHttpVersion.starts_with(text)) return Detection::maybe;
  if (text.starts_with(kHttpVersion))
    return text.size() < 12                       ? Detection::maybe
           : is_response_line(text.substr(0, 12)) ? Detection::yes
                                                  : Detection::no;
  std::size_t taken;
  const Bytes line = line_of(bytes, taken);
  RequestLine parts;
  if (taken != 0) {
    const bool is_request = split_request(text_of(line), parts) && is_method(parts.method);
    return is_request ? Detection::yes : Detection::no;
  }
  const std::size_t space = text.find(' ');
  if (space == std::string_view::npos)
    return begins_method(text) ? Detection::maybe : Detection::no;
  if (!is_method(text.substr(0, space))) return Detection::no;
  const std::string_view target = text.substr(space + 1);
  if (is_short) return Detection::maybe;
  return begins_target(text.substr(0, space), target) ? Detection::yes : Detection::no;
}

// As many lines as there are, up to a body.
Answer Http::on_data(unsigned side, Bytes bytes, Facts& facts) noexcept {
  Message& message = messages_[side];
  Place& place = places_[side];
  if (place == Place::lost) return Answer::took(bytes.size());
  if (place == Place::regained || (place == Place::unknown && count_ == 0)) {
    const std::size_t start = bytes.size() - behind_line_ends(bytes).size();
    if (start != 0) return Answer::took(start);  // RFC 9112 §2.2
    const Bytes first = bytes.first(std::min(bytes.size(), kDetectBytesMax));
    const Detection detection = detect(Carrier::stream, first);
    if (detection == Detection::maybe) return Answer::need(bytes.size() + 1);
    if (detection == Detection::no) {
      place = Place::lost;
      return Answer::took(bytes.size());
    }
  }
  std::size_t done = 0;
  while (done < bytes.size()) {
    if (message.phase == Phase::to_end) {
      message.body_bytes += bytes.size() - done;
      return Answer::took(bytes.size());
    }
    if (message.phase == Phase::expected) {
      const Answer answer = begin_expected(message, bytes.subspan(done), facts);
      if (answer.kind == Answer::Kind::need) return done != 0 ? Answer::took(done) : answer;
      if (answer.bytes > bytes.size() - done) return Answer::took(done + answer.bytes);
      done += answer.bytes;
      continue;
    }
    std::size_t taken = 0;
    const bool is_early = may_be_another_protocol(message, bytes.subspan(done));
    if (is_early && is_line_end(bytes[done])) {  // but not what ends no line (RFC 9112 §2.2)
      ++done;
      continue;
    }
    Bytes line = is_early ? Bytes{} : line_of(bytes.subspan(done), taken);
    FieldRoom room;
    if (message.phase == Phase::fields && !line.empty())
      line = unfold(bytes.subspan(done), line, taken, false, room);
    if (taken > kLineBytesMax) return Answer::malformed();
    if (taken == 0) {
      if (bytes.size() - done >= kLineBytesMax)  // perhaps only this side is seen
        return is_early ? Answer::done() : Answer::malformed();
      return done != 0 ? Answer::took(done) : Answer::need(bytes.size() + 1);
    }
    done += taken;
    const Answer answer = read_line(side, line, facts);
    if (answer.kind == Answer::Kind::hand_over) return Answer::hand_over(done);
    if (answer.kind != Answer::Kind::took) return answer;
    if (answer.bytes > bytes.size() - done)
      return Answer::took(answer.bytes > UINT64_MAX - done - 1 ? UINT64_MAX - 1
                                                               : done + answer.bytes);
    done += answer.bytes;
  }
  return Answer::took(done);
}

// What a client says before it was answered whether another protocol begins.
bool Http::may_be_another_protocol(const Message& message, Bytes bytes) const noexcept {
  if (count_ == 0 || message.phase != Phase::start) return false;
  if (message.asks_for_tunnel) return true;
  return message.asks_to_upgrade && !is_line_end(bytes[0]) &&
         detect(Carrier::stream, bytes.first(std::min(bytes.size(), kDetectBytesMax))) ==
             Detection::no;
}

// took: so many bytes behind the line belong to it.
Answer Http::read_line(unsigned side, Bytes line, Facts& facts) noexcept {
  Message& message = messages_[side];
  switch (message.phase) {
    case Phase::body:  // its bytes were skipped: this is the next message's first line
      end_message(message, facts);
      [[fallthrough]];
    case Phase::start:
      if (line.empty()) return Answer::took(0);  // RFC 9112 §2.2
      return read_start(side, line, facts) ? Answer::took(0) : Answer::malformed();
    case Phase::fields:
      if (line.empty()) return begin_body(message, facts);
      read_field(message, line, facts);
      return Answer::took(0);
    case Phase::chunk_size:
      if (!read_chunk_size(message, line)) return Answer::malformed();
      return Answer::took(message.phase == Phase::chunk_end ? message.length : 0);
    case Phase::chunk_end:
      if (!line.empty()) return Answer::malformed();
      message.phase = Phase::chunk_size;
      return Answer::took(0);
    case Phase::trailer:
      if (line.empty()) end_message(message, facts);
      return Answer::took(0);
    case Phase::expected:
    case Phase::to_end:
      break;
  }
  return Answer::malformed();
}

// --- First lines --------------------------------------------------------------------------------

bool Http::read_start(unsigned side, Bytes line, Facts& facts) noexcept {
  Message& message = messages_[side];
  message = {};
  message.phase = Phase::fields;
  places_[side] = Place::known;
  const bool is_response = text_of(line).starts_with("HTTP/");
  if (places_[side ^ 1] == Place::lost) {
    places_[side ^ 1] = Place::regained;
    if (!is_response) count_ = 0, unlisted_ = 0;
  }
  return is_response ? read_response(message, line, facts) : read_request(message, line, facts);
}

bool Http::read_request(Message& message, Bytes line, Facts& facts) noexcept {
  RequestLine parts;
  if (!split_request(text_of(line), parts)) return false;
  const Row row = facts.open_row();
  message.row = row;
  message.method = parts.method == "HEAD"      ? Method::head
                   : parts.method == "CONNECT" ? Method::connect
                                               : Method::other;
  facts.text(Field::request_method, parts.method, row);
  message.has_host = tell_target(parts.method, parts.target, row, facts);
  facts.text(Field::version, parts.version.substr(5), row);
  push({.time = facts.now(), .row = row, .method = message.method});
  return true;
}

bool Http::read_response(Message& message, Bytes line, Facts& facts) noexcept {
  const std::string_view text = text_of(line);
  if (!is_response_line(text)) return false;
  message.is_response = true;
  for (const char c : text.substr(9, 3))
    message.status = static_cast<std::uint16_t>(10 * message.status + (c - '0'));
  if (message.status < 200 && message.status != 101) return true;  // RFC 9110 §15.2: another comes
  const Requests request = pop(facts);
  message.row = request.row;
  message.method = request.method;
  message.may_lack_body = request.time.value == 0;
  // Proxies agree so to a CONNECT, which was not seen.
  if (message.may_lack_body && equals(text.substr(12), " connection established"))
    message.method = Method::connect;
  facts.number(Field::status_code, message.status, message.row);
  facts.text(Field::version, text.substr(5, 3), message.row);
  if (request.time.value != 0)
    facts.duration_since(Field::response_time, request.time, message.row);
  return true;
}

void Http::push(const Requests& request) noexcept {
  if (count_ != 0 && unlisted_ == 0) {
    Requests& last = pending_[(first_ + count_ - 1) % kPendingMax];
    const bool is_next =
        last.row == kNoRow ? request.row == kNoRow : last.row + last.count == request.row;
    if (is_next && last.method == request.method && last.time == request.time &&
        last.count != UINT16_MAX) {
      ++last.count;
      return;
    }
  }
  if (count_ == kPendingMax || unlisted_ != 0) {
    ++unlisted_;
    return;
  }
  pending_[(first_ + count_++) % kPendingMax] = request;
}

Http::Requests Http::pop(Facts& facts) noexcept {
  if (count_ == 0) {
    if (unlisted_ != 0) --unlisted_;
    return {.row = facts.open_row()};
  }
  Requests& front = pending_[first_];
  const Requests request = front;
  if (--front.count != 0) {
    if (front.row != kNoRow) ++front.row;
    return request;
  }
  first_ = static_cast<std::uint8_t>((first_ + 1) % kPendingMax);
  --count_;
  return request;
}

// --- Fields -------------------------------------------------------------------------------------

// RFC 9112 §5. A line that is no field, or begins with a blank behind the first line (§2.2), is
// passed over; blanks before the colon, which there should not be (§5.1), too.
void Http::read_field(Message& message, Bytes line, Facts& facts) noexcept {
  const std::string_view text = text_of(line);
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || text.front() == ' ' || text.front() == '\t') return;
  const std::string_view name = trimmed(text.substr(0, colon));
  const auto value = [&] { return trimmed(text.substr(colon + 1)); };
  const auto tell = [&](Field field) { facts.text(field, value(), message.row); };
  const auto tell_place = [&](Field field) {
    tell_url(field, value(), place_of_authority(value()), message.row, facts);
  };
  const bool is_request = !message.is_response;
  switch (name.size()) {
    case 4:
      if (is_request && !message.has_host && equals(name, "host")) {
        message.has_host = true;
        tell_authority(value(), message.row, facts);
      }
      break;
    case 6:
      if (is_request && equals(name, "expect"))
        message.may_lack_body = equals(value(), "100-continue");
      if (!is_request && equals(name, "server")) tell(Field::server);
      break;
    case 7:
      if (is_request && equals(name, "referer")) tell_place(Field::referrer);
      if (equals(name, "upgrade")) {
        message.asks_to_upgrade = is_request;
        tell(Field::upgrade);
      }
      break;
    case 8:
      if (!is_request && equals(name, "location")) tell_place(Field::location);
      break;
    case 10:
      if (is_request && equals(name, "user-agent")) tell(Field::user_agent);
      break;
    case 12:
      if (equals(name, "content-type")) {
        const std::string_view type = value();
        facts.text(is_request ? Field::request_mime_type : Field::response_mime_type,
                   trimmed(type.substr(0, type.find(';'))), message.row);
      }
      break;
    case 14:
      if (equals(name, "content-length")) {
        std::uint64_t length = 0;
        if (!read_length(value(), length) || (message.has_length && message.length != length))
          message.has_bad_length = true;
        message.has_length = true;
        message.length = length;
      }
      break;
    case 17:
      if (equals(name, "transfer-encoding")) {  // RFC 9112 §6.1: chunked is the last one
        std::string_view codings = value();
        codings = codings.substr(0, codings.find_last_not_of(", \t") + 1);  // RFC 9110 §5.6.1.2
        if (codings.empty()) break;
        const std::string_view last = trimmed(codings.substr(codings.rfind(',') + 1));
        message.is_chunked = equals(last, "chunked");
        message.is_coded = !message.is_chunked && !equals(last, "identity");  // RFC 2616 §4.4
      }
      break;
    default:
      break;
  }
}

// --- Bodies -------------------------------------------------------------------------------------

// Behind it another protocol follows.
bool Http::begins_tunnel(const Message& response) noexcept {
  return response.status == 101 ||
         (response.method == Method::connect && response.status / 100 == 2);
}

// Which body the message has (RFC 9112 §6.3). took: so many bytes are of it.
Answer Http::begin_body(Message& message, Facts& facts) noexcept {
  const unsigned status = message.status;
  if (message.is_response) {
    if (begins_tunnel(message)) return Answer::hand_over(0);
    if (status < 200) {
      message = {};
      return Answer::took(0);
    }
    if (message.method == Method::head || status == 204 || status == 304) {
      end_message(message, facts);
      return Answer::took(0);
    }
  }
  if (message.has_bad_length) {
    if (!message.is_chunked && !message.is_coded) return Answer::malformed();
    message.has_length = false;
    message.length = 0;
  }
  const bool is_to_end = message.is_response && !message.has_length;
  if (message.may_lack_body && (message.is_chunked || message.length != 0 || is_to_end)) {
    message.phase = Phase::expected;
  } else if (message.is_chunked) {
    message.length = 0;
    message.phase = Phase::chunk_size;
  } else if (message.is_coded) {  // whatever its length says
    message.phase = Phase::to_end;
  } else if (message.has_length && message.length != 0) {
    message.body_bytes += message.length;
    message.phase = Phase::body;
    return Answer::took(message.length);
  } else if (is_to_end) {
    message.phase = Phase::to_end;
  } else {
    end_message(message, facts);
  }
  return Answer::took(0);
}

// What comes of a client that asked whether to send its body: that, or, once it was answered
// without a 100, perhaps another request. Behind a response whose request was not seen, which may
// have been a HEAD: its body, or another response.
Answer Http::begin_expected(Message& message, Bytes bytes, Facts& facts) noexcept {
  if (message.is_response || count_ == 0) {
    const Bytes first = bytes.first(std::min(bytes.size(), kDetectBytesMax));
    const bool is_short = first.size() < kDetectBytesMax;
    const std::string_view text = text_of(behind_line_ends(first));
    const bool may_be_next = message.is_response
                                 ? text.starts_with(kHttpVersion.substr(0, text.size()))
                                 : !text.starts_with(kHttpVersion);
    const Detection detection = may_be_next ? detect(Carrier::stream, first) : Detection::no;
    if (detection == Detection::maybe && is_short) return Answer::need(bytes.size() + 1);
    if (detection == Detection::yes) {
      end_message(message, facts);
      return Answer::took(0);
    }
  }
  message.may_lack_body = false;
  return begin_body(message, facts);
}

// RFC 9112 §7.1: hexadecimal digits, zeros before them too, extensions behind a semicolon.
bool Http::read_chunk_size(Message& message, Bytes line) noexcept {
  const std::string_view text = text_of(line);
  const char* const text_end = text.data() + text.size();
  std::uint64_t size = 0;
  const auto [end, error] = std::from_chars(text.data(), text_end, size, 16);
  if (error != std::errc{} || size >> 60 != 0) return false;
  if (end != text_end && *end != ';' && *end != ' ' && *end != '\t') return false;
  message.phase = size == 0 ? Phase::trailer : Phase::chunk_end;
  message.length = size;
  message.body_bytes += size;
  return true;
}

void Http::tell_body(const Message& message, std::uint64_t unseen, Facts& facts) const noexcept {
  const std::uint64_t bytes = message.body_bytes - std::min(message.body_bytes, unseen);
  if (bytes == 0) return;
  facts.number(message.is_response ? Field::response_body_bytes : Field::request_body_bytes, bytes,
               message.row);
}

void Http::end_message(Message& message, Facts& facts) noexcept {
  tell_body(message, 0, facts);
  const bool asks_for_tunnel = !message.is_response && message.method == Method::connect;
  const bool asks_to_upgrade = message.asks_to_upgrade;
  message = {};
  message.asks_for_tunnel = asks_for_tunnel;
  message.asks_to_upgrade = asks_to_upgrade;
}

// Gaps in bodies of known length are never told: these bytes were skipped.
Answer Http::on_gap(unsigned side, Bytes left, std::uint64_t count, Facts& facts) noexcept {
  Message& message = messages_[side];
  if (message.phase == Phase::to_end) {
    message.body_bytes += count;
  } else if (message.phase == Phase::expected && !message.is_chunked &&
             left.size() + count <= message.length) {
    message.body_bytes += left.size() + count;
    message.length -= left.size() + count;
  } else {
    const bool is_tunnel = message.phase == Phase::fields && begins_tunnel(message);
    on_end(side, left, facts);
    places_[side] = Place::lost;
    if (is_tunnel) return Answer::done();  // where it begins is not known
  }
  return Answer::took(1);
}

// A line that waited for the next one, which might have gone on with it, is a field; what might
// have become another request is a body.
void Http::on_end(unsigned side, Bytes left, Facts& facts) noexcept {
  if (messages_[side].phase == Phase::fields) {
    std::size_t taken;
    FieldRoom room;
    Bytes line = line_of(left, taken);
    if (taken != 0) line = unfold(left, line, taken, true, room);
    if (taken != 0 && !line.empty()) read_field(messages_[side], line, facts);
  }
  Message& message = messages_[side];
  if (message.phase == Phase::expected && !message.is_chunked && !message.is_response)
    message.body_bytes += std::min<std::uint64_t>(left.size(), message.length);
  tell_body(message, facts.unseen(side), facts);
  message = {};
}

void Http::tell(Facts& facts) const noexcept {
  for (unsigned side = 0; side < 2; ++side) tell_body(messages_[side], facts.unseen(side), facts);
}

namespace parser {
constinit const Parser http =
    make_parser<Http>({.name = "http", .has_rows = true, .fields = kFields});
}  // namespace parser

}  // namespace linger
