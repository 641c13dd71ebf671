#include "engine/applications.h"

#include <gtest/gtest.h>

#include <array>

#include "engine/signatures.h"

namespace linger::test {
namespace {

TEST(applications, take_another_detector_at_the_next_poll) {
  const Reading before{*Detector::make({}), nullptr};
  const Reading after{*Detector::make({}), nullptr};
  Settings settings;
  settings.maxStreams = 1'000;
  TableCounters table_counters;
  ParserCounters counters;
  Applications applications(settings, before, 0, table_counters, counters);
  applications.replace(after);
  EXPECT_TRUE(applications.uses(before));
  applications.refresh();
  EXPECT_FALSE(applications.uses(before));
  EXPECT_TRUE(applications.uses(after));
}

TEST(applications, files_that_are_empty_now_leave_something_to_read_with) {
  std::array<Settings, 1> shards;
  shards[0].parsers = {"none"};
  shards[0].patternCache = "none";
  EXPECT_EQ(*make_reading(shards), nullptr);
  if (pattern_library().empty()) GTEST_SKIP() << "this build has no Hyperscan";
  for (const auto files : {&Settings::signatures, &Settings::rules}) {
    std::array<Settings, 1> named = shards;
    named[0].*files = {"/dev/null"};
    const auto reading = make_reading(named);
    ASSERT_TRUE(reading) << reading.error();
    ASSERT_NE(*reading, nullptr);
    EXPECT_NE((*reading)->detector, nullptr);
  }
}

TEST(applications, parsers_are_switched_on_by_name) {
  Settings settings;
  EXPECT_EQ(parsers_of(settings), kAllParsers);
  settings.parsers = {"none"};
  EXPECT_EQ(parsers_of(settings), 0u);
  EXPECT_EQ(Applications::memory_needed(settings), 0u);
  settings.parsers = {std::string(kProtocols[1]->name)};
  EXPECT_EQ(parsers_of(settings), 2u);
  settings.parsers = {"none", "http"};
  EXPECT_EQ(parsers_of(settings).error(), "parsers: none among others; leave it or them out");
  settings.parsers = {"htpp"};
  const auto set = parsers_of(settings);
  ASSERT_FALSE(set);
  EXPECT_EQ(set.error().find("parsers: there is none named htpp; allowed: all, none, http"), 0u);
}

TEST(signatures, are_read_with_their_places) {
  const auto read = read_signatures(
      "- {name: a, pattern: ^a}\n- name: b\n  pattern: ^b\n"
      "  carrier: datagrams\n",
      "x.yaml");
  ASSERT_TRUE(read) << read.error();
  ASSERT_EQ(read->size(), 2u);
  EXPECT_EQ((*read)[0].name, "a");
  EXPECT_EQ((*read)[1].expression, "^b");
  EXPECT_EQ((*read)[1].place, "x.yaml:2");
  EXPECT_EQ((*read)[1].carrier, Carrier::datagrams);
  EXPECT_TRUE(read_signatures("", "x.yaml")->empty());
}

TEST(signatures, that_are_wrong_are_named_with_their_line) {
  const auto error_of = [](const char* yaml) {
    const auto read = read_signatures(yaml, "x.yaml");
    return read ? std::string("none") : read.error();
  };
  EXPECT_EQ(error_of("a: b"), "x.yaml:1: not a list of signatures");
  EXPECT_EQ(error_of("- a"), "x.yaml:1: not a signature: name, pattern, carrier");
  EXPECT_EQ(error_of("- {name: a, pattern: b}"),
            "x.yaml:1: signature a: pattern: it has to begin with ^, at the first byte");
  EXPECT_EQ(error_of("\n- {name: A, pattern: ^b}"),
            "x.yaml:2: signature A: name: only a-z, 0-9, '-', '_' and '.'");
  EXPECT_EQ(error_of("- {name: a, pattern: ^b, carrier: pigeon}")
                .find("x.yaml:1: signature a: carrier: pigeon"),
            0u);
  EXPECT_EQ(error_of("- [").find("x.yaml:1: not YAML: "), 0u);
  EXPECT_EQ(load_signatures("--set: ", {"/nowhere.yaml"}).error(),
            "--set: signatures: /nowhere.yaml: No such file or directory");
}

}  // namespace
}  // namespace linger::test
