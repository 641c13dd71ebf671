#include "engine/source/memory_source.h"

#include <algorithm>
#include <utility>

namespace linger {
namespace {

Timestamp later(Timestamp timestamp, DurationNs by, std::uint64_t times) noexcept {
  if (by == 0 || times == 0) return timestamp;
  const TimeParts parts = time_parts(timestamp);
  const int128 total = static_cast<int128>(parts.seconds) * kSecond + parts.nanoseconds +
                       static_cast<int128>(by) * static_cast<int128>(times);
  const int128 seconds = std::clamp<int128>(total / kSecond, 0, kLastSecond);
  return make_timestamp(static_cast<std::int64_t>(seconds),
                        static_cast<std::uint64_t>(std::max<int128>(total, 0) % kSecond));
}

}  // namespace

MemorySource::MemorySource(std::vector<MemoryPacket> packets, const MemoryOptions& options)
    : packets_(std::move(packets)), options_(options), clock_(options.clock_jump) {}

RxStatus MemorySource::rx(Burst& burst) noexcept {
  burst.count = 0;
  bool is_end = false;
  while (burst.count < kBurstMax) {
    if (next_ == packets_.size()) {
      next_ = 0;
      ++round_;
    }
    is_end = packets_.empty() || round_ >= options_.rounds;
    if (is_end) break;
    const MemoryPacket& from = packets_[next_++];
    Packet& packet = burst.packets[burst.count++];
    packet.data = from.bytes.data();
    packet.buffer = nullptr;
    packet.timestamp = later(from.timestamp, options_.round_length, round_);
    packet.captured_bytes = static_cast<std::uint32_t>(from.bytes.size());
    packet.wire_bytes = std::max(from.wire_bytes, packet.captured_bytes);
    packet.link_type = from.link_type;
  }
  const std::uint32_t stamped = clock_.stamp_burst(burst.packets.data(), burst.count, is_end);
  if (stamped < burst.count) {  // the last one comes again, with its successor
    burst.count = stamped;
    --next_;
  }
  burst.clock = clock_.now();
  return burst.count > 0 ? RxStatus::packets : RxStatus::end;
}

}  // namespace linger
