#include "sessiontable/sctp.h"

#include <gtest/gtest.h>

#include "tests/sessiontable/table_run.h"

namespace linger::test {
namespace {

// Of an association between 192.0.2.1 and 198.51.100.2.
Frame sctp_frame(bool from_client, std::uint32_t tag, std::uint8_t type, ByteList value,
                 std::int64_t time) {
  PacketBuilder builder;
  builder.ethernet();
  if (from_client) {
    builder.ip("192.0.2.1", "198.51.100.2").sctp(1'000, 2'000, tag);
  } else {
    builder.ip("198.51.100.2", "192.0.2.1").sctp(2'000, 1'000, tag);
  }
  return builder.sctp_chunk(type, 0, std::move(value)).frame(time);
}

// INIT or INIT ACK, whose sender is to be sent this tag.
ByteList sctp_init(std::uint8_t tag) { return {0, 0, 0, tag, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1}; }

TEST(sctp, what_joins_a_lingering_sctp_association_is_late) {
  const Frames frames = {sctp_frame(true, 0, 1, sctp_init(7), at(0)),
                         sctp_frame(false, 7, 6, {}, at(1)),             // ABORT
                         sctp_frame(false, 7, 6, {}, at(2 * kSecond))};  // again
  TableRun run;
  run.see(frames);
  run.finish();
  const Record r = run.only(Action::session_end);
  EXPECT_EQ(r.reason, Reason::reset);
  EXPECT_EQ(r.late_packets[1], 1u);
  EXPECT_EQ(run.counters().late_lingering.value(), 1u);
}

TEST(sctp, a_late_packet_leaves_the_tags_of_a_recorded_association_alone) {
  Frames frames = {sctp_frame(true, 0, 1, sctp_init(7), at(0)), sctp_frame(false, 7, 6, {}, at(1))};
  for (const int second : {20, 21})
    frames.push_back(sctp_frame(false, 7, 6, {}, at(second * kSecond)));
  TableRun run;
  run.see(frames);
  run.finish();
  EXPECT_EQ(run.counters().opened.value(), 1u);
  EXPECT_EQ(run.only(Action::session_late).packets[1], 2u);
}

TEST(sctp, tags_that_are_not_an_associations_own_neither_end_nor_change_it) {
  for (const std::uint8_t type : {6, 14}) {  // ABORT, SHUTDOWN COMPLETE
    Frames frames = {
        sctp_frame(true, 0, 1, sctp_init(7), at(0)),
        sctp_frame(false, 7, 2, sctp_init(9), at(1)),
        sctp_frame(true, 9, 10, ByteList(8), at(2)),  // COOKIE ECHO, COOKIE ACK
        sctp_frame(false, 7, 11, {}, at(3)),
        sctp_frame(true, 0, 1, sctp_init(5), at(4)),
        sctp_frame(false, 66, type, {}, at(5)),
        sctp_frame(false, 7, 0, ByteList(16), at(6)),
        sctp_frame(true, 9, type, {}, at(7)),
        sctp_frame(false, 7, 3, ByteList(12), at(kSecond)),  // SACK: late
    };
    TableRun run;
    run.see(frames);
    run.finish();
    const Record r = run.only(Action::session_end);
    EXPECT_EQ(r.reason, type == 6 ? Reason::reset : Reason::closed);
    EXPECT_EQ(r.packets[0] + r.packets[1], frames.size());
    EXPECT_EQ(r.late_packets[1], 1u);
  }
}

// Its tag is the one that the other side sends.
TEST(sctp, an_init_that_comes_late_is_known_by_its_tag) {
  for (const std::uint8_t tag : {7, 8}) {
    const Frames frames = {sctp_frame(true, 0, 1, sctp_init(7), at(0)),
                           sctp_frame(false, 7, 6, {}, at(1)),
                           sctp_frame(true, 0, 1, sctp_init(tag), at(kSecond))};
    TableRun run;
    run.see(frames);
    run.finish();
    EXPECT_EQ(run.all(Action::session_end).size(), tag == 7 ? 1u : 2u);
  }
}

TEST(sctp, of_several_inits_before_an_answer_the_last_one_counts) {
  const Frames frames = {sctp_frame(true, 0, 1, sctp_init(7), at(0)),
                         sctp_frame(true, 0, 1, sctp_init(8), at(1)),
                         sctp_frame(false, 8, 6, {}, at(2))};
  TableRun run;
  run.see(frames);
  run.finish();
  EXPECT_EQ(run.only(Action::session_end).reason, Reason::reset);
}

// RFC 9260 §8.5.1: the T bit.
TEST(sctp, who_knows_no_association_aborts_it_with_the_tag_it_was_sent) {
  const Frames frames = {
      sctp_frame(true, 0, 1, sctp_init(7), at(0)), sctp_frame(false, 7, 2, sctp_init(9), at(1)),
      sctp_frame(true, 9, 0, ByteList(16), at(2)), sctp_frame(false, 9, 6, {}, at(3))};
  TableRun run;
  run.see(frames);
  run.finish();
  EXPECT_EQ(run.only(Action::session_end).reason, Reason::reset);
}

TEST(sctp, an_association_that_is_set_up_anew_has_its_new_tags) {
  const Frames frames = {
      sctp_frame(true, 9, 0, ByteList(16), at(0)),  sctp_frame(false, 7, 3, ByteList(12), at(1)),
      sctp_frame(true, 0, 1, sctp_init(70), at(2)), sctp_frame(false, 70, 2, sctp_init(90), at(3)),
      sctp_frame(true, 90, 10, ByteList(8), at(4)), sctp_frame(false, 70, 11, {}, at(5)),
      sctp_frame(true, 90, 6, {}, at(6)),
  };
  TableRun run;
  run.see(frames);
  run.finish();
  EXPECT_EQ(run.only(Action::session_end).reason, Reason::reset);
}

}  // namespace
}  // namespace linger::test
