// Wrong checksums: damage, which changes no session, and what is left to a network card.
#include "engine/packet/checksum.h"
#include "pcaps/catalogue.h"

namespace linger::test {
namespace {

constexpr std::size_t kTcpChecksum = 14 + 20 + 16;

Frame damaged(Frame frame) {
  frame.bytes[kTcpChecksum] ^= 0x55;
  return frame;
}

// As Linux leaves it: the sum of the pseudo header.
Frame offloaded(Frame frame) {
  const auto bytes = static_cast<std::uint32_t>(frame.bytes.size()) - 34;
  const std::uint16_t sum =
      fold(sum_words(&frame.bytes[26], 8) + in_memory_order(kProtocolTcp) + in_memory_order(bytes));
  std::memcpy(&frame.bytes[kTcpChecksum], &sum, sizeof sum);
  return frame;
}

// A connection in which a RST and data arrive damaged.
Frames talk(unsigned number) {
  const Hosts ends = hosts(number);
  Frames frames;
  TcpPeers tcp(frames, ends.client, ends.server);
  tcp.handshake(at(0));
  for (int i = 0; i < 9; ++i) exchange(tcp, at((10 + 3 * i) * kMillisecond));
  Frame& rst = tcp.rst(Side::server, at(40 * kMillisecond));
  rst = damaged(rst);
  Frame& data = tcp.data(Side::client, "garbled", at(41 * kMillisecond), {.sequence_offset = 100});
  data = damaged(data);
  return frames;
}

// Says that it is longer than its frame.
Frame too_long(Frame frame) {
  frame.bytes[14 + 3] += 12;
  return frame;
}

// A connection whose SYN arrives with one more bit set.
Frames nonsense(unsigned number, Frame damage(Frame)) {
  const Hosts ends = hosts(number);
  Frames frames;
  TcpPeers tcp(frames, ends.client, ends.server);
  Frame& first = tcp.segment(Side::client, kTcpSyn | kTcpFin, "", at(0));
  first = damage(first);
  exchange(tcp, at(kMillisecond));
  tcp.close(Side::client, at(kSecond));
  return frames;
}

// A connection after whose close a segment of the old arrives with other numbers, and one of a new.
Frames other_numbers() {
  Frames frames;
  for (const unsigned number : {4U, 5U}) {
    const Hosts ends = hosts(number);
    TcpPeers tcp(frames, ends.client, ends.server);
    tcp.handshake(at(0));
    exchange(tcp, at(10 * kMillisecond));
    tcp.close(Side::client, at(20 * kMillisecond));
    Frame& data = tcp.data(Side::client, "garbled", at(kSecond), {.sequence_offset = 1 << 30});
    if (number == 4) data = damaged(data);
  }
  return frames;
}

}  // namespace

void add_checksum_captures(Catalogue& catalogue) {
  Frames frames = talk(1);
  catalogue.capture(
      "checksum_damaged",
      "a RST and a segment with wrong checksums after many right ones count, and change "
      "nothing",
      frames);
  Frames senseless = nonsense(2, damaged);
  for (const Frame& frame : nonsense(3, too_long)) senseless.push_back(frame);
  catalogue.capture("checksum_nonsense",
                    "the first packet has flags that no TCP sends, and a wrong checksum or more "
                    "bytes than its frame: it counts, and the session is told as if it began "
                    "behind it",
                    senseless);
  catalogue.capture("checksum_other_numbers",
                    "after the close a segment whose numbers are no longer the session's: with a "
                    "wrong checksum it is late, with a right one it opens another",
                    other_numbers());
  catalogue.run("checksum_ignored", "-k none: the same RST resets, the segment leaves a gap",
                {"checksum_damaged.pcap"}, {.settings = "checksums=false"});
  Frames sent;
  const Hosts ends = hosts(2);
  TcpPeers tcp(sent, ends.client, ends.server);
  tcp.handshake(at(0));
  exchange(tcp, at(10 * kMillisecond));
  tcp.close(Side::client, at(20 * kMillisecond));
  for (std::size_t i = 0; i < sent.size(); ++i) {
    const bool is_client = load_be16(&sent[i].bytes[34]) == ends.client.port;
    sent[i] = is_client ? offloaded(sent[i]) : damaged(sent[i]);
  }
  catalogue.capture("checksum_offloaded",
                    "sums left to the network card, and a side with nothing but wrong ones: both "
                    "are believed",
                    sent);
}

}  // namespace linger::test
