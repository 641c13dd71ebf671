// linger-blast: session traffic out of a seed, as a capture file.
//
//     linger-blast small -w small.pcap          1.2 M sessions of 9 small packets
//     linger-blast late --sessions 1000         made and counted, not written
//
// What it made goes to standard output as one line of name=value, so that truth is exact. The
// options change what the preset says. Exit codes: 0 well, 1 not written, 2 bad usage.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>

#include "bench/traffic.h"

namespace linger::bench {
namespace {

const std::map<std::string, TrafficOptions> kPresets = {
    {"small", {.sessions = 1'200'000}},
    {"bulk",
     {.sessions = 150'000,
      .sessions_per_second = 20'000,
      .request_bytes = {300, 600},
      .response_bytes = {10'000, 10'000}}},
    {"late",
     {.sessions = 240'000,
      .sessions_per_second = 30'000,
      .late_after = {100 * kMillisecond, 7 * kSecond}}},
    {"nat",  // one client, one server, one port: each tuple again after 6.5 s
     {.sessions = 600'000, .sessions_per_second = 10'000, .clients = 1, .servers = 1}},
    {"ipv6", {.sessions = 1'200'000, .ipv6_share = 1}},
    {"flood",
     {.sessions = 100'000, .sessions_per_second = 10'000, .flood_syns_per_second = 300'000}},
    {"mix",
     {.sessions = 600'000,
      .sessions_per_second = 30'000,
      .request_bytes = {0, 2'000},
      .response_bytes = {0, 20'000},
      .reset_share = 0.2,
      .late_after = {100 * kMillisecond, 7 * kSecond},
      .repeat_share = 0.02,
      .reuse_share = 0.05,
      .reuse_after = 12 * kSecond,
      .ipv6_share = 0.3}},
};

// A pcap file with nanoseconds (magic a1b23c4d), in the byte order of the machine.
class CaptureFile {
 public:
  bool open(const std::string& path) {
    file_.reset(std::fopen(path.c_str(), "wb"));
    if (file_ == nullptr) return false;
    std::setvbuf(file_.get(), nullptr, _IOFBF, std::size_t{1} << 20);
    constexpr std::array<std::uint32_t, 6> kHeader = {
        0xa1b2'3c4d, 2 | 4 << 16, 0, 0, 262'144, 1};  // version 2.4, snap length, Ethernet
    return put(kHeader.data(), sizeof kHeader);
  }

  bool write(const TrafficPacket& packet) {
    const auto bytes = static_cast<std::uint32_t>(packet.bytes.size());
    const std::array<std::uint32_t, 4> header = {
        static_cast<std::uint32_t>(packet.timestamp_ns / kSecond),
        static_cast<std::uint32_t>(packet.timestamp_ns % kSecond), bytes, bytes};
    return put(header.data(), sizeof header) && put(packet.bytes.data(), packet.bytes.size());
  }

  bool close() { return std::fclose(file_.release()) == 0; }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  bool put(const void* bytes, std::size_t count) {
    return std::fwrite(bytes, 1, count, file_.get()) == count;
  }
  std::unique_ptr<std::FILE, Close> file_;
};

// Makes it all; false when `path` could not be written.
bool blast(const TrafficOptions& options, const std::string& path) {
  Traffic traffic(options);
  CaptureFile file;
  const bool writes = !path.empty();
  bool good = !writes || file.open(path);
  for (TrafficPacket packet; good && traffic.next(packet);)
    if (writes) good = file.write(packet);
  if (writes && good) good = file.close();
  if (!good) {
    fmt::print(stderr, "linger-blast: {}: {}\n", path, std::strerror(errno));
    return false;
  }
  const TrafficTruth& truth = traffic.truth();
  fmt::print(
      "sessions={} packets={} bytes={} late_packets={} repeated_packets={} reused={} "
      "flood_syns={} seconds={:.3f} seed={}\n",
      truth.sessions, truth.packets, truth.bytes, truth.late_packets, truth.repeated_packets,
      truth.reused, truth.flood_syns, static_cast<double>(truth.duration) / kSecond, options.seed);
  return true;
}

int run(int argc, char** argv) {
  std::string names;
  for (const auto& [name, options] : kPresets) names += (names.empty() ? "" : ", ") + name;
  const auto found = kPresets.find(argc > 1 ? argv[1] : "");
  const bool is_preset = found != kPresets.end();
  TrafficOptions options = is_preset ? found->second : TrafficOptions{};

  CLI::App app("Makes session traffic out of a seed, as a capture file.", "linger-blast");
  app.option_defaults()->always_capture_default();
  std::string preset, path, wrapping;
  double share = 1;
  app.add_option("preset", preset, names)->required();
  app.add_option("-w", path, "the capture file; without it packets are only made and counted");
  app.add_option("--seed", options.seed, "same seed and options, same bytes");
  app.add_option("--sessions", options.sessions, "how many clients begin");
  app.add_option("--share", share, "of these sessions, for a shorter capture of the same kind");
  app.add_option("--rate", options.sessions_per_second, "sessions a second of packet time")
      ->check(CLI::PositiveNumber);
  app.add_option("--flood", options.flood_syns_per_second, "SYNs a second beside them");
  app.add_option("--ipv6", options.ipv6_share, "share of sessions, 0 to 1");
  app.add_option("--resets", options.reset_share, "share of sessions that close by RST");
  app.add_option("--repeats", options.repeat_share, "share of segments that come twice");
  app.add_option("--reuse", options.reuse_share, "share of sessions that open their tuple again");
  app.add_option("--wrapping", wrapping, "vlan or vxlan")->check(CLI::IsMember({"vlan", "vxlan"}));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (!is_preset) {
    fmt::print(stderr, "linger-blast: the preset comes first; there are: {}\n", names);
    return 2;
  }
  options.sessions = static_cast<std::uint64_t>(share * static_cast<double>(options.sessions));
  if (wrapping == "vlan") options.wrapping = Wrapping::vlan;
  if (wrapping == "vxlan") options.wrapping = Wrapping::vxlan;
  return blast(options, path) ? 0 : 1;
}

}  // namespace
}  // namespace linger::bench

int main(int argc, char** argv) { return linger::bench::run(argc, argv); }
