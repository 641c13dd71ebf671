// Whole sessions through the session table, from the SYN to the record, and frames through decode
// and table: what one core does, beside the floor of the machine.
//
// The floor (ref_ns) is what no table can avoid: for each packet, two neighbouring lines at a
// random place of a memory as large as the live sessions, prefetched a burst ahead, read and
// written. Where a table is full, the reference is the same stream with room for all.
#include <unistd.h>

#include <fstream>

#include "bench/measure.h"
#include "bench/population.h"
#include "engine/session_record.h"
#include "output/ndjson.h"

namespace linger::bench {
namespace {

constexpr int kSweepSteps = 4 * kBurstMax;  // as a shard does it

// Records are made and taken: into a ring, as on the way to an output's thread, or on as lines.
struct RecordSink : SessionSink {
  std::uint64_t records = 0;
  virtual void take(const Record& record) noexcept = 0;
  void on_session(const SessionView& view) noexcept override { hand(make_record(view)); }
  void on_late(const LateBlock& block, const Id128& id) noexcept override {
    hand(make_late_record(block, id));
  }
  void on_flood(const FloodSecond& flood) noexcept override { hand(make_flood_record(flood)); }

 protected:
  ~RecordSink() = default;

 private:
  void hand(Record&& record) noexcept {  // as a shard does
    record.mark_usual();
    take(record);
  }
};

struct BinarySink final : RecordSink {
  std::vector<Record> ring = std::vector<Record>(4096);
  void take(const Record& record) noexcept override {
    Record& place = ring[records++ % ring.size()];
    place.usual() = record.usual();
    if (!record.is_usual) place.rare() = record.rare();
  }
};

struct NdjsonSink final : RecordSink {
  NdjsonEncoder encoder{RunInfo{}};
  std::vector<char> lines = std::vector<char>(256 * 1024);
  std::size_t at = 0;
  void take(const Record& record) noexcept override {
    ++records;
    if (lines.size() - at < NdjsonEncoder::kLineBytesMax) {
      encoder.complete();
      at = 0;
    }
    at += encoder.encode(record, lines.data() + at);
  }
};

class Floor {
 public:
  explicit Floor(std::uint64_t sessions) : lines_(sessions * 2) { lines_.populate(); }
  void piece(Timing& timing, std::uint64_t packets) {
    for (std::uint64_t done = 0; done < packets; done += kBurstMax) {
      std::array<std::size_t, kBurstMax> places;
      for (std::size_t& place : places) place = random_() % (lines_.size() / 2) * 2;
      timing.part(kBurstMax, [&] {
        for (const std::size_t place : places) {
          __builtin_prefetch(&lines_.data()[place], 1);
          __builtin_prefetch(&lines_.data()[place + 1], 1);
        }
        for (const std::size_t place : places) ++lines_[place].word, ++lines_[place + 1].word;
      });
    }
    timing.piece();
  }

 private:
  struct alignas(64) Line {
    std::uint64_t word;
  };
  Array<Line> lines_;
  std::mt19937_64 random_{1};
};

enum class Order : std::uint8_t {
  random,   // no two packets of a session or of neighbours lie near each other: the worst case
  arrival,  // each packet of a session as long after it opened as those of its neighbours
};

// A steady stream of sessions of ten packets. Time goes in windows; a session's packets come in ten
// windows, one in each, in this order. It lingers for ten windows more: a block of sessions for
// each of 20 windows is live, half of it open, half lingering.
template <class Sink>
class Life {
 public:
  static constexpr std::uint64_t kPackets = 10, kWindows = 20;

  Life(std::uint64_t live, std::uint64_t max_streams, Addresses addresses = Addresses::ipv4,
       Order order = Order::random)
      : block_(live / kWindows), bench_(addresses, lingering(max_streams)) {
    for (std::uint64_t step = 0; step < kPackets; ++step) {
      orders_.push_back(shuffled(block_, step + 1));
      if (order == Order::arrival) std::sort(orders_.back().begin(), orders_.back().end());
    }
    // Until graves make way for graves, as in any long run.
    const std::uint64_t graves = bench_.settings.graveyard_size();
    Timing warming;
    for (std::uint64_t i = 0; i < kWindows + 2 + graves / block_; ++i) window(warming);
    CHECK(bench_.counters.graves_lost.value() != 0);
  }

