// What sessions know of their MPTCP connections, in blocks that only such sessions take.
//
// A session's place lies in its SessionRare. Owner: one shard. Limit: its share of mptcpPool, taken
// at start; when it is dry, a session goes without (counted, and marked on its record). Memory: 240
// bytes a block, touched as used. Cost: nothing for other sessions; a subflow's block is touched by
// its handshake and by the few segments that signal something.
#pragma once

#include <cstdint>

#include "engine/base/counter.h"
#include "engine/base/mapping.h"
#include "engine/base/mptcp.h"
#include "engine/packet/packet.h"
#include "sessiontable/flow_index.h"
#include "sessiontable/free_list.h"

namespace linger {

inline bool has_mptcp(const Packet& packet) noexcept {
  return packet.key.protocol == kProtocolTcp && (packet.tcp.options & kTcpOptionMptcp) != 0;
}

// Notes what the segment's options say; how many announced addresses found no room.
std::uint32_t apply_mptcp(MptcpSubflow& subflow, const Packet& packet) noexcept;

class MptcpPool {
 public:
  static constexpr std::uint32_t kMissing = kNoSlot - 1;  // instead of a place: there was none left
  static constexpr std::size_t kBytesPerBlock = sizeof(MptcpSubflow);

  MptcpPool(std::uint32_t capacity, Counter& dry) : blocks_(capacity), free_(capacity), dry_(dry) {}

  // The block at this place; a new one, and its place, if there is none yet. Null: missing.
  MptcpSubflow* get(std::uint32_t& place) noexcept;
  const MptcpSubflow* find(std::uint32_t place) const noexcept {
    return place < kMissing ? &blocks_[place] : nullptr;
  }
  // Any value that a session may hold.
  void release(std::uint32_t place) noexcept;

  std::uint64_t bytes() const noexcept { return blocks_.bytes(); }
  void populate() noexcept { blocks_.populate(); }

 private:
  auto next_of() noexcept {  // in a free block
    return [this](std::uint32_t place) -> std::uint32_t& { return blocks_[place].host[0].token; };
  }

  Array<MptcpSubflow> blocks_;
  FreeList free_;
  Counter& dry_;
};

}  // namespace linger
