#include "engine/mptcp_collector.h"

#include <algorithm>
#include <chrono>
#include <limits>

#include "engine/base/backoff.h"

namespace linger {
namespace {

constexpr auto kSleep = std::chrono::milliseconds(1);

}  // namespace

MptcpCollector::MptcpCollector(const Settings& settings,
                               std::vector<std::unique_ptr<Output>>& outputs, bool waits)
    : connections_(settings.mptcpTimeout, settings.mptcpPool, counters_,
                   [&outputs](const MptcpConnection& connection) {
                     for (auto& output : outputs) output->hand(connection);
                   }) {
  for (std::size_t i = 0; i < settings.packetThreads; ++i) {
    inlets_.push_back(std::make_unique<Inlet>());
    inlets_.back()->waits = waits;
  }
}

MptcpCollector::~MptcpCollector() {
  if (thread_.joinable()) finish();
}

void MptcpCollector::start() {
  thread_ = std::thread([this] { run(); });
}

void MptcpCollector::finish() {
  is_finishing_.store(true, std::memory_order_release);  // with run()
  thread_.join();
  connections_.finish();
}

void MptcpCollector::hand(std::size_t shard, const MptcpNotice& notice) noexcept {
  Inlet& inlet = *inlets_[shard];
  for (Backoff backoff; !inlet.ring.push(notice); backoff.wait())
    if (!inlet.waits) return inlet.lost.add();
}

void MptcpCollector::run() noexcept {
  pthread_setname_np(pthread_self(), "mptcp");
  for (;;) {
    // Read before the last look at the rings.
    const bool is_finishing = is_finishing_.load(std::memory_order_acquire);
    if (drain()) continue;
    if (is_finishing) return;
    std::this_thread::sleep_for(kSleep);
  }
}

// False: there was nothing.
bool MptcpCollector::drain() noexcept {
  ClockNs clock = std::numeric_limits<ClockNs>::max();
  for (const auto& inlet : inlets_)
    clock = std::min(clock, inlet->clock.load(std::memory_order_acquire));
  std::uint64_t lost = 0;
  bool any = false;
  for (const auto& inlet : inlets_) {
    while (inlet->ring.consume_one([&](const MptcpNotice& notice) { connections_.add(notice); }))
      any = true;
    lost += inlet->lost.value();
  }
  counters_.mptcp_lost.raise_to(lost);
  connections_.advance(clock);
  return any;
}

}  // namespace linger
