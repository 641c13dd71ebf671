// Setting synFloodSummary: unanswered SYN sessions beyond synFloodRate a second and destination are
// not recorded one by one but counted, and told in one record a second.
//
// A second is told when none of its sessions has ended for as long as an unanswered one lasts
// (tcpSynTimeout), by the moments at which they were due: a sweep only does the same earlier.
//
// A destination is an address and a port. 1024 of its seconds at a time, of all destinations: each
// has a place by hash, its next second the next place, as sessions of several seconds end side by
// side when some of them have sent their SYN again. Whoever else wants the place has the one before
// told early.
// Owner: one shard. Cost: one line of memory for each unanswered session that ends; while something
// is to be told, a few places for each sweep.
#pragma once

#include <cstdint>

#include "engine/base/flow_key.h"
#include "engine/base/id.h"
#include "engine/base/mapping.h"
#include "engine/base/time.h"
#include "sessiontable/session.h"

namespace linger {

// One second of one destination.
struct FloodSecond {
  Id128 id;                                // of the first session that is told only here
  FlowKey destination;                     // side 1; side 0 is unspecified
  std::int64_t second;                     // of the source clock, in which the sessions opened
  std::uint64_t seen;                      // unanswered sessions, the recorded ones too
  std::uint64_t sessions, packets, bytes;  // not recorded
  Timestamp first, last;
  ClockNs ended;  // the last of its sessions
};

class FloodSink {
 public:
  virtual void on_flood(const FloodSecond& flood) noexcept = 0;

 protected:
  ~FloodSink() = default;
};

class SynFlood {
 public:
  // rate 0: off. silence: how long after its last session a second is told.
  SynFlood(std::uint64_t rate, DurationNs silence, const HashSeed& seed, const HashSeed& id_seed,
           FloodSink& sink)
      : rate_(rate),
        silence_(silence),
        seed_(seed),
        id_seed_(id_seed),
        sink_(sink),
        places_(rate != 0 ? kPlaces : 0) {}

  // An unanswered session that ends, as was due at `when`. True: it is told in a summary and has no
  // record of its own.
  bool absorb(const Session& session, ClockNs when) noexcept;

  // Tells what is over by `now`, when all that was due has ended; looks at a few places.
  void expire(ClockNs now) noexcept;

  // What is still to be told, at the end of a run.
  void finish() noexcept;

 private:
  static constexpr std::size_t kPlaces = 1024;
  static constexpr std::size_t kPlacesEach = 8;     // of a sweep
  static constexpr DurationNs kSweepLag = kSecond;  // ample: timers are 268 ms wide

  void tell(FloodSecond& place) noexcept;

  std::uint64_t rate_;
  DurationNs silence_;
  HashSeed seed_, id_seed_;
  FloodSink& sink_;
  Array<FloodSecond> places_;
  std::size_t waiting_ = 0;  // places with something to tell
  std::size_t next_ = 0;     // the place that is looked at next
};

}  // namespace linger
