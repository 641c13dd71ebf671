// The session table's lookups beside rte_hash on the same keys: SessionTable::track() of packets of
// live sessions in random order, misses, and new sessions.
//
// Our side gets decoded packets with their hash (decode makes it; see decode_bench), finds the
// session and updates it: sequence space, counters, times. The reference hashes its 16-byte key (48
// for IPv6) and finds a value. Both get bursts, the reference of the 64 keys that it takes at most,
// from the first-level cache.
// 2,000 sessions fit in the cache: what the instructions cost.
#include "bench/measure.h"
#include "bench/population.h"
#include "bench/rte_hash_table.h"

namespace linger::bench {
namespace {

constexpr std::uint64_t kPiece = 1 << 18;  // packets
constexpr std::uint32_t kPayload = 6;      // of data packets: a frame of 60 bytes

// The reference, filled with the keys of sessions 0 … count - 1.
std::unique_ptr<RteHashTable> reference_table(const Population& population, std::uint64_t count,
                                              std::uint64_t capacity, Addresses addresses) {
  auto table = std::make_unique<RteHashTable>(static_cast<std::uint32_t>(capacity),
                                              addresses == Addresses::ipv6);
  for (std::uint64_t i = 0; i < count; ++i)
    CHECK(table->add(RteHashTable::key_of(population.key(i)), i));
  return table;
}

// Runs `time(keys)` over bursts of sessions in this order, from `at` on, round and round.
template <class Time>
void over_keys(const Population& population, const std::vector<std::uint32_t>& order,
               std::size_t& at, Time&& time) {
  std::array<RteHashTable::Key, kLookupMax> keys;
  for (std::uint64_t done = 0; done < kPiece; done += kLookupMax) {
    for (RteHashTable::Key& key : keys) {
      key = RteHashTable::key_of(population.key(order[at]));
      if (++at == order.size()) at = 0;
    }
    time(std::span<const RteHashTable::Key>(keys));
  }
}

// Packets of live sessions, in order, each session once a round.
void hit(benchmark::State& state, Addresses addresses, std::uint32_t payload) {
  const auto live = static_cast<std::uint64_t>(state.range(0));
  Bench bench(addresses, settings_for(live + live / 8));
  bench.establish(live);
  const auto reference = reference_table(bench.population, live, live, addresses);
  const std::vector<std::uint32_t> order = shuffled(live);
  constexpr std::uint32_t kNext = 1 + decltype(bench)::kOpeningBytes;
  std::size_t at = 0, reference_at = 0;
  std::uint32_t round = 0;
  Timing ours, theirs;
  Burst burst;
  for (auto _ : state) {
    for (std::uint64_t done = 0; done < kPiece; done += kBurstMax) {
      for (burst.count = 0; burst.count < kBurstMax; ++burst.count) {
        const unsigned side = round & 1;
        const std::uint32_t sent = kNext + round / 2 * payload;
        const std::uint32_t received = kNext + (round + 1) / 2 * payload;
        bench.population.fill(burst.packets[burst.count], order[at], side,
                              payload != 0 ? kTcpAck | kTcpPsh : kTcpAck, sent,
                              side == 0 ? sent : received, payload, bench.clock += 10);
        if (++at == live) at = 0, ++round;
      }
      ours.part(kBurstMax, [&] { bench.table.track(burst); });
    }
    state.SetIterationTime(ours.piece());
    std::uint64_t hits = ~0ull;
    over_keys(bench.population, order, reference_at, [&](auto keys) {
      theirs.part(kLookupMax, [&] { hits &= reference->lookup(keys); });
    });
    theirs.piece();
    CHECK(hits == ~0ull);
  }
  CHECK(bench.table.sessions() == live && bench.sink.sessions == 0);
  report(state, ours, theirs);
}

void hit_data(benchmark::State& state) {
  hit(state, Addresses::ipv4, kPayload);
  switch (state.range(0)) {
    case 100'000:
      return state.SetLabel("ratio <= 1");
    case 1'000'000:
      return state.SetLabel("ratio <= 0.85");
    case 8'000'000:
      return state.SetLabel("ratio <= 0.65");
  }
}
void hit_ack(benchmark::State& state) { hit(state, Addresses::ipv4, 0); }
void hit_ipv6(benchmark::State& state) { hit(state, Addresses::ipv6, kPayload); }
void hit_one_nat(benchmark::State& state) { hit(state, Addresses::one_nat, kPayload); }

void sizes(benchmark::internal::Benchmark* b) {
  b->Arg(2'000)->Arg(100'000)->Arg(1'000'000)->Arg(8'000'000);
  b->Iterations(60)->UseManualTime()->Unit(benchmark::kMillisecond);
}
BENCHMARK(hit_data)->Apply(sizes);
BENCHMARK(hit_ack)->Apply(sizes);
BENCHMARK(hit_ipv6)->Arg(1'000'000)->Iterations(60)->UseManualTime();
BENCHMARK(hit_one_nat)->Arg(100'000)->Arg(1'000'000)->Iterations(60)->UseManualTime();

// No such session: what track() looks at before it opens one, the index of live sessions and that
// of four times as many graves.
void miss(benchmark::State& state) {
  const auto live = static_cast<std::uint64_t>(state.range(0));
  const Population population(Addresses::ipv4);
  FlowIndex sessions(live, IndexLoad::sparse), graves(4 * live, IndexLoad::dense);
  for (std::uint64_t i = 0; i < 5 * live; ++i) {
    FlowIndex& index = i < live ? sessions : graves;
    index.insert(hash_of(population.key(i), population.seed()), static_cast<std::uint32_t>(i));
  }
  const auto reference = reference_table(population, live, live, Addresses::ipv4);
  std::vector<std::uint32_t> order = shuffled(live);
  for (std::uint32_t& i : order) i += static_cast<std::uint32_t>(5 * live);
  std::size_t at = 0, reference_at = 0;
  Timing ours, theirs;
  for (auto _ : state) {
    std::uint64_t candidates = 0;
    for (std::uint64_t done = 0; done < kPiece; done += kBurstMax) {
      std::array<FlowHash, kBurstMax> hashes;
      for (FlowHash& hash : hashes) {
        hash = hash_of(population.key(order[at]), population.seed());
        if (++at == order.size()) at = 0;
      }
      const auto no = [&](std::uint32_t) { return ++candidates, false; };
      ours.part(kBurstMax, [&] {
        for (const FlowHash hash : hashes) sessions.prefetch(hash);
        for (const FlowHash hash : hashes) {
          sessions.find(hash, no);
          graves.prefetch(hash);
        }
        for (const FlowHash hash : hashes) graves.find(hash, no);
      });
    }
    state.SetIterationTime(ours.piece());
    std::uint64_t hits = 0;
    over_keys(population, order, reference_at, [&](auto keys) {
      theirs.part(kLookupMax, [&] { hits |= reference->lookup(keys); });
    });
    theirs.piece();
    CHECK(hits == 0 && candidates < kPiece / 100);
  }
  report(state, ours, theirs);
}
BENCHMARK(miss)->Apply(sizes);

// SYNs of new sessions beside live ones; they end as attempts and are buried before the next piece.
// The reference adds the same keys.
void create(benchmark::State& state) {
  constexpr std::uint64_t kFresh = kPiece / 4;
  const auto live = static_cast<std::uint64_t>(state.range(0));
  Bench bench(Addresses::ipv4, settings_for(live + 2 * kFresh));
  bench.establish(live);
  const auto reference =
      reference_table(bench.population, live, live + 2 * kFresh, Addresses::ipv4);
  const std::vector<std::uint32_t> order = shuffled(kFresh);
  std::uint64_t first = live;
  Timing ours, theirs;
  Burst burst;
  for (auto _ : state) {
    for (std::uint64_t done = 0; done < kFresh;) {
      for (burst.count = 0; burst.count < kBurstMax; ++burst.count)
        bench.population.fill(burst.packets[burst.count], first + order[done++], 0, kTcpSyn, 0, 0,
                              0, bench.clock += 10);
      ours.part(kBurstMax, [&] { bench.table.track(burst); });
    }
    state.SetIterationTime(ours.piece());
    CHECK(bench.table.sessions() == live + kFresh);
    bench.clock += 2 * bench.settings.tcpSynTimeout;
    while (bench.table.sessions() != live) bench.table.expire(bench.clock, 4 * kBurstMax);

    for (std::uint64_t done = 0; done < kFresh;) {
      std::array<RteHashTable::Key, kLookupMax> keys;
      for (RteHashTable::Key& key : keys)
        key = RteHashTable::key_of(bench.population.key(first + order[done++]));
      theirs.part(kLookupMax, [&] {
        for (const RteHashTable::Key& key : keys) reference->add(key, 0);
      });
    }
    theirs.piece();
    for (std::uint64_t i = 0; i < kFresh; ++i)
      reference->remove(RteHashTable::key_of(bench.population.key(first + i)));
    first += kFresh;
  }
  report(state, ours, theirs);
}
BENCHMARK(create)->Arg(100'000)->Arg(1'000'000)->Iterations(60)->UseManualTime();

}  // namespace
}  // namespace linger::bench

BENCHMARK_MAIN();
