// Some of the ports of a live run, a bit each. From the 17th on ports share bits: what is asked of
// one is then answered for all that share it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace linger {

using PortSet = std::uint16_t;

inline constexpr std::size_t kPortBits = 16;
inline constexpr PortSet kAllPorts = 0xffff;

// Of the port that -i names in this place.
constexpr PortSet port_set_of(std::size_t port) noexcept {
  return static_cast<PortSet>(1u << port % kPortBits);
}

}  // namespace linger
