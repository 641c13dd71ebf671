#include "engine/cost.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "engine/applications.h"
#include "engine/packet/defrag.h"
#include "engine/packet/packet.h"
#include "output/record_ring.h"
#include "sessiontable/session_table.h"

namespace linger {
namespace {

constexpr std::uint64_t kRecordBytes = sizeof(UsualFields) + RecordRing::kBytesMean;

// Records on their way to the outputs, packets on theirs to another shard.
std::uint64_t memory_of_rings(const Settings& settings) noexcept {
  const std::uint64_t shards = settings.packetThreads;
  const std::uint64_t outputs = std::max<std::uint64_t>(settings.output.size(), 1);
  return outputs * shards * settings.recordQueue * kRecordBytes +
         (shards == 1 ? 0 : shards * shards) * settings.maxPacketsInQueue * sizeof(Packet);
}

}  // namespace

std::uint64_t memory_needed(const Settings& settings) noexcept {
  const auto bytes = [](std::uint64_t count, double each) {
    return static_cast<std::uint64_t>(static_cast<double>(count) * each);
  };
  return bytes(settings.maxStreams,
               kSessionBytes + FlowIndex::bytes_per_entry(IndexLoad::sparse) +
                   OpeningPool::kIndexBytes +
                   (settings.sessionKey.empty() ? 0 : sizeof(FlowKey::scope))) +
         bytes(settings.graveyard_size(),
               sizeof(Grave) + FlowIndex::bytes_per_entry(IndexLoad::dense)) +
         bytes(settings.latePool,
               sizeof(LateBlock) + FlowIndex::bytes_per_entry(IndexLoad::dense)) +
         bytes(settings.extension_pool(), sizeof(ExtensionBlock)) +
         Defrag::memory_needed(settings) + bytes(settings.tunnelPool, TunnelTable::kBytesPerStack) +
         bytes(settings.rtt_pool(), RttPool::kBytesPerBlock) +
         bytes(settings.mptcpPool, MptcpPool::kBytesPerBlock) +
         Applications::memory_needed(settings) + memory_of_rings(settings);
}

std::uint64_t memory_there() noexcept {
  return static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) *
         static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

// Each line is NUMBER:CONTROLLERS:GROUP, of cgroups(7) version 2 without controllers. A group is
// held to the limits of those above it, too.
std::uint64_t memory_allowed(const std::filesystem::path& groups,
                             const std::filesystem::path& folder) {
  std::uint64_t least = memory_there();
  std::ifstream lines(groups);
  for (std::string line; std::getline(lines, line);) {
    const bool is_version_2 = line.starts_with("0::/");
    const std::size_t of_version_1 = line.find(":memory:/");
    if (!is_version_2 && of_version_1 == std::string::npos) continue;
    const std::filesystem::path top = is_version_2 ? folder : folder / "memory";
    const char* file = is_version_2 ? "memory.max" : "memory.limit_in_bytes";
    const std::filesystem::path name = line.substr(is_version_2 ? 3 : of_version_1 + 8);
    auto group = top / name.relative_path();
    for (;; group = group.parent_path()) {
      if (std::uint64_t limit = 0; std::ifstream(group / file) >> limit)
        least = std::min(least, limit);
      if (group == top) break;
    }
  }
  return least;
}

std::string cost_of(const Settings& settings) {
  const double late_seconds = std::max(1.0, static_cast<double>(settings.lateTimeout) / kSecond);
  const double linger_seconds =
      static_cast<double>(std::max(settings.tcpClosingTimeout, kMillisecond)) / kSecond;
  return fmt::format(
      "memory    {:.1f} MiB for {} sessions, {} graves, {} late blocks, {} extension blocks "
      "(there are {:.1f} MiB)\n"
      "graveyard covers {:.0f} closes/s: a late packet finds its session for {:g} s after the "
      "record\n"
      "lingering {:.0f} closes/s for {:g} s would fill maxStreams by themselves\n",
      static_cast<double>(memory_needed(settings)) / (1 << 20), settings.maxStreams,
      settings.graveyard_size(), settings.latePool, settings.extension_pool(),
      static_cast<double>(memory_allowed()) / (1 << 20),
      static_cast<double>(settings.graveyard_size()) / late_seconds, late_seconds,
      static_cast<double>(settings.maxStreams) / linger_seconds, linger_seconds);
}

}  // namespace linger
