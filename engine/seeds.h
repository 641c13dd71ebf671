// Seeds of one run, the same for all its shards.
#pragma once

#include "engine/base/flow_key.h"
#include "engine/base/settings.h"

namespace linger {

struct Seeds {
  HashSeed table;  // secret: where a key lies in the tables
  HashSeed ids;    // event.id
};

// From hashSeed and idSeed. Without them at random, but for the ids of a replay: they come from
// `node` and are the same each time.
Seeds seeds_of(const Settings& settings, bool is_live) noexcept;

}  // namespace linger
