#include "tests/simulation/run.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <filesystem>
#include <fstream>

#include "engine/ledger.h"
#include "engine/session_record.h"
#include "engine/shard.h"
#include "output/ndjson.h"

namespace linger::test {
namespace {

Seeds seeds_of(const Plan& plan) {
  return {make_hash_seed(plan.seed + 1), make_hash_seed(plan.seed + 2)};
}

Shares shares_of(const Plan& plan) {
  const auto count = static_cast<std::uint32_t>(plan.settings.packetThreads);
  return plan.seed % 2 == 0 ? Shares::equal(count) : Shares::beside_reader(count);
}

std::vector<std::string> lines_of(const std::vector<Record>& records) {
  NdjsonEncoder encoder(RunInfo{});
  std::vector<char> buffer(NdjsonEncoder::kLineBytesMax);
  std::vector<std::string> lines;
  for (const Record& record : records) {
    const std::size_t bytes = encoder.encode(record, buffer.data());
    encoder.complete();
    lines.emplace_back(buffer.data(), bytes - 1);
  }
  std::sort(lines.begin(), lines.end());
  return lines;
}

void add_counts(OracleCounts& sum, const TableCounters& counters) {
#define LINGER_ADD_COUNT(name, help) sum.name += counters.name.value();
  LINGER_TABLE_COUNTERS(LINGER_ADD_COUNT)
#undef LINGER_ADD_COUNT
  sum.streams_missing = 0;  // an estimate, not a count
  sum.sweeps_behind = 0;    // the oracle does not sweep
}

// One table with what a shard has around it; packets wait in `inbox` as in a handoff ring.
class TableRun final : private SessionSink {
 public:
  TableRun(const Plan& plan, const DecodeSettings& decode_settings, std::vector<Record>& records)
      : table_(plan.settings, decode_settings, seeds_of(plan).ids, counters, *this),
        records_(records) {}

  std::deque<Packet> inbox;
  TableCounters counters;

