#include "engine/source/dpdk_queue.h"

#include <rte_lcore.h>
#include <rte_mbuf_dyn.h>

#include <algorithm>
#include <bit>
#include <utility>

namespace linger {
namespace {

// Held mbufs looked at in one call. While all are looked at once, a quarter as many can be added:
// they are never more than 4/3 of those in use.
constexpr std::uint32_t kHeldLooks = 4 * kBurstMax;

}  // namespace

DpdkQueue::DpdkQueue(const DpdkQueueOptions& options)
    : LiveQueue({.clock_jump = options.clock_jump,
                 .drain_pause = kMillisecond,
                 .is_recorded = options.time == DriverTime::recorded_microseconds}),
      options_(options),
      filter_(options.bpf),
      held_(std::bit_ceil(2 * (options.held_max + kBurstMax))) {
  if (options.time == DriverTime::none) return;
  time_offset_ = rte_mbuf_dynfield_lookup(RTE_MBUF_DYNFIELD_TIMESTAMP_NAME, nullptr);
  const int bit = rte_mbuf_dynflag_lookup(RTE_MBUF_DYNFLAG_RX_TIMESTAMP_NAME, nullptr);
  if (bit >= 0) time_flag_ = std::uint64_t{1} << bit;
}

// After the last packet: nobody uses any of them.
DpdkQueue::~DpdkQueue() {
  release_burst();
  for (; held_tail_ != held_head_; ++held_tail_)
    rte_pktmbuf_free(held_[held_tail_ & (held_.size() - 1)]);
}

std::uint32_t DpdkQueue::receive(Packet* packets, std::uint32_t room) noexcept {
  // For the pool's cache of this core. A shard receives from a queue of each port, and is one
  // lcore.
  if (!std::exchange(is_registered_, true) && rte_lcore_id() == LCORE_ID_ANY) rte_thread_register();
  release_burst();
  release_held();
  arena_.begin_burst();
  count_ = rte_eth_rx_burst(options_.port, options_.queue, mbufs_.data(),
                            static_cast<std::uint16_t>(room));
  const bool has_ticks = options_.time == DriverTime::ticks && time_offset_ >= 0;
  if (count_ == 0 && !has_ticks) return 0;
  const Timestamp now = system_time();
  if (has_ticks && ticks_.is_due(now)) compare_clocks(now);
  for (std::uint32_t i = 0; i < count_; ++i) rte_prefetch0(rte_pktmbuf_mtod(mbufs_[i], void*));
  const bool has_cut = fill(packets, now);
  const std::uint32_t kept = filter_.keep_matching(packets, count_);
  counters_.filtered.add(count_ - kept);
  if (has_cut) count_cut(packets, kept);
  return kept;
}

// Without other shards only a burst's last packet can still be in use, as it may wait for the one
// after it (LiveQueue): the others' private lines need not be read.
void DpdkQueue::release_burst() noexcept {
  const bool may_share_all = options_.held_max != 0 || !options_.bpf.empty();
  std::uint32_t free = may_share_all || count_ == 0 ? 0 : count_ - 1;
  for (std::uint32_t i = free; i < count_; ++i) {
    rte_mbuf* mbuf = mbufs_[i];
    // With the release of the shard that was done with it.
    if (buffer_of(mbuf).users.load(std::memory_order_acquire) == 0) {
      mbufs_[free++] = mbuf;
    } else {
      held_[held_head_++ & (held_.size() - 1)] = mbuf;
    }
  }
  rte_pktmbuf_free_bulk(mbufs_.data(), free);
  count_ = 0;
}

void DpdkQueue::release_held() noexcept {
  std::array<rte_mbuf*, kHeldLooks> done;
  std::uint32_t free = 0;
  const std::uint64_t looks = std::min<std::uint64_t>(held_head_ - held_tail_, kHeldLooks);
  for (std::uint64_t i = 0; i < looks; ++i) {
    rte_mbuf* mbuf = held_[held_tail_++ & (held_.size() - 1)];
    if (buffer_of(mbuf).users.load(std::memory_order_acquire) == 0) {
      done[free++] = mbuf;
    } else {
      held_[held_head_++ & (held_.size() - 1)] = mbuf;
    }
  }
  rte_pktmbuf_free_bulk(done.data(), free);
}

// Whether any of them is cut.
bool DpdkQueue::fill(Packet* packets, Timestamp now) noexcept {
  bool has_cut = false;
  for (std::uint32_t i = 0; i < count_; ++i) {
    rte_mbuf* mbuf = mbufs_[i];
    Packet& packet = packets[i];
    packet.data = rte_pktmbuf_mtod(mbuf, const std::uint8_t*);
    packet.buffer = &buffer_of(mbuf);
    packet.timestamp = time_of(mbuf, now);
    packet.captured_bytes = mbuf->data_len;
    packet.wire_bytes = mbuf->pkt_len;
    packet.link_type = options_.link_type;
    packet.ports = options_.port_bit;
    if (mbuf->nb_segs > 1) gather(mbuf, packet);
    has_cut |= is_cut(packet);
  }
  return has_cut;
}

bool DpdkQueue::is_cut(const Packet& packet) const noexcept {
  return packet.wire_bytes >= options_.cut_bytes || packet.captured_bytes < packet.wire_bytes;
}

// Those that the filter has left.
void DpdkQueue::count_cut(const Packet* packets, std::uint32_t count) noexcept {
  counters_.cut.add(static_cast<std::uint64_t>(
      std::count_if(packets, packets + count, [this](const Packet& p) { return is_cut(p); })));
}

// Without room the packet goes on as far as its first segment.
void DpdkQueue::gather(const rte_mbuf* mbuf, Packet& packet) noexcept {
  DatagramArena::Block* block = arena_.take(mbuf->pkt_len);
  if (block == nullptr) return;
  std::uint8_t* to = block->data();
  for (const rte_mbuf* segment = mbuf; segment != nullptr; segment = segment->next)
    to = std::copy_n(rte_pktmbuf_mtod(segment, const std::uint8_t*), segment->data_len, to);
  packet.data = block->data();
  packet.buffer = block;
  packet.captured_bytes = mbuf->pkt_len;
}

// Packets without the flag take the time of their burst.
Timestamp DpdkQueue::time_of(const rte_mbuf* mbuf, Timestamp now) noexcept {
  if (time_offset_ < 0 || (mbuf->ol_flags & time_flag_) == 0) return now;
  const auto ticks = *RTE_MBUF_DYNFIELD(mbuf, time_offset_, const rte_mbuf_timestamp_t*);
  if (options_.time == DriverTime::ticks) return ticks_.time_of(ticks, now).value_or(now);
  return make_timestamp(static_cast<std::int64_t>(ticks / 1'000'000),
                        ticks % 1'000'000 * kMicrosecond);
}

void DpdkQueue::compare_clocks(Timestamp now) noexcept {
  std::uint64_t ticks = 0;
  const bool is_read = rte_eth_read_clock(options_.port, &ticks) == 0;
  is_read ? ticks_.compare(ticks, now) : ticks_.miss(now);
  if (ticks_.is_trusted()) return;
  time_offset_ = -1;
  has_wrong_time_.store(true, std::memory_order_relaxed);
}

}  // namespace linger
