#include "engine/base/flow_key.h"

namespace linger {

HashSeed make_hash_seed(std::uint64_t secret) noexcept {
  HashSeed seed;
  for (auto& word : seed.words) {  // splitmix64, Steele et al. 2014
    secret += 0x9e3779b97f4a7c15;
    std::uint64_t z = secret;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    word = z ^ (z >> 31);
  }
  return seed;
}

}  // namespace linger