  // One block of sessions begins, others go on and end. The seconds it took.
  double window(Timing& timing) {
    burst_.count = 0;
    for (std::uint64_t i = 0; i < block_; ++i) {
      for (std::uint64_t step = 0; step < std::min(kPackets, window_ + 1); ++step) {
        bench_.clock += kStep / static_cast<DurationNs>(kPackets * block_);
        add((window_ - step) * block_ + orders_[step][i], step);
        if (burst_.count == kBurstMax) poll(timing);
      }
    }
    poll(timing);
    ++window_;
    return timing.piece();
  }

  std::uint64_t block() const { return block_; }
  Bench<Sink>& bench() { return bench_; }

 private:
  // Four buckets of the timer wheel, so that each window's sweeps have the same to do.
  static constexpr DurationNs kStep = DurationNs{4} << 27;

  static Settings lingering(std::uint64_t max_streams) {
    Settings settings = settings_for(max_streams);
    settings.tcpClosingTimeout = static_cast<DurationNs>(kWindows - kPackets) * kStep;
    return settings;
  }

  void poll(Timing& timing) {
    timing.part(burst_.count / static_cast<double>(kPackets), [&] {
      bench_.table.track(burst_);
      bench_.table.expire(bench_.clock, kSweepSteps);
    });
    burst_.count = 0;
  }

  void add(std::uint64_t session, std::uint64_t step) {
    constexpr std::uint32_t kRequest = 32, kResponse = 64;
    struct Step {
      unsigned side;
      std::uint8_t flags;
      std::uint32_t sequence, acknowledgment, payload;
    };
    static constexpr Step kSteps[kPackets] = {
        {0, kTcpSyn, 0, 0, 0},
        {1, kTcpSyn | kTcpAck, 0, 1, 0},
        {0, kTcpAck, 1, 1, 0},
        {0, kTcpAck | kTcpPsh, 1, 1, kRequest},
        {1, kTcpAck | kTcpPsh, 1, 1 + kRequest, kResponse},
        {0, kTcpAck, 1 + kRequest, 1 + kResponse, 0},
        {0, kTcpFin | kTcpAck, 1 + kRequest, 1 + kResponse, 0},
        {1, kTcpFin | kTcpAck, 1 + kResponse, 2 + kRequest, 0},
        {0, kTcpAck, 2 + kRequest, 2 + kResponse, 0},
        {0, kTcpRst, 2 + kRequest, 0, 0},  // late
    };
    const Step& s = kSteps[step];
    bench_.population.fill(burst_.packets[burst_.count++], session, s.side, s.flags, s.sequence,
                           s.acknowledgment, s.payload, bench_.clock);
  }

