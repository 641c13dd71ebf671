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
// Made of the counters of all shards, at any time; residues() is empty when the law holds, which
// can be asked when the run is over.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/counters.h"
#include "engine/port_watch.h"
#include "engine/source/live_port.h"
#include "output/output.h"

namespace linger {

class Shard;

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
  std::uint64_t ended() const noexcept;               // sessions, but by the end of the run
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

// 1234567 -> "1,234,567"
std::string grouped(std::uint64_t number);

// The readable summary of a run, several lines.
std::string summary_of(const Ledger& ledger, const RunTimes& times);

// What the line of statistics tells, of the run and then of each port: X(name, value, help)
#define LINGER_STATISTICS(X)                                                                     \
  X(seconds, fmt::format("{:.1f}", times.seconds), "since the start")                            \
  X(packets, l.seen().packets, "packets seen")                                                   \
  X(bytes, l.seen().bytes, "their bytes, as on the wire")                                        \
  X(opened, l.opened, "sessions opened")                                                         \
  X(ended, l.ended(), "sessions ended while it ran")                                             \
  X(late_packets, l.late_lingering + l.late_buried, "packets behind their session's close")      \
  X(handed_over, l.handed_over, "packets given to the shard that owns them")                     \
  X(directions_sampled, l.directions_sampled, "times both directions of a session were seen")    \
  X(directions_apart, l.directions_apart, "of them, those at different shards")                  \
  X(handoff_full, l.handoff_full.packets, "packets that another shard had no room for")          \
  X(datagrams_unbuffered, l.datagrams_unbuffered, "datagrams of fragments, for the same reason") \
  X(lost, l.packets_lost(), "packets lost or cut, by ports and on the way to other shards")      \
  X(records_dropped, l.records_dropped(), "records that outputs dropped")
#define LINGER_PORT_STATISTICS(X)                                                       \
  X(port, port.name, "what follows is of this port")                                    \
  X(taken, port.sum.taken, "packets that a shard took")                                 \
  X(filtered, port.sum.filtered, "that the filter refused, unless the kernel filters")  \
  X(early, port.sum.early, "that came before the start, while it was opened")           \
  X(unbuffered, port.sum.unbuffered, "that there was no memory for: a shard is behind") \
  X(lost, number_of(port.sum.lost), "that device or kernel dropped, or `unknown`")      \
  X(waiting, number_of(port.sum.waiting()), "that wait in its ring, or `unknown`")      \
  X(cut, port.sum.cut, "of those taken, shorter than on the wire")
#define LINGER_RATE_STATISTICS(X)                                                           \
  X(taken_100ms_mean, rates[i].taken_mean, "packets taken in 100 ms since the line before") \
  X(taken_100ms_worst, rates[i].taken_worst, "the most of them in any 100 ms")              \
  X(lost_100ms_mean, rates[i].lost_mean, "packets lost in 100 ms since the line before")    \
  X(lost_100ms_worst, rates[i].lost_worst, "the most of them in any 100 ms")

// A line of name=value, for statsInterval.
std::string statistics_of(const Ledger& ledger, const RunTimes& times,
                          const std::vector<PortWatch::Rates>& rates);

// Every counter with its meaning, a line each (-v).
std::string counters_of(const Ledger& ledger);

}  // namespace linger
