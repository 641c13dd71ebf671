#include "engine/output_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace linger {
namespace {

std::string sentence(const OutputState& state, const std::string& what) {
  return fmt::format("output '{}': {}", state.name, what);
}

}  // namespace

OutputState state_of(const Output& output, bool is_live) {
  const OutputTotals totals = output.totals();
  const std::uint64_t done = totals.written + totals.dropped_in_all();
  return {.name = output.uri().text,
          .is_connected = output.is_connected(),
          .breaks = output.breaks(),
          .resent = totals.resent,
          .dropped = totals.dropped[static_cast<std::size_t>(DropReason::queue_full)],
          .written = totals.written,
          .waiting = is_live ? std::max(totals.handed, done) - done : 0};
}

std::vector<std::string> OutputWatch::look(const std::vector<OutputState>& states, double seconds) {
  std::vector<std::string> sentences;
  told_.resize(states.size());
  for (std::size_t i = 0; i < states.size(); ++i) {
    look(states[i], seconds, told_[i], sentences);
    look_whether_it_moves(states[i], seconds, told_[i], sentences);
  }
  return sentences;
}

void OutputWatch::look_whether_it_moves(const OutputState& state, double seconds, Told& told,
                                        Sentences& sentences) {
  const double still = seconds - told.waits_since;
  if (state.written != told.written || state.waiting == 0 || !state.is_connected) {
    if (std::exchange(told.is_still, false) && state.written != told.written)
      sentences.push_back(
          sentence(state, fmt::format("it takes records again after {:.1f} s", still)));
    told.written = state.written;
    told.waits = false;
  } else if (!std::exchange(told.waits, true)) {
    told.waits_since = seconds;
  } else if (still >= kStillSeconds && !std::exchange(told.is_still, true)) {
    sentences.push_back(sentence(
        state,
        fmt::format("it has taken nothing for {:.0f} s; {} records wait", still, state.waiting)));
  }
}

void OutputWatch::look(const OutputState& state, double seconds, Told& told, Sentences& sentences) {
  const auto say = [&](const std::string& what) { sentences.push_back(sentence(state, what)); };
  if (!told.is_gone && state.breaks != told.breaks && seconds >= told.next_gone) {
    told.is_gone = true;
    told.gone_at = seconds;
    told.next_gone = seconds + kPauseSeconds;
    if (!state.is_connected) say("the connection is lost; it is tried again and again");
  }
  if (told.is_gone && state.is_connected) {
    const std::uint64_t breaks = state.breaks - told.breaks;
    say(fmt::format("connected again after {:.1f} s{}; {} records were dropped, {} sent again",
                    seconds - told.gone_at, breaks > 1 ? fmt::format(" and {} breaks", breaks) : "",
                    state.dropped - told.dropped, state.resent - told.resent));
    told.is_gone = false;
    told.breaks = state.breaks;
    told.resent = state.resent;
    told.dropped = state.dropped;
    told.next_dropped = seconds + kPauseSeconds;
  }
  if (told.is_gone || state.dropped == told.dropped || seconds < told.next_dropped) return;
  say(fmt::format("it does not keep up; {} records were dropped", state.dropped - told.dropped));
  told.dropped = state.dropped;
  told.next_dropped = seconds + kPauseSeconds;
}

}  // namespace linger
