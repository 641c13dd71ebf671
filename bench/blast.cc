// linger-blast: session traffic out of a seed, as a capture file or to a DPDK port.
//
//     linger-blast small -w small.pcap          1.2 M sessions of 9 small packets
//     linger-blast late --sessions 1000         made and counted, not written
//     linger-blast talk -w talk.pcap            40,000 sessions that say something (talk_mix.h)
//     linger-blast mix --wrapping vxlan --to net_memif0,role=client,socket=/run/x.sock
//     linger-blast live --sessions 100000 --packets 50000000 --to …
//     linger-blast receive --from net_memif0,role=server,socket=/run/x.sock
//
// Traffic for a port is made beforehand and sent from memory, as fast as the port takes it. `live`
// is 60-byte segments (64 on a wire) of sessions that all stay open, in random order; `receive` is
// a loop that takes packets and does nothing else, to hold figures against.
//
// What it made goes to standard output as one line of name=value, so that truth is exact, and what
// it sent as another. The options change what the preset says. Exit codes: 0 well, 1 not written, 2
// bad usage.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <numeric>
#include <random>
#include <utility>

#include "bench/talk_mix.h"
#include "bench/traffic.h"
#ifdef LINGER_HAS_DPDK
#include "bench/port_blast.h"
#endif

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

constexpr std::string_view kTalk = "talk";  // of another generator
constexpr std::string_view kLive = "live";  // and for ports alone, as is:
constexpr std::string_view kReceive = "receive";
const std::string kPresetFirst = "the preset comes first; there are: ";
constexpr TrafficOptions kTalkOptions = {.sessions = 40'000, .sessions_per_second = 2'000};

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

void tell(const TrafficTruth& truth, std::uint64_t seed) {
  fmt::print(
      "sessions={} packets={} bytes={} late_packets={} repeated_packets={} reused={} "
      "flood_syns={} seconds={:.3f} seed={}\n",
      truth.sessions, truth.packets, truth.bytes, truth.late_packets, truth.repeated_packets,
      truth.reused, truth.flood_syns, static_cast<double>(truth.duration) / kSecond, seed);
}

// Makes it all; false when `path` could not be written.
template <class Source>
bool write(Source&& traffic, std::uint64_t seed, const std::string& path) {
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
  tell(traffic.truth(), seed);
  return true;
}

#ifdef LINGER_HAS_DPDK
int tell(const char* what, const tl::expected<PortFigures, std::string>& figures) {
  if (!figures) {
    fmt::print(stderr, "linger-blast: {}\n", figures.error());
    return 1;
  }
  fmt::print("{}={} bytes={} refused={} seconds={:.3f} mpps={:.3f}\n", what, figures->packets,
             figures->bytes, figures->refused, figures->seconds,
             static_cast<double>(figures->packets) / figures->seconds / 1e6);
  return 0;
}

template <class Source>
FrameStore frames_of(Source&& traffic, std::uint64_t seed) {
  FrameStore frames;
  for (TrafficPacket packet; traffic.next(packet);) frames.add(packet.bytes, packet.is_from_server);
  tell(traffic.truth(), seed);
  return frames;
}

constexpr std::uint32_t kLivePayload = 6;

// One segment of the client for each session, in random order.
FrameStore live_frames(std::uint64_t sessions, std::uint64_t seed) {
  std::vector<std::uint64_t> order(sessions);
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), std::mt19937_64(seed));
  FrameStore frames;
  const FrameWriter writer;
  std::vector<std::uint8_t> frame(kFrameBytesMax);
  for (const std::uint64_t number : order) {
    Segment segment;
    segment.flags = kTcpAck | kTcpPsh;
    segment.payload_bytes = kLivePayload;
    segment.key.ip_version = 4;
    segment.key.protocol = kProtocolTcp;
    segment.key.address[0].bytes = {10, static_cast<std::uint8_t>(number >> 24),
                                    static_cast<std::uint8_t>(number >> 16), 1};
    segment.key.address[1].bytes = {11, 0, 0, 1};
    segment.key.port = {static_cast<std::uint16_t>(number), 443};
    segment.sequence = segment.acknowledgment = 1'000;
    frames.add({frame.data(), writer.write(segment, frame.data())}, false);
  }
  return frames;
}

FrameStore frames_of(const std::string& preset, const TrafficOptions& options) {
  if (preset == kLive) return live_frames(options.sessions, options.seed);
  if (preset == kTalk)
    return frames_of(TalkMix(options.seed, options.sessions, options.sessions_per_second),
                     options.seed);
  return frames_of(Traffic(options), options.seed);
}
#endif

int bad_usage(const std::string& why) {
  fmt::print(stderr, "linger-blast: {}\n", why);
  return 2;
}

// CLI::Range lets a NaN through.
CLI::Validator from_0_to(double most) {
  return {[most](const std::string& text) {
            const double value = std::strtod(text.c_str(), nullptr);
            return value >= 0 && value <= most ? std::string()
                                               : fmt::format("{} is not from 0 to {}", text, most);
          },
          std::string()};
}

