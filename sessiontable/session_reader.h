// Live queries: looks at the sessions of one shard from any thread, without locks and without
// stopping the shard that writes them.
//
// A row is consistent: it is read under the session's version and read again when its owner was
// writing. The whole is not a moment in time: sessions come and go while it is walked. Cost: find()
// reads one index line and one session; survey() reads every session once. The table outlives it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "engine/base/flow_key.h"
#include "engine/base/time.h"
#include "sessiontable/session.h"

namespace linger {

class SessionTable;

struct SessionRow {
  FlowKey key;
  unsigned originator = 0;  // the side that opened it
  Phase phase = Phase::other;
  std::array<std::uint64_t, 2> packets{};  // modulo 2^32
  std::array<std::uint64_t, 2> bytes{};
  Timestamp end;

  std::uint64_t total_bytes() const noexcept { return bytes[0] + bytes[1]; }
};

// Sessions that are open, or linger.
struct SessionSurvey {
  std::array<std::uint64_t, kPhaseCount> in_phase{};
  std::vector<SessionRow> largest;  // those with the most bytes, the largest first

  // Another shard's; `largest_max` of both stay.
  void add(const SessionSurvey& other, std::size_t largest_max);
};

class SessionReader {
 public:
  explicit SessionReader(const SessionTable& table) noexcept : table_(table) {}

  // A session of this key, which must be the shard's: the newest, or, while it opens or ends, none
  // or the one before.
  std::optional<SessionRow> find(const FlowKey& key) const;

  SessionSurvey survey(std::size_t largest_max) const;

 private:
  std::optional<SessionRow> read(std::uint32_t slot) const noexcept;

  const SessionTable& table_;
};

}  // namespace linger
