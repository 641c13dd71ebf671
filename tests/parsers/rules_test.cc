#include "parsers/rules.h"

#include <gtest/gtest.h>

#include <random>

#include "output/protocol_json.h"
#include "parsers/list.h"

namespace linger::test {
namespace {

using namespace std::string_literals;

constexpr std::uint16_t kPort = 80;

Bytes bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

Rule rule(const std::string& name, const std::string& expression) {
  Rule made;
  made.name = name;
  made.expression = expression;
  made.place = "r.yaml:1";
  return made;
}

// One shard with one session, opened by side 0, and what is told of it.
class Scanned {
 public:
  explicit Scanned(std::vector<Rule> rules, Carrier carrier = Carrier::stream,
                   std::size_t streams = 2)
      : rules_(*RuleSet::make({.rules = std::move(rules), .streams = {streams}})),
        scans_(1, *rules_, 0, counters_) {
    scans_.open(0, carrier, 0, kPort);
  }
  ~Scanned() {
    scans_.release(0);
    EXPECT_FALSE(rules_->is_used(0));
  }

  Scanned& say(unsigned side, std::string_view text, std::size_t piece = SIZE_MAX) {
    for (; !text.empty(); text.remove_prefix(std::min(piece, text.size())))
      scans_.on_data(0, side, bytes_of(text.substr(0, piece)));
    return *this;
  }
  Scanned& datagram(unsigned side, std::string_view text) {
    scans_.on_datagram(0, side, bytes_of(text));
    return *this;
  }
  Scanned& gap(unsigned side) { return scans_.on_gap(0, side), *this; }
  Scanned& end(unsigned side, bool is_whole) { return scans_.on_end(0, side, is_whole), *this; }

  std::string told(std::string_view protocol = "") {
    std::uint8_t room[kRuleItemsMax];
    ItemWriter items{room};
    is_complete_ = scans_.tell(0, protocol, items);
    EXPECT_FALSE(items.is_full());
    static ProtocolJson json{Protocols{kProtocols}};
    return std::string(json.objects_of(items.items()));
  }
  bool is_complete() const { return is_complete_; }
  RuleScans& scans() { return scans_; }
  const RuleSet& rules() const { return *rules_; }
  ParserCounters& counters() { return counters_; }

