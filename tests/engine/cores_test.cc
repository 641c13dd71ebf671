#include "engine/cores.h"

#include <gtest/gtest.h>

namespace linger {
namespace {

TEST(cores, are_read_as_a_list_of_ranges) {
  EXPECT_EQ(*parse_cores(""), std::vector<int>{});
  EXPECT_EQ(*parse_cores("0"), std::vector<int>{0});
}

TEST(cores, a_wrong_list_is_an_error_that_names_the_setting) {
  for (const char* text : {"a", "1-", "3-2", "-1", "0;1", "0,0", "99999", "1023"}) {
    const auto cores = parse_cores(text);
    ASSERT_FALSE(cores) << text;
    EXPECT_TRUE(cores.error().starts_with("shardCores: ")) << cores.error();
  }
}

TEST(cores, that_are_not_there_are_an_error_with_those_that_are) {
  const auto cores = parse_cores("1023");
  ASSERT_FALSE(cores);
  EXPECT_TRUE(cores.error().starts_with("shardCores: this process has no core 1023; choose from "));
  const auto there = cores.error().substr(cores.error().rfind(' ') + 1);
  EXPECT_TRUE(parse_cores(there)) << there;
}

}  // namespace
}  // namespace linger
