// What sessions know of their MPTCP connections, in blocks that only such sessions take.
//
// Owner: one shard. Limit: its share of mptcpPool (rare_pool.h). Memory: 240 bytes a block. Cost:
// nothing for other sessions; a subflow's block is touched by its handshake and by the few segments
// that signal something.
#pragma once

#include <cstdint>

#include "engine/base/mptcp.h"
#include "engine/packet/packet.h"
#include "sessiontable/rare_pool.h"

namespace linger {

inline bool has_mptcp(const Packet& packet) noexcept {
  return packet.key.protocol == kProtocolTcp && (packet.tcp.options & kTcpOptionMptcp) != 0;
}

// Of a subflow until a handshake says otherwise.
inline constexpr MptcpSubflow kUntoldSubflow = {
    .host = {}, .role = MptcpRole::mid_stream, .addresses = {}};

// Notes what the segment's options say; how many announced addresses found no room.
std::uint32_t apply_mptcp(MptcpSubflow& subflow, const Packet& packet) noexcept;

inline std::uint32_t& next_of(MptcpSubflow& free) noexcept { return free.host[0].token; }
using MptcpPool = RarePool<MptcpSubflow>;

}  // namespace linger
