// One TCP connection at a time: its life, its sequence space, and what a passive observer misses.
#include "pcaps/catalogue.h"

namespace linger::test {
namespace {

constexpr TcpKnobs kLost{.captured = false};

// A bare RST whose number lies `offset` from the side's next; nothing follows from it.
void forged_rst(TcpPeers& tcp, Side side, std::int64_t time, std::int64_t offset) {
  const std::uint32_t next = tcp.next(side);
  tcp.rst(side, time, {.flags = kTcpRst, .sequence_offset = offset});
  tcp.set_next(side, next);
}

void add_lives(Catalogue& catalogue) {
  catalogue.capture("tcp_whole", "handshake, request, answer, close: state SF, one record",
                    over_both([](TcpPeers& tcp) {
                      tcp.handshake(at(0));
                      exchange(tcp, at(10 * kMillisecond));
                      tcp.close(Side::client, at(20 * kMillisecond));
                    }));
  catalogue.capture("tcp_open_at_the_end", "an open session at the end of the capture",
                    over_both([](TcpPeers& tcp) {
                      tcp.handshake(at(0));
                      exchange(tcp, at(10 * kMillisecond));
                    }));
  Frames half_open = over_both([](TcpPeers& tcp) {
    tcp.syn(at(0));
    for (const int seconds : {1, 3, 7}) tcp.syn(at(seconds * kSecond), {.sequence_offset = -1});
  });
  tick(half_open, at(20 * kSecond), at(50 * kSecond), 10 * kSecond);
  catalogue.capture("tcp_half_open",
                    "a SYN sent four times and never answered: one attempt, 30 s after the last",
                    half_open);
  Frames half_closed = over_both([](TcpPeers& tcp) {
    tcp.handshake(at(0));
    tcp.fin(Side::client, at(kSecond));
    tcp.data(Side::server, "one more thing", at(100 * kSecond));
  });
  tick(half_closed, at(kMinute), at(10 * kMinute), kMinute);
  catalogue.capture("tcp_half_closed",
                    "one side closed, the other silent: idle 120 s after the last packet",
                    half_closed);
  catalogue.capture("tcp_refused",
                    "a SYN and its RST, three times over a second with the same ISN: one session, "
                    "REJ",
                    over_both([](TcpPeers& tcp) {
                      for (const int half_seconds : {0, 1, 2}) {
                        const std::int64_t time = at(half_seconds * 500 * kMillisecond);
                        tcp.syn(time, {.sequence_offset = half_seconds == 0 ? 0 : -1});
                        tcp.rst(Side::server, time + kMillisecond, {.sequence_offset = -5'000'000});
                      }
                    }));
  catalogue.capture("tcp_aborted",
                    "SYN and RST by the same side without an answer (RSTOS0); SYN-ACK and RST "
                    "without a SYN (RSTRH) has its own",
                    over_both([](TcpPeers& tcp) {
                      tcp.syn(at(0));
                      tcp.rst(Side::client, at(kSecond), {.flags = kTcpRst});
                    }));
  catalogue.capture("tcp_simultaneous_open",
                    "SYN from both sides, SYN-ACK from both (RFC 9293 3.5): one session of the "
                    "first one's sender",
                    over_both([](TcpPeers& tcp) {
                      tcp.syn(at(0));
                      tcp.segment(Side::server, kTcpSyn, "", at(kMillisecond));
                      tcp.segment(Side::client, kTcpSyn | kTcpAck, "", at(2 * kMillisecond),
                                  {.sequence_offset = -1});
                      tcp.segment(Side::server, kTcpSyn | kTcpAck, "", at(3 * kMillisecond),
                                  {.sequence_offset = -1});
                      exchange(tcp, at(10 * kMillisecond));
                      tcp.close(Side::client, at(20 * kMillisecond));
                    }));
  catalogue.capture("tcp_simultaneous_close", "both FINs before either is acknowledged",
                    over_both([](TcpPeers& tcp) {
                      tcp.handshake(at(0));
                      exchange(tcp, at(10 * kMillisecond));
                      tcp.fin(Side::client, at(20 * kMillisecond));
                      tcp.fin(Side::server, at(20 * kMillisecond + kMicrosecond),
                              {.acknowledgment_offset = -1});
                      tcp.ack(Side::client, at(21 * kMillisecond));
                      tcp.ack(Side::server, at(21 * kMillisecond + kMicrosecond));
                    }));
  catalogue.capture(
      "tcp_fast_open",
      "data in the SYN and in the SYN-ACK (RFC 7413) counts once, the rest follows",
      over_both([](TcpPeers& tcp) {
        const TcpOptions cookie{.mss = 1'460, .fast_open_cookie = ByteList{1, 2, 3, 4, 5, 6, 7, 8}};
        tcp.segment(Side::client, kTcpSyn, "GET / HTTP/1.0\r\n\r\n", at(0), {.options = cookie});
        tcp.segment(Side::server, kTcpSyn | kTcpAck, "HTTP/1.0 200 OK\r\n", at(kMillisecond),
                    {.options = {.mss = 1'460}});
        tcp.ack(Side::client, at(2 * kMillisecond));
        tcp.data(Side::server, "\r\nhello", at(3 * kMillisecond));
        tcp.close(Side::server, at(4 * kMillisecond));
      }));
  catalogue.capture("tcp_mid_stream",
                    "the capture begins within the connection: source is whose packet came first",
                    over_both([](TcpPeers& tcp) {
                      tcp.data(Side::server, "the rest of an answer", at(0));
                      tcp.ack(Side::client, at(kMillisecond));
                      exchange(tcp, at(10 * kMillisecond));
                      tcp.close(Side::client, at(20 * kMillisecond));
                    }));
  catalogue.capture("tcp_syn_ack_first",
                    "the SYN was not captured: source is the receiver of the SYN-ACK, history "
                    "begins with ^",
                    over_both([](TcpPeers& tcp) {
                      tcp.syn(at(0), kLost);
                      tcp.syn_ack(at(kMillisecond));
                      tcp.ack(Side::client, at(2 * kMillisecond));
                      exchange(tcp, at(10 * kMillisecond));
                      tcp.close(Side::client, at(20 * kMillisecond));
                    }));
}

void add_sequence_space(Catalogue& catalogue) {
  catalogue.capture(
      "tcp_retransmission", "bytes sent twice and half again count once as payload",
      over_both([](TcpPeers& tcp) {
        tcp.handshake(at(0));
        tcp.data(Side::client, "0123456789", at(10 * kMillisecond));
        tcp.data(Side::client, "0123456789", at(20 * kMillisecond), {.sequence_offset = -10});
        tcp.data(Side::client, "56789abcde", at(30 * kMillisecond), {.sequence_offset = -5});
        tcp.ack(Side::server, at(31 * kMillisecond));
        tcp.close(Side::client, at(40 * kMillisecond));
      }));
  catalogue.capture(
      "tcp_out_of_order", "three segments, the first of them last: nothing is missing",
      over_both([](TcpPeers& tcp) {
        tcp.handshake(at(0));
        const std::uint32_t first = tcp.next(Side::client);
        tcp.set_next(Side::client, first + 10);
        tcp.data(Side::client, "abcdefghij", at(10 * kMillisecond));
        tcp.data(Side::client, "klmnopqrst", at(11 * kMillisecond));
        tcp.data(Side::client, "0123456789", at(12 * kMillisecond), {.sequence_offset = -30});
        tcp.ack(Side::server, at(13 * kMillisecond));
        tcp.close(Side::client, at(20 * kMillisecond));
      }));
  catalogue.capture("tcp_gap", "a segment that the capture missed: its bytes are a gap",
                    over_both([](TcpPeers& tcp) {
                      tcp.handshake(at(0));
                      tcp.data(Side::server, "seen", at(10 * kMillisecond));
                      tcp.data(Side::server, "not seen", at(11 * kMillisecond), kLost);
                      tcp.data(Side::server, "seen again", at(12 * kMillisecond));
                      tcp.ack(Side::client, at(13 * kMillisecond));
                      tcp.close(Side::client, at(20 * kMillisecond));
                    }));
  catalogue.capture("tcp_sequence_wrap", "both initial sequence numbers just before 2^32",
                    over_both([](TcpPeers& tcp) {
                      tcp.set_next(Side::client, 0xffff'ffff);
                      tcp.set_next(Side::server, 0xffff'fff0);
                      tcp.handshake(at(0));
                      exchange(tcp, at(10 * kMillisecond));
                      tcp.close(Side::client, at(20 * kMillisecond));
                      tcp.rst(Side::server, at(10 * kSecond), {.flags = kTcpRst});
                    }));
  catalogue.capture("tcp_zero_window", "a closed window, its probe, and an update",
                    over_both([](TcpPeers& tcp) {
                      tcp.handshake(at(0));
                      tcp.data(Side::client, "0123456789", at(10 * kMillisecond));
                      tcp.ack(Side::server, at(11 * kMillisecond), {.window = 0});
                      tcp.data(Side::client, "a", at(kSecond));
                      tcp.ack(Side::server, at(kSecond + kMillisecond),
                              {.acknowledgment_offset = -1, .window = 0});
                      tcp.ack(Side::server, at(2 * kSecond), {.acknowledgment_offset = -1});
                      tcp.data(Side::client, "abcdef", at(3 * kSecond), {.sequence_offset = -1});
                      tcp.close(Side::client, at(4 * kSecond));
                    }));
  Frames keep_alive = over_both([](TcpPeers& tcp) {
    tcp.handshake(at(0));
    exchange(tcp, at(10 * kMillisecond));
    for (const int hours : {2, 4}) {
      tcp.ack(Side::server, at(hours * kHour), {.sequence_offset = -1});
      tcp.ack(Side::client, at(hours * kHour + kMillisecond));
    }
    tcp.data(Side::client, "back", at(5 * kHour));
    tcp.close(Side::client, at(5 * kHour + kSecond));
  });
  tick(keep_alive, at(30 * kMinute), at(5 * kHour), 30 * kMinute);
  sort_by_time(keep_alive);
  catalogue.capture("tcp_keep_alive",
                    "a connection that was idle; its keep-alives, 2 h apart, find its grave, and "
                    "new payload after 5 h continues it",
                    keep_alive);
}

// The same conversation with its frames told in another order, 100 us apart.
Frames told(const std::vector<std::size_t>& order, unsigned number) {
  Frames frames;
  const Hosts ends = hosts(number);
  TcpPeers tcp(frames, ends.client, ends.server);
  tcp.handshake(at(0));
  tcp.data(Side::client, "ping", at(0));
  tcp.data(Side::server, "pong", at(0));
  tcp.close(Side::client, at(0));
  Frames result;
  for (const std::size_t i : order) {
    result.push_back(frames.at(i));
    result.back().timestamp_ns =
        at(number * kSecond + static_cast<std::int64_t>(result.size()) * 100 * kMicrosecond);
  }
  return result;
}

void add_reordered(Catalogue& catalogue) {
  const std::vector<std::vector<std::size_t>> orders = {
      {0, 1, 2, 3, 4, 5, 6, 7},  // as it was sent
      {1, 0, 2, 3, 4, 5, 6, 7},  // SYN-ACK before SYN
      {0, 2, 1, 3, 4, 5, 6, 7},  // ACK before SYN-ACK
      {3, 0, 1, 2, 4, 5, 6, 7},  // data before the handshake
      {0, 3, 1, 2, 4, 5, 6, 7},  // data within it
      {0, 1, 2, 5, 3, 4, 6, 7},  // FIN before the data of both sides
      {0, 1, 2, 3, 6, 4, 5, 7},  // the server's FIN first
  };
  Frames frames;
  for (unsigned i = 0; i < orders.size(); ++i)
    for (Frame& frame : told(orders[i], i)) frames.push_back(std::move(frame));
  catalogue.capture("tcp_reordered",
                    "one conversation told in seven orders within reorderWindow: the same source, "
                    "state and counters",
                    frames);
}

void add_resets(Catalogue& catalogue) {
  catalogue.capture("tcp_rst_ignored",
                    "a RST in the window that its receiver ignores (challenge ACK, RFC 5961 3.2): "
                    "new payload, acknowledged, brings the session back",
                    over_both([](TcpPeers& tcp) {
                      tcp.handshake(at(0));
                      exchange(tcp, at(10 * kMillisecond));
                      forged_rst(tcp, Side::server, at(kSecond), 7);
                      tcp.ack(Side::client, at(kSecond + kMillisecond));
                      tcp.data(Side::client, "still here", at(2 * kSecond));
                      tcp.ack(Side::server, at(2 * kSecond + kMillisecond));
                      exchange(tcp, at(60 * kSecond));
                      tcp.close(Side::client, at(61 * kSecond));
                    }));
  catalogue.capture(
      "tcp_rst_ignored_too_late",
      "the same, but the receiver carries on only after the record: its first "
      "payload is late, and once that is acknowledged a session continues the reset one",
      over_both([](TcpPeers& tcp) {
        tcp.handshake(at(0));
        exchange(tcp, at(10 * kMillisecond));
        forged_rst(tcp, Side::server, at(kSecond), 7);
        tcp.ack(Side::client, at(kSecond + kMillisecond));
        tcp.data(Side::client, "still here", at(20 * kSecond));
        tcp.ack(Side::server, at(20 * kSecond + kMillisecond));
        exchange(tcp, at(21 * kSecond));
        tcp.close(Side::client, at(22 * kSecond));
      }));
  catalogue.capture("tcp_rst_off_window",
                    "a RST far outside the window changes nothing; it is counted",
                    over_both([](TcpPeers& tcp) {
                      tcp.handshake(at(0));
                      exchange(tcp, at(10 * kMillisecond));
                      forged_rst(tcp, Side::server, at(kSecond), 1'000'000'000);
                      exchange(tcp, at(2 * kSecond));
                      tcp.close(Side::client, at(3 * kSecond));
                    }));
  catalogue.capture("tcp_rst_against_syn",
                    "a RST that does not acknowledge the ISN does not refuse the SYN; the SYN-ACK "
                    "comes",
                    over_both([](TcpPeers& tcp) {
                      tcp.syn(at(0));
                      tcp.rst(Side::server, at(kMillisecond), {.acknowledgment_offset = 77'777});
                      tcp.syn_ack(at(2 * kMillisecond));
                      tcp.ack(Side::client, at(3 * kMillisecond));
                      exchange(tcp, at(10 * kMillisecond));
                      tcp.close(Side::client, at(20 * kMillisecond));
                    }));
}

// One connection as the taps of both directions see it.
void add_one_way(Catalogue& catalogue) {
  Frames frames = over_both([](TcpPeers& tcp) {
    tcp.handshake(at(0));
    exchange(tcp, at(10 * kMillisecond));
    tcp.close(Side::client, at(20 * kMillisecond));
    tcp.rst(Side::server, at(kSecond), {.flags = kTcpRst});
  });
  Frames from_client;
  Frames from_server;
  for (const Frame& frame : frames) {
    const Packet packet = packet_of(frame);
    const bool is_v6 = packet.data[12] == 0x86;
    const std::size_t port = is_v6 ? 14 + 40 : 14 + 20;
    const bool is_server = load_be16(packet.data + port) == 80;
    (is_server ? from_server : from_client).push_back(frame);
  }
  catalogue.capture("tcp_one_way_client", "only the client's side was captured: its FIN closes",
                    from_client);
  catalogue.capture("tcp_one_way_server",
                    "only the server's side was captured: source is still the client", from_server);
  catalogue.run("tcp_tap_pair", "both sides, read from two captures that overlap in time",
                {"tcp_one_way_client.pcap", "tcp_one_way_server.pcap"});
}

void add_long(Catalogue& catalogue) {
  Frames frames = over_both([](TcpPeers& tcp) {
    tcp.handshake(at(0));
    for (int minute = 1; minute <= 40; minute += 3) {
      tcp.data(Side::client, "tick", at(minute * kMinute));
      tcp.data(Side::server, "tock", at(minute * kMinute + kMillisecond));
    }
    tcp.close(Side::client, at(41 * kMinute));
  });
  catalogue.capture("tcp_interim",
                    "41 minutes: interim records at 12, 24 and 36 min, each with the packets so "
                    "far, then the end",
                    frames);
}

// The client's packets go by way of a router that it names; the server answers on the shortest way.
void add_source_route(Catalogue& catalogue) {
  constexpr std::uint8_t kLoose = 131, kFirst = 4, kBehind = 8;
  const Hosts ends = hosts(1);
  const Address router = "203.0.113.1";
  const auto route = [](const Address& address, std::uint8_t pointer) {
    ByteList option{kLoose, 7, pointer};
    option.insert(option.end(), address.ip.bytes.begin(), address.ip.bytes.begin() + 4);
    return IpFields{.options = option};
  };
  Frames frames;
  const auto client = [&](std::uint32_t sequence, std::uint8_t flags, std::int64_t time) {
    const TcpFields tcp{
        .sequence = sequence, .acknowledgment = flags == kTcpSyn ? 0U : 501U, .flags = flags};
    for (const bool is_behind : {false, true}) {  // each packet once on either side of the router
      PacketBuilder packet;
      is_behind
          ? packet.ethernet().ip(ends.client.address, ends.server.address, route(router, kBehind))
          : packet.ethernet().ip(ends.client.address, router, route(ends.server.address, kFirst));
      packet.tcp(ends.client.port, ends.server.port, tcp);
      frames.push_back(packet.frame(time + (is_behind ? kMicrosecond : 0)));
    }
  };
  client(100, kTcpSyn, at(0));
  frames.push_back(PacketBuilder()
                       .ethernet()
                       .ip(ends.server.address, ends.client.address)
                       .tcp(ends.server.port, ends.client.port,
                            {.sequence = 500, .acknowledgment = 101, .flags = kTcpSyn | kTcpAck})
                       .frame(at(kMillisecond)));
  client(101, kTcpAck, at(2 * kMillisecond));
  client(101, kTcpRst | kTcpAck, at(3 * kMillisecond));
  catalogue.capture("tcp_source_route",
                    "a source route's last address is the other side, before and behind the router",
                    frames);
}

}  // namespace

void add_tcp_captures(Catalogue& catalogue) {
  add_lives(catalogue);
  add_sequence_space(catalogue);
  add_reordered(catalogue);
  add_resets(catalogue);
  add_one_way(catalogue);
  add_long(catalogue);
  add_source_route(catalogue);
}

}  // namespace linger::test
