#include "engine/source/memory_source.h"

#include <gtest/gtest.h>

#include <memory>

namespace linger {
namespace {

std::vector<MemoryPacket> packets_every_second(std::size_t count) {
  std::vector<MemoryPacket> packets;
  for (std::size_t i = 0; i < count; ++i) {
    const auto number = static_cast<std::int64_t>(i);
    packets.push_back({{number * kSecond}, {static_cast<std::uint8_t>(i), 2, 3}, 100, 101});
  }
  return packets;
}

TEST(MemorySource, plays_its_packets_in_order_with_the_clock_stamped) {
  MemorySource source(packets_every_second(kBurstMax + 36));
  auto burst = std::make_unique<Burst>();
  ASSERT_EQ(source.rx(*burst), RxStatus::packets);
  EXPECT_EQ(burst->count, kBurstMax);
  const Packet& packet = burst->packets[7];
  EXPECT_EQ(packet.data[0], 7);
  EXPECT_EQ(packet.captured_bytes, 3U);
  EXPECT_EQ(packet.wire_bytes, 100U);
  EXPECT_EQ(packet.link_type, 101);
  EXPECT_EQ(packet.buffer, nullptr);
  EXPECT_EQ(packet.clock, 7 * kSecond);
  EXPECT_EQ(burst->clock, (kBurstMax - 1) * kSecond);
  ASSERT_EQ(source.rx(*burst), RxStatus::packets);
  EXPECT_EQ(burst->count, 36U);
  EXPECT_EQ(source.rx(*burst), RxStatus::end);
  EXPECT_EQ(source.rx(*burst), RxStatus::end);
  EXPECT_EQ(burst->clock, (kBurstMax + 35) * kSecond);
}

TEST(MemorySource, moves_time_on_from_round_to_round) {
  MemorySource source(packets_every_second(2), {.rounds = 3, .round_length = 10 * kSecond});
  auto burst = std::make_unique<Burst>();
  ASSERT_EQ(source.rx(*burst), RxStatus::packets);
  ASSERT_EQ(burst->count, 6U);
  EXPECT_EQ(burst->packets[5].timestamp.value, 21 * kSecond);
  EXPECT_EQ(burst->packets[5].clock, 21 * kSecond);
  EXPECT_EQ(source.rx(*burst), RxStatus::end);
}

TEST(MemorySource, counts_at_least_the_bytes_it_has_as_wire_bytes) {
  MemorySource source({{{0}, {1, 2, 3, 4}, 0, 1}});
  auto burst = std::make_unique<Burst>();
  ASSERT_EQ(source.rx(*burst), RxStatus::packets);
  EXPECT_EQ(burst->packets[0].wire_bytes, 4U);
}

TEST(MemorySource, ends_at_once_without_packets) {
  MemorySource source({}, {.rounds = 5});
  auto burst = std::make_unique<Burst>();
  EXPECT_EQ(source.rx(*burst), RxStatus::end);
  EXPECT_EQ(burst->count, 0U);
}

}  // namespace
}  // namespace linger
