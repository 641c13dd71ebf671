// One seed: traffic through the real tables (or whole shards) and through the oracle, and what they
// disagree on, as text to read.
//
// Two ways to run, both in one thread: tables alone, swept at random moments with random budgets;
// and shards with handoff, rings, encoders and a file, polled in random turns, with their ledger
// (and the thread in which MPTCP's subflows meet).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/base/settings.h"
#include "tests/oracle/datagrams.h"
#include "tests/oracle/oracle.h"
#include "tests/simulation/traffic.h"

namespace linger::test {

struct Plan {  // what a seed stands for
  std::uint64_t seed = 0;
  Profile profile;
  Settings settings;
  bool has_limits = false;    // small tables: chain totals are compared, not records
  bool whole_shards = false;  // instead of tables alone
};
Plan make_plan(std::uint64_t seed);

struct Outcome {
  std::vector<std::string> lines;  // records as NDJSON, sorted
  std::vector<Record> records;     // empty for whole shards
  OracleCounts counts;
  std::vector<std::string> residues;  // of the ledger
};
// As the oracle sees them: whole datagrams. The source's clock at its end.
ClockNs read_datagrams(const Plan& plan, const std::vector<MemoryPacket>& packets,
                       const Datagrams::See& see);
Outcome run_oracle(const Plan& plan, const std::vector<MemoryPacket>& packets);
Outcome run_tables(const Plan& plan, const std::vector<MemoryPacket>& packets);
Outcome run_shards(const Plan& plan, const std::vector<MemoryPacket>& packets);

// Each empty when all is well; else the first difference and the packets of its tuple.
std::string difference(const Plan& plan, const std::vector<MemoryPacket>& packets,
                       const Outcome& oracle, const Outcome& real);
std::string chain_difference(const Plan& plan, const std::vector<MemoryPacket>& packets,
                             const Outcome& oracle, const Outcome& real);
std::string truth_difference(const Plan& plan, const Traffic& traffic, const Outcome& outcome);

// Everything above for one seed.
std::string check_seed(std::uint64_t seed);

}  // namespace linger::test
