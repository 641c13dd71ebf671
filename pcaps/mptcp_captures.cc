// MPTCP connections (RFC 8684, version 0: RFC 6824): subflows of several addresses, told together.
#include "pcaps/catalogue.h"

namespace linger::test {
namespace {

constexpr std::uint8_t kCapable = 0x00, kJoin = 0x10, kDss = 0x20, kAddAddress = 0x30,
                       kRemoveAddress = 0x40, kPriority = 0x50, kFail = 0x60, kFastclose = 0x70,
                       kReset = 0x80;

// The keys of the two hosts, and the tokens that follow from them in each version.
constexpr std::uint64_t kClientKey = 0x0102'0304'0506'0708, kServerKey = 0x1112'1314'1516'1718;
struct Tokens {
  std::uint32_t client;
  std::uint32_t server;
};
constexpr Tokens kTokens[] = {{0xdd5783bc, 0x3383d918}, {0x66840dda, 0xccad45ac}};

void put(ByteList& bytes, std::uint64_t value, int count) {
  for (int i = count - 1; i >= 0; --i) bytes.push_back(static_cast<std::uint8_t>(value >> 8 * i));
}

// One MPTCP option: subtype and flags, then what follows.
struct Option {
  ByteList bytes;

  Option(std::uint8_t subtype_and_flags, std::uint8_t second) {
    bytes = {30, 0, subtype_and_flags, second};
  }
  Option& add(std::uint64_t value, int count) {
    put(bytes, value, count);
    return *this;
  }
  TcpKnobs knobs() const {
    TcpKnobs knobs;
    knobs.options.other = bytes;
    knobs.options.other[1] = static_cast<std::uint8_t>(bytes.size());
    return knobs;
  }
};

TcpKnobs with_flags(TcpKnobs knobs, std::uint8_t flags) {
  knobs.flags = flags;
  return knobs;
}

TcpKnobs capable(std::uint8_t version, std::vector<std::uint64_t> keys) {
  Option option(kCapable | version, 0x81);
  for (const std::uint64_t key : keys) option.add(key, 8);
  return option.knobs();
}
TcpKnobs mapping() { return Option(kDss, 0x05).add(1, 4).add(1, 4).add(1, 4).add(0, 2).knobs(); }
TcpKnobs data_fin() { return Option(kDss, 0x11).add(1, 4).knobs(); }

void handshake_initial(TcpPeers& tcp, std::int64_t time, std::uint8_t version) {
  const std::vector<std::uint64_t> first =
      version == 0 ? std::vector{kClientKey} : std::vector<std::uint64_t>{};
  tcp.syn(time, capable(version, first));
  tcp.syn_ack(time + kMillisecond, capable(version, {kServerKey}));
  tcp.ack(Side::client, time + 2 * kMillisecond, capable(version, {kClientKey, kServerKey}));
}

// `token`: of the side that accepts.
void handshake_join(TcpPeers& tcp, std::int64_t time, std::uint32_t token, std::uint8_t id,
                    bool is_backup = false) {
  const std::uint8_t join = is_backup ? kJoin | 1 : kJoin;
  tcp.syn(time, Option(join, id).add(token, 4).add(7, 4).knobs());
  tcp.syn_ack(time + kMillisecond, Option(kJoin, 0).add(8, 8).add(9, 4).knobs());
  tcp.ack(Side::client, time + 2 * kMillisecond,
          Option(kJoin, 0).add(1, 8).add(2, 8).add(3, 4).knobs());
}

void add_uplinks(Catalogue& catalogue) {
  Frames frames;
  for (int i = 0; i < 6; ++i) {
    const std::string address = "192.0.2." + std::to_string(10 + i);
    TcpPeers tcp(frames, {address, static_cast<std::uint16_t>(40'000 + i)}, {"198.51.100.2", 443},
                 1'000u * static_cast<std::uint32_t>(i + 1));
    const std::int64_t time = at(i * 100 * kMillisecond);
    if (i == 0) {
      handshake_initial(tcp, time, 1);
      tcp.ack(Side::server, time + 3 * kMillisecond,
              Option(kAddAddress, 9).add(0xcb007109, 4).add(0, 8).knobs());
      tcp.ack(Side::client, time + 4 * kMillisecond,
              Option(kAddAddress | 1, 9).add(0xcb007109, 4).knobs());
    } else {
      handshake_join(tcp, time, kTokens[1].server, static_cast<std::uint8_t>(i), i == 5);
    }
    for (int j = 0; i < 4 && j <= i; ++j)
      tcp.data(Side::server, std::string(100, 'x'), at(kSecond + j * kMillisecond + i), mapping());
    tcp.ack(Side::client, at(2 * kSecond + i), data_fin());
    tcp.ack(Side::server, at(2 * kSecond + kMillisecond + i), data_fin());
    tcp.close(Side::client, at(3 * kSecond + i));
  }
  sort_by_time(frames);
  tick(frames, at(10 * kSecond), at(100 * kSecond), 10 * kSecond);
  catalogue.capture("mptcp_six_uplinks",
                    "an MPTCP connection over six uplinks, four of which carry its data: shares, "
                    "two idle subflows, and an announced address that nobody joined",
                    frames);
}

void add_version_0(Catalogue& catalogue) {
  Frames frames;
  TcpPeers first(frames, {"2001:db8::1", 40'000}, {"2001:db8::80", 443});
  handshake_initial(first, at(0), 0);
  first.ack(Side::client, at(5 * kMillisecond),
            Option(kAddAddress | 4, 2).add(0xc0000202, 4).add(5'000, 2).knobs());
  first.data(Side::client, "hello", at(10 * kMillisecond), mapping());
  TcpPeers back(frames, {"198.51.100.2", 41'000}, {"192.0.2.2", 5'000});
  handshake_join(back, at(20 * kMillisecond), kTokens[0].client, 1);
  Option priority(kPriority | 1, 1);
  priority.bytes.pop_back();
  back.ack(Side::server, at(30 * kMillisecond), priority.knobs());
  back.data(Side::client, "from the server", at(40 * kMillisecond), mapping());
  back.close(Side::client, at(50 * kMillisecond));
  first.close(Side::client, at(60 * kMillisecond));
  catalogue.capture("mptcp_version_0",
                    "version 0: tokens are SHA-1, and a subflow that the server opens to an "
                    "announced address and port is a subflow of the same connection",
                    frames);
}

// The join is silent for longer than tcpTimeout, while the initial subflow carries on.
void add_cut(Catalogue& catalogue) {
  Frames frames;
  TcpPeers first(frames, {"192.0.2.1", 40'000}, {"198.51.100.2", 443});
  TcpPeers second(frames, {"192.0.2.2", 40'001}, {"198.51.100.2", 443});
  handshake_initial(first, at(0), 1);
  handshake_join(second, at(10 * kMillisecond), kTokens[1].server, 1);
  second.data(Side::client, "before", at(20 * kMillisecond), mapping());
  for (int minute = 1; minute < 12; ++minute)
    first.data(Side::server, "x", at(minute * kMinute), mapping());
  second.data(Side::client, "behind it", at(12 * kMinute), mapping());
  second.ack(Side::server, at(12 * kMinute + kMillisecond), Option(kFail, 0).add(1, 8).knobs());
  first.ack(Side::client, at(12 * kMinute + kSecond), Option(kRemoveAddress, 1).knobs());
  second.close(Side::client, at(12 * kMinute + 2 * kSecond));
  first.close(Side::client, at(12 * kMinute + 3 * kSecond));
  catalogue.capture("mptcp_cut",
                    "a subflow that was cut and the session that continues it are one path; "
                    "REMOVE_ADDR and MP_FAIL",
                    frames);
}

void add_endings(Catalogue& catalogue) {
  Frames frames;
  TcpPeers first(frames, {"192.0.2.1", 40'000}, {"198.51.100.2", 443});
  TcpPeers second(frames, {"192.0.2.2", 40'001}, {"198.51.100.2", 443});
  handshake_initial(first, at(0), 1);
  handshake_join(second, at(10 * kMillisecond), kTokens[1].server, 1);
  first.data(Side::client, "hello", at(20 * kMillisecond), mapping());
  first.rst(Side::client, at(30 * kMillisecond),
            with_flags(Option(kFastclose, 0).add(kServerKey, 8).knobs(), kTcpRst | kTcpAck));
  second.rst(Side::client, at(30 * kMillisecond),
             with_flags(Option(kReset, 1).knobs(), kTcpRst | kTcpAck));
  catalogue.capture("mptcp_fastclose",
                    "MP_FASTCLOSE and MP_TCPRST in the RSTs that abort a connection", frames);

  Frames late;
  TcpPeers begun(late, {"192.0.2.1", 40'000}, {"198.51.100.2", 443});
  begun.data(Side::client, "in the middle", at(0), mapping());
  begun.ack(Side::server, at(kMillisecond), mapping());
  for (std::uint16_t i = 0; i < 2; ++i) {
    TcpPeers join(late, {"192.0.2.2", static_cast<std::uint16_t>(40'001 + i)},
                  {"198.51.100.2", 443});
    const std::int64_t time = at(kSecond + i * 200 * kSecond);
    handshake_join(join, time, kTokens[1].server, 1);
    join.data(Side::server, "joined", time + 10 * kMillisecond, mapping());
    join.close(Side::client, time + 20 * kMillisecond);
  }
  tick(late, at(100 * kSecond), at(300 * kSecond), 20 * kSecond);
  sort_by_time(late);
  catalogue.capture("mptcp_before_the_capture",
                    "a connection that began before the capture is known by the token of its "
                    "joins; one of the same token after mptcpTimeout is another",
                    late);

  Frames plain;
  TcpPeers tcp(plain, {"192.0.2.1", 40'000}, {"198.51.100.2", 80});
  tcp.syn(at(0), capable(1, {}));
  tcp.syn_ack(at(kMillisecond));
  tcp.ack(Side::client, at(2 * kMillisecond));
  exchange(tcp, at(10 * kMillisecond));
  tcp.close(Side::client, at(20 * kMillisecond));
  catalogue.capture("mptcp_refused", "MP_CAPABLE that the other side does not answer", plain);
}

}  // namespace

void add_mptcp_captures(Catalogue& catalogue) {
  add_uplinks(catalogue);
  add_version_0(catalogue);
  add_cut(catalogue);
  add_endings(catalogue);
}

}  // namespace linger::test
