// Sessions of a table whose bytes are read.
#include <random>

#include "sessiontable/streams.h"
#include "tests/sessiontable/table_run.h"

namespace linger::test {
namespace {

using std::string;

// What was told of each session, by the number on_open gave it.
struct Texts {
  std::vector<std::array<string, 2>> texts;  // a gap's bytes as '.'
  std::vector<int> ends;
  bool is_wanted = true;
  std::size_t done_from = SIZE_MAX;  // bytes of one direction
  std::size_t unknown_from = SIZE_MAX;
  bool is_mute = false;

  void at(std::uint32_t, Timestamp) noexcept {}
  void prefetch(std::uint32_t) noexcept {}
  bool has_news() const noexcept { return false; }
  std::uint32_t on_open(const Packet&, const StreamStart&) noexcept {
    if (!is_wanted) return kNoStream;
    texts.emplace_back();
    ends.push_back(0);
    return static_cast<std::uint32_t>(texts.size() - 1);
  }
  StreamAnswer on_data(std::uint32_t reader, unsigned side,
                       std::span<const std::uint8_t> bytes) noexcept {
    texts[reader][side].append(bytes.begin(), bytes.end());
    const std::size_t count = texts[reader][side].size();
    return count >= done_from      ? StreamAnswer::done
           : count >= unknown_from ? StreamAnswer::side_unknown
                                   : StreamAnswer::more;
  }
  StreamAnswer on_gap(std::uint32_t reader, unsigned side, std::uint32_t count) noexcept {
    texts[reader][side].append(count, '.');
    return StreamAnswer::more;
  }
  StreamAnswer on_datagram(std::uint32_t reader, unsigned side, std::span<const std::uint8_t> bytes,
                           std::uint32_t) noexcept {
    texts[reader][side].append(bytes.begin(), bytes.end());
    texts[reader][side] += '|';
    return StreamAnswer::more;
  }
  std::uint32_t on_close(std::uint32_t reader) noexcept { return is_mute ? kStreamMute : reader; }
  void on_end(std::uint32_t reader, unsigned, StreamEnd) noexcept { ++ends[reader]; }
};

// A record, and what had been read when it was made.
struct Told {
  std::uint32_t reader;
  bool is_interim;
  std::array<string, 2> text;  // of the client, of the server
  std::array<bool, 2> overlaps;
};

class ReadRun final : private SessionSink {
 public:
  explicit ReadRun(std::uint32_t burst_max, const Settings& settings = small_settings())
      : settings_(settings),
        burst_max_(burst_max),
        streams_({.streams = 100,
                  .blocks = 100,
                  .limit_bytes = 1'000'000,
                  .reorder_window = kMillisecond},
                 counters, reader),
        table_(settings_, decode_, make_hash_seed(9), counters, *this) {
    table_.read_streams(streams_);
  }

  void see(const Frames& frames) {
    const auto burst = std::make_unique<Burst>();
    for (std::size_t i = 0; i < frames.size(); i += burst_max_) {
      burst->count =
          static_cast<std::uint32_t>(std::min<std::size_t>(burst_max_, frames.size() - i));
      for (std::uint32_t j = 0; j < burst->count; ++j) {
        burst->packets[j] = packet_of(frames[i + j]);
        clock_ = std::max(clock_, frames[i + j].timestamp_ns);
        burst->packets[j].clock = clock_;
      }
      decode(*burst, decode_);
      table_.track(*burst);
    }
  }
  void finish() {
    table_.finish(Ending::end_of_input);
    EXPECT_EQ(streams_.used(), 0u);
    EXPECT_EQ(streams_.blocks_used(), 0u);
  }
  std::uint32_t streams_used() const { return streams_.used(); }

  Texts reader;
  TableCounters counters;
  std::vector<Told> told;

 private:
  void on_session(const SessionView& view) noexcept override {
    Told record{view.reader, view.is_interim, {}, make_record(view).overlaps};
    const unsigned client = view.session.hot.originator();
    if (view.reader < kStreamMute) {
      const auto& text = reader.texts[view.reader];
      record.text = {text[client], text[client ^ 1]};
    }
    told.push_back(record);
  }
  void on_late(const LateBlock&, const Id128&) noexcept override {}
  void on_flood(const FloodSecond&) noexcept override {}

