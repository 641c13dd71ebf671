// The sessions of one shard: finds or opens the session of each packet, keeps its state and timers,
// and hands every session out exactly once when it ends.
//
//     packet -> index -> session        open or lingering: joins it
//                     -> graveyard      recorded: late packet, continuation or reuse
//                     -> a new session
//
// Owner: one shard; nobody else calls it. Decisions compare source clocks only, so what is handed
// out never depends on when the sweep came. Limits: maxStreams and the pools, taken at start; a
// full table evicts (due, lingering, half-open, longest idle) in a constant number of steps. Cost:
// track() works a burst in stages, each prefetching for the next.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

#include "engine/base/counters.h"
#include "engine/base/id.h"
#include "engine/base/mapping.h"
#include "engine/base/settings.h"
#include "engine/packet/decode.h"
#include "engine/packet/packet.h"
#include "sessiontable/demand.h"
#include "sessiontable/extension_pool.h"
#include "sessiontable/flow_index.h"
#include "sessiontable/free_list.h"
#include "sessiontable/graveyard.h"
#include "sessiontable/mptcp.h"
#include "sessiontable/planted.h"
#include "sessiontable/session.h"
#include "sessiontable/stream_stage.h"
#include "sessiontable/syn_flood.h"
#include "sessiontable/tcp.h"
#include "sessiontable/timer_wheel.h"
#include "sessiontable/tunnel_table.h"

namespace linger {

// A session as it is handed out; valid during the call.
struct SessionView {
  Session session;
  const Extension* extension;  // null: none
  Id128 id;
  Ending ending;
  bool is_interim;
  std::uint32_t sequence;
  std::uint32_t reader = kNoStream;       // what a StreamSink calls it, or kStreamDry
  const SessionRare* rare = nullptr;      // null: none
  const TunnelLayers* tunnels = nullptr;  // addresses of the session's sides; null: none known
  const MptcpSubflow* mptcp = nullptr;    // null: none known
  const TcpDetail* detail = nullptr;      // null: none
  const TcpRtt* rtt = nullptr;            // null: none
  PortSet ports = kAllPorts;              // that its packets may have come by
};

class SessionSink {
 public:
  virtual void on_session(const SessionView& view) noexcept = 0;
  virtual void on_late(const LateBlock& block, const Id128& id) noexcept = 0;
  virtual void on_flood(const FloodSecond& flood) noexcept = 0;
  // The session, still open, has come to know a host of its MPTCP connection, or goes on with a
  // subflow, as its first segment that speaks of MPTCP shows.
  virtual void on_subflow(const SessionView&) noexcept {}
  // Its reader may have something to tell at once, by what came with a packet of this clock.
  virtual void on_news(const SessionView&, ClockNs) noexcept {}

 protected:
  ~SessionSink() = default;
};

class SessionTable final : private LateSink, private FloodSink {
 public:
  SessionTable(const Settings& settings, const DecodeSettings& decode_settings,
               const HashSeed& id_seed, TableCounters& counters, SessionSink& sink);

  // From now on the bytes of TCP and UDP sessions go to the stage: before the first packet. It
  // costs 4 bytes a session; a session that is not read, or no longer, costs nothing more.
  void read_streams(StreamStage& stage);

  // From now on each session knows the ports that its packets came by: before the first packet. It
  // costs 2 bytes a session, and one more line a packet.
  void know_ports();

  // Every packet of verdict `session` joins one session. Packets in reading order.
  void track(Burst& burst) noexcept;

  // Ends what is due at `now`; at most `steps` sessions are looked at, and a quarter as many late
  // records and graves. True: no session that is due is left. track() does this every 64 packets; a
  // live shard does it when there are none, too.
  bool expire(ClockNs now, int steps) noexcept;

  // The end of the run: every session is handed out, as ending (end_of_input or shutdown) or as it
  // had ended before.
  void finish(Ending ending) noexcept;

  void populate() noexcept;
  std::uint32_t sessions() const noexcept { return free_.used(); }
  std::uint32_t capacity() const noexcept { return free_.capacity(); }
  // Half-closed sessions wait among the closed ones for as long as these do.
  std::uint32_t sessions_in(Phase phase) const noexcept {
    return wheels_[static_cast<std::size_t>(phase)].size();
  }

