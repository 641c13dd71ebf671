#include "sessiontable/streams.h"

#include "tests/sessiontable/stream_run.h"

namespace linger::test {
namespace {

std::string letters(std::size_t count) {
  std::string text(count, '\0');
  for (std::size_t i = 0; i < count; ++i) text[i] = static_cast<char>('a' + i % 23);
  return text;
}

TEST(streams, in_order_bytes_are_handed_over_where_they_lie) {
  StreamRun run;
  run.open();
  const Packet packet = run.segment(0, 1, "hello", {});
  ASSERT_TRUE(run.streams.segment(run.stream, packet));
  EXPECT_EQ(run.seen[0].last_data, packet.data);
  EXPECT_EQ(run.seen[0].text(), "hello");
  EXPECT_EQ(run.counters.stream_bytes.value(), 5u);
  EXPECT_EQ(run.counters.stream_held_bytes.value(), 0u);
}

TEST(streams, a_segment_before_its_turn_waits_for_the_hole) {
  StreamRun run;
  run.open();
  run.send(0, 6, "world");
  EXPECT_EQ(run.seen[0].text(), "");
  run.send(0, 1, "hello");
  EXPECT_EQ(run.seen[0].text(), "helloworld");
  EXPECT_EQ(run.counters.stream_held_bytes.value(), 5u);
  EXPECT_EQ(run.streams.blocks_used(), 0u);
  EXPECT_EQ(run.counters.stream_gaps.value(), 0u);
}

TEST(streams, held_bytes_are_told_with_their_own_time) {
  StreamRun run;
  run.open();
  run.clock = 5;
  run.send(0, 4, "later", {.acknowledgment = 1001});
  run.clock = 6;
  run.send(0, 9, "one", {.acknowledgment = 1001});
  run.send(1, 1001, "answer");
  run.clock = 7;
  run.send(0, 12, "next", {.acknowledgment = 1007});
  run.clock = 9;
  run.send(0, 1, "the", {.acknowledgment = 1001});
  EXPECT_EQ(run.seen[0].times, (std::vector<ClockNs>{9, 5, 7}));  // "laterone" in one block
}

TEST(streams, neighbours_beyond_a_hole_share_a_block) {
  StreamRun run;
  run.open();
  const std::string text = letters(1001);
  for (std::uint32_t i = 1; i < 1001; i += 100) run.send(0, 1 + i, text.substr(i, 100));
  EXPECT_EQ(run.streams.blocks_used(), 1u);
  run.send(0, 1, text.substr(0, 1));
  EXPECT_EQ(run.seen[0].text(), text);
}

TEST(streams, a_segment_larger_than_a_block_is_held_in_several) {
  StreamRun run;
  run.open();
  const std::string text = letters(60'000);
  run.send(0, 2, text.substr(1));
  EXPECT_EQ(run.streams.blocks_used(), 30u);
  run.send(0, 1, text.substr(0, 1));
  EXPECT_EQ(run.seen[0].text(), text);
}

TEST(streams, the_first_copy_of_a_byte_stays) {
  StreamRun run;
  run.open();
  run.send(0, 4, "DEF");
  run.send(0, 3, "cdefg");  // around it
  run.send(0, 1, "abXXXXXXh");
  EXPECT_EQ(run.seen[0].text(), "abcDEFgXh");
  EXPECT_EQ(run.counters.stream_conflicts.value(), 2u);
}

TEST(streams, equal_copies_are_no_conflict_and_delivered_bytes_cannot_be_compared) {
  StreamRun run;
  run.open();
  run.send(0, 3, "cd");
  run.send(0, 3, "cd");
  run.send(0, 1, "abcd");
  run.send(0, 1, "XXXXe");
  EXPECT_EQ(run.seen[0].text(), "abcde");
  EXPECT_EQ(run.counters.stream_conflicts.value(), 0u);
}

TEST(streams, what_was_acknowledged_and_has_not_come_in_time_is_a_gap) {
  StreamRun run;
  run.open();
  run.send(0, 6, "world");
  run.acknowledge(1, 11);
  EXPECT_EQ(run.seen[0].text(), "");  // it may have been overtaken by its ACK
  run.clock += kMillisecond;
  run.acknowledge(1, 11);
  EXPECT_EQ(run.seen[0].text(), ".....world");
  EXPECT_EQ(run.seen[0].gap_calls, 1);
  run.send(0, 1, "hello");  // too late
  run.send(0, 11, "!");
  EXPECT_EQ(run.seen[0].text(), ".....world!");
  EXPECT_EQ(run.counters.stream_gap_bytes.value(), 5u);
}

TEST(streams, of_a_hole_what_was_not_acknowledged_may_still_come) {
  StreamRun run;
  run.open();
  run.send(0, 11, "!");
  for (int i = 0; i < 2; ++i, run.clock += kMillisecond) run.acknowledge(1, 6);
  EXPECT_EQ(run.seen[0].text(), ".....");
  run.send(0, 6, "world");
  EXPECT_EQ(run.seen[0].text(), ".....world!");
}

TEST(streams, what_an_ack_overtook_is_no_gap) {
  StreamRun run;
  run.open();
  run.acknowledge(1, 6);
  run.clock += kMillisecond - 1;
  run.acknowledge(1, 6);
  run.send(0, 1, "hello");
  run.clock += kSecond;
  run.acknowledge(1, 6);
  run.acknowledge(1, 11);  // another hole, with a window of its own
  run.send(0, 6, "world");
  EXPECT_EQ(run.seen[0].text(), "helloworld");
  EXPECT_EQ(run.seen[0].gap_calls, 0);
}

TEST(streams, what_an_ack_overtook_is_no_gap_gibibytes_later) {
  StreamLimits limits = stream_limits();
  limits.limit_bytes = std::uint64_t{1} << 33;
  StreamRun run(limits);
  run.reader.keeps_bytes = false;
  run.open();
  run.acknowledge(1, 101);
  const std::string text(60'000, 'x');
  Packet packet = run.segment(0, 1, text, {});
  for (std::uint64_t sent = 0; sent < std::uint64_t{3} << 30; sent += text.size()) {
    run.streams.segment(run.stream, packet);
    packet.tcp.sequence += packet.payload_bytes;
  }
  run.clock += kSecond;
  run.acknowledge(1, packet.tcp.sequence + 1);  // and what is under way is none yet
  run.end();
  EXPECT_EQ(run.counters.stream_gap_bytes.value(), 1u);
}

TEST(streams, a_lost_request_is_a_gap_before_its_response) {
  StreamRun run;
  run.open();
  run.acknowledge(1, 51);
  run.clock += kSecond;
  run.send(1, 1001, "response", {.acknowledgment = 51});
  EXPECT_EQ(run.seen[0].text(), std::string(50, '.'));
  EXPECT_EQ(run.seen[1].text(), "response");
}

// Two taps of a link, of which one is late.
TEST(streams, an_answer_that_was_captured_before_its_question_waits_for_it) {
  StreamRun run;
  run.open();
  run.send(1, 1001, "answer", {.acknowledgment = 9});
  EXPECT_EQ(run.seen[1].text(), "");
  run.send(0, 1, "quest", {.acknowledgment = 1001});
  EXPECT_EQ(run.seen[1].text(), "");
  run.send(0, 6, "ion", {.acknowledgment = 1001});
  EXPECT_EQ(run.seen[0].text(), "question");
  EXPECT_EQ(run.seen[1].text(), "answer");
  EXPECT_EQ(run.streams.blocks_used(), 0u);
  EXPECT_EQ(run.reader.order, "AAB");
}

TEST(streams, what_is_said_in_turn_is_told_in_turn_however_late_one_side_is) {
  StreamRun run;
  run.open();
  for (std::uint32_t i = 1; i < 8; ++i)  // all of side 1 first; the first one greets
    run.send(1, 1000 + i, "a", {.acknowledgment = i});
  EXPECT_EQ(run.seen[1].text(), "a");
  for (std::uint32_t i = 1; i < 8; ++i) {
    run.send(0, i, "q", {.acknowledgment = 1001 + i});
    EXPECT_EQ(run.seen[0].text().size(), i);
    EXPECT_EQ(run.seen[1].text().size(), std::min(i + 1, 7u));
  }
  EXPECT_EQ(run.streams.blocks_used(), 0u);
  EXPECT_EQ(run.counters.stream_gaps.value(), 0u);
}

TEST(streams, an_answer_waits_no_longer_than_its_question_would_be_a_gap) {
  StreamRun run;
  run.open();
  run.send(1, 1001, "answer", {.acknowledgment = 9});
  run.clock += kMillisecond;
  run.send(1, 1007, ", more", {.acknowledgment = 9});
  EXPECT_EQ(run.seen[0].text(), std::string(8, '.'));
  EXPECT_EQ(run.seen[1].text(), "answer, more");
  run.send(1, 1013, ", last", {.acknowledgment = 12});
  EXPECT_EQ(run.seen[1].text(), "answer, more");
  run.end();
  EXPECT_EQ(run.seen[1].text(), "answer, more, last");
  EXPECT_EQ(run.seen[0].text(), std::string(11, '.'));
  EXPECT_EQ(run.reader.order, "BaBBa");
}

TEST(streams, an_answer_does_not_wait_less_for_a_loss_before_its_question) {
  StreamRun run;
  run.open();
  run.send(1, 1001, "answer", {.acknowledgment = 9});  // to what the capture lost
  run.clock += kMillisecond - 1;
  run.send(1, 1007, ", more", {.acknowledgment = 12});
  run.clock += 1;
  run.acknowledge(1, 12);
  EXPECT_EQ(run.seen[1].text(), "answer");
  run.send(0, 9, "and", {.acknowledgment = 1007});
  EXPECT_EQ(run.seen[0].text(), "........and");
  EXPECT_EQ(run.seen[1].text(), "answer, more");
  EXPECT_EQ(run.reader.order, "BaAB");
}

// Of two questions a part of the first was lost; both answers acknowledge both.
TEST(streams, an_answer_is_told_behind_what_came_of_its_question_beyond_a_loss) {
  for (const bool is_at_end : {false, true}) {
    StreamRun run;
    run.open();
    run.send(0, 9, "and", {.acknowledgment = 1001});
    run.send(1, 1001, "answers", {.acknowledgment = 12});
    EXPECT_EQ(run.reader.order, "");
    if (is_at_end) {
      run.end();
    } else {
      run.clock += kMillisecond;
      run.acknowledge(1, 12);
    }
    EXPECT_EQ(run.seen[0].text(), "........and");
    EXPECT_EQ(run.seen[1].text(), "answers");
    EXPECT_EQ(run.reader.order, "aAB");
  }
}

TEST(streams, what_waits_for_each_other_waits_until_the_end) {  // no real stack says it
  StreamRun run;
  run.open();
  run.send(1, 1001, "answer", {.acknowledgment = 2});
  run.send(0, 1, "q", {.acknowledgment = 1002});
  EXPECT_EQ(run.seen[0].text() + run.seen[1].text(), "");
  run.send(0, 1, "q", {.acknowledgment = 1001});  // the first copy stays
  run.end();
  EXPECT_EQ(run.seen[0].text(), "q");
  EXPECT_EQ(run.seen[1].text(), "answer");
}

TEST(streams, what_waited_longest_is_told_where_there_is_no_room_for_more) {
  StreamLimits limits = stream_limits();
  limits.blocks = 1;
  StreamRun run(limits);
  run.open();
  const std::string text = letters(HeldBlock::kBytesMax);
  run.send(1, 1001, text, {.acknowledgment = 9});
  run.send(1, 1001 + HeldBlock::kBytesMax, "!", {.acknowledgment = 9});
  EXPECT_TRUE(run.seen[1].text() == text);
  run.send(0, 1, "question");
  EXPECT_TRUE(run.seen[1].text() == text + "!");
  EXPECT_EQ(run.counters.stream_pool_dry.value(), 1u);
}

TEST(streams, numbers_far_from_the_stream_change_nothing) {
  StreamLimits limits = stream_limits();
  limits.limit_bytes = std::uint64_t{1} << 33;
  StreamRun run(limits);
  run.open();
  run.send(0, 1u + (1u << 30) + 1u, "far ahead");
  run.send(0, 0u - 1000u, "long ago");
  run.fin(0, 0u - 1000u);
  run.acknowledge(1, 1u + (1u << 24) + 1u);
  run.clock += kSecond;
  run.acknowledge(1, 1u + (1u << 24) + 1u);
  run.send(1, 1001, "answer", {.acknowledgment = 1u + (1u << 24) + 1u});
  EXPECT_EQ(run.streams.blocks_used(), 0u);
  run.send(0, 1, "hello");
  EXPECT_EQ(run.seen[0].text(), "hello");
  EXPECT_EQ(run.seen[1].text(), "answer");
  run.end();
  EXPECT_EQ(run.seen[0].end, StreamEnd::cut);
}

TEST(streams, the_session_s_end_tells_what_is_held) {
  StreamRun run;
  run.open();
  run.send(0, 3, "cd");
  run.send(0, 7, "gh");
  run.end();
  EXPECT_EQ(run.seen[0].text(), "..cd..gh");
  EXPECT_EQ(run.seen[0].gap_calls, 2);
  EXPECT_EQ(run.seen[0].end, StreamEnd::cut);
  EXPECT_EQ(run.seen[1].end, StreamEnd::cut);
}

TEST(streams, the_session_s_end_tells_what_is_held_in_turn) {
  for (const unsigned client : {0u, 1u}) {
    StreamRun run;
    run.open();
    const std::uint32_t first = client == 0 ? 1 : 1001, answers = 1002 - first;
    for (std::uint32_t i = 0; i < 3; ++i) {  // of the first answer nothing was captured
      run.send(client, first + i, "q", {.acknowledgment = answers + i});
      if (i != 0) run.send(client ^ 1, answers + i, "a", {.acknowledgment = first + i + 1});
    }
    run.end();
    EXPECT_EQ(run.reader.order, client == 0 ? "AAbBAB" : "BBaABA");
  }
}

TEST(streams, a_fin_ends_its_direction_when_all_before_it_has_come) {
  StreamRun run;
  run.open();
  EXPECT_TRUE(run.fin(0, 6, "world"));
  EXPECT_FALSE(run.seen[0].end);
  EXPECT_TRUE(run.fin(1, 1001));
  EXPECT_EQ(run.seen[1].end, StreamEnd::finished);
  EXPECT_FALSE(run.send(0, 1, "hello"));  // a late packet; nothing is left to read
  EXPECT_EQ(run.seen[0].text(), "helloworld");
  EXPECT_EQ(run.seen[0].end, StreamEnd::finished);
  EXPECT_EQ(run.streams.used(), 0u);
}

TEST(streams, a_hole_before_an_acknowledged_fin_is_a_gap_without_the_fin_s_number) {
  StreamRun run;
  run.open();
  run.fin(0, 6);
  run.acknowledge(1, 7);
  run.clock += kSecond;
  run.acknowledge(1, 7);
  EXPECT_EQ(run.seen[0].text(), ".....");
  EXPECT_EQ(run.seen[0].end, StreamEnd::finished);
}

TEST(streams, nothing_is_read_beyond_a_fin) {
  StreamRun run;
  run.open();
  run.fin(0, 6);
  run.send(0, 1, "hello, world");
  run.end();
  EXPECT_EQ(run.seen[0].text(), "hello");
}

TEST(streams, without_a_syn_a_direction_begins_at_its_first_payload) {
  StreamRun run;
  run.open({});
  run.acknowledge(0, 5000);
  run.send(0, 500, "middle");
  run.send(0, 490, "before the");  // was sent earlier, is not read
  run.send(0, 506, " of it");
  EXPECT_EQ(run.seen[0].text(), "middle of it");
}

TEST(streams, data_on_a_syn_is_the_first) {  // RFC 7413
  StreamRun run;
  run.open({{0, 0}, {false, false}});
  run.send(0, 0xffff'ffff, "query", {.flags = kTcpSyn});
  run.send(1, 1000, "", {.flags = kTcpSyn, .acknowledgment = 5});
  run.send(1, 1004, "wer");
  run.send(1, 1001, "ans");
  run.send(0, 5, " more");
  EXPECT_EQ(run.seen[0].text(), "query more");
  EXPECT_EQ(run.seen[1].text(), "answer");
}

TEST(streams, what_a_rst_carries_is_not_of_the_stream) {
  StreamRun run;
  run.open();
  run.send(0, 1, "no such port", {.flags = kTcpRst});
  run.end();
  EXPECT_EQ(run.seen[0].text(), "");
}

TEST(streams, a_direction_that_nobody_knows_is_passed_over_until_the_other_speaks) {
  StreamRun run;
  run.reader.answer = StreamAnswer::side_unknown;
  run.reader.answer_from = 5;
  run.open();
  run.send(0, 300, "held");
  run.send(0, 1, "what?");
  run.send(0, 6, "unseen");
  run.send(0, 100, "beyond a hole");
  EXPECT_EQ(run.streams.blocks_used(), 0u);
  run.acknowledge(1, 113);
  run.clock += 2 * kMillisecond;
  run.acknowledge(1, 113);
  run.send(1, 1001, "answer");
  run.send(0, 200, "seen");
  run.send(0, 204, ", and more");
  EXPECT_EQ(run.seen[0].text(), "what?seen, and more");
  EXPECT_EQ(run.seen[1].text(), "answer");
  run.end();
}

TEST(streams, a_direction_that_is_passed_over_ends_at_its_fin) {
  StreamRun run;
  run.reader.answer = StreamAnswer::side_unknown;
  run.open();
  run.send(0, 1, "what?");
  run.fin(0, 1'000);
  run.fin(0, 1'000);
  EXPECT_EQ(run.seen[0].text(), "what?");
  EXPECT_EQ(run.seen[0].end, StreamEnd::finished);
  run.send(1, 1001, "answer");
  run.fin(1, 1007);
  EXPECT_FALSE(run.is_open);
  EXPECT_EQ(run.seen[1].text(), "answer");
}

TEST(streams, a_direction_is_let_go_at_the_limit_on_the_byte) {
  for (const std::uint32_t step : {1u, 7u, 64u, 1000u}) {
    StreamLimits limits = stream_limits();
    limits.limit_bytes = 100;
    StreamRun run(limits);
    run.open();
    const std::string text = letters(1000);
    for (std::uint32_t i = 0; i < 1000; i += step) run.send(0, 1 + i, text.substr(i, step));
    EXPECT_EQ(run.seen[0].text(), text.substr(0, 100));
    EXPECT_EQ(run.seen[0].end, StreamEnd::limit);
    EXPECT_EQ(run.counters.stream_limits.value(), 1u);
    EXPECT_TRUE(run.is_open);  // the other direction goes on
    run.send(1, 1001, text);
    EXPECT_FALSE(run.is_open);
    EXPECT_EQ(run.streams.used(), 0u);
  }
}

TEST(streams, nothing_is_held_beyond_the_limit) {
  StreamLimits limits = stream_limits();
  limits.limit_bytes = 100;
  StreamRun run(limits);
  run.open();
  run.send(0, 101, "beyond");
  EXPECT_EQ(run.streams.blocks_used(), 0u);
  run.send(0, 51, letters(100));
  run.send(0, 1, letters(50));
  EXPECT_EQ(run.seen[0].bytes.size(), 100u);
}

TEST(streams, a_direction_that_holds_all_it_may_gives_up_its_hole) {
  StreamLimits limits = stream_limits();
  limits.blocks = 3 * HeldPool::kBlocksMax;
  limits.limit_bytes = UINT32_MAX;
  StreamRun run(limits);
  run.open();
  constexpr std::uint32_t kStep = HeldBlock::kBytesMax + 1;
  for (std::uint32_t i = 0; i < HeldPool::kBlocksMax; ++i) run.send(0, 2 + i * kStep, "x");
  EXPECT_EQ(run.seen[0].text(), "");
  run.send(0, 2 + HeldPool::kBlocksMax * kStep, "y");
  EXPECT_EQ(run.seen[0].text(), ".x");  // the nearest only
  EXPECT_EQ(run.counters.stream_hold_full.value(), 1u);
  run.end();
}

TEST(streams, a_direction_holds_much_only_while_half_of_the_pool_is_free) {
  StreamLimits limits = stream_limits();
  limits.blocks = 2 * HeldPool::kBlocksSure;
  StreamRun run(limits);
  run.open();
  for (std::uint32_t i = 0; i < HeldPool::kBlocksSure; ++i) run.send(0, 2 + 2 * i, "x");
  EXPECT_EQ(run.seen[0].text(), "");
  run.send(0, 2 + 2 * HeldPool::kBlocksSure, "y");
  EXPECT_EQ(run.seen[0].text(), ".x");
  EXPECT_EQ(run.counters.stream_pool_dry.value(), 1u);
  run.send(1, 1003, "held");
  EXPECT_EQ(run.seen[1].text(), "");
  run.end();
}

TEST(streams, a_dry_pool_gives_up_the_hole_and_needs_no_copy) {
  StreamLimits limits = stream_limits();
  limits.blocks = 1;
  StreamRun run(limits);
  run.open();
  run.send(1, 1003, "held");  // takes the only block
  run.send(0, 6, "world");
  EXPECT_EQ(run.seen[0].text(), ".....world");
  EXPECT_EQ(run.counters.stream_pool_dry.value(), 1u);
  run.end();
  EXPECT_EQ(run.seen[1].text(), "..held");
}

TEST(streams, what_the_snap_length_cut_off_is_a_gap) {
  StreamRun run;
  run.open();
  run.send(0, 1, "hello", {.captured = 2});
  run.send(0, 6, "world", {.captured = 0});
  run.send(0, 11, "!");
  EXPECT_EQ(run.seen[0].text(), "he........!");
}

TEST(streams, of_a_held_segment_that_was_cut_off_the_rest_is_a_hole) {
  StreamRun run;
  run.open();
  run.send(0, 6, "world", {.captured = 2});
  run.send(0, 1, "hello");
  EXPECT_EQ(run.seen[0].text(), "hellowo");
  run.send(0, 11, "!");
  run.acknowledge(1, 12);
  run.clock += kSecond;
  run.acknowledge(1, 12);
  EXPECT_EQ(run.seen[0].text(), "hellowo...!");
}

TEST(streams, a_reader_that_is_done_gives_everything_back) {
  StreamRun run;
  run.open();
  run.reader.answer = StreamAnswer::done;
  run.send(1, 1005, "held");
  run.send(0, 6, "held");
  EXPECT_EQ(run.streams.blocks_used(), 2u);
  EXPECT_FALSE(run.send(0, 1, "hello"));
  EXPECT_EQ(run.seen[0].text(), "hello");
  EXPECT_EQ(run.seen[1].text(), "");
  EXPECT_EQ(run.streams.blocks_used(), 0u);
  EXPECT_EQ(run.streams.used(), 0u);
}

TEST(streams, a_reader_may_be_done_with_one_direction) {
  StreamRun run;
  run.open();
  run.reader.answer = StreamAnswer::side_done;
  run.reader.answer_from = 5;
  EXPECT_TRUE(run.send(0, 1, "hello"));
  EXPECT_TRUE(run.send(0, 6, "world"));
  EXPECT_TRUE(run.send(1, 1001, "so", {.acknowledgment = 11}));  // waits for nothing
  EXPECT_EQ(run.seen[1].text(), "so");
  EXPECT_FALSE(run.send(1, 1003, " long"));
  EXPECT_EQ(run.seen[0].text(), "hello");
  EXPECT_EQ(run.seen[1].text(), "so long");
}

TEST(streams, a_reader_that_is_done_in_the_midst_of_held_pieces_sees_no_more) {
  for (const StreamAnswer answer : {StreamAnswer::done, StreamAnswer::side_done}) {
    StreamRun run;
    run.open();
    run.reader.answer = answer;
    run.reader.answer_from = 4;
    run.send(0, 3, "cd");
    run.send(0, 6, "f");
    run.send(0, 1, "abXXeXg");
    EXPECT_EQ(run.seen[0].text(), "abcd");
    EXPECT_EQ(run.streams.blocks_used(), 0u);
    run.end();
  }
}

TEST(streams, datagrams_are_handed_over_as_they_are) {
  StreamLimits limits = stream_limits();
  limits.limit_bytes = 10;
  StreamRun run(limits);
  run.open({});
  EXPECT_TRUE(run.datagram(0, "query"));
  EXPECT_TRUE(run.datagram(1, "an answer that is long"));  // reaches the limit, is not cut
  EXPECT_EQ(run.seen[1].end, StreamEnd::limit);
  EXPECT_TRUE(run.datagram(1, "unread"));
  EXPECT_FALSE(run.datagram(0, "again"));
  EXPECT_EQ(run.seen[0].datagrams, (std::vector<std::string>{"query", "again"}));
  EXPECT_EQ(run.seen[1].datagrams, (std::vector<std::string>{"an answer that is long"}));
}

TEST(streams, without_a_stream_left_a_session_is_not_read) {
  StreamLimits limits = stream_limits();
  limits.streams = 1;
  StreamRun run(limits);
  run.open();
  EXPECT_EQ(run.streams.open(Packet{}, {}), kStreamDry);
  EXPECT_EQ(run.counters.streams_dry.value(), 1u);
  run.end();
  run.reader.is_wanted = false;
  EXPECT_EQ(run.streams.open(Packet{}, {}), kNoStream);
  EXPECT_EQ(run.counters.streams_dry.value(), 1u);
  EXPECT_EQ(run.streams.used(), 0u);
}

TEST(streams, a_burst_s_packets_behind_the_last_one_read_are_passed_over) {
  StreamRun run;
  run.open();
  run.reader.answer = StreamAnswer::done;
  const Packet packet = run.segment(0, 1, "hello", {});
  std::array<StreamWork, 3> work;
  work.fill({&packet, run.stream, 5});
  run.streams.work(work);
  EXPECT_EQ(run.seen[0].text(), "hello");
  for (const StreamWork& item : work) EXPECT_TRUE(item.is_let_go);
  EXPECT_EQ(work[0].reader, kReader);
}

}  // namespace
}  // namespace linger::test
