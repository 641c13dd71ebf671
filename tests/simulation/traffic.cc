#include "tests/simulation/traffic.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <deque>

#include "tests/simulation/talk.h"

namespace linger::test {

const std::vector<Profile> kProfiles = {
    {.name = "true", .is_unambiguous = true, .fragmented = 5},
    {.name = "true and reordered", .is_unambiguous = true, .doubled = 3, .reordered = 10},
    {.name = "busy", .tuples = 150, .span = 10 * kSecond, .doubled = 2, .reordered = 5},
    {.name = "reuse", .tuples = 40, .reuse = 85, .late = 90, .reordered = 5},
    {.name = "lossy",
     .capture_loss = 10,
     .doubled = 3,
     .reordered = 20,
     .delay_max = 50 * kMillisecond,
     .retransmitted = 25},
    {.name = "wild",
     .reuse = 50,
     .capture_loss = 3,
     .doubled = 3,
     .reordered = 10,
     .damaged = 2,
     .wild = 60,
     .rare = 60},
    {.name = "time jumps",
     .reuse = 40,
     .reordered = 10,
     .time_jumps = true,
     .timestamp_noise = 2 * kMillisecond},
    {.name = "mirror port", .doubled = 95, .reordered = 50, .delay_max = 200 * kMicrosecond},
    {.name = "long", .tuples = 40, .span = 30 * kMinute, .reuse = 50, .idle = 50},
    {.name = "talkative", .tuples = 8, .doubled = 2, .reordered = 5, .rounds = 150, .idle = 0},
    {.name = "gibibytes",
     .tuples = 5,
     .reuse = 50,
     .retransmitted = 15,
     .unseen = 60,
     .unseen_max = 150'000'000,
     .rounds = 150},
    {.name = "in fragments",
     .reuse = 50,
     .capture_loss = 1,
     .doubled = 2,
     .reordered = 20,
     .fragmented = 50,
     .torn = 10,
     .damaged = 1,
     .offloaded = 10,
     .wild = 20},
    {.name = "damaged",
     .reuse = 60,
     .reordered = 5,
     .fragmented = 2,
     .damaged = 8,
     .offloaded = 20,
     .edited = 10,
     .rounds = 20,
     .wild = 40,
     .rare = 40},
    {.name = "mptcp",
     .tuples = 25,
     .span = 4 * kMinute,
     .reuse = 30,
     .late = 30,
     .capture_loss = 2,
     .doubled = 2,
     .reordered = 5,
     .fragmented = 3,
     .damaged = 1,
     .rounds = 4,
     .wild = 15,
     .rare = 25,
     .idle = 20,
     .icmp_errors = 0,
     .other_protocols = false,
     .mptcp = true},
};

namespace {

std::string end_text(const IpAddress& ip, std::uint16_t port) {
  const auto& b = ip.bytes;
  const bool is_v4 = std::all_of(b.begin() + 4, b.end(), [](std::uint8_t x) { return x == 0; });
  if (is_v4) return fmt::format("{}.{}.{}.{}:{}", b[0], b[1], b[2], b[3], port);
  std::string text;
  for (std::size_t i = 0; i < 16; i += 2) text += fmt::format("{:x}:", b[i] << 8 | b[i + 1]);
  return text + std::to_string(port);
}

class Maker {
 public:
  Maker(const Profile& profile, std::uint64_t seed)
      : profile_(profile), random_(seed), wire_(profile, random_.next()) {}

  Traffic make() {
    for (int i = 0; i < profile_.tuples; ++i) {
      random_ = Random(random_.next());
      const DurationNs start = random_.below(profile_.span);
      const std::int64_t kind = profile_.other_protocols ? random_.below(12) : 0;
      if (profile_.mptcp) {
        mptcp(i, start);
      } else if (kind < 8) {
        tcp(i, start);
      } else if (kind == 8) {
        udp(i, start);
      } else if (kind == 9) {
        icmp(i, start);
      } else if (kind == 10) {
        profile_.is_unambiguous || random_.chance(30) ? sctp(i, start) : wild_sctp(i, start);
      } else {
        other(i, start);
      }
    }
    for (int i = 0; i < profile_.flood; ++i) flood(i);
    traffic_.packets = wire_.captured();
    return std::move(traffic_);
  }

