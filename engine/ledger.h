// The accounting law (README.md, The ledger), its two sides counted at opposite ends: what source
// and decode saw against what the encoders told and the writers wrote.
//
//     received = taken + filtered + early + unbuffered + lost                   for each port
//     taken from all ports = seen
//     seen = in sessions + not session traffic (by reason) + dropped (by reason)
//     mptcp-end records = MPTCP connections told (they carry no packets of their own)
//     end records = sessions opened;  packets and bytes told = in sessions      for each output
//     handed = written + dropped                                                for each output
//
// Built after the run from the counters of all shards; residues() is empty when the law holds.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/port_watch.h"
#include "engine/shard.h"
#include "engine/source/live_port.h"
#include "output/output.h"

namespace linger {

struct PacketSum {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
};

struct Ledger {
  std::array<PacketSum, kVerdictCount> decoded;  // [session]: for sessions, before steering
  std::uint64_t unknown_link_type = 0;           // the highest one; 0: none
  PacketSum handoff_full;
#define LINGER_LEDGER_MEMBER(name, help) std::uint64_t name = 0;
  LINGER_COUNTERS(LINGER_LEDGER_MEMBER)
#undef LINGER_LEDGER_MEMBER
  std::uint64_t max_streams = 0;  // the setting
  struct OutputLine {
    std::string name;
    OutputTotals totals;
  };
  std::vector<OutputLine> outputs;
  std::vector<PortTotals> ports;  // of a live run
  struct ShardLine {
    std::uint64_t received = 0;
    std::uint64_t handed_over = 0;
    std::uint64_t dropped = 0;  // as the ring to their owner was full
    std::uint64_t in_sessions = 0;
  };
  std::vector<ShardLine> shards;

  PacketSum seen() const noexcept;
  std::uint64_t records_dropped() const noexcept;     // over all outputs
  std::uint64_t packets_lost() const noexcept;        // by ports, for want of buffers, on handoff
  std::uint64_t left_early() const noexcept;          // sessions, because the table was full
  std::uint64_t max_streams_wanted() const noexcept;  // what maxStreams should be, estimated

  // What does not add up, a sentence each.
  std::vector<std::string> residues() const;
};

Ledger make_ledger(const std::vector<std::unique_ptr<Shard>>& shards,
                   const std::vector<std::unique_ptr<Output>>& outputs, std::uint64_t max_streams);

void add(Ledger& ledger, const MptcpCounters& counters);

struct RunTimes {
  double seconds = 0;   // wall clock
  bool is_over = true;  // else its counters are still moving, and the law cannot be checked
};

// The readable summary of a run, several lines.
std::string summary_of(const Ledger& ledger, const RunTimes& times);

// A line of name=value, for statsInterval.
std::string statistics_of(const Ledger& ledger, const RunTimes& times,
                          const std::vector<PortWatch::Rates>& rates);

// Every counter with its meaning, a line each (-v).
std::string counters_of(const Ledger& ledger);

}  // namespace linger
