#include "parsers/http_lines.h"

#include <algorithm>
#include <array>

#include "parsers/http.h"
#include "parsers/lines.h"

namespace linger {

namespace {

using Field = HttpField;

bool is_version(std::string_view text) noexcept {
  return text.size() == 8 && text.starts_with(kHttpVersion) && is_digits(text.substr(7));
}

bool is_letter(char c) noexcept { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }

bool is_of(std::string_view marks, std::string_view text) noexcept {  // these, letters and digits
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return is_letter(c) || (c >= '0' && c <= '9') || marks.find(c) != std::string_view::npos;
  });
}

bool is_token(std::string_view text) noexcept {  // RFC 9110 §5.6.2
  return !text.empty() && is_of("!#$%&'*+-.^_`|~", text);
}

bool is_scheme(std::string_view text) noexcept {  // RFC 3986 §3.1
  return !text.empty() && is_letter(text[0]) && is_of("+-.", text);
}

bool begins_authority(std::string_view text) noexcept {  // RFC 3986 §3.2
  return is_of("-._~%!$&'()*+,;=:@[]", text);
}

}  // namespace

// --- First lines --------------------------------------------------------------------------------

bool begins_method(std::string_view text) noexcept {
  return text.size() <= 20 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
         });
}
bool is_method(std::string_view text) noexcept { return text.size() >= 2 && begins_method(text); }

// RFC 9112 §3.2.1 to §3.2.3.
bool begins_target(std::string_view method, std::string_view target) noexcept {
  if (target.starts_with('/') || (method == "CONNECT" && begins_authority(target))) return true;
  const std::size_t authority = place_of_authority(target);
  return authority != std::string_view::npos && is_scheme(target.substr(0, authority - 3));
}

bool split_request(std::string_view line, RequestLine& parts) noexcept {
  line = line.substr(0, line.find_last_not_of(" \t") + 1);
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || last <= first + 1) return false;
  parts = {line.substr(0, first), line.substr(first + 1, last - first - 1), line.substr(last + 1)};
  const bool is_strict = is_token(parts.method) && parts.target.find(' ') == parts.target.npos;
  return (is_method(parts.method) || is_strict) && is_version(parts.version);
}

bool is_response_line(std::string_view line) noexcept {
  return line.size() >= 12 && is_version(line.substr(0, 8)) && line[8] == ' ' &&
         is_digits(line.substr(9, 3)) && line[9] >= '1' && (line.size() == 12 || line[12] == ' ');
}

// --- URLs ---------------------------------------------------------------------------------------

void tell_authority(std::string_view authority, Row row, Facts& facts) noexcept {
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos)
    authority.remove_prefix(at + 1);
  const std::size_t colon = authority.rfind(':');
  const bool has_port = colon != std::string_view::npos && is_digits(authority.substr(colon + 1)) &&
                        authority.size() - colon <= 6;
  std::string_view host = has_port ? authority.substr(0, colon) : authority;
  if (host.size() > 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  if (!host.empty()) facts.text(Field::url_domain, host, row);
  if (!has_port) return;
  std::uint64_t port = 0;
  for (const char c : authority.substr(colon + 1))
    port = 10 * port + static_cast<unsigned>(c - '0');
  facts.number(Field::url_port, port, row);
}

std::size_t place_of_authority(std::string_view url) noexcept {
  if (url.starts_with("//")) return 2;
  const std::size_t scheme_end = url.find_first_of(":/?#");
  const bool has_any = scheme_end != std::string_view::npos && scheme_end != 0 &&
                       url.substr(scheme_end).starts_with("://");
  return has_any ? scheme_end + 3 : std::string_view::npos;
}

void tell_url(Field field, std::string_view url, std::size_t authority, Row row,
              Facts& facts) noexcept {
  authority = std::min(authority, url.size());
  const std::size_t at =
      url.substr(0, url.find_first_of("/?# ", authority)).substr(authority).rfind('@');
  if (at == std::string_view::npos) return facts.text(field, url, row);
  std::array<char, kTextBytesMax + 1> room;  // one more: the text was cut
  std::size_t size = url.copy(room.data(), std::min(authority, room.size()));
  size += url.substr(authority + at + 1).copy(room.data() + size, room.size() - size);
  facts.text(field, std::string_view(room.data(), size), row);
}

bool tell_target(std::string_view method, std::string_view target, Row row, Facts& facts) noexcept {
  const bool is_tunnel = method == "CONNECT";
  const std::size_t authority = is_tunnel                 ? 0
                                : target.starts_with('/') ? std::string_view::npos
                                                          : place_of_authority(target);
  tell_url(Field::url_original, target, authority, row, facts);
  if (is_tunnel) {  // some write more than an authority, or something else
    target = target.substr(0, target.find_first_of(" /?"));
    if (!target.empty()) tell_authority(target, row, facts);
    return !target.empty();
  }
  bool has_host = false;
  if (authority != std::string_view::npos) {
    target.remove_prefix(authority);
    const std::size_t end = std::min(target.find_first_of("/?"), target.size());
    tell_authority(target.substr(0, end), row, facts);
    target.remove_prefix(end);
    has_host = true;
  }
  const std::size_t mark = target.find('?');
  facts.text(Field::url_path, target.substr(0, mark), row);
  if (mark != std::string_view::npos) facts.text(Field::url_query, target.substr(mark + 1), row);
  return has_host;
}

}  // namespace linger
