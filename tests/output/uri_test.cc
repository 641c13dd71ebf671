#include "output/uri.h"

#include <gtest/gtest.h>

namespace linger {
namespace {

OutputUri parsed(std::string_view text) {
  const auto uri = parse_output_uri(text);
  EXPECT_TRUE(uri.has_value()) << text << ": " << (uri ? "" : uri.error());
  return uri.value_or(OutputUri{});
}

TEST(output_uri, dash_is_standard_output) {
  EXPECT_EQ(parsed("-").destination, Destination::standard_output);
  EXPECT_EQ(parsed("-?format=ndjson").destination, Destination::standard_output);
}

TEST(output_uri, a_file_with_or_without_its_prefix) {
  EXPECT_EQ(parsed("file:/var/log/x.ndjson").path, "/var/log/x.ndjson");
  EXPECT_EQ(parsed("out.ndjson").path, "out.ndjson");
  EXPECT_EQ(parsed("out.ndjson").destination, Destination::file);
  EXPECT_EQ(parsed("file:-").path, "-");
  EXPECT_EQ(parsed("file:a?format=ndjson").path, "a");
}

TEST(output_uri, sockets) {
  EXPECT_EQ(parsed("unix:/run/x.sock").destination, Destination::unix_socket);
  EXPECT_EQ(parsed("unix:/run/x.sock").path, "/run/x.sock");
  const OutputUri tcp = parsed("tcp://log.example:5170");
  EXPECT_EQ(tcp.destination, Destination::tcp_socket);
  EXPECT_EQ(tcp.host, "log.example");
  EXPECT_EQ(tcp.port, "5170");
  EXPECT_EQ(parsed("tcp://[2001:db8::1]:9").host, "2001:db8::1");
}

TEST(output_uri, whatever_is_wrong_is_named) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "path is missing"},
      {"file:", "path is missing"},
      {"unix:", "path is missing"},
      {"unix:" + std::string(200, 'x'), "at most 107 bytes"},
      {"tcp://", "HOST:PORT"},
      {"tcp://host", "HOST:PORT"},
      {"tcp://host:", "HOST:PORT"},
      {"tcp://host:0", "1 to 65535"},
      {"tcp://host:65536", "1 to 65535"},
      {"tcp://host:80x", "1 to 65535"},
      {"tcp://:80", "HOST:PORT"},
      {"tcp://2001:db8::1:80", "HOST:PORT"},
      {"kafka://host:9092", "unknown kind"},
      {"-?format=xml", "format=ndjson"},
      {"file:x?", "format=ndjson"},
  };
  for (const auto& [text, what] : cases) {
    const auto uri = parse_output_uri(text);
    ASSERT_FALSE(uri.has_value()) << text;
    EXPECT_NE(uri.error().find(what), std::string::npos) << uri.error();
    EXPECT_NE(uri.error().find("'" + text + "'"), std::string::npos) << uri.error();
  }
}

// Whether it is there already or not.
TEST(output_uri, no_two_outputs_write_to_one_file) {
  const auto may = [](const std::string& one, const std::string& other) {
    return parse_output_uris({one, other}).has_value();
  };
  EXPECT_FALSE(may("/nowhere/x", "file:/nowhere/./y/../x"));
  EXPECT_FALSE(may("-", "-"));
  EXPECT_TRUE(may("/nowhere/x", "/nowhere/y"));
  EXPECT_TRUE(may("/dev/null", "/dev/null"));
  EXPECT_TRUE(may("/nowhere/x", "unix:/nowhere/x"));
}

}  // namespace
}  // namespace linger
