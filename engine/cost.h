// What settings cost. Any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "engine/base/settings.h"

namespace linger {

// Memory of the session tables with these settings, in bytes; of the machine; and what of that the
// control groups of this process leave it, as in a container.
std::uint64_t memory_needed(const Settings& settings) noexcept;
std::uint64_t memory_there() noexcept;
std::uint64_t memory_allowed(const std::filesystem::path& groups = "/proc/self/cgroup",
                             const std::filesystem::path& folder = "/sys/fs/cgroup");

// For -T: memory, and what graveyard and table can hold; a line each.
std::string cost_of(const Settings& settings);

}  // namespace linger
