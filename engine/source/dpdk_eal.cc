#include "engine/source/dpdk_eal.h"

#include <fmt/format.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <sched.h>

#include <cctype>
#include <cerrno>
#include <filesystem>
#include <fstream>

#include "engine/source/huge_pages.h"

namespace linger {
namespace {

bool has_files = false;  // of the one EAL of a process

bool is_hugetlbfs_mounted() {
  std::ifstream mounts("/proc/mounts");
  for (std::string line; std::getline(mounts, line);)
    if (line.find(" hugetlbfs ") != std::string::npos) return true;
  return false;
}

int first_of(const cpu_set_t& cores) noexcept {
  int core = 0;
  while (core < CPU_SETSIZE - 1 && !CPU_ISSET(core, &cores)) ++core;
  return core;
}

std::vector<std::string> arguments_of(const EalOptions& options, const cpu_set_t& cores) {
  std::vector<std::string> arguments = {"linger", "-l", std::to_string(first_of(cores)),
                                        "--no-telemetry", "--log-level=warning"};
  if (!options.file_prefix.empty())
    arguments.push_back("--file-prefix=" + options.file_prefix);
  else
    arguments.emplace_back(options.has_huge_pages ? "--in-memory" : "--no-shconf");
  std::vector<std::string> allowed = options.allow;
  for (const std::string& device : options.devices)
    if (is_pci_device(device)) allowed.push_back(device);
  for (const std::string& device : allowed) {
    arguments.emplace_back("-a");
    arguments.push_back(device);
  }
  if (allowed.empty()) arguments.emplace_back("--no-pci");
  // Killed, it would leave its pages in use by files that nobody opens, and a new run without any.
  arguments.emplace_back(options.has_huge_pages ? "--huge-unlink=always" : "--no-huge");
  if (options.memory_bytes != 0) {
    arguments.emplace_back("-m");
    arguments.push_back(std::to_string((options.memory_bytes >> 20) + 1));
  }
  return arguments;
}

}  // namespace

// `config` carries the lock that keeps others out: it goes last.
void remove_eal_files() noexcept {
  if (!std::exchange(has_files, false)) return;
  const std::filesystem::path folder = rte_eal_get_runtime_dir();
  std::error_code error;
  std::vector<std::filesystem::path> ours;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename();
    if (name.starts_with("fbarray_") || name == "hugepage_info" || name == "mp_socket")
      ours.push_back(entry.path());
  }
  ours.push_back(folder / "config");
  ours.push_back(folder);  // if it is empty
  for (const auto& path : ours) std::filesystem::remove(path, error);
}

bool is_pci_device(const std::string& devargs) noexcept {
  const auto is_hex = [&](std::size_t i) {
    return i < devargs.size() && std::isxdigit(static_cast<unsigned char>(devargs[i])) != 0;
  };
  const auto is_short = [&](std::size_t at) {  // 3b:00.0
    return is_hex(at) && is_hex(at + 1) && devargs.compare(at + 2, 1, ":") == 0 && is_hex(at + 3) &&
           is_hex(at + 4) && devargs.compare(at + 5, 1, ".") == 0 && is_hex(at + 6);
  };
  if (devargs.rfind("pci:", 0) == 0 || is_short(0)) return true;
  return devargs.size() >= 12 && devargs[4] == ':' && is_short(5);
}

tl::expected<void, std::string> start_eal(const EalOptions& options) {
  if (options.has_huge_pages && free_huge_page_bytes("/sys/kernel/mm") == 0)
    return tl::unexpected(
        std::string("DPDK: no huge page is free; sysctl vm.nr_hugepages=1024 reserves 2 GiB, or "
                    "set dpdkHugePages to false, which costs a third of the speed and leaves "
                    "only virtual devices"));
  if (options.has_huge_pages && !options.file_prefix.empty() && !is_hugetlbfs_mounted())
    return tl::unexpected(std::string(
        "DPDK: huge pages are not mounted; mount -t hugetlbfs nodev /dev/hugepages (make the "
        "folder first)"));
  cpu_set_t cores;
  CPU_ZERO(&cores);
  sched_getaffinity(0, sizeof cores, &cores);
  std::vector<std::string> arguments = arguments_of(options, cores);
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  const int status = rte_eal_init(static_cast<int>(argv.size()), argv.data());
  const int error = rte_errno;
  sched_setaffinity(0, sizeof cores, &cores);
  if (status >= 0) {
    has_files = !options.file_prefix.empty();
    return {};
  }
  switch (error) {
    case EACCES:
    case EPERM:
      return tl::unexpected(
          std::string("DPDK: no permission for huge pages or devices; run as root"));
    case 0:  // DPDK 22.11, when another process holds the lock on its files
    case EAGAIN:
    case EBUSY:
      return tl::unexpected(fmt::format(
          "DPDK: the EAL does not start; if another process runs with dpdkFilePrefix {}, give this "
          "one another",
          options.file_prefix));
    case ENOMEM:
      return tl::unexpected(
          std::string("DPDK: not enough memory; reserve more huge pages, or set dpdkMemory lower"));
    default:
      return tl::unexpected(fmt::format(
          "DPDK: the EAL does not start: {} (its own lines above say where)", rte_strerror(error)));
  }
}

}  // namespace linger
