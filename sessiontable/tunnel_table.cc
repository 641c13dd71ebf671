#include "sessiontable/tunnel_table.h"

namespace linger {

TunnelTable::TunnelTable(std::uint32_t capacity, const HashSeed& seed, Counter& dry)
    : seed_(seed), dry_(dry), stacks_(capacity) {}

// Each layer hashed as a key, chained by its scope: as hard to flood as the session table.
FlowHash TunnelTable::hash_of_layers(const TunnelLayers& layers) const noexcept {
  FlowHash hash = layers.depth;
  for (std::size_t i = 0; i < layers.count(); ++i) {
    const TunnelLayer& layer = layers.layer[i];
    FlowKey key;
    key.address = layer.address;
    key.protocol = static_cast<std::uint8_t>(layer.kind);
    key.ip_version = layer.ip_version;
    key.scope = hash + layer.id;
    hash = hash_of(key, seed_);
  }
  return hash;
}

std::uint32_t TunnelTable::take(const TunnelLayers& layers) noexcept {
  const std::uint32_t place = stacks_.take(layers, hash_of_layers(layers));
  if (place != kNoSlot) return place;
  dry_.add();
  return kMissing;
}

std::uint32_t TunnelTable::take_reversed(std::uint32_t place) noexcept {
  if (place >= kMissing) return place;
  TunnelLayers layers = stacks_[place];
  layers.reverse();
  release(place);
  return take(layers);
}

void TunnelTable::release(std::uint32_t place) noexcept {
  if (place >= kMissing) return;
  stacks_.release(place, [this](const TunnelLayers& layers) { return hash_of_layers(layers); });
}

}  // namespace linger
