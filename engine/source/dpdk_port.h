// A DPDK device as a live port: any driver, one receive queue for each shard.
//
// A packet stays in its mbuf; the buffer that a handoff counts its users in lies in the mbuf's
// private area. The queue frees the mbufs of a burst with its next one; those still in use by other
// shards wait in a ring. Frames in several segments are copied into one piece.
//
// Memory: one pool for a port, sized for all descriptors, all bursts and all handoff rings, so that
// a slow shard never starves the device: its ring is full first. Jumbo frames take several mbufs.
// The EAL runs already (dpdk_eal.h). Cost: no virtual call, no atomic write for a packet that
// stays.
#pragma once

#include <memory>
#include <string>
#include <tl/expected.hpp>

#include "engine/source/live_port.h"

namespace linger {

struct DpdkPortOptions {
  std::uint32_t queue_count = 1;
  PortSet port_bit = 0;              // of Packet::ports
  std::uint32_t descriptors = 1024;  // of each queue
  std::uint32_t mbufs = 0;           // 0: as many as the rings need
  // That one shard can have handed over at a time: in the others' rings, and taken out of these.
  std::uint64_t handoff_packets = 0;
  std::uint32_t frame_bytes_max = 9'216;
  bool hardware_time = true;
  bool gives_up_rights = false;  // once it runs (setting user)
  std::string bpf = {};
  DurationNs clock_jump = kHour;
};

// mbufs that the pool of one port needs, and their bytes; none crosses a page.
std::uint64_t mbufs_needed(const DpdkPortOptions& options) noexcept;
std::uint64_t mbuf_memory_needed(const DpdkPortOptions& options, bool has_huge_pages) noexcept;

// `devargs` as in --vdev or a PCI address with options. The error is one sentence with the mend.
tl::expected<std::unique_ptr<LivePort>, std::string> open_dpdk_port(const std::string& devargs,
                                                                    const DpdkPortOptions& options);

}  // namespace linger
