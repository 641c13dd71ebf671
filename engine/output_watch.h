// What an operator hears of outputs while a run goes on: once that a peer is gone, once that it is
// back and what that cost, once that one takes nothing any more (a peer whose machine is off, a
// pipe whose reader stands still), and once a minute that one does not keep up. What went wrong
// with a file its writer tells. Owner: the control thread, which looks at every wake-up.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "output/output.h"

namespace linger {

struct OutputState {
  std::string name;
  bool is_connected = true;
  std::uint64_t breaks = 0;   // of its connection
  std::uint64_t resent = 0;   // records
  std::uint64_t dropped = 0;  // records that found its queue full
  std::uint64_t written = 0;
  std::uint64_t waiting = 0;  // records that it has not taken yet; 0: nobody minds
};

// Who waits for a slow output in a replay knows of it.
OutputState state_of(const Output& output, bool is_live);

class OutputWatch {
 public:
  // A peer that comes and goes is told of so often at most, as drops are.
  static constexpr double kPauseSeconds = 60;
  static constexpr double kStillSeconds = 10;

  // Sentences; `seconds` since any moment, by a clock that nobody sets.
  std::vector<std::string> look(const std::vector<OutputState>& states, double seconds);

 private:
  struct Told {
    bool is_gone = false;
    double gone_at = 0;       // seconds
    double next_gone = 0;     // not before
    double next_dropped = 0;  // not before
    bool waits = false;       // something for it, as of
    double waits_since = 0;
    bool is_still = false;  // for so long that it is told
    std::uint64_t written = 0;
    std::uint64_t breaks = 0;
    std::uint64_t resent = 0;
    std::uint64_t dropped = 0;
  };

  using Sentences = std::vector<std::string>;
  static void look(const OutputState& state, double seconds, Told& told, Sentences& sentences);
  static void look_whether_it_moves(const OutputState& state, double seconds, Told& told,
                                    Sentences& sentences);

  std::vector<Told> told_;
};

}  // namespace linger
