// One core's part of the engine: its sources (none in a replay, but for the first shard), its share
// of the sessions, their records.
//
// poll() is the data path, top to bottom; nothing below it locks, allocates, logs or makes a system
// call. What comes from several sources is steered and told in the order of its timestamps, and a
// source with more waits for one that gave a full burst; what comes from other shards is told in
// that order within one poll, and where sessions come apart (Handoff) altogether. The shard's time
// never goes back. Owner: the thread that calls poll(); counters are read by anybody.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/applications.h"
#include "engine/base/counters.h"
#include "engine/base/settings.h"
#include "engine/handoff.h"
#include "engine/loss_log.h"
#include "engine/mptcp_collector.h"
#include "engine/options.h"
#include "engine/packet/decode.h"
#include "engine/packet/defrag.h"
#include "engine/profile.h"
#include "engine/seeds.h"
#include "engine/source/source.h"
#include "output/output.h"
#include "sessiontable/session_table.h"

namespace linger {

// What a shard counts outside its session table.
struct ShardCounters {
  std::array<Counter, kVerdictCount> packets;  // decoded, by verdict
  std::array<Counter, kVerdictCount> bytes;
  Counter unknown_link_type;  // the highest one that decode did not know; 0: none
  Counter handoff_full;       // packets dropped because that shard did not keep up (live only)
  Counter handoff_full_bytes;
  DecodeCounters decode;
  TableCounters table;
  ParserCounters parsers;
  DefragCounters defrag;
  SteeringCounters steering;
};

class alignas(64) Shard final : private SessionSink, private DefragSink {
 public:
  Shard(std::uint32_t index, const Settings& settings, const Seeds& seeds, Handoff& handoff,
        std::vector<std::unique_ptr<Output>>& outputs, bool waits);

  // Before the first poll, once for each source. A shard without one works on what others hand
  // over.
  void attach(Source& source) {
    plays_in_step_ = source.is_recorded() && (own_.empty() || plays_in_step_);
    own_.emplace_back().source = &source;
  }

  // Before anything else, if at all.
  void measure() noexcept { profile_.switch_on(); }
  const Profile& profile() const noexcept { return profile_; }

  // Before the first poll. Without it, nobody reads what the sessions say.
  void read_applications(const Settings& settings, const Reading& reading);

  // Control thread; null: nobody reads.
  Applications* applications() const noexcept { return applications_.get(); }

  // Before the first poll. Without it, MPTCP connections are not put together.
  void attach(MptcpCollector& collector) noexcept { collector_ = &collector; }

  enum class Progress : std::uint8_t { busy, idle, done };
  Progress poll() noexcept;

  // Takes what had arrived and reads no further; open sessions of all shards end like this. Any
  // thread.
  void stop(Ending ending) noexcept {
    ending_.store(ending, std::memory_order_relaxed);
    stopping_.store(true, std::memory_order_release);  // with has_stopped()
  }

  const ShardCounters& counters() const noexcept { return counters_; }
  // For SessionReader, any thread.
  const SessionTable& table() const noexcept { return table_; }
  std::uint32_t sessions() const noexcept { return table_.sessions(); }
  std::uint32_t sessions_max() const noexcept { return table_.capacity(); }

  // Touches all memory of the tables now, so that a live run never waits for a page.
  void populate() noexcept {
    table_.populate();
    if (applications_ != nullptr) applications_->populate();
  }

  // Before the first poll: marks records of sessions during which packets of their ports were lost,
  // there or on the way to another shard. Which ports those are a session knows if it is told to,
  // before populate(); else all count.
  void attach(const LossLog& losses) noexcept { losses_ = &losses; }
  void know_ports() { table_.know_ports(); }

  // Test only: loses one thing on purpose, so that a test sees the ledger catch it.
  void lose_for_test(TestLoss loss) noexcept;

 private:
  // One place that packets come from, and what came in this poll.
  struct Inlet {
    Source* source = nullptr;  // null: another shard
    bool is_draining = false;
    bool is_idle = false;  // it had no more; a file: it is at its end
    bool has_ended = false;
    ClockNs complete_to = kNever;  // another shard: none that it gives later is before
    std::uint32_t next = 0;        // packet of the burst to be tracked
    std::unique_ptr<Burst> burst = std::make_unique<Burst>();
  };

