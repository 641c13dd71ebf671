// How a DPDK device spreads packets over its queues, so that a session's packets come through the
// queue of the shard that owns it; what the device can do decides:
//
//     owners      it takes our key and our table of queues (engine/base/rss.h): plain TCP and UDP
//                 arrive where they belong
//     symmetric   it takes our key but keeps its table, or keeps its key but the flow API has a
//                 symmetric hash: both directions meet in one shard, and go to their owner together
//     device      it does what it does; every packet that came elsewhere is handed over
//
// The first is tried first: only there is the owner known from the packet alone. A key is believed
// when the device reads it back. Thread: the control thread.
#pragma once

// clang-format off
#include "engine/base/socket_headers.h"  // before rte_ethdev.h
// clang-format on

#include <rte_ethdev.h>
#include <rte_flow.h>

#include <cstdint>
#include <string>
#include <vector>

namespace linger {

enum class SteeredAs : std::uint8_t { owners, symmetric, device };

class DpdkSteering {
 public:
  DpdkSteering(std::uint16_t port, std::uint32_t queue_count)
      : port_(port), queue_count_(queue_count) {}

  // Before the device is configured; the key must outlive that, and lies here.
  void ask(const rte_eth_dev_info& info, rte_eth_conf& conf);
  // The device refused to be configured like this: without our key.
  static void ask_less(rte_eth_conf& conf) { conf.rx_adv_conf.rss_conf.rss_key = nullptr; }

  // After the device has started. What it could not do, in words; empty: all.
  SteeredAs settle(std::string& shortcoming);

 private:
  bool takes_key();
  bool takes_table();
  bool hashes_symmetrically();
  bool create(const std::vector<rte_flow_item>& pattern, std::uint64_t types);

  const std::uint16_t port_;
  const std::uint32_t queue_count_;
  std::uint64_t types_ = 0;  // of packets whose hash the device computes
  std::uint16_t table_size_ = 0;
  std::vector<std::uint8_t> key_;
};

}  // namespace linger
