// What sessions talk about: a conversation for each protocol that is read.
#include "pcaps/catalogue.h"
#include "tests/support/openvpn_words.h"
#include "tests/support/quic_words.h"
#include "tests/support/tls_words.h"

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

std::string be32_text(std::size_t value) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>(value >> shift);
  return text;
}
std::string ssh_packet(char type, const std::string& payload) {
  return be32_text(2 + payload.size() + 4) + '\x04' + type + payload + "pad!";
}
std::string ssh_offer(const std::string& cipher) {
  std::string payload(16, 'c');
  for (const std::string& list : {"curve25519-sha256"s, "ssh-ed25519"s, cipher, cipher,
                                  "hmac-sha2-256"s, "hmac-sha2-256"s, "none"s, "none"s, ""s, ""s})
    payload += be32_text(list.size()) + list;
  return ssh_packet(20, payload + '\0' + be32_text(0));
}

void add_ssh(Catalogue& catalogue) {
  const std::vector<std::pair<std::string, std::string>> words = {
      {"", "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"},
      {"SSH-2.0-PuTTY_0.78\r\n" + ssh_offer("aes128-ctr,aes256-ctr"), ssh_offer("aes256-ctr")},
      {ssh_packet(30, "public key"), ssh_packet(31, "signature") + ssh_packet(21, "")},
      {ssh_packet(21, "") + "encrypted", "encrypted"}};
  catalogue.capture("ssh", "both banners, what they agree on, HASSH both ways",
                    dialogue(words, 100));
}

// What the client and the server say in turn.
std::vector<std::pair<std::string, std::string>> in_turn(const std::vector<std::string>& words) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (std::size_t i = 0; i < words.size(); i += 2)
    pairs.emplace_back(words[i], i + 1 < words.size() ? words[i + 1] : std::string{});
  return pairs;
}

Frame udp_datagram(Side side, const std::string& bytes, std::int64_t time,
                   std::uint16_t client_port = 40'000) {
  const bool is_client = side == Side::client;
  const Address client = "192.0.2.7", server = "198.51.100.53";
  PacketBuilder builder;
  builder.ethernet().ip(is_client ? client : server, is_client ? server : client);
  builder.udp(is_client ? client_port : 443, is_client ? 443 : client_port);
  return builder.payload(bytes).frame(time);
}

