// Reference pages about the engine itself, made from the lists, so never out of date.
#pragma once

#include <string>

namespace linger {

std::string counters_markdown();  // docs/counters.md

}  // namespace linger