  void lose_next_late_block_for_test() noexcept { graveyard_.lose_next_block_for_test(); }

  // What the timer wheels ask.
  // As all that only prefetches: GCC takes such a function for one without effect, and drops the
  // calls that it does not inline.
  [[gnu::always_inline]] void prefetch_session(std::uint32_t slot) const noexcept {
    prefetch_hot(slot);
    prefetch_cold(slot);
    prefetch_name(slot);
    if (has_long_keys_) prefetch_long_key(slot);
  }
  [[gnu::always_inline]] void prefetch_timer_link(std::uint32_t slot) const noexcept {
    prefetch_cold(slot);
  }
  TimerLink& timer_link(std::uint32_t slot) noexcept { return cold_[slot].timer; }
  bool is_at_home(std::uint32_t slot) const noexcept {
    return cold_[slot].wheel == static_cast<std::uint8_t>(hot_[slot].phase.own());
  }
  void link_anew(std::uint32_t slot) noexcept;
  ClockNs deadline(std::uint32_t slot) const noexcept {
    const SessionHot& hot = hot_[slot];
    const DurationNs timeout = timeout_[static_cast<std::size_t>(hot.phase.own())];
    const ClockNs due = hot.last_clock + timeout;
    if (!lingers(hot.phase)) return due;
    return PLANTED(
        1, std::min(due, cold_[slot].phase_clock + std::max(timeout, settings_.lingerCeiling)),
        due);
  }

 private:
  friend class SessionReader;

  // A silence, a jump of the capture's time, or sweeps too rare to keep up must not let the seconds
  // of graves wrap unseen: so long after a whole sweep of them another one comes.
  static constexpr DurationNs kGraveStride = 6 * kHour;

  using Wheel = TimerWheel<SessionTable>;

  Session session(std::uint32_t slot) noexcept {
    return {hot_[slot],  cold_[slot],           names_[slot],
            rare_[slot], long_addresses_[slot], scopes_.size() != 0 ? &scopes_[slot] : nullptr,
            openings_};
  }
  [[gnu::always_inline]] void prefetch_hot(std::uint32_t slot) const noexcept {
    __builtin_prefetch(&hot_.data()[slot], 1);
  }
  [[gnu::always_inline]] void prefetch_name(std::uint32_t slot) const noexcept {
    __builtin_prefetch(&names_.data()[slot], 1);
  }
  [[gnu::always_inline]] void prefetch_long_key(std::uint32_t slot) const noexcept {
    __builtin_prefetch(&long_addresses_.data()[slot], 1);
    if (scopes_.size() != 0) __builtin_prefetch(&scopes_.data()[slot], 1);
  }
  [[gnu::always_inline]] void prefetch_cold(std::uint32_t slot) const noexcept {
    __builtin_prefetch(&cold_.data()[slot], 1);
  }
  [[gnu::always_inline]] void prefetch_ports(std::uint32_t slot) const noexcept {
    __builtin_prefetch(&ports_of_.data()[slot], 1);
  }
  [[gnu::always_inline]] void prefetch_stream(std::uint32_t slot) const noexcept {
    __builtin_prefetch(&stream_of_.data()[slot], 1);
  }
  // Another core may have decoded the packet.
  [[gnu::always_inline]] static void prefetch_payload(const Packet& packet) noexcept {
    __builtin_prefetch(packet.data + packet.payload_offset);
  }
  [[gnu::always_inline]] static void prefetch_link_layer(const Packet& packet) noexcept {
    __builtin_prefetch(packet.data);
  }
  [[gnu::always_inline]] void prefetch_rare(std::uint32_t slot) const noexcept {
    __builtin_prefetch(&rare_.data()[slot], 1);
  }
  // What the end of a session will touch beside its own lines, which are there by now; its hash.
  [[gnu::always_inline]] FlowHash prefetch_end(std::uint32_t slot) const noexcept {
    const FlowHash hash = hash_of(key_of(slot), decode_settings_.seed);
    index_.prefetch(hash);
    graveyard_.prefetch(hash);
    extensions_.prefetch(cold_.data()[slot]);
    if (stage_ != nullptr) prefetch_stream(slot);
    return hash;
  }
  [[gnu::always_inline]] void prefetch_end_after(const Wheel& wheel) const noexcept {
    if (const std::uint32_t slot = wheel.soon(); slot != kNoSlot) prefetch_end(slot);
  }
  Wheel& wheel_of(Phase phase) noexcept { return wheels_[static_cast<std::size_t>(phase)]; }
  Wheel& wheel_with(std::uint32_t slot) noexcept { return wheels_[cold_[slot].wheel]; }
  void link(std::uint32_t slot, Phase wheel, ClockNs due) noexcept;
  void relink_if_nearer(std::uint32_t slot) noexcept;
  std::uint32_t find(const FlowKey& key, FlowHash hash) const noexcept;

