#include "engine/shares.h"

#include <algorithm>

#include "engine/base/int128.h"

namespace linger {
namespace {

// What reading and decoding a packet costs, in hundredths of the rest of its way.
constexpr std::int64_t kReadingCost = 50;

}  // namespace

Shares::Shares(std::uint32_t shard_count, std::uint64_t first) noexcept
    : shard_count_(shard_count), first_(first) {
  const std::uint64_t others = shard_count - 1;
  per_part_ = others == 0 ? 0 : (others << kPartBits) / (kAll - first);
}

Shares Shares::equal(std::uint32_t shard_count) noexcept {
  return {shard_count, kAll / shard_count};
}

Shares Shares::beside_reader(std::uint32_t shard_count) noexcept {
  const std::int64_t hundredths = std::max<std::int64_t>(0, 100 - kReadingCost * (shard_count - 1));
  return {shard_count, kAll * static_cast<std::uint64_t>(hundredths) / 100 / shard_count};
}

Settings Shares::settings_of(std::uint32_t shard, const Settings& all) const {
  const std::uint64_t share = shard == 0 ? first_ : (kAll - first_) / (shard_count_ - 1);
  const auto part = [&](std::uint64_t whole, std::uint64_t least = 1) {
    return std::max(least, static_cast<std::uint64_t>(static_cast<uint128>(whole) * share >> 32));
  };
  Settings own = all;
  own.packetThreads = 1;
  own.maxStreams = part(all.maxStreams, kStreamsPerThreadMin);
  own.graveyardSize = part(all.graveyard_size());
  own.extensionPool = part(all.extension_pool());
  own.rttPool = part(all.rtt_pool());
  own.readSessions = part(all.read_sessions());
  for (const auto member :
       {&Settings::latePool, &Settings::tunnelPool, &Settings::mptcpPool, &Settings::synFloodRate,
        &Settings::parserMemory, &Settings::reorderMemory, &Settings::ruleStreams})
    own.*member = part(all.*member);
  return own;
}

}  // namespace linger
