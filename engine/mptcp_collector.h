// The thread behind the shards where the subflows of MPTCP connections meet, and whose connections
// go to every output.
//
// A shard hands its notices and then says how far it has come; the thread reads that first and the
// ring next, so it knows of all notices up to the least of these clocks. A replay waits for room in
// a ring, a live shard never does: what finds none is counted. Memory: a ring of kRingNotices for
// each shard, touched as used.
#pragma once

#include <atomic>
#include <boost/lockfree/spsc_queue.hpp>
#include <memory>
#include <thread>
#include <vector>

#include "engine/base/settings.h"
#include "engine/mptcp_connections.h"
#include "output/output.h"

namespace linger {

class MptcpCollector {
 public:
  MptcpCollector(const Settings& settings, std::vector<std::unique_ptr<Output>>& outputs,
                 bool waits);
  ~MptcpCollector();

  // Control thread. finish(): the shards have handed their last; all connections are handed on.
  void start();
  void finish();

  // Shard `shard`.
  void hand(std::size_t shard, const MptcpNotice& notice) noexcept;
  // It receives no more, so that waiting for room costs no packet.
  void wait_from_now(std::size_t shard) noexcept { inlets_[shard]->waits = true; }
  void publish_clock(std::size_t shard, ClockNs clock) noexcept {
    inlets_[shard]->clock.store(clock, std::memory_order_release);  // with drain()
  }

  // Any thread; exact after finish().
  const MptcpCounters& counters() const noexcept { return counters_; }

 private:
  static constexpr std::size_t kRingNotices = 1'024;

  struct alignas(64) Inlet {
    boost::lockfree::spsc_queue<MptcpNotice> ring{kRingNotices};
    alignas(64) std::atomic<ClockNs> clock{0};
    Counter lost;
    bool waits = false;  // the shard's
  };

  void run() noexcept;
  bool drain() noexcept;

  MptcpCounters counters_;
  MptcpConnections connections_;
  std::vector<std::unique_ptr<Inlet>> inlets_;  // one for each shard
  std::thread thread_;
  std::atomic<bool> is_finishing_{false};  // control thread to ours, release and acquire
};

}  // namespace linger