  struct Ahead {  // what is known of each packet of a burst before its turn
    std::array<std::uint32_t, kBurstMax> guess;  // kNoSlot: none
    std::array<std::uint32_t, kBurstMax> quiet_flags;
  };
  void look_ahead(const Burst& burst, Ahead& ahead) noexcept;
  bool join_usual(const Ahead& ahead, std::uint32_t i, const Packet& packet) noexcept;
  bool join_in_order(std::uint32_t guess, const Packet& packet) noexcept;
  void track_one(Packet& packet, std::uint32_t guess) noexcept;
  void join(std::uint32_t slot, const Packet& packet) noexcept;
  void join_slowly(std::uint32_t slot, Packet& packet) noexcept;
  void start(ClockNs now) noexcept;
  void advance_clock(ClockNs now) noexcept {
    if (now - graves_swept_ > kGraveStride) [[unlikely]]
      sweep_graves(now);
    now_ = std::max(now_, now);
  }
  void sweep_graves(ClockNs now) noexcept;
  void join_icmp_error(Packet& packet) noexcept;
  void count(const Session& session, const Packet& packet) noexcept;
  void count_only(const Session& session, const Packet& packet) noexcept;
  void count_damaged(const Session& session, const Packet& packet) noexcept;
  void note_ports(const Session& session, const Packet& packet) noexcept;
  bool knows_ports() const noexcept { return ports_of_.size() != 0; }
  void note_checksum(const Session& session, const Packet& packet) noexcept;
  std::uint64_t scope_of(std::uint32_t slot) const noexcept {
    return scopes_.size() != 0 ? scopes_[slot].load() : 0;
  }
  FlowKey key_of(std::uint32_t slot) const noexcept {
    return names_[slot].key(long_addresses_[slot], scope_of(slot));
  }
  bool has_key(std::uint32_t slot, const FlowKey& key) const noexcept {
    return names_[slot].matches(key, long_addresses_[slot], scope_of(slot));
  }
  // The next older incarnation of this one's key.
  std::uint32_t older_of(std::uint32_t slot) const noexcept {
    return (hot_[slot].flags & kSessionHasOlder) != 0 ? rare_[slot].older : kNoSlot;
  }
  SessionView view_of(std::uint32_t slot, Ending ending, bool is_interim, std::uint32_t sequence,
                      std::uint32_t reader) noexcept;

  void update(std::uint32_t slot, const Packet& packet) noexcept;
  void begin_handshake(std::uint32_t slot, const Packet& packet) noexcept;
  void note_mptcp(std::uint32_t slot, const Packet& packet) noexcept;
  bool continues_another(const Session& session) noexcept;
  TcpRtt* rtt_of(std::uint32_t slot, const Packet& packet) noexcept;

  void read(std::uint32_t slot, const Packet& packet) noexcept {
    if ((hot_[slot].flags & kSessionRead) != 0) add_to_stream(slot, packet);
  }
  void read_next(std::uint32_t slot, const Packet& packet) noexcept;
  void begin_reading(std::uint32_t slot) noexcept;
  bool open_stream(std::uint32_t slot, const Packet& packet) noexcept;
  void add_to_stream(std::uint32_t slot, const Packet& packet) noexcept;
  void work_streams() noexcept;
  std::uint32_t reader_of(std::uint32_t slot) noexcept;
  std::uint32_t end_reading(std::uint32_t slot) noexcept;

  struct Choice {
    std::uint32_t slot;
    Membership membership;
  };
  std::uint32_t settle(std::uint32_t slot, ClockNs now) noexcept;
  Choice choose(std::uint32_t newest, const Packet& packet) noexcept;
  std::uint32_t promote_candidate(std::uint32_t slot, const Packet& packet) noexcept;
  void note_candidate(std::uint32_t slot, const Packet& packet) noexcept;

