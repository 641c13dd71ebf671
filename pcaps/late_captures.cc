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
    for (int i = 0; i < 4; ++i) tcp.rst(Side::client, start() + (40 + i) * kMillisecond, kBareRst);
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

// A whole session over both IP versions, closed within 30 ms of `at(0)`, and what comes after it.
Frames after_close(const std::function<void(TcpPeers&)>& late) {
  return over_both([&](TcpPeers& tcp) {
    tcp.handshake(at(0));
    exchange(tcp, at(10 * kMillisecond));
    tcp.close(Side::client, at(20 * kMillisecond));
    late(tcp);
  });
}

Frames after_reset(const std::function<void(TcpPeers&)>& late) {
  return over_both([&](TcpPeers& tcp) {
    tcp.handshake(at(0));
    exchange(tcp, at(10 * kMillisecond));
    tcp.rst(Side::client, at(20 * kMillisecond));
    late(tcp);
  });
}

void add_after_the_close(Catalogue& catalogue) {
  catalogue.capture("late_rst_lingering",
                    "RSTs 1 s and 4 s after the FINs join the lingering session; one record",
                    after_close([](TcpPeers& tcp) {
                      tcp.rst(Side::client, at(kSecond), kBareRst);
                      tcp.rst(Side::server, at(4 * kSecond));
                    }));
  catalogue.capture("late_rst_buried",
                    "RSTs 7, 60 and 110 s after the FINs come after the record: one late record "
                    "under the session's id",
                    after_close([](TcpPeers& tcp) {
                      for (const int seconds : {7, 60, 110})
                        tcp.rst(Side::server, at(seconds * kSecond), kBareRst);
                    }));
  catalogue.capture("late_rst_after_rst",
                    "the same after a RST: lingering at 1 s, buried at 7, 60 and 110 s",
                    after_reset([](TcpPeers& tcp) {
                      for (const int seconds : {1, 7, 60, 110})
                        tcp.rst(Side::server, at(seconds * kSecond), kBareRst);
                    }));
  catalogue.capture("late_rst_train",
                    "forty RSTs within 40 ms, after the FINs and again after the record",
                    after_close([](TcpPeers& tcp) {
                      for (const int second : {1, 30})
                        for (int i = 0; i < 20; ++i)
                          tcp.rst(Side::client, at(second * kSecond + i * kMillisecond), kBareRst);
                    }));
  catalogue.capture("late_rst_every_minute",
                    "a RST every minute for half an hour keeps its grave: one session, one late "
                    "record",
                    after_close([](TcpPeers& tcp) {
                      for (int minute = 1; minute <= 30; ++minute)
                        tcp.rst(Side::server, at(minute * kMinute), kBareRst);
                    }));
  catalogue.capture("late_rst_too_late",
                    "130 s after the close the grave is over: a RST is a session of its own (OTH), "
                    "and counted",
                    after_close([](TcpPeers& tcp) { tcp.rst(Side::server, at(130 * kSecond)); }));
  catalogue.capture("late_linger_ceiling",
                    "late RSTs every 4 s prolong lingering for 30 s at most; the rest is a late "
                    "record",
                    after_close([](TcpPeers& tcp) {
                      for (int second = 4; second <= 60; second += 4)
                        tcp.rst(Side::client, at(second * kSecond), kBareRst);
                    }));
  catalogue.capture("late_segments",
                    "after the record: a FIN and data sent again, a keep-alive and a bare ACK are "
                    "late, each counted by its kind",
                    after_close([](TcpPeers& tcp) {
                      tcp.segment(Side::client, kTcpFin | kTcpAck, "", at(10 * kSecond),
                                  {.sequence_offset = -1});
                      tcp.segment(Side::server, kTcpPsh | kTcpAck, "hello", at(11 * kSecond),
                                  {.sequence_offset = -6});
                      tcp.ack(Side::client, at(12 * kSecond), {.sequence_offset = -1});
                      tcp.ack(Side::server, at(13 * kSecond));
                    }));
  catalogue.capture("late_rst_any_sequence",
                    "a RST with SEQ 0 that answers a segment without ACK (RFC 9293 3.10.7.1) fits; "
                    "one with any number is late too, counted apart",
                    after_close([](TcpPeers& tcp) {
                      const auto zero = -static_cast<std::int64_t>(tcp.next(Side::server));
                      tcp.rst(Side::server, at(10 * kSecond), {.sequence_offset = zero});
                      tcp.rst(Side::server, at(11 * kSecond),
                              {.flags = kTcpRst, .sequence_offset = 1'000'000'000});
                    }));
  catalogue.capture("lone_rst", "a RST with neither session nor grave: a record in state OTH",
                    over_both([](TcpPeers& tcp) { tcp.rst(Side::server, at(0), kBareRst); }));
}

void add_after_a_cut(Catalogue& catalogue) {
  const auto attempt = [](const std::function<void(TcpPeers&)>& late) {
    return over_both([&](TcpPeers& tcp) {
      tcp.syn(at(0));
      late(tcp);
    });
  };
  catalogue.capture("late_after_attempt",
                    "40 s after a SYN without answer: the SYN again and a RST are late",
                    attempt([](TcpPeers& tcp) {
                      tcp.syn(at(40 * kSecond), {.sequence_offset = -1});
                      tcp.rst(Side::server, at(41 * kSecond));
                    }));
  catalogue.capture("continues_attempt",
                    "40 s after a SYN without answer a SYN-ACK of its ISN: a session that "
                    "continues it",
                    attempt([](TcpPeers& tcp) {
                      tcp.syn_ack(at(40 * kSecond));
                      tcp.ack(Side::client, at(40 * kSecond + kMillisecond));
                      exchange(tcp, at(41 * kSecond));
                      tcp.close(Side::client, at(42 * kSecond));
                    }));
  const auto idle = [](const std::function<void(TcpPeers&)>& late) {
    return over_both([&](TcpPeers& tcp) {
      tcp.handshake(at(0));
      exchange(tcp, at(10 * kMillisecond));
      late(tcp);
    });
  };
  catalogue.capture(
      "late_after_idle",
      "15 min after the last packet (idle after 10): an ACK, a FIN and a RST are late",
      idle([](TcpPeers& tcp) {
        tcp.ack(Side::server, at(15 * kMinute));
        tcp.fin(Side::client, at(15 * kMinute + kSecond));
        tcp.rst(Side::server, at(15 * kMinute + 2 * kSecond));
      }));
  catalogue.capture("continues_idle",
                    "15 min after the last packet new payload from the server: a session that "
                    "continues the idle one, with the same source",
                    idle([](TcpPeers& tcp) {
                      tcp.data(Side::server, "news", at(15 * kMinute));
                      tcp.ack(Side::client, at(15 * kMinute + kMillisecond));
                      tcp.close(Side::server, at(15 * kMinute + kSecond));
                      tcp.rst(Side::client, at(15 * kMinute + 20 * kSecond), kBareRst);
                    }));
}

// --- A full table -----------------------------------------------------------------------------

constexpr unsigned kSessions = 1'040;  // more than the smallest maxStreams
const Expected kFull{.settings = "maxStreams=1000", .hits_limit = true};

std::vector<TcpPeers> many_peers(Frames& frames) {
  std::vector<TcpPeers> peers;
  for (unsigned i = 0; i < kSessions; ++i) {
    const Hosts ends = hosts(i);
    peers.emplace_back(frames, ends.client, ends.server, 1'000 * i, 2'000 * i);
    peers.back().link = PacketBuilder().raw_ip();
  }
  return peers;
}

void add_full_table(Catalogue& catalogue) {
  Frames closed;
  {
    std::vector<TcpPeers> peers = many_peers(closed);
    for (unsigned i = 0; i < kSessions; ++i) {
      const std::int64_t start = at(2 * i * kMillisecond);
      peers[i].syn(start);
      peers[i].syn_ack(start + 100 * kMicrosecond);
      peers[i].rst(Side::client, start + 200 * kMicrosecond);
      peers[i].rst(Side::server, start + 4 * kSecond);
    }
    sort_by_time(closed);
  }
  catalogue.capture("full_table_late_rst",
                    "1,040 sessions linger in a table of 1,000 and are buried early; each one's "
                    "late RST still joins it",
                    closed, kFull);
  Frames open;
  {
    std::vector<TcpPeers> peers = many_peers(open);
    for (unsigned i = 0; i < kSessions; ++i) {
      const std::int64_t start = at(2 * i * kMillisecond);
      peers[i].syn(start);
      peers[i].syn_ack(start + 100 * kMicrosecond);
      peers[i].ack(Side::client, start + 200 * kMicrosecond);
      peers[i].data(Side::client, "still there", start + 10 * kSecond);
    }
    sort_by_time(open);
  }
  catalogue.capture("full_table_open",
                    "1,040 open sessions in a table of 1,000: the longest idle are evicted, and "
                    "their next payload continues them",
                    open, {.settings = "maxStreams=1000 extensionPool=10000", .hits_limit = true});
  catalogue.run("full_table_pool_dry",
                "the same when the extension pool, where links are kept, is dry as well",
                {"full_table_open.pcap"}, kFull);
  Frames flood;
  {
    std::vector<TcpPeers> peers = many_peers(flood);
    for (unsigned i = 0; i < kSessions; ++i) {
      const std::int64_t start = at(5 * kSecond + i * kMillisecond);
      if (i % 26 != 0) {
        peers[i].syn(start);
        continue;
      }
      peers[i].handshake(at(i * kMillisecond), 100 * kMicrosecond);
      peers[i].data(Side::client, "real", at(8 * kSecond + i * kMillisecond));
      peers[i].close(Side::client, at(8 * kSecond + (i + 1) * kMillisecond), 100 * kMicrosecond);
    }
    sort_by_time(flood);
  }
  catalogue.capture("full_table_syn_flood",
                    "1,000 SYNs fill no more than their share of a table of 1,000: none of the 40 "
                    "real sessions is cut",
                    flood, kFull);
}

}  // namespace

void add_late_captures(Catalogue& catalogue) {
  catalogue.capture("late_rst",
                    "the sample of `./dev run`: late RSTs join while their session lingers, after "
                    "its record, and after its tuple was used again",
                    sample());
  add_after_the_close(catalogue);
  add_after_a_cut(catalogue);
  add_full_table(catalogue);
}

}  // namespace linger::test
