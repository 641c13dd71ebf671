#include "engine/machine.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>

#include "engine/cores.h"
#include "engine/cost.h"
#include "engine/live.h"
#include "engine/service.h"
#include "engine/source/huge_pages.h"
#include "output/uri.h"
#include "output/writer.h"

namespace linger {
namespace {

namespace fs = std::filesystem;

// The first word of a file; empty: there is none.
std::string word_in(const fs::path& path) {
  std::ifstream file(path);
  std::string word;
  file >> word;
  return word;
}

std::uint64_t meminfo(const std::string& name) {
  std::ifstream info("/proc/meminfo");
  for (std::string word; info >> word;) {
    std::uint64_t value = 0;
    if (word == name + ":" && info >> value) return value;
  }
  return 0;
}

// Empty: it has none, or says none.
std::string node_of(const fs::path& device) {
  const std::string node = word_in(device / "numa_node");
  return node.starts_with('-') ? std::string() : node;
}

std::uint64_t number_in(const fs::path& path) {
  std::uint64_t number = 0;
  std::ifstream(path) >> number;
  return number;
}

constexpr std::uint64_t kHugePageBytes = 2 << 20;
constexpr std::uint64_t kOfTheEal = 16 << 20;  // beside the ports; ample
constexpr std::uint64_t mebibytes(std::uint64_t bytes) noexcept { return (bytes + 0xf'ffff) >> 20; }

class Check {
 public:
  Check(const std::vector<std::string>& interfaces, const Settings& settings)
      : interfaces_(interfaces),
        settings_(settings),
        cores_(parse_cores(settings.shardCores).value_or(std::vector<int>{})) {}

  std::vector<MachineLine> run() {
    check_memory();
    check_cores();
    check_user();
    std::ranges::move(check_outputs(settings_), std::back_inserter(lines_));
    if (std::ranges::any_of(interfaces_, is_dpdk)) check_memory_of_dpdk();
    for (const std::string& interface : interfaces_)
      is_dpdk(interface) ? check_pci(interface) : check_interface(interface);
    check_ports();
    return std::move(lines_);
  }

 private:
  template <class... T>
  void say(Finding finding, fmt::format_string<T...> format, T&&... values) {
    lines_.push_back({finding, fmt::format(format, std::forward<T>(values)...)});
  }

  void check_memory() {
    const auto of_kernel =
        static_cast<std::uint64_t>(std::ranges::count_if(interfaces_, std::not_fn(is_dpdk)));
    const std::uint64_t needed = (memory_needed(settings_) +
                                  of_kernel * settings_.packetThreads * settings_.pcapBufferSize) >>
                                 20;
    const std::uint64_t free = std::min(meminfo("MemAvailable") << 10, memory_allowed()) >> 20;
    if (needed <= free) {
      say(Finding::ok, "memory: tables and rings need {} MiB of {} MiB available", needed, free);
    } else {
      say(Finding::fail,
          "memory: tables and rings need {} MiB, {} MiB are available; lower maxStreams, "
          "recordQueue or pcapBufferSize",
          needed, free);
    }
    lines_.push_back(check_transparent_pages());
  }

  void check_cores() {
    const std::size_t there = cores_there();
    const std::size_t wanted = settings_.packetThreads + 1;
    if (cores_.size() == there)
      say(Finding::fail,
          "cores: shardCores names every core, so that control and output threads share one with a "
          "shard; leave one out");
    else if (there < wanted && settings_.packetThreads == 1)
      say(Finding::warn, "cores: one for the shard and all other threads; a second one would help");
    else if (there < wanted)
      say(Finding::warn, "cores: {} for {} shards and the other threads; lower packetThreads to {}",
          there, settings_.packetThreads, std::max<std::size_t>(there - 1, 1));
    else if (cores_.empty())
      say(Finding::warn, "cores: shards are not pinned; name {} in shardCores",
          settings_.packetThreads);
    else
      say(Finding::ok, "cores: shards on {}, the other threads elsewhere", settings_.shardCores);
  }

  void check_memory_of_dpdk() {
    if (!settings_.dpdkHugePages)
      return say(Finding::warn, "huge pages: dpdkHugePages is false; slower, only virtual devices");
    std::ranges::move(check_huge_pages(interfaces_, dpdk_port_memory_needed(settings_)),
                      std::back_inserter(lines_));
  }

  void check_user() {
    if (settings_.user.empty()) {
      if (geteuid() == 0) say(Finding::warn, "user: it stays root; name another in user");
    } else if (const auto found = find_user(settings_.user); !found) {
      say(Finding::fail, "{}", found.error());
    } else if (geteuid() != 0) {
      say(Finding::fail, "user: only root can become {}; start as root, or leave user empty",
          settings_.user);
    } else {
      say(Finding::ok, "user: becomes {} once devices and outputs are open", settings_.user);
    }
  }

  void check_interface(const std::string& name) {
    const fs::path device = fs::path("/sys/class/net") / name;
    if (!fs::exists(device)) return;  // check_ports() says it
    const std::string state = word_in(device / "operstate");
    say(state == "down" ? Finding::warn : Finding::ok, "{}: link {}", name, state);
    check_node(name, device / "device");
  }

  void check_pci(const std::string& interface) {
    const fs::path device = fs::path("/sys/bus/pci/devices") / dpdk_device_of(interface);
    if (!fs::exists(device)) return;
    std::error_code error;
    const fs::path driver = fs::read_symlink(device / "driver", error).filename();
    if (error)
      say(Finding::fail, "{}: no driver; dpdk-devbind.py --bind=vfio-pci {}", interface,
          dpdk_device_of(interface));
    else
      say(Finding::ok, "{}: driver {}", interface, driver.string());
    check_node(interface, device);
  }

  // Memory and cores on another node than the card cost about half of the rate.
  void check_node(const std::string& name, const fs::path& device) {
    const std::string node = node_of(device);
    if (node.empty()) return;
    std::vector<int> far;
    for (const int core : cores_)
      if (!fs::exists(fmt::format("/sys/devices/system/node/node{}/cpu{}", node, core)))
        far.push_back(core);
    if (far.empty())
      say(Finding::ok, "{}: on NUMA node {}", name, node);
    else
      say(Finding::warn, "{}: on NUMA node {}, cores {} are not; choose others in shardCores", name,
          node, fmt::join(far, ","));
  }

  void check_ports() {
    if (interfaces_.empty()) return;
    LivePorts ports;
    if (const auto opened = ports.open(interfaces_, settings_); !opened)
      return say(Finding::fail, "{}", opened.error());
    for (const std::string& note : ports.notes()) say(Finding::warn, "{}", note);
    for (const std::string& able : ports.abilities()) say(Finding::ok, "{}", able);
  }

  const std::vector<std::string>& interfaces_;
  const Settings& settings_;
  const std::vector<int> cores_;
  std::vector<MachineLine> lines_;
};

}  // namespace

std::vector<MachineLine> check_machine(const std::vector<std::string>& interfaces,
                                       const Settings& settings) {
  return Check(interfaces, settings).run();
}

std::vector<MachineLine> check_outputs(const Settings& settings) {
  std::vector<MachineLine> lines;
  for (const std::string& text : settings.output) {
    const auto uri = parse_output_uri(text);
    const auto good = uri.and_then(try_output);
    if (good)
      lines.push_back({Finding::ok, fmt::format("output '{}': it can be written to", text)});
    else
      lines.push_back({Finding::fail, good.error()});
  }
  return lines;
}

std::vector<MachineLine> check_huge_pages(const std::vector<std::string>& interfaces,
                                          std::uint64_t bytes_each, const fs::path& sys) {
  struct Need {
    std::uint64_t bytes = 0;
    std::vector<std::string> ports;
  };
  std::map<std::string, Need> nodes;
  Need all;
  for (const std::string& interface : interfaces) {
    if (!is_dpdk(interface)) continue;
    Need& of_node = nodes[node_of(sys / "bus/pci/devices" / dpdk_device_of(interface))];
    for (Need* need : {&all, &of_node}) {
      need->bytes += bytes_each;
      need->ports.push_back(interface);
    }
  }
  nodes.erase("");  // of these it does not matter where their memory lies
  std::vector<MachineLine> lines;
  const auto compare = [&](const Need& need, const std::string& whose, const fs::path& folder) {
    const std::uint64_t free = free_huge_page_bytes(folder);
    const bool is_enough = free != 0 && need.bytes <= free;
    lines.push_back({is_enough ? Finding::ok : Finding::fail,
                     fmt::format("huge pages{}: {} MiB free, needed by {}: {} MiB", whose,
                                 free >> 20, fmt::join(need.ports, ", "), mebibytes(need.bytes))});
    if (is_enough) return;
    const fs::path pages = folder / "hugepages/hugepages-2048kB/nr_hugepages";
    const std::uint64_t missing = need.bytes - std::min(free, need.bytes) + kOfTheEal;
    lines.back().text +=
        fmt::format("; echo {} > {}", number_in(pages) + missing / kHugePageBytes, pages.string());
  };
  compare(all, "", sys / "kernel/mm");
  for (const auto& [node, need] : nodes)
    compare(need, " of node " + node, sys / "devices/system/node" / ("node" + node));
  return lines;
}

MachineLine check_transparent_pages(const fs::path& sys) {
  const fs::path path = sys / "kernel/mm/transparent_hugepage/enabled";
  std::ifstream file(path);
  std::string modes;
  if (std::getline(file, modes) && modes.find("[never]") == std::string::npos)
    return {Finding::ok, "memory: tables lie on transparent huge pages"};
  return {Finding::warn,
          fmt::format("memory: no transparent huge pages for tables: slower with millions of "
                      "sessions; echo madvise > {}",
                      path.string())};
}

std::string text_of(const std::vector<MachineLine>& lines) {
  constexpr std::string_view kWords[] = {"ok", "warn", "fail"};
  std::string text;
  for (const MachineLine& line : lines)
    text += fmt::format("{:<9} {}\n", kWords[static_cast<std::size_t>(line.finding)], line.text);
  return text;
}

}  // namespace linger
