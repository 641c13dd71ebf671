#include "engine/seeds.h"

#include <sys/random.h>

#include <chrono>
#include <string>

namespace linger {
namespace {

std::uint64_t random_secret() noexcept {
  std::uint64_t secret = 0;
  if (getrandom(&secret, sizeof secret, 0) != sizeof secret)
    secret =
        static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
  return secret;
}

std::uint64_t secret_of(const std::string& text) noexcept {  // FNV-1a, 64 bits
  std::uint64_t hash = 0xcbf2'9ce4'8422'2325;
  for (const char c : text) hash = (hash ^ static_cast<std::uint8_t>(c)) * 0x100'0000'01b3;
  return hash;
}

std::uint64_t id_secret_of(const Settings& settings, bool is_live) noexcept {
  if (!settings.idSeed.empty()) return secret_of(settings.idSeed);
  return is_live ? random_secret() : secret_of(settings.node);
}

}  // namespace

Seeds seeds_of(const Settings& settings, bool is_live) noexcept {
  return {make_hash_seed(settings.hashSeed != 0 ? settings.hashSeed : random_secret()),
          make_hash_seed(id_secret_of(settings, is_live))};
}

}  // namespace linger
