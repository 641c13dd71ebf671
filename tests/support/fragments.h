// Cuts the datagram of a frame into fragments, as a router or a sender does (RFC 791 §3.2, RFC 8200
// §4.5). The frame's first IP header is the one that is fragmented; IPv6 has no extension headers.
#pragma once

#include "tests/support/packet_builder.h"

namespace linger::test {

struct Cut {
  std::size_t from;  // bytes of the datagram behind its IP header; multiples of 8, but the end
  std::size_t to;
  std::optional<bool> has_more = {};  // of the header; else whether bytes of the datagram follow
};

std::size_t datagram_bytes(const Frame& whole);

// `id`: IPv4 takes its lower half.
Frame fragment_of(const Frame& whole, const Cut& cut, std::uint32_t id = 1);

// In order, `piece_bytes` each (a multiple of 8) but the last; `step` apart, from the frame's time
// on.
Frames fragments_of(const Frame& whole, std::size_t piece_bytes, std::uint32_t id = 1,
                    DurationNs step = 0);

// A fragment as the inner packet of a tunnel or link layer: the layers of `outer`, then its IP
// packet.
Frame inside(PacketBuilder outer, const Frame& fragment);

}  // namespace linger::test
