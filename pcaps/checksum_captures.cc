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

// A connection whose SYN arrives with one more bit set.
Frames nonsense(unsigned number) {
  const Hosts ends = hosts(number);
  Frames frames;
  TcpPeers tcp(frames, ends.client, ends.server);
  Frame& first = tcp.segment(Side::client, kTcpSyn | kTcpFin, "", at(0));
  first = damaged(first);
  exchange(tcp, at(kMillisecond));
  tcp.close(Side::client, at(kSecond));
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
  catalogue.capture("checksum_nonsense",
                    "the first packet has a wrong checksum and flags that no TCP sends: it counts, "
                    "and the session is told as if it began behind it",
                    nonsense(2));
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
