// One core's part of the engine: a source (or none), its share of the sessions, their records.
//
// poll() is the data path, top to bottom; nothing below it locks, allocates, logs or makes a system
// call. Owner: the thread that calls poll(); counters are read by anybody.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/applications.h"
#include "engine/base/counters.h"
#include "engine/base/settings.h"
#include "engine/handoff.h"
#include "engine/mptcp_collector.h"
#include "engine/options.h"
#include "engine/packet/decode.h"
#include "engine/packet/defrag.h"
#include "engine/source/source.h"
#include "output/output.h"
#include "sessiontable/session_table.h"

namespace linger {

// Seeds of one run, the same for all its shards.
struct Seeds {
  HashSeed table;  // secret: where a key lies in the tables
  HashSeed ids;    // event.id
};

// What a shard counts outside its session table.
struct ShardCounters {
  std::array<Counter, kVerdictCount> packets;  // decoded, by verdict
  std::array<Counter, kVerdictCount> bytes;
  Counter handed_over;   // packets given to the shard that owns their session
  Counter handoff_full;  // packets dropped because that shard did not keep up (live only)
  Counter handoff_full_bytes;
  ChecksumCounters checksums;
  TableCounters table;
  ParserCounters parsers;
  DefragCounters defrag;
};

class Shard final : private SessionSink, private DefragSink {
 public:
  Shard(std::uint32_t index, const Settings& settings, const Seeds& seeds, Handoff& handoff,
        std::vector<std::unique_ptr<Output>>& outputs, bool waits);

  // Before the first poll. A shard without a source works on what others hand over.
  void attach(Source& source) noexcept { source_ = &source; }

  // Before the first poll. Without it, nobody reads what the sessions say.
  void read_applications(const Settings& settings, const Detector& detector);

  // Before the first poll. Without it, MPTCP connections are not put together.
  void attach(MptcpCollector& collector) noexcept { collector_ = &collector; }

  enum class Progress : std::uint8_t { busy, idle, done };
  Progress poll() noexcept;

  // Reads no further: the sessions end as `shutdown`. Any thread.
  void stop() noexcept { stopping_.store(true, std::memory_order_relaxed); }

  const ShardCounters& counters() const noexcept { return counters_; }
  std::uint32_t sessions() const noexcept { return table_.sessions(); }
  std::uint64_t table_bytes() const noexcept { return table_.bytes(); }

  // Test only: loses one thing on purpose, so that a test sees the ledger catch it.
  void lose_for_test(TestLoss loss) noexcept;

 private:
  bool receive() noexcept;
  void join_fragments(const Burst& burst) noexcept;
  void pass_on(Burst& burst) noexcept;
  void count(const Burst& burst) noexcept;
  void count_checksums(const Packet& packet) noexcept;
  void exchange(Burst& burst) noexcept;
  bool take_over() noexcept;
  bool is_lost(TestLoss what) noexcept;
  void finish() noexcept;

  void on_packet(const Packet& packet) noexcept override;
  bool on_full() noexcept override;
  void pass_on_joined() noexcept;

  void on_session(const SessionView& view) noexcept override;
  void on_late(const LateBlock& block, const Id128& id) noexcept override;
  void on_flood(const FloodSecond& flood, const Id128& id) noexcept override;
  void on_subflow(const SessionView& view) noexcept override;
  void hand(const Record& record, Bytes items = {}) noexcept;

  const std::uint32_t index_;
  const bool waits_;  // replay: for the other shards and the outputs
  DecodeSettings decode_settings_;
  Handoff& handoff_;
  std::vector<std::unique_ptr<Output>>& outputs_;
  Source* source_ = nullptr;
  MptcpCollector* collector_ = nullptr;
  bool source_ended_ = false;
  bool finished_ = false;
  TestLoss loss_ = TestLoss::none;
  ClockNs clock_ = 0;
  ShardCounters counters_;
  SessionTable table_;
  std::unique_ptr<Applications> applications_;  // null: none
  Defrag defrag_;
  std::unique_ptr<Burst> burst_ = std::make_unique<Burst>();
  std::unique_ptr<Burst> joined_ = std::make_unique<Burst>();  // with datagrams for fragments
  std::atomic<bool> stopping_{false};
};

}  // namespace linger