  Settings settings_;
  std::uint32_t burst_max_;
  DecodeSettings decode_{.seed = make_hash_seed(7), .tunnel_ports = {}};
  Streams<Texts> streams_;
  SessionTable table_;
  ClockNs clock_ = 0;
};

class session_streams : public testing::TestWithParam<std::uint32_t> {};
INSTANTIATE_TEST_SUITE_P(burst, session_streams, testing::Values(1u, 3u, kBurstMax));

TEST_P(session_streams, a_record_knows_all_bytes_of_its_session) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.handshake(0);
  for (int i = 0; i < 20; ++i) {
    tcp.data(Side::client, "question" + std::to_string(i), kSecond + i);
    tcp.data(Side::server, "answer" + std::to_string(i), kSecond + i);
  }
  tcp.close(Side::client, 2 * kSecond);
  ReadRun run(GetParam());
  run.see(frames);
  EXPECT_EQ(run.streams_used(), 0u);  // both FINs were reached
  run.finish();
  string questions, answers;
  for (int i = 0; i < 20; ++i)
    questions += "question" + std::to_string(i), answers += "answer" + std::to_string(i);
  ASSERT_EQ(run.told.size(), 1u);
  EXPECT_EQ(run.told[0].text, (std::array{questions, answers}));
  EXPECT_EQ(run.reader.ends[0], 2);
}

TEST_P(session_streams, bytes_out_of_order_are_read_in_order) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.handshake(0);
  for (int i = 0; i < 30; ++i) tcp.data(Side::client, "part" + std::to_string(i) + " ", kSecond);
  for (std::size_t i = 3; i + 1 < frames.size(); i += 2) std::swap(frames[i], frames[i + 1]);
  ReadRun run(GetParam());
  run.see(frames);
  run.finish();
  string all;
  for (int i = 0; i < 30; ++i) all += "part" + std::to_string(i) + " ";
  EXPECT_EQ(run.told.at(0).text[0], all);
}

// Of a client that says one thing and closes, the first segment was lost.
TEST_P(session_streams, a_fin_that_overtook_all_payload_is_no_byte_that_is_missing) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.handshake(0);
  const std::size_t first = frames.size();
  tcp.data(Side::client, "question", kSecond);
  tcp.close(Side::client, kSecond);
  std::rotate(frames.begin() + static_cast<std::ptrdiff_t>(first),
              frames.begin() + static_cast<std::ptrdiff_t>(first) + 1,
              frames.begin() + static_cast<std::ptrdiff_t>(first) + 2);
  ReadRun run(GetParam());
  run.see(frames);
  run.finish();
  ASSERT_EQ(run.told.size(), 1u);
  EXPECT_EQ(run.told[0].text, (std::array{string("question"), string()}));
  EXPECT_EQ(run.reader.ends[0], 2);
}

TEST_P(session_streams, other_bytes_for_held_numbers_mark_the_record) {
  for (const string second : {"held", "evil"}) {
    Frames frames;
    TcpPeers tcp = peers(frames);
    tcp.handshake(0);
    tcp.data(Side::client, "lost", kSecond, {.captured = false});
    tcp.data(Side::client, "held", kSecond);
    tcp.data(Side::client, second, 2 * kSecond, {.sequence_offset = -4});
    ReadRun run(GetParam());
    run.see(frames);
    run.finish();
    EXPECT_EQ(run.told.at(0).overlaps, (std::array{second == "evil", false}));
    EXPECT_EQ(run.told.at(0).text[0], "....held");
  }
}

TEST_P(session_streams, a_session_that_ends_within_a_burst_has_read_its_packets_of_it) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.handshake(0);
  tcp.data(Side::client, "the first session's", kSecond);
  tcp.data(Side::server, "", 2 * kHour);  // a keep-alive finds it due
  tcp.data(Side::client, "and what continues it", 2 * kHour);
  ReadRun run(GetParam());
  run.see(frames);
  run.finish();
  ASSERT_EQ(run.told.size(), 2u);
  EXPECT_EQ(run.told[0].text[0], "the first session's");
  EXPECT_EQ(run.told[1].text[0], "and what continues it");
  EXPECT_NE(run.told[0].reader, run.told[1].reader);
}

TEST_P(session_streams, what_is_held_at_the_end_is_told_behind_its_gap) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.handshake(0);
  tcp.data(Side::client, "lost", kSecond, {.captured = false});
  tcp.data(Side::client, "held", kSecond);
  ReadRun run(GetParam());
  run.see(frames);
  run.finish();
  EXPECT_EQ(run.told.at(0).text[0], "....held");
}

