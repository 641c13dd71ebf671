#include "sessiontable/tunnel_table.h"

namespace linger {

TunnelTable::TunnelTable(std::uint32_t capacity, const HashSeed& seed, Counter& dry)
    : seed_(seed),
      dry_(dry),
      stacks_(capacity),
      free_(capacity),
      index_(capacity, IndexLoad::dense) {}

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
  const FlowHash hash = hash_of_layers(layers);
  std::uint32_t place =
      index_.find(hash, [&](std::uint32_t i) { return stacks_[i].layers == layers; });
  if (place != kNoSlot) {
    ++stacks_[place].users;
    return place;
  }
  place = free_.take([this](std::uint32_t i) -> std::uint32_t& { return stacks_[i].users; });
  if (place == kNoSlot) {
    dry_.add();
    return kMissing;
  }
  stacks_[place] = {hash, layers, 1};
  index_.insert(hash, place);
  return place;
}

std::uint32_t TunnelTable::take_reversed(std::uint32_t place) noexcept {
  if (place >= kMissing) return place;
  TunnelLayers layers = stacks_[place].layers;
  layers.reverse();
  release(place);
  return take(layers);
}

void TunnelTable::release(std::uint32_t place) noexcept {
  if (place >= kMissing || --stacks_[place].users != 0) return;
  index_.erase(stacks_[place].hash, place);
  free_.give_back(place, [this](std::uint32_t i) -> std::uint32_t& { return stacks_[i].users; });
}

void TunnelTable::populate() noexcept {
  stacks_.populate();
  index_.populate();
}

}  // namespace linger
