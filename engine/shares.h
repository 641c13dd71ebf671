// What part of the sessions each shard owns, and with it of all that is sized by their number.
//
// Equal parts where each shard receives. In a replay the first one reads and decodes for all of
// them, about half of what the rest of a packet's way costs (bench/replay, small packets): so that
// all have as much to do it owns a quarter beside one other shard, and nothing beside more.
//
// The owner of a session is a function of its key and the shares alone. Made once; any thread.
#pragma once

#include <cstdint>

#include "engine/base/flow_key.h"
#include "engine/base/settings.h"

namespace linger {

class Shares {
 public:
  static Shares equal(std::uint32_t shard_count) noexcept;
  static Shares beside_reader(std::uint32_t shard_count) noexcept;

  std::uint32_t shard_count() const noexcept { return shard_count_; }

  // Mixed again: the index uses the hash's other ends.
  std::uint32_t owner_of(FlowHash hash) const noexcept {
    const std::uint64_t mixed = (hash * 0x9e37'79b9'7f4a'7c15) >> 32;
    // Without a branch, which every third packet would take by surprise.
    const std::uint64_t among_others = 1 + ((mixed - first_) * per_part_ >> kPartBits);
    return static_cast<std::uint32_t>(among_others * (mixed >= first_));
  }

  // What `shard` makes of settings that count for all shards together: a run of its own, with one
  // thread and its part of the memory.
  Settings settings_of(std::uint32_t shard, const Settings& all) const;

 private:
  Shares(std::uint32_t shard_count, std::uint64_t first) noexcept;

  static constexpr std::uint64_t kAll = std::uint64_t{1} << 32;
  static constexpr unsigned kPartBits = 56;  // 64 shards in 62 bits

  std::uint32_t shard_count_;
  std::uint64_t first_;     // of kAll, the first shard's
  std::uint64_t per_part_;  // other shards for each one of kAll that it leaves; 2^-kPartBits
};

}  // namespace linger
