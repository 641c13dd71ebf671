// The ports of a live run: opened from what -i names, started together, read by the control thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "engine/base/settings.h"
#include "engine/source/live_port.h"

namespace linger {

class Shard;

// What -i begins with for a DPDK device, whose devargs follow.
inline constexpr std::string_view kDpdkPrefix = "dpdk:";
inline bool is_dpdk(const std::string& interface) noexcept {
  return interface.starts_with(kDpdkPrefix);
}

// The device of dpdk:DEVARGS as /sys calls it: 0000:3b:00.0 of pci:3B:00.0 too. Empty: of others.
std::string dpdk_device_of(const std::string& interface);

// Memory that each DPDK port takes on its NUMA node, in bytes; 0: built without DPDK.
std::uint64_t dpdk_port_memory_needed(const Settings& settings) noexcept;

class LivePorts {
 public:
  using Outcome = tl::expected<void, std::string>;

  LivePorts() = default;
  LivePorts(const LivePorts&) = delete;
  LivePorts& operator=(const LivePorts&) = delete;
  ~LivePorts();

  // The error is one sentence with the mend.
  Outcome open(const std::vector<std::string>& interfaces, const Settings& settings);
  Outcome start();

  // After start(), before the shard's first poll.
  void attach(std::uint32_t index, Shard& shard);

  // Whether sessions are to be owned as the cards steer them. After start().
  bool steer_to_owners() const noexcept;
  // Whether a session's packets, but for tunnels, come to one shard. After start().
  bool keep_directions() const noexcept;

  bool is_empty() const noexcept { return ports_.empty(); }
  // Reads the counters of all devices.
  std::vector<PortTotals> totals() const;
  // What they can do, a sentence each, for -T.
  std::vector<std::string> abilities() const;
  // Of ports that are gone, a sentence each.
  std::vector<std::string> troubles() const;
  // What devices could not do, a sentence each.
  std::vector<std::string> notes() const;

 private:
  Outcome start_dpdk(const std::vector<std::string>& interfaces, const Settings& settings);

  std::vector<Pace> paces_;  // of the shards, where the queues of the run wait for each other
  std::vector<std::unique_ptr<LivePort>> ports_;
};

}  // namespace linger
