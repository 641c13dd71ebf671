// How a connection begins (RFC 9293 §3.5): where each side's numbers start, and what SYN and
// SYN-ACK tell. Who keeps no state (SYN cookies, a cluster) may answer a SYN twice, with two ISNs:
// the last one counts until something is sent that goes on with the one before.
//
// Owner: the shard of the session. Cost: a few compares for each SYN.
#pragma once

#include <algorithm>
#include <cstdint>

#include "engine/base/time.h"
#include "engine/packet/packet.h"
#include "sessiontable/extension_pool.h"
#include "sessiontable/session.h"

namespace linger {

// A side's first segment, or a SYN that tells where it began.
void note_first(const Session& s, const Packet& packet) noexcept;

// Before note_first(): a second SYN-ACK with another ISN, while nothing else was sent.
void note_other_answer(const Session& s, const Packet& packet, ExtensionPool& extensions) noexcept;

// The first that is sent after SYN-ACKs: `number` is where `side` goes on, by itself or its peer.
void settle_answer(const Session& s, unsigned side, std::uint32_t number,
                   ExtensionPool& extensions) noexcept;

// Counts, history, originator and the time to the SYN-ACK.
void update_syn(const Session& s, const Packet& packet) noexcept;

inline std::uint32_t saturated_ns(DurationNs duration) noexcept {
  return static_cast<std::uint32_t>(std::clamp<DurationNs>(duration, 0, UINT32_MAX));
}

}  // namespace linger
