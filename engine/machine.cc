#include "engine/machine.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "engine/cores.h"
#include "engine/engine.h"
#include "engine/live.h"

namespace linger {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kDpdkPrefix = "dpdk:";

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

std::string device_of(const std::string& interface) {
  const std::string devargs = interface.substr(kDpdkPrefix.size());
  return devargs.substr(0, devargs.find(','));
}

class Check {
 public:
  Check(const std::vector<std::string>& interfaces, const Settings& settings)
      : interfaces_(interfaces),
        settings_(settings),
        cores_(parse_cores(settings.shardCores).value_or(std::vector<int>{})) {}

  std::vector<MachineLine> run() {
    check_memory();
    check_cores();
    const bool has_dpdk = std::ranges::any_of(
        interfaces_, [](const auto& name) { return name.starts_with(kDpdkPrefix); });
    if (has_dpdk) check_huge_pages();
    for (const std::string& interface : interfaces_)
      interface.starts_with(kDpdkPrefix) ? check_pci(interface) : check_interface(interface);
    check_ports();
    return std::move(lines_);
  }

 private:
  template <class... T>
  void say(Finding finding, fmt::format_string<T...> format, T&&... values) {
    lines_.push_back({finding, fmt::format(format, std::forward<T>(values)...)});
  }

  void check_memory() {
    const std::uint64_t needed = memory_needed(settings_) >> 20;
    const std::uint64_t free = meminfo("MemAvailable") >> 10;
    if (needed <= free) {
      say(Finding::ok, "memory: tables need {} MiB of {} MiB available", needed, free);
    } else {
      say(Finding::fail, "memory: tables need {} MiB, {} MiB are available; lower maxStreams",
          needed, free);
    }
  }

  void check_cores() {
    const auto there = static_cast<std::size_t>(sysconf(_SC_NPROCESSORS_ONLN));
    const std::size_t wanted = settings_.packetThreads + 1;
    if (there < wanted)
      say(Finding::warn, "cores: {} for {} shards and the other threads; lower packetThreads to {}",
          there, settings_.packetThreads, std::max<std::size_t>(there - 1, 1));
    else if (cores_.empty())
      say(Finding::warn, "cores: shards are not pinned; name {} in shardCores",
          settings_.packetThreads);
    else
      say(Finding::ok, "cores: shards on {}, the other threads elsewhere", settings_.shardCores);
    if (cores_.size() == there)
      say(Finding::fail,
          "cores: shardCores names every core, so that control and output threads share one with a "
          "shard; leave one out");
  }

  void check_huge_pages() {
    if (!settings_.dpdkHugePages)
      return say(Finding::warn, "huge pages: dpdkHugePages is false; slower, only virtual devices");
    const std::uint64_t free = meminfo("HugePages_Free") * meminfo("Hugepagesize") >> 10;
    if (free == 0)
      say(Finding::fail, "huge pages: none is free; sysctl vm.nr_hugepages=1024 reserves 2 GiB");
    else
      say(Finding::ok, "huge pages: {} MiB free", free);
  }

  void check_interface(const std::string& name) {
    const fs::path device = fs::path("/sys/class/net") / name;
    if (!fs::exists(device)) return;  // check_ports() says it
    const std::string state = word_in(device / "operstate");
    say(state == "down" ? Finding::warn : Finding::ok, "{}: link {}", name, state);
    check_node(name, device / "device");
  }

  void check_pci(const std::string& interface) {
    const fs::path device = fs::path("/sys/bus/pci/devices") / device_of(interface);
    if (!fs::exists(device)) return;
    std::error_code error;
    const fs::path driver = fs::read_symlink(device / "driver", error).filename();
    if (error)
      say(Finding::fail, "{}: no driver; dpdk-devbind.py --bind=vfio-pci {}", interface,
          device_of(interface));
    else
      say(Finding::ok, "{}: driver {}", interface, driver.string());
    check_node(interface, device);
  }

  // Memory and cores on another node than the card cost about half of the rate.
  void check_node(const std::string& name, const fs::path& device) {
    const std::string node = word_in(device / "numa_node");
    if (node.empty() || node[0] == '-') return;
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

std::string text_of(const std::vector<MachineLine>& lines) {
  constexpr std::string_view kWords[] = {"ok", "warn", "fail"};
  std::string text;
  for (const MachineLine& line : lines)
    text += fmt::format("{:<9} {}\n", kWords[static_cast<std::size_t>(line.finding)], line.text);
  return text;
}

}  // namespace linger
