#include "output/output.h"

#include <gtest/gtest.h>

#include "tests/output/sample_record.h"
#include "tests/support/temporary_folder.h"

namespace linger {
namespace {

OutputUri uri_of(const std::string& text) { return parse_output_uri(text).value(); }

// The sequence numbers of each shard's records in the order of their lines; the shard is the source
// port.
std::map<int, std::vector<int>> sequences_by_shard(const std::string& content) {
  std::map<int, std::vector<int>> sequences;
  std::istringstream lines(content);
  for (std::string line; std::getline(lines, line);) {
    const Paths paths = paths_of(line);
    sequences[std::stoi(paths.at("source.port"))].push_back(std::stoi(paths.at("event.sequence")));
  }
  return sequences;
}

Record numbered_record(std::size_t shard, int number) {
  Record r = sample_record();
  r.port[0] = static_cast<std::uint16_t>(shard);
  r.sequence = static_cast<std::uint32_t>(number);
  return r;
}

TEST(output, a_replay_writes_every_record_of_every_shard_in_its_order) {
  TemporaryFolder folder;
  constexpr int kRecords = 2'000;
  OutputOptions options;
  options.shard_count = 3;
  options.ring_capacity = 16;  // far fewer than records: shards have to wait
  Output output(uri_of(folder.file("x")), options);
  ASSERT_TRUE(output.open());
  output.start();
  std::vector<std::thread> shards;
  for (std::size_t shard = 0; shard < 3; ++shard) {
    shards.emplace_back([&, shard] {
      for (int i = 0; i < kRecords; ++i) output.hand(shard, numbered_record(shard, i));
    });
  }
  for (std::thread& shard : shards) shard.join();
  output.finish();
  std::vector<int> in_order(kRecords);
  for (int i = 0; i < kRecords; ++i) in_order[i] = i;
  const auto sequences = sequences_by_shard(content_of(folder.file("x")));
  ASSERT_EQ(sequences.size(), 3u);
  for (const auto& [shard, numbers] : sequences) EXPECT_EQ(numbers, in_order) << shard;
  const OutputTotals totals = output.totals();
  EXPECT_EQ(totals.handed, 3u * kRecords);
  EXPECT_EQ(totals.written, 3u * kRecords);
  EXPECT_EQ(totals.dropped_in_all(), 0u);
  EXPECT_EQ(totals.encoded.records[0], 3u * kRecords);
  EXPECT_EQ(totals.encoded.packets, 3u * kRecords * 10);
  EXPECT_EQ(totals.encoded.bytes, 3u * kRecords * 5'852);
  EXPECT_EQ(output.trouble(), "");
}

TEST(output, a_live_shard_does_not_wait_and_what_found_no_room_is_counted) {
  TemporaryFolder folder;
  OutputOptions options;
  options.ring_capacity = 8;
  options.writer.is_live = true;
  Output output(uri_of(folder.file("x")), options);
  ASSERT_TRUE(output.open());
  for (int i = 0; i < 20; ++i) output.hand(0, numbered_record(0, i));  // nobody takes them yet
  output.start();
  output.finish();
  const OutputTotals totals = output.totals();
  EXPECT_EQ(totals.handed, 20u);
  EXPECT_EQ(totals.written, 8u);
  EXPECT_EQ(totals.dropped[static_cast<std::size_t>(DropReason::queue_full)], 12u);
  EXPECT_EQ(totals.encoded.packets + totals.unencoded.packets, 200u);
  EXPECT_EQ(totals.unencoded.bytes, 12u * 5'852);
  EXPECT_EQ(sequences_by_shard(content_of(folder.file("x"))).at(0),
            (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7}));
}

TEST(output, a_live_shard_that_receives_no_more_waits_for_room) {
  TemporaryFolder folder;
  OutputOptions options;
  options.ring_capacity = 8;
  options.writer.is_live = true;
  Output output(uri_of(folder.file("x")), options);
  ASSERT_TRUE(output.open());
  output.start();
  output.wait_from_now(0);
  for (int i = 0; i < 20'000; ++i) output.hand(0, numbered_record(0, i));
  output.finish();
  EXPECT_EQ(output.totals().written, 20'000u);
}

TEST(output, a_dead_destination_lets_the_run_go_on_and_the_ledger_hold) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "SKIPPED: there is no /dev/full here";
  Output output(uri_of("/dev/full"), {});
  ASSERT_TRUE(output.open());
  output.start();
  for (int i = 0; i < 50'000; ++i) output.hand(0, numbered_record(0, i));
  output.finish();
  const OutputTotals totals = output.totals();
  EXPECT_EQ(totals.handed, 50'000u);
  EXPECT_EQ(totals.written, 0u);
  EXPECT_EQ(totals.dropped[static_cast<std::size_t>(DropReason::failed)], 50'000u);
  EXPECT_EQ(totals.encoded.packets, 500'000u);
  EXPECT_NE(output.trouble().find("No space left on device"), std::string::npos);
}

TEST(output, a_lost_record_shows_in_the_ledger) {
  TemporaryFolder folder;
  Output output(uri_of(folder.file("x")), {});
  ASSERT_TRUE(output.open());
  output.lose_one_record_for_test();
  output.start();
  for (int i = 0; i < 5; ++i) output.hand(0, numbered_record(0, i));
  output.finish();
  const OutputTotals totals = output.totals();
  EXPECT_EQ(totals.handed, 5u);
  EXPECT_EQ(totals.written + totals.dropped_in_all(), 4u);
  EXPECT_EQ(totals.encoded.packets, 40u);
}

TEST(output, one_that_was_never_started_or_never_finished_ends_without_waiting) {
  TemporaryFolder folder;
  { Output output(uri_of(folder.file("x")), {}); }
  {
    Output output(uri_of(folder.file("x")), {});
    ASSERT_TRUE(output.open());
    output.start();
    output.hand(0, sample_record());
  }
}

}  // namespace
}  // namespace linger
