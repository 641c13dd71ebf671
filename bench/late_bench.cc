// The matrix of late packets at full rate: sessions that close at 10 k to 1 M a second, each with a
// late packet of one of six kinds, from either side, 0.1 ms to 110 s after its close. The number of
// end records must be the number of sessions. tests/sessiontable/scale_test.cc runs the same at a
// hundredth of the rates.
//
// A piece is a second of packet time; ten count, from when the first late packets are there. Units
// are sessions, with their late packets. The reference is the same stream without these.
#include "bench/measure.h"
#include "bench/population.h"

namespace linger::bench {
namespace {

constexpr std::uint32_t kSaid = 100;  // payload bytes each way
constexpr std::uint64_t kLateKinds = 6;

// Segments of one life, and the late one; sequence numbers count from the ISNs.
struct Segment {
  unsigned side;
  std::uint8_t flags;
  std::uint32_t sequence, acknowledgment, payload;
};
constexpr Segment kLife[] = {
    {0, kTcpSyn, 0, 0, 0},
    {1, kTcpSyn | kTcpAck, 0, 1, 0},
    {0, kTcpAck, 1, 1, 0},
    {0, kTcpAck | kTcpPsh, 1, 1, kSaid},
    {1, kTcpAck | kTcpPsh, 1, 1 + kSaid, kSaid},
    {0, kTcpFin | kTcpAck, 1 + kSaid, 1 + kSaid, 0},
    {1, kTcpFin | kTcpAck, 1 + kSaid, 2 + kSaid, 0},
    {0, kTcpAck, 2 + kSaid, 2 + kSaid, 0},
};
constexpr Segment kLate[kLateKinds] = {
    {0, kTcpRst, 2 + kSaid, 0, 0},
    {0, kTcpRst, 2 + kSaid + 0x1234'5678, 0, 0},
    {0, kTcpRst | kTcpAck, 2 + kSaid, 2 + kSaid, 0},
    {0, kTcpFin | kTcpAck, 1 + kSaid, 2 + kSaid, 0},
    {0, kTcpAck, 2 + kSaid, 2 + kSaid, 0},
    {0, kTcpAck | kTcpPsh, 1, 2 + kSaid, kSaid},
};

Settings settings_at(std::uint64_t rate, DurationNs delay) {
  Settings settings;
  const auto seconds = static_cast<std::uint64_t>(delay / kSecond) + 10;
  // Closed for 5 s, and for 5 s more where the late packet still finds the session lingering.
  settings.maxStreams = rate * 12;
  settings.graveyardSize = rate * std::min<std::uint64_t>(seconds + 2, 130);
  // As far as memory goes; what is told early is buried again, and still found.
  settings.latePool = std::min<std::uint64_t>(rate * seconds, 4'000'000);
  return settings;
}

class Stream {
 public:
  Stream(std::uint64_t rate, DurationNs delay, bool has_late)
      : step_(kSecond / static_cast<DurationNs>(rate)),
        delay_(delay),
        has_late_(has_late),
        bench_(Addresses::ipv4, settings_at(rate, delay), false) {}

  // This many sessions more, as a piece of `timing`.
  double run(std::uint64_t sessions, Timing& timing) {
    for (const std::uint64_t end = opened_ + sessions; opened_ < end; ++opened_) {
      const ClockNs now = kBegin + static_cast<DurationNs>(opened_) * step_;
      while (has_late_ && closed_at(late_) + delay_ <= now) see_late(timing);
      for (const Segment& segment : kLife) see(opened_, segment, segment.side, now, timing);
      units_ += 1;
    }
    return timing.piece();
  }
  void finish() {
    Timing rest;
    while (has_late_ && late_ < opened_) see_late(rest);
    poll(rest);
    bench_.table.finish(Ending::end_of_input);
  }
  // Whether each session has one end record, and no packet has another session.
  bool is_whole() const {
    return bench_.sink.sessions == opened_ && bench_.counters.opened.value() == opened_;
  }
  const TableCounters& counters() const { return bench_.counters; }

 private:
  ClockNs closed_at(std::uint64_t session) const {
    return kBegin + static_cast<DurationNs>(session) * step_;
  }
  void see_late(Timing& timing) {
    const unsigned side = late_ / kLateKinds % 2;
    see(late_, kLate[late_ % kLateKinds], side, closed_at(late_) + delay_, timing);
    ++late_;
  }
  void see(std::uint64_t session, const Segment& s, unsigned side, ClockNs clock, Timing& timing) {
    bench_.population.fill(burst_.packets[burst_.count++], session, side, s.flags, s.sequence,
                           s.acknowledgment, s.payload, clock);
    if (burst_.count == kBurstMax) poll(timing);
  }
  void poll(Timing& timing) {
    timing.part(std::exchange(units_, 0), [&] { bench_.table.track(burst_); });
    burst_.count = 0;
  }

  DurationNs step_, delay_;
  bool has_late_;
  Bench<> bench_;
  Burst burst_;
  double units_ = 0;  // sessions whose last regular packet lies in the burst
  std::uint64_t opened_ = 0, late_ = 0;
};

// Ranges: sessions a second, delay in microseconds.
void late(benchmark::State& state) {
  const auto rate = static_cast<std::uint64_t>(state.range(0));
  const DurationNs delay = state.range(1) * kMicrosecond;
  constexpr std::uint64_t kPieces = 10;
  const std::uint64_t seconds = static_cast<std::uint64_t>(delay / kSecond) + kPieces;
  const auto told = [&](const char* name, const Counter& counter) {
    state.counters[name] = static_cast<double>(counter.value());
  };
  Timing ours, theirs;
  for (auto _ : state) {
    for (const bool has_late : {true, false}) {
      Stream stream(rate, delay, has_late);
      Timing warming;
      for (std::uint64_t i = kPieces; i < seconds; ++i) stream.run(rate, warming);
      for (std::uint64_t i = 0; i < kPieces; ++i)
        state.SetIterationTime(stream.run(rate, has_late ? ours : theirs));
      stream.finish();
      CHECK(stream.is_whole());
      if (!has_late) continue;
      told("late_lingering", stream.counters().late_lingering);
      told("late_buried", stream.counters().late_buried);
      told("evicted", stream.counters().ended_evicted);
      told("graves_lost", stream.counters().graves_lost);
    }
  }
  state.counters["sessions"] = static_cast<double>(rate * seconds);
  report(state, ours, theirs);
}
BENCHMARK(late)
    ->ArgsProduct({{10'000, 30'000, 300'000, 1'000'000},
                   {100, 10'000, 1'000'000, 5'000'000, 7'000'000, 60'000'000, 110'000'000}})
    ->Iterations(1)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace linger::bench

BENCHMARK_MAIN();
