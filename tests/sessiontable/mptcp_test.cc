#include "sessiontable/mptcp.h"

#include <gtest/gtest.h>

#include "tests/sessiontable/table_run.h"

namespace linger::test {
namespace {

TcpKnobs with(ByteList option) {
  TcpKnobs knobs;
  option.insert(option.begin(), {30, static_cast<std::uint8_t>(option.size() + 2)});
  knobs.options.other = option;
  return knobs;
}

TcpKnobs join() { return with({0x11, 5, 0xde, 0xad, 0xbe, 0xef, 1, 2, 3, 4}); }
TcpKnobs mapping() { return with({0x20, 0x01, 0, 0, 0, 1}); }

TEST(mptcp, a_joining_syn_names_the_connection_of_its_session) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.syn(at(0), join());
  TableRun run;
  run.see(frames);
  run.finish();
  const Record record = run.only(Action::session_end);
  EXPECT_EQ(record.mptcp_role, MptcpRole::join);
  EXPECT_EQ(record.mptcp_host[1].token, 0xdeadbeefu);
  EXPECT_EQ(record.mptcp_address_id[0], 5);
  EXPECT_TRUE(record.mptcp_backup[0]);
}

TEST(mptcp, a_session_that_begins_with_a_mapping_is_a_subflow_of_an_unknown_connection) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.data(Side::client, "data", at(0), mapping());
  TableRun run;
  run.see(frames);
  run.finish();
  EXPECT_EQ(run.only(Action::session_end).mptcp_role, MptcpRole::mid_stream);
}

// By its session, as soon as it speaks of MPTCP: not all segments do.
TEST(mptcp, what_goes_on_with_a_cut_subflow_is_told_when_it_first_signals) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.syn(at(0), join());
  tcp.syn_ack(at(1));
  tcp.ack(Side::client, at(2));
  tcp.data(Side::client, "more", at(kHour));
  tcp.ack(Side::server, at(kHour + 1), with({0x50}));
  TableRun run;
  run.see(frames);
  ASSERT_EQ(run.notices().size(), 2u);
  EXPECT_EQ(run.notices()[1].continues, run.notices()[0].path.id);
  EXPECT_EQ(run.notices()[1].clock, at(kHour + 1));
}

TEST(mptcp, another_token_of_a_subflow_is_told_when_it_comes) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.syn(at(0), join());
  tcp.ack(Side::client, at(1), with({0x11, 5, 0xde, 0xad, 0xbe, 0xff, 1, 2, 3, 4}));
  TableRun run;
  run.see(frames);
  ASSERT_EQ(run.notices().size(), 2u);
  EXPECT_EQ(run.notices()[1].subflow.host[1].token, 0xdeadbeffu);
}

TEST(mptcp, withdrawn_addresses_and_failed_checksums_are_told) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.syn(at(0), join());
  tcp.ack(Side::client, at(1), with({0x40, 2, 7}));
  tcp.ack(Side::client, at(2), with({0x40, 7}));
  tcp.ack(Side::server, at(3), with({0x60, 0, 0, 0, 0, 0, 0, 0, 0, 1}));
  TableRun run;
  run.see(frames);
  run.finish();
  const Record record = run.only(Action::session_end);
  EXPECT_EQ(record.mptcp_removed, (std::array<std::uint8_t, 2>{2, 0}));
  EXPECT_EQ(record.mptcp_fail, (std::array<bool, 2>{false, true}));
}

TEST(mptcp, addresses_beyond_those_that_are_kept_are_counted) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.syn(at(0), join());
  const auto announce = [&](Side side, std::uint8_t id, ByteList port = {}) {
    ByteList option{0x34, id, 10, 0, 0, id};
    option.insert(option.end(), port.begin(), port.end());
    tcp.ack(side, at(static_cast<std::int64_t>(frames.size())), with(option));
  };
  for (std::uint8_t i = 1; i < kMptcpAddressesMax; ++i) announce(Side::client, i);
  announce(Side::client, 1);  // known
  announce(Side::server, 1);  // the last that there is room for
  announce(Side::client, 1, {0, 80});
  announce(Side::client, 99);
  TableRun run;
  run.see(frames);
  run.finish();
  EXPECT_EQ(run.counters().mptcp_addresses_missing.value(), 2u);
}

TEST(mptcp, a_dry_pool_is_marked_and_counted_and_a_block_is_used_again) {
  Settings settings = small_settings();
  settings.mptcpPool = 16;
  Frames frames;
  for (unsigned i = 0; i < 17; ++i) {
    TcpPeers tcp = peers(frames, i);
    tcp.syn(at(i), join());
    tcp.rst(Side::server, at(kMillisecond + i));
  }
  TableRun run(settings);
  run.see(frames);
  run.pass(kMinute);
  EXPECT_EQ(run.counters().mptcp_missing.value(), 1u);
  std::size_t missing = 0;
  for (const Record& record : run.all(Action::session_end)) missing += record.mptcp_missing;
  EXPECT_EQ(missing, 1u);
  Frames later;
  TcpPeers tcp = peers(later, 99);
  tcp.syn(at(2 * kMinute), join());
  run.see(later);
  run.finish();
  EXPECT_EQ(run.records().back().mptcp_role, MptcpRole::join);
  EXPECT_EQ(run.counters().mptcp_missing.value(), 1u);
}

TEST(mptcp, subflows_are_not_summarised_as_a_flood) {
  Settings settings = small_settings();
  settings.synFloodSummary = true;
  settings.synFloodRate = 1;
  Frames frames;
  for (unsigned i = 0; i < 20; ++i) peers(frames, i).syn(at(i), i < 10 ? join() : TcpKnobs{});
  TableRun run(settings);
  run.see(frames);
  run.pass(kMinute);
  run.finish();
  std::size_t joins = 0;
  for (const Record& record : run.all(Action::session_end))
    joins += record.mptcp_role == MptcpRole::join;
  EXPECT_EQ(joins, 10u);
  EXPECT_NE(run.counters().summarised.value(), 0u);
}

}  // namespace
}  // namespace linger::test
