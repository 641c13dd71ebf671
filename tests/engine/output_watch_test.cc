#include "engine/output_watch.h"

#include <gmock/gmock.h>

namespace linger {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr double kPause = OutputWatch::kPauseSeconds;

TEST(output_watch, a_peer_that_is_gone_is_told_once_and_its_return_with_what_was_lost) {
  OutputWatch watch;
  EXPECT_THAT(watch.look({{"a"}, {"b"}}, 0), IsEmpty());
  const OutputState gone{"b", false, 1, 0, 0};
  EXPECT_THAT(watch.look({{"a"}, gone}, 1),
              ElementsAre("output 'b': the connection is lost; it is tried again and again"));
  EXPECT_THAT(watch.look({{"a"}, {"b", false, 1, 0, 500}}, 2), IsEmpty());
  EXPECT_THAT(watch.look({{"a"}, {"b", false, 1, 0, 800}}, 1 + 2 * kPause), IsEmpty());
  const OutputState back{"b", true, 1, 7, 900};
  EXPECT_THAT(watch.look({{"a"}, back}, 200),
              ElementsAre("output 'b': connected again after 199.0 s; 900 records were dropped, 7 "
                          "sent again"));
  EXPECT_THAT(watch.look({{"a"}, back}, 300), IsEmpty());
}

TEST(output_watch, a_break_between_two_looks_is_told) {
  OutputWatch watch;
  EXPECT_THAT(watch.look({{"a", true, 1, 3, 0}}, 1),
              ElementsAre("output 'a': connected again after 0.0 s; 0 records were dropped, 3 sent "
                          "again"));
}

TEST(output_watch, a_peer_that_comes_and_goes_is_told_once_a_minute) {
  OutputWatch watch;
  EXPECT_EQ(watch.look({{"a", true, 1}}, 1).size(), 1u);
  for (std::uint64_t i = 2; i < 50; ++i)
    EXPECT_THAT(watch.look({{"a", i % 2 == 0, i}}, 1 + static_cast<double>(i)), IsEmpty());
  EXPECT_THAT(watch.look({{"a", true, 50}}, 1 + kPause),
              ElementsAre("output 'a': connected again after 0.0 s and 49 breaks; 0 records were "
                          "dropped, 0 sent again"));
}

TEST(output_watch, an_output_that_stands_still_is_told_once_and_that_it_goes_on) {
  OutputWatch watch;
  const auto at = [&](double seconds, std::uint64_t written, std::uint64_t waiting) {
    return watch.look({{"a", true, 0, 0, 0, written, waiting}}, seconds);
  };
  EXPECT_THAT(at(100, 5, 0), IsEmpty());
  EXPECT_THAT(at(200, 5, 3), IsEmpty());  // nothing came meanwhile
  EXPECT_THAT(at(209, 5, 3), IsEmpty());
  EXPECT_THAT(at(210, 5, 7),
              ElementsAre("output 'a': it has taken nothing for 10 s; 7 records wait"));
  EXPECT_THAT(at(300, 5, 9), IsEmpty());
  EXPECT_THAT(at(320, 6, 9), ElementsAre("output 'a': it takes records again after 120.0 s"));
  EXPECT_THAT(at(329, 6, 9), IsEmpty());
  EXPECT_THAT(at(329.5, 7, 9), IsEmpty());
  EXPECT_THAT(at(339, 7, 9), IsEmpty());
  EXPECT_EQ(at(349, 7, 9).size(), 1u);
  EXPECT_THAT(at(350, 7, 0), IsEmpty());  // it is given up
}

TEST(output_watch, drops_are_told_once_a_minute) {
  OutputWatch watch;
  EXPECT_THAT(watch.look({{"a", true, 0, 0, 5}}, 1),
              ElementsAre("output 'a': it does not keep up; 5 records were dropped"));
  EXPECT_THAT(watch.look({{"a", true, 0, 0, 50}}, kPause), IsEmpty());
  EXPECT_THAT(watch.look({{"a", true, 0, 0, 60}}, 1 + kPause),
              ElementsAre("output 'a': it does not keep up; 55 records were dropped"));
  EXPECT_THAT(watch.look({{"a", true, 0, 0, 60}}, 10 * kPause), IsEmpty());
}

}  // namespace
}  // namespace linger
