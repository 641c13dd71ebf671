#include <fmt/format.h>
#include <gtest/gtest.h>

#include <numeric>

#include "tests/packet/defragmenter.h"

namespace linger::test {
namespace {

const Address kA = "192.0.2.1", kB = "198.51.100.2", kA6 = "2001:db8::1", kB6 = "2001:db8::2";
const char* const kUdp = "udp 192.0.2.1:1 > 198.51.100.2:2";
const char* const kUdp6 = "udp [2001:db8::1]:1 > [2001:db8::2]:2";

PacketBuilder ip(unsigned version) {
  return version == 4 ? PacketBuilder().ethernet().ip(kA, kB)
                      : PacketBuilder().ethernet().ip(kA6, kB6);
}

std::string letters(std::size_t count) {
  std::string text(count, ' ');
  for (std::size_t i = 0; i < count; ++i) text[i] = static_cast<char>('a' + i % 26);
  return text;
}

Frame datagram(std::size_t payload_bytes, unsigned version = 4) {
  return ip(version).udp(1, 2).payload(letters(payload_bytes)).frame(at(0));
}

std::string line(unsigned frames, std::string_view session, std::string_view payload = "") {
  return fmt::format("{} {} {}\n", frames, session, payload);
}

TEST(defrag, datagram_is_the_same_packet_in_any_order_of_its_fragments) {
  for (const unsigned version : {4u, 6u}) {
    const Frame whole = ip(version)
                            .tcp(1, 2, {.sequence = 7, .flags = kTcpSyn, .options = {.mss = 1460}})
                            .payload(letters(50))
                            .frame(at(0));
    const Packet expected = decoded(whole);
    const Frames pieces = fragments_of(whole, 24);
    std::vector<std::size_t> order(pieces.size());
    ASSERT_EQ(order.size(), 4u);
    std::iota(order.begin(), order.end(), 0u);
    do {
      Defragmenter defrag;
      std::uint32_t wire_bytes = 0;
      for (std::size_t i = 0; i < order.size(); ++i) {
        EXPECT_TRUE(defrag.take().empty());
        Frame piece = pieces[order[i]];
        piece.timestamp_ns += static_cast<std::int64_t>(i);
        wire_bytes += piece.wire_bytes;
        defrag.add(piece);
      }
      const std::vector<PutOut> out = defrag.take();
      ASSERT_EQ(out.size(), 1u);
      const Packet& packet = out[0].packet;
      EXPECT_EQ(out[0].session, session_text(expected));
      EXPECT_EQ(out[0].payload, letters(50));
      EXPECT_EQ(packet.frames, 4);
      EXPECT_EQ(packet.wire_bytes, wire_bytes);
      EXPECT_EQ(packet.timestamp.value, at(3));
      EXPECT_EQ(packet.clock, at(3));
      EXPECT_EQ(packet.flags, 0);
      EXPECT_EQ(packet.tcp.sequence, 7u);
      EXPECT_EQ(packet.tcp.flags, kTcpSyn);
      EXPECT_EQ(packet.tcp.mss, 1460);
      EXPECT_EQ(packet.mac_offset, expected.mac_offset);
      EXPECT_EQ(packet.hash, expected.hash);
    } while (std::next_permutation(order.begin(), order.end()));
  }
}

TEST(defrag, smallest_and_largest_datagrams_become_whole) {
  Defragmenter defrag;
  defrag.add(fragments_of(datagram(65'535 - 20 - 8), 8));
  EXPECT_EQ(defrag.text(), line(8190, kUdp, letters(65'507)));
  defrag.add(fragments_of(datagram(1), 8));
  EXPECT_EQ(defrag.text(), line(2, kUdp, "a"));
  defrag.add(fragments_of(datagram(65'535 - 8, 6), 65'528));
  EXPECT_EQ(defrag.text(), line(2, kUdp6, letters(65'527)));
  EXPECT_EQ(defrag.counters().datagrams_completed.value(), 3u);
  EXPECT_EQ(defrag.counters().fragments.value(), 8190u + 2 + 2);
}

TEST(defrag, ipv4_overlap_keeps_what_came_first) {
  Frame other = datagram(24);
  for (std::uint8_t& byte : std::span(other.bytes).last(24)) byte = 'X';
  Defragmenter defrag;
  defrag.add(fragment_of(datagram(24), {8, 16}));
  defrag.add(fragment_of(other, {8, 32}));  // its first 8 bytes come too late
  EXPECT_EQ(defrag.text(), "");
  defrag.add(fragment_of(other, {0, 8}));
  EXPECT_EQ(defrag.text(), line(3, kUdp, "abcdefghXXXXXXXXXXXXXXXX"));
  EXPECT_EQ(defrag.counters().fragments_overlapping.value(), 1u);
}

TEST(defrag, ipv6_overlap_discards_the_datagram_and_its_later_fragments) {
  const Frame whole = datagram(24, 6);
  Defragmenter defrag;
  defrag.add(fragment_of(whole, {0, 16}));
  defrag.add(fragment_of(whole, {8, 24}));
  defrag.add(fragment_of(whole, {24, 32}));
  defrag.add(fragment_of(whole, {16, 24}));
  EXPECT_EQ(defrag.text(), "");
  defrag.expire(at(kMinute));
  EXPECT_EQ(defrag.text(), line(4, "fragment"));
  EXPECT_EQ(defrag.counters().datagrams_discarded.value(), 1u);
  EXPECT_EQ(defrag.counters().fragments_overlapping.value(), 1u);
}

TEST(defrag, repeated_fragments_count_once_each_and_change_nothing) {
  for (const unsigned version : {4u, 6u}) {
    const Frames pieces = fragments_of(datagram(24, version), 16);
    Defragmenter defrag;
    defrag.add({pieces[1], pieces[1], pieces[0]});
    EXPECT_EQ(defrag.text(), line(3, version == 4 ? kUdp : kUdp6, letters(24)));
    EXPECT_EQ(defrag.counters().fragments_duplicate.value(), 1u);
    EXPECT_EQ(defrag.counters().fragments_overlapping.value(), 0u);
  }
}

TEST(defrag, length_that_was_told_first_stays) {
  const Frame whole = datagram(40);
  Defragmenter defrag;
  defrag.add(fragment_of(whole, {16, 29, false}));  // its end: 29
  defrag.add(fragment_of(whole, {24, 32, true}));   // behind it
  defrag.add(fragment_of(whole, {8, 16, false}));   // another end, before it
  defrag.add(fragment_of(whole, {0, 8}));
  EXPECT_EQ(defrag.text(), line(4, kUdp, letters(29 - 8)));
  EXPECT_EQ(defrag.counters().fragments_overlapping.value(), 2u);
  defrag.add(fragment_of(whole, {24, 32, true}, 2));
  defrag.add(fragment_of(whole, {16, 21, false}, 2));  // no end: bytes behind it were seen
  defrag.add(fragment_of(whole, {32, 48, false}, 2));
  defrag.add(fragment_of(whole, {0, 24}, 2));
  EXPECT_EQ(defrag.text(), line(4, kUdp, letters(40)));
  EXPECT_EQ(defrag.counters().fragments_overlapping.value(), 3u);
}

TEST(defrag, datagram_is_given_up_at_its_time_not_before) {
  Settings settings;
  settings.fragsTimeout = 5 * kSecond;
  Defragmenter defrag(settings);
  Frame first = fragment_of(datagram(24), {0, 16});
  Frame second = fragment_of(datagram(24), {24, 32});
  second.timestamp_ns = at(3 * kSecond);  // does not prolong it
  defrag.add({first, second});
  EXPECT_FALSE(defrag.is_due(at(5 * kSecond) - 1));
  defrag.expire(at(5 * kSecond) - 1);
  EXPECT_EQ(defrag.text(), "");
  EXPECT_TRUE(defrag.is_due(at(5 * kSecond)));
  defrag.expire(at(kHour));
  const std::vector<PutOut> out = defrag.take();
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(out[0].packet.clock, at(5 * kSecond));
  EXPECT_EQ(out[0].packet.timestamp.value, at(3 * kSecond));
  EXPECT_EQ(out[0].packet.flags, kPacketFragment);
  EXPECT_EQ(out[0].packet.frames, 2);
  EXPECT_EQ(out[0].session, kUdp);
  EXPECT_EQ(out[0].payload, "abcdefgh");  // up to the gap
  EXPECT_FALSE(defrag.is_due(INT64_MAX - 1));
  EXPECT_EQ(defrag.counters().datagrams_timed_out.value(), 1u);
}

TEST(defrag, datagram_without_its_beginning_joins_only_where_no_ports_are_needed) {
  struct Case {
    Frame whole;
    const char* session;
  };
  for (const Case& c : {
           Case{ip(4).udp(1, 2).payload(letters(40)).frame(), "fragment"},
           Case{ip(4).tcp(1, 2).payload(letters(40)).frame(), "fragment"},
           Case{ip(4).icmp(8, 0).payload(letters(40)).frame(), "fragment"},
           Case{ip(6).icmp(128, 0).payload(letters(40)).frame(), "fragment"},
           Case{ip(4).esp(1, 1).payload(letters(40)).frame(), "esp 192.0.2.1:0 > 198.51.100.2:0"},
           Case{ip(6).esp(1, 1).payload(letters(40)).frame(),
                "esp [2001:db8::1]:0 > [2001:db8::2]:0"},
           Case{ip(4).gre(7).ip(kA6, kB6).tcp(1, 2).frame(), "ip47 192.0.2.1:0 > 198.51.100.2:0"},
       }) {
    Defragmenter defrag;
    const Frames pieces = fragments_of(c.whole, 8);
    for (std::size_t i = 1; i < pieces.size(); ++i) defrag.add(pieces[i]);
    EXPECT_EQ(defrag.text(), "");
    defrag.finish();
    EXPECT_EQ(defrag.text(), line(static_cast<unsigned>(pieces.size() - 1), c.session));
    EXPECT_EQ(defrag.counters().datagrams_at_end.value(), 1u);
  }
}

TEST(defrag, beginning_that_holds_too_little_of_its_header_is_a_fragment) {
  Defragmenter defrag;
  defrag.add(fragment_of(ip(4).tcp(1, 2).payload("x").frame(), {0, 8}));
  defrag.finish();
  EXPECT_EQ(defrag.text(), line(1, "fragment"));
}

TEST(defrag, impossible_fragments_belong_to_no_datagram) {
  const Frame whole = datagram(65'535 - 20 - 8);
  const auto at_offset = [&](std::size_t from, std::size_t bytes, bool has_more) {
    Frame frame = fragment_of(whole, {0, bytes, has_more});
    frame.bytes[14 + 6] |= static_cast<std::uint8_t>(from / 8 >> 8);
    frame.bytes[14 + 7] = static_cast<std::uint8_t>(from / 8);
    return frame;
  };
  Defragmenter defrag;
  defrag.add(at_offset(65'528, 8, false));  // one byte too many
  defrag.add(at_offset(64, 0, true));       // nothing, and more
  defrag.add(at_offset(16, 20, true));      // ends within 8 bytes
  EXPECT_EQ(defrag.text(), line(1, "malformed") + line(1, "malformed") + line(1, "malformed"));
  defrag.add(at_offset(0, 12, true));  // of a session all the same
  EXPECT_EQ(defrag.text(), line(1, kUdp, "abcd"));
  EXPECT_EQ(defrag.counters().fragments_impossible.value(), 4u);
  defrag.finish();
  EXPECT_EQ(defrag.text(), "");
}

TEST(defrag, fragments_of_other_datagrams_stay_apart) {
  const Frame whole = datagram(16);
  const auto with = [&](PacketBuilder below, const Address& a, const Address& b) {
    return below.ip(a, b).udp(1, 2).payload(letters(16)).frame();
  };
  const auto vlan = [](std::uint16_t id) { return PacketBuilder().ethernet().vlan(id); };
  const auto vxlan = [](std::uint32_t vni) {
    return PacketBuilder().ethernet().ip("10.0.0.1", "10.0.0.2").udp(9, 4789).vxlan(vni).ethernet();
  };
  const auto gtp = [](std::uint32_t teid) {
    return PacketBuilder().ethernet().ip("10.0.0.1", "10.0.0.2").udp(9, 2152).gtp_u(teid);
  };
  const auto mpls = [](std::uint32_t label) { return PacketBuilder().ethernet().mpls(label); };
  const auto inner = PacketBuilder().raw_ip().ip(kA, kB).udp(1, 2).payload(letters(16)).frame();
  const auto first = [&](const Frame& frame, std::uint32_t id = 1) {
    return fragment_of(frame, {0, 16}, id);
  };
  const Frames firsts = {first(whole),
                         first(whole, 2),
                         first(with(PacketBuilder().ethernet(), kB, kA)),
                         first(with(vlan(7), kA, kB)),
                         first(with(vlan(8), kA, kB)),
                         inside(vxlan(7), first(inner)),
                         inside(vxlan(8), first(inner)),
                         inside(gtp(7), first(inner)),
                         inside(gtp(8), first(inner)),
                         inside(mpls(7), first(inner)),
                         inside(mpls(8), first(inner))};
  Defragmenter defrag;
  defrag.add(firsts);
  defrag.add(fragment_of(whole, {16, 24}));
  EXPECT_EQ(defrag.text(), line(2, kUdp, letters(16)));
  defrag.finish();
  EXPECT_EQ(defrag.take().size(), firsts.size() - 1);
}

TEST(defrag, ipv4_protocols_stay_apart_under_one_identification) {
  Frame tcp = ip(4).tcp(1, 2).payload(letters(20)).frame();
  Defragmenter defrag;
  defrag.add(fragment_of(tcp, {24, 40}));
  defrag.add(fragment_of(datagram(16), {0, 16}));
  defrag.add(fragment_of(tcp, {0, 24}));
  EXPECT_EQ(defrag.text(), line(2, "tcp 192.0.2.1:1 > 198.51.100.2:2", letters(20)));
}

}  // namespace
}  // namespace linger::test
