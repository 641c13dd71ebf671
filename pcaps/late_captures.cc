// What comes after a session's close: while it lingers, after its record, and under a full table.
#include "pcaps/catalogue.h"

namespace linger::test {
namespace {

constexpr TcpKnobs kBareRst{.flags = kTcpRst};

// The sample that `./dev run` replays: ten sessions with the ways in which a RST comes late.
Frames sample() {
  Frames frames;
  unsigned number = 0;
  const auto peers = [&](unsigned version = 4) {
    const Hosts ends = hosts(++number, version);
    return TcpPeers(frames, ends.client, ends.server, 1'000 * number, 7'000 * number);
  };
  const auto start = [&] { return at(number * 100 * kMillisecond); };
  const auto whole = [&](TcpPeers& tcp) {
    tcp.handshake(start());
    exchange(tcp, start() + 10 * kMillisecond);
    tcp.close(Side::client, start() + 20 * kMillisecond);
  };
  {  // no late packet at all
    TcpPeers tcp = peers();
    whole(tcp);
  }
  {  // the client aborts what it had closed, half a second later: it lingers
    TcpPeers tcp = peers();
    whole(tcp);
    tcp.rst(Side::client, start() + 500 * kMillisecond);
  }
  for (const unsigned version : {4, 6}) {  // after the record, again and again
    TcpPeers tcp = peers(version);
    whole(tcp);
    for (const int seconds : {7, 60, 110})
      tcp.rst(Side::server, start() + seconds * kSecond, kBareRst);
  }
  {  // a train of RSTs answers data that was still under way
    TcpPeers tcp = peers();
    tcp.handshake(start());
    exchange(tcp, start() + 10 * kMillisecond);
    tcp.fin(Side::client, start() + 20 * kMillisecond);
    for (int i = 0; i < 4; ++i)
      tcp.data(Side::server, "still sending", start() + (30 + i) * kMillisecond);
    for (int i = 0; i < 4; ++i)
      tcp.rst(Side::client, start() + (40 + i) * kMillisecond, kBareRst);
  }
  {  // RST against RST, a second later
    TcpPeers tcp = peers();
    tcp.handshake(start());
    exchange(tcp, start() + 10 * kMillisecond);
    tcp.rst(Side::client, start() + 20 * kMillisecond);
    tcp.rst(Side::server, start() + kSecond, kBareRst);
  }
  {  // reset, and a RST after the record
    TcpPeers tcp = peers();
    tcp.handshake(start());
    exchange(tcp, start() + 10 * kMillisecond);
    tcp.rst(Side::server, start() + 20 * kMillisecond);
    tcp.rst(Side::client, start() + 20 * kSecond);
  }
  {  // refused, twice said
    TcpPeers tcp = peers();
    tcp.syn(start());
    tcp.rst(Side::server, start() + kMillisecond);
    tcp.rst(Side::server, start() + 900 * kMillisecond);
  }
  {  // the tuple is used again after 30 s, and then comes a RST of the first use
    TcpPeers old = peers();
    whole(old);
    const Hosts ends = hosts(number);
    TcpPeers tcp(frames, ends.client, ends.server, 900'000'000, 950'000'000);
    tcp.handshake(start() + 30 * kSecond);
    exchange(tcp, start() + 30 * kSecond + 10 * kMillisecond);
    tcp.close(Side::server, start() + 30 * kSecond + 20 * kMillisecond);
    old.rst(Side::server, start() + 50 * kSecond, kBareRst);
  }
  sort_by_time(frames);
  return frames;
}

}  // namespace

void add_late_captures(Catalogue& catalogue) {
  catalogue.capture("late_rst",
                    "the sample of `./dev run`: late RSTs join while their session lingers, after "
                    "its record, and after its tuple was used again",
                    sample());
}

}  // namespace linger::test
