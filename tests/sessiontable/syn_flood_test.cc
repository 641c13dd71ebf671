#include "sessiontable/syn_flood.h"

#include <gtest/gtest.h>

#include "tests/sessiontable/table_run.h"

namespace linger::test {
namespace {

Settings summarising(std::uint64_t rate) {
  Settings settings;
  settings.maxStreams = 20'000;
  settings.synFloodSummary = true;
  settings.synFloodRate = rate;
  return settings;
}

// Their sessions end beside those of the seconds in which the others came again.
TEST(syn_flood, half_of_it_comes_again_and_each_second_has_one_record_all_the_same) {
  constexpr unsigned kSeconds = 10, kEachSecond = 1'000, kRate = 100;
  Frames frames;
  for (unsigned i = 0; i < kSeconds * kEachSecond; ++i) {
    TcpPeers tcp = peers(frames, i);
    const std::int64_t time = at(kSecond + i * kMillisecond);
    tcp.syn(time);
    if (i % 2 == 0) continue;
    tcp.syn(time + kSecond, {.sequence_offset = -1});
    tcp.syn(time + 3 * kSecond, {.sequence_offset = -1});
  }
  sort_by_time(frames);
  TableRun run(summarising(kRate));
  run.see(frames);
  for (int i = 0; i < 400; ++i) run.pass(kSecond / 10);
  run.finish();
  EXPECT_EQ(run.all(Action::session_end).size(), kSeconds * kRate);
  EXPECT_EQ(run.all(Action::syn_flood).size(), kSeconds);
  EXPECT_EQ(run.packets_told(), frames.size());
}

}  // namespace
}  // namespace linger::test