  std::uint64_t block_;
  std::uint64_t window_ = 0;
  Bench<Sink> bench_;
  std::vector<std::vector<std::uint32_t>> orders_;  // of each step
  Burst burst_;
};

template <class Sink>
void life(benchmark::State& state, Addresses addresses, Order order = Order::random) {
  const auto live = static_cast<std::uint64_t>(state.range(0));
  Life<Sink> life(live, live + live / 4, addresses, order);
  Floor floor(live);
  Timing ours, theirs;
  for (auto _ : state) {
    state.SetIterationTime(life.window(ours));
    floor.piece(theirs, life.block() * life.kPackets);
  }
  const TableCounters& counters = life.bench().counters;
  CHECK(counters.ended_closed.value() == life.bench().sink.records);
  CHECK(counters.ended_evicted.value() + counters.lone_rst.value() == 0);
  report(state, ours, theirs);
  state.counters["ref_ns"] = theirs.at(0) * life.kPackets;
  state.counters["ratio"] = ours.at(0) / (theirs.at(0) * life.kPackets);
  state.counters["M_sessions/s"] = 1e3 / ours.at(0);
  state.counters["live"] = life.bench().table.sessions();
}
void life_binary(benchmark::State& state) {
  life<BinarySink>(state, Addresses::ipv4);
  if (state.range(0) == 1'000'000) state.SetLabel("M_sessions/s >= 2");
}
void life_binary_arrival(benchmark::State& state) {
  life<BinarySink>(state, Addresses::ipv4, Order::arrival);
}
void life_ndjson(benchmark::State& state) {
  life<NdjsonSink>(state, Addresses::ipv4);
  state.SetLabel("M_sessions/s >= 1.3");
}
void life_ndjson_arrival(benchmark::State& state) {
  life<NdjsonSink>(state, Addresses::ipv4, Order::arrival);
}
void life_ndjson_ipv6(benchmark::State& state) { life<NdjsonSink>(state, Addresses::ipv6); }
void life_ndjson_nat(benchmark::State& state) { life<NdjsonSink>(state, Addresses::one_nat); }
BENCHMARK(life_binary)->Arg(100'000)->Arg(1'000'000)->Iterations(40)->UseManualTime();
BENCHMARK(life_binary_arrival)->Arg(1'000'000)->Iterations(40)->UseManualTime();
BENCHMARK(life_ndjson_arrival)->Arg(1'000'000)->Iterations(40)->UseManualTime();
BENCHMARK(life_ndjson)->Arg(1'000'000)->Iterations(40)->UseManualTime();
BENCHMARK(life_ndjson_ipv6)->Arg(1'000'000)->Iterations(40)->UseManualTime();
BENCHMARK(life_ndjson_nat)->Arg(1'000'000)->Iterations(40)->UseManualTime();

// The same where maxStreams has room for this percentage of the sessions that live at a time.
void life_full_table(benchmark::State& state) {
  constexpr std::uint64_t kLive = 1'000'000;
  Life<BinarySink> full(kLive, kLive * static_cast<std::uint64_t>(state.range(0)) / 100);
  Life<BinarySink> roomy(kLive, kLive + kLive / 4);
  Timing ours, theirs;
  for (auto _ : state) {
    state.SetIterationTime(full.window(ours));
    roomy.window(theirs);
  }
  report(state, ours, theirs);
  const TableCounters& counters = full.bench().counters;
  const auto share = [&](const Counter& counter) {
    return 100 * static_cast<double>(counter.value()) /
           static_cast<double>(counters.opened.value());
  };
  state.counters["evicted_%"] = share(counters.ended_evicted);
  state.counters["early_%"] = share(counters.evicted_lingering);
}
BENCHMARK(life_full_table)->Arg(50)->Arg(10)->Iterations(20)->UseManualTime();

// 60-byte frames (64 on the wire) of live sessions in random order, from memory through decode and
// table. 67 ns is the line rate of 10 Gbit/s (mark: 35); 8 M may take twice as long as 100 k.
void decode_to_track(benchmark::State& state) {
  const auto live = static_cast<std::uint64_t>(state.range(0));
  Bench bench(Addresses::ipv4, settings_for(live + live / 8));
  bench.establish(live);
  Floor floor(live);
  const FrameWriter writer;
  constexpr std::size_t kSlot = 64;
  constexpr std::uint32_t kNext = 1 + decltype(bench)::kOpeningBytes;
  Array<std::uint8_t> frames(live * kSlot);
  std::vector<std::uint8_t> frame(kFrameBytesMax);
  std::uint64_t place = 0;
  for (const std::uint32_t i : shuffled(live)) {
    const unsigned side = place & 1;
    writer.write(bench.population.segment(i, side, kTcpAck, kNext, kNext), frame.data());
    std::copy_n(frame.data(), kFrameBytesMin, &frames[kSlot * place++]);
  }
  constexpr std::uint64_t kPiece = 1 << 18;
  Timing ours, theirs;
  Burst burst;
  std::uint64_t at = 0;
  for (auto _ : state) {
    for (std::uint64_t done = 0; done < kPiece; done += kBurstMax) {
      ours.part(kBurstMax, [&] {
        for (burst.count = 0; burst.count < kBurstMax; ++burst.count) {
          Packet& packet = burst.packets[burst.count];
          packet.data = &frames[kSlot * at];
          packet.captured_bytes = packet.wire_bytes = kFrameBytesMin;
          packet.link_type = 1;
          packet.clock = packet.timestamp.value = bench.clock += 67;
          if (++at == live) at = 0;
        }
        decode(burst, bench.decode_settings);
        bench.table.track(burst);
        bench.table.expire(bench.clock, kSweepSteps);
      });
    }
    state.SetIterationTime(ours.piece());
    floor.piece(theirs, kPiece);
  }
  CHECK(bench.table.sessions() == live && bench.counters.opened.value() == live);
  report(state, ours, theirs);
  if (live == 1'000'000) state.SetLabel("ns <= 67");
}
BENCHMARK(decode_to_track)
    ->Arg(100'000)
    ->Arg(1'000'000)
    ->Arg(8'000'000)
    ->Iterations(60)
    ->UseManualTime();

// 5 M SYN/s from tuples of their own beside the packets of 100 k sessions, one for 50 SYNs: none of
// the real ones may go. Each unanswered SYN is a session with a record.
void syn_flood(benchmark::State& state) {
  constexpr std::uint64_t kReal = 100'000, kPiece = 1 << 18;
  Bench<BinarySink> bench(Addresses::ipv4, settings_for(1'000'000));
  bench.establish(kReal);
  Floor floor(1'000'000);
  const std::vector<std::uint32_t> order = shuffled(kReal);
  std::uint64_t attacker = kReal, at = 0;
  constexpr std::uint32_t kNext = 1 + decltype(bench)::kOpeningBytes;
  const auto piece = [&](Timing& timing) {
    Burst burst;
    for (std::uint64_t done = 0; done < kPiece; done += kBurstMax) {
      for (burst.count = 0; burst.count < kBurstMax; ++burst.count) {
        Packet& packet = burst.packets[burst.count];
        bench.clock += kSecond / 5'000'000;
        if ((done + burst.count) % 51 != 0) {
          bench.population.fill(packet, attacker++, 0, kTcpSyn, 0, 0, 0, bench.clock);
        } else {
          bench.population.fill(packet, order[at++ % kReal], 0, kTcpAck, kNext, kNext, 0,
                                bench.clock);
        }
      }
      timing.part(kBurstMax, [&] {
        bench.table.track(burst);
        bench.table.expire(bench.clock, kSweepSteps);
      });
    }
    return timing.piece();
  };
  Timing warming, ours, theirs;
  while (bench.counters.ended_evicted.value() < kPiece) piece(warming);
  for (auto _ : state) {
    state.SetIterationTime(piece(ours));
    floor.piece(theirs, kPiece);
  }
  CHECK(bench.counters.evicted_open.value() == 0);
  report(state, ours, theirs);
  state.counters["M_SYN/s"] = 1e3 / ours.at(0);
}
BENCHMARK(syn_flood)->Iterations(40)->UseManualTime();

// Memory that really became resident with each live session. Ranges: percent of segments that are
// sent again (ten with payload in each session); whether the sessions lie in a VXLAN tunnel.
void memory(benchmark::State& state) {
  constexpr std::uint64_t kSessions = 1'000'000;
  const auto resident = [] {
    std::uint64_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages >> pages;
    return static_cast<double>(pages) * static_cast<double>(sysconf(_SC_PAGESIZE));
  };
  const bool is_tunnelled = state.range(1) != 0;
  std::vector<std::uint8_t> frame(kFrameBytesMax);
  for (auto _ : state) {
    const double before = resident();
    Bench bench(Addresses::ipv4, settings_for(kSessions), false);
    const std::size_t frame_bytes =
        FrameWriter(Wrapping::vxlan)
            .write(bench.population.segment(0, 0, kTcpSyn, 0, 0), frame.data());
    std::mt19937_64 random(1);
    Burst burst;
    burst.count = 1;
    Packet& packet = burst.packets[0];
    const auto see = [&](std::uint64_t i, unsigned side, std::uint8_t flags, std::uint32_t sequence,
                         std::uint32_t acknowledgment, std::uint32_t payload) {
      bench.population.fill(packet, i, side, flags, sequence, acknowledgment, payload, bench.clock);
      packet.tunnel_depth = is_tunnelled ? 1 : 0;
      if (is_tunnelled) {  // whoever opens a session reads its tunnels from the frame
        packet.data = frame.data();
        packet.captured_bytes = packet.wire_bytes = static_cast<std::uint32_t>(frame_bytes);
        packet.link_type = 1;
      }
      bench.table.track(burst);
    };
    for (std::uint64_t i = 0; i < kSessions; ++i) {
      see(i, 0, kTcpSyn, 0, 0, 0);
      see(i, 1, kTcpSyn | kTcpAck, 0, 1, 0);
      see(i, 0, kTcpAck, 1, 1, 0);
      for (std::uint32_t segment = 0; segment < 10; ++segment) {
        const bool repeats = random() % 100 < static_cast<std::uint64_t>(state.range(0));
        for (int times = repeats ? 2 : 1; times > 0; --times)
          see(i, 0, kTcpAck | kTcpPsh, 1 + segment * 100, 1, 100);
      }
    }
    CHECK(bench.table.sessions() == kSessions);
    state.counters["bytes/session"] = (resident() - before) / kSessions;
    if (state.range(0) == 0 && !is_tunnelled) state.SetLabel("bytes/session <= 256");
  }
}
BENCHMARK(memory)->Args({0, 0})->Args({2, 0})->Args({0, 1})->Iterations(1)->Unit(
    benchmark::kMillisecond);

}  // namespace
}  // namespace linger::bench

BENCHMARK_MAIN();
