#include "tests/simulation/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <fstream>
#include <functional>

#include "engine/ledger.h"
#include "engine/packet/defrag.h"
#include "engine/session_record.h"
#include "engine/shard.h"
#include "output/ndjson.h"
#include "tests/support/temporary_folder.h"

namespace linger::test {
namespace {

Seeds seeds_of(const Plan& plan) {
  return {make_hash_seed(plan.seed + 1), make_hash_seed(plan.seed + 2)};
}

Shares shares_of(const Plan& plan) {
  const auto count = static_cast<std::uint32_t>(plan.settings.packetThreads);
  return plan.seed % 2 == 0 ? Shares::equal(count) : Shares::beside_reader(count);
}

std::vector<std::string> lines_of(const std::vector<Record>& records,
                                  const std::vector<MptcpConnection>& connections) {
  NdjsonEncoder encoder(RunInfo{});
  std::vector<char> buffer(NdjsonEncoder::kLineBytesMax);
  std::vector<std::string> lines;
  const auto encode = [&](const auto& record) {
    const std::size_t bytes = encoder.encode(record, buffer.data());
    encoder.complete();
    lines.emplace_back(buffer.data(), bytes - 1);
  };
  for (const Record& record : records) encode(record);
  for (const MptcpConnection& connection : connections) encode(connection);
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
  std::deque<MptcpNotice> notices;  // likewise, to who puts connections together
  TableCounters counters;

  // Behind all its notices.
  ClockNs clock() const { return clock_; }

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
    const Record& record = records_.emplace_back(make_record(view));
    if (view.mptcp == nullptr || view.is_interim) return;
    const MptcpNotice notice = make_last_notice(view, record);
    if (notice.names_connection()) notices.push_back(notice);
  }
  void on_subflow(const SessionView& view) noexcept override {
    notices.push_back(make_notice(view));
  }
  void on_late(const LateBlock& block, const Id128& id) noexcept override {
    records_.push_back(make_late_record(block, id));
  }

  void on_flood(const FloodSecond&) noexcept override {}  // not switched on

  SessionTable table_;
  std::vector<Record>& records_;
  ClockNs clock_ = 0;
};

// Fragments become datagrams, whose bytes stay for as long as this.
class Joiner final : private DefragSink {
 public:
  using See = std::function<void(const Packet&)>;

  Joiner(const Settings& settings, const DecodeSettings& decode_settings, See see)
      : see_(std::move(see)), defrag_(settings, decode_settings, counters_, *this) {}

  void add(const Packet& packet) {
    defrag_.expire(packet.clock);
    packet.verdict == Verdict::fragment ? defrag_.add(packet) : see_(packet);
    defrag_.begin_burst();
  }
  void finish(ClockNs clock) { defrag_.finish(clock); }

 private:
  void on_packet(const Packet& packet) noexcept override {
    Packet kept = packet;
    bytes_.emplace_back(packet.data, packet.data + packet.captured_bytes);
    kept.data = bytes_.back().data();
    kept.buffer = nullptr;
    see_(kept);
  }
  bool on_full(const Packet&) noexcept override {
    defrag_.begin_burst();
    return true;
  }

