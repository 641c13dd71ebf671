// What sessions talk about: a conversation for each protocol that is read.
#include "pcaps/catalogue.h"

namespace linger::test {
namespace {

using namespace std::string_literals;

constexpr std::string_view kRequest =
    "GET /index.html?a=b HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: curl/7.88\r\n\r\n";
constexpr std::string_view kResponse =
    "HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nhello";

const std::string kQuestion =
    "\x03www\x07"
    "example\x03"
    "com\x00\x00\x01\x00\x01"s;
std::string dns_query(char id) {
  return id + "\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"s + kQuestion;
}
std::string dns_response(char id) {
  return id + "\x01\x85\x80\x00\x01\x00\x01\x00\x00\x00\x00"s + kQuestion +
         "\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x01"s;
}
std::string with_length(const std::string& message) {
  return "\x00"s + static_cast<char>(message.size()) + message;
}

// Each word of the client and its answer, 10 ms apart, in segments of at most `piece` bytes.
Frames dialogue(const std::vector<std::pair<std::string, std::string>>& words, std::size_t piece) {
  return over_both([&](TcpPeers& tcp) {
    std::int64_t time = at(0);
    tcp.handshake(time);
    const auto say = [&](Side side, std::string_view text) {
      for (std::size_t from = 0; from < text.size(); from += piece)
        tcp.data(side, text.substr(from, piece), time + 10 * kMillisecond);
      time += 10 * kMillisecond;
    };
    for (const auto& [client, server] : words) say(Side::client, client), say(Side::server, server);
    tcp.close(Side::client, time + 10 * kMillisecond);
  });
}

Frame datagram(bool is_query, char id, std::int64_t time) {
  const Address client = "192.0.2.7", server = "198.51.100.53";
  PacketBuilder builder;
  builder.ethernet().ip(is_query ? client : server, is_query ? server : client);
  builder.udp(is_query ? 40'000 : 53, is_query ? 53 : 40'000);
  return builder.payload(is_query ? dns_query(id) : dns_response(id)).frame(time);
}

void add_http(Catalogue& catalogue) {
  const std::string post =
      "POST /form HTTP/1.1\r\nHost: www.example.com\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5\r\nhello\r\n0\r\n\r\n";
  const std::vector<std::pair<std::string, std::string>> words = {
      {std::string(kRequest), std::string(kResponse)}, {post, "HTTP/1.1 204 No Content\r\n\r\n"}};
  catalogue.capture("http", "two transactions of a connection, each with its response",
                    dialogue(words, 1'400));
  catalogue.capture("http_in_pieces", "the same in segments of 7 bytes: the same transactions",
                    dialogue(words, 7));
  catalogue.capture(
      "http_gap", "the capture missed bytes of a body, then of a header",
      over_both([](TcpPeers& tcp) {
        tcp.handshake(at(0));
        tcp.data(Side::client, kRequest, at(kSecond));
        tcp.data(Side::server, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", at(2 * kSecond));
        tcp.data(Side::server, "def", at(2 * kSecond), {.captured = false});
        tcp.data(Side::server, "ghi", at(2 * kSecond));
        tcp.ack(Side::client, at(3 * kSecond));
        tcp.data(Side::client, kRequest.substr(0, 20), at(4 * kSecond));
        tcp.data(Side::client, kRequest.substr(20, 9), at(4 * kSecond), {.captured = false});
        tcp.data(Side::client, kRequest.substr(29), at(4 * kSecond));
        tcp.data(Side::server, kResponse, at(5 * kSecond));
        tcp.close(Side::client, at(6 * kSecond));
      }));
  catalogue.run("http_switched_off", "with parsers=dns nothing is told of HTTP", {"http.pcap"},
                {.settings = "parsers=dns"});
  catalogue.run("http_one_transaction", "maxTransactions=1: the second one is counted",
                {"http.pcap"}, {.settings = "maxTransactions=1"});
}

void add_dns(Catalogue& catalogue) {
  Frames frames;
  for (const char id : {'a', 'b'}) {
    const std::int64_t time = at(id * kMillisecond);
    frames.push_back(datagram(true, id, time));
    frames.push_back(datagram(false, id, time + 200 * kMicrosecond));
  }
  frames.push_back(datagram(true, 'c', at(kSecond)));
  frames.push_back(datagram(true, 'c', at(2 * kSecond)));
  catalogue.capture("dns", "two queries with their responses, and one without that was repeated",
                    frames);
  catalogue.capture("dns_tcp", "over TCP, in segments of 11 bytes",
                    dialogue({{with_length(dns_query('a')), with_length(dns_response('a'))}}, 11));
}

}  // namespace

void add_application_captures(Catalogue& catalogue) {
  add_http(catalogue);
  add_dns(catalogue);
}

}  // namespace linger::test
