#include "engine/handoff.h"

#include <algorithm>
#include <boost/iterator/permutation_iterator.hpp>

namespace linger {

Handoff::Handoff(const Shares& shares, std::size_t ring_packets)
    : shares_(shares), shard_count_(shares.shard_count()), ring_packets_(ring_packets) {
  for (std::uint32_t bucket = 0; bucket < kRssBuckets; ++bucket)
    owners_[bucket] = static_cast<std::uint8_t>(bucket % shard_count_);
  for (std::uint32_t from = 0; from < shard_count_; ++from) {
    progress_.push_back(std::make_unique<Progress>());
    losses_.push_back(std::make_unique<LossLog>());
    for (std::uint32_t to = 0; to < shard_count_; ++to)
      rings_.push_back(shard_count_ == 1 ? nullptr : std::make_unique<Ring>(ring_packets));
  }
}

std::size_t Handoff::push(std::uint32_t from, std::uint32_t to, const Burst& burst,
                          PacketList which) noexcept {
  const auto packet_at = [&](PacketList::iterator place) {
    return boost::make_permutation_iterator(burst.packets.begin(), place);
  };
  const auto first = packet_at(which.begin());
  return static_cast<std::size_t>(ring(from, to).push(first, packet_at(which.end())) - first);
}

void Handoff::note_loss(std::uint32_t from, const Packet& packet) noexcept {
  const Timestamp time = packet.timestamp;
  losses_[from]->add(packet.ports, {time.value - kLossSpan}, {time.value + kLossSpan});
}

bool Handoff::has_lost(PortSet ports, Timestamp first, Timestamp last) const noexcept {
  for (const auto& log : losses_)
    if (log->overlaps(ports, first, last)) return true;
  return false;
}

ClockNs Handoff::pop(std::uint32_t from, std::uint32_t to, Burst& burst) noexcept {
  // Read first: whatever was pushed before this clock is then in the ring.
  const bool has_closed = progress_[from]->closed.load(std::memory_order_acquire);
  const ClockNs clock = progress_[from]->clock.load(std::memory_order_acquire);
  burst.count =
      static_cast<std::uint32_t>(ring(from, to).pop(burst.packets.data(), burst.packets.size()));
  const ClockNs last = burst.count == 0 ? 0 : burst.packets[burst.count - 1].clock;
  burst.clock = burst.count == kBurstMax ? last : clock;
  return has_closed && burst.count != kBurstMax ? kNever : std::max(burst.clock, last);
}

void Handoff::publish_clock(std::uint32_t from, ClockNs clock) noexcept {
  progress_[from]->clock.store(clock, std::memory_order_release);  // with pop()
}

void Handoff::close(std::uint32_t from, Ending ending) noexcept {
  progress_[from]->ending = ending;
  progress_[from]->closed.store(true, std::memory_order_release);  // with is_drained()
}

bool Handoff::is_drained(std::uint32_t to) noexcept {
  for (std::uint32_t from = 0; from < shard_count_; ++from) {
    if (!progress_[from]->closed.load(std::memory_order_acquire)) return false;
    if (shard_count_ > 1 && ring(from, to).read_available() != 0) return false;
  }
  return true;
}

Ending Handoff::ending() const noexcept {
  static_assert(Ending::end_of_input < Ending::shutdown);
  auto ending = Ending::end_of_input;
  for (const auto& shard : progress_) ending = std::max(ending, shard->ending);
  return ending;
}

void hold_buffers(const Burst& burst, PacketList which) noexcept {
  for (std::size_t i = 0; i < which.size();) {
    PacketBuffer* buffer = burst.packets[which[i]].buffer;
    std::uint32_t run = 1;
    while (i + run < which.size() && burst.packets[which[i + run]].buffer == buffer) ++run;
    if (buffer != nullptr) buffer->users.fetch_add(run, std::memory_order_relaxed);
    i += run;
  }
}

void release_buffers(std::span<const Packet> packets) noexcept {
  for (std::size_t i = 0; i < packets.size();) {
    PacketBuffer* buffer = packets[i].buffer;
    std::uint32_t run = 1;
    while (i + run < packets.size() && packets[i + run].buffer == buffer) ++run;
    // With the source's acquire: it reuses the bytes only after we have read them.
    if (buffer != nullptr) buffer->users.fetch_sub(run, std::memory_order_release);
    i += run;
  }
}

}  // namespace linger
