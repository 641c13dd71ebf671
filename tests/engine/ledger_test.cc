#include "engine/ledger.h"

#include <gtest/gtest.h>

#include <sstream>

namespace linger {
namespace {

// Ten packets, seven of them in two sessions, one output.
Ledger balanced() {
  Ledger ledger;
  ledger.decoded[static_cast<std::size_t>(Verdict::session)] = {8, 800};
  ledger.decoded[static_cast<std::size_t>(Verdict::not_ip)] = {2, 120};
  ledger.handoff_full = {1, 100};
  ledger.packets = 7;
  ledger.bytes = 700;
  ledger.opened = 2;
  OutputTotals totals;
  totals.handed = 4;
  totals.written = 3;
  totals.dropped[0] = 1;
  totals.encoded.records[static_cast<std::size_t>(Action::session_end)] = 1;
  totals.unencoded.records[static_cast<std::size_t>(Action::session_end)] = 1;
  totals.encoded.packets = 5;
  totals.encoded.bytes = 500;
  totals.unencoded.packets = 2;
  totals.unencoded.bytes = 200;
  ledger.outputs.push_back({"file:x", totals});
  return ledger;
}

TEST(ledger, a_law_that_holds_has_no_residue) {
  const Ledger ledger = balanced();
  EXPECT_TRUE(ledger.residues().empty());
  EXPECT_EQ(ledger.seen().packets, 10u);
  EXPECT_EQ(ledger.seen().bytes, 920u);
  EXPECT_EQ(ledger.records_dropped(), 1u);
  const std::string text = summary_of(ledger, {});
  EXPECT_NE(text.find("ledger    balanced"), std::string::npos) << text;
  EXPECT_NE(text.find("seen 10 = in sessions 7 + not session traffic 2 (not_ip 2) + dropped 1"),
            std::string::npos)
      << text;
}

TEST(ledger, every_term_of_the_law_is_checked) {
  using Change = void (*)(Ledger&);
  const Change changes[] = {
      [](Ledger& l) { ++l.decoded[0].packets; },
      [](Ledger& l) { ++l.decoded[0].bytes; },
      [](Ledger& l) { ++l.handoff_full.packets; },
      [](Ledger& l) { ++l.handoff_full.bytes; },
      [](Ledger& l) { --l.packets; },
      [](Ledger& l) { --l.bytes; },
      [](Ledger& l) { ++l.opened; },
      [](Ledger& l) { ++l.outputs[0].totals.handed; },
      [](Ledger& l) { ++l.outputs[0].totals.written; },
      [](Ledger& l) { ++l.outputs[0].totals.dropped[0]; },
      [](Ledger& l) { ++l.outputs[0].totals.encoded.packets; },
      [](Ledger& l) { ++l.outputs[0].totals.encoded.bytes; },
      [](Ledger& l) { ++l.outputs[0].totals.unencoded.packets; },
      [](Ledger& l) { ++l.outputs[0].totals.encoded.records[0]; },
      [](Ledger& l) { ++l.outputs[0].totals.encoded.flood_sessions; },
      [](Ledger& l) { ++l.outputs[0].totals.unencoded.flood_sessions; },
      [](Ledger& l) { ++l.mptcp_connections; },
  };
  for (std::size_t i = 0; i < std::size(changes); ++i) {
    Ledger ledger = balanced();
    changes[i](ledger);
    ASSERT_FALSE(ledger.residues().empty()) << "change " << i;
    EXPECT_NE(summary_of(ledger, {}).find("BROKEN: "), std::string::npos) << "change " << i;
  }
}

PortTotals port_of(const PortCounts& counts) { return {"eth0", counts, {}}; }

TEST(ledger, each_port_accounts_for_what_it_received) {
  Ledger ledger = balanced();
  ledger.ports = {port_of({.received = 17, .lost = 4, .taken = 10, .filtered = 2, .early = 1})};
  EXPECT_TRUE(ledger.residues().empty());
  EXPECT_EQ(ledger.packets_lost(), 5u);  // one on handoff
  EXPECT_NE(summary_of(ledger, {})
                .find("eth0: received 17 = taken 10 + filtered 2 + before the start 1 + lost 4\n"),
            std::string::npos);
  ++*ledger.ports[0].sum.received;
  EXPECT_EQ(ledger.residues().size(), 1u);
  --*ledger.ports[0].sum.received;
  ++ledger.ports[0].sum.taken;
  EXPECT_EQ(ledger.residues().size(), 2u);
}

TEST(ledger, what_waits_in_a_ring_is_told_while_the_run_goes_on_and_a_residue_at_its_end) {
  Ledger ledger = balanced();
  ledger.ports = {port_of({.received = 15, .lost = 2, .taken = 10})};
  EXPECT_NE(summary_of(ledger, {.is_over = false})
                .find("eth0: received 15 = taken 10 + lost 2 + waiting 3\n"),
            std::string::npos);
  EXPECT_NE(
      statistics_of(ledger, {}, {})
          .find(" port=eth0 taken=10 filtered=0 early=0 unbuffered=0 lost=2 waiting=3 cut=0\n"),
      std::string::npos);
  EXPECT_EQ(ledger.residues().size(), 1u);
  ledger.ports = {port_of({.received = 9, .lost = 0, .taken = 10})};  // asked a moment before
  EXPECT_EQ(summary_of(ledger, {.is_over = false}).find("waiting"), std::string::npos);
}

TEST(ledger, losses_that_a_device_does_not_tell_are_unknown_and_never_0) {
  Ledger ledger = balanced();
  ledger.ports = {port_of({.received = {}, .lost = {}, .taken = 10})};
  EXPECT_TRUE(ledger.residues().empty());
  EXPECT_NE(summary_of(ledger, {}).find("eth0: taken 10, losses unknown\n"), std::string::npos);
  EXPECT_NE(statistics_of(ledger, {}, {}).find(" lost=unknown waiting=unknown cut=0\n"),
            std::string::npos);
}

// The sum of what stands behind " name=" in the line.
std::uint64_t sum_of(const std::string& line, const std::string& name) {
  std::uint64_t sum = 0;
  for (std::size_t at = 0; (at = line.find(' ' + name + '=', at)) != std::string::npos; ++at)
    sum += std::stoull(line.substr(at + name.size() + 2));
  return sum;
}

TEST(ledger, a_line_of_statistics_tells_every_part_of_what_was_lost_and_of_what_a_port_received) {
  Ledger ledger = balanced();
  ledger.datagrams_unbuffered = 3;
  const PortCounts counts = {.received = 100,
                             .lost = 5,
                             .taken = 60,
                             .filtered = 7,
                             .early = 11,
                             .unbuffered = 13,
                             .cut = 17};
  ledger.ports = {port_of(counts), port_of(counts)};
  const std::string line = statistics_of(ledger, {}, {});
  const std::size_t ports = line.find(" port=");
  const std::string whole = line.substr(0, ports);
  const std::string each = line.substr(ports);
  EXPECT_EQ(sum_of(whole, "lost"), 74u) << line;
  EXPECT_EQ(sum_of(whole, "handoff_full") + sum_of(whole, "datagrams_unbuffered") +
                sum_of(each, "lost") + sum_of(each, "unbuffered") + sum_of(each, "cut"),
            74u)
      << line;
  EXPECT_EQ(sum_of(each, "taken") + sum_of(each, "filtered") + sum_of(each, "early") +
                sum_of(each, "unbuffered") + sum_of(each, "lost") + sum_of(each, "waiting"),
            200u)
      << line;
}

TEST(ledger, a_shard_tells_apart_what_it_handed_over_and_what_found_no_room) {
  Ledger ledger = balanced();
  ledger.ports = {port_of({.received = {}, .lost = {}, .taken = 10})};
  ledger.shards = {{.received = 10, .handed_over = 4, .dropped = 1, .in_sessions = 3},
                   {.received = 0, .handed_over = 0, .dropped = 0, .in_sessions = 4}};
  const std::string text = summary_of(ledger, {});
  EXPECT_NE(text.find("0: received 10, of them handed over 4 and dropped 1; in sessions 3\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("1: received 0, of them handed over 0; in sessions 4\n"), std::string::npos)
      << text;
}

TEST(ledger, a_line_of_statistics_tells_whether_the_directions_of_sessions_come_apart) {
  Ledger ledger = balanced();
  ledger.handed_over = 7;
  ledger.directions_sampled = 4;
  ledger.directions_apart = 3;
  EXPECT_NE(
      statistics_of(ledger, {}, {}).find(" handed_over=7 directions_sampled=4 directions_apart=3 "),
      std::string::npos);
}

TEST(ledger, each_output_is_checked_and_named) {
  Ledger ledger = balanced();
  ledger.outputs.push_back({"file:y", ledger.outputs[0].totals});
  ++ledger.outputs[1].totals.written;
  ASSERT_EQ(ledger.residues().size(), 1u);
  EXPECT_EQ(ledger.residues()[0],
            "file:y: records handed against written and dropped: 4 against 5, a residue of -1");
}

// With what found no room on the way to another shard.
TEST(ledger, what_was_cut_or_found_no_buffer_counts_as_lost) {
  Ledger ledger = balanced();
  ledger.datagrams_unbuffered = 2;
  ledger.ports = {port_of({.received = {}, .lost = 4, .taken = 0, .unbuffered = 8, .cut = 16})};
  EXPECT_EQ(ledger.packets_lost(), 31u);
}

TEST(ledger, every_way_to_lose_a_link_is_told) {
  for (const auto links : {&Ledger::links_dropped, &Ledger::links_forgotten, &Ledger::links_early,
                           &Ledger::links_lost}) {
    Ledger ledger = balanced();
    ledger.*links = 9;
    EXPECT_NE(summary_of(ledger, {}).find("limit     9 sessions may be told without the one that"),
              std::string::npos);
  }
}

TEST(ledger, the_summary_names_the_limits_that_were_hit) {
  Ledger ledger = balanced();
  EXPECT_EQ(summary_of(ledger, {}).find("limit"), std::string::npos);
  ledger.graves_lost = 3;
  ledger.late_blocks_early = 2;
  ledger.evicted_lingering = 1;
  ledger.extension_dry = 1;
  ledger.tunnels_missing = 1;
  const std::string text = summary_of(ledger, {});
  for (const char* setting :
       {"maxStreams", "graveyardSize", "latePool", "extensionPool", "tunnelPool"})
    EXPECT_NE(text.find(setting), std::string::npos) << text;
}

TEST(ledger, a_limit_is_not_blamed_on_a_setting_that_does_not_change_it) {
  for (const auto count : {&Ledger::mptcp_lost, &Ledger::mptcp_crowded}) {
    Ledger ledger = balanced();
    ledger.*count = 9;
    const std::string text = summary_of(ledger, {});
    EXPECT_NE(text.find("limit     9 "), std::string::npos) << text;
    EXPECT_EQ(text.find("mptcpPool"), std::string::npos) << text;
  }
}

TEST(ledger, counters_stand_in_columns) {
  std::istringstream lines(counters_of({}));
  for (std::string line; std::getline(lines, line);) EXPECT_EQ(line.substr(38, 5), "  0  ") << line;
}

}  // namespace
}  // namespace linger
