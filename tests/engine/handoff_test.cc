#include "engine/handoff.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <vector>

namespace linger {
namespace {

Packet packet_of(ClockNs clock, PacketBuffer* buffer = nullptr) {
  Packet packet;
  packet.clock = clock;
  packet.buffer = buffer;
  return packet;
}

bool push(Handoff& handoff, std::uint32_t from, std::uint32_t to, const Packet& packet) {
  auto burst = std::make_unique<Burst>();
  burst->packets[0] = packet;
  return handoff.push(from, to, *burst, std::array<std::uint8_t, 1>{0}) == 1;
}

TEST(handoff, packets_arrive_in_the_order_they_were_pushed) {
  Handoff handoff(Shares::equal(3), 1'024);
  for (ClockNs i = 0; i < 150; ++i) ASSERT_TRUE(push(handoff, 0, 2, packet_of(i)));
  handoff.publish_clock(0, 999);
  auto burst = std::make_unique<Burst>();
  ClockNs next = 0;
  do {
    handoff.pop(0, 2, *burst);
    for (std::uint32_t i = 0; i < burst->count; ++i) EXPECT_EQ(burst->packets[i].clock, next++);
  } while (burst->count != 0);
  EXPECT_EQ(next, 150);
  handoff.pop(1, 2, *burst);
  EXPECT_EQ(burst->count, 0u);
}

TEST(handoff, time_never_runs_ahead_of_packets_that_are_still_in_the_ring) {
  Handoff handoff(Shares::equal(2), 1'024);
  for (ClockNs i = 1; i <= kBurstMax + 5; ++i) push(handoff, 0, 1, packet_of(i));
  handoff.publish_clock(0, kBurstMax + 5);
  auto burst = std::make_unique<Burst>();
  handoff.pop(0, 1, *burst);
  EXPECT_EQ(burst->clock, kBurstMax);
  handoff.pop(0, 1, *burst);
  EXPECT_EQ(burst->clock, kBurstMax + 5);
}

TEST(handoff, time_passes_without_packets) {
  Handoff handoff(Shares::equal(2), 64);
  handoff.publish_clock(0, 77);
  auto burst = std::make_unique<Burst>();
  handoff.pop(0, 1, *burst);
  EXPECT_EQ(burst->count, 0u);
  EXPECT_EQ(burst->clock, 77);
}

TEST(handoff, what_has_been_handed_over_tells_what_may_still_come) {
  Handoff handoff(Shares::equal(2), 1'024);
  auto burst = std::make_unique<Burst>();
  handoff.publish_clock(0, 5);
  EXPECT_EQ(handoff.pop(0, 1, *burst), 5);
  for (ClockNs i = 6; i < 6 + kBurstMax + 2; ++i) push(handoff, 0, 1, packet_of(i));
  EXPECT_EQ(handoff.pop(0, 1, *burst), 6 + kBurstMax - 1);
  EXPECT_EQ(handoff.pop(0, 1, *burst), 6 + kBurstMax + 1);  // later than the clock is
  handoff.close(0);
  EXPECT_EQ(handoff.pop(0, 1, *burst), kNever);
}

TEST(handoff, a_loss_is_of_the_sessions_beside_it_too) {
  Handoff handoff(Shares::equal(2), 64);
  Packet packet = packet_of(0);
  packet.ports = 1;
  packet.timestamp = {kSecond};
  handoff.note_loss(0, packet);
  const auto has_lost = [&](PortSet ports, std::int64_t first, std::int64_t last) {
    return handoff.has_lost(ports, {first}, {last});
  };
  EXPECT_TRUE(has_lost(1, 0, kSecond - Handoff::kLossSpan));
  EXPECT_TRUE(has_lost(1, kSecond + Handoff::kLossSpan, kMinute));
  EXPECT_FALSE(has_lost(1, 0, kSecond - Handoff::kLossSpan - 1));
  EXPECT_FALSE(has_lost(1, kSecond + Handoff::kLossSpan + 1, kMinute));
  EXPECT_FALSE(has_lost(2, kSecond, kSecond));
}

TEST(handoff, a_full_ring_takes_nothing) {
  Handoff handoff(Shares::equal(2), 64);
  std::uint32_t taken = 0;
  while (push(handoff, 0, 1, packet_of(taken))) ++taken;
  EXPECT_EQ(taken, 64u);
}

TEST(handoff, what_does_not_fit_is_the_end_of_the_list) {
  Handoff handoff(Shares::equal(2), 64);
  auto burst = std::make_unique<Burst>();
  std::vector<std::uint8_t> odd;
  for (std::uint8_t i = 0; i < kBurstMax; ++i) {
    burst->packets[i].clock = i;
    if (i % 2 == 1) odd.push_back(i);
  }
  EXPECT_EQ(handoff.push(0, 1, *burst, PacketList(odd).first(60)), 60u);
  EXPECT_EQ(handoff.push(0, 1, *burst, PacketList(odd).subspan(60)), 4u);
  EXPECT_EQ(handoff.push(0, 1, *burst, odd), 0u);
  auto arrived = std::make_unique<Burst>();
  handoff.pop(0, 1, *arrived);
  ASSERT_EQ(arrived->count, 64u);
  for (std::uint32_t i = 0; i < 64; ++i) EXPECT_EQ(arrived->packets[i].clock, 2 * i + 1);
}

TEST(handoff, buffers_are_held_until_their_packets_are_released) {
  PacketBuffer a;
  PacketBuffer b;
  auto burst = std::make_unique<Burst>();
  for (PacketBuffer* buffer : {&a, &b, &a, &b, &b, static_cast<PacketBuffer*>(nullptr), &a})
    burst->packets[burst->count++] = packet_of(0, buffer);
  hold_buffers(*burst, std::array<std::uint8_t, 5>{0, 2, 3, 4, 5});
  EXPECT_EQ(a.users.load(), 2u);
  EXPECT_EQ(b.users.load(), 2u);
  hold_buffers(*burst, std::array<std::uint8_t, 1>{6});
  const std::span packets(burst->packets.data(), burst->count);
  release_buffers(packets.subspan(2));
  EXPECT_EQ(a.users.load(), 1u);
  EXPECT_EQ(b.users.load(), 0u);
  release_buffers(packets.first(1));
  EXPECT_EQ(a.users.load(), 0u);
}

TEST(handoff, is_drained_when_all_have_closed_and_the_rings_are_empty) {
  Handoff handoff(Shares::equal(3), 64);
  push(handoff, 0, 1, packet_of(0));
  handoff.close(0);
  handoff.close(1);
  EXPECT_FALSE(handoff.is_drained(1));
  handoff.close(2);
  EXPECT_FALSE(handoff.is_drained(1));
  EXPECT_TRUE(handoff.is_drained(2));
  auto burst = std::make_unique<Burst>();
  handoff.pop(0, 1, *burst);
  EXPECT_TRUE(handoff.is_drained(1));
}

}  // namespace
}  // namespace linger
