#include "output/uri.h"

#include <fmt/format.h>

#include <charconv>
#include <filesystem>

#include "engine/base/socket_headers.h"

namespace linger {

namespace {

constexpr std::size_t kUnixPathBytesMax = sizeof(sockaddr_un::sun_path) - 1;

tl::unexpected<std::string> wrong(std::string_view text, std::string_view what) {
  return tl::unexpected(fmt::format("output '{}': {}", text, what));
}

bool is_port(std::string_view text) {
  unsigned port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc{} && end == text.data() + text.size() && port >= 1 && port <= 65'535;
}

// HOST:PORT or [IPv6]:PORT
bool split_host(std::string_view place, OutputUri& uri) {
  const std::size_t colon = place.rfind(':');
  if (colon == std::string_view::npos || !is_port(place.substr(colon + 1))) return false;
  std::string_view host = place.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find_first_of(":[]/") != std::string_view::npos) {
    return false;
  }
  uri.host = host;
  uri.port = place.substr(colon + 1);
  return !uri.host.empty();
}

// Two outputs to one file tear each other's lines; a device, as /dev/null, keeps none.
bool write_over_each_other(const OutputUri& a, const OutputUri& b) {
  if (a.destination != b.destination) return false;
  if (a.destination == Destination::standard_output) return true;
  std::error_code ignored;
  if (a.destination != Destination::file || std::filesystem::is_character_file(a.path, ignored))
    return false;
  const auto whole = [&](const OutputUri& uri) {
    return std::filesystem::weakly_canonical(std::filesystem::absolute(uri.path, ignored), ignored);
  };
  return std::filesystem::equivalent(a.path, b.path, ignored) || whole(a) == whole(b);
}

}  // namespace

tl::expected<OutputUri, std::string> parse_output_uri(std::string_view text) {
  OutputUri uri;
  uri.text = text;
  std::string_view place = text;
  if (const std::size_t mark = place.find('?'); mark != std::string_view::npos) {
    const std::string_view options = place.substr(mark + 1);
    place = place.substr(0, mark);
    if (options != "format=ndjson") {
      return wrong(text, fmt::format("unknown option '{}'; there is format=ndjson", options));
    }
  }
  const auto take = [&](std::string_view prefix) {
    if (!place.starts_with(prefix)) return false;
    place.remove_prefix(prefix.size());
    return true;
  };
  if (place == "-") return uri;
  if (take("tcp://")) {
    uri.destination = Destination::tcp_socket;
    if (!split_host(place, uri))
      return wrong(text, "expected tcp://HOST:PORT with a port from 1 to 65535");
    return uri;
  }
  if (take("unix:")) {
    uri.destination = Destination::unix_socket;
    if (place.size() > kUnixPathBytesMax) {
      return wrong(text,
                   fmt::format("the path of a socket has at most {} bytes", kUnixPathBytesMax));
    }
  } else {
    uri.destination = Destination::file;
    if (!take("file:") && place.find("://") != std::string_view::npos) {
      return wrong(text, "unknown kind; there are -, file:PATH, unix:PATH and tcp://HOST:PORT");
    }
  }
  if (place.empty()) return wrong(text, "the path is missing");
  uri.path = place;
  return uri;
}

tl::expected<std::vector<OutputUri>, std::string> parse_output_uris(
    const std::vector<std::string>& texts) {
  if (texts.empty()) return std::vector{*parse_output_uri("-")};
  std::vector<OutputUri> uris;
  for (const std::string& text : texts) {
    auto uri = parse_output_uri(text);
    if (!uri) return tl::unexpected(std::move(uri.error()));
    for (const OutputUri& other : uris)
      if (write_over_each_other(other, *uri))
        return wrong(
            text, fmt::format("output '{}' writes there too; leave one of them out", other.text));
    uris.push_back(std::move(*uri));
  }
  return uris;
}

tl::expected<void, std::string> check_spared(const std::vector<OutputUri>& uris,
                                             const std::vector<std::string>& files) {
  std::error_code ignored;
  for (const OutputUri& uri : uris)
    for (const std::string& file : files)
      if (uri.destination == Destination::file && std::filesystem::is_regular_file(file, ignored) &&
          std::filesystem::equivalent(uri.path, file, ignored))
        return wrong(uri.text,
                     fmt::format("'{}' is read, and would be written over; name another", file));
  return {};
}

}  // namespace linger
