// Which UDP ports carry tunnels, as the settings say.
//
// Read by every shard, written at set-up only. Cost: of() looks at two bits of a map of 8 KiB; the
// short list behind it is searched for ports that are in it.
#pragma once

#include <array>
#include <cstdint>

#include "engine/base/settings.h"

namespace linger {

class TunnelPorts {
 public:
  static constexpr std::size_t kPortsMax = 208;  // of all settings

  TunnelPorts() = default;  // none
  explicit TunnelPorts(const Settings& settings) noexcept;

  TunnelKind of(std::uint16_t source_port, std::uint16_t destination_port) const noexcept {
    const bool may_be = has(source_port) || has(destination_port);
    return may_be ? find(source_port, destination_port) : TunnelKind::none;
  }

 private:
  struct Entry {
    std::uint16_t port;
    TunnelKind kind;
  };

  bool has(std::uint16_t port) const noexcept { return (map_[port >> 6] >> (port & 63) & 1) != 0; }
  TunnelKind find(std::uint16_t source_port, std::uint16_t destination_port) const noexcept;
  TunnelKind kind_of(std::uint16_t port) const noexcept;

  std::array<std::uint64_t, 1024> map_{};  // a bit for each port
  std::array<Entry, kPortsMax> entries_{};
  std::size_t count_ = 0;
};

}  // namespace linger
