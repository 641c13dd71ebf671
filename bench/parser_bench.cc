// What a parser costs a session: its conversation from the first byte to the items of its record,
// with detection; beside it, as reference, a copy of the same bytes. And what rules cost.
#include <string>

#include "bench/measure.h"
#include "output/protocol_json.h"
#include "parsers/conversations.h"
#include "parsers/rules.h"
#include "tests/support/openvpn_words.h"
#include "tests/support/quic_words.h"
#include "tests/support/tls_words.h"

namespace linger::bench {
namespace {

using namespace std::string_literals;

struct Word {
  unsigned side;
  std::string bytes;
};
struct Talk {
  const char* name;
  Carrier carrier;
  std::vector<Word> words;
};

Talk http() {
  return {"http",
          Carrier::stream,
          {{0,
            "GET /assets/application-1f2e3d.js?v=7 HTTP/1.1\r\nHost: www.example.com\r\n"
            "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0\r\n"
            "Accept: */*\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate\r\n"
            "Connection: keep-alive\r\nReferer: http://www.example.com/\r\n\r\n"},
           {1,
            "HTTP/1.1 200 OK\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nServer: nginx/1.22.1\r\n"
            "Content-Type: application/javascript\r\nContent-Length: 1000\r\nETag: \"65920080\"\r\n"
            "Cache-Control: max-age=3600\r\nConnection: keep-alive\r\n\r\n"s +
                std::string(1'000, 'x')}}};
}

Talk dns() {
  const std::string question =
      "\x03www\x07"
      "example\x03"
      "com\x00\x00\x01\x00\x01"s;
  return {"dns",
          Carrier::datagrams,
          {{0, "ab\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"s + question},
           {1, "ab\x85\x80\x00\x01\x00\x01\x00\x00\x00\x00"s + question +
                   "\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x01"s}}};
}

Talk ssh() {
  const auto be32 = [](std::size_t value) {
    std::string text;
    for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>(value >> shift);
    return text;
  };
  const auto packet = [&](char type, const std::string& payload) {
    return be32(2 + payload.size() + 4) + '\x04' + type + payload + "pad!";
  };
  std::string offer(16, 'c');
  for (int i = 0; i < 10; ++i) offer += be32(100) + std::string(100, 'a');
  offer = packet(20, offer + std::string(5, '\0'));
  return {"ssh",
          Carrier::stream,
          {{1, "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"},
           {0, "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n" + offer},
           {1, offer},
           {0, packet(30, std::string(100, 'k'))},
           {1, packet(31, std::string(500, 'k')) + packet(21, "")},
           {0, packet(21, "")}}};
}

Talk socks() {
  return {"socks",
          Carrier::stream,
          {{0, "\x05\x01\x00"s},
           {1, "\x05\x00"s},
           {0, "\x05\x01\x00\x03\x0b"s + "example.com" + "\x00\x50"s},
           {1, "\x05\x00\x00\x01\xc0\x00\x02\x01\x04\x38"s}}};
}

Talk proxy() {
  return {"proxy", Carrier::stream, {{0, "PROXY TCP4 192.0.2.7 198.51.100.1 40000 443\r\n"}}};
}

Talk smtp() {
  return {"smtp",
          Carrier::stream,
          {{1, "220 mx.example.com ESMTP\r\n"},
           {0, "EHLO client.example.org\r\n"},
           {1, "250-mx.example.com\r\n250 PIPELINING\r\n"},
           {0, "MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.com>\r\nDATA\r\n"},
           {1, "250 Ok\r\n250 Ok\r\n354 Go on\r\n"},
           {0, std::string(1'000, 'x') + "\r\n.\r\nQUIT\r\n"},
           {1, "250 Queued\r\n221 Bye\r\n"}}};
}

Talk ftp() {
  return {"ftp",
          Carrier::stream,
          {{1, "220 FTP server ready\r\n"},
           {0, "USER bob\r\n"},
           {1, "331 Password?\r\n"},
           {0, "PASS secret\r\n"},
           {1, "230 Logged in\r\n"},
           {0, "PASV\r\n"},
           {1, "227 Entering Passive Mode (192,0,2,1,156,64).\r\n"},
           {0, "RETR file\r\n"},
           {1, "150 Here it comes\r\n226 Done\r\n"}}};
}

Talk mqtt() {
  return {"mqtt",
          Carrier::stream,
          {{0, "\x10\x14\x00\x04MQTT\x04\x02\x00\x3c\x00\x08sensor-1"s},
           {1, "\x20\x02\x00\x00"s},
           {0, "\x30\x07\x00\x03t/1hi\x30\x07\x00\x03t/2hi"s},
           {0, "\xe0\x00"s}}};
}

Talk modbus() {
  return {"modbus",
          Carrier::stream,
          {{0, "\x00\x01\x00\x00\x00\x06\x11\x03\x00\x6b\x00\x01"s},
           {1, "\x00\x01\x00\x00\x00\x05\x11\x03\x02\x02\x2b"s}}};
}

Talk xmpp() {
  return {"xmpp",
          Carrier::stream,
          {{0, "<?xml version='1.0'?><stream:stream to='example.org' version='1.0'>"s},
           {1, "<stream:stream from='example.org' id='1' version='1.0'>"s},
           {0, "<auth mechanism='EXTERNAL'>"s}}};
}

Talk openvpn() {
  Talk talk{"openvpn", Carrier::datagrams, {}};
  for (const auto& [side, bytes] : test::openvpn(20)) talk.words.push_back({side, bytes});
  return talk;
}

Talk tls() {
  Talk talk{"tls", Carrier::stream, {}};
  unsigned side = 0;
  for (const std::string& word : test::tls_1_2()) talk.words.push_back({side++ % 2, word});
  return talk;
}

Talk dtls() {
  Talk talk{"dtls", Carrier::datagrams, {}};
  for (const auto& [side, bytes] : test::dtls_1_2()) talk.words.push_back({side, bytes});
  return talk;
}

Talk quic() {
  const std::string id = test::rfc9001_id();
  const std::string hello =
      test::quic_initial({.keys_id = id,
                          .to = id,
                          .frames = test::quic_crypto(0, test::rfc9001_hello()),
                          .frames_bytes = 1'162});
  return {"quic", Carrier::datagrams, {{0, hello}, {1, test::rfc9001_server_packet()}}};
}

class ParserBench {
 public:
  explicit ParserBench(const Talk& talk)
      : talk_(talk),
        detector_(std::move(*Detector::make({.shards = 1}))),
        conversations_({.conversations = 1, .memory = 4 << 20, .transactions = 64}, *detector_, 0,
                       counters_) {
    for (const Word& word : talk_.words) bytes_ += word.bytes.size();
    copy_.resize(bytes_);
  }

  void piece(Timing& ours, Timing& reference) {
    constexpr int kSessions = 100;
    for (int part = 0; part < 100; ++part) {
      ours.part(kSessions, [&] {
        for (int i = 0; i < kSessions; ++i) session();
      });
      reference.part(kSessions, [&] {
        for (int i = 0; i < kSessions; ++i) {
          std::uint8_t* to = copy_.data();
          for (const Word& word : talk_.words) {
            std::memcpy(to, word.bytes.data(), word.bytes.size());
            to += word.bytes.size();
          }
          benchmark::ClobberMemory();
        }
      });
    }
    ours.piece();
    reference.piece();
  }

  // What the encoder makes of the items of one session, against a copy of them.
  void piece_of_telling(Timing& ours, Timing& reference) {
    constexpr int kSessions = 100;
    const std::uint32_t id = open();
    const Bytes told = conversations_.tell(id).items;
    const std::vector<std::uint8_t> items(told.begin(), told.end());
    conversations_.release(id);
    ProtocolJson json{Protocols{kProtocols}};
    copy_.resize(std::max(copy_.size(), items.size()));
    for (int part = 0; part < 10; ++part) {
      ours.part(kSessions, [&] {
        for (int i = 0; i < kSessions; ++i) benchmark::DoNotOptimize(json.objects_of(items));
      });
      reference.part(kSessions, [&] {
        for (int i = 0; i < kSessions; ++i) {
          std::memcpy(copy_.data(), items.data(), items.size());
          benchmark::ClobberMemory();
        }
      });
    }
    ours.piece();
    reference.piece();
  }

  // Hyperscan's part: the scans that found the parser.
  double detection_ns() {
    Timing timing;
    for (int piece = 0; piece < 5; ++piece) {
      timing.part(10'000, [&] {
        for (int i = 0; i < 10'000; ++i) {
          const Bytes bytes = bytes_of(talk_.words.front().bytes);
          benchmark::DoNotOptimize(detector_->candidates(
              0, talk_.carrier, bytes.first(std::min(bytes.size(), kDetectBytesMax))));
        }
      });
      timing.piece();
    }
    return timing.at(0);
  }

  std::size_t bytes() const { return bytes_; }
  bool was_known() const {
    return counters_.recognised.value() == counters_.conversations.value() &&
           counters_.parser_malformed.value() == 0;
  }

 private:
  static Bytes bytes_of(const std::string& text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
  }
  std::uint32_t open() {
    const std::uint32_t id = conversations_.open(talk_.carrier, 0);
    for (const Word& word : talk_.words) {
      const Bytes bytes = bytes_of(word.bytes);
      conversations_.at(id, {1});
      if (talk_.carrier == Carrier::datagrams)
        conversations_.on_datagram(id, word.side, bytes, static_cast<std::uint32_t>(bytes.size()));
      else
        conversations_.on_data(id, word.side, bytes);
    }
    for (unsigned side = 0; side < 2; ++side) conversations_.on_end(id, side);
    return id;
  }
  void session() {
    const std::uint32_t id = open();
    benchmark::DoNotOptimize(conversations_.tell(id));
    conversations_.release(id);
  }

  const Talk talk_;
  ParserCounters counters_;
  std::unique_ptr<Detector> detector_;
  Conversations conversations_;
  std::size_t bytes_ = 0;
  std::vector<std::uint8_t> copy_;
};

void session(benchmark::State& state, const Talk& talk, const char* budget = "") {
  ParserBench bench(talk);
  Timing ours, reference;
  for (auto _ : state) bench.piece(ours, reference);
  report(state, ours, reference);
  state.counters["bytes_per_second"] = static_cast<double>(bench.bytes()) * 1e9 / ours.at(0);
  state.counters["detect_ns"] = bench.detection_ns();
  state.SetLabel(budget);
  if (!bench.was_known()) state.SkipWithError("the parser did not know its own conversation");
}

// Eight rules, held against a page of 14 kB in segments, as streams or piece by piece.
class RuleBench {
 public:
  static constexpr std::size_t kSegments = 10;

  explicit RuleBench(std::size_t streams)
      : rules_(std::move(*RuleSet::make({.rules = rules(), .streams = {streams}}))),
        scans_(1, *rules_, 0, counters_) {
    while (page_.size() < 1'400)
      page_ += "<li><a href=\"/items/" + std::to_string(page_.size()) + "\">an item</a></li>\n";
    copy_.resize(page_.size());
  }

  void piece(Timing& ours, Timing& reference) {
    constexpr int kSessions = 100;
    for (int part = 0; part < 10; ++part) {
      ours.part(kSessions, [&] {
        for (int i = 0; i < kSessions; ++i) session();
      });
      reference.part(kSessions, [&] {
        for (std::size_t i = 0; i < kSessions * kSegments; ++i) {
          std::memcpy(copy_.data(), page_.data(), page_.size());
          benchmark::ClobberMemory();
        }
      });
    }
    ours.piece();
    reference.piece();
  }

  std::size_t bytes() const { return kSegments * page_.size(); }

 private:
  static std::vector<Rule> rules() {
    std::vector<Rule> rules;
    for (const char* expression :
         {"^PASS [^\\r\\n]", "\\nAuthorization: Basic [A-Za-z0-9+/]", "^[A-Z]+ [^ ]*\\.\\./",
          "\\$\\{jndi:(ldap|rmi|dns)://", "MZ.{58}.{4,512}PE\\x00\\x00", "\\x7fELF[\\x01\\x02]{2}",
          "-----BEGIN ([A-Z]+ )?PRIVATE KEY-----", "SSH-2\\.0-"}) {
      Rule& rule = rules.emplace_back();
      rule.name = rule.expression = expression;
    }
    return rules;
  }
  void session() noexcept {
    const Bytes bytes{reinterpret_cast<const std::uint8_t*>(page_.data()), page_.size()};
    scans_.open(0, Carrier::stream, 0, 80);
    for (std::size_t i = 0; i < kSegments; ++i) scans_.on_data(0, 1, bytes);
    scans_.on_end(0, 1, true);
    scans_.release(0);
  }

  ParserCounters counters_;
  std::unique_ptr<RuleSet> rules_;
  RuleScans scans_;
  std::string page_;
  std::vector<char> copy_;
};

void rules(benchmark::State& state, std::size_t streams) {
  RuleBench bench(streams);
  Timing ours, reference;
  for (auto _ : state) bench.piece(ours, reference);
  report(state, ours, reference);
  state.counters["bytes_per_second"] = static_cast<double>(bench.bytes()) * 1e9 / ours.at(0);
}

BENCHMARK_CAPTURE(rules, streams, 1)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(rules, pieces, 0)->Unit(benchmark::kMillisecond);

BENCHMARK_CAPTURE(session, http, http(), "ns <= 2000")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(session, dns, dns(), "ns <= 1000")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(session, ssh, ssh())->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(session, socks, socks())->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(session, proxy, proxy())->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(session, smtp, smtp())->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(session, ftp, ftp())->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(session, mqtt, mqtt())->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(session, xmpp, xmpp())->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(session, openvpn, openvpn())->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(session, modbus, modbus())->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(session, tls, tls(), "ns <= 3000")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(session, dtls, dtls())->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(session, quic, quic(), "ns <= 15000")->Unit(benchmark::kMillisecond);

// As JSON, in the output's thread: both hellos, their fingerprints, a certificate of each side.
void told(benchmark::State& state, const Talk& talk) {
  ParserBench bench(talk);
  Timing ours, reference;
  for (auto _ : state) bench.piece_of_telling(ours, reference);
  report(state, ours, reference);
}

BENCHMARK_CAPTURE(told, http, http())->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(told, tls, tls())->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(told, quic, quic())->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace linger::bench

BENCHMARK_MAIN();
