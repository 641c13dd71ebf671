// Everything that is not TCP: UDP, ICMP, SCTP, ESP and other IP protocols.
#include "pcaps/catalogue.h"

namespace linger::test {
namespace {

struct Pair {
  Address a;
  Address b;
};
const std::vector<Pair>& pairs() {
  static const std::vector<Pair> kPairs = {{"192.0.2.7", "198.51.100.53"},
                                           {"2001:db8:1::7", "2001:db8:2::53"}};
  return kPairs;
}

// The same for IPv4 and IPv6, in order of time.
Frames both(const std::function<void(Frames&, const Pair&)>& talk) {
  Frames frames;
  for (const Pair& pair : pairs()) talk(frames, pair);
  sort_by_time(frames);
  return frames;
}

Frame udp(const Address& from, const Address& to, std::uint16_t from_port, std::uint16_t to_port,
          std::string_view text, std::int64_t time) {
  return PacketBuilder().ethernet().ip(from, to).udp(from_port, to_port).payload(text).frame(time);
}

void add_udp(Catalogue& catalogue) {
  catalogue.capture(
      "udp", "an exchange, and one without answer: a session each",
      both([](Frames& frames, const Pair& p) {
        for (int i = 0; i < 3; ++i) {
          const std::int64_t time = at(i * kSecond);
          frames.push_back(udp(p.a, p.b, 7'000, 4'000, "question", time));
          frames.push_back(udp(p.b, p.a, 4'000, 7'000, "the answer", time + kMillisecond));
          frames.push_back(udp(p.a, p.b, 9'999, 514, "nobody listens", time));
        }
      }));
  catalogue.capture(
      "udp_idle", "31 s without a packet split it into two sessions, 29 s do not",
      both([](Frames& frames, const Pair& p) {
        for (const int seconds : {0, 29, 60})
          frames.push_back(udp(p.a, p.b, 7'000, 4'000, "question", at(seconds * kSecond)));
      }));
  catalogue.capture(
      "udp_interim", "25 minutes: interim records at 12 and 24 min",
      both([](Frames& frames, const Pair& p) {
        for (int i = 0; i <= 15; ++i)
          frames.push_back(udp(p.a, p.b, 5'004, 5'004, "sample", at(i * 100 * kSecond)));
      }),
      {.settings = "udpTimeout=2min"});
}

Frame icmp(const Address& from, const Address& to, std::uint8_t type, std::uint32_t rest,
           std::int64_t time) {
  return PacketBuilder().ethernet().ip(from, to).icmp(type, 0, rest).payload("abcd").frame(time);
}

void add_icmp(Catalogue& catalogue) {
  catalogue.capture(
      "icmp_echo", "echo requests of two identifiers and their replies: two sessions",
      both([](Frames& frames, const Pair& p) {
        const bool is_v6 = p.a.version == 6;
        for (std::uint32_t i = 0; i < 3; ++i) {
          for (const std::uint32_t id : {7u, 8u}) {
            const std::uint32_t rest = id << 16 | i;
            const std::int64_t time = at(i * kSecond + id * kMillisecond);
            frames.push_back(icmp(p.a, p.b, is_v6 ? 128 : 8, rest, time));
            frames.push_back(icmp(p.b, p.a, is_v6 ? 129 : 0, rest, time + 500 * kMicrosecond));
          }
        }
      }));
  const auto port_unreachable = [](const Address& from, const Frame& quoted, const Address& to,
                                   std::int64_t time) {
    const bool is_v6 = to.version == 6;
    return PacketBuilder()
        .ethernet()
        .ip(from, to)
        .icmp_error(is_v6 ? 1 : 3, is_v6 ? 4 : 3, quoted)
        .frame(time);
  };
  catalogue.capture("icmp_error",
                    "port unreachable joins the UDP and the TCP session that it quotes, whoever "
                    "sends it",
                    both([&](Frames& frames, const Pair& p) {
                      const Address router = p.a.version == 6 ? "2001:db8:ffff::1" : "203.0.113.1";
                      const Frame question = udp(p.a, p.b, 7'000, 4'000, "question", at(0));
                      frames.push_back(question);
                      frames.push_back(port_unreachable(p.b, question, p.a, at(kMillisecond)));
                      TcpPeers tcp(frames, {p.a, 40'000}, {p.b, 80});
                      const Frame syn = tcp.syn(at(kSecond));
                      frames.push_back(port_unreachable(router, syn, p.a, at(2 * kSecond)));
                    }));
  catalogue.capture("icmp_error_late",
                    "an ICMP error 10 s after the record of the TCP session that it quotes is its "
                    "late packet",
                    both([&](Frames& frames, const Pair& p) {
                      TcpPeers tcp(frames, {p.a, 40'000}, {p.b, 80});
                      tcp.handshake(at(0));
                      const Frame quoted = tcp.data(Side::client, "hello", at(kSecond));
                      tcp.rst(Side::server, at(2 * kSecond));
                      frames.push_back(port_unreachable(p.b, quoted, p.a, at(15 * kSecond)));
                    }));
  catalogue.capture(
      "icmp_error_orphan",
      "ICMP errors that quote sessions which were never seen: sessions of their own, "
      "one for each quoted session",
      both([&](Frames& frames, const Pair& p) {
        for (std::uint16_t port = 1; port <= 2; ++port) {
          const Frame quoted = udp(p.a, p.b, port, 4'000, "not captured", at(0));
          frames.push_back(port_unreachable(p.b, quoted, p.a, at(port * kMillisecond)));
          frames.push_back(port_unreachable(p.b, quoted, p.a, at(port * kSecond)));
        }
      }));
}

// An SCTP association between two ports (RFC 9260): the tags that each side expects.
class SctpPeers {
 public:
  SctpPeers(Frames& frames, const Pair& pair, std::uint32_t tag_a, std::uint32_t tag_b)
      : frames_(frames), pair_(pair), tag_a_(tag_a), tag_b_(tag_b) {}

  void set_up(std::int64_t time) {
    chunk(true, 0, 1, init(tag_a_), time);
    chunk(false, tag_a_, 2, init(tag_b_), time + kMillisecond);
    chunk(true, tag_b_, 10, ByteList{1, 2, 3, 4}, time + 2 * kMillisecond);
    chunk(false, tag_a_, 11, {}, time + 3 * kMillisecond);
  }
  void data(std::int64_t time) {
    chunk(true, tag_b_, 0, ByteList{0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 'h', 'i', '!', '\n'}, time);
    chunk(false, tag_a_, 3, ByteList{0, 0, 0, 1, 0, 0, 255, 255, 0, 0, 0, 0}, time + kMillisecond);
  }
  void shut_down(std::int64_t time) {
    chunk(true, tag_b_, 7, ByteList{0, 0, 0, 1}, time);
    chunk(false, tag_a_, 8, {}, time + kMillisecond);
    chunk(true, tag_b_, 14, {}, time + 2 * kMillisecond);
  }
  void abort(bool from_a, std::int64_t time) {
    chunk(from_a, from_a ? tag_b_ : tag_a_, 6, {}, time);
  }

 private:
  static ByteList init(std::uint32_t tag) {
    FieldWriter body(ByteOrder::big);
    body.u32(tag).u32(65'535).u16(1).u16(1).u32(1);
    return body.bytes();
  }
  void chunk(bool from_a, std::uint32_t tag, std::uint8_t type, ByteList value, std::int64_t time) {
    PacketBuilder builder;
    builder.ethernet();
    if (from_a) {
      builder.ip(pair_.a, pair_.b).sctp(36'412, 2'905, tag);
    } else {
      builder.ip(pair_.b, pair_.a).sctp(2'905, 36'412, tag);
    }
    frames_.push_back(builder.sctp_chunk(type, 0, std::move(value)).frame(time));
  }

  Frames& frames_;
  Pair pair_;
  std::uint32_t tag_a_;
  std::uint32_t tag_b_;
};

void add_sctp(Catalogue& catalogue) {
  catalogue.capture("sctp", "INIT to SHUTDOWN COMPLETE: closed, with both verification tags",
                    both([](Frames& frames, const Pair& p) {
                      SctpPeers sctp(frames, p, 0x1111'1111, 0x2222'2222);
                      sctp.set_up(at(0));
                      sctp.data(at(kSecond));
                      sctp.shut_down(at(2 * kSecond));
                    }));
  catalogue.capture("sctp_abort",
                    "ABORT resets; another one 2 s later finds it lingering, one after 20 s its "
                    "grave",
                    both([](Frames& frames, const Pair& p) {
                      SctpPeers sctp(frames, p, 0x1111'1111, 0x2222'2222);
                      sctp.set_up(at(0));
                      sctp.data(at(kSecond));
                      sctp.abort(true, at(2 * kSecond));
                      sctp.abort(false, at(4 * kSecond));
                      sctp.abort(false, at(20 * kSecond));
                    }));
  catalogue.capture("sctp_restart",
                    "the same ports with other tags, 1 s and 40 s after the shutdown: three "
                    "associations",
                    both([](Frames& frames, const Pair& p) {
                      std::uint32_t tag = 0x1111'1111;
                      for (const int seconds : {0, 2, 42}) {
                        SctpPeers sctp(frames, p, tag, tag * 2);
                        sctp.set_up(at(seconds * kSecond));
                        sctp.shut_down(at(seconds * kSecond + 500 * kMillisecond));
                        tag += 0x0101'0101;
                      }
                    }));
}

void add_others(Catalogue& catalogue) {
  catalogue.capture("esp", "ESP of two SPIs between two hosts is one session",
                    both([](Frames& frames, const Pair& p) {
                      for (std::uint32_t i = 1; i <= 3; ++i) {
                        const std::int64_t time = at(i * 200 * kSecond);
                        PacketBuilder out;
                        out.ethernet().ip(p.a, p.b).esp(0x1001, i).payload("0123456789abcdef");
                        frames.push_back(out.frame(time));
                        PacketBuilder in;
                        in.ethernet().ip(p.b, p.a).esp(0x2002, i).payload("0123456789abcdef");
                        frames.push_back(in.frame(time + kMillisecond));
                      }
                    }));
  catalogue.capture("other_protocols",
                    "IGMP, OSPF and an experimental protocol: a session for each pair of hosts and "
                    "protocol, idle after 60 s",
                    both([](Frames& frames, const Pair& p) {
                      for (const std::uint16_t protocol : {2, 89, 253})
                        for (const int seconds : {0, 50, 130})
                          frames.push_back(PacketBuilder()
                                               .ethernet()
                                               .ip(p.a, p.b)
                                               .next_is(protocol)
                                               .payload("not looked into")
                                               .frame(at(seconds * kSecond)));
                    }));
}

}  // namespace

void add_protocol_captures(Catalogue& catalogue) {
  add_udp(catalogue);
  add_icmp(catalogue);
  add_sctp(catalogue);
  add_others(catalogue);
}

}  // namespace linger::test
