// Defrag at its limits: nested datagrams, floods, full pools, cut captures, anything at random.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "tests/packet/defragmenter.h"

namespace linger::test {
namespace {

const Address kA = "192.0.2.1", kB = "198.51.100.2", kA6 = "2001:db8::1", kB6 = "2001:db8::2";
const Address kOuterA = "10.0.0.1", kOuterB = "10.0.0.2";

PacketBuilder outer() { return PacketBuilder().ethernet().ip(kOuterA, kOuterB); }

Frame inner(unsigned version, std::size_t payload_bytes) {
  const auto raw = PacketBuilder().raw_ip();
  return (version == 4 ? PacketBuilder(raw).ip(kA, kB) : PacketBuilder(raw).ip(kA6, kB6))
      .tcp(40000, 80)
      .payload(std::string(payload_bytes, 'x'))
      .frame(at(0));
}
const char* inner_session(unsigned version) {
  return version == 4 ? "tcp 192.0.2.1:40000 > 198.51.100.2:80"
                      : "tcp [2001:db8::1]:40000 > [2001:db8::2]:80";
}

TEST(defrag, fragments_within_tunnels_and_tunnels_within_fragments) {
  for (const unsigned version : {4u, 6u}) {
    const Frame packet = inner(version, 200);
    const auto tunnels = {outer().gre(7), outer().udp(9, 4789).vxlan(7).ethernet(),
                          outer().udp(9, 6081).geneve(7).ethernet()};
    for (const PacketBuilder& tunnel : tunnels) {
      Defragmenter within;
      for (const Frame& piece : fragments_of(packet, 80)) within.add(inside(tunnel, piece));
      EXPECT_EQ(within.text(),
                fmt::format("3 {} {}\n", inner_session(version), std::string(200, 'x')));

      Defragmenter around;
      const Frames pieces = fragments_of(inside(tunnel, packet), 80);
      around.add(pieces);
      EXPECT_EQ(around.text(), fmt::format("{} {} {}\n", pieces.size(), inner_session(version),
                                           std::string(200, 'x')));
    }
  }
}

// Fragments of a packet, each in a tunnel whose packets are fragmented in turn, and so on.
Frames nested(int depth) {
  Frames frames = fragments_of(inner(4, 100), 64, 1);
  for (int level = 1; level < depth; ++level) {
    Frames deeper;
    std::uint32_t id = 100 * static_cast<std::uint32_t>(level);
    for (const Frame& frame : frames) {
      const Frames pieces = fragments_of(inside(outer().gre(7), frame), 24, ++id);
      deeper.insert(deeper.end(), pieces.begin(), pieces.end());
    }
    frames = deeper;
  }
  return frames;
}

TEST(defrag, datagrams_within_datagrams_are_followed_to_a_limit) {
  for (int depth = 1; depth <= Defrag::kNestedMax + 1; ++depth) {
    const Frames frames = nested(depth);
    Defragmenter defrag;
    defrag.add(frames);
    EXPECT_EQ(defrag.text(),
              fmt::format("{} {} {}\n", frames.size(), inner_session(4), std::string(100, 'x')));
    EXPECT_EQ(defrag.counters().fragments.value(), frames.size());
  }
  const Frames frames = nested(Defrag::kNestedMax + 2);
  Defragmenter defrag;
  defrag.add(frames);
  defrag.finish();
  std::size_t accounted = 0;
  for (const PutOut& out : defrag.take()) {
    EXPECT_LT(out.payload.size(), 100u);  // a first fragment tells its session all the same
    accounted += out.packet.frames;
  }
  EXPECT_EQ(accounted, frames.size());
}

TEST(defrag, flood_of_first_fragments_pushes_the_oldest_out) {
  Settings settings;
  settings.maxFrags = 100;
  Defragmenter defrag(settings);
  const Frame whole = PacketBuilder().ethernet().ip(kA, kB).udp(1, 2).payload("12345678").frame();
  constexpr std::uint32_t kFlood = 5'000;
  for (std::uint32_t id = 1; id <= kFlood; ++id) defrag.add(fragment_of(whole, {0, 8}, id));
  const std::vector<PutOut> pushed = defrag.take();
  EXPECT_EQ(pushed.size(), kFlood - 100);
  EXPECT_EQ(defrag.counters().datagrams_pushed_out.value(), pushed.size());
  for (const PutOut& out : pushed) EXPECT_EQ(out.session, "udp 192.0.2.1:1 > 198.51.100.2:2");
  defrag.add(fragment_of(whole, {8, 16}, kFlood));  // the newest is still held
  EXPECT_EQ(defrag.take().at(0).payload, "12345678");
  defrag.finish();
  EXPECT_EQ(defrag.take().size(), 99u);
}

TEST(defrag, memory_of_the_bytes_is_a_limit_too) {
  Settings settings;
  settings.maxFrags = 100;  // 300 chunks; a datagram below takes 33
  Defragmenter defrag(settings);
  const Frame whole =
      PacketBuilder().ethernet().ip(kA, kB).udp(1, 2).payload(ByteList(65'000)).frame();
  for (std::uint32_t id = 1; id <= 50; ++id) defrag.add(fragment_of(whole, {0, 64'000}, id));
  EXPECT_EQ(defrag.counters().datagrams_pushed_out.value(), 41u);
  EXPECT_EQ(defrag.take().size(), 41u);
  defrag.add(fragment_of(whole, {64'000, 65'008}, 50));
  EXPECT_EQ(defrag.take().at(0).payload.size(), 65'000u);
}

TEST(defrag, a_datagram_that_is_the_oldest_itself_goes_for_its_next_fragment) {
  Settings settings;
  settings.maxFrags = 100;  // 300 chunks; a datagram below takes 17 or 18
  Defragmenter defrag(settings);
  const Frame whole =
      PacketBuilder().ethernet().ip(kA, kB).udp(1, 2).payload(ByteList(65'000)).frame();
  constexpr std::uint32_t kDatagrams = 17;
  for (std::uint32_t id = 1; id <= kDatagrams; ++id)
    defrag.add(fragment_of(whole, {0, 32'000}, id));
  EXPECT_EQ(defrag.counters().datagrams_pushed_out.value(), 0u);
  defrag.add(fragment_of(whole, {32'000, 64'000}, 1));
  EXPECT_EQ(defrag.counters().datagrams_pushed_out.value(), 1u);
  EXPECT_EQ(defrag.take().at(0).payload.size(), 32'000u - 8);
  defrag.add(fragment_of(whole, {32'000, 65'008}, kDatagrams));  // the newest still grows
  defrag.finish();
  std::size_t frames = 0;
  for (const PutOut& out : defrag.take()) frames += out.packet.frames;
  EXPECT_EQ(frames, kDatagrams + 1);
}

// A tunnel's gateway, whose packets are two fragments each, and of one of which the second was
// lost.
TEST(defrag, an_identification_that_comes_round_is_of_another_datagram) {
  for (const unsigned lost : {0u, 1u}) {
    Defragmenter defrag;
    const auto pieces_of = [](const char* payload, std::uint32_t id) {
      return fragments_of(PacketBuilder().ethernet().ip(kA, kB).udp(1, 2).payload(payload).frame(),
                          16, id);
    };
    defrag.add(pieces_of("1234567812345678", 7)[1 - lost]);
    for (std::uint32_t id = 8; id <= Defrag::kReuseDistance + 8; ++id)
      defrag.add(pieces_of("1234567812345678", id));
    defrag.take();
    defrag.add(pieces_of("abcdefghabcdefgh", 7));
    const std::vector<PutOut> out = defrag.take();
    ASSERT_EQ(out.size(), 2u);
    EXPECT_EQ(out[0].packet.frames, 1u);
    EXPECT_EQ(out[0].packet.verdict, lost == 1 ? Verdict::session : Verdict::fragment);
    EXPECT_EQ(out[1].payload, "abcdefghabcdefgh");
  }
}

TEST(defrag, fragment_without_end_is_cut_into_packets_of_65535_frames) {
  const Frame whole = PacketBuilder().ethernet().ip(kA, kB).udp(1, 2).payload("12345678").frame();
  const Frame first = fragment_of(whole, {0, 8});
  Defragmenter defrag;
  for (int i = 0; i < 70'000; ++i) defrag.add(first);
  EXPECT_EQ(defrag.text(), "65535 udp 192.0.2.1:1 > 198.51.100.2:2 \n");
  EXPECT_EQ(defrag.counters().datagrams_pushed_out.value(), 1u);
  defrag.finish();
  EXPECT_EQ(defrag.take().at(0).packet.frames, 70'000 - 65'535);
}

TEST(defrag, buffers_are_used_again_only_when_nobody_uses_them) {
  const Frame whole =
      PacketBuilder().ethernet().ip(kA, kB).udp(1, 2).payload(ByteList(60'000, 'y')).frame();
  const Frames pieces = fragments_of(whole, 30'000);
  constexpr std::uint64_t kFit = DatagramArena::kBytes / 60'200;
  Defragmenter waiting;
  waiting.hold_buffers(true);
  for (std::uint64_t i = 0; i < 3 * kFit; ++i) waiting.add(pieces);
  EXPECT_GE(waiting.full_count(), 2);
  EXPECT_EQ(waiting.counters().datagrams_unbuffered.value(), 0u);
  const std::vector<PutOut> kept = waiting.take();
  EXPECT_EQ(kept.size(), 3 * kFit);
  for (const PutOut& out : kept) EXPECT_EQ(out.payload, std::string(60'000, 'y'));

  Defragmenter live({}, false);  // must not wait: counts what it cannot keep
  live.hold_buffers(true);
  for (std::uint64_t i = 0; i < 2 * kFit; ++i) live.add(pieces);
  const std::uint64_t lost = live.counters().datagrams_unbuffered.value();
  EXPECT_GT(lost, 0u);
  std::uint64_t frames = 0, told_lost = 0;
  for (const PutOut& out : live.take()) {
    frames += out.packet.frames;
    told_lost += out.packet.verdict == Verdict::fragment;
  }
  EXPECT_EQ(told_lost, lost);
  EXPECT_EQ(frames, 2 * kFit * pieces.size());
  live.release_buffers();
  live.add(pieces);
  EXPECT_EQ(live.take().at(0).payload.size(), 60'000u);
}

TEST(defrag, snap_length_leaves_what_was_captured) {
  const Frame whole =
      PacketBuilder().ethernet().ip(kA, kB).udp(1, 2).payload("abcdefghijklmnopqrstuvwx").frame();
  Frames pieces = fragments_of(whole, 16);
  const std::size_t second_bytes = pieces[1].bytes.size();
  pieces[0] = pieces[0].cut(14 + 20 + 8 + 3);
  pieces[1] = pieces[1].cut(second_bytes - 1);
  Defragmenter defrag;
  defrag.add(pieces);
  const std::vector<PutOut> out = defrag.take();
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(out[0].payload, "abc");
  EXPECT_EQ(out[0].packet.payload_bytes, 24u);
  EXPECT_EQ(out[0].packet.flags, kPacketCut);
  EXPECT_EQ(out[0].packet.wire_bytes, pieces[0].wire_bytes + pieces[1].wire_bytes);
}

TEST(defrag, every_prefix_of_every_fragment_is_accounted_for) {
  Frames all = fragments_of(inside(outer().gre(7), inner(6, 30)), 24);
  const Frames more = fragments_of(inside(PacketBuilder().ethernet(), inner(6, 40)), 24);
  all.insert(all.end(), more.begin(), more.end());
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::size_t bytes = 0; bytes < all[i].bytes.size(); ++bytes) {
      Frames frames = all;
      frames[i] = frames[i].cut(bytes);
      Defragmenter defrag;
      defrag.add(frames);
      defrag.finish();
      std::uint32_t accounted = 0, wire_bytes = 0, expected = 0;
      for (const Frame& frame : frames) expected += frame.wire_bytes;
      for (const PutOut& out : defrag.take()) {
        accounted += out.packet.frames;
        wire_bytes += out.packet.wire_bytes;
      }
      EXPECT_EQ(accounted, frames.size());
      EXPECT_EQ(wire_bytes, expected);
    }
  }
}

// The policy, byte by byte.
class NaiveDatagram {
 public:
  explicit NaiveDatagram(unsigned version) : version_(version) {}

  void add(std::size_t from, std::span<const std::uint8_t> bytes, bool is_last) {
    std::size_t to = from + bytes.size();
    bool agrees = true;
    const bool other_end = is_last && (length_ ? to != *length_ : to < end_);
    if ((length_ && to > *length_) || other_end) {
      agrees = is_last = false;
      to = length_ && to > *length_ ? std::max(from, *length_) : from + (to - from) / 8 * 8;
    }
    if (is_last) length_ = to;
    if (to > from || is_last) end_ = std::max(end_, to);
    std::size_t seen = 0;
    bool differs = false;
    for (std::size_t i = from; i < to; ++i) {
      const auto [place, is_new] = bytes_.emplace(i, bytes[i - from]);
      seen += !is_new;
      differs |= place->second != bytes[i - from];
    }
    const bool overlaps = !agrees || (seen != 0 && (seen != to - from || differs));
    if (overlaps && version_ == 6) is_discarded_ = true;
  }
  bool is_complete() const { return !is_discarded_ && length_ && bytes_.size() == *length_; }
  ByteList bytes() const {
    ByteList list;
    for (const auto& [offset, byte] : bytes_) list.push_back(byte);
    return list;
  }

 private:
  unsigned version_;
  std::map<std::size_t, std::uint8_t> bytes_;
  std::optional<std::size_t> length_;
  std::size_t end_ = 0;
  bool is_discarded_ = false;
};

// ESP: whatever is in the datagram, it is payload. Counts those that become whole.
void compare_with_naive(std::uint32_t seed, int& completed) {
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937 random(seed);
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  const unsigned version = seed % 2 == 0 ? 4 : 6;
  const auto datagram = [&](std::size_t bytes) {
    ByteList content(bytes);
    for (std::uint8_t& byte : content) byte = static_cast<std::uint8_t>(random());
    auto builder = PacketBuilder().ethernet();
    return (version == 4 ? builder.ip(kA, kB) : builder.ip(kA6, kB6))
        .next_is(kProtocolEsp)
        .payload(content)
        .frame();
  };
  const std::size_t bytes = 9 + below(below(20) == 0 ? 9'000 : 300);
  const Frame frames[] = {datagram(bytes), datagram(bytes)};
  const std::size_t piece_max = 1 + below(bytes / 8 + 1);
  NaiveDatagram naive(version);
  Defragmenter defrag;
  unsigned count = 0;
  for (int i = 0; i < 400; ++i) {
    const bool differs = seed % 5 == 0 && below(10) == 0;
    const Frame& frame = frames[differs];
    const std::size_t from = below((bytes + 7) / 8) * 8;
    const std::size_t to = std::min(bytes, from + 8 * (1 + below(piece_max)));
    Cut cut{from, to};
    if (seed % 7 == 0 && below(20) == 0) cut.has_more = false;
    const std::size_t align = version == 6 ? 8 * piece_max : 8;  // IPv6: mostly without overlaps
    if (version == 6 && seed % 3 != 0) {
      cut.from = from / align * align;
      cut.to = std::min(bytes, cut.from + align);
    }
    const bool is_last = !cut.has_more.value_or(cut.to < bytes);
    if (cut.from == 0 && is_last) continue;  // no fragment
    const std::uint8_t* content = frame.bytes.data() + (version == 4 ? 34 : 54);
    naive.add(cut.from, {content + cut.from, cut.to - cut.from}, is_last);
    defrag.add(fragment_of(frame, cut));
    ++count;
    const std::vector<PutOut> out = defrag.take();
    ASSERT_EQ(out.size(), naive.is_complete() ? 1u : 0u);
    if (out.empty()) continue;
    const ByteList expected = naive.bytes();
    ASSERT_EQ(out[0].payload, std::string(expected.begin(), expected.end()));
    ASSERT_EQ(out[0].packet.frames, count);
    ++completed;
    return;
  }
}

TEST(defrag, agrees_with_a_byte_by_byte_reference) {
  int completed = 0;
  for (std::uint32_t seed = 1; seed <= 1'000; ++seed) {
    compare_with_naive(seed, completed);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(completed, 500);
}

}  // namespace
}  // namespace linger::test
