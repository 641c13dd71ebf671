// Timestamps that do not only rise.
#include "pcaps/catalogue.h"

namespace linger::test {
namespace {

// A connection that says something every second, `seconds` long.
Frames talk(int seconds) {
  return over_both([&](TcpPeers& tcp) {
    tcp.handshake(at(0));
    for (int second = 1; second <= seconds; ++second)
      tcp.data(second % 2 != 0 ? Side::client : Side::server, "tick", at(second * kSecond));
    tcp.close(Side::client, at((seconds + 1) * kSecond));
  });
}

// Its frames from the `first`th on are stamped `by` later; of both IP versions alike.
void shift(Frames& frames, std::size_t first, DurationNs by) {
  for (std::size_t i = first; i < frames.size(); ++i) frames[i].timestamp_ns += by;
}

}  // namespace

void add_clock_captures(Catalogue& catalogue) {
  Frames swapped = talk(12);
  for (std::size_t i = 8; i + 2 < swapped.size(); i += 4)
    std::swap(swapped[i].timestamp_ns, swapped[i + 2].timestamp_ns);
  catalogue.capture("clock_out_of_order",
                    "timestamps out of order by a second: the record spans all of them, nothing "
                    "is split",
                    swapped);
  Frames back = talk(12);
  shift(back, 16, -kMinute);
  catalogue.capture("clock_back_a_minute",
                    "the clock is set back by a minute: time stands still until it has caught up",
                    back);
  Frames far_back = talk(12);
  for (const unsigned version : {4, 6}) {
    const Hosts ends = hosts(1, version);
    TcpPeers tcp(far_back, ends.client, ends.server, 1'026);  // after the client's FIN
    tcp.rst(Side::client, at(30 * kSecond), {.flags = kTcpRst});
  }
  shift(far_back, 16, -3 * kHour);
  catalogue.capture("clock_back_three_hours",
                    "a jump back beyond clockJump, confirmed: the clock counts on from where it "
                    "stood, and a RST 17 s after the close comes after the record",
                    far_back);
  Frames wild = talk(12);
  wild[16].timestamp_ns += 30 * 365 * kDay;
  wild[21].timestamp_ns -= 30 * 365 * kDay;
  catalogue.capture("clock_wild",
                    "one packet 30 years ahead, one 30 years behind: nothing expires; the record's "
                    "times are the packets' own",
                    wild);
  Frames quiet = over_both([](TcpPeers& tcp) {
    tcp.handshake(at(0));
    exchange(tcp, at(10 * kMillisecond));
    tcp.data(Side::client, "after lunch", at(2 * kHour));
    tcp.data(Side::server, "welcome back", at(2 * kHour + kSecond));
    tcp.close(Side::client, at(2 * kHour + 2 * kSecond));
  });
  catalogue.capture("clock_quiet_link",
                    "two hours without a packet, confirmed by the packet behind them: the session "
                    "was idle, and its next payload continues it",
                    quiet);
}

}  // namespace linger::test