// What the command line says.
struct Words {
  std::string preset, path, wrapping;
  double share = 1;
  TrafficOptions options;
#ifdef LINGER_HAS_DPDK
  SendOptions port;
  std::string from;
#endif

  bool is_of_traffic() const { return kPresets.contains(preset); }
};

std::string preset_names() {
  std::string names(kTalk);
  for (const auto& [name, options] : kPresets) names += ", " + name;
#ifdef LINGER_HAS_DPDK
  names += fmt::format("; with --to also {}; with --from {}", kLive, kReceive);
#endif
  return names;
}

void add_options(CLI::App& app, Words& words) {
  TrafficOptions& options = words.options;
  app.add_option("preset", words.preset, preset_names())->required();
  app.add_option("-w", words.path,
                 "the capture file; without it packets are only made and counted");
  app.add_option("--seed", options.seed, "same seed and options, same bytes");
  app.add_option("--sessions", options.sessions, "how many clients begin");
  app.add_option("--share", words.share,
                 "of these sessions, for a shorter capture of the same kind")
      ->check(from_0_to(1'000));
  app.add_option("--rate", options.sessions_per_second, "sessions a second of packet time")
      ->check(CLI::PositiveNumber);
  app.add_option("--flood", options.flood_syns_per_second, "SYNs a second beside them")
      ->check(from_0_to(1e9));
  app.add_option("--ipv6", options.ipv6_share, "share of sessions, 0 to 1")->check(from_0_to(1));
  app.add_option("--resets", options.reset_share, "share of sessions that close by RST")
      ->check(from_0_to(1));
  app.add_option("--repeats", options.repeat_share, "share of segments that come twice")
      ->check(from_0_to(1));
  app.add_option("--reuse", options.reuse_share, "share of sessions that open their tuple again")
      ->check(from_0_to(1));
#ifdef LINGER_HAS_DPDK
  SendOptions& port = words.port;
  app.add_option("--to", port.devargs, "the DPDK device to send to")->excludes("-w");
  app.add_option("--from", words.from, "receive: the DPDK device");
  app.add_option("--queues", port.queues, "transmit queues")->check(CLI::Range(1, 16));
  app.add_option("--packets", port.packets, "the same frames again until so many; 0: once");
  app.add_flag("--apart", port.is_apart, "the directions of a session on different queues");
  app.add_flag("--give-up", port.gives_up, "what the port refuses is counted and not sent again");
#endif
  app.add_option("--wrapping", words.wrapping,
                 "the frames of all but talk and live in a VLAN or in VXLAN")
      ->check(CLI::IsMember({"vlan", "vxlan"}));
}

// Makes the traffic, and writes or sends it; the exit code.
int carry_out(Words words) {
  TrafficOptions& options = words.options;
  options.sessions =
      static_cast<std::uint64_t>(words.share * static_cast<double>(options.sessions));
  if (words.wrapping == "vlan") options.wrapping = Wrapping::vlan;
  if (words.wrapping == "vxlan") options.wrapping = Wrapping::vxlan;
  bool is_preset = words.is_of_traffic() || words.preset == kTalk;
#ifdef LINGER_HAS_DPDK
  if (words.preset == kReceive)
    return words.from.empty() ? bad_usage("receive needs --from")
                              : tell("received", receive(words.from, 1));
  is_preset |= words.preset == kLive && !words.port.devargs.empty();
#endif
  if (!is_preset) return bad_usage(kPresetFirst + preset_names());
  if (!words.wrapping.empty() && !words.is_of_traffic())
    return bad_usage(fmt::format("--wrapping is not for {}", words.preset));
#ifdef LINGER_HAS_DPDK
  if (!words.port.devargs.empty()) {
    FrameStore frames = frames_of(words.preset, options);
    if (frames.size() == 0) return bad_usage("no sessions, no frames to send: --sessions, --share");
    if (words.preset == kLive) words.port.payload_bytes = kLivePayload;
    return tell("sent", send(frames, words.port));
  }
#endif
  const bool is_made =
      words.preset == kTalk
          ? write(TalkMix(options.seed, options.sessions, options.sessions_per_second),
                  options.seed, words.path)
          : write(Traffic(options), options.seed, words.path);
  return is_made ? 0 : 1;
}

// The preset comes first: the options change what it says.
int run(int argc, char** argv) {
  Words words;
  const std::string first = argc > 1 ? argv[1] : "";
  const auto found = kPresets.find(first);
  words.options = found != kPresets.end() ? found->second : kTalkOptions;
  CLI::App app(
      "Makes session traffic out of a seed, for a capture file or a DPDK port, and tells it.",
      "linger-blast");
  app.option_defaults()->always_capture_default();
  add_options(app, words);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (words.preset != first) return bad_usage(kPresetFirst + preset_names());
  return carry_out(std::move(words));
}

}  // namespace
}  // namespace linger::bench

int main(int argc, char** argv) { return linger::bench::run(argc, argv); }
