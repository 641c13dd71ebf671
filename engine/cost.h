// What settings cost. Any thread.
#pragma once

#include <cstdint>
#include <string>

#include "engine/base/settings.h"

namespace linger {

// Memory of the session tables with these settings, in bytes; and of the machine.
std::uint64_t memory_needed(const Settings& settings) noexcept;
std::uint64_t memory_there() noexcept;

// For -T: memory, and what graveyard and table can hold; a line each.
std::string cost_of(const Settings& settings);

}  // namespace linger
