#include "parsers/detector.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "parsers/conversations.h"
#include "parsers/patterns.h"
#include "parsers/plain_match.h"
#include "tests/support/temporary_folder.h"

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
  EXPECT_EQ(counters.recognised.value(), name.empty() ? 0u : 1u) << one << other;
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
  EXPECT_EQ(name_of(**detector, "hello" + std::string(kDetectBytesMax, 'x'), "STLS\r\n"), "pop3");
  EXPECT_EQ(name_of(**detector, "PROXY UNKNOWN\r\nhello", "?"), "first");
  EXPECT_EQ(name_of(**detector, "PROXY UNKNOWN\r\nhello", "HTTP/1.1 200 OK\r\n\r\n"), "http");
  EXPECT_EQ(name_of(**detector, "PROXY UNKNOWN\r\nhallo", "?"), "proxy");
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

const char* const kBeginnings[] = {"capa\r\n",
                                   "StartTLS\n",
                                   "a1 CAPABILITY\r\n",
                                   "GET / HTTP/1.1\r\n",
                                   "HTTP/1.1 200 OK\r\n",
                                   "SSH-2.0-x\r\n",
                                   "220 ftp\r\n",
                                   "EHLO a\r\n",
                                   "AUTH TLS\r\n",
                                   "PROXY TCP4 1.2.3.4",
                                   "\r\n\r\n"};
const std::string kBinary[] = {{"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11},
                               {"\x16\xfe\xfd\x00\x00\x00\x00\x00\x00\x00\x00\x00\x30\x01", 14},
                               {"\xc3\x00\x00\x00\x01\x08\x83\x94", 8},
                               {"\xc3\x6b\x33\x43\xcf\x08\x83\x94", 8},
                               {"\x80\x00\x00\x00\x00\x08\x83\x94", 8},
                               {"ab\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www", 16},
                               {"\x00\x20zz\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www", 18},
                               {"\x05\x01\x00", 3},
                               {"\x04\x01\x00\x50\x00\x00\x00\x01x\x00", 10},
                               {"\x10\x14\x00\x04MQTT\x04\x02", 10},
                               {"\x00\x01\x00\x00\x00\x06\x11\x03\x00\x6b\x00\x01", 12},
                               {"\x00\x00\x00\x08\x04\xd2\x16\x2f", 8},
                               {"\r\n\r\n\x00\r\nQUIT\n\x21", 13}};

// The beginnings of all protocols, cut, damaged and lengthened at random.
TEST_F(Signatures, by_hyperscan_and_by_plain_matches_the_candidates_are_the_same) {
  const auto fast = Detector::make({.is_plain = false});
  const auto plain = Detector::make({.is_plain = true});
  std::vector<std::string> beginnings(std::begin(kBeginnings), std::end(kBeginnings));
  beginnings.insert(beginnings.end(), std::begin(kBinary), std::end(kBinary));
  std::size_t found_count = 0;
  for (unsigned seed = 1; seed <= 5'000; ++seed) {
    std::mt19937 random(seed);
    std::string bytes = beginnings[random() % beginnings.size()];
    for (unsigned i = random() % 3; i > 0; --i)
      bytes[random() % bytes.size()] = static_cast<char>(random());
    if (random() % 4 == 0) bytes.resize(random() % bytes.size());
    if (random() % 4 == 0) bytes.insert(random() % (bytes.size() + 1), random() % 40, 'A');
    for (const Carrier carrier : {Carrier::stream, Carrier::datagrams}) {
      const auto list_of = [&](const Detector& detector) {
        const Candidates found = detector.candidates(0, carrier, bytes_of(bytes));
        return std::vector<unsigned>(found.parsers().begin(), found.parsers().end());
      };
      const auto expected = list_of(**plain);
      ASSERT_EQ(list_of(**fast), expected) << "seed " << seed;
      found_count += expected.size();
    }
  }
  EXPECT_GT(found_count, 1'500u);
}

TEST(plain_match, knows_all_that_patterns_are_made_of) {
  const auto end_of = [](std::string_view pattern, std::string_view bytes) {
    return PlainMatch(pattern, bytes_of(bytes)).end().value_or(99);
  };
  EXPECT_EQ(end_of("^ab", "abc"), 2u);
  EXPECT_EQ(end_of("^ab", "xab"), 99u);
  EXPECT_EQ(end_of("^a.\\.", "a\n."), 3u);
  EXPECT_EQ(end_of("^[ \\t]", "\t"), 1u);
  EXPECT_EQ(end_of("^\\x0a\\r[\\n\\x41-C]", "\n\rB"), 3u);
  EXPECT_EQ(end_of("^[^a-c]", "d"), 1u);
  EXPECT_EQ(end_of("^[^a-c]", "b"), 99u);
  EXPECT_EQ(end_of("^[A-Z_-]{2,3} ", "A-_ "), 4u);
  EXPECT_EQ(end_of("^a{1,9}", "aaa"), 1u);
  EXPECT_EQ(end_of("^a{3}b?c", "aaac"), 4u);
  EXPECT_EQ(end_of("^(ab|(c|d){2})e", "cde"), 3u);
  EXPECT_EQ(end_of("^ab|cd", "cd"), 2u);
  EXPECT_EQ(end_of("^(?i)Ab[c-d]", "aBC"), 3u);
  EXPECT_EQ(end_of("^(?i)[`-{]?@", "@"), 1u);
  EXPECT_EQ(end_of("^a", ""), 99u);
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
