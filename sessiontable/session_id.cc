#include "sessiontable/session_id.h"

namespace linger {

Id128 make_session_id(const FlowKey& key, ClockNs opened, std::uint32_t id_sequence,
                      unsigned ordinal, const HashSeed& seed) noexcept {
  const auto begin = static_cast<std::uint64_t>(opened);
  auto first = key.words();
  auto second = first;
  first.back() ^= begin * 0x9e37'79b9'7f4a'7c15;
  second.back() ^= begin + seed.words[2];
  const std::uint64_t tail = std::uint64_t{ordinal} << 32 | id_sequence;
  const uint128 mixed = static_cast<uint128>(tail + seed.words[5]) * (seed.words[1] | 1);
  return {hash_of(first, seed) ^ static_cast<std::uint64_t>(mixed >> 64),
          hash_of<3>(second, seed) ^ static_cast<std::uint64_t>(mixed)};
}

Id128 make_session_id(const Session& s, const HashSeed& seed) noexcept {
  return make_session_id(s.key(), s.opened(), s.name.id_sequence, s.cold.ordinal, seed);
}

}  // namespace linger
