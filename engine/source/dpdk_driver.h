// What we know of DPDK's drivers and cannot ask them: when their timestamps can be believed, and
// which of their counters are lost packets. One line for each; others are taken as the last line
// says. Checked against the drivers of DPDK 22.11.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace linger {

enum class DriverTime : std::uint8_t {
  none,                   // packets take the time of their burst
  recorded_microseconds,  // since 1970, as a capture file has them
};

// What of rte_eth_stats is lost.
enum class DriverLoss : std::uint8_t {
  imissed,  // the device's own count of packets that found no descriptor
  unknown,  // neither the device nor the kernel tells
};

struct DpdkDriver {
  std::string_view name;
  DriverTime time;
  DriverLoss loss;
};

inline constexpr std::array kDpdkDrivers = {
    DpdkDriver{"net_pcap", DriverTime::recorded_microseconds, DriverLoss::imissed},
    // The sender finds the ring full and keeps the packet.
    DpdkDriver{"net_memif", DriverTime::none, DriverLoss::unknown},
    DpdkDriver{"net_ring", DriverTime::none, DriverLoss::unknown},
    DpdkDriver{"net_null", DriverTime::none, DriverLoss::unknown},
    DpdkDriver{"net_tap", DriverTime::none, DriverLoss::unknown},
    DpdkDriver{"net_af_packet", DriverTime::none, DriverLoss::unknown},
};
inline constexpr DpdkDriver kAnyDpdkDriver = {"", DriverTime::none, DriverLoss::imissed};

constexpr DpdkDriver driver_of(std::string_view name) noexcept {
  for (const DpdkDriver& driver : kDpdkDrivers)
    if (driver.name == name) return driver;
  return kAnyDpdkDriver;
}

}  // namespace linger