  See see_;
  DefragCounters counters_;
  Defrag defrag_;
  std::deque<std::vector<std::uint8_t>> bytes_;
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
  s.tcpSynTimeout = random.pick({2 * kSecond, 40 * kSecond});
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
  s.fragsTimeout = random.pick({kSecond, 15 * kSecond});
  s.mptcpTimeout = random.pick({DurationNs{0}, 2 * kSecond, 20 * kSecond, kMinute});
  return plan;
}

ClockNs read_datagrams(const Plan& plan, const std::vector<MemoryPacket>& packets,
                       const Datagrams::See& see) {
  const DecodeSettings decode_settings = decode_settings_of(plan.settings, seeds_of(plan).table);
  Datagrams datagrams(plan.settings.fragsTimeout, decode_settings, see);
  MemorySource source(packets, {.clock_jump = plan.settings.clockJump});
  Burst burst;
  while (source.rx(burst) == RxStatus::packets) {
    decode(burst, decode_settings);
    for (std::uint32_t i = 0; i < burst.count; ++i) datagrams.add(burst.packets[i]);
  }
  datagrams.finish(burst.clock);
  return burst.clock;
}

Outcome run_oracle(const Plan& plan, const std::vector<MemoryPacket>& packets) {
  const DecodeSettings decode_settings = decode_settings_of(plan.settings, seeds_of(plan).table);
  Oracle oracle(plan.settings, decode_settings, seeds_of(plan).ids);
  const ClockNs end =
      read_datagrams(plan, packets, [&](const Packet& packet) { oracle.see(packet); });
  oracle.finish(Ending::end_of_input, end);
  return {lines_of(oracle.records(), oracle.connections()), oracle.records(), oracle.counts(), {}};
}

Outcome run_tables(const Plan& plan, const std::vector<MemoryPacket>& packets) {
  const DecodeSettings decode_settings = decode_settings_of(plan.settings, seeds_of(plan).table);
  Outcome outcome;
  Random random(plan.seed + 3);
  const auto count = static_cast<std::uint32_t>(plan.settings.packetThreads);
  std::vector<std::unique_ptr<TableRun>> tables;
  for (std::uint32_t i = 0; i < count; ++i)
    tables.push_back(std::make_unique<TableRun>(plan, decode_settings, outcome.records));
  MemorySource source(packets, {.clock_jump = plan.settings.clockJump});
  const Shares shares = shares_of(plan);
  Burst burst;
  Joiner joiner(plan.settings, decode_settings, [&](const Packet& packet) {
    if (packet.verdict == Verdict::session)
      tables[shares.owner_of(packet.hash)]->inbox.push_back(packet);
  });
  std::vector<MptcpConnection> told;
  MptcpCounters mptcp_counters;
  MptcpConnections connections(plan.settings.mptcpTimeout, plan.settings.mptcpPool, mptcp_counters,
                               [&](const MptcpConnection& one) { told.push_back(one); });
  const auto meet = [&] {  // as MptcpCollector does; the order of the rings is chance
    ClockNs clock = INT64_MAX;
    for (const auto& table : tables) clock = std::min(clock, table->clock());
    for (std::size_t i = tables.size(), first = static_cast<std::size_t>(random.below(8)); i > 0;
         --i) {
      auto& notices = tables[(first + i) % tables.size()]->notices;
      for (; !notices.empty(); notices.pop_front()) connections.add(notices.front());
    }
    connections.advance(clock);
  };
  const auto work_all = [&](int percent) {
    for (auto& table : tables)
      if (random.chance(percent)) table->work(random, burst.clock);
    if (random.chance(30)) meet();
  };
  while (source.rx(burst) == RxStatus::packets) {
    decode(burst, decode_settings);
    for (std::uint32_t i = 0; i < burst.count; ++i) joiner.add(burst.packets[i]);
    work_all(70);
  }
  joiner.finish(burst.clock);
  const auto is_idle = [](const auto& table) { return table->inbox.empty(); };
  while (!std::all_of(tables.begin(), tables.end(), is_idle)) work_all(100);
  for (auto& table : tables) {
    table->finish(burst.clock);
    add_counts(outcome.counts, table->counters);
    if (random.chance(50)) meet();
  }
  meet();
  connections.finish();
  outcome.lines = lines_of(outcome.records, told);
  return outcome;
}

Outcome run_shards(const Plan& plan, const std::vector<MemoryPacket>& packets) {
  const auto count = static_cast<std::uint32_t>(plan.settings.packetThreads);
  const TemporaryFolder folder;
  std::vector<std::unique_ptr<Output>> outputs;
  OutputUri uri;
  uri.destination = Destination::file;
  uri.path = uri.text = folder.file("records");
  outputs.push_back(std::make_unique<Output>(
      uri, OutputOptions{.shard_count = count, .ring_capacity = 64, .run = {}, .writer = {}}));
  if (!outputs.front()->open()) return {{}, {}, {}, {"cannot open " + uri.path}};
  outputs.front()->start();
  Handoff handoff(shares_of(plan), packets.size() + 1);  // nobody may wait in one thread
  std::vector<std::unique_ptr<Shard>> shards;
  for (std::uint32_t i = 0; i < count; ++i)
    shards.push_back(
        std::make_unique<Shard>(i, plan.settings, seeds_of(plan), handoff, outputs, true));
  MptcpCollector collector(plan.settings, outputs, true);
  for (auto& shard : shards) shard->attach(collector);
  collector.start();
  MemorySource source(packets, {.clock_jump = plan.settings.clockJump});
  shards.front()->attach(source);
  Random random(plan.seed + 3);
  for (std::uint32_t done = 0; done < count;) {
    done = 0;
    for (auto& shard : shards)
      if (random.chance(70)) done += shard->poll() == Shard::Progress::done;
  }
  collector.finish();
  outputs.front()->finish();

  Outcome outcome;
  for (auto& shard : shards) add_counts(outcome.counts, shard->counters().table);
  Ledger ledger = make_ledger(shards, outputs, 0);
  add(ledger, collector.counters());
  outcome.residues = ledger.residues();
  std::ifstream in(uri.path);
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
