// A naive model of sessions to hold the session table against: std::map, std::vector, no timers, no
// limits, no fast path. Every due moment is carried out when it is due, by looking at all
// sessions.
//
// see() takes decoded packets in reading order; records() are those that the real table must hand
// out, in any order. Limits are not modelled: give the real table enough of everything, or compare
// chain totals only. Thread: one.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <vector>

#include "engine/base/counters.h"
#include "engine/base/settings.h"
#include "engine/packet/decode.h"
#include "sessiontable/session_id.h"
#include "tests/oracle/connections.h"
#include "tests/oracle/model.h"

namespace linger::test {

struct OracleCounts {  // by the names of TableCounters
#define LINGER_ORACLE_COUNT(name, help) std::uint64_t name = 0;
  LINGER_TABLE_COUNTERS(LINGER_ORACLE_COUNT)
#undef LINGER_ORACLE_COUNT
};

class Oracle {
 public:
  Oracle(const Settings& settings, const DecodeSettings& decode_settings, const HashSeed& id_seed);

  void see(const Packet& packet);
  // At `clock`, to which packets that are no session's may have brought the source.
  void finish(Ending ending, ClockNs clock);

  const std::vector<Record>& records() const { return records_; }
  const OracleCounts& counts() const { return counts_; }
  // After finish().
  std::vector<MptcpConnection> connections() const {
    return connections_of(subflows_, settings_.mptcpTimeout);
  }

 private:
  using Key = std::array<std::uint64_t, 6>;
  using Sessions = std::vector<ModelSession>;  // of one key, oldest first
  using Graves = std::vector<ModelGrave>;

  void carry_out(ClockNs now);
  void carry_out(Sessions& sessions, ClockNs now);
  void carry_out(Graves& graves, ClockNs now);

  void join(const Packet& packet);
  void join_icmp_error(Packet packet);
  std::size_t choose(Sessions& sessions, const Packet& packet);
  bool promote(Sessions& sessions, std::size_t at, const Packet& packet);
  void note_candidate(ModelSession& s, const Packet& packet);
  void absorb(ModelSession& s, const Packet& packet);
  void update(ModelSession& s, const Packet& packet);
  void count_damaged(ModelSession& s, const Packet& packet);
  void miss(const Packet& packet);
  ModelSession& open(const Packet& packet);
  void begin(ModelSession& s, const Packet& packet);
  void link_reuse(Sessions& sessions, const Id128& old);

  const ModelGrave* newest_of_tick(const ModelSession& s);
  ModelGrave* find_grave(const Packet& packet, Judgement& judgement);
  bool is_over(const ModelGrave& grave, ClockNs now) const;
  bool is_due(const ModelLateRecord& late, ClockNs now) const;
  void join_grave(ModelGrave& grave, const Packet& packet, bool off_sequence);
  void write_late(ModelGrave& grave);

  DurationNs timeout(Phase phase) const;
  DurationNs save_timeout(const FlowKey& key) const;
  ClockNs deadline(const ModelSession& s) const;
  void save_if_due(ModelSession& s, ClockNs now);
  void end(ModelSession& s, Ending ending, ClockNs when);
  Id128 id_of(const ModelIdentity& s) const {
    return make_session_id(s.key, s.opened, s.id_sequence, s.ordinal, id_seed_);
  }

  const Settings& settings_;
  const DecodeSettings& decode_settings_;
  HashSeed id_seed_;
  std::map<Key, Sessions> sessions_;
  std::map<Key, Graves> graves_;
  ClockNs now_ = 0;
  ClockNs next_moment_ = 0;  // before it nothing is due; saves looking
  std::vector<Record> records_;
  std::vector<ModelPart> subflows_;
  OracleCounts counts_;
};

}  // namespace linger::test
