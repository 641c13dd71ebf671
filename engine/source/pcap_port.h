// An interface of the kernel as a live port, through libpcap's memory-mapped AF_PACKET sockets.
//
// With several shards each has a socket of its own; they share the packets as a fanout set by the
// kernel's symmetric hash, so that both directions and all fragments of a datagram come through one
// of them. Until all have joined, each socket would see every packet: so they refuse all packets,
// what came before is discarded and counted as early, and then the filter lets packets in.
//
// The kernel hands packets over in blocks, each socket at another time. Where a run has several
// sockets, each gives what is 20 ms old: packets of one time then come in one poll, or in those
// that shards make at one time, and two taps of a link tell its packets in their order.
//
// Losses: ps_recv of libpcap 1.10 over Linux counts what passed the filter, ps_drop the part of it
// that found the ring full; both wrap at 2^32 and are followed across that. On the loopback
// interface each packet would come twice; libpcap hides its way out, but it is counted: so our
// filter keeps it out.
//
// Packets are copied once, out of the ring, whose blocks the kernel takes back at once. Memory: the
// setting pcapBufferSize for each socket, and at most BlockPool's 64 MiB of copies.
#pragma once

#include <memory>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "engine/source/live_port.h"

namespace linger {

struct PcapPortOptions {
  std::uint32_t queue_count = 1;
  PortSet port_bit = 0;                // of Packet::ports
  std::vector<Pace>* paces = nullptr;  // of the shards; null: it waits for no other queue
  std::uint64_t buffer_bytes = 0;
  std::string bpf = {};
  DurationNs clock_jump = kHour;
};

// The error is one sentence with the mend.
tl::expected<std::unique_ptr<LivePort>, std::string> open_pcap_port(const std::string& interface,
                                                                    const PcapPortOptions& options);

}  // namespace linger
