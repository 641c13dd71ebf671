#include "output/links.h"

#include <gtest/gtest.h>

#include "tests/output/sample_record.h"

namespace linger {
namespace {

constexpr ClockNs kNow = 1'000 * kSecond;

// A transfer to port 80 of the sample's destination, between `begin` and `end` seconds.
Record transfer(int begin, int end, std::uint16_t source_port = 1) {
  Record r = sample_record();
  r.action = Action::session_end;
  r.payload_bytes = {0, 4'700};
  r.port[0] = source_port;
  r.start = {kNow + begin * kSecond};
  r.clock = kNow + end * kSecond;
  return r;
}

// Named at `from` seconds, for a minute, by a packet of `clock` seconds.
RecordLink link_to(const Record& record, int from, int clock, std::uint64_t id = 1) {
  RecordLink link;
  link.key = LinkKey::of_endpoint(4, record.address[1], record.port[1]);
  link.id = {0, id};
  link.from = {kNow + from * kSecond};
  link.until = {kNow + (from + 60) * kSecond};
  link.clock = kNow + clock * kSecond;
  link.name = "ftp-data";
  link.items[0] = static_cast<std::uint8_t>(id);
  link.items_bytes = 1;
  return link;
}

// What comes out: source port, protocol, items.
struct Out {
  std::vector<std::string> lines;

  void operator()(const Record& record, Bytes items) {
    lines.push_back(std::to_string(record.port[0]) + " " + std::string(record.application.view()));
    for (const std::uint8_t item : items) lines.back() += " " + std::to_string(item);
  }
};
using Lines = std::vector<std::string>;

struct LinksTest : testing::Test {
  void pass(const Record& record) {
    links.pass(record, items, [this](const Record& r, Bytes i) { out(r, i); });
  }
  void clocks(int first, int second) {
    links.publish_clock(0, kNow + first * kSecond);
    links.publish_clock(1, kNow + second * kSecond);
    links.advance([this](const Record& r, Bytes i) { out(r, i); });
  }
  // What a transfer tells when all is known.
  std::string told(const Record& record) {
    clocks(1'000, 1'000);
    pass(record);
    return out.lines.empty() ? "held" : out.lines.back();
  }

  Links links{2};
  std::vector<std::uint8_t> items;
  Out out;
};

TEST_F(LinksTest, a_record_waits_for_the_shards_that_are_behind_its_end) {
  items = {7};
  pass(transfer(1, 3));
  clocks(9, 3);  // more packets of that clock may come
  EXPECT_EQ(out.lines, Lines{});
  ASSERT_TRUE(links.hand(1, link_to(transfer(1, 3), 0, 2)));
  clocks(9, 4);
  EXPECT_EQ(out.lines, Lines{"1 ftp-data 7 1"});
  EXPECT_EQ(links.counters().linked.value(), 1u);
}

TEST_F(LinksTest, a_record_whose_time_all_shards_are_past_goes_through) {
  clocks(4, 4);
  pass(transfer(1, 3));
  EXPECT_EQ(out.lines, Lines{"1 "});
}

TEST_F(LinksTest, nobody_waits_for_what_no_session_can_have_spoken_of) {
  Record both = transfer(1, 3, 1), unanswered = transfer(1, 3, 2), late = transfer(1, 3, 3);
  Record datagrams = transfer(1, 3, 4);
  both.payload_bytes = {1, 1};
  unanswered.syn_ack = 0;
  unanswered.payload_bytes = {0, 0};
  late.action = Action::session_late;
  datagrams.protocol = 17;
  for (const Record& record : {both, unanswered, late, datagrams}) pass(record);
  EXPECT_EQ(out.lines, (Lines{"1 ", "2 ", "3 ", "4 "}));
}

TEST_F(LinksTest, a_datagram_that_begins_with_a_known_id_goes_on_with_its_connection) {
  Record record = transfer(11, 20);
  record.protocol = 17;
  items = {kNoProtocol, static_cast<std::uint8_t>(SessionItem::first_id), 0, 0, 20, 0};
  for (std::uint8_t i = 0; i < 20; ++i) items.push_back(i);
  EXPECT_EQ(told(record).substr(0, 4), "1  2");
  RecordLink link = link_to(record, 10, 11);
  link.name = "quic";
  const auto hand = [&](std::size_t bytes, std::uint8_t first) {
    std::vector<std::uint8_t> id(items.begin() + 6, items.begin() + 6 + static_cast<int>(bytes));
    id[0] = first;
    link.key = LinkKey::of_id(Bytes{id});
    ASSERT_TRUE(links.hand(0, link));
    links.advance([](const Record&, Bytes) {});
  };
  hand(12, 1);  // another one
  EXPECT_EQ(told(record).substr(0, 4), "1  2");
  hand(8, 0);
  EXPECT_EQ(told(record).substr(0, 6), "1 quic");
  record.application.assign("dns");
  EXPECT_EQ(told(record).substr(0, 5), "1 dns");
}

TEST_F(LinksTest, it_has_to_begin_within_the_window) {
  ASSERT_TRUE(links.hand(0, link_to(transfer(0, 0), 10, 11)));
  EXPECT_EQ(told(transfer(9, 100)), "1 ");
  EXPECT_EQ(told(transfer(10, 100)), "1 ftp-data 1");
  EXPECT_EQ(told(transfer(70, 100)), "1 ftp-data 1");
  EXPECT_EQ(told(transfer(71, 100)), "1 ");
}

TEST_F(LinksTest, it_must_not_be_over_when_it_is_spoken_of) {
  ASSERT_TRUE(links.hand(0, link_to(transfer(0, 0), 10, 20)));
  EXPECT_EQ(told(transfer(11, 19)), "1 ");
  EXPECT_EQ(told(transfer(11, 20)), "1 ftp-data 1");
}

TEST_F(LinksTest, the_last_that_was_said_before_it_began_counts_in_whatever_order_it_came) {
  for (const int from : {30, 10, 20})
    ASSERT_TRUE(links.hand(0, link_to(transfer(0, 0), from, from, static_cast<unsigned>(from))));
  EXPECT_EQ(told(transfer(15, 99)), "1 ftp-data 10");
  EXPECT_EQ(told(transfer(25, 99)), "1 ftp-data 20");
  EXPECT_EQ(told(transfer(35, 99)), "1 ftp-data 30");
}

TEST_F(LinksTest, what_begins_when_it_is_over_is_another_session) {
  RecordLink end = link_to(transfer(0, 0), 20, 20);
  end.name = {};
  for (const std::uint64_t id : {1, 2})
    ASSERT_TRUE(links.hand(0, link_to(transfer(0, 0), 10, 11, id)));
  ASSERT_TRUE(links.hand(0, end));
  EXPECT_EQ(told(transfer(20, 30)), "1 ftp-data 2");
  end.id.low = 2;
  ASSERT_TRUE(links.hand(0, end));
  EXPECT_EQ(told(transfer(19, 30)), "1 ftp-data 2");
  EXPECT_EQ(told(transfer(21, 30)), "1 ");
  EXPECT_EQ(told(transfer(21, 19)), "1 ftp-data 2");  // before it was known
  ASSERT_TRUE(links.hand(0, link_to(transfer(0, 0), 20, 20, 3)));
  EXPECT_EQ(told(transfer(21, 30)), "1 ftp-data 3");
}

TEST_F(LinksTest, another_port_or_address_is_another_session) {
  ASSERT_TRUE(links.hand(0, link_to(transfer(0, 0), 10, 11)));
  Record record = transfer(11, 20);
  record.port[1] = 81;
  EXPECT_EQ(told(record), "1 ");
  record = transfer(11, 20);
  record.address[1].bytes[3] ^= 1;
  EXPECT_EQ(told(record), "1 ");
}

TEST_F(LinksTest, at_the_end_all_that_waits_goes_on) {
  pass(transfer(1, 3));
  ASSERT_TRUE(links.hand(0, link_to(transfer(1, 3), 0, 2)));
  links.finish([this](const Record& r, Bytes i) { out(r, i); });
  EXPECT_EQ(out.lines, Lines{"1 ftp-data 1"});
}

TEST_F(LinksTest, the_records_of_the_only_shard_stay_in_its_order) {
  Links one{1};
  const auto take = [this](const Record& r, Bytes i) { out(r, i); };
  Record both = transfer(1, 3, 2);
  both.payload_bytes = {1, 1};
  one.pass(transfer(1, 3, 1), {}, take);
  one.pass(both, {}, take);
  one.pass(transfer(1, 2, 3), {}, take);
  EXPECT_EQ(out.lines, Lines{});
  ASSERT_TRUE(one.hand(0, link_to(both, 0, 2)));
  one.publish_clock(0, kNow + 4 * kSecond);
  EXPECT_EQ(one.advance(take), 3u);
  EXPECT_EQ(out.lines, (Lines{"1 ftp-data 1", "2 ", "3 ftp-data 1"}));
}

TEST_F(LinksTest, records_that_wait_are_bounded_in_bytes) {
  constexpr std::size_t kItems = 32 * 1024, kFitting = Links::kHeldBytesMax / kItems;
  items.resize(kItems);
  std::size_t out_count = 0;
  const auto take = [&](const Record&, Bytes i) { out_count += i.size() == kItems; };
  for (std::size_t i = 0; i < 2 * kFitting; ++i) links.pass(transfer(1, 3), items, take);
  EXPECT_GT(out_count, kFitting);
  EXPECT_LT(out_count, kFitting * 11 / 10);
  EXPECT_EQ(links.counters().links_early.value(), out_count);
  links.finish(take);
  EXPECT_EQ(out_count, 2 * kFitting);
}

TEST_F(LinksTest, of_records_that_go_early_only_those_count_that_might_have_been_named) {
  constexpr std::size_t kItems = 32 * 1024, kFitting = Links::kHeldBytesMax / kItems;
  items.resize(kItems);
  Links one{1};
  std::size_t out_count = 0;
  const auto take = [&](const Record&, Bytes) { ++out_count; };
  Record both = transfer(1, 3, 2);
  both.payload_bytes = {1, 1};
  one.pass(transfer(1, 3), items, take);
  for (std::size_t i = 0; i < 2 * kFitting; ++i) one.pass(both, items, take);
  EXPECT_GT(out_count, kFitting / 2);
  EXPECT_EQ(one.counters().links_early.value(), 1u);
}

TEST_F(LinksTest, limits_are_counted_and_lose_no_record) {
  constexpr std::size_t kLimit = 65'536;
  for (std::size_t i = 0; i < kLimit + 2; ++i) {
    while (!links.hand(0, link_to(transfer(0, 0), 1, 2, i))) clocks(1, 1);
    if (i == 0) told(transfer(1, 3));  // what was found is not forgotten
  }
  clocks(1, 1);
  EXPECT_EQ(links.counters().linked.value(), 1u);
  EXPECT_EQ(links.counters().links_forgotten.value(), 1u);
}

}  // namespace
}  // namespace linger