TEST_P(session_streams, an_ack_of_what_the_capture_lost_tells_it_as_a_gap) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.handshake(0);
  tcp.data(Side::client, "one", kSecond);
  tcp.data(Side::client, "two", kSecond, {.captured = false});
  tcp.data(Side::client, "three", kSecond);
  tcp.ack(Side::server, 2 * kSecond);
  tcp.ack(Side::server, 2 * kSecond + kMillisecond, {.window = 500});
  ReadRun run(GetParam());
  run.see(frames);
  ASSERT_EQ(run.reader.texts.size(), 1u);
  EXPECT_EQ(run.reader.texts[0][0] + run.reader.texts[0][1], "one...three");
  run.finish();
}

TEST_P(session_streams, a_late_packet_fills_the_hole_while_its_session_lingers) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.handshake(0);
  tcp.data(Side::server, "overtaken ", kSecond);
  tcp.data(Side::server, "by its FIN", kSecond);
  tcp.fin(Side::server, kSecond);
  tcp.rst(Side::client, kSecond + 1);
  std::rotate(frames.begin() + 3, frames.begin() + 4, frames.end());
  ReadRun run(GetParam());
  run.see(frames);
  run.finish();
  EXPECT_EQ(run.told.at(0).text[1], "overtaken by its FIN");
}

TEST_P(session_streams, a_reader_that_is_done_is_still_named_by_the_record) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.handshake(0);
  for (int i = 0; i < 50; ++i) tcp.data(Side::client, "12345", kSecond + i);
  ReadRun run(GetParam());
  run.reader.done_from = 10;
  run.see(frames);
  EXPECT_EQ(run.streams_used(), 0u);
  run.finish();
  ASSERT_EQ(run.told.size(), 1u);
  EXPECT_EQ(run.told[0].reader, 0u);
  EXPECT_EQ(run.told[0].text[0], "1234512345");
  EXPECT_EQ(run.reader.ends[0], 0);
}

TEST_P(session_streams, a_reader_with_nothing_to_tell_is_named_by_no_record_and_not_asked_again) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.handshake(0);
  tcp.data(Side::client, "?", kSecond);
  tcp.data(Side::client, "more", 2 * kSecond);
  ReadRun run(GetParam());
  run.reader.is_mute = true;
  run.reader.done_from = 1;
  run.see(frames);
  EXPECT_EQ(run.streams_used(), 0u);
  run.finish();
  ASSERT_EQ(run.told.size(), 1u);
  EXPECT_EQ(run.told[0].reader, kStreamMute);
  EXPECT_EQ(run.reader.texts.size(), 1u);
}

TEST_P(session_streams, a_session_nobody_wants_is_asked_for_once) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.handshake(0);
  for (int i = 0; i < 5; ++i) tcp.data(Side::client, "12345", kSecond + i);
  ReadRun run(GetParam());
  run.reader.is_wanted = false;
  run.see(frames);
  run.reader.is_wanted = true;
  tcp.data(Side::client, "6", 2 * kSecond);
  run.see({frames.back()});
  run.finish();
  EXPECT_EQ(run.told.at(0).reader, kNoStream);
  EXPECT_EQ(run.reader.texts.size(), 0u);
}

TEST_P(session_streams, an_interim_record_knows_what_was_read_so_far) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  Settings settings = small_settings();
  settings.tcpSaveTimeout = kMinute;
  tcp.handshake(0);
  tcp.data(Side::client, "one", kSecond);
  tcp.data(Side::client, "two", 2 * kMinute);
  ReadRun run(GetParam(), settings);
  run.see(frames);
  run.finish();
  ASSERT_EQ(run.told.size(), 2u);
  EXPECT_TRUE(run.told[0].is_interim);
  EXPECT_EQ(run.told[0].text[0], "one");
  EXPECT_EQ(run.told[1].text[0], "onetwo");
}

TEST_P(session_streams, a_session_without_a_syn_is_read_from_its_first_payload) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.ack(Side::client, 0);
  tcp.data(Side::server, "in the middle", kSecond);
  ReadRun run(GetParam());
  run.see(frames);
  run.finish();
  ASSERT_EQ(run.reader.texts.size(), 1u);
  EXPECT_EQ(run.reader.texts[0][0] + run.reader.texts[0][1], "in the middle");
}

TEST_P(session_streams, data_on_an_unanswered_syn_is_read_and_no_flood) {  // RFC 7413
  Frames frames;
  Settings settings = small_settings();
  settings.synFloodSummary = true;
  settings.synFloodRate = 1;
  for (unsigned i = 0; i < 3; ++i) {
    TcpPeers tcp = peers(frames, i);
    tcp.segment(Side::client, kTcpSyn, "early", i);
  }
  ReadRun run(GetParam(), settings);
  run.see(frames);
  run.finish();
  ASSERT_EQ(run.told.size(), 3u);
  for (const Told& told : run.told) EXPECT_EQ(told.text[0], "early");
}

