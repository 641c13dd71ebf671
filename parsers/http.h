// HTTP/1.0 and 1.1: every transaction of a connection, in both directions at once.
//
//     request   METHOD SP target SP HTTP/1.x CRLF  fields CRLF  body             RFC 9112 §2, §3
//     response  HTTP/1.x SP status SP reason CRLF  fields CRLF  body             RFC 9112 §4
//
// Which side asks is told by what it says. What a side says behind a gap that is not in a body is
// passed over, and so is what it begins with if that is no message and answers none (a probe, the
// rest of what the capture missed), up to the next message of the other side: behind that, one of
// its own may begin. Then requests that a gap took the responses of wait no longer. Responses join
// their requests in order; one without request is a transaction of its own. Bodies are counted,
// never looked at: by length (one that is none is malformed where it counts), in chunks, or to the
// end (RFC 9112 §6.3); one that waits for a 100 may never come (RFC 9110 §10.1.1), nor one of a
// response whose request was not seen. Behind a 101, or a 2xx to CONNECT, another protocol begins;
// what a client says behind a CONNECT waits for the answer, and so does what is no request behind
// one that asks to upgrade. User names and passwords in URLs are not told (RFC 3986 §3.2.1), nor
// are credentials and cookies. Limits: lines of kLineBytesMax, fields that go on in kFoldsMax more
// lines, kPendingMax requests that wait, where those that were captured at once count as one; what
// is pipelined beyond is told apart from its responses.
#pragma once

#include <array>
#include <cstdint>

#include "parsers/facts.h"
#include "parsers/parser.h"

namespace linger {

#define LINGER_HTTP_FIELDS(X)                                                            \
  X(request_method, text, "request.method", "Method of the request.")                    \
  X(referrer, text, "request.referrer", "Referer.")                                      \
  X(request_mime_type, text, "request.mime_type", "Content-Type of the request.")        \
  X(request_body_bytes, number, "request.body.bytes", "Bytes of the request's body.")    \
  X(url_original, text, "url.original",                                                  \
    "Target of the request, as it was sent but for a user's name and password.")         \
  X(url_path, text, "url.path", "Its path.")                                             \
  X(url_query, text, "url.query", "What follows the path behind a question mark.")       \
  X(url_domain, text, "url.domain", "The host asked for: of the target, else of Host.")  \
  X(url_port, number, "url.port", "Its port, if one is given.")                          \
  X(user_agent, text, "user_agent.original", "User-Agent.")                              \
  X(version, text, "version", "Version of the response, else of the request.")           \
  X(upgrade, text, "upgrade", "Upgrade of the response, else of the request.")           \
  X(status_code, number, "response.status_code", "Status of the response.")              \
  X(server, text, "response.server", "Server.")                                          \
  X(location, text, "response.location", "Location.")                                    \
  X(response_mime_type, text, "response.mime_type", "Content-Type of the response.")     \
  X(response_body_bytes, number, "response.body.bytes", "Bytes of the response's body.") \
  X(response_time, duration, "response.time_ns", "From the request's first line to the response's.")

enum class HttpField : std::uint8_t { LINGER_HTTP_FIELDS(LINGER_FIELD_NAME) };

class Http {
 public:
  static constexpr Pattern kPatterns[] = {{Carrier::stream, R"(^\r?\n?[A-Z][A-Z_-]{1,19} [!-~])"},
                                          {Carrier::stream, R"(^HTTP/1\.[0-9] [1-9])"}};
  static constexpr std::size_t kLineBytesMax = 16 * 1024;
  static constexpr std::size_t kFoldsMax = 64;  // lines that go on with a field
  static constexpr std::size_t kPendingMax = 32;

  static Detection detect(Carrier carrier, Bytes bytes) noexcept;
  Answer on_data(unsigned side, Bytes bytes, Facts& facts) noexcept;
  Answer on_gap(unsigned side, Bytes left, std::uint64_t count, Facts& facts) noexcept;
  void on_end(unsigned side, Bytes left, Facts& facts) noexcept;
  void tell(Facts& facts) const noexcept;

 private:
  enum class Phase : std::uint8_t {
    start,
    fields,
    expected,  // a body, if there is one
    body,
    chunk_size,
    chunk_end,
    trailer,
    to_end
  };
  enum class Method : std::uint8_t { other, head, connect };
  // Where a side stands among its messages.
  enum class Place : std::uint8_t { unknown, known, lost, regained };

  struct Message {                 // of one side, being read
    std::uint64_t body_bytes = 0;  // taken, skipped ones too
    std::uint64_t length = 0;      // Content-Length
    std::uint16_t status = 0;
    Row row = kNoRow;
    Phase phase = Phase::start;
    Method method = Method::other;  // of the request, known to its response too
    bool is_response = false;
    bool has_length = false;
    bool has_bad_length = false;  // or two of them
    bool is_chunked = false;
    bool is_coded = false;         // but not chunked, so that it ends with its side
    bool may_lack_body = false;    // asks for a 100 before it, or answers what was not seen
    bool has_host = false;         // in the target
    bool asks_for_tunnel = false;  // a CONNECT, which was the last one
    bool asks_to_upgrade = false;  // it, or the last one
  };
  struct Requests {  // that wait for their responses: one, or several that were captured at once
    Timestamp time{};
    Row row = kNoRow;  // of the first; the others follow, or have none either
    std::uint16_t count = 1;
    Method method = Method::other;
  };

  Answer read_line(unsigned side, Bytes line, Facts& facts) noexcept;
  bool read_start(unsigned side, Bytes line, Facts& facts) noexcept;
  bool read_request(Message& message, Bytes line, Facts& facts) noexcept;
  bool read_response(Message& message, Bytes line, Facts& facts) noexcept;
  void read_field(Message& message, Bytes line, Facts& facts) noexcept;
  bool read_chunk_size(Message& message, Bytes line) noexcept;
  static bool begins_tunnel(const Message& response) noexcept;
  Answer begin_body(Message& message, Facts& facts) noexcept;
  bool may_be_another_protocol(const Message& message, Bytes bytes) const noexcept;
  Answer begin_expected(Message& message, Bytes bytes, Facts& facts) noexcept;
  void end_message(Message& message, Facts& facts) noexcept;
  void tell_body(const Message& message, std::uint64_t unseen, Facts& facts) const noexcept;
  void push(const Requests& request) noexcept;
  Requests pop(Facts& facts) noexcept;

  std::array<Message, 2> messages_;
  std::array<Place, 2> places_{};
  std::array<Requests, kPendingMax> pending_;
  std::uint32_t unlisted_ = 0;  // requests behind them that found no room
  std::uint8_t first_ = 0;
  std::uint8_t count_ = 0;
};

}  // namespace linger
