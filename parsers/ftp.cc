#include "parsers/ftp.h"

#include <charconv>
#include <optional>
#include <utility>

#include "engine/base/socket_headers.h"
#include "parsers/list.h"

namespace linger {
namespace {

using Field = FtpField;

constexpr ProtocolField kFields[] = {LINGER_FTP_FIELDS(LINGER_FIELD_ROW)};

constexpr std::string_view kUntold[] = {"noop", "type", "mode", "stru", "pwd",  "xpwd",
                                        "allo", "opts", "pbsz", "prot", "syst", "feat"};

// What they say is not told; the last one is RFC 2228's.
constexpr std::string_view kSecret[] = {"pass", "acct", "adat"};

constexpr std::uint16_t kShutDown = 421;  // a reply to any command, or to none (RFC 959 §5.4)

constexpr std::uint16_t kGoodbye = 221;  // to QUIT, or of a server that has waited for long

constexpr std::string_view kBlanks = " \t";

constexpr std::string_view kTransfers[] = {"retr", "stor", "stou", "appe", "list", "nlst", "mlsd"};

constexpr std::string_view kPassive[] = {"pasv", "epsv"};

constexpr bool is_word(char c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

constexpr std::string_view kCommands[] = {  // RFC 5797, and what is usual beside them
    "abor", "acct", "adat", "allo", "appe", "auth", "ccc",  "cdup", "clnt", "conf", "cwd",  "dele",
    "enc",  "eprt", "epsv", "feat", "help", "host", "lang", "list", "mdtm", "mfmt", "mic",  "mkd",
    "mlsd", "mlst", "mode", "nlst", "noop", "opts", "pass", "pasv", "pbsz", "port", "prot", "pwd",
    "quit", "rein", "rest", "retr", "rmd",  "rnfr", "rnto", "site", "size", "smnt", "stat", "stor",
    "stou", "stru", "syst", "type", "user", "xcup", "xcwd", "xmkd", "xpwd", "xrmd"};

bool is_one_of(std::span<const std::string_view> words, std::string_view text) noexcept {
  return std::any_of(words.begin(), words.end(), [&](auto word) { return equals(text, word); });
}

// A decimal number at the front, of at most `max`; removes it.
bool take_number(std::string_view& text, unsigned max, unsigned& number) noexcept {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || number > max) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

// h,h,h,h,p,p: address and port, byte by byte (RFC 959 §4.1.2).
bool read_bytes(std::string_view text, std::array<std::uint8_t, 6>& bytes) noexcept {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    unsigned number = 0;
    if (i != 0) {
      if (!text.starts_with(',')) return false;
      text.remove_prefix(1);
    }
    if (!take_number(text, 255, number)) return false;
    bytes[i] = static_cast<std::uint8_t>(number);
  }
  return true;
}

std::optional<LinkEndpoint> read_endpoint(std::string_view text) noexcept {
  std::array<std::uint8_t, 6> bytes;
  if (!read_bytes(text, bytes)) return {};
  LinkEndpoint end{.ip_version = 4, .port = load_be16(bytes.data() + 4)};
  std::copy_n(bytes.begin(), 4, end.address.bytes.begin());
  return end;
}

// |family|address|port|, with any character instead of |; family and address may be empty
// (RFC 2428 §2, §3).
std::optional<LinkEndpoint> read_extended_endpoint(std::string_view text) noexcept {
  if (text.empty()) return {};
  const char bar = text[0];
  std::array<std::string_view, 3> parts;
  for (std::string_view& part : parts) {
    text.remove_prefix(1);
    const std::size_t part_end = text.find(bar);
    if (part_end == std::string_view::npos) return {};
    part = text.substr(0, part_end);
    text.remove_prefix(part_end);
  }
  unsigned port = 0;
  if (!take_number(parts[2], UINT16_MAX, port)) return {};
  LinkEndpoint end{.port = static_cast<std::uint16_t>(port)};
  char room[INET6_ADDRSTRLEN] = {};
  const bool is_v6 = parts[0] == "2";
  if (parts[1].size() < sizeof room) {
    std::copy(parts[1].begin(), parts[1].end(), room);
    if (inet_pton(is_v6 ? AF_INET6 : AF_INET, room, end.address.bytes.data()) == 1)
      end.ip_version = is_v6 ? 6 : 4;
  }
  return end;
}

std::string_view word_of(std::string_view line) noexcept {
  return line.substr(0, static_cast<std::size_t>(
                            std::find_if_not(line.begin(), line.end(), is_word) - line.begin()));
}

}  // namespace

Detection Ftp::detect(Carrier carrier, Bytes bytes) noexcept {
  if (carrier != Carrier::stream) return Detection::no;
  if (!text_of(bytes).starts_with("220"))  // the pattern said the rest
    return bytes.size() >= 8 && equals(text_of(bytes).substr(0, 4), "auth") ? Detection::yes
                                                                            : Detection::no;
  return detection_of(greeting_of(bytes), Greeting::files);
}

Answer Ftp::on_data(unsigned side, Bytes bytes, Facts& facts) noexcept {
  if (const auto answer = roles_.learn(side, bytes)) return *answer;
  std::size_t done = 0;
  while (done < bytes.size()) {
    if (roles_.is_client(side) && asks_tls_) {
      if (roles_.is_server(side ^ 1)) break;  // whose it is, the reply says
      if (bytes[done] == kTlsHandshake) return Answer::hand_over(done);
      asks_tls_ = false;
    }
    if (roles_.is_client(side) && bytes[done] == kTlsHandshake && !lines_[side].is_sure())
      return Answer::hand_over(done);  // who asked for it was missed
    if (roles_.is_server(side) && bytes[done] == kTlsHandshake) {
      if (asks_tls_) return Answer::hand_over(done);
      break;  // who asked for it comes later
    }
    std::size_t taken;
    const Bytes line = line_of(bytes.subspan(done), taken);
    if (taken > kLineBytesMax || (taken == 0 && bytes.size() - done >= kLineBytesMax)) {
      if (lines_[side].is_sure()) return Answer::malformed();
      lines_[side].miss(true);
      done += kLineBytesMax;
      continue;
    }
    if (taken == 0) break;
    const std::string_view text = text_of(line);
    if (!lines_[side].is_sure() && !lines_[side].admits(looks_whole(side, text))) {
      done += taken;
      continue;
    }
    if (has_gap_ && (roles_.is_client(side) ? is_unheard_ : awaited() > 1)) return give_up(facts);
    const bool is_good = roles_.is_client(side) ? read_command(side, text, facts)
                                                : read_reply_line(side, text, facts);
    if (!is_good) return Answer::malformed();
    done += taken;
    if (is_tls_) return Answer::hand_over(done);
  }
  return done != 0 ? Answer::took(done) : Answer::need(bytes.size() + 1);
}

// --- Gaps ----------------------------------------------------------------------------------------

// But for the last `kept` ones of those awaited.
void Ftp::lose_replies(unsigned kept, Facts& facts) noexcept {
  if (awaited() > kept) open_code_ = 0;
  while (awaited() > kept) {
    if (!std::exchange(has_banner_, true)) continue;
    const std::uint8_t place = first_;
    first_ = static_cast<std::uint8_t>((first_ + 1) % kPendingMax);
    --count_;
    if (place == transfer_) end_transfer(facts);
    if (place == next_.place) next_.place = kNoPlace;
    if (place != passive_) continue;
    passive_ = kNoPlace;
    data_ = {};
  }
}

bool Ftp::looks_whole(unsigned side, std::string_view line) const noexcept {
  return roles_.is_client(side) ? is_one_of(kCommands, word_of(line)) : begins_reply(line);
}

Answer Ftp::give_up(Facts& facts) noexcept {
  end_transfer(facts);
  return Answer::done();
}

// A client that waits for each reply says nothing before it: a command that was captured tells that
// those before it have been answered, and a reply that nobody asked for, that its command was
// missed. The stream tells both before the gap. In a transfer, or of a client that does not wait,
// nothing can be told apart.
Answer Ftp::on_gap(unsigned side, Bytes left, std::uint64_t, Facts& facts) noexcept {
  const bool is_known = roles_.learn_by_other(side) && !is_out_of_step_;
  if (!is_known || awaited() > (roles_.is_client(side) ? 0u : 2u)) return give_up(facts);
  has_gap_ = true;
  lines_[side].miss(!left.empty() && awaited() <= 1);
  if (roles_.is_server(side)) {
    lose_replies(1, facts);
    may_have_been_answered_ = true;
  } else {
    is_unheard_ = !is_early_;
    if (is_unheard_) data_ = {};
  }
  return Answer::took(1);
}

// --- Data connections ---------------------------------------------------------------------------

// Who says it on this side waits there.
LinkEndpoint Ftp::on_endpoint(unsigned side, std::string_view mode, LinkEndpoint end, Row row,
                              Facts& facts) noexcept {
  facts.text(Field::data_mode, mode, row);
  const Bytes address{end.address.bytes};
  if (end.ip_version != 0)
    facts.address(Field::data_ip, address.first(end.ip_version == 6 ? 16 : 4), row);
  facts.number(Field::data_port, end.port, row);
  end.side = static_cast<std::uint8_t>(side);
  end.since = {facts.now().value - kEarly};
  return end;
}

// A longer argument only the control session tells.
void Ftp::on_transfer(std::string_view command, std::string_view argument, Facts& facts) noexcept {
  const std::uint8_t place = std::exchange(passive_, kNoPlace);
  if (place == kNoPlace) {
    link(data_, command, argument, facts);
  } else if (next_.place == kNoPlace) {  // the reply will name it
    if (argument.size() > kArgumentBytesMax) argument = {};
    command.copy(next_.command.data(), next_.command.size());
    argument.copy(next_.argument.data(), argument.size());
    next_.argument_bytes = static_cast<std::uint8_t>(argument.size());
    next_.place = place;
  }
  data_ = {};
}

// What goes there from now on is for somebody else.
void Ftp::end_transfer(Facts& facts) noexcept {
  transfer_ = kNoPlace;
  LinkEndpoint end = std::exchange(linked_, {});
  end.since = {facts.now().value + kEarly};
  if (end.port != 0) facts.link(end, 0, {}, Field::control_id);
}

void Ftp::link(const LinkEndpoint& end, std::string_view command, std::string_view argument,
               Facts& facts) noexcept {
  linked_ = end;
  if (end.port == 0) return;
  facts.link(end, kDataWindow, "ftp-data", Field::control_id, [&](Facts& data) {
    data.text(Field::control_command, command);
    if (!argument.empty()) data.text(Field::control_argument, argument);
  });
}

// --- The client ---------------------------------------------------------------------------------

bool Ftp::read_command(unsigned side, std::string_view line, Facts& facts) noexcept {
  // Telnet's IAC before an ABOR (RFC 959 §4.1.3), and what servers pass over as well.
  const auto begin = std::find_if(line.begin(), line.end(), is_word);
  line.remove_prefix(static_cast<std::size_t>(begin - line.begin()));
  if (line.empty()) return true;
  const std::string_view command = word_of(line);
  std::string_view argument = trimmed(line.substr(command.size()));
  // What a server lets be said behind SITE may be a password, too.
  const bool is_site = equals(command, "site");
  if (is_site) argument = argument.substr(0, argument.find_first_of(kBlanks));
  if (std::exchange(may_have_been_answered_, false)) {
    lose_replies(0, facts);
    lines_[side ^ 1].miss(false);
  }
  if (count_ == kPendingMax) return false;
  // Where its words told no protocol, the greeting was said first, but comes with the next reply.
  if (!has_banner_ && greeting_ == kNoRow) greeting_ = facts.open_row();
  const bool is_answered = std::exchange(is_early_, false) && !has_gap_ &&
                           facts.now().value - early_since_.value <= kEarly;
  is_out_of_step_ |= is_answered;
  Row row = kNoRow;
  const bool is_secret = is_one_of(kSecret, command);
  if (!is_one_of(kUntold, command)) {
    row = is_answered ? early_ : facts.open_row();
    facts.text(Field::command, command, row);
    if (!is_secret && !argument.empty()) facts.text(Field::argument, argument, row);
    if (equals(command, "user")) facts.text(Field::user, argument, row);
    std::optional<LinkEndpoint> data;
    if (equals(command, "port")) data = read_endpoint(argument);
    if (equals(command, "eprt")) data = read_extended_endpoint(argument);
    if (data) {
      data_ = on_endpoint(side, "active", *data, row, facts);
      passive_ = kNoPlace;
    }
    if (is_one_of(kTransfers, command)) on_transfer(command, argument, facts);
    const bool is_auth = equals(command, "auth");
    is_tls_ = is_auth && has_agreed_;
    asks_tls_ = is_auth && (is_tls_ || !is_answered);
  }
  if (is_answered) return true;
  has_quit_ |= equals(command, "quit");
  const std::size_t place = (first_ + count_++) % kPendingMax;
  if (is_one_of(kPassive, command)) passive_ = static_cast<std::uint8_t>(place);
  if (is_one_of(kTransfers, command)) transfer_ = static_cast<std::uint8_t>(place);
  pending_[place] = row;
  secrets_.set(place, is_secret || is_site);
  return true;
}

// --- The server ---------------------------------------------------------------------------------

// Between the first and the last line of a reply lines may be anything.
bool Ftp::read_reply_line(unsigned side, std::string_view line, Facts& facts) noexcept {
  ReplyLine reply;
  const bool has_code = read_reply(line, reply);
  if (open_code_ != 0) {
    if (!has_code || reply.code != open_code_ || !reply.is_last) return true;
  } else if (!has_code) {
    return false;
  } else if (!reply.is_last) {
    open_code_ = reply.code;
    return true;
  }
  open_code_ = 0;
  if (reply.code >= 200) end_reply(side, reply, facts);  // 1xx: another one comes
  return true;
}

void Ftp::end_reply(unsigned side, const ReplyLine& reply, Facts& facts) noexcept {
  // The server's last word is not the reply to what waits for one, which was missed.
  if (reply.code == kGoodbye && may_have_been_answered_ && !has_quit_) lose_replies(0, facts);
  is_unheard_ = may_have_been_answered_ = false;
  lines_[side ^ 1].end_line();
  is_out_of_step_ |= awaited() > 1;
  Row row = kNoRow;
  std::uint8_t place = kNoPlace;
  const bool is_greeting = !has_banner_ && reply.code == 220;
  // Who does not understand a line may repeat it (RFC 959 §4.2.1: x0z).
  const bool is_repeated = reply.code / 10 == 50 && (count_ == 0 || secrets_.test(first_));
  if (is_greeting || count_ == 0) {  // nobody asked for it
    row = is_greeting && greeting_ != kNoRow ? greeting_ : facts.open_row();
    is_early_ = has_banner_ && reply.code != kShutDown;
    early_ = row;
    early_since_ = facts.now();
  } else {
    is_early_ = false;
    place = first_;
    row = pending_[place];
    first_ = static_cast<std::uint8_t>((first_ + 1) % kPendingMax);
    --count_;
  }
  has_banner_ = true;
  facts.number(Field::reply_code, reply.code, row);
  if (!is_repeated) facts.text(Field::reply_text, reply.text, row);
  const std::size_t digit = reply.text.find_first_of("0123456789");
  const std::size_t bracket = reply.text.find('(');
  std::optional<LinkEndpoint> end;
  if (reply.code == 227 && digit != std::string_view::npos)
    end = read_endpoint(reply.text.substr(digit));
  if (reply.code == 229 && bracket != std::string_view::npos)
    end = read_extended_endpoint(reply.text.substr(bracket + 1));
  if (end) end = on_endpoint(side, "passive", *end, row, facts);
  if (place != kNoPlace && place == next_.place) {
    next_.place = kNoPlace;
    if (end)
      link(*end, {next_.command.data(), next_.command.size()},
           {next_.argument.data(), next_.argument_bytes}, facts);
  } else {
    if (place == passive_) passive_ = kNoPlace;
    if (end) data_ = *end;
  }
  if (place != kNoPlace && place == transfer_) end_transfer(facts);
  if (reply.code == 234 && !asks_tls_) has_agreed_ = true;
  if (count_ == 0) {
    is_tls_ = asks_tls_ && reply.code == 234;  // RFC 4217 §4
    asks_tls_ = false;
  }
}

namespace parser {
constinit const Parser ftp = make_parser<Ftp>({.name = "ftp", .has_rows = true, .fields = kFields});
}  // namespace parser

}  // namespace linger