TEST_P(session_streams, what_one_side_says_alone_is_passed_over_once_it_is_unknown) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.handshake(0);
  for (int i = 0; i < 200; ++i) {
    tcp.data(Side::client, "ten bytes ", kSecond + i);
    tcp.ack(Side::server, kSecond + i);
  }
  tcp.data(Side::server, "known", kSecond + 200);
  tcp.data(Side::client, "and read on", kSecond + 201);
  tcp.close(Side::client, 2 * kSecond);
  ReadRun run(GetParam());
  run.reader.unknown_from = 20;
  run.see(frames);
  EXPECT_EQ(run.streams_used(), 0u);  // both FINs were reached
  run.finish();
  EXPECT_EQ(run.told.at(0).text,
            (std::array<string, 2>{"ten bytes ten bytes and read on", "known"}));
  EXPECT_EQ(run.counters.stream_bytes.value(), 36u);
}

TEST_P(session_streams, a_side_that_is_passed_over_ends_with_its_fin) {
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.handshake(0);
  for (int i = 0; i < 10; ++i) tcp.data(Side::client, "ten bytes ", kSecond + i);
  tcp.fin(Side::client, kSecond + 10);
  ReadRun run(GetParam());
  run.reader.unknown_from = 20;
  run.see(frames);
  EXPECT_EQ(run.reader.ends, std::vector{1});
  run.finish();
}

// Lost, late and repeated segments, ACKs of what was lost, one side or both.
Frames random_talk(std::uint32_t seed) {
  std::mt19937 random(seed);
  const auto one_in = [&](std::uint32_t n) { return random() % n == 0; };
  Frames frames;
  TcpPeers tcp = peers(frames);
  tcp.handshake(0);
  std::int64_t time = kSecond;
  const bool is_one_way = one_in(3);
  for (int i = 0; i < 150; ++i) {
    time += random() % 300 * kMicrosecond;
    const Side side = (is_one_way && i < 100) || one_in(2) ? Side::client : Side::server;
    if (one_in(3)) {
      tcp.ack(side == Side::client ? Side::server : Side::client, time);
      continue;
    }
    const string text(1 + random() % 12, static_cast<char>('a' + i % 26));
    tcp.data(side, text, time, {.captured = !one_in(12)});
    if (one_in(12)) frames.push_back(frames.back());
    if (one_in(8)) std::swap(frames.back(), frames[frames.size() - 2]);
  }
  if (one_in(2)) tcp.close(Side::client, time + kMillisecond);
  return frames;
}

TEST(session_streams_of_random_talks, what_is_read_does_not_depend_on_bursts) {
  for (std::uint32_t seed = 0; seed < 300; ++seed) {
    const Frames frames = random_talk(seed);
    ReadRun one(1), few(3), all(kBurstMax);
    for (ReadRun* run : {&one, &few, &all}) {
      if (seed % 4 == 1) run->reader.unknown_from = 30;
      if (seed % 4 == 2) run->reader.done_from = 100;
      run->see(frames);
      run->finish();
      ASSERT_EQ(run->told.size(), one.told.size()) << seed;
      for (std::size_t i = 0; i < run->told.size(); ++i)
        ASSERT_EQ(run->told[i].text, one.told[i].text) << seed;
      ASSERT_EQ(run->reader.ends, one.reader.ends) << seed;
    }
  }
}

TEST_P(session_streams, datagrams_reach_the_reader_and_handshakes_open_no_stream) {
  Frames frames;
  const auto udp = [&](bool is_query, std::string_view text, std::int64_t time) {
    const char *client = "192.0.2.1", *server = "198.51.100.2";
    PacketBuilder builder = PacketBuilder().ethernet();
    if (is_query) {
      builder.ip(client, server).udp(5000, 53);
    } else {
      builder.ip(server, client).udp(53, 5000);
    }
    frames.push_back(builder.payload(text).frame(time));
  };
  udp(true, "query", 0);
  udp(false, "response", 1);
  udp(true, "again", 2);
  TcpPeers tcp = peers(frames);
  tcp.handshake(3);
  ReadRun run(GetParam());
  run.see(frames);
  EXPECT_EQ(run.streams_used(), 1u);
  run.finish();
  ASSERT_EQ(run.reader.texts.size(), 1u);
  for (const Told& told : run.told)
    if (told.reader != kNoStream) {
      EXPECT_EQ(told.text, (std::array<string, 2>{"query|again|", "response|"}));
    }
}

}  // namespace
}  // namespace linger::test
