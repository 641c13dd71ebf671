// Huge pages, as the kernel counts them: of the machine below /sys/kernel/mm, of a NUMA node below
// /sys/devices/system/node/nodeN. Thread: any; reads a few files.
#pragma once

#include <cstdint>
#include <filesystem>

namespace linger {

// Bytes of those that are free, of all sizes; 0 where there is no such folder.
std::uint64_t free_huge_page_bytes(const std::filesystem::path& folder);

}  // namespace linger
