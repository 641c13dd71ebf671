// simulation_test [--seed=N] [--seeds=COUNT]: the session table against the oracle, on seeded
// traffic. Default: as many seeds as LINGER_SIMULATION_SEEDS says, else kSeeds. A failure prints
// its seed; --seed=N plays that one again.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string_view>

#include "tests/simulation/run.h"

namespace linger::test {
namespace {

#if defined(LINGER_IS_SANITIZED)
constexpr std::uint64_t kSeeds = 150;
#else
constexpr std::uint64_t kSeeds = 2'000;
#endif

std::uint64_t first_seed = 0;
std::uint64_t seed_count = kSeeds;

TEST(Simulation, records_are_those_of_the_oracle) {
  for (std::uint64_t seed = first_seed; seed < first_seed + seed_count; ++seed) {
    const std::string found = check_seed(seed);
    ASSERT_TRUE(found.empty()) << found << "again: simulation_test --seed=" << seed;
  }
}

}  // namespace
}  // namespace linger::test

int main(int argc, char** argv) {
  using namespace linger::test;
  testing::InitGoogleTest(&argc, argv);
  if (const char* seeds = std::getenv("LINGER_SIMULATION_SEEDS"))
    seed_count = std::strtoull(seeds, nullptr, 10);
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    const auto value = [&] { return std::strtoull(argv[i] + word.find('=') + 1, nullptr, 10); };
    if (word.starts_with("--seed=")) {
      first_seed = value();
      seed_count = 1;
    } else if (word.starts_with("--seeds=")) {
      seed_count = value();
    }
  }
  return RUN_ALL_TESTS();
}
