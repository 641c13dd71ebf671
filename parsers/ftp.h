// FTP's control connection: commands with their replies, who logs in, and where the data
// connections are, so that their sessions can be found.
//
//     server   code SP text CRLF, or code-text CRLF lines code SP text CRLF   RFC 959 §4.2
//     client   COMMAND [SP argument] CRLF                                     RFC 959 §4.1
//     active   PORT h,h,h,h,p,p        EPRT |family|address|port|             §4.1.2, RFC 2428 §2
//     passive  227 … h,h,h,h,p,p …     229 … (|||port|)                       §4.2.2, RFC 2428 §3
//
// A transaction is a command and its last reply; the greeting is one without command. An address
// that is not told (229) is the server's. Which side is which is told by what it says. Behind the
// reply to AUTH TLS another protocol begins (RFC 4217). Passwords are not told, nor are commands
// that only set the stage (NOOP, TYPE, …). A command that transfers over the data connection named
// last says what that one is about: its record names the control session, if it is opened within
// kDataWindow since it was named, or was captured so by kEarly at most before that. Where a client
// does not wait for the reply that names it, the command waits for that. Behind its last reply no
// other data connection is its. A reply without command is that of the next one, if it was captured
// kEarly at most before it.
//
// Behind a gap it goes on at a line that begins with a command or a code. A client waits for each
// reply, so a command tells that what was said before it has been answered, and a reply that nobody
// asked for stands alone: its command was missed. Of a client that has not waited, or in a capture
// that is not in order, a gap ends the parser. Limits: lines of kLineBytesMax, kPendingMax commands
// that wait for replies, beyond which the parser ends; one command that waits for its data
// connection, with kArgumentBytesMax.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>

#include "parsers/facts.h"
#include "parsers/parser.h"
#include "parsers/replies.h"

namespace linger {

#define LINGER_FTP_FIELDS(X)                                                        \
  X(command, text, "command", "The client's command, as in RETR.")                  \
  X(argument, text, "argument",                                                     \
    "Its argument; not that of PASS, ACCT and ADAT; of SITE its first word.")       \
  X(user, text, "user.name", "Name that the client logs in with.")                  \
  X(reply_code, number, "reply.code", "Code of the reply that ended the command.")  \
  X(reply_text, text, "reply.text",                                                 \
    "Its text; the last line; not of a syntax error that may repeat a password.")   \
  X(data_mode, text, "data.mode",                                                   \
    "Who opens the data connection: active, the server; passive, "                  \
    "the client.")                                                                  \
  X(data_ip, ip, "data.ip", "Address that it goes to; when missing the server's.")  \
  X(data_port, number, "data.port", "Port that it goes to.")                        \
  X(control_id, hex, "control.id",                                                  \
    "On the record of a data connection: event.id of its control session.")         \
  X(control_command, text, "control.command", "Likewise: what it is for, as RETR.") \
  X(control_argument, text, "control.argument", "Likewise: of which file.")

enum class FtpField : std::uint8_t { LINGER_FTP_FIELDS(LINGER_FIELD_NAME) };

class Ftp {
 public:
  static constexpr Pattern kPatterns[] = {{Carrier::stream, R"(^220[ -])"},
                                          {Carrier::stream, R"(^[Aa][Uu][Tt][Hh] (TLS|SSL))"}};
  static constexpr std::size_t kLineBytesMax = 4 * 1024;
  static constexpr std::size_t kPendingMax = 32;
  static constexpr std::size_t kArgumentBytesMax = 240;
  static constexpr DurationNs kDataWindow = kMinute;
  static constexpr DurationNs kEarly = kMillisecond;

  static Detection detect(Carrier carrier, Bytes bytes) noexcept;
  Answer on_data(unsigned side, Bytes bytes, Facts& facts) noexcept;
  Answer on_gap(unsigned side, Bytes left, std::uint64_t count, Facts& facts) noexcept;

 private:
  static constexpr std::uint8_t kNoPlace = 0xff;
  struct Transfer {                 // said before its data connection was named,
    std::uint8_t place = kNoPlace;  // in reply to this one of `pending_`
    std::uint8_t argument_bytes = 0;
    std::array<char, 4> command;
    std::array<char, kArgumentBytesMax> argument;
  };

  bool looks_whole(unsigned side, std::string_view line) const noexcept;
  Answer give_up(Facts& facts) noexcept;
  void lose_replies(unsigned kept, Facts& facts) noexcept;
  unsigned awaited() const noexcept { return count_ + (has_banner_ ? 0U : 1U); }
  bool read_command(unsigned side, std::string_view line, Facts& facts) noexcept;
  bool read_reply_line(unsigned side, std::string_view line, Facts& facts) noexcept;
  void end_reply(unsigned side, const ReplyLine& reply, Facts& facts) noexcept;
  LinkEndpoint on_endpoint(unsigned side, std::string_view mode, LinkEndpoint end, Row row,
                           Facts& facts) noexcept;
  void on_transfer(std::string_view command, std::string_view argument, Facts& facts) noexcept;
  void end_transfer(Facts& facts) noexcept;
  void link(const LinkEndpoint& end, std::string_view command, std::string_view argument,
            Facts& facts) noexcept;

  ReplyRoles roles_;
  std::array<LineFront, 2> lines_;
  LinkEndpoint data_;                       // where the next data connection goes to
  LinkEndpoint linked_;                     // where the last one goes to that was linked,
  std::uint8_t transfer_ = kNoPlace;        // to this one of `pending_`
  std::array<Row, kPendingMax> pending_{};  // commands without reply; kNoRow: one that is not told
  std::bitset<kPendingMax> secrets_;        // of them, those whose argument is not told
  Transfer next_;
  std::uint8_t passive_ = kNoPlace;  // of `pending_`: what names it, and nothing transfers yet
  Row greeting_ = kNoRow;            // kept for it, when a command is read before it
  Timestamp early_since_{};          // of a reply without command,
  Row early_ = kNoRow;               // that the next one may be of
  std::uint8_t first_ = 0;
  std::uint8_t count_ = 0;
  std::uint16_t open_code_ = 0;  // of a reply of several lines
  bool has_banner_ = false;
  bool is_early_ = false;  // the last reply: the one of `early_`
  bool asks_tls_ = false;
  bool has_agreed_ = false;  // the server, to what was captured behind its reply
  bool is_tls_ = false;
  bool has_quit_ = false;  // the client
  bool has_gap_ = false;
  // The client has not waited for a reply, or the capture is not in order: behind a gap it could
  // not be told which replies are missing.
  bool is_out_of_step_ = false;
  bool may_have_been_answered_ = false;  // what is awaited; the server has said no reply since
  bool is_unheard_ = false;              // what the client said last, and the server's reply
};

}  // namespace linger
