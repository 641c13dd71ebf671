// What kind of frames a DPDK device hands on, which DPDK does not tell: Ethernet, but for the
// captures that net_pcap plays and for interfaces of the kernel that have no Ethernet. Thread: the
// control thread, before the device is started.
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

// An interface that is there and whose frames are no Ethernet: its name; else empty.
std::string interface_without_ethernet(unsigned index);

}  // namespace linger
