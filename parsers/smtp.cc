#include "parsers/smtp.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "parsers/list.h"

namespace linger {
namespace {

using Field = SmtpField;

constexpr ProtocolField kFields[] = {LINGER_SMTP_FIELDS(LINGER_FIELD_ROW)};

constexpr std::uint16_t kGoOn = 354;           // RFC 5321 §4.2.2
constexpr std::uint16_t kAuthenticated = 235;  // RFC 4954 §6
constexpr std::string_view kEndOfMail = ".\r\n";

bool is_hello(std::string_view verb) noexcept {
  return equals(verb, "ehlo") || equals(verb, "helo") || equals(verb, "lhlo");
}

// <path> SP parameters, or a path alone as some write it (RFC 5321 §4.1.2); in quotes there may be
// anything.
std::string_view path_of(std::string_view text) noexcept {
  text = trimmed(text);
  if (text.starts_with('<')) {
    text.remove_prefix(1);
    const std::string_view plain = text.substr(0, text.find('>'));
    if (plain.find('"') == std::string_view::npos) return plain;
    bool is_quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '"') is_quoted = !is_quoted;
      if (text[i] == '\\' && is_quoted)
        ++i;
      else if (text[i] == '>' && !is_quoted)
        return text.substr(0, i);
    }
    return plain;
  }
  return text.substr(0, text.find(' '));
}

// The first word (RFC 4422 §3.1), as long as it can be one: who leaves it out sends a password in
// base64, which has letters of both cases, as usual mechanisms may have.
std::string_view mechanism_of(std::string_view text) noexcept {
  constexpr std::size_t kBytesMax = 20;
  const std::string_view word = text.substr(0, text.find_first_of(" \t="));
  const auto has = [&](char first, char last) {
    return std::any_of(word.begin(), word.end(), [=](char c) { return c >= first && c <= last; });
  };
  constexpr std::string_view kUsual[] = {"plain",       "login",         "cram-md5", "digest-md5",
                                         "scram-sha-1", "scram-sha-256", "ntlm",     "gssapi",
                                         "xoauth2",     "oauthbearer",   "external"};
  const bool is_usual = std::any_of(std::begin(kUsual), std::end(kUsual),
                                    [&](auto usual) { return equals(word, usual); });
  const bool is_other = word.size() > kBytesMax || (has('A', 'Z') && has('a', 'z'));
  return is_other && !is_usual ? std::string_view{} : word;
}

// What follows "FROM:" or "TO:"; npos of it: there is no such word.
bool read_path(std::string_view arguments, std::string_view word, std::string_view& path) noexcept {
  const std::size_t colon = arguments.find(':');
  if (colon == std::string_view::npos || !equals(trimmed(arguments.substr(0, colon)), word))
    return false;
  path = path_of(arguments.substr(colon + 1));
  return true;
}

// As the standards have them, which mails hardly do (RFC 5321 §4.1.1, RFC 3030 §2, RFC 3207 §4,
// RFC 4954 §4).
bool looks_like_command(std::string_view line) noexcept {
  constexpr std::string_view kVerbs[] = {"ehlo", "helo", "lhlo", "data", "rset", "quit",    "noop",
                                         "vrfy", "expn", "help", "auth", "bdat", "starttls"};
  const std::size_t space = std::min(line.find(' '), line.size());
  const std::string_view verb = line.substr(0, space), arguments = trimmed(line.substr(space));
  std::string_view path;
  if (equals(verb, "mail") || equals(verb, "rcpt"))
    return read_path(arguments, equals(verb, "mail") ? "from" : "to", path) &&
           arguments.find('<') < arguments.find('>');
  return std::any_of(std::begin(kVerbs), std::end(kVerbs),
                     [&](auto known) { return equals(verb, known); });
}

// A server that wants nothing of this client (RFC 5321 §3.1, RFC 7504 §3); of other protocols'
// codes are 421 and 550, too, but not with one of RFC 3463 behind them.
Detection refuses_at_once(Bytes bytes) noexcept {
  std::size_t taken;
  const Bytes whole = line_of(bytes, taken);
  if (taken == 0 && bytes.size() < kDetectBytesMax) return Detection::maybe;
  const std::string_view line = text_of(taken != 0 ? whole : bytes);
  const bool has_detail = line.size() > 7 && line[4] == line[0] && line[5] == '.' &&
                          is_digits(line.substr(6, 1)) && line.find('.', 6) < 10;
  const bool is_mail = line.starts_with("521") || line.starts_with("554") || has_detail ||
                       (line.starts_with("421") && greeting_by_words(line) == Greeting::mail);
  return is_mail ? Detection::yes : Detection::no;
}

}  // namespace

Detection Smtp::detect(Carrier carrier, Bytes bytes) noexcept {
  if (carrier != Carrier::stream || bytes.size() < 5) return Detection::no;
  if (is_hello(text_of(bytes).substr(0, 4))) return Detection::yes;
  if (!text_of(bytes).starts_with("220")) return refuses_at_once(bytes);
  return detection_of(greeting_of(bytes), Greeting::mail);
}

