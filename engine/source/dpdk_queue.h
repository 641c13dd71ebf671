// One receive queue of a DPDK device. Owner: its shard.
#pragma once

// clang-format off
#include "engine/base/socket_headers.h"  // before rte_ethdev.h
// clang-format on

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <array>
#include <vector>

#include "engine/packet/datagram_arena.h"
#include "engine/packet/link_type.h"
#include "engine/source/dpdk_driver.h"
#include "engine/source/live_queue.h"
#include "engine/source/packet_filter.h"
#include "engine/source/tick_clock.h"

namespace linger {

struct DpdkQueueOptions {
  std::uint16_t port = 0;
  std::uint16_t queue = 0;
  PortSet port_bit = 0;
  std::uint16_t link_type = kEthernet;
  std::uint32_t cut_bytes = UINT32_MAX;  // frames from so long may have been cut by the driver
  DriverTime time = DriverTime::none;
  std::uint64_t held_max = 0;  // mbufs that other shards may use at a time
  std::string bpf = {};
  DurationNs clock_jump = kHour;
};

// What lies in the private area of each mbuf.
inline PacketBuffer& buffer_of(rte_mbuf* mbuf) noexcept {
  return *static_cast<PacketBuffer*>(rte_mbuf_to_priv(mbuf));
}

class DpdkQueue final : public LiveQueue {
 public:
  explicit DpdkQueue(const DpdkQueueOptions& options);
  ~DpdkQueue() override;

  // Hardware timestamps were given up, as they disagreed with the system's clock. Any thread.
  bool has_wrong_time() const noexcept { return has_wrong_time_.load(std::memory_order_relaxed); }

 private:
  std::uint32_t receive(Packet* packets, std::uint32_t room) noexcept override;
  void release_burst() noexcept;
  void release_held() noexcept;
  bool fill(Packet* packets, Timestamp now) noexcept;
  void gather(const rte_mbuf* mbuf, Packet& packet) noexcept;
  bool is_cut(const Packet& packet) const noexcept;
  void count_cut(const Packet* packets, std::uint32_t count) noexcept;
  Timestamp time_of(const rte_mbuf* mbuf, Timestamp now) noexcept;
  void compare_clocks(Timestamp now) noexcept;

  const DpdkQueueOptions options_;
  int time_offset_ = -1;  // of the timestamp in an mbuf; -1: the driver gives none
  std::uint64_t time_flag_ = 0;
  TickClock ticks_;
  std::atomic<bool> has_wrong_time_{false};
  bool is_registered_ = false;  // this thread with the EAL
  std::uint32_t count_ = 0;     // of mbufs_
  std::array<rte_mbuf*, kBurstMax> mbufs_{};
  PacketFilter filter_;
  DatagramArena arena_;          // frames in several segments
  std::vector<rte_mbuf*> held_;  // a ring: in use by other shards
  std::uint64_t held_head_ = 0;
  std::uint64_t held_tail_ = 0;
};

}  // namespace linger