 private:
  std::unique_ptr<RuleSet> rules_;
  ParserCounters counters_;
  RuleScans scans_;
  bool is_complete_ = true;
};

std::string names(const std::vector<std::string>& list) {
  std::string text;
  for (const std::string& name : list)
    text += (text.empty() ? ",\"rule\":{\"name\":[\"" : ",\"") + name + '"';
  return text.empty() ? text : text + "]}";
}

// Rules are not in a build without Hyperscan.
class Rules : public testing::Test {
 protected:
  void SetUp() override {
    if (pattern_library().empty()) GTEST_SKIP() << "built without Hyperscan";
  }
};

TEST_F(Rules, tell_names_in_their_order_and_each_tag_once) {
  std::vector<Rule> rules = {rule("one", "aa"), rule("two", "bb"), rule("three", "cc")};
  rules[0].tag = rules[2].tag = "x";
  rules[1].tag = "y";
  Scanned scanned(rules);
  EXPECT_EQ(scanned.told(), "");
  scanned.say(1, "cc").say(0, "bb aa bb").say(1, "cc aa");
  EXPECT_EQ(scanned.told(),
            ",\"tags\":[\"x\",\"y\"],\"rule\":{\"name\":[\"one\",\"two\",\"three\"]}");
  EXPECT_TRUE(scanned.is_complete());
  EXPECT_EQ(scanned.counters().rule_matches.value(), 3u);
}

const std::vector<Rule> kMixed = [] {
  std::vector<Rule> rules = {rule("begin", "^GET "),           rule("line", "^Host: [a-z]+"),
                             rule("far", "Host.{1,40}secret"), rule("class", "[^a]secret"),
                             rule("end", "last\\n$"),          rule("none", "GET.*secret")};
  rules[1].flags = kMultiline;
  rules[2].flags = kDotAll;
  return rules;
}();
const std::string kText = "GET / HTTP/1.1\r\nHost: abc\r\nCookie: secret\r\n\r\nlast\n";

TEST_F(Rules, match_the_same_however_bytes_are_cut) {
  const std::string expected = names({"begin", "line", "far", "class", "end"});
  for (std::size_t cut = 0; cut <= kText.size(); ++cut) {
    Scanned scanned(kMixed);
    scanned.say(0, kText.substr(0, cut)).say(0, kText.substr(cut)).end(0, true);
    EXPECT_EQ(scanned.told(), expected) << cut;
  }
  for (std::size_t piece = 1; piece < 8; ++piece)
    EXPECT_EQ(Scanned(kMixed).say(0, kText, piece).end(0, true).told(), expected) << piece;
}

TEST_F(Rules, of_a_datagram_are_held_against_it_alone) {
  Scanned scanned({rule("one", "^aa$"), rule("two", "ab")}, Carrier::datagrams);
  scanned.datagram(0, "xa").datagram(0, "b").datagram(1, "aa");
  EXPECT_EQ(scanned.told(), names({"one"}));
}

TEST_F(Rules, begin_anew_behind_a_gap_but_for_those_that_ask_for_the_beginning) {
  const std::vector<std::pair<std::string, bool>> patterns = {
      {"^bb", false},    {"\\Abb", false},  {"(a|^)bb", false}, {"bb", true},
      {"[^a]?bb", true}, {"[]^]?bb", true}, {"\\^?bb", true},   {"aabb", false}};
  for (const auto& [pattern, is_found] : patterns) {
    Scanned scanned({rule("r", pattern)});
    scanned.say(0, "aa").gap(0).say(0, "bb");
    EXPECT_EQ(scanned.told(), is_found ? names({"r"}) : "") << pattern;
  }
}

TEST_F(Rules, of_the_end_match_at_a_fin_only) {
  EXPECT_EQ(Scanned({rule("r", "a$")}).say(0, "a").told(), "");
  EXPECT_EQ(Scanned({rule("r", "a$")}).say(0, "a").end(0, false).told(), "");
  EXPECT_EQ(Scanned({rule("r", "a$")}).say(0, "a").end(0, true).told(), names({"r"}));
}

TEST_F(Rules, are_for_their_direction_ports_carrier_and_protocol) {
  Rule from_source = rule("source", "aa"), from_destination = rule("destination", "aa");
  from_source.from = {true, false};
  from_destination.from = {false, true};
  Rule this_port = rule("port", "aa"), other_port = rule("other-port", "aa");
  this_port.ports = {1, kPort};
  other_port.ports = {443};
  Rule datagrams = rule("datagrams", "aa"), http = rule("http", "aa");
  datagrams.in = {false, true};
  http.protocol = "http";
  const std::vector<Rule> rules = {from_source, from_destination, this_port,
                                   other_port,  datagrams,        http};
  EXPECT_EQ(Scanned(rules).say(0, "aa").told(), names({"source", "port"}));
  EXPECT_EQ(Scanned(rules).say(1, "aa").told("http"), names({"destination", "port", "http"}));
  EXPECT_EQ(Scanned(rules, Carrier::datagrams).datagram(0, "aa").told(),
            names({"source", "port", "datagrams"}));
  Scanned unwanted({other_port});
  EXPECT_FALSE(unwanted.scans().wants(0, 0));
}

TEST_F(Rules, without_streams_are_held_against_pieces_and_counted) {
  Scanned scanned({rule("piece", "aa"), rule("across", "ab"), rule("begin", "^b"),
                   rule("end", "a$"), rule("first", "^xa")},
                  Carrier::stream, 1);
  scanned.say(1, "-").say(0, "xaa").say(0, "b");
  EXPECT_EQ(scanned.told(), names({"piece", "first"}));
  EXPECT_FALSE(scanned.is_complete());
  EXPECT_EQ(scanned.counters().rule_streams_dry.value(), 1u);
}

TEST_F(Rules, more_than_a_record_tells_leave_the_first_of_the_list) {
  std::vector<Rule> rules;
  std::vector<std::string> first;
  for (std::size_t i = 0; i < kRulesToldMax + 2; ++i) {
    rules.push_back(
        rule("r" + std::to_string(i), "x" + std::string(1, static_cast<char>('a' + i))));
    if (i < kRulesToldMax) first.push_back(rules.back().name);
  }
  Scanned scanned(rules);
  for (std::size_t i = rules.size(); i-- > 0;) scanned.say(0, rules[i].expression);
  std::string expected = names(first);
  expected.insert(expected.size() - 1, ",\"more\":true");
  EXPECT_EQ(scanned.told(), expected);
}

TEST_F(Rules, that_are_replaced_are_kept_by_their_sessions) {
  ParserCounters counters;
  auto before = *RuleSet::make({.rules = {rule("before", "aabb")}, .streams = {4}});
  auto after = *RuleSet::make({.rules = {rule("after", "aabb")}, .streams = {4}});
  RuleScans scans(2, *before, 0, counters);
  const auto told = [&](std::uint32_t session) {
    std::uint8_t room[kRuleItemsMax];
    ItemWriter items{room};
    scans.tell(session, "", items);
    return std::string(ProtocolJson{Protocols{kProtocols}}.objects_of(items.items()));
  };
  scans.open(0, Carrier::stream, 0, kPort);
  scans.on_data(0, 0, bytes_of("aa"));
  scans.set_rules(*after);
  scans.open(1, Carrier::stream, 0, kPort);
  for (const std::uint32_t session : {0u, 1u}) scans.on_data(session, 0, bytes_of("bb"));
  scans.on_data(1, 0, bytes_of("aabb"));
  EXPECT_EQ(told(0), names({"before"}));
  EXPECT_EQ(told(1), names({"after"}));
  EXPECT_TRUE(before->is_used(0));
  scans.release(0);
  EXPECT_FALSE(before->is_used(0));
  before.reset();
  scans.release(1);
}

TEST_F(Rules, that_do_not_compile_are_named_with_place_and_reason) {
  const auto made = RuleSet::make({.rules = {rule("good", "a"), rule("bad", "a(b")}});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().find("r.yaml:1: rule bad: pattern a(b: Missing close parenthesis"), 0u)
      << made.error();
  const auto empty = RuleSet::make({.rules = {rule("empty", "a*")}});
  ASSERT_FALSE(empty);
  EXPECT_NE(empty.error().find("r.yaml:1: rule empty: pattern a*: it matches no byte at all too"),
            std::string::npos);
}

// Against a naive twin: each literal looked for in what was said since the last gap.
TEST_F(Rules, find_what_a_naive_search_finds) {
  for (unsigned seed = 1; seed <= 50; ++seed) {
    std::mt19937 random(seed);
    const auto text = [&](std::size_t bytes) {
      std::string made;
      for (std::size_t i = 0; i < bytes; ++i) made += static_cast<char>('a' + random() % 3);
      return made;
    };
    std::vector<Rule> rules;
    for (int i = 0; i < 12; ++i) rules.push_back(rule("r" + std::to_string(i), text(4 + i % 3)));
    Scanned scanned(rules);
    std::vector<bool> found(rules.size());
    for (int part = 0; part < 4; ++part) {
      const std::string said = text(40);
      for (std::size_t i = 0; i < rules.size(); ++i)
        if (said.find(rules[i].expression) != std::string::npos) found[i] = true;
      scanned.say(0, said, 1 + random() % 9).gap(0);
    }
    std::vector<std::string> expected;
    for (std::size_t i = 0; i < rules.size(); ++i)
      if (found[i]) expected.push_back(rules[i].name);
    EXPECT_EQ(scanned.told(), names(expected)) << "seed " << seed;
  }
}

}  // namespace
}  // namespace linger::test