void add_tls(Catalogue& catalogue) {
  catalogue.capture("tls_1_2", "both sides show a certificate",
                    dialogue(in_turn(tls_1_2()), 1'400));
  catalogue.capture("tls_1_2_resumed", "a ticket resumes a session, in segments of 100 bytes",
                    dialogue(in_turn(tls_1_2_resumed()), 100));
  catalogue.capture("tls_1_3_retried", "two hellos of each side",
                    dialogue(in_turn(tls_1_3_retried()), 1'400));
  Frames frames;
  for (const auto& [side, bytes] : dtls_1_2())
    frames.push_back(
        udp_datagram(static_cast<Side>(side), bytes,
                     at(static_cast<std::int64_t>(frames.size()) * 10 * kMillisecond)));
  catalogue.capture("tls_datagrams", "DTLS: a cookie is asked for, a certificate in fragments",
                    frames);
}

void add_starttls(Catalogue& catalogue) {
  std::vector<std::pair<std::string, std::string>> words = {
      {"", "+OK ready\r\n"}, {"CAPA\r\n", "+OK\r\nSTLS\r\n.\r\n"}, {"STLS\r\n", "+OK go\r\n"}};
  for (auto& pair : in_turn(tls_1_2_resumed())) words.push_back(std::move(pair));
  catalogue.capture("starttls", "POP3 asks for TLS, which is read then", dialogue(words, 100));
  const std::string asked =
      "STLS\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xac\xab\xb3\xac"s;
  words = {
      {"CNXN\x01\x00\x00\x01\x00\x00\x10\x00\xd0\x00\x00\x00\x00\x00\x00\x00\xbc\xb1\xa7\xb1"s +
           "host::features=" + std::string(193, 'x'),
       asked},
      {asked, ""}};
  for (auto& pair : in_turn(tls_1_2_resumed())) words.push_back(std::move(pair));
  catalogue.capture("starttls_adb", "the device asks, behind a message that detection does not see",
                    dialogue(words, 1'400));
}

void add_openvpn(Catalogue& catalogue) {
  std::vector<std::pair<std::string, std::string>> words;
  for (const auto& [side, bytes] : openvpn(20)) {
    if (side == 0) words.emplace_back(openvpn_with_length(bytes), "");
    if (side == 1) words.back().second += openvpn_with_length(bytes);
  }
  catalogue.capture("openvpn", "over TCP, with --tls-auth: the TLS in it is read",
                    dialogue(words, 1'400));
  Frames frames;
  for (const auto& [side, bytes] : openvpn(0))
    frames.push_back(
        udp_datagram(static_cast<Side>(side), bytes,
                     at(static_cast<std::int64_t>(frames.size()) * 10 * kMillisecond)));
  catalogue.capture("openvpn_datagrams", "over UDP, without authentication", frames);
}

void add_xmpp(Catalogue& catalogue) {
  std::vector<std::pair<std::string, std::string>> words = {
      {"<?xml version='1.0'?><stream:stream xmlns='jabber:client' to='example.org' version='1.0' "
       "xmlns:stream='http://etherx.jabber.org/streams'>",
       "<stream:stream from='example.org' id='1' version='1.0'><stream:features><starttls "
       "xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>"},
      {"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
       "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"}};
  for (auto& pair : in_turn(tls_1_2_resumed())) words.push_back(std::move(pair));
  catalogue.capture("xmpp", "a client of XMPP asks for TLS, which is read then",
                    dialogue(words, 100));
}

void add_quic(Catalogue& catalogue) {
  const auto client = [](const std::string& frames, std::uint32_t number, const std::string& to,
                         const std::string& token) {
    return quic_initial({.version = 1,
                         .is_client = true,
                         .keys_id = to,
                         .to = to,
                         .from = "",
                         .token = token,
                         .number = number,
                         .frames = frames,
                         .frames_bytes = 1'162});
  };
  const std::string hello = rfc9001_hello();
  const std::string first = quic_crypto(120, hello.substr(120)),
                    second = quic_crypto(0, hello.substr(0, 120));
  catalogue.capture(
      "quic", "the hello comes in two packets, its end first; then the server's",
      {udp_datagram(Side::client, client(first, 0, rfc9001_id(), ""), at(0)),
       udp_datagram(Side::client, client(second, 1, rfc9001_id(), ""), at(kMillisecond)),
       udp_datagram(Side::server, rfc9001_server_packet(), at(20 * kMillisecond))});
  catalogue.capture(
      "quic_retry", "the client shows a token; its keys are others then",
      {udp_datagram(Side::client, client(first + second, 0, rfc9001_id(), ""), at(0)),
       udp_datagram(Side::server, quic_retry("", "retrying", "token"), at(20 * kMillisecond)),
       udp_datagram(Side::client, client(first + second, 1, "retrying", "token"),
                    at(21 * kMillisecond))});
  Frames frames = {udp_datagram(Side::client, client(first + second, 0, rfc9001_id(), ""), at(0)),
                   udp_datagram(Side::server, rfc9001_server_packet(), at(20 * kMillisecond))};
  for (int trip = 2; trip < 8; ++trip) {
    const std::string packet = (trip % 2 != 0 ? "\x60"s : "\x40"s) + "protected";
    frames.push_back(udp_datagram(Side::client, packet, at(trip * 20 * kMillisecond)));
    frames.push_back(udp_datagram(Side::server, packet, at((trip * 20 + 10) * kMillisecond)));
  }
  catalogue.capture("quic_spin_bit", "the bit turns over every 20 ms, and is answered", frames);
  // The server's id is the 8 bytes of RFC 9001 §A.3.
  const std::string moved = "\x41\xf0\x67\xa5\x50\x2a\x42\x62\xb5"s + std::string(30, '\x7e');
  const std::string other = "\x41\xf0\x67\xa5\x50\x2a\x42\x62\xb4"s + std::string(30, '\x7e');
  const std::string answer = "\x41"s + std::string(30, '\x7d');
  frames.resize(2);
  frames.push_back(udp_datagram(Side::client, moved, at(kSecond), 40'001));
  frames.push_back(udp_datagram(Side::server, answer, at(kSecond + kMillisecond), 40'001));
  frames.push_back(udp_datagram(Side::client, other, at(2 * kSecond), 40'002));
  frames.push_back(udp_datagram(Side::client, moved, at(2 * kMinute)));
  catalogue.capture("quic_moved",
                    "a connection goes on from another port, and after a pause: both sessions name "
                    "the one it began in, another id does not",
                    frames);
}

void add_socks(Catalogue& catalogue) {
  const std::string request = "\x05\x01\x00\x03\x0fwww.example.com\x00\x50"s;
  const auto reply = [](char code) { return "\x05"s + code + "\x00\x01\xc0\x00\x02\x09\x9c\x40"s; };
  catalogue.capture("socks", "version 5 with a user name, then HTTP through the proxy",
                    dialogue({{"\x05\x02\x00\x02"s, "\x05\x02"},
                              {"\x01\x03"s + "bob" + "\x06secret", "\x01\x00"s},
                              {request, reply('\0')},
                              {std::string(kRequest), std::string(kResponse)}},
                             1'400));
  catalogue.capture("socks_failed", "version 5, a connect that was refused",
                    dialogue({{"\x05\x01\x00"s, "\x05\x00"s}, {request, reply('\x05')}}, 1'400));
  catalogue.capture("socks_4a", "version 4a, in segments of 5 bytes",
                    dialogue({{"\x04\x01\x00\x50\x00\x00\x00\x01"s + "bob\0www.example.com\0"s,
                               "\x00\x5a\x00\x50\xc0\x00\x02\x09"s},
                              {std::string(kRequest), std::string(kResponse)}},
                             5));
}

void add_proxy(Catalogue& catalogue) {
  const std::string line = "PROXY TCP4 203.0.113.7 198.51.100.1 40000 443\r\n";
  const std::string header =
      "\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x1e"s
      "\xcb\x00\x71\x07\xc6\x33\x64\x01\x9c\x40\x01\xbb"
      "\x02\x00\x0fwww.example.com"s;
  catalogue.capture("proxy", "PROXY protocol, version 1: the client that a balancer forwards",
                    dialogue({{line + std::string(kRequest), std::string(kResponse)}}, 1'400));
  catalogue.capture("proxy_2", "version 2 with a value, in segments of 9 bytes",
                    dialogue({{header + std::string(kRequest), std::string(kResponse)}}, 9));
  catalogue.run("proxy_other_port", "with proxyPorts=8443 nobody believes it", {"proxy.pcap"},
                {.settings = "proxyPorts=8443"});
}

void add_smtp(Catalogue& catalogue) {
  const std::vector<std::pair<std::string, std::string>> words = {
      {"", "220 mx.example.com ESMTP\r\n"},
      {"EHLO client.example.org\r\n", "250-mx.example.com\r\n250 STARTTLS\r\n"},
      {"MAIL FROM:<a@example.org>\r\n", "250 Ok\r\n"},
      {"RCPT TO:<nobody@example.com>\r\n", "550 No such user\r\n"},
      {"RCPT TO:<b@example.com>\r\n", "250 Ok\r\n"},
      {"DATA\r\n", "354 Go on\r\n"},
      {"Subject: x\r\n\r\nMAIL FROM:<in@the.mail>\r\n.\r\n", "250 Queued\r\n"},
      {"STARTTLS\r\n", "220 Go ahead\r\n"},
      {"\x16\x03\x01", "\x16\x03\x03"}};
  catalogue.capture("smtp", "a mail, a recipient that is refused, STARTTLS",
                    dialogue(words, 1'400));
  catalogue.capture("smtp_in_pieces", "the same in segments of 7 bytes", dialogue(words, 7));
  catalogue.capture("smtp_tls_unasked", "a client begins TLS with a server that does not expect it",
                    dialogue({{"", "220 mx.example.com ESMTP\r\n"},
                              {tls_1_2().front(), "500 5.5.2 Error: bad syntax\r\n"}},
                             1'400));
}

void add_ftp(Catalogue& catalogue) {
  catalogue.capture("ftp", "a login and two transfers, passive and active",
                    dialogue({{"", "220-Welcome\r\n220 FTP ready\r\n"},
                              {"USER bob\r\n", "331 Password?\r\n"},
                              {"PASS secret\r\n", "230 Logged in\r\n"},
                              {"TYPE I\r\n", "200 Binary\r\n"},
                              {"EPSV\r\n", "229 Extended Passive Mode (|||40001|)\r\n"},
                              {"RETR file\r\n", "150 Here it comes\r\n226 Done\r\n"},
                              {"PORT 192,0,2,1,156,66\r\n", "200 Ok\r\n"},
                              {"STOR file\r\n", "553 Not allowed\r\n"},
                              {"QUIT\r\n", "221 Bye\r\n"}},
                             1'400));
}

// A connection from one end to the other in which the opener, or the other one, says `text`.
void transfer(Frames& frames, Endpoint from, Endpoint to, Side sender, std::int64_t time) {
  TcpPeers data(frames, from, to);
  data.handshake(time);
  data.data(sender, "what is in the file", time + 10 * kMillisecond);
  data.close(sender, time + 15 * kMillisecond);
}

void add_ftp_data(Catalogue& catalogue) {
  Frames frames;
  for (const unsigned version : {4, 6}) {
    const Hosts ends = hosts(1, version);
    const bool is_v4 = version == 4;
    const auto client = [&](std::uint16_t port) { return Endpoint{ends.client.address, port}; };
    const auto server = [&](std::uint16_t port) { return Endpoint{ends.server.address, port}; };
    TcpPeers control(frames, client(40'001), server(21));
    std::int64_t time = at(0);
    control.handshake(time);
    const auto say = [&](Side side, std::string_view text) {
      control.data(side, text, time += 10 * kMillisecond);
    };
    const auto ask = [&](std::string_view command, std::string_view reply) {
      say(Side::client, command), say(Side::server, reply);
    };
    say(Side::server, "220 FTP ready\r\n");
    ask("USER bob\r\n", "331 Password?\r\n"), ask("PASS secret\r\n", "230 Logged in\r\n");
    transfer(frames, client(50'000), server(40'001), Side::server, time);  // nobody spoke of it yet
    time += 100 * kMillisecond;

    ask("EPSV\r\n", "229 Extended Passive Mode (|||40001|)\r\n");
    // Its client's tap is faster than that of the server, which has just said so.
    transfer(frames, client(50'001), server(40'001), Side::server, time - kMillisecond / 2);
    say(Side::client, "RETR a.txt\r\n"), say(Side::server, "150 Here\r\n226 Done\r\n");

    time += 100 * kMillisecond;
    ask(is_v4 ? "PORT 192,0,2,2,156,66\r\n" : "EPRT |2|2001:db8:1::2|40002|\r\n", "200 Ok\r\n");
    ask("LIST\r\n", "150 Here\r\n");
    transfer(frames, server(20), client(40'002), Side::client, time + 5 * kMillisecond);
    time += 100 * kMillisecond;
    say(Side::server, "226 Done\r\n");

    // The server names an address that is translated on the way.
    ask(is_v4 ? "PASV\r\n" : "EPSV\r\n", is_v4 ? "227 Passive Mode (10,0,0,9,156,67)\r\n"
                                               : "229 Extended Passive Mode (|||40003|)\r\n");
    ask("STOR b.txt\r\n", "150 Go on\r\n");
    transfer(frames, client(50'003), server(40'003), Side::client, time + 5 * kMillisecond);
    time += 100 * kMillisecond;
    say(Side::server, "226 Done\r\n");
    control.close(Side::client, time + 10 * kMillisecond);
    transfer(frames, client(50'004), server(40'003), Side::client,
             time + 61 * kSecond);  // too late
  }
  sort_by_time(frames);
  catalogue.capture("ftp_data",
                    "data connections of FTP, passive and active, name their control session; what "
                    "goes to the same port before or a minute later does not",
                    frames);
}

void add_mqtt(Catalogue& catalogue) {
  const std::string connect =
      "\x10\x19\x00\x04MQTT\x04\x82\x00\x3c\x00\x08sensor-1\x00\x03"s + "bob";
  catalogue.capture(
      "mqtt", "a client that subscribes, publishes, and is published to",
      dialogue({{connect, "\x20\x02\x00\x00"s},
                {"\x82\x08\x00\x01\x00\x03"s + "a/#" + "\x00"s, "\x90\x03\x00\x01\x00"s},
                {"\x30\x07\x00\x03t/1hi"s, "\x30\x07\x00\x03"s + "a/bhi"},
                {"\xe0\x00"s, ""}},
               1'400));
}

void add_modbus(Catalogue& catalogue) {
  const std::string read = "\x00\x01\x00\x00\x00\x06\x11\x03\x00\x6b\x00\x01"s;
  const std::string write = "\x00\x02\x00\x00\x00\x06\x11\x06\x00\x01\x00\x03"s;
  catalogue.capture("modbus", "a register read, and one that may not be written",
                    dialogue({{read, "\x00\x01\x00\x00\x00\x05\x11\x03\x02\x02\x2b"s},
                              {write, "\x00\x02\x00\x00\x00\x03\x11\x86\x02"s}},
                             1'400));
}

}  // namespace

void add_application_captures(Catalogue& catalogue) {
  add_http(catalogue);
  add_dns(catalogue);
  add_ssh(catalogue);
  add_tls(catalogue);
  add_starttls(catalogue);
  add_openvpn(catalogue);
  add_xmpp(catalogue);
  add_quic(catalogue);
  add_socks(catalogue);
  add_proxy(catalogue);
  add_smtp(catalogue);
  add_ftp(catalogue);
  add_ftp_data(catalogue);
  add_mqtt(catalogue);
  add_modbus(catalogue);
}

}  // namespace linger::test