Answer Smtp::on_data(unsigned side, Bytes bytes, Facts& facts) noexcept {
  if (const auto answer = roles_.learn(side, bytes)) return *answer;
  if (roles_.is_server(side)) return read_server(bytes, facts);
  if (phase_ == Phase::starttls && !roles_.is_server(side ^ 1)) {  // who is not heard
    phase_ = Phase::commands;
    if (bytes[0] == kTlsHandshake) {
      facts.flag(Field::starttls);
      return Answer::hand_over(0);
    }
  }
  return read_client(bytes, facts);
}

// --- The client ---------------------------------------------------------------------------------

Answer Smtp::read_client(Bytes bytes, Facts& facts) noexcept {
  std::size_t done = 0;
  while (done < bytes.size() && phase_ != Phase::starttls) {
    const Bytes rest = bytes.subspan(done);
    if (phase_ == Phase::data) begin_mail();  // what comes before the reply, or without one
    if (phase_ == Phase::mail) {
      const std::size_t taken = mail_bytes(text_of(rest));
      done += taken;
      if (taken == 0) break;
      continue;
    }
    if (!commands_.is_sure() && rest[0] == kTlsHandshake) {  // who asked for it was missed
      facts.flag(Field::starttls);
      return Answer::hand_over(done);
    }
    std::size_t taken;
    const Bytes line = line_of(rest, taken);
    if (taken > kLineBytesMax || (taken == 0 && rest.size() >= kLineBytesMax)) {
      if (commands_.is_sure()) return Answer::malformed();
      commands_.miss(true);
      done += kLineBytesMax;
      continue;
    }
    if (taken == 0) break;
    done += taken;
    if (!commands_.is_sure() && !commands_.admits(looks_like_command(text_of(line)))) continue;
    const std::uint64_t skip = read_command(text_of(line), facts);
    if (has_agreed_) return Answer::hand_over(done);
    if (skip > bytes.size() - done) return Answer::took(done + skip);
    done += skip;
  }
  return done != 0 ? Answer::took(done) : Answer::need(bytes.size() + 1);
}

// Bytes of the mail at the front of `text`, up to its end if that is there; 0: it cannot be told.
std::size_t Smtp::mail_bytes(std::string_view text) noexcept {
  std::size_t end = std::string_view::npos;
  if (is_line_start_ && text.starts_with(kEndOfMail))
    end = kEndOfMail.size();
  else if (const std::size_t place = text.find("\n.\r\n"); place != std::string_view::npos)
    end = place + 1 + kEndOfMail.size();
  if (end != std::string_view::npos) {
    phase_ = Phase::commands;
    ++mails_;
    ask();
    return end;
  }
  const std::size_t last = text.rfind('\n') + 1;  // npos + 1 is 0
  const bool is_start = last != 0 || is_line_start_;
  const bool is_open = is_start && kEndOfMail.starts_with(text.substr(last));
  const std::size_t taken = is_open ? last : text.size();
  if (taken != 0) is_line_start_ = text[taken - 1] == '\n';
  return taken;
}

// Of the server, a reply. True: it has come already, and was `code`.
bool Smtp::ask(std::uint16_t code) noexcept {
  if (early_ == 0) {
    last_early_ = 0;
    ++unanswered_;
    return false;
  }
  return --early_ == 0 && last_early_ == code;
}

// Bytes behind the line that belong to it.
std::uint64_t Smtp::read_command(std::string_view line, Facts& facts) noexcept {
  if (std::exchange(is_last_, false)) ++mails_;
  if (phase_ == Phase::authentication) return 0;
  const std::size_t space = std::min(line.find(' '), line.size());
  const std::string_view verb = line.substr(0, space);
  const std::string_view arguments = trimmed(line.substr(space));
  std::string_view path;
  if (equals(verb, "data")) {
    begin_mail();
    if (!ask(kGoOn)) phase_ = Phase::data;
    return 0;
  }
  if (equals(verb, "starttls")) {
    phase_ = Phase::starttls;
    has_agreed_ = ask(220);
    if (has_agreed_) facts.flag(Field::starttls);
    return 0;
  }
  const bool is_answered = early_ != 0;
  ask();
  if (is_hello(verb)) {
    facts.text(Field::helo, arguments);
    if (equals(verb, "lhlo")) may_be_early_ = false;  // a reply for each recipient (RFC 2033 §4.2)
  } else if (equals(verb, "mail") && read_path(arguments, "from", path)) {
    senders_++ < kAddressesMax ? facts.text(Field::from, path) : facts.leave_out();
  } else if (equals(verb, "rcpt") && read_path(arguments, "to", path)) {
    recipients_++ < kAddressesMax ? facts.text(Field::to, path) : facts.leave_out();
  } else if (equals(verb, "auth")) {
    const std::string_view mechanism = mechanism_of(arguments);
    if (!mechanism.empty()) facts.text(Field::authentication, mechanism);
    if (!is_answered) phase_ = Phase::authentication;
    has_secrets_ = true;
  } else if (equals(verb, "bdat")) {
    constexpr std::uint64_t kBytesMax = UINT64_MAX / 2;  // with what is before it, a number still
    std::uint64_t bytes = 0;
    const char* const end = arguments.data() + arguments.size();
    const auto number = std::from_chars(arguments.data(), end, bytes);
    if (number.ec != std::errc{}) return 0;
    is_last_ = number.ptr != end;  // only LAST can follow
    return std::min(bytes, kBytesMax);
  }
  return 0;
}