  struct Remembered {
    Graveyard::Place place;
    GraveVerdict verdict = GraveVerdict::stranger;
  };
  void miss(Packet& packet, std::uint32_t newest) noexcept;
  Remembered remember(const Packet& packet, std::uint32_t newest) noexcept;
  bool has_fallen_silent(const Grave& grave, const Packet& packet) const noexcept;
  void join_buried(const Remembered& old, const Packet& packet) noexcept;
  std::uint32_t open(const Packet& packet, std::uint32_t newest) noexcept;
  void number_after(const Session& session, unsigned ordinal, std::uint32_t id_sequence) noexcept;
  void number_after_grave(const Session& session, const Packet& packet) noexcept;
  void begin(const Session& session, const Packet& packet) noexcept;
  std::uint32_t take_tunnels(const Packet& packet) noexcept;
  void link_to(std::uint32_t slot, Link link, const Id128& id) noexcept;
  void limit_incarnations(const Packet& packet) noexcept;
  std::uint32_t take_slot(const Packet& packet) noexcept;
  void make_room(ClockNs now) noexcept;
  bool evict_longest(std::initializer_list<Phase> phases, ClockNs now) noexcept;
  void evict(std::uint32_t slot, ClockNs now) noexcept;
  void note_return(const Packet& packet, const Grave& grave) noexcept;

  void save_if_due(std::uint32_t slot, ClockNs now) noexcept;
  struct End {
    Ending ending;
    ClockNs when;  // as in end_unlinked()
  };
  template <class EndOf>
  void end_batch(std::span<const std::uint32_t> slots, const EndOf& end_of) noexcept;
  bool sweep(Wheel& wheel, int& steps) noexcept;
  void end(std::uint32_t slot, Ending ending, ClockNs when) noexcept;
  void end_unlinked(std::uint32_t slot, FlowHash hash, Ending ending, ClockNs when) noexcept;
  void bury(const Session& session, FlowHash hash, Ending ending, ClockNs when) noexcept;
  void forget(std::uint32_t slot, FlowHash hash) noexcept;

  Id128 id_of(const Session& session) const noexcept;
  Id128 id_of(const FlowKey& key, const Grave& grave) const noexcept;
  void on_late(const LateBlock& block) noexcept override;
  void on_flood(const FloodSecond& flood) noexcept override;

  const Settings& settings_;
  const DecodeSettings& decode_settings_;
  HashSeed id_seed_;
  TableCounters& counters_;
  SessionSink& sink_;
  std::array<DurationNs, kPhaseCount> timeout_;
  std::uint32_t half_open_max_;
  bool buries_all_ = false;  // a session without late packets of its kind was evicted and buried
  ClockNs last_opened_of_buried_ = INT64_MIN;  // its opening, of those that were buried

  FlowIndex index_;
  Array<SessionHot> hot_;
  Array<SessionCold> cold_;
  Array<SessionName> names_;
  Array<LongAddresses> long_addresses_;
  Array<Shared<std::uint64_t>> scopes_;  // empty: sessionKey has no ids
  bool has_long_keys_ = false;           // some were seen
  OpeningPool openings_;
  Array<SessionRare> rare_;
  Array<PortSet> ports_of_;  // empty: not asked for
  FreeList free_;
  ExtensionPool extensions_;
  TunnelTable tunnels_;
  MptcpPool mptcp_;
  RttPool rtts_;
  Graveyard graveyard_;
  SynFlood syn_flood_;
  Demand demand_;
  DurationNs evicted_idle_ = 0;     // for how long the last evicted open session had no packet
  std::vector<Wheel> wheels_;       // one for each Phase
  StreamStage* stage_ = nullptr;    // null: nobody reads
  Array<std::uint32_t> stream_of_;  // kSessionRead: its place_of(), or none yet; else its reader
  std::array<StreamWork, kBurstMax> stream_work_;  // of this burst
  std::uint32_t stream_work_count_ = 0;
  std::uint32_t since_sweep_ = 0;  // packets
  std::size_t sweep_from_ = 0;     // the wheel that the next sweep begins with
  bool started_ = false;
  ClockNs now_ = 0;           // of the latest packet or sweep
  ClockNs graves_swept_ = 0;  // so far all graves that were over are gone
};

}  // namespace linger
