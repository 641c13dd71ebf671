#include "bench/talk_mix.h"

#include <algorithm>
#include <string>

#include "engine/base/bytes.h"
#include "engine/base/check.h"
#include "tests/support/packet_builder.h"
#include "tests/support/quic_words.h"
#include "tests/support/tls_words.h"

namespace linger::bench {
namespace {

using namespace std::string_literals;
using test::Frames;
using test::PacketBuilder;
using test::Side;
using test::TcpPeers;

constexpr std::size_t kSegment = 1'400;
constexpr DurationNs kStep = 5 * kMillisecond;  // between packets of a session
constexpr std::size_t kIp = 14, kTransport = 34;

const test::Endpoint kClient = {"10.0.0.0", 1'024}, kServer = {"198.0.0.0", 80};

// Bytes that look encrypted.
std::string noise(std::size_t bytes) {
  std::mt19937_64 random(bytes);
  std::string text(bytes, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

// In full segments, with an ACK for every second one.
void say(TcpPeers& tcp, Side side, std::string_view text, std::int64_t& time) {
  for (int segments = 1; !text.empty(); ++segments) {
    tcp.data(side, text.substr(0, kSegment), time += kStep);
    text.remove_prefix(std::min(kSegment, text.size()));
    if (segments % 2 == 0 || text.empty()) tcp.ack(other(side), time += kStep);
  }
}

template <class Conversation>
Frames over_tcp(std::uint16_t port, const Conversation& conversation) {
  Frames frames;
  TcpPeers tcp(frames, kClient, {kServer.address, port});
  std::int64_t time = 0;
  tcp.handshake(time);
  conversation(tcp, time);
  tcp.close(Side::client, time + kStep);
  return frames;
}

Frames http() {
  return over_tcp(80, [](TcpPeers& tcp, std::int64_t& time) {
    for (const char* path : {"/", "/assets/application-1f2e3d.js?v=7", "/images/header.jpg"}) {
      say(tcp, Side::client,
          "GET "s + path +
              " HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; "
              "rv:109.0) Gecko/20100101 Firefox/115.0\r\nAccept: */*\r\nAccept-Language: "
              "en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\n\r\n",
          time);
      say(tcp, Side::server,
          "HTTP/1.1 200 OK\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nServer: nginx/1.22.1\r\n"
          "Content-Type: text/html\r\nContent-Length: 16000\r\nETag: \"65920080\"\r\n"
          "Cache-Control: max-age=3600\r\nConnection: keep-alive\r\n\r\n" +
              noise(16'000),
          time);
    }
  });
}

std::string protected_records(std::size_t count, std::size_t bytes) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i)
    text +=
        "\x17\x03\x03"s + static_cast<char>(bytes >> 8) + static_cast<char>(bytes) + noise(bytes);
  return text;
}

Frames tls(const std::vector<std::string>& words) {
  return over_tcp(443, [&](TcpPeers& tcp, std::int64_t& time) {
    Side side = Side::client;
    for (const std::string& word : words) {
      say(tcp, side, word, time);
      side = other(side);
    }
    say(tcp, Side::client, protected_records(1, 600), time);
    say(tcp, Side::server, protected_records(10, 4'000), time);
  });
}

void add_datagram(Frames& frames, std::uint16_t port, bool is_from_client, std::string_view bytes) {
  PacketBuilder builder;
  builder.ethernet();
  if (is_from_client)
    builder.ip(kClient.address, kServer.address).udp(kClient.port, port);
  else
    builder.ip(kServer.address, kClient.address).udp(port, kClient.port);
  frames.push_back(builder.payload(bytes).frame(static_cast<std::int64_t>(frames.size()) * kStep));
}

Frames dns() {
  const std::string question =
      "\x03www\x07"
      "example\x03"
      "com\x00\x00\x01\x00\x01"s;
  Frames frames;
  add_datagram(frames, 53, true, "ab\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"s + question);
  add_datagram(frames, 53, false,
               "ab\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00"s + question +
                   "\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x01"s);
  return frames;
}

Frames quic() {
  Frames frames;
  add_datagram(frames, 443, true,
               test::quic_initial({.keys_id = test::rfc9001_id(),
                                   .to = test::rfc9001_id(),
                                   .frames = test::quic_crypto(0, test::rfc9001_hello()),
                                   .frames_bytes = 1'162}));
  add_datagram(frames, 443, false, test::rfc9001_server_packet());
  for (int i = 0; i < 36; ++i) {
    add_datagram(frames, 443, false, "\x41"s + noise(1'250));
    if (i % 2 == 1) add_datagram(frames, 443, true, "\x42"s + noise(40));
  }
  return frames;
}

// Puts another value in place of 16 bits, and brings checksums up to date (RFC 1624 §3).
void replace(std::uint8_t* word, std::uint16_t value, std::initializer_list<std::uint8_t*> sums) {
  for (std::uint8_t* sum : sums) {
    std::uint32_t fresh = (~load_be16(sum) & 0xffffu) + (~load_be16(word) & 0xffffu) + value;
    fresh = (fresh & 0xffff) + (fresh >> 16);
    fresh = ~((fresh & 0xffff) + (fresh >> 16));
    sum[0] = static_cast<std::uint8_t>(fresh >> 8);
    sum[1] = static_cast<std::uint8_t>(fresh);
  }
  word[0] = static_cast<std::uint8_t>(value >> 8);
  word[1] = static_cast<std::uint8_t>(value);
}

}  // namespace

TalkMix::TalkMix(std::uint64_t seed, std::uint64_t sessions, double sessions_per_second)
    : sessions_(sessions), sessions_per_second_(sessions_per_second), random_(seed) {
  add_talk(30, dns());
  add_talk(20, http());
  add_talk(10, tls(test::tls_1_2()));
  add_talk(10, tls(test::tls_1_2_resumed()));
  add_talk(15, tls(test::tls_1_3_retried()));
  add_talk(15, quic());
  CHECK(choice_.size() == 100);
}

void TalkMix::add_talk(unsigned percent, const Frames& frames) {
  choice_.insert(choice_.end(), percent, static_cast<std::uint32_t>(talks_.size()));
  Talk& talk = talks_.emplace_back();
  for (const test::Frame& frame : frames)
    talk.push_back({frame.timestamp_ns, frame.bytes[kIp + 12] == 10, frame.bytes});
}

bool TalkMix::next(TrafficPacket& packet) {
  const std::int64_t arrival = begun_ < sessions_ ? arrival_of(begun_) : INT64_MAX;
  if (turns_.empty() ? arrival != INT64_MAX : arrival <= turns_.top().time) open(arrival);
  if (turns_.empty()) return false;
  Turn turn = turns_.top();
  turns_.pop();
  const Talk& talk = talks_[turn.talk];
  write(talk[turn.word], turn.session);
  packet = {turn.time, frame_, !talk[turn.word].is_from_client};
  ++truth_.packets;
  truth_.bytes += frame_.size();
  truth_.duration = turn.time - arrival_of(0);
  if (++turn.word == talk.size()) return true;
  turn.time += talk[turn.word].after - talk[turn.word - 1].after;
  turns_.push(turn);
  return true;
}

void TalkMix::open(std::int64_t time) {
  turns_.push({time, begun_++, choice_[random_() % choice_.size()], 0});
  ++truth_.sessions;
}

// Scattered, so that neighbours in time are none in address; each tuple once.
void TalkMix::write(const Word& word, std::uint64_t session) {
  frame_ = word.bytes;
  std::uint8_t* const ip = frame_.data() + kIp;
  std::uint8_t* const transport = frame_.data() + kTransport;
  const bool is_tcp = ip[9] == kProtocolTcp;
  std::uint8_t* const ip_sum = ip + 10;
  std::uint8_t* const sum = transport + (is_tcp ? 16 : 6);
  const std::uint64_t scattered = session * 11'400'714'819'323'198'549u;
  std::uint8_t* const client = ip + (word.is_from_client ? 12 : 16);
  std::uint8_t* const server = ip + (word.is_from_client ? 16 : 12);
  replace(client + 2, static_cast<std::uint16_t>(scattered >> 48), {ip_sum, sum});
  replace(server + 2, static_cast<std::uint16_t>(scattered >> 32 & 0x3ff), {ip_sum, sum});
  replace(client, static_cast<std::uint16_t>(10 << 8 | session >> 15), {ip_sum, sum});
  replace(transport + (word.is_from_client ? 0 : 2), static_cast<std::uint16_t>(0x8000 | session),
          {sum});
}

std::int64_t TalkMix::arrival_of(std::uint64_t session) const noexcept {
  return test::at(
      static_cast<std::int64_t>(static_cast<double>(session) * (1e9 / sessions_per_second_)));
}

}  // namespace linger::bench
