// What frames a DPDK device hands on, which DPDK does not tell: Ethernet, but for the captures that
// net_pcap plays and for interfaces of the kernel that have no Ethernet; whole ones, but for
// net_af_packet. Thread: the control thread, before the device is started.
#pragma once

#include <cstdint>
#include <string>
#include <tl/expected.hpp>
#include <vector>

namespace linger {

// LINKTYPE_ of the captures that these devargs name with rx_pcap, in their order, which is that of
// the queues. The error says which file cannot be read.
tl::expected<std::vector<std::uint16_t>, std::string> link_types_of_files(
    const std::string& devargs);

// net_af_packet hands on as much of a frame as lies in its ring's slot (framesz), and not how long
// it was: of so many bytes, or a VLAN tag more, are those that may be cut.
std::uint32_t frame_bytes_of_af_packet(const std::string& devargs);

// An interface that is there and whose frames are no Ethernet: its name; else empty.
std::string interface_without_ethernet(unsigned index);

// That the kernel has for an interface; 0: it does not tell.
std::uint32_t receive_queues_of(unsigned index);

}  // namespace linger
