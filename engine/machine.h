// Whether this machine can do what a live run asks of it, for -T: a line for each thing looked at,
// beginning with ok, warn or fail, and with the mend where it is not ok. Thread: control; opens
// devices, but starts none.
#pragma once

#include <string>
#include <vector>

#include "engine/base/settings.h"

namespace linger {

enum class Finding : std::uint8_t { ok, warn, fail };

struct MachineLine {
  Finding finding;
  std::string text;
};

std::vector<MachineLine> check_machine(const std::vector<std::string>& interfaces,
                                       const Settings& settings);

std::string text_of(const std::vector<MachineLine>& lines);

}  // namespace linger