  void work(Random& random, ClockNs source_clock) {
    Burst burst;
    const std::int64_t count_max = random.between(1, kBurstMax);
    while (!inbox.empty() && burst.count < count_max) {
      burst.packets[burst.count++] = inbox.front();
      inbox.pop_front();
    }
    if (burst.count != 0) clock_ = burst.packets[burst.count - 1].clock;
    table_.track(burst);
    if (inbox.empty()) clock_ = std::max(clock_, source_clock);
    if (random.chance(50)) table_.expire(clock_, static_cast<int>(random.log_between(1, 1'000)));
  }

  void finish(ClockNs source_clock) {
    while (!table_.expire(source_clock, 1'000)) {
    }
    table_.finish(Ending::end_of_input);
  }

 private:
  void on_session(const SessionView& view) noexcept override {
    records_.push_back(make_record(view));
  }
  void on_late(const LateBlock& block, const Id128& id) noexcept override {
    records_.push_back(make_late_record(block, id));
  }

  void on_flood(const FloodSecond&) noexcept override {}  // not switched on

  SessionTable table_;
  std::vector<Record>& records_;
  ClockNs clock_ = 0;
};

class TemporaryFile {
 public:
  TemporaryFile() {
    path_ = (std::filesystem::temp_directory_path() / "linger-simulation-XXXXXX").string();
    close(mkstemp(path_.data()));
  }
  ~TemporaryFile() { std::filesystem::remove(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace

Plan make_plan(std::uint64_t seed) {
  Random random(seed);
  random = Random(random.next());
  Plan plan;
  plan.seed = seed;
  plan.profile = kProfiles[seed % kProfiles.size()];
  Settings& s = plan.settings;
  s.maxStreams = 20'000;
  s.extensionPool = 20'000;
  s.packetThreads = static_cast<std::uint64_t>(random.between(1, 3));
  plan.whole_shards = random.chance(30);
  plan.has_limits = plan.profile.is_unambiguous && random.chance(40);
  if (plan.has_limits) {
    s.maxStreams = static_cast<std::uint64_t>(random.between(8, 64));  // of each shard
    s.graveyardSize = 20'000;
    if (random.chance(50)) plan.profile.flood = 500;
  }
  if (plan.profile.is_unambiguous) return plan;
  s.tcpSynTimeout = random.pick({2 * kSecond, 30 * kSecond});
  s.tcpTimeout = random.pick({20 * kSecond, 2 * kMinute, 10 * kMinute});
  s.tcpHalfClosedTimeout = random.pick({3 * kSecond, 120 * kSecond});
  s.tcpClosingTimeout = random.pick({DurationNs{0}, 100 * kMillisecond, 5 * kSecond});
  s.tcpRstTimeout = random.pick({DurationNs{0}, kSecond, 5 * kSecond});
  s.lingerCeiling = random.pick({DurationNs{0}, 8 * kSecond, 30 * kSecond});
  s.lateTimeout = random.pick({5 * kSecond, 30 * kSecond, 120 * kSecond});
  s.continueTimeout = random.pick({kMinute, 130 * kMinute});
  s.tcpSaveTimeout = random.pick({3 * kSecond, 40 * kSecond, 12 * kMinute});
  s.udpSaveTimeout = random.pick({4 * kSecond, 12 * kMinute});
  s.reorderWindow = random.pick({DurationNs{0}, kMillisecond, 50 * kMillisecond});
  s.dedupWindow = random.pick({DurationNs{0}, kMillisecond, 50 * kMillisecond});
  return plan;
}

Outcome run_oracle(const Plan& plan, const std::vector<MemoryPacket>& packets) {
  DecodeSettings decode_settings;
  decode_settings.seed = seeds_of(plan).table;
  Oracle oracle(plan.settings, decode_settings, seeds_of(plan).ids);
  MemorySource source(packets, {.clock_jump = plan.settings.clockJump});
  Burst burst;
  while (source.rx(burst) == RxStatus::packets) {
    decode(burst, decode_settings);
    for (std::uint32_t i = 0; i < burst.count; ++i) oracle.see(burst.packets[i]);
  }
  oracle.finish(Ending::end_of_input);
  return {lines_of(oracle.records()), oracle.records(), oracle.counts(), {}};
}

Outcome run_tables(const Plan& plan, const std::vector<MemoryPacket>& packets) {
  DecodeSettings decode_settings;
  decode_settings.seed = seeds_of(plan).table;
  Outcome outcome;
  Random random(plan.seed + 3);
  const auto count = static_cast<std::uint32_t>(plan.settings.packetThreads);
  std::vector<std::unique_ptr<TableRun>> tables;
  for (std::uint32_t i = 0; i < count; ++i)
    tables.push_back(std::make_unique<TableRun>(plan, decode_settings, outcome.records));
  MemorySource source(packets, {.clock_jump = plan.settings.clockJump});
  const Shares shares = shares_of(plan);
  Burst burst;
  const auto work_all = [&](int percent) {
    for (auto& table : tables)
      if (random.chance(percent)) table->work(random, burst.clock);
  };
  while (source.rx(burst) == RxStatus::packets) {
    decode(burst, decode_settings);
    for (std::uint32_t i = 0; i < burst.count; ++i)
      if (burst.packets[i].verdict == Verdict::session)
        tables[shares.owner_of(burst.packets[i].hash)]->inbox.push_back(burst.packets[i]);
    work_all(70);
  }
  const auto is_idle = [](const auto& table) { return table->inbox.empty(); };
  while (!std::all_of(tables.begin(), tables.end(), is_idle)) work_all(100);
  for (auto& table : tables) {
    table->finish(burst.clock);
    add_counts(outcome.counts, table->counters);
  }
  outcome.lines = lines_of(outcome.records);
  return outcome;
}

Outcome run_shards(const Plan& plan, const std::vector<MemoryPacket>& packets) {
  const auto count = static_cast<std::uint32_t>(plan.settings.packetThreads);
  TemporaryFile file;
  std::vector<std::unique_ptr<Output>> outputs;
  OutputUri uri;
  uri.destination = Destination::file;
  uri.path = uri.text = file.path();
  outputs.push_back(std::make_unique<Output>(
      uri, OutputOptions{.shard_count = count, .ring_capacity = 64, .run = {}, .writer = {}}));
  if (!outputs.front()->open()) return {{}, {}, {}, {"cannot open " + file.path()}};
  outputs.front()->start();
  Handoff handoff(shares_of(plan), packets.size() + 1);  // nobody may wait in one thread
  std::vector<std::unique_ptr<Shard>> shards;
  for (std::uint32_t i = 0; i < count; ++i)
    shards.push_back(
        std::make_unique<Shard>(i, plan.settings, seeds_of(plan), handoff, outputs, true));
  MemorySource source(packets, {.clock_jump = plan.settings.clockJump});
  shards.front()->attach(source);
  Random random(plan.seed + 3);
  for (std::uint32_t done = 0; done < count;) {
    done = 0;
    for (auto& shard : shards)
      if (random.chance(70)) done += shard->poll() == Shard::Progress::done;
  }
  outputs.front()->finish();

  Outcome outcome;
  for (auto& shard : shards) add_counts(outcome.counts, shard->counters().table);
  outcome.residues = make_ledger(shards, outputs, 0).residues();
  std::ifstream in(file.path());
  for (std::string line; std::getline(in, line);) outcome.lines.push_back(line);
  std::sort(outcome.lines.begin(), outcome.lines.end());
  return outcome;
}

std::string check_seed(std::uint64_t seed) {
  const Plan plan = make_plan(seed);
  const Traffic traffic = make_traffic(plan.profile, seed);
  const Outcome oracle = run_oracle(plan, traffic.packets);
  std::string found;
  if (plan.profile.is_unambiguous) found = truth_difference(plan, traffic, oracle);
  if (plan.has_limits) {
    const Outcome tables = run_tables(plan, traffic.packets);
    if (found.empty()) found = chain_difference(plan, traffic.packets, oracle, tables);
    if (found.empty()) found = truth_difference(plan, traffic, tables);
  } else if (!plan.whole_shards) {
    if (found.empty())
      found = difference(plan, traffic.packets, oracle, run_tables(plan, traffic.packets));
  }
  if (plan.whole_shards && found.empty()) {
    const Outcome shards = run_shards(plan, traffic.packets);
    if (!shards.residues.empty()) found = "ledger: " + shards.residues.front();
    if (!plan.has_limits && found.empty())
      found = difference(plan, traffic.packets, oracle, shards);
  }
  if (found.empty()) return found;
  return fmt::format("seed {} (traffic '{}', {} shard{}{}{}):\n{}\n", seed, plan.profile.name,
                     plan.settings.packetThreads, plan.settings.packetThreads == 1 ? "" : "s",
                     plan.has_limits ? ", small tables" : "",
                     plan.whole_shards ? ", whole shards" : "", found);
}

}  // namespace linger::test
