// SMTP and LMTP: who greets whom, from whom mails go to whom, what was refused; mails themselves
// are counted, never looked at.
//
//     server   code SP text CRLF, or code - text CRLF … code SP text CRLF          RFC 5321 §4.2
//     client   EHLO domain, MAIL FROM:<path>, RCPT TO:<path>, DATA, BDAT, AUTH, STARTTLS
//     mail     lines, until one that is a dot                                       RFC 5321 §4.5.2
//              BDAT bytes [LAST]: so many bytes                                     RFC 3030 §2
//
// Which side is which is told by what it says. Behind the 220 to STARTTLS another protocol begins
// (RFC 3207), and where a client begins TLS unasked, or its server is not heard. What follows AUTH
// until its reply is not told (RFC 4954). Replies may have been captured before their commands,
// which then take them in order; TLS of the server waits for that. A gap in a mail is passed over.
// Elsewhere it goes on behind one at a line that begins with a command or a code; that a mail or
// TLS came then is told by the server's 354, and by TLS's first byte. Limits: lines of
// kLineBytesMax, kAddressesMax addresses of senders and of recipients, kRefusalsMax replies; more
// are counted (network.values_dropped).
#pragma once

#include <cstdint>

#include "parsers/facts.h"
#include "parsers/parser.h"
#include "parsers/replies.h"

namespace linger {

#define LINGER_SMTP_FIELDS(X)                                                             \
  X(banner, text, "banner", "The server's greeting, without its code; its last line.")    \
  X(helo, text, "helo", "Name that the client gave with EHLO, HELO or LHLO.")             \
  X(authentication, text, "authentication", "Mechanism that the client chose with AUTH.") \
  X(from, text, "from[]", "Senders (MAIL FROM); empty for a notification.")               \
  X(to, text, "to[]", "Recipients (RCPT TO).")                                            \
  X(mails, number, "mails", "Mails that were sent to their end.")                         \
  X(refusal_code, number, "refusals[].code", "Code of a reply from 400 on.")              \
  X(refusal_text, text, "refusals[].text",                                                \
    "Its text; the last line; not of a syntax error that may repeat a password.")         \
  X(starttls, flag, "starttls", "The session went on in TLS.")

enum class SmtpField : std::uint8_t { LINGER_SMTP_FIELDS(LINGER_FIELD_NAME) };

class Smtp {
 public:
  static constexpr Pattern kPatterns[] = {
      {Carrier::stream, R"(^220[ -])"},
      {Carrier::stream, R"(^(421|521|550|554)[ -])"},
      {Carrier::stream, R"(^([Ee][Hh]|[Hh][Ee]|[Ll][Hh])[Ll][Oo] )"}};
  static constexpr std::size_t kLineBytesMax = 4 * 1024;
  static constexpr std::uint32_t kAddressesMax = 64;
  static constexpr std::uint32_t kRefusalsMax = 16;

  static Detection detect(Carrier carrier, Bytes bytes) noexcept;
  Answer on_data(unsigned side, Bytes bytes, Facts& facts) noexcept;
  Answer on_gap(unsigned side, Bytes left, std::uint64_t count, Facts& facts) noexcept;
  void tell(Facts& facts) const noexcept;

 private:
  // What the client does; the last three wait for the server.
  enum class Phase : std::uint8_t { commands, mail, authentication, data, starttls };

  Answer read_client(Bytes bytes, Facts& facts) noexcept;
  std::uint64_t read_command(std::string_view line, Facts& facts) noexcept;
  Answer read_server(Bytes bytes, Facts& facts) noexcept;
  bool end_reply(const ReplyLine& reply, Facts& facts) noexcept;
  std::size_t mail_bytes(std::string_view text) noexcept;
  void begin_mail() noexcept;
  bool ask(std::uint16_t code = 0) noexcept;

  ReplyRoles roles_;
  Phase phase_ = Phase::commands;
  bool is_line_start_ = true;  // of the mail
  bool is_last_ = false;       // of the mail, what BDAT sends now
  LineFront commands_;         // the client's lines,
  LineFront replies_;          // the server's
  bool has_banner_ = false;
  bool has_secrets_ = false;      // the client may have sent a password that was not taken
  bool has_agreed_ = false;       // the server, to STARTTLS, before it was asked
  bool may_be_early_ = true;      // replies without command; else there are others like that
  std::uint16_t last_early_ = 0;  // code of the last one; behind a gap too
  std::uint32_t early_ = 0;       // that wait for their command
  std::uint32_t unanswered_ = 0;  // commands; one that others wait for is the last (RFC 2920 §3.1)
  std::uint32_t mails_ = 0;
  std::uint32_t senders_ = 0;
  std::uint32_t recipients_ = 0;
  std::uint32_t refusals_ = 0;
};

}  // namespace linger
