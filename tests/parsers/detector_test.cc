#include "parsers/detector.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "parsers/conversations.h"
#include "parsers/patterns.h"
#include "tests/output/temporary_folder.h"

namespace linger::test {
namespace {

Bytes bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

const std::vector<Signature> kSignatures = {
    {.name = "first", .expression = "^he", .place = "a.yaml:1"},
    {.name = "second", .expression = "^hello", .place = "a.yaml:2"},
    {.name = "other", .expression = "^hello", .place = "a.yaml:3", .carrier = Carrier::datagrams}};

// Signatures are not in a build without Hyperscan.
class Signatures : public testing::Test {
 protected:
  void SetUp() override {
    if (!Detector::make({.signatures = kSignatures})) GTEST_SKIP() << "built without Hyperscan";
  }
};

// What network.protocol is when each side says one thing.
std::string name_of(const Detector& detector, std::string_view one, std::string_view other,
                    Carrier carrier = Carrier::stream) {
  ParserCounters counters;
  Conversations conversations({.conversations = 1, .memory = 1 << 20}, detector, 0, counters);
  const std::uint32_t id = conversations.open(carrier, 0);
  const std::string_view words[] = {one, other};
  for (unsigned side = 0; side < 2; ++side) {
    if (carrier == Carrier::datagrams)
      conversations.on_datagram(id, side, bytes_of(words[side]),
                                static_cast<std::uint32_t>(words[side].size()));
    for (std::size_t i = 0; carrier == Carrier::stream && i < words[side].size(); ++i)
      conversations.on_data(id, side, bytes_of(words[side].substr(i, 1)));
  }
  for (unsigned side = 0; side < 2; ++side) conversations.on_end(id, side);
  const std::string name(conversations.tell(id).protocol);
  conversations.release(id);
  EXPECT_EQ(conversations.blocks_used(), 0u);
  return name;
}

TEST_F(Signatures, name_what_no_parser_takes) {
  const auto detector = Detector::make({.signatures = kSignatures});
  EXPECT_EQ(name_of(**detector, "hello", "?"), "first");
  EXPECT_EQ(name_of(**detector, std::string(200, 'x'), "hello" + std::string(200, 'x')), "first");
  EXPECT_EQ(name_of(**detector, "hello", "?", Carrier::datagrams), "other");
  EXPECT_EQ(name_of(**detector, "hallo", "?"), "");
  EXPECT_EQ(name_of(**detector, "hello", "HTTP/1.1 200 OK\r\n\r\n"), "http");
}

TEST_F(Signatures, that_do_not_compile_are_named_with_their_place) {
  const auto made =
      Detector::make({.signatures = {{.name = "broken", .expression = "^(", .place = "b.yaml:7"}}});
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().find("b.yaml:7: pattern ^("), std::string::npos) << made.error();
}

TEST_F(Signatures, are_kept_compiled_and_anything_wrong_with_that_is_mended) {
  const TemporaryFolder folder;
  const DetectorOptions options{.signatures = kSignatures, .cache_folder = folder.file("cache")};
  const auto expect_good = [&] {
    const auto detector = Detector::make(options);
    ASSERT_TRUE(detector) << detector.error();
    EXPECT_EQ(name_of(**detector, "hello", "?"), "first");
  };
  expect_good();
  std::vector<std::filesystem::path> kept;
  for (const auto& entry : std::filesystem::directory_iterator(options.cache_folder))
    kept.push_back(entry.path());
  EXPECT_EQ(kept.size(), 2u);
  expect_good();
  for (const auto& path : kept) {
    const auto bytes = std::filesystem::file_size(path);
    std::filesystem::resize_file(path, bytes - 1);
    expect_good();
    std::fstream(path, std::ios::in | std::ios::out | std::ios::binary)
            .seekp(static_cast<std::streamoff>(bytes / 2))
        << "damaged";
    expect_good();
    std::ofstream(path) << "of something else";
    expect_good();
  }
  DetectorOptions nowhere = options;
  nowhere.cache_folder = "/proc/nothing";
  EXPECT_TRUE(Detector::make(nowhere));
}

TEST_F(Signatures, that_nobody_used_for_long_are_removed_when_others_are_kept) {
  const TemporaryFolder folder;
  const auto file_of = [&](const char* name, std::chrono::hours age) {
    const std::filesystem::path path = folder.file(name);
    std::ofstream(path) << "something";
    std::filesystem::last_write_time(path, std::filesystem::file_time_type::clock::now() - age);
    return path;
  };
  constexpr std::chrono::hours kHour{1};
  const auto unused = file_of("patterns-0123456789abcdef.hs", PatternDatabase::kKeptFor + kHour);
  const auto torn = file_of("patterns-0123456789abcdef.hs.12", PatternDatabase::kKeptFor + kHour);
  const auto recent = file_of("patterns-fedcba9876543210.hs", PatternDatabase::kKeptFor - kHour);
  const auto foreign = file_of("notes.txt", PatternDatabase::kKeptFor + kHour);
  ASSERT_TRUE(Detector::make({.signatures = kSignatures, .cache_folder = folder.file("")}));
  EXPECT_FALSE(std::filesystem::exists(unused));
  EXPECT_FALSE(std::filesystem::exists(torn));
  EXPECT_TRUE(std::filesystem::exists(recent));
  EXPECT_TRUE(std::filesystem::exists(foreign));
}

TEST(candidates, are_ordered_by_the_end_of_their_match_and_their_place) {
  Candidates found;
  for (const auto& [parser, end] : std::initializer_list<std::pair<std::uint8_t, std::uint32_t>>{
           {3, 4}, {1, 6}, {2, 4}, {3, 7}})
    found.add(parser, end);
  const std::vector<std::uint8_t> order(found.parsers().begin(), found.parsers().end());
  EXPECT_EQ(order, (std::vector<std::uint8_t>{2, 3, 1}));
}

}  // namespace
}  // namespace linger::test
