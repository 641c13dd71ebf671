// Datagrams in fragments: every frame is a packet of its datagram's session.
#include <utility>

#include "pcaps/catalogue.h"
#include "tests/support/fragments.h"

namespace linger::test {
namespace {

constexpr std::size_t kPiece = 64;

void append(Frames& frames, const Frames& more) {
  frames.insert(frames.end(), more.begin(), more.end());
}

Frame udp_of(const Hosts& ends, std::size_t bytes, std::int64_t time) {
  return PacketBuilder()
      .ethernet()
      .ip(ends.client.address, ends.server.address)
      .udp(ends.client.port, 53)
      .payload(std::string(bytes, 'u'))
      .frame(time);
}

// The frames whose datagram is longer than a piece, cut; `turned`: last fragment first.
Frames cut(const Frames& whole, bool turned) {
  Frames frames;
  std::uint32_t id = 0;
  for (const Frame& frame : whole) {
    ++id;
    if (datagram_bytes(frame) <= kPiece) {
      frames.push_back(frame);
      continue;
    }
    Frames pieces = fragments_of(frame, kPiece, id, kMicrosecond);
    if (turned) {
      for (std::size_t i = 0; i < pieces.size() / 2; ++i)
        std::swap(pieces[i].bytes, pieces[pieces.size() - 1 - i].bytes);
      for (Frame& piece : pieces) piece.wire_bytes = static_cast<std::uint32_t>(piece.bytes.size());
    }
    append(frames, pieces);
  }
  return frames;
}

Frames connection() {
  return over_both([](TcpPeers& tcp) {
    tcp.handshake(at(0));
    tcp.data(Side::client, std::string(300, 'q'), at(10 * kMillisecond));
    tcp.data(Side::server, std::string(3'000, 'a'), at(12 * kMillisecond));
    tcp.ack(Side::client, at(13 * kMillisecond));
    tcp.close(Side::client, at(20 * kMillisecond));
    // Late: while it lingers, and after its record.
    tcp.data(Side::client, std::string(100, 'q'), at(kSecond), {.sequence_offset = -101});
    tcp.data(Side::client, std::string(100, 'q'), at(kMinute), {.sequence_offset = -101});
  });
}

void add_orders(Catalogue& catalogue) {
  catalogue.capture(
      "fragments",
      "segments in fragments count each frame once, in their connection, late ones too",
      cut(connection(), false));
  catalogue.capture("fragments_turned", "the same with the last fragment first",
                    cut(connection(), true));
}

void add_overlaps(Catalogue& catalogue) {
  Frames frames;
  for (const unsigned version : {4, 6}) {
    const Frame whole = udp_of(hosts(1, version), 120, at(0));
    append(frames, {fragment_of(whole, {0, 64}), fragment_of(whole, {0, 64}),
                    fragment_of(whole, {32, 96}), fragment_of(whole, {64, 128})});
  }
  for (std::size_t i = 0; i < frames.size(); ++i)
    frames[i].timestamp_ns += static_cast<std::int64_t>(i) * kMillisecond;
  catalogue.capture("fragments_overlapping",
                    "overlapping fragments: IPv4 keeps what came first, IPv6 discards the datagram "
                    "(RFC 5722); a repeated fragment does no harm",
                    frames);
}

void add_unfinished(Catalogue& catalogue) {
  Frames frames;
  const auto pieces_of = [](unsigned number, std::int64_t time) {
    return fragments_of(udp_of(hosts(number), 160, time), kPiece, number, kMillisecond);
  };
  const Frames beginning = pieces_of(1, at(0));
  append(frames, {beginning[0], beginning[2]});
  const Frames rest = pieces_of(2, at(0));
  append(frames, {rest[1], rest[2]});
  const Hosts esp = hosts(3);
  const Frame secret = PacketBuilder()
                           .ethernet()
                           .ip(esp.client.address, esp.server.address)
                           .esp(7, 1)
                           .payload(ByteList(160))
                           .frame(at(0));
  frames.push_back(fragments_of(secret, kPiece)[1]);
  frames.push_back(udp_of(hosts(1), 10, at(14 * kSecond)));  // the session is still open
  append(frames, {pieces_of(4, at(kMinute))[0]});
  sort_by_time(frames);
  catalogue.capture("fragments_unfinished",
                    "a datagram that never becomes whole joins the session that its beginning "
                    "tells, or its addresses where there are no ports; else it is counted",
                    frames);
}

void add_tunnels(Catalogue& catalogue) {
  const PacketBuilder tunnel = PacketBuilder()
                                   .ethernet()
                                   .ip("203.0.113.1", "203.0.113.2")
                                   .udp(50'000, 4789)
                                   .vxlan(7)
                                   .ethernet();
  Frames frames;
  std::uint32_t id = 0;
  for (const Frame& whole : connection()) {
    const Frames pieces = fragments_of(whole, 1'400, ++id, kMicrosecond);
    for (const Frame& piece : pieces) {
      const Frame carried = inside(tunnel, piece);
      append(frames,
             fragments_of(carried, 1'000, 1'000 * id + static_cast<std::uint32_t>(frames.size())));
    }
  }
  catalogue.capture("fragments_in_tunnels",
                    "fragments carried by a tunnel whose packets are fragmented themselves",
                    frames);
}

// The answer to a SYN with another ISN, which makes that a session of its own.
void add_answer(Catalogue& catalogue) {
  Frames frames;
  for (const unsigned version : {4, 6}) {
    const Hosts ends = hosts(1, version);
    TcpPeers old(frames, ends.client, ends.server);
    old.handshake(at(0));
    Frames anew;
    TcpPeers fresh(anew, ends.client, ends.server, 900'000'000, 905'000'000);
    fresh.handshake(at(kSecond));
    for (std::uint32_t i = 0; i < anew.size(); ++i)
      append(frames, fragments_of(anew[i], 16, i, kMicrosecond));
  }
  sort_by_time(frames);
  catalogue.capture("fragments_of_an_answer",
                    "segments of a connection that uses the tuple of an open one, each in two "
                    "fragments: each is a packet of its own side",
                    frames);
}

void add_flood(Catalogue& catalogue) {
  Frames frames;
  const Hosts ends = hosts(1);
  for (std::uint32_t id = 1; id <= 300; ++id) {
    const Frame whole = udp_of(ends, 40, at(id * kMicrosecond));
    frames.push_back(fragment_of(whole, {0, 16}, id));
  }
  append(frames, fragments_of(udp_of(hosts(2), 100, at(kSecond)), kPiece, 301, kMillisecond));
  catalogue.capture(
      "fragments_flood",
      "first fragments without end: the oldest go, each in its session, and what comes "
      "between becomes whole",
      frames, {.settings = "maxFrags=100"});
}

}  // namespace

void add_fragment_captures(Catalogue& catalogue) {
  add_orders(catalogue);
  add_overlaps(catalogue);
  add_unfinished(catalogue);
  add_tunnels(catalogue);
  add_answer(catalogue);
  add_flood(catalogue);
}

}  // namespace linger::test
