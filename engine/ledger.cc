#include "engine/ledger.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "engine/shard.h"

namespace linger {

std::string grouped(std::uint64_t n) {
  const std::string digits = std::to_string(n);
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i != 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

namespace {

// " (not_ip 3, fragment 1)", or nothing.
template <class Names, class CountOf>
std::string reasons(const Names& names, std::size_t from, CountOf&& count_of) {
  std::string text;
  for (std::size_t i = from; i < names.size(); ++i) {
    if (count_of(i) == 0) continue;
    text += fmt::format("{}{} {}", text.empty() ? " (" : ", ", names[i], grouped(count_of(i)));
  }
  return text.empty() ? text : text + ")";
}

void expect(std::vector<std::string>& residues, std::string_view what, std::uint64_t one,
            std::uint64_t other) {
  if (one == other) return;
  residues.push_back(
      fmt::format("{}: {} against {}, a residue of {}", what, grouped(one), grouped(other),
                  static_cast<std::int64_t>(one) - static_cast<std::int64_t>(other)));
}

void write_limits(std::string& out, const Ledger& l) {
  const auto line = [&](std::uint64_t count, std::string_view what) {
    if (count != 0) out += fmt::format("  limit     {} {}\n", grouped(count), what);
  };
  line(l.left_early(), fmt::format("sessions left a full table early: set maxStreams to {}",
                                   l.max_streams_wanted()));
  line(l.graves_lost, "graves were lost early: raise graveyardSize");
  line(l.graves_crowded, "graves left early: their addresses and ports were used 64 times since");
  line(l.late_blocks_early, "late records were written early: raise latePool");
  line(l.datagrams_pushed_out, "datagrams in fragments were given up early: raise maxFrags");
  line(l.datagrams_unbuffered,
       "datagrams in fragments were dropped: another shard did not keep up");
  line(l.extension_dry, "anomalies could not be told apart: raise extensionPool");
  line(l.tunnels_missing, "sessions are told without their tunnels: raise tunnelPool");
  line(l.rtt_missing, "sessions are told without their round trip times: raise rttPool");
  line(l.mptcp_missing + l.mptcp_early,
       "MPTCP subflows or connections are told incompletely: raise mptcpPool");
  line(l.mptcp_lost,
       "beginnings or ends of MPTCP subflows were lost on the way to their connection");
  line(l.mptcp_crowded, "MPTCP connections are told in parts: 1,024 subflows shared their tokens");
  line(l.links_dropped + l.links_forgotten + l.links_early + l.links_lost,
       "sessions may be told without the one that spoke of them");
  line(l.streams_dry, "sessions were not read: raise readSessions");
  line(l.conversations_dry, "sessions were not read: raise maxStreams");
  line(l.stream_pool_dry, "holes in streams were given up early: raise reorderMemory");
  line(l.parser_memory_dry, "sessions were not read to their end: raise parserMemory");
  line(l.rule_streams_dry, "directions were held against rules piece by piece: raise ruleStreams");
  line(l.transactions_dropped, "transactions are not told: raise maxTransactions");
}

void write_checksums(std::string& out, const Ledger& l) {
  constexpr std::array kNames = {std::string_view{"IP"}, std::string_view{"TCP"},
                                 std::string_view{"UDP"}, std::string_view{"ICMP"},
                                 std::string_view{"SCTP"}};
  const std::array counts = {l.bad_ip_checksums, l.bad_tcp_checksums, l.bad_udp_checksums,
                             l.bad_icmp_checksums, l.bad_sctp_checksums};
  const std::uint64_t bad = std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
  if (bad + l.offloaded_checksums == 0) return;
  out += fmt::format("  checksums wrong {}{}, off-loaded {}\n", grouped(bad),
                     reasons(kNames, 0, [&](std::size_t i) { return counts[i]; }),
                     grouped(l.offloaded_checksums));
}

std::string terms_of(const PortCounts& c, bool is_over) {
  std::string text = fmt::format("taken {}", grouped(c.taken));
  const auto add = [&](std::string_view name, std::uint64_t count) {
    if (count != 0) text += fmt::format(" + {} {}", name, grouped(count));
  };
  add("filtered", c.filtered);
  add("before the start", c.early);
  add("without a buffer", c.unbuffered);
  text += c.lost ? fmt::format(" + lost {}", grouped(*c.lost)) : ", losses unknown";
  if (!is_over) add("waiting", c.waiting().value_or(0));
  if (c.cut != 0) text += fmt::format(", cut {}", grouped(c.cut));
  return text;
}

void write_port(std::string& out, const PortTotals& port, bool is_over) {
  const auto line = [&](std::string_view name, const PortCounts& c) {
    const std::string received = c.received ? "received " + grouped(*c.received) + " = " : "";
    out += fmt::format("  port      {}: {}{}\n", name, received, terms_of(c, is_over));
  };
  line(port.name, port.sum);
  if (port.queues.size() < 2) return;
  for (std::size_t i = 0; i < port.queues.size(); ++i)
    line(fmt::format("{} queue {}", port.name, i), port.queues[i]);
}

void write_steering(std::string& out, const Ledger& l) {
  for (std::size_t i = 0; i < l.shards.size(); ++i)
    out +=
        fmt::format("  shard     {}: received {}, of them handed over {}{}; in sessions {}\n", i,
                    grouped(l.shards[i].received), grouped(l.shards[i].handed_over),
                    l.shards[i].dropped != 0 ? " and dropped " + grouped(l.shards[i].dropped) : "",
                    grouped(l.shards[i].in_sessions));
  constexpr std::array kNames = {std::string_view{"datagrams"}, std::string_view{"tunnels"},
                                 std::string_view{"ICMP errors"}, std::string_view{"others"}};
  const std::array counts = {l.handed_datagrams, l.handed_tunnels, l.handed_errors,
                             l.handed_others};
  out += fmt::format("  steering  handed over {}{}; directions apart in {} of {} samples\n",
                     grouped(l.handed_over),
                     reasons(kNames, 0, [&](std::size_t i) { return counts[i]; }),
                     grouped(l.directions_apart), grouped(l.directions_sampled));
}

void write_output(std::string& out, const Ledger::OutputLine& output) {
  const OutputTotals& t = output.totals;
  out += fmt::format("  output    {}: handed {} = written {} + dropped {}{}", output.name,
                     grouped(t.handed), grouped(t.written), grouped(t.dropped_in_all()),
                     reasons(kDropNames, 0, [&](std::size_t i) { return t.dropped[i]; }));
  if (t.resent != 0) out += fmt::format(", resent {}", grouped(t.resent));
  out += '\n';
}

std::string number_of(std::optional<std::uint64_t> count) {
  return count ? std::to_string(*count) : "unknown";
}

#define LINGER_LEDGER_ADD(name, help) ledger.name += counters.name.value();
void add(Ledger& ledger, const TableCounters& counters) { LINGER_TABLE_COUNTERS(LINGER_LEDGER_ADD) }
void add(Ledger& ledger, const ParserCounters& counters) {
  LINGER_PARSER_COUNTERS(LINGER_LEDGER_ADD)
}
void add(Ledger& ledger, const DecodeCounters& counters) {
  LINGER_DECODE_COUNTERS(LINGER_LEDGER_ADD)
}
void add(Ledger& ledger, const DefragCounters& counters) {
  LINGER_DEFRAG_COUNTERS(LINGER_LEDGER_ADD)
}
void add(Ledger& ledger, const SteeringCounters& counters) {
  LINGER_STEERING_COUNTERS(LINGER_LEDGER_ADD)
}
void add(Ledger& ledger, const LinkCounters& counters) { LINGER_LINK_COUNTERS(LINGER_LEDGER_ADD) }

}  // namespace

void add(Ledger& ledger, const MptcpCounters& counters){LINGER_MPTCP_COUNTERS(LINGER_LEDGER_ADD)}
#undef LINGER_LEDGER_ADD

PacketSum Ledger::seen() const noexcept {
  PacketSum sum;
  for (const PacketSum& part : decoded) sum.packets += part.packets, sum.bytes += part.bytes;
  return sum;
}

std::uint64_t Ledger::left_early() const noexcept {
  return evicted_lingering + evicted_half_open + evicted_open;
}

std::uint64_t Ledger::max_streams_wanted() const noexcept {
  std::uint64_t step = 1;  // two digits are all that an estimate is good for
  const std::uint64_t wanted = max_streams + streams_missing;
  while (wanted / step >= 100) step *= 10;
  return (wanted / step + 1) * step;
}

std::uint64_t Ledger::records_dropped() const noexcept {
  std::uint64_t sum = 0;
  for (const OutputLine& output : outputs) sum += output.totals.dropped_in_all();
  return sum;
}

std::uint64_t Ledger::ended() const noexcept {
  return ended_attempt + ended_idle + ended_closed + ended_reset + ended_evicted;
}

std::uint64_t Ledger::packets_lost() const noexcept {
  std::uint64_t lost = handoff_full.packets + datagrams_unbuffered;
  for (const PortTotals& port : ports)
    lost += port.sum.lost.value_or(0) + port.sum.unbuffered + port.sum.cut;
  return lost;
}

std::vector<std::string> Ledger::residues() const {
  std::vector<std::string> found;
  std::uint64_t taken = 0;
  for (const PortTotals& port : ports) {
    const PortCounts& c = port.sum;
    taken += c.taken;
    if (c.received && c.lost)
      expect(found, port.name + ": packets received against packets accounted for", *c.received,
             c.accounted());
  }
  if (!ports.empty())
    expect(found, "packets taken from ports against packets seen", taken, seen().packets);
  expect(found, "packets for sessions against packets in sessions and dropped", decoded[0].packets,
         packets + handoff_full.packets);
  expect(found, "bytes for sessions against bytes in sessions and dropped", decoded[0].bytes,
         bytes + handoff_full.bytes);
  for (const OutputLine& output : outputs) {
    const OutputTotals& t = output.totals;
    const auto told = [&](Action action) {
      const auto i = static_cast<std::size_t>(action);
      return t.encoded.records[i] + t.unencoded.records[i];
    };
    const auto name = [&](std::string_view what) {
      return fmt::format("{}: {}", output.name, what);
    };
    expect(found, name("sessions opened against end records and summarised sessions"), opened,
           told(Action::session_end) + t.encoded.flood_sessions + t.unencoded.flood_sessions);
    expect(found, name("packets in sessions against packets told"), packets,
           t.encoded.packets + t.unencoded.packets);
    expect(found, name("bytes in sessions against bytes told"), bytes,
           t.encoded.bytes + t.unencoded.bytes);
    expect(found, name("MPTCP connections told against mptcp-end records"), mptcp_connections,
           told(Action::mptcp_end));
    expect(found, name("records handed against written and dropped"), t.handed,
           t.written + t.dropped_in_all());
  }
  return found;
}

Ledger make_ledger(const std::vector<std::unique_ptr<Shard>>& shards,
                   const std::vector<std::unique_ptr<Output>>& outputs, std::uint64_t max_streams) {
  Ledger ledger;
  ledger.max_streams = max_streams;
  std::uint64_t streams_missing = 0;
  for (const auto& shard : shards) {
    const ShardCounters& c = shard->counters();
    for (std::size_t i = 0; i < kVerdictCount; ++i) {
      ledger.decoded[i].packets += c.packets[i].value();
      ledger.decoded[i].bytes += c.bytes[i].value();
    }
    ledger.unknown_link_type = std::max(ledger.unknown_link_type, c.unknown_link_type.value());
    ledger.handoff_full.packets += c.handoff_full.value();
    ledger.handoff_full.bytes += c.handoff_full_bytes.value();
    add(ledger, c.table);
    add(ledger, c.parsers);
    add(ledger, c.decode);
    add(ledger, c.defrag);
    add(ledger, c.steering);
    Ledger::ShardLine& line = ledger.shards.emplace_back();
    for (const Counter& packets : c.packets) line.received += packets.value();
    line.handed_over = c.steering.handed_over.value();
    line.dropped = c.handoff_full.value();
    line.in_sessions = c.table.packets.value();
    // Each has its part of maxStreams: who misses most of its own tells how much more that should
    // be.
    streams_missing = std::max(streams_missing, (c.table.streams_missing.value() * max_streams +
                                                 shard->sessions_max() - 1) /
                                                    shard->sessions_max());
  }
  ledger.streams_missing = streams_missing;
  for (const auto& output : outputs) {
    ledger.outputs.push_back({output->uri().text, output->totals()});
    add(ledger, output->links().counters());
  }
  return ledger;
}

std::string statistics_of(const Ledger& l, const RunTimes& times,
                          const std::vector<PortWatch::Rates>& rates) {
#define LINGER_STATISTIC(name, value, help) text += fmt::format(" " #name "={}", value);
  std::string text = "linger: statistics";
  LINGER_STATISTICS(LINGER_STATISTIC)
  for (std::size_t i = 0; i < l.ports.size(); ++i) {
    const PortTotals& port = l.ports[i];
    LINGER_PORT_STATISTICS(LINGER_STATISTIC)
    if (i < rates.size()) {
      LINGER_RATE_STATISTICS(LINGER_STATISTIC)
    }
  }
#undef LINGER_STATISTIC
  return text + "\n";
}

std::string counters_of(const Ledger& l) {
  struct Line {
    std::string_view name;
    std::uint64_t count;
    std::string_view help;
  };
#define LINGER_COUNTER_LINE(name, help) {#name, l.name, help},
  const Line lines[] = {LINGER_COUNTERS(LINGER_COUNTER_LINE)};
#undef LINGER_COUNTER_LINE
  std::string text;
  for (const Line& line : lines)
    text += fmt::format("  {:<24} {:>14}  {}\n", line.name, grouped(line.count), line.help);
  return text;
}

std::string summary_of(const Ledger& l, const RunTimes& times) {
  std::string out;
  const PacketSum seen = l.seen();
  const double rate = times.seconds > 0 ? static_cast<double>(seen.packets) / times.seconds : 0;
  out += fmt::format("linger: {} packets, {} bytes, {} sessions in {:.3f} s ({:.2f} M packets/s)\n",
                     grouped(seen.packets), grouped(seen.bytes), grouped(l.opened), times.seconds,
                     rate / 1e6);
  const auto packets_of = [&](std::size_t i) { return l.decoded[i].packets; };
  out += fmt::format(
      "  packets   seen {} = in sessions {} + not session traffic {}{} + dropped {}{}\n",
      grouped(seen.packets), grouped(l.packets), grouped(seen.packets - l.decoded[0].packets),
      reasons(kVerdictNames, 1, packets_of), grouped(l.handoff_full.packets),
      l.handoff_full.packets != 0 ? " (handoff ring full)" : "");
  if (l.unknown_link_type != 0)
    out += fmt::format("  unknown   link type {} is not decoded\n", l.unknown_link_type);
  out += fmt::format(
      "  sessions  {}: closed {}, reset {}, idle {}, attempt {}, evicted {}, open at the "
      "end {}\n",
      grouped(l.opened), grouped(l.ended_closed), grouped(l.ended_reset), grouped(l.ended_idle),
      grouped(l.ended_attempt), grouped(l.ended_evicted), grouped(l.ended_by_run));
  out += fmt::format(
      "  late      {} packets while lingering, {} after the record; records: {} late, {} "
      "interim\n",
      grouped(l.late_lingering), grouped(l.late_buried), grouped(l.late_records),
      grouped(l.interim));
  if (l.reused + l.continued + l.lone_rst != 0)
    out += fmt::format("  tuples    reused {}, continued {}, lone RST {}\n", grouped(l.reused),
                       grouped(l.continued), grouped(l.lone_rst));
  write_checksums(out, l);
  if (l.conversations != 0)
    out += fmt::format("  parsers   knew {} of {} sessions with payload\n", grouped(l.recognised),
                       grouped(l.conversations));
  if (l.fragments != 0)
    out += fmt::format(
        "  fragments {} in {} whole datagrams and {} others: timed out {}, at the end {}\n",
        grouped(l.fragments), grouped(l.datagrams_completed),
        grouped(l.datagrams_timed_out + l.datagrams_pushed_out + l.datagrams_at_end),
        grouped(l.datagrams_timed_out), grouped(l.datagrams_at_end));
  if (l.mptcp_connections != 0)
    out += fmt::format("  mptcp     {} connections\n", grouped(l.mptcp_connections));
  if (l.linked != 0)
    out += fmt::format("  links     {} records name the session that spoke of theirs\n",
                       grouped(l.linked));
  if (l.summarised != 0)
    out += fmt::format("  flood     {} unanswered sessions told in summaries (synFloodSummary)\n",
                       grouped(l.summarised));
  for (const PortTotals& port : l.ports) write_port(out, port, times.is_over);
  if (!l.ports.empty() && l.shards.size() > 1) write_steering(out, l);
  write_limits(out, l);
  for (const Ledger::OutputLine& output : l.outputs) write_output(out, output);
  if (!times.is_over) return out;
  const std::vector<std::string> residues = l.residues();
  if (residues.empty()) out += "  ledger    balanced\n";
  for (const std::string& residue : residues)
    out += fmt::format("  ledger    BROKEN: {}\n", residue);
  return out;
}

}  // namespace linger
