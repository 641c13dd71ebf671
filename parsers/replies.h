// What SMTP and FTP have in common: replies of three digits (RFC 959 §4.2, RFC 5321 §4.2), and the
// greeting 220, of which only the words tell whose it is. No state, nothing is copied.
#pragma once

#include <cstdint>

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

}  // namespace linger
