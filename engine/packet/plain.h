// The short cut for nearly every packet: Ethernet, at most one VLAN tag, IPv4 without options or
// IPv6 without extension headers, all of a datagram of TCP, or of UDP outside of tunnels. Internal
// to decode.
//
// Says what the walk over the headers would say (a test compares them) in a third of its time, or
// false: take the walk.
#pragma once

#include "engine/packet/decode.h"

namespace linger {

bool decode_plain(Packet& packet, const DecodeSettings& settings) noexcept;

}  // namespace linger
