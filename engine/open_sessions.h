// What is open now, of a run that goes on (USR1): how many sessions in which state, and the
// largest.
//
// Thread: any; looks at every session without stopping its shard (session_reader.h).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sessiontable/session_reader.h"

namespace linger {

class Shard;

inline constexpr std::size_t kLargestTold = 10;

SessionSurvey survey_of(const std::vector<std::unique_ptr<Shard>>& shards);

// A line, and one for each of the largest; empty when none is open.
std::string text_of(const SessionSurvey& survey);

}  // namespace linger
