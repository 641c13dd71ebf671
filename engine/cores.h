// Which cores threads run on. Thread: any, for itself.
#pragma once

#include <cstddef>
#include <string>
#include <tl/expected.hpp>
#include <vector>

namespace linger {

// "2,4-7" as a list of cores that this process may use; the error names the setting. Empty text,
// empty list.
tl::expected<std::vector<int>, std::string> parse_cores(const std::string& text);

// How many cores this thread may run on, and those it makes.
std::size_t cores_there() noexcept;

// This thread and those it makes run on this core only …
void pin_to(int core) noexcept;
// … anywhere but on these, if any other core is left.
void keep_off(const std::vector<int>& cores) noexcept;

}  // namespace linger
