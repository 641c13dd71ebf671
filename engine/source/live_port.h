// A live port: an interface of the kernel or a DPDK device, with one receive queue for each shard.
//
//     open            set up, nothing is counted yet; fails with the mend
//     start()         from here on everything that arrives is in the totals
//     queue(index)    the source of one shard
//     totals()        what the device counted against what the shards took
//
// The ledger of a port: received = taken + filtered + early + unbuffered + lost. Where the device
// does not say how much it lost, `lost` is unknown, never 0. Exact once all queues have ended;
// while they run, to a burst for each queue where the device counts what it hands over (virtual
// ones of DPDK). Others count what they put into their ring: of these waiting() is what lies there
// not yet taken, and 0 when they pause.
//
// Owner: the control thread; queues belong to their shards. The port outlives all packets.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "engine/source/live_queue.h"

namespace linger {

struct PortCounts {
  std::optional<std::uint64_t> received;  // by the device for us, lost ones too
  std::optional<std::uint64_t> lost;      // before we could take them
  std::uint64_t taken = 0;                // given to a shard
  std::uint64_t filtered = 0;             // by the BPF expression, where not the device did it
  std::uint64_t early = 0;                // before all queues of the port were ready
  std::uint64_t unbuffered = 0;           // no memory of ours was free for them
  std::uint64_t cut = 0;                  // of taken: by the driver, or for the same reason

  std::uint64_t accounted() const noexcept {
    return taken + filtered + early + unbuffered + lost.value_or(0);
  }
  // Received and not yet accounted for, while the queues run.
  std::optional<std::uint64_t> waiting() const noexcept {
    if (!received || !lost) return {};
    return *received - std::min(*received, accounted());
  }
};

struct PortTotals {
  std::string name;  // as with -i
  PortCounts sum;
  std::vector<PortCounts> queues;
};

class LivePort {
 public:
  virtual ~LivePort() = default;

  virtual tl::expected<void, std::string> start() = 0;
  virtual LiveQueue& queue(std::uint32_t index) noexcept = 0;

  // How many files it plays; 0: it plays none, and has a queue for each shard.
  virtual std::uint32_t files() const noexcept { return 0; }

  // Whether a session's packets arrive at the shard that owns it (engine/base/rss.h). After
  // start().
  virtual bool steers_to_owners() const noexcept { return false; }

  // Whether both directions of a session, but for tunnels, arrive at one shard, whatever such port
  // they come by. After start().
  virtual bool keeps_directions() const noexcept { return true; }

  // Reads the device's counters, and whether it is still there: a few system calls.
  virtual PortTotals totals() = 0;

  // What the device can do, for -T: a sentence.
  virtual std::string ability() const = 0;

  // Why its queues ended before they were asked to; empty: they did not.
  virtual std::string trouble() const { return {}; }

  // What the device could not do, a sentence each. After start(); totals() may add to them.
  const std::vector<std::string>& notes() const noexcept { return notes_; }

 protected:
  std::vector<std::string> notes_;
};

}  // namespace linger
