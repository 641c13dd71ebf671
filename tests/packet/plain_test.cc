#include "engine/packet/plain.h"

#include <gtest/gtest.h>

#include <random>

#include "engine/packet/walk.h"
#include "tests/packet/decoded.h"

namespace linger::test {
namespace {

// The short cut must be invisible: what it takes, the walk over the headers reads in the same way.
bool expect_same(const Frame& frame, const DecodeSettings& settings) {
  Packet walked = packet_of(frame);
  walk_headers(walked, settings);
  Packet plain = packet_of(frame);
  if (!decode_plain(plain, settings)) return false;
  EXPECT_EQ(whole_text(plain), whole_text(walked));
  return true;
}

DecodeSettings settings_with_scope() {
  DecodeSettings settings = decode_settings();
  settings.key_has_vlan = settings.key_has_tunnel = true;
  return settings;
}

TEST(plain, usual_packets_take_the_short_cut) {
  const Address a = "192.0.2.1", b = "198.51.100.2", a6 = "2001:db8::1", b6 = "2001:db8::2";
  const auto ethernet = [] { return PacketBuilder().ethernet(); };
  for (const Frame& frame : {
           ethernet().ip(a, b).tcp(1, 2).frame(),
           ethernet().ip(b, a).udp(1, 2).frame(),
           ethernet().vlan(7).ip(a, b).tcp(1, 2).payload("hello").frame(),
           ethernet().vlan(0).ip(a6, b6).tcp(1, 2).payload("hello").frame(),
           ethernet().ip(b6, a6).udp(1, 2).payload("hello").frame(),
           ethernet()
               .ip(a, b)
               .tcp(1, 2, {.options = {.timestamps = TcpOptions::Stamps{1, 2}}})
               .frame(),
       }) {
    EXPECT_TRUE(expect_same(frame, decode_settings()));
    EXPECT_TRUE(expect_same(frame, settings_with_scope()));
  }
}

TEST(plain, short_cut_and_walk_agree_on_every_prefix) {
  for (const Sample& sample : samples()) {
    for (std::size_t bytes = 0; bytes <= sample.frame.bytes.size(); ++bytes) {
      Frame cut = sample.frame.cut(bytes);
      cut.bytes.shrink_to_fit();
      expect_same(cut, decode_settings());
      cut.wire_bytes = static_cast<std::uint32_t>(bytes);
      expect_same(cut, decode_settings());
    }
  }
}

TEST(plain, short_cut_and_walk_agree_on_mutated_packets) {
  constexpr int kRounds = 100'000;
  std::mt19937 random(20260101);
  const auto below = [&](std::size_t bound) { return random() % bound; };
  const auto all = samples();
  int taken = 0;
  for (int round = 0; round < kRounds && !testing::Test::HasFailure(); ++round) {
    Frame frame = all[below(all.size())].frame;
    for (std::size_t i = below(4); i > 0; --i) {
      // Mostly in the headers, where it matters; small values and single bits as often as any.
      std::uint8_t& byte = frame.bytes[below(std::min<std::size_t>(frame.bytes.size(), 80))];
      const std::uint32_t kind = random() % 3;
      byte = static_cast<std::uint8_t>(kind == 0   ? random()
                                       : kind == 1 ? byte ^ (1U << below(8))
                                                   : random() % 64);
    }
    if (below(8) == 0) frame = frame.cut(below(frame.bytes.size() + 1));
    if (below(8) == 0) frame.bytes.resize(frame.bytes.size() + below(20));
    taken += expect_same(frame, below(2) == 0 ? decode_settings() : settings_with_scope()) ? 1 : 0;
  }
  EXPECT_GT(taken, kRounds / 20);
}

}  // namespace
}  // namespace linger::test
