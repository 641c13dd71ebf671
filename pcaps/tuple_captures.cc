// The same addresses and ports for more than one connection: to which does a segment belong?
#include "pcaps/catalogue.h"

namespace linger::test {
namespace {

constexpr TcpKnobs kBareRst{.flags = kTcpRst};

void whole(TcpPeers& tcp, std::int64_t time) {
  tcp.handshake(time);
  exchange(tcp, time + 10 * kMillisecond);
  tcp.close(Side::client, time + 20 * kMillisecond);
}

// Two connections of one tuple, over IPv4 and IPv6.
Frames two_of_one_tuple(const std::function<void(TcpPeers& old, TcpPeers& fresh)>& talk) {
  Frames frames;
  for (const unsigned version : {4, 6}) {
    const Hosts ends = hosts(1, version);
    TcpPeers old(frames, ends.client, ends.server, 1'000, 5'000'000);
    TcpPeers fresh(frames, ends.client, ends.server, 900'000'000, 905'000'000);
    talk(old, fresh);
  }
  sort_by_time(frames);
  return frames;
}

void add_after_the_end(Catalogue& catalogue) {
  catalogue.capture("reuse_lingering",
                    "the tuple again 1 s after the close: a session that names the old one and is "
                    "named by it; a late RST of the old one joins the old one",
                    two_of_one_tuple([](TcpPeers& old, TcpPeers& fresh) {
                      whole(old, at(0));
                      fresh.handshake(at(kSecond));
                      old.rst(Side::server, at(kSecond + 5 * kMillisecond), kBareRst);
                      exchange(fresh, at(kSecond + 10 * kMillisecond));
                      fresh.close(Side::server, at(kSecond + 20 * kMillisecond));
                      fresh.rst(Side::client, at(2 * kSecond), kBareRst);
                      old.rst(Side::client, at(3 * kSecond), kBareRst);
                    }));
  catalogue.capture("reuse_buried",
                    "the tuple again 30 s after the close; a late RST of either joins its own",
                    two_of_one_tuple([](TcpPeers& old, TcpPeers& fresh) {
                      whole(old, at(0));
                      whole(fresh, at(30 * kSecond));
                      old.rst(Side::server, at(50 * kSecond), kBareRst);
                      fresh.rst(Side::server, at(51 * kSecond), kBareRst);
                      old.rst(Side::client, at(52 * kSecond), kBareRst);
                    }));
  catalogue.capture("reuse_late_rst_of_the_old",
                    "the old one is buried, the new one is open: a RST of the old one's numbers "
                    "is the old one's late packet and leaves the new one alone",
                    two_of_one_tuple([](TcpPeers& old, TcpPeers& fresh) {
                      whole(old, at(0));
                      fresh.handshake(at(30 * kSecond));
                      old.rst(Side::server, at(31 * kSecond), kBareRst);
                      exchange(fresh, at(32 * kSecond));
                      fresh.close(Side::client, at(33 * kSecond));
                    }));
  catalogue.capture("reuse_without_syn",
                    "the second connection's handshake was not captured: its numbers lie beyond "
                    "the first one's FIN, which opens a session",
                    two_of_one_tuple([](TcpPeers& old, TcpPeers& fresh) {
                      whole(old, at(0));
                      exchange(fresh, at(kSecond));
                      fresh.close(Side::client, at(2 * kSecond));
                    }));
  catalogue.capture("reuse_without_syn_buried", "the same 30 s after the close",
                    two_of_one_tuple([](TcpPeers& old, TcpPeers& fresh) {
                      whole(old, at(0));
                      exchange(fresh, at(30 * kSecond));
                      fresh.close(Side::client, at(31 * kSecond));
                    }));
  Frames time_wait;
  for (const unsigned version : {4, 6}) {
    const Hosts ends = hosts(1, version);
    TcpPeers old(time_wait, ends.client, ends.server, 3'000'000'000, 5'000'000);
    whole(old, at(0));
    TcpPeers fresh(time_wait, ends.client, ends.server, 2'000'000'000, 4'000'000);
    fresh.syn(at(kSecond), {.options = {.mss = 1'460, .timestamps = TcpOptions::Stamps{9'000, 0}}});
    fresh.syn_ack(at(kSecond + kMillisecond),
                  {.options = {.mss = 1'460, .timestamps = TcpOptions::Stamps{50, 9'000}}});
    fresh.ack(Side::client, at(kSecond + 2 * kMillisecond));
    exchange(fresh, at(kSecond + 10 * kMillisecond));
    fresh.close(Side::client, at(kSecond + 20 * kMillisecond));
  }
  sort_by_time(time_wait);
  catalogue.capture("reuse_time_wait",
                    "a SYN with a lower ISN and a later timestamp takes a tuple out of TIME-WAIT "
                    "(RFC 6191)",
                    time_wait);
  Frames often;
  for (unsigned i = 0; i < 7; ++i) {
    const Hosts ends = hosts(1);
    TcpPeers tcp(often, ends.client, ends.server, 10'000'000 * (i + 1),
                 500'000'000 + 9'000'000 * i);
    whole(tcp, at(i * 300 * kMillisecond));
    tcp.rst(Side::client, at(8 * kSecond + i * kMillisecond), kBareRst);
  }
  sort_by_time(often);
  catalogue.capture("reuse_often",
                    "seven connections of one tuple within 2 s, more than linger side by side, and "
                    "a late RST of each",
                    often);
  catalogue.capture("syn_again",
                    "a SYN of the same ISN is a retransmission: of an opening session, of a "
                    "lingering one, of a buried one",
                    over_both([](TcpPeers& tcp) {
                      tcp.syn(at(0));
                      tcp.syn(at(kSecond), {.sequence_offset = -1});
                      tcp.syn_ack(at(kSecond + kMillisecond));
                      tcp.ack(Side::client, at(kSecond + 2 * kMillisecond));
                      const auto back = 1'000 - static_cast<std::int64_t>(tcp.next(Side::client));
                      tcp.close(Side::client, at(2 * kSecond));
                      tcp.syn(at(3 * kSecond), {.sequence_offset = back - 1});
                      tcp.syn(at(20 * kSecond), {.sequence_offset = back - 1});
                    }));
}

void add_while_open(Catalogue& catalogue) {
  catalogue.capture("reuse_open",
                    "a SYN of another ISN against an open session, answered by its SYN-ACK: a "
                    "session of its own, with the SYN's time",
                    two_of_one_tuple([](TcpPeers& old, TcpPeers& fresh) {
                      old.handshake(at(0));
                      exchange(old, at(10 * kMillisecond));
                      whole(fresh, at(60 * kSecond));
                    }));
  catalogue.capture("reuse_open_syn_ack_lost",
                    "the same, but of its handshake only SYN and data were captured",
                    two_of_one_tuple([](TcpPeers& old, TcpPeers& fresh) {
                      old.handshake(at(0));
                      exchange(old, at(10 * kMillisecond));
                      fresh.syn(at(60 * kSecond));
                      fresh.syn_ack(at(60 * kSecond), {.captured = false});
                      exchange(fresh, at(61 * kSecond));
                      fresh.close(Side::client, at(62 * kSecond));
                    }));
  catalogue.capture("reuse_open_unanswered",
                    "a SYN of another ISN, twice, that gets only a challenge ACK: a counted SYN of "
                    "the open session",
                    two_of_one_tuple([](TcpPeers& old, TcpPeers& fresh) {
                      old.handshake(at(0));
                      exchange(old, at(10 * kMillisecond));
                      fresh.syn(at(60 * kSecond));
                      old.ack(Side::server, at(60 * kSecond + kMillisecond));
                      fresh.syn(at(61 * kSecond), {.sequence_offset = -1});
                      old.ack(Side::server, at(61 * kSecond + kMillisecond));
                      exchange(old, at(62 * kSecond));
                      old.close(Side::client, at(63 * kSecond));
                    }));
  catalogue.capture("reuse_half_open_connection",
                    "the client crashed and comes back with the same port (RFC 9293 3.5.1): "
                    "challenge ACK, RST of the old one, the SYN again, a new session",
                    two_of_one_tuple([](TcpPeers& old, TcpPeers& fresh) {
                      old.handshake(at(0));
                      exchange(old, at(10 * kMillisecond));
                      fresh.syn(at(60 * kSecond));
                      old.ack(Side::server, at(60 * kSecond + kMillisecond));
                      old.rst(Side::client, at(60 * kSecond + 2 * kMillisecond), kBareRst);
                      fresh.syn(at(61 * kSecond), {.sequence_offset = -1});
                      fresh.syn_ack(at(61 * kSecond + kMillisecond));
                      fresh.ack(Side::client, at(61 * kSecond + 2 * kMillisecond));
                      exchange(fresh, at(62 * kSecond));
                      fresh.close(Side::client, at(63 * kSecond));
                    }));
}

}  // namespace

void add_tuple_captures(Catalogue& catalogue) {
  add_after_the_end(catalogue);
  add_while_open(catalogue);
}

}  // namespace linger::test
