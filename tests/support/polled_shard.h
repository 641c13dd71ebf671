// A live shard and its receive queues, polled by a test.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "engine/shard.h"
#include "tests/support/packet_builder.h"

namespace linger::test {

// A receive queue: gives what has arrived until now; of a file all at once.
class Queue final : public Source {
 public:
  explicit Queue(const ClockNs& now, std::uint32_t port = 0, bool is_file = false,
                 DurationNs behind = 0)
      : now_(now), port_(port), is_file_(is_file), behind_(behind) {}

  void add(const Frame& frame) { frames_.push_back(frame); }
  RxStatus rx(Burst& burst) noexcept override {
    burst.count = 0;
    while (burst.count < kBurstMax && next_ < frames_.size() &&
           (is_file_ || frames_[next_].timestamp_ns <= now_)) {
      Packet& packet = burst.packets[burst.count++];
      packet = packet_of(frames_[next_++]);
      packet.ports = port_set_of(port_);
      clock_ = packet.clock = std::max(clock_, packet.timestamp.value);
    }
    burst.clock = clock_ =
        std::max(clock_, burst.count == 0 && !is_file_ ? now_ - behind_ : clock_);
    if (burst.count != 0) return RxStatus::packets;
    return is_draining_ ? RxStatus::end : RxStatus::idle;
  }
  bool drain() noexcept override { return is_draining_ = true; }
  bool is_recorded() const noexcept override { return is_file_; }

 private:
  const ClockNs& now_;
  const std::uint32_t port_;
  const bool is_file_;
  const DurationNs behind_;
  Frames frames_;
  std::size_t next_ = 0;
  ClockNs clock_ = 0;
  bool is_draining_ = false;
};

// The first one, polled by a test; nobody reads its records.
class PolledShard {
 public:
  PolledShard(std::vector<Queue*> queues, std::uint32_t shards = 1, std::size_t ring_packets = 64)
      : handoff_(Shares::equal(shards), ring_packets) {
    for (Queue* queue : queues) shard_.attach(*queue);
  }
  Shard* operator->() noexcept { return &shard_; }

 private:
  Settings settings_ = [] {
    Settings settings;
    settings.maxStreams = 10'000;
    return settings;
  }();
  Handoff handoff_;
  std::vector<std::unique_ptr<Output>> none_;
  Shard shard_{0, settings_, {make_hash_seed(1), make_hash_seed(2)}, handoff_, none_, false};
};

}  // namespace linger::test