// --- The server ---------------------------------------------------------------------------------

Answer Smtp::read_server(Bytes bytes, Facts& facts) noexcept {
  std::size_t done = 0;
  while (done < bytes.size()) {
    if (bytes[done] == kTlsHandshake) {
      if (phase_ != Phase::starttls) break;
      facts.flag(Field::starttls);
      return Answer::hand_over(done);
    }
    std::size_t taken;
    const Bytes line = line_of(bytes.subspan(done), taken);
    if (taken > kLineBytesMax || (taken == 0 && bytes.size() - done >= kLineBytesMax)) {
      if (replies_.is_sure()) return Answer::malformed();
      replies_.miss(true);
      done += kLineBytesMax;
      continue;
    }
    if (taken == 0) break;
    if (!replies_.is_sure() && !replies_.admits(begins_reply(text_of(line)))) {
      done += taken;
      continue;
    }
    ReplyLine reply;
    if (!read_reply(text_of(line), reply)) return Answer::malformed();
    done += taken;
    if (reply.is_last && end_reply(reply, facts)) return Answer::hand_over(done);
  }
  return done != 0 ? Answer::took(done) : Answer::need(bytes.size() + 1);
}

// True: what follows is TLS.
bool Smtp::end_reply(const ReplyLine& reply, Facts& facts) noexcept {
  if (reply.code >= 400 && refusals_++ >= kRefusalsMax) {
    facts.leave_out();
  } else if (reply.code >= 400) {
    facts.number(Field::refusal_code, reply.code);
    // Who does not understand a line may repeat it.
    const bool is_repeated =
        reply.code >= 500 && reply.code <= 502 && (has_secrets_ || unanswered_ == 0);
    if (!is_repeated) facts.text(Field::refusal_text, reply.text);
  }
  if (!has_banner_) {
    has_banner_ = true;
    if (reply.code == 220) {
      facts.text(Field::banner, reply.text);
      return false;
    }
  }
  if (reply.code == kAuthenticated) has_secrets_ = false;
  if (reply.code == 334) return false;  // goes on with AUTH (RFC 4954 §4)
  commands_.end_line();
  if (reply.code == kGoOn && phase_ == Phase::commands && !may_be_early_) {
    begin_mail();  // its DATA was missed, or replies before it
    unanswered_ = 0;
    return false;
  }
  if (unanswered_ != 0) {
    if (--unanswered_ != 0) return false;
  } else {
    if (may_be_early_) ++early_;
    last_early_ = reply.code;
  }
  switch (phase_) {
    case Phase::starttls:
      phase_ = Phase::commands;
      if (reply.code != 220) return false;
      facts.flag(Field::starttls);
      return true;
    case Phase::data:
      // Else it answers the mail, which was captured behind it.
      begin_mail();
      if (reply.code >= 400) phase_ = Phase::commands;
      return false;
    case Phase::authentication:
      phase_ = Phase::commands;
      return false;
    case Phase::commands:
    case Phase::mail:
      break;
  }
  return false;
}

// ------------------------------------------------------------------------------------------------

void Smtp::begin_mail() noexcept {
  phase_ = Phase::mail;
  is_line_start_ = true;
}

// Of what was missed nothing is known, so replies are not counted down for it, and a mail that
// waits for leave is believed to have it. That the client was told to go on is heard before the gap
// of its DATA (sessiontable/streams.h), or behind it.
Answer Smtp::on_gap(unsigned side, Bytes left, std::uint64_t, Facts&) noexcept {
  if (!roles_.learn_by_other(side)) return Answer::done();
  if (roles_.is_server(side)) {
    replies_.miss(!left.empty());
    has_banner_ = true;
    if (phase_ == Phase::data) phase_ = Phase::mail;
  } else if (phase_ == Phase::mail || phase_ == Phase::data) {
    phase_ = Phase::mail;
    is_line_start_ = false;
  } else if (phase_ == Phase::starttls) {
    return Answer::done();
  } else {
    commands_.miss(!left.empty());
    if (phase_ == Phase::commands && last_early_ == kGoOn) begin_mail();
  }
  unanswered_ = early_ = 0;
  may_be_early_ = false;
  return Answer::took(1);
}

void Smtp::tell(Facts& facts) const noexcept {
  const bool is_whole = is_last_ && facts.unseen(0) == 0 && facts.unseen(1) == 0;
  const std::uint64_t mails = std::uint64_t{mails_} + (is_whole ? 1 : 0);
  if (mails != 0) facts.number(Field::mails, mails);
}

namespace parser {
constinit const Parser smtp = make_parser<Smtp>({.name = "smtp", .fields = kFields});
}  // namespace parser

}  // namespace linger
