// What we know of DPDK's drivers and cannot ask them: when their timestamps can be believed, and
// which of their counters are lost packets. One line for each; others are taken as kAnyDpdkDriver
// says. Checked against the drivers of DPDK 22.11.
//
// rx_nombuf counts failed allocations. Where the packet then stays in the ring of the device, it is
// not lost, or is lost later as imissed; only net_pcap has read it already and drops it.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace linger {

enum class DriverTime : std::uint8_t {
  none,                   // packets take the time of their burst
  recorded_microseconds,  // since 1970, as a capture file has them
  ticks,                  // of a clock that rte_eth_read_clock() reads
};

enum class DriverLoss : std::uint8_t {
  imissed,             // found no descriptor
  imissed_and_nombuf,  // or no mbuf
  kernel,              // the kernel's count of the driver's sockets
  unknown,             // neither the device nor the kernel tells
};

struct DpdkDriver {
  std::string_view name;
  DriverTime time;
  DriverLoss loss;
  bool needs_tx = false;     // as many transmit queues: the driver asks for them, or its peer does
  bool cuts_frames = false;  // in silence (dpdk_link.h)
  bool takes_away = false;   // from the kernel, what arrives at its interface
  bool fills_all = false;    // its queues, those too that nobody reads
};

inline constexpr std::array kDpdkDrivers = {
    DpdkDriver{"mlx5_pci", DriverTime::ticks, DriverLoss::imissed},
    DpdkDriver{"mlx5_auxiliary", DriverTime::ticks, DriverLoss::imissed},
    DpdkDriver{"net_pcap", DriverTime::recorded_microseconds, DriverLoss::imissed_and_nombuf},
    DpdkDriver{"net_af_packet", DriverTime::none, DriverLoss::kernel, false, true, false, true},
    DpdkDriver{"net_af_xdp", DriverTime::none, DriverLoss::kernel, true, false, true},
    // The sender finds the ring full and keeps the packet. When the sender ends, the driver unmaps
    // the ring at once, even under a poll that reads it: rarely, that is a crash.
    DpdkDriver{"net_memif", DriverTime::none, DriverLoss::unknown, true},
    DpdkDriver{"net_ring", DriverTime::none, DriverLoss::unknown},
    DpdkDriver{"net_vhost", DriverTime::none, DriverLoss::unknown, true},
    DpdkDriver{"net_virtio", DriverTime::none, DriverLoss::unknown},
    DpdkDriver{"net_virtio_user", DriverTime::none, DriverLoss::unknown},
    DpdkDriver{"net_tap", DriverTime::none, DriverLoss::unknown},
    DpdkDriver{"net_tun", DriverTime::none, DriverLoss::unknown},
    DpdkDriver{"net_null", DriverTime::none, DriverLoss::unknown},
    // imissed is always 0: their hardware or host does not tell it, or the driver does not ask.
    DpdkDriver{"net_e1000_igb_vf", DriverTime::none, DriverLoss::unknown},
    DpdkDriver{"net_ixgbe_vf", DriverTime::none, DriverLoss::unknown},
    DpdkDriver{"net_txgbe_vf", DriverTime::none, DriverLoss::unknown},
    DpdkDriver{"net_cxgbevf", DriverTime::none, DriverLoss::unknown},
    DpdkDriver{"net_liovf", DriverTime::none, DriverLoss::unknown},
    DpdkDriver{"net_mlx4", DriverTime::none, DriverLoss::unknown},
    DpdkDriver{"net_gve", DriverTime::none, DriverLoss::unknown},
    DpdkDriver{"net_avp", DriverTime::none, DriverLoss::unknown},
};
inline constexpr DpdkDriver kAnyDpdkDriver = {"", DriverTime::none, DriverLoss::imissed};

constexpr DpdkDriver driver_of(std::string_view name) noexcept {
  for (const DpdkDriver& driver : kDpdkDrivers)
    if (driver.name == name) return driver;
  return kAnyDpdkDriver;
}

}  // namespace linger
