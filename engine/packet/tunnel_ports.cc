#include "engine/packet/tunnel_ports.h"

#include "engine/base/check.h"

namespace linger {
namespace {

// Answered from their port; the others choose a source port for each flow.
bool is_answered_from_its_port(TunnelKind kind) noexcept {
  return kind == TunnelKind::gtp || kind == TunnelKind::teredo || kind == TunnelKind::l2tp ||
         kind == TunnelKind::capwap || kind == TunnelKind::ayiya;
}

}  // namespace

TunnelPorts::TunnelPorts(const Settings& settings) noexcept {
  for (const auto& [name, kind, ports] : settings.tunnel_ports()) {
    for (const std::uint16_t port : ports) {
      CHECK(count_ < kPortsMax);
      entries_[count_++] = {port, kind};
      map_[port >> 6] |= std::uint64_t{1} << (port & 63);
    }
  }
}

TunnelKind TunnelPorts::kind_of(std::uint16_t port) const noexcept {
  for (std::size_t i = 0; i < count_; ++i)
    if (entries_[i].port == port) return entries_[i].kind;
  return TunnelKind::none;
}

TunnelKind TunnelPorts::find(std::uint16_t source_port,
                             std::uint16_t destination_port) const noexcept {
  const TunnelKind kind = kind_of(destination_port);
  if (kind != TunnelKind::none) return kind;
  const TunnelKind answer = kind_of(source_port);
  return is_answered_from_its_port(answer) ? answer : TunnelKind::none;
}

}  // namespace linger
