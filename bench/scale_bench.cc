// Shards beside each other: what a packet costs one shard alone, and each of two on cores of their
// own, from frames in memory through decode, steering and table to the record.
//
// Each shard has a source with the frames of the sessions that it owns, made beforehand, as many
// for one shard as for each of two. `times` says how much more two do than one in the same time: 2
// where they share nothing. One and two run in turn; the best of each counts. Needs two free cores.
#include <atomic>
#include <memory>

#include "bench/measure.h"
#include "bench/traffic.h"
#include "engine/base/check.h"
#include "engine/cores.h"
#include "engine/shard.h"

namespace linger::bench {
namespace {

constexpr std::uint32_t kShards = 2;
constexpr std::uint64_t kSessions = 100'000;  // of each shard
const Seeds kSeeds{make_hash_seed(1), make_hash_seed(2)};

struct Frame {
  Timestamp timestamp;
  std::uint64_t offset;
  std::uint32_t bytes;
};

struct Frames {
  std::vector<std::uint8_t> bytes;
  std::vector<Frame> frames;
};

class FrameSource final : public Source {
 public:
  explicit FrameSource(const Frames& frames) : frames_(frames) {}

  RxStatus rx(Burst& burst) noexcept override {
    burst.count = 0;
    for (; burst.count < kBurstMax && next_ < frames_.frames.size(); ++next_) {
      const Frame& frame = frames_.frames[next_];
      Packet& packet = burst.packets[burst.count++];
      packet.data = frames_.bytes.data() + frame.offset;
      packet.captured_bytes = packet.wire_bytes = frame.bytes;
      packet.link_type = 1;
      packet.timestamp = frame.timestamp;
      burst.clock = packet.clock = frame.timestamp.value;
    }
    return burst.count != 0 ? RxStatus::packets : RxStatus::end;
  }

  bool has_ended() const { return next_ == frames_.frames.size(); }

 private:
  const Frames& frames_;
  std::size_t next_ = 0;
};

Settings settings_of_shard() {
  Settings settings;
  settings.maxStreams = kSessions;
  settings.graveyardSize = 2 * settings.maxStreams;
  settings.tcpClosingTimeout = 200 * kMillisecond;  // most sessions end on the way
  return settings;
}

// One stream of sessions, divided among their owners.
std::array<Frames, kShards> make_frames() {
  const DecodeSettings decode_settings = decode_settings_of(settings_of_shard(), kSeeds.table);
  Traffic traffic({.sessions = kShards * kSessions});
  const Shares shares = Shares::equal(kShards);
  std::array<Frames, kShards> made;
  TrafficPacket told;
  while (traffic.next(told)) {
    Packet packet;
    packet.data = told.bytes.data();
    packet.captured_bytes = packet.wire_bytes = static_cast<std::uint32_t>(told.bytes.size());
    packet.link_type = 1;
    decode(packet, decode_settings);
    Frames& frames = made[shares.owner_of(packet.hash)];
    frames.frames.push_back({{told.timestamp_ns}, frames.bytes.size(), packet.captured_bytes});
    frames.bytes.insert(frames.bytes.end(), told.bytes.begin(), told.bytes.end());
  }
  return made;
}

// So many shards at once, each on its core; nanoseconds a packet of the slowest.
double run(const std::array<Frames, kShards>& frames, std::uint32_t count) {
  const Settings settings = settings_of_shard();
  Handoff handoff(Shares::equal(count), settings.maxPacketsInQueue);
  std::vector<std::unique_ptr<Output>> outputs;
  std::vector<std::unique_ptr<Shard>> shards;
  std::vector<std::unique_ptr<FrameSource>> sources;
  for (std::uint32_t i = 0; i < count; ++i) {
    shards.push_back(std::make_unique<Shard>(i, settings, kSeeds, handoff, outputs, true));
    sources.push_back(std::make_unique<FrameSource>(frames[i]));
    shards[i]->attach(*sources[i]);
    shards[i]->populate();
  }
  std::array<double, kShards> nanoseconds{};
  std::atomic<std::uint32_t> ready{0};
  std::vector<std::thread> threads;
  for (std::uint32_t i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      pin_to(static_cast<int>(i));
      for (ready.fetch_add(1); ready.load() != count;) _mm_pause();
      const std::uint64_t begin = ticks();
      while (!sources[i]->has_ended()) shards[i]->poll();
      nanoseconds[i] = static_cast<double>(ticks() - begin) * nanoseconds_per_tick() /
                       static_cast<double>(frames[i].frames.size());
      while (shards[i]->poll() != Shard::Progress::done) _mm_pause();
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& shard : shards)
    CHECK(shard->counters().steering.handed_over.value() == 0 &&
          shard->counters().table.opened.value() >= kSessions * 9 / 10);
  return *std::max_element(nanoseconds.begin(), nanoseconds.end());
}

void shards(benchmark::State& state) {
  const std::array<Frames, kShards> frames = make_frames();
  std::vector<double> two;
  double one = 0;
  for (auto _ : state) {
    two.push_back(run(frames, kShards));
    const double alone = run(frames, 1);
    one = one == 0 ? alone : std::min(one, alone);
    state.SetIterationTime(two.back() * 1e-9);
  }
  std::sort(two.begin(), two.end());
  state.counters["ns"] = two.front();
  state.counters["ref_ns"] = one;
  state.counters["ratio"] = two.front() / one;
  state.counters["spread_%"] = 100 * (two[3 * two.size() / 4] / two.front() - 1);
  state.counters["times"] = kShards * one / two.front();
  state.SetLabel("times >= 1.9");
}
BENCHMARK(shards)->Iterations(12)->UseManualTime();

}  // namespace
}  // namespace linger::bench

BENCHMARK_MAIN();
