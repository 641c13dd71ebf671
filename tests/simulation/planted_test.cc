// planted_test: the simulation finds every bug that is planted in the session table
// (sessiontable/planted.h), within the seeds of its normal run. Prints which seed found which.
#include <gtest/gtest.h>

#include "sessiontable/planted.h"
#include "tests/simulation/run.h"

namespace linger::test {
namespace {

constexpr std::uint64_t kSeedsMax = 2'000;

class PlantedBug : public testing::TestWithParam<int> {
 protected:
  ~PlantedBug() override { planted_bug = 0; }
};

TEST_P(PlantedBug, is_found_by_the_simulation) {
  planted_bug = GetParam();
  std::uint64_t seed = 0;
  while (seed < kSeedsMax && check_seed(seed).empty()) ++seed;
  EXPECT_LT(seed, kSeedsMax);
  RecordProperty("seed", std::to_string(seed));
  std::printf("bug %d: found by seed %d\n", GetParam(), static_cast<int>(seed));
}

INSTANTIATE_TEST_SUITE_P(Simulation, PlantedBug, testing::Range(1, kPlantedBugs + 1));

}  // namespace
}  // namespace linger::test
