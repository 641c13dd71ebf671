// Whether this machine can do what a run asks of it, for -T: a line for each thing looked at,
// beginning with ok, warn or fail, and with the mend where it is not ok. Thread: control; opens
// devices, but starts none.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/base/settings.h"

namespace linger {

enum class Finding : std::uint8_t { ok, warn, fail };

struct MachineLine {
  Finding finding;
  std::string text;
};

// All that a live run needs.
std::vector<MachineLine> check_machine(const std::vector<std::string>& interfaces,
                                       const Settings& settings);

// Of these: where the records go; of a replay no more is looked at.
std::vector<MachineLine> check_outputs(const Settings& settings);

// Of these: the huge pages of the machine, and of the NUMA node of each DPDK port, where it takes
// `bytes_each`; as the files below `sys` tell.
std::vector<MachineLine> check_huge_pages(const std::vector<std::string>& interfaces,
                                          std::uint64_t bytes_each,
                                          const std::filesystem::path& sys = "/sys");

// Of these: the transparent huge pages that session tables lie on.
MachineLine check_transparent_pages(const std::filesystem::path& sys = "/sys");

std::string text_of(const std::vector<MachineLine>& lines);

}  // namespace linger
