// The first lines of HTTP/1's messages taken apart, and what is told of targets and other URLs.
//
//     METHOD SP target SP HTTP/1.x                                                   RFC 9112 §3
//     HTTP/1.x SP status SP reason                                                   RFC 9112 §4
//     scheme://user:password@host:port/path?query                                    RFC 3986 §3
//
// No state; views into the line. User names and passwords are not told (RFC 3986 §3.2.1). Lines
// come without their end. Cost: a pass or two.
#pragma once

#include <string_view>

#include "parsers/facts.h"

namespace linger {

enum class HttpField : std::uint8_t;

inline constexpr std::string_view kHttpVersion = "HTTP/1.";

// As those that are in use. Any other token is a method too (RFC 9110 §9.1), but tells nothing of
// the protocol.
bool begins_method(std::string_view text) noexcept;  // it may go on
bool is_method(std::string_view text) noexcept;
// In a line whose end is not there.
bool begins_target(std::string_view method, std::string_view target) noexcept;

struct RequestLine {
  std::string_view method, target, version;
};
// Blanks behind the version are passed over (RFC 9112 §3), and so are those in the target (§3.2) of
// a method that is in use; any other token is one only without them. None stand before the method.
bool split_request(std::string_view line, RequestLine& parts) noexcept;
bool is_response_line(std::string_view line) noexcept;

// Where a URL's host begins, or what stands before it (RFC 3986 §3); npos: it has none.
std::size_t place_of_authority(std::string_view url) noexcept;
// host, host:port, [address]:port, but not who stands before them (RFC 3986 §3.2).
void tell_authority(std::string_view authority, Row row, Facts& facts) noexcept;
// As it is, but without user name and password.
void tell_url(HttpField field, std::string_view url, std::size_t authority, Row row,
              Facts& facts) noexcept;
// RFC 9112 §3.2: origin-form, absolute-form, authority-form (CONNECT), "*". True: it names a host.
bool tell_target(std::string_view method, std::string_view target, Row row, Facts& facts) noexcept;

}  // namespace linger