  bool receive() noexcept;
  bool receive(Inlet& inlet) noexcept;
  bool merges_sources() const noexcept { return own_.size() > 1 && !plays_in_step_; }
  void merge_sources() noexcept;
  bool has_stopped(Inlet& inlet) noexcept;
  void end_of_sources() noexcept;
  void steer(std::unique_ptr<Burst>& burst, bool has_fragments) noexcept;
  void join_fragments(std::unique_ptr<Burst>& burst) noexcept;
  void count(const Burst& burst) noexcept;
  void count_flags(const Packet& packet) noexcept;
  void exchange(Burst& burst) noexcept;
  void set_aside(const Burst& burst) noexcept;
  void hand_over(const Burst& burst, PacketList which, std::uint32_t owner) noexcept;
  bool take_over() noexcept;
  bool track_all() noexcept;
  bool merge() noexcept;
  void track_merged() noexcept;
  Inlet* earliest() noexcept;
  Inlet* earliest_of_own() noexcept;
  static Inlet* earlier(Inlet* one, Inlet& other) noexcept;
  bool is_held(const Packet& packet) const noexcept;
  bool has_empty_inlet() const noexcept;
  void stamp(Burst& burst) noexcept;
  void track(Burst& burst) noexcept;
  void lose_one(Burst& burst) noexcept;
  void count_handed_over(const Burst& burst, PacketList which) noexcept;
  void sample_directions(const Burst& burst, std::uint32_t from) noexcept;
  bool sweep() noexcept;
  void finish() noexcept;
  // For the other shards; an owner never waits for us.
  bool may_wait() const noexcept { return waits_ || plays_in_step_; }
  // How far time has come for what was tracked and handed over.
  ClockNs passed() const noexcept { return plays_in_step_ ? time_ : clock_; }

  void on_packet(const Packet& packet) noexcept override;
  bool on_full(const Packet& datagram) noexcept override;
  void pass_on_joined() noexcept;

  void on_session(const SessionView& view) noexcept override;
  void on_late(const LateBlock& block, const Id128& id) noexcept override;
  void on_flood(const FloodSecond& flood) noexcept override;
  void on_subflow(const SessionView& view) noexcept override;
  void on_news(const SessionView& view, ClockNs clock) noexcept override;
  void hand(Record& record, PortSet ports, Bytes items = {}) noexcept;
  void publish_clock(ClockNs clock) noexcept;

  const std::uint32_t index_;
  const bool waits_;  // replay: for the other shards and the outputs
  DecodeSettings decode_settings_;
  Handoff& handoff_;
  std::vector<std::unique_ptr<Output>>& outputs_;
  MptcpCollector* collector_ = nullptr;
  const LossLog* losses_ = nullptr;
  bool sources_ended_ = false;
  bool finished_ = false;
  TestLoss loss_ = TestLoss::none;
  ClockNs arrived_ = 0;           // how far our sources have come
  ClockNs clock_ = 0;             // how far they and the other shards have
  ClockNs complete_to_ = kNever;  // live: all that is before has come, through whatever shard
  ClockNs time_ = 0;              // live: how far the table has; no packet is tracked before it
  ClockNs swept_ = 0;             // live: time_ at the last sweep
  bool is_behind_ = false;        // which left sessions due
  std::vector<DurationNs> waited_for_;  // and for how long that was for want of each output's room
  ShardCounters counters_;
  SessionTable table_;
  std::unique_ptr<Applications> applications_;  // null: none
  Profile profile_;
  std::unique_ptr<ProfiledStage> profiled_stage_;  // null: not measured
  Defrag defrag_;
  // A session whose directions are compared: where the first one that was seen arrives.
  struct Sample {
    FlowHash hash = 0;
    std::uint8_t from = 0;
    std::uint8_t direction = 0;
  };
  std::array<Sample, 64> samples_{};
  // All sources are recorded and ours: no packet is tracked, or handed over, before an earlier one.
  bool plays_in_step_ = false;
  std::vector<Inlet> own_;     // one for each source
  Inlet merged_sources_;       // what merge_sources() merges
  std::vector<Inlet> others_;  // one for each shard; ours has what was set aside
  struct Owned {
    std::uint32_t count = 0;
    std::array<std::uint8_t, kBurstMax> places{};
    PacketList packets() const noexcept { return {places.data(), count}; }
  };
  std::vector<Owned> owned_;  // by each shard, of the burst that exchange() looks at
  std::unique_ptr<Burst> merged_ = std::make_unique<Burst>();
  std::unique_ptr<Burst> joined_ = std::make_unique<Burst>();  // datagrams, on their way to a burst
  std::atomic<bool> stopping_{false};
  std::atomic<Ending> ending_{Ending::end_of_input};
};

}  // namespace linger
