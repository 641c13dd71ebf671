// Where records go, as -o and the setting `output` say it:
//
//   -               standard output
//   file:PATH       a file (PATH alone means the same)
//   unix:PATH       a stream socket that somebody listens on
//   tcp://HOST:PORT the same over TCP; an IPv6 address stands in brackets
//
// `?format=ndjson` behind any of them names the encoder; ndjson is the default. Any thread.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace linger {

enum class Destination { standard_output, file, unix_socket, tcp_socket };

struct OutputUri {
  Destination destination = Destination::standard_output;
  std::string path;  // of a file or unix socket
  std::string host;
  std::string port;  // 1 … 65535
  std::string text;  // as the user wrote it
};

// The error says what is wrong with `text` and what would be right.
tl::expected<OutputUri, std::string> parse_output_uri(std::string_view text);

// All of a run; without any, standard output. None may write over another one's file.
tl::expected<std::vector<OutputUri>, std::string> parse_output_uris(
    const std::vector<std::string>& texts);

// None may write over one of these files, which are read.
tl::expected<void, std::string> check_spared(const std::vector<OutputUri>& uris,
                                             const std::vector<std::string>& files);

}  // namespace linger
