// What SMTP and FTP have in common: replies of three digits (RFC 959 §4.2, RFC 5321 §4.2), by which
// the server is known, and the greeting 220, of which only the words tell whose it is. Nothing is
// copied.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "parsers/lines.h"
#include "parsers/parser.h"

namespace linger {

struct ReplyLine {
  std::uint16_t code;
  bool is_last;  // of its reply
  std::string_view text;
};
// False: it does not begin with a code.
inline bool read_reply(std::string_view line, ReplyLine& reply) noexcept {
  if (line.size() < 3 || !is_digits(line.substr(0, 3)) || line[0] < '1' || line[0] > '6')
    return false;
  reply = {0, line.size() == 3 || line[3] != '-',
           line.substr(std::min<std::size_t>(4, line.size()))};
  for (const char c : line.substr(0, 3))
    reply.code = static_cast<std::uint16_t>(10 * reply.code + (c - '0'));
  return true;
}

// The same, and what follows the code is what may: else it may be the middle of a line.
inline bool begins_reply(std::string_view line) noexcept {
  ReplyLine reply;
  return read_reply(line, reply) && (line.size() == 3 || line[3] == ' ' || line[3] == '-');
}

enum class Greeting : std::uint8_t { unknown, mail, files };

// A word that only servers of mail, or of files, greet with.
inline Greeting greeting_by_words(std::string_view line) noexcept {
  constexpr std::string_view kMail[] = {"smtp", "mail", "postfix", "exim"};
  constexpr std::string_view kFiles[] = {"ftp", "filezilla"};
  for (std::size_t i = 0; i < line.size(); ++i) {
    for (const std::string_view word : kFiles)
      if (equals(line.substr(i, word.size()), word)) return Greeting::files;
    for (const std::string_view word : kMail)
      if (equals(line.substr(i, word.size()), word)) return Greeting::mail;
  }
  return Greeting::unknown;
}

// Whose first bytes these are, at most kDetectBytesMax. Without a telling word the reply to the
// client's first command is waited for: 250 to EHLO, others to USER and AUTH. At last a greeting
// that begins with a domain is SMTP's (RFC 5321 §4.2).
inline Greeting greeting_of(Bytes bytes) noexcept {
  const std::string_view text = text_of(bytes);
  bool is_greeted = false;
  for (std::size_t at = 0, taken = 0; at < bytes.size(); at += taken) {
    Bytes line = line_of(bytes.subspan(at), taken);
    if (taken == 0) {
      if (bytes.size() < kDetectBytesMax) return Greeting::unknown;
      line = bytes.subspan(at);
      taken = line.size();
    }
    const Greeting greeting = greeting_by_words(text_of(line));
    if (greeting != Greeting::unknown) return greeting;
    ReplyLine reply;
    if (!read_reply(text_of(line), reply)) continue;
    if (is_greeted && reply.code == 250) return Greeting::mail;
    if (is_greeted && (reply.code == 331 || reply.code == 230 || reply.code == 530 ||
                       reply.code == 234 || reply.code == 211 || reply.code == 215))
      return Greeting::files;
    is_greeted |= reply.is_last;
  }
  if (bytes.size() < kDetectBytesMax) return Greeting::unknown;
  const std::string_view first = text.substr(4, text.find_first_of(" \r\n", 4) - 4);
  return first.find('.') != std::string_view::npos && !first.ends_with('.') ? Greeting::mail
                                                                            : Greeting::files;
}

// What a greeting says to a parser that wants `wanted`.
constexpr Detection detection_of(Greeting greeting, Greeting wanted) noexcept {
  if (greeting == Greeting::unknown) return Detection::maybe;
  return greeting == wanted ? Detection::yes : Detection::no;
}

// Which side is which: the server's first bytes are digits, the client's are not.
class ReplyRoles {
 public:
  bool is_server(unsigned side) const noexcept { return roles_[side] == Role::server; }
  bool is_client(unsigned side) const noexcept { return roles_[side] == Role::client; }

  // By what a side says first. An answer of the parser, if it is not known: for want of bytes,
  // because both sides say the same, or because the client begins TLS though nobody asked for it.
  std::optional<Answer> learn(unsigned side, Bytes bytes) noexcept {
    Role& role = roles_[side];
    if (role != Role::unknown) return {};
    if (bytes.size() < 3) return Answer::need(3);
    if (bytes[0] == kTlsHandshake) return Answer::hand_over(0);
    role = is_digits(text_of(bytes).substr(0, 3)) ? Role::server : Role::client;
    if (roles_[side ^ 1] == role) return Answer::malformed();
    return {};
  }

  // Of a side whose first bytes are missing: by what the other one is. False: neither is known.
  bool learn_by_other(unsigned side) noexcept {
    Role& role = roles_[side];
    if (role == Role::unknown && roles_[side ^ 1] != Role::unknown)
      role = is_client(side ^ 1) ? Role::server : Role::client;
    return role != Role::unknown;
  }

 private:
  enum class Role : std::uint8_t { unknown, client, server };
  std::array<Role, 2> roles_{};
};

}  // namespace linger