 private:
  Ends ends(int index) {
    const bool v6 = random_.chance(20);
    const auto client = v6 ? fmt::format("2001:db8::{:x}", index + 1)
                           : fmt::format("10.0.{}.{}", index / 250, index % 250 + 1);
    const auto server = v6 ? "2001:db8::ffff" : "10.9.9.9";
    Ends ends{{client, static_cast<std::uint16_t>(20'000 + index)},
              {server, random_.pick<std::uint16_t>({80, 443, 22})}};
    if (random_.chance(50)) std::swap(ends.client, ends.server);
    return ends;
  }

  std::uint64_t& truth(std::uint8_t protocol, const Ends& e) {
    return traffic_.sessions[tuple_text(protocol, e.client.address.ip, e.client.port,
                                        e.server.address.ip, e.server.port)];
  }

  void tcp(int index, DurationNs start);
  void mptcp(int index, DurationNs start);
  void udp(int index, DurationNs start);
  void icmp(int index, DurationNs start);
  void sctp(int index, DurationNs start);
  void wild_sctp(int index, DurationNs start);
  void other(int index, DurationNs start);
  void flood(int index);
  bool error_about(const Frame& frame, const Ends& e, DurationNs when);
  DurationNs reuse_gap(Talk::End end);

  const Profile& profile_;
  Random random_;
  Wire wire_;
  Traffic traffic_;
  std::deque<MptcpHosts> hosts_;
};

// From the last packet of one connection to the first of the next.
DurationNs Maker::reuse_gap(Talk::End end) {
  // Whoever could still be sending is silent for longer than any grave is held.
  if (profile_.is_unambiguous && end != Talk::End::finished) return 3 * kHour;
  return random_.pick({profile_.is_unambiguous ? kMillisecond : 100 * kMicrosecond, kMillisecond,
                       kSecond, 4 * kSecond, 30 * kSecond, 100 * kSecond, 200 * kSecond});
}

// Now and then a host answers by an ICMP error.
bool Maker::error_about(const Frame& frame, const Ends& e, DurationNs when) {
  if (!random_.chance(profile_.icmp_errors)) return false;
  wire_.put(when, PacketBuilder()
                      .ethernet()
                      .ip(e.server.address, e.client.address)
                      .icmp_error(e.client.address.version == 4 ? 3 : 1, 1, frame)
                      .frame());
  return true;
}

void Maker::tcp(int index, DurationNs start) {
  const Ends e = ends(index);
  std::uint32_t client_isn = static_cast<std::uint32_t>(random_.next());
  std::uint32_t server_isn = static_cast<std::uint32_t>(random_.next());
  if (random_.chance(10)) client_isn = 0xffff'ff00;  // across the wrap
  for (int life = 0; life < 6; ++life) {
    Talk talk(profile_, wire_, random_, e, start, client_isn, server_isn);
    if (life == 0) talk.set_first();
    const Talk::End end = talk.live();
    if (!talk.was_seen()) return;
    ++truth(kProtocolTcp, e);
    const DurationNs answered = talk.last_sent() + random_.log_between(kMillisecond, 60 * kSecond);
    if (error_about(talk.last(), e, answered) && profile_.is_unambiguous) return;
    if (!random_.chance(profile_.reuse)) return;
    start = talk.last_sent() + reuse_gap(end);
    client_isn += static_cast<std::uint32_t>(random_.between(2'000'000, 1'000'000'000));
    server_isn += static_cast<std::uint32_t>(random_.between(2'000'000, 1'000'000'000));
  }
}

// A connection of up to six subflows, each of them a life of its own: their tuples may be used
// again by one that joins.
void Maker::mptcp(int index, DurationNs start) {
  const auto host = [&](const char* network, int count) {
    return Address(fmt::format("{}.{}", network, random_.between(1, count)));
  };
  const char* const network = random_.pick({"10.1.1", "10.201.1"});  // either side of the key
  const MptcpHosts& hosts =
      hosts_.emplace_back(MptcpHosts::draw(random_, host(network, 4), host("10.9.9", 3)));
  const std::int64_t subflows = random_.between(1, 6);
  for (std::int64_t i = 0; i < subflows; ++i) {
    const unsigned receiver = random_.chance(25) ? 0 : 1;
    const MptcpHosts& to = random_.chance(90) ? hosts
                                              : hosts_[static_cast<std::size_t>(random_.below(
                                                    static_cast<std::int64_t>(hosts_.size())))];
    const bool is_first = i == 0 && random_.chance(85);
    Ends e{{is_first ? to.address[0] : host(network, 4), 0}, {to.address[1], 443}};
    if (!is_first && random_.chance(20)) e.server.address = host("10.9.9", 3);
    if (!is_first && receiver == 0) {
      e.server.address = to.address[0];
      e.client.address = to.address[1];
    }
    e.client.port = static_cast<std::uint16_t>(20'000 + 10 * index + i);
    DurationNs begin = start + (i == 0 ? 0 : random_.log_between(kMillisecond, 4 * kMinute));
    for (int life = 0; life < 3; ++life) {
      Talk talk(profile_, wire_, random_, e, begin, static_cast<std::uint32_t>(random_.next()),
                static_cast<std::uint32_t>(random_.next()));
      using Kind = Subflow::Kind;
      const Kind opens = random_.chance(80) ? Kind::initial : Kind::offered;
      talk.speak_mptcp({is_first && life == 0 ? opens : Kind::join, to, is_first ? 1 : receiver});
      const Talk::End end = talk.live();
      if (!talk.was_seen() || !random_.chance(profile_.reuse)) break;
      begin = talk.last_sent() + reuse_gap(end);
    }
  }
}

void Maker::udp(int index, DurationNs start) {
  const Ends e = ends(index);
  ++truth(kProtocolUdp, e);
  DurationNs now = start;
  Frame frame;
  const Checksums checksums[] = {Checksums::of(profile_, random_),
                                 Checksums::of(profile_, random_)};
  for (std::int64_t i = random_.between(1, 20); i > 0; --i) {
    const bool asks = i % 2 == 1;
    const Endpoint& from = asks ? e.client : e.server;
    const Endpoint& to = asks ? e.server : e.client;
    frame = PacketBuilder()
                .ethernet()
                .ip(from.address, to.address)
                .udp(from.port, to.port)
                .payload(ByteList(static_cast<std::size_t>(random_.below(500))))
                .frame();
    checksums[asks].set(frame, random_);
    wire_.put(now, frame);
    now += random_.log_between(kMillisecond, profile_.is_unambiguous ? 29 * kSecond : kMinute);
  }
  error_about(frame, e, now);
}

void Maker::icmp(int index, DurationNs start) {
  Ends e = ends(index);
  const bool v6 = e.client.address.version == 6;
  e.client.port = e.server.port = static_cast<std::uint16_t>(index + 1);
  ++truth(v6 ? kProtocolIcmpV6 : kProtocolIcmp, e);
  for (std::int64_t i = random_.between(1, 10); i > 0; --i) {
    const std::uint32_t rest = static_cast<std::uint32_t>((index + 1) << 16 | i);
    const Frame request = PacketBuilder()
                              .ethernet()
                              .ip(e.client.address, e.server.address)
                              .icmp(v6 ? 128 : 8, 0, rest)
                              .payload(ByteList(56))
                              .frame();
    wire_.put(start, request);
    error_about(request, e, start + random_.log_between(kMillisecond, 5 * kSecond));
    wire_.put(start + kMillisecond, PacketBuilder()
                                        .ethernet()
                                        .ip(e.server.address, e.client.address)
                                        .icmp(v6 ? 129 : 0, 0, rest)
                                        .payload(ByteList(56))
                                        .frame());
    start += random_.between(kSecond, profile_.is_unambiguous ? 9 * kSecond : 15 * kSecond);
  }
}

void Maker::sctp(int index, DurationNs start) {
  const Ends e = ends(index);
  DurationNs now = start;
  for (int life = 0; life < 4; ++life) {
    ++truth(kProtocolSctp, e);
    const auto client_tag = static_cast<std::uint32_t>(random_.next() | 1);
    const auto server_tag = static_cast<std::uint32_t>(random_.next() | 1);
    const auto chunk = [&](int side, std::uint8_t type, std::uint32_t tag, std::uint32_t initiate) {
      const Endpoint& from = side == 0 ? e.client : e.server;
      const Endpoint& to = side == 0 ? e.server : e.client;
      ByteList value(16);
      for (std::size_t i = 0; i < 4; ++i)
        value[i] = static_cast<std::uint8_t>(initiate >> (24 - 8 * i));
      wire_.put_surely(now, PacketBuilder()
                                .ethernet()
                                .ip(from.address, to.address)
                                .sctp(from.port, to.port, tag)
                                .sctp_chunk(type, 0, value)
                                .frame());
      now += random_.log_between(100 * kMicrosecond, 10 * kSecond);
    };
    chunk(0, 1, 0, client_tag);
    chunk(1, 2, client_tag, server_tag);
    for (std::int64_t i = random_.below(10); i > 0; --i)
      random_.chance(50) ? chunk(0, 0, server_tag, 0) : chunk(1, 0, client_tag, 0);
    const bool aborts = random_.chance(30);
    chunk(1, aborts ? 6 : 14, client_tag, 0);
    if (random_.chance(profile_.late))  // late, within and after its lingering
      for (std::int64_t i = random_.between(1, 6); i > 0; --i) chunk(0, 3, server_tag, 0);
    if (!random_.chance(profile_.reuse)) return;
    now += random_.log_between(kMillisecond, 100 * kSecond);
  }
}

// Associations that begin and end anyhow, among packets with tags of their own, of the one before,
// of none; over a network that loses and delays.
void Maker::wild_sctp(int index, DurationNs start) {
  const Ends e = ends(index);
  std::vector<std::uint32_t> tags = {0, static_cast<std::uint32_t>(random_.next())};
  DurationNs now = start;
  for (int life = 0; life < 3; ++life) {
    for (int side = 0; side < 2; ++side)
      if (random_.chance(80)) tags.push_back(static_cast<std::uint32_t>(random_.next()));
    const auto tag = [&](std::int64_t ago_max) {
      return tags[tags.size() - static_cast<std::size_t>(random_.between(1, ago_max))];
    };
    for (std::int64_t i = random_.between(1, 12); i > 0; --i) {
      const bool asks = random_.chance(50);
      const std::int64_t ago_max = random_.chance(70) ? 2 : static_cast<std::int64_t>(tags.size());
      PacketBuilder builder = PacketBuilder().ethernet();
      builder.ip(asks ? e.client.address : e.server.address,
                 asks ? e.server.address : e.client.address);
      builder.sctp(asks ? e.client.port : e.server.port, asks ? e.server.port : e.client.port,
                   tag(ago_max));
      for (std::int64_t chunks = random_.chance(80) ? 1 : random_.below(4); chunks > 0; --chunks) {
        ByteList value(16);
        const std::uint32_t initiate = tag(ago_max);
        for (std::size_t byte = 0; byte < 4; ++byte)
          value[byte] = static_cast<std::uint8_t>(initiate >> (24 - 8 * byte));
        builder.sctp_chunk(random_.pick<std::uint8_t>({0, 1, 1, 2, 2, 3, 6, 7, 8, 10, 11, 14, 64}),
                           random_.chance(20) ? 1 : 0, value);
      }
      const Frame frame = builder.frame();
      wire_.put(now, frame);
      error_about(frame, e, now + random_.log_between(kMillisecond, 100 * kSecond));
      now += random_.log_between(100 * kMicrosecond, random_.pick({kSecond, 100 * kSecond}));
    }
    if (!random_.chance(profile_.reuse)) return;
  }
}

void Maker::other(int index, DurationNs start) {
  Ends e = ends(index);
  const bool is_esp = random_.chance(50);
  e.client.port = e.server.port = 0;
  ++truth(is_esp ? kProtocolEsp : 89, e);
  for (std::int64_t i = random_.between(1, 8); i > 0; --i) {
    PacketBuilder builder = PacketBuilder().ethernet();
    builder.ip(e.client.address, e.server.address);
    is_esp ? builder.esp(1, static_cast<std::uint32_t>(i)) : builder.next_is(89);
    const Frame frame = builder.payload(ByteList(40)).frame();
    wire_.put(start, frame);
    error_about(frame, e, start + random_.log_between(kMillisecond, 20 * kSecond));
    start += random_.log_between(kMillisecond,
                                 profile_.is_unambiguous ? kMinute - kSecond : 2 * kMinute);
  }
}

void Maker::flood(int index) {
  const Ends e{{fmt::format("172.16.{}.{}", index / 250, index % 250 + 1), 1024}, {"10.9.9.9", 80}};
  ++truth(kProtocolTcp, e);
  TcpFields syn;
  syn.sequence = static_cast<std::uint32_t>(random_.next());
  syn.flags = kTcpSyn;
  wire_.put_surely(random_.below(profile_.span), PacketBuilder()
                                                     .ethernet()
                                                     .ip(e.client.address, e.server.address)
                                                     .tcp(e.client.port, e.server.port, syn)
                                                     .frame());
}

}  // namespace

std::string tuple_text(std::uint8_t protocol, const IpAddress& a, std::uint16_t a_port,
                       const IpAddress& b, std::uint16_t b_port) {
  std::string one = end_text(a, a_port), other = end_text(b, b_port);
  if (other < one) std::swap(one, other);
  return fmt::format("{} {} {}", protocol, one, other);
}

Traffic make_traffic(const Profile& profile, std::uint64_t seed) {
  return Maker(profile, seed).make();
}

}  // namespace linger::test
