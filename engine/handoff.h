// Packets that arrived at one shard and belong to another: a lock-free ring for each pair.
// One to itself holds what is to be told in order with those.
//
// The owner of a session is a function of its key alone, so both directions meet in one shard
// whatever queue they came through: of the keyed hash, or, where network cards steer by
// engine/base/rss.h, of what they compute. A handed-over packet keeps its buffer until the owner is
// done with it. Each ring has one writing and one reading thread.
#pragma once

#include <atomic>
#include <boost/lockfree/spsc_queue.hpp>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/base/rss.h"
#include "engine/loss_log.h"
#include "engine/packet/packet.h"
#include "engine/shares.h"
#include "sessiontable/session.h"

namespace linger {

// Some packets of a burst, by their places in it.
using PacketList = std::span<const std::uint8_t>;
static_assert(kBurstMax <= 256);

class Handoff {
 public:
  Handoff(const Shares& shares, std::size_t ring_packets);

  // Before the first poll: sessions belong to the shard whose queue a network card steers them to.
  void follow_cards() noexcept { follows_cards_ = true; }

  // Likewise: a session's packets may arrive at several shards.
  void expect_apart() noexcept { all_come_apart_ = true; }

  std::uint32_t owner_of(const Packet& packet) const noexcept {
    return follows_cards_ ? owners_[rss_bucket(packet.key)] : shares_.owner_of(packet.hash);
  }

  // Others of its session may have come through other shards: what cards and the kernel look at is
  // the tunnel, whose port may be another for each direction (RFC 7348 §5).
  bool comes_apart(const Packet& packet) const noexcept {
    return all_come_apart_ || packet.tunnel_depth != 0;
  }

  // Writing shard `from`, which holds their buffers for the owner (hold_buffers). How many of the
  // packets were taken, the first ones; fewer than all: the ring is full. The two cores exchange
  // the ring's indices once for all of them.
  std::size_t push(std::uint32_t from, std::uint32_t to, const Burst& burst,
                   PacketList which) noexcept;

  // Writing shard: a packet is lost because another shard did not keep up. Any thread: whether one
  // that came by these ports was, in this time or kLossSpan beside it.
  void note_loss(std::uint32_t from, const Packet& packet) noexcept;
  bool has_lost(PortSet ports, Timestamp first, Timestamp last) const noexcept;

  // Reading shard `to`: fills the burst with at most kBurstMax packets of `from`, in the order they
  // were pushed. burst.clock is how far time has come for all of them; returned is the time before
  // which none is left to come, kNever if none comes at all.
  ClockNs pop(std::uint32_t from, std::uint32_t to, Burst& burst) noexcept;
  // A shard that is its own reader.
  bool has_room(std::uint32_t shard, std::size_t packets) noexcept {
    return ring(shard, shard).write_available() >= packets;
  }
  // Reading shard: what waits there is to wait no longer.
  bool is_half_full(std::uint32_t from, std::uint32_t to) noexcept {
    return ring(from, to).read_available() > ring_packets_ / 2;
  }

  // Writing shard: time has come this far, for shards that get no packets; and: nothing more comes,
  // as its sources have ended like this.
  void publish_clock(std::uint32_t from, ClockNs clock) noexcept;
  void close(std::uint32_t from, Ending ending = Ending::end_of_input) noexcept;

  // Reading shard: nothing more comes from anybody, and nothing is left in its rings.
  bool is_drained(std::uint32_t to) noexcept;
  // From then on: how the run has ended, the same for all shards, whoever was told so in time.
  Ending ending() const noexcept;

  std::uint32_t shard_count() const noexcept { return shard_count_; }

  // What a session says of losses is true to so much, whoever lost the packet.
  static constexpr DurationNs kLossSpan = 100 * kMillisecond;

 private:
  using Ring = boost::lockfree::spsc_queue<Packet>;
  struct alignas(64) Progress {
    std::atomic<ClockNs> clock{0};  // released after the packets before it were pushed
    std::atomic<bool> closed{false};
    Ending ending = Ending::end_of_input;  // released with `closed`
  };

  Ring& ring(std::uint32_t from, std::uint32_t to) noexcept {
    return *rings_[from * shard_count_ + to];
  }

  const Shares shares_;
  const std::uint32_t shard_count_;
  const std::size_t ring_packets_;
  bool follows_cards_ = false;
  bool all_come_apart_ = false;
  std::array<std::uint8_t, kRssBuckets> owners_{};
  std::vector<std::unique_ptr<Ring>> rings_;  // none for a single shard
  std::vector<std::unique_ptr<Progress>> progress_;
  std::vector<std::unique_ptr<LossLog>> losses_;  // of each writing shard
};

// Packets of a burst, for their owners, before these can see them: they may be done with them at
// once. All together: a locked instruction between two pushes would wait until the other core has
// let go of what the first one writes.
void hold_buffers(const Burst& burst, PacketList which) noexcept;

// The owner is done with packets that were handed to it, or they could not be handed.
void release_buffers(std::span<const Packet> packets) noexcept;

}  // namespace linger
