#include "engine/output_watch.h"

#include <fmt/format.h>

namespace linger {

std::vector<std::string> OutputWatch::look(const std::vector<OutputState>& states, double seconds) {
  std::vector<std::string> sentences;
  told_.resize(states.size());
  for (std::size_t i = 0; i < states.size(); ++i) look(states[i], seconds, told_[i], sentences);
  return sentences;
}

void OutputWatch::look(const OutputState& state, double seconds, Told& told,
                       std::vector<std::string>& sentences) {
  const auto say = [&](const std::string& what) {
    sentences.push_back(fmt::format("output '{}': {}", state.name, what));
  };
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
