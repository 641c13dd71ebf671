#include "engine/live.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "engine/shard.h"
#include "engine/source/pcap_port.h"
#ifdef LINGER_HAS_DPDK
#include "engine/source/dpdk_eal.h"
#include "engine/source/dpdk_port.h"
#endif

namespace linger {
namespace {

PcapPortOptions pcap_options(const Settings& settings, std::size_t index,
                             std::vector<Pace>* paces) {
  return {.queue_count = static_cast<std::uint32_t>(settings.packetThreads),
          .port_bit = port_set_of(index),
          .paces = paces,
          .buffer_bytes = settings.pcapBufferSize,
          .bpf = settings.bpf,
          .clock_jump = settings.clockJump};
}

#ifdef LINGER_HAS_DPDK
// That wait in the rings of one shard, or are out of them.
std::uint64_t handoff_packets(const Settings& settings) noexcept {
  if (settings.packetThreads == 1) return 0;
  return settings.packetThreads * (settings.maxPacketsInQueue + kBurstMax);
}

DpdkPortOptions dpdk_options(const Settings& settings, std::size_t index) {
  return {.queue_count = static_cast<std::uint32_t>(settings.packetThreads),
          .port_bit = port_set_of(index),
          .descriptors = static_cast<std::uint32_t>(settings.rxDescriptors),
          .mbufs = static_cast<std::uint32_t>(settings.dpdkMbufs),
          .handoff_packets = handoff_packets(settings),
          .frame_bytes_max = static_cast<std::uint32_t>(settings.frameBytesMax),
          .hardware_time = settings.hardwareTime,
          .gives_up_rights = !settings.user.empty(),
          .bpf = settings.bpf,
          .clock_jump = settings.clockJump};
}

tl::expected<std::unique_ptr<LivePort>, std::string> open_dpdk(const std::string& interface,
                                                               const Settings& settings,
                                                               std::size_t index) {
  return open_dpdk_port(interface.substr(kDpdkPrefix.size()), dpdk_options(settings, index));
}
#else
tl::expected<std::unique_ptr<LivePort>, std::string> open_dpdk(const std::string& interface,
                                                               const Settings&, std::size_t) {
  return tl::unexpected(
      fmt::format("-i {}: this linger was built without DPDK (meson -Ddpdk=enabled)", interface));
}
#endif

}  // namespace

std::string dpdk_device_of(const std::string& interface) {
  constexpr std::string_view kPci = "pci:";
  if (!is_dpdk(interface)) return {};
  std::string device = interface.substr(kDpdkPrefix.size());
  if (device.starts_with(kPci)) device.erase(0, kPci.size());
  device.resize(std::min(device.find(','), device.size()));
  const bool is_pci = device.find_first_not_of("0123456789abcdefABCDEF:.") == std::string::npos &&
                      device.find(':') != std::string::npos;
  if (!is_pci) return device;
  std::ranges::transform(device, device.begin(), [](unsigned char c) { return std::tolower(c); });
  return device.find(':') == 2 ? "0000:" + device : device;
}

std::uint64_t dpdk_port_memory_needed([[maybe_unused]] const Settings& settings) noexcept {
#ifdef LINGER_HAS_DPDK
  return mbuf_memory_needed(dpdk_options(settings, 0), settings.dpdkHugePages);
#else
  return 0;
#endif
}

LivePorts::~LivePorts() {
  ports_.clear();
#ifdef LINGER_HAS_DPDK
  remove_eal_files();
#endif
}

LivePorts::Outcome LivePorts::open(const std::vector<std::string>& interfaces,
                                   const Settings& settings) {
  if (auto started = start_dpdk(interfaces, settings); !started) return started;
  // DPDK devices hold nothing back.
  const bool has_paces =
      interfaces.size() * settings.packetThreads > 1 && std::ranges::none_of(interfaces, is_dpdk);
  if (has_paces) paces_.resize(settings.packetThreads);
  for (std::size_t i = 0; i < interfaces.size(); ++i) {
    auto port = is_dpdk(interfaces[i])
                    ? open_dpdk(interfaces[i], settings, i)
                    : open_pcap_port(interfaces[i],
                                     pcap_options(settings, i, has_paces ? &paces_ : nullptr));
    if (!port) return tl::unexpected(port.error());
    ports_.push_back(std::move(*port));
  }
  return {};
}

LivePorts::Outcome LivePorts::start_dpdk(
    [[maybe_unused]] const std::vector<std::string>& interfaces,
    [[maybe_unused]] const Settings& settings) {
#ifdef LINGER_HAS_DPDK
  EalOptions options{.devices = {},
                     .allow = settings.dpdkAllow,
                     .file_prefix = settings.dpdkFilePrefix,
                     .memory_bytes = settings.dpdkMemory,
                     .has_huge_pages = settings.dpdkHugePages};
  for (const std::string& interface : interfaces)
    if (is_dpdk(interface)) options.devices.push_back(interface.substr(kDpdkPrefix.size()));
  if (options.devices.empty()) return {};
  // Without huge pages it takes all at once; pools want it in large pieces.
  constexpr std::uint64_t kOfTheEal = std::uint64_t{96} << 20;
  if (!options.has_huge_pages && options.memory_bytes == 0)
    options.memory_bytes =
        kOfTheEal + options.devices.size() * dpdk_port_memory_needed(settings) * 5 / 4;
  return start_eal(options);
#else
  return {};
#endif
}

LivePorts::Outcome LivePorts::start() {
  for (const auto& port : ports_)
    if (auto started = port->start(); !started) return started;
  return {};
}

void LivePorts::attach(std::uint32_t index, Shard& shard) {
  for (const auto& port : ports_) {
    if (port->files() == 0) shard.attach(port->queue(index));
    for (std::uint32_t file = 0; index == 0 && file < port->files(); ++file)
      shard.attach(port->queue(file));
  }
}

bool LivePorts::steer_to_owners() const noexcept {
  return std::ranges::any_of(ports_, [](const auto& port) { return port->steers_to_owners(); });
}

bool LivePorts::keep_directions() const noexcept {
  return std::ranges::all_of(ports_, [](const auto& port) { return port->keeps_directions(); });
}

std::vector<PortTotals> LivePorts::totals() const {
  std::vector<PortTotals> totals;
  for (const auto& port : ports_) totals.push_back(port->totals());
  return totals;
}

std::vector<std::string> LivePorts::abilities() const {
  std::vector<std::string> abilities;
  for (const auto& port : ports_) abilities.push_back(port->ability());
  return abilities;
}

std::vector<std::string> LivePorts::troubles() const {
  std::vector<std::string> troubles;
  for (const auto& port : ports_)
    if (std::string trouble = port->trouble(); !trouble.empty())
      troubles.push_back(std::move(trouble));
  return troubles;
}

std::vector<std::string> LivePorts::notes() const {
  std::vector<std::string> notes;
  for (const auto& port : ports_)
    notes.insert(notes.end(), port->notes().begin(), port->notes().end());
  return notes;
}

}  // namespace linger
