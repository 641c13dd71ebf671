// DPDK's environment (EAL): started once in a process, by the first port that needs it.
//
// The EAL pins its caller to one core and threads inherit that; start_eal() puts the caller's cores
// back, so that control and output threads run where the process may. Shards are threads of ours:
// they register themselves at their first packet. Drivers are loaded by the EAL from its folder at
// start, so that a replay carries none of them. Thread: the control thread.
#pragma once

#include <cstdint>
#include <string>
#include <tl/expected.hpp>
#include <vector>

namespace linger {

struct EalOptions {
  std::vector<std::string> devices;  // what follows dpdk: of each -i
  std::vector<std::string> allow;    // further PCI devices it may touch
  std::string file_prefix;           // empty: no files, and no other process can look in
  std::uint64_t memory_bytes = 0;    // 0: as needed, from huge pages
  bool has_huge_pages = true;
};

// The error is one sentence with the mend. `memory_bytes` is needed without huge pages.
tl::expected<void, std::string> start_eal(const EalOptions& options);

// After the last device is closed, at the end of the process: removes the files that start_eal()
// made. Nobody else has them: a process of the same prefix is refused while this one lives.
void remove_eal_files() noexcept;

// Whether these devargs name a PCI device, rather than a virtual one.
bool is_pci_device(const std::string& devargs) noexcept;

}  // namespace linger
