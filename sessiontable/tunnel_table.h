// The stacks of tunnels that sessions lie in. A network's tunnels are few, its sessions many: each
// stack is kept once, however many sessions refer to it.
//
// Owner: one shard. Limit: tunnelPool stacks, taken at start; when they are used up, a session goes
// without (counted, and marked on its record). Cost: one index line and one entry when a session in
// a tunnel begins; nothing for others. Memory: 172 bytes a stack and 8 of index, touched as used.
#pragma once

#include <cstdint>

#include "engine/base/counter.h"
#include "engine/base/tunnel.h"
#include "sessiontable/shared_pool.h"

namespace linger {

class TunnelTable {
 public:
  static constexpr std::uint32_t kMissing = kNoSlot - 1;  // instead of a place: there was none left

  TunnelTable(std::uint32_t capacity, const HashSeed& seed, Counter& dry);

  // The place of this stack, with one more session that refers to it; or kMissing.
  std::uint32_t take(const TunnelLayers& layers) noexcept;
  // The same, as the other side of the session addressed it; gives `place` back.
  std::uint32_t take_reversed(std::uint32_t place) noexcept;
  // Any value that a session may hold.
  void release(std::uint32_t place) noexcept;

  // Null: none, or missing.
  const TunnelLayers* find(std::uint32_t place) const noexcept {
    return place < kMissing ? &stacks_[place] : nullptr;
  }

  std::uint32_t used() const noexcept { return stacks_.used(); }
  void populate() noexcept { stacks_.populate(); }

  using Pool = SharedPool<TunnelLayers>;
  static constexpr double kBytesPerStack = Pool::kBytesPerEntry + Pool::kIndexBytes;

 private:
  FlowHash hash_of_layers(const TunnelLayers& layers) const noexcept;

  HashSeed seed_;
  Counter& dry_;
  Pool stacks_;
};
static_assert(TunnelTable::kBytesPerStack == 180);

}  // namespace linger
