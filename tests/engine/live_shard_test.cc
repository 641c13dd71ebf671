// Shards that each receive: packets arrive anywhere, and time passes for all of them alike.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <sstream>
#include <string_view>

#include "engine/ledger.h"
#include "engine/shard.h"
#include "output/uri.h"
#include "tests/support/fragments.h"
#include "tests/support/packet_builder.h"
#include "tests/support/polled_shard.h"
#include "tests/support/record_lines.h"
#include "tests/support/temporary_folder.h"

namespace linger::test {
namespace {

struct LivePlan {
  std::uint32_t shards = 1;
  std::uint32_t ports = 1;  // each shard has a queue of each
  bool are_files = false;   // the ports: then the first shard has them
  std::size_t ring_packets = 4'096;
  bool (*goes_to_last)(const Frame&) = nullptr;  // queue; else to the first one
  const LossLog* losses = nullptr;
  std::uint32_t last_queue = UINT32_MAX;  // else the last one of the last shard
  DurationNs backlog = 0;                 // what has come when shards poll again
  bool in_turn = false;                   // each round another shard alone polls
  bool keeps_directions = true;           // in one queue; else shards don't count on it
};

struct LiveResult {
  std::vector<std::string> lines;  // sorted
  Ledger ledger;
};

bool is_from_client(const Frame& frame) { return frame.bytes[frame.ip_offset + 15] == 1; }
// The directions come through different queues.
bool is_from_server(const Frame& frame) { return !is_from_client(frame); }

LiveResult run_live(const Frames& frames, const LivePlan& plan) {
  TemporaryFolder folder;
  Settings settings;
  settings.maxStreams = 10'000;
  std::vector<std::unique_ptr<Output>> outputs;
  outputs.push_back(std::make_unique<Output>(
      *parse_output_uri("file:" + folder.file("records")),
      OutputOptions{.shard_count = plan.shards, .run = {.node = "test"}, .writer = {}}));
  EXPECT_TRUE(outputs.front()->open());
  outputs.front()->start();

  ClockNs now = frames.front().timestamp_ns;
  const std::uint32_t queue_count = plan.are_files ? plan.ports : plan.shards * plan.ports;
  std::vector<std::unique_ptr<Queue>> queues;
  for (std::uint32_t i = 0; i < queue_count; ++i)
    queues.push_back(std::make_unique<Queue>(now, i % plan.ports, plan.are_files, plan.backlog));
  const auto goes_to_last = plan.goes_to_last != nullptr ? plan.goes_to_last : is_from_server;
  for (const Frame& frame : frames)
    queues[goes_to_last(frame) ? std::min(plan.last_queue, queue_count - 1) : 0]->add(frame);

  Handoff handoff(Shares::equal(plan.shards), plan.ring_packets);
  if (!plan.keeps_directions) handoff.expect_apart();
  std::vector<std::unique_ptr<Shard>> shards;
  for (std::uint32_t i = 0; i < plan.shards; ++i) {
    const Seeds seeds{make_hash_seed(7), make_hash_seed(1)};
    shards.push_back(std::make_unique<Shard>(i, settings, seeds, handoff, outputs, false));
    if (plan.ports > 1) shards.back()->know_ports();
    if (plan.losses != nullptr) shards.back()->attach(*plan.losses);
    for (std::uint32_t port = 0; port < plan.ports && (i == 0 || !plan.are_files); ++port)
      shards.back()->attach(*queues[i * plan.ports + port]);
  }
  const auto poll_all = [&] {
    std::size_t done = 0;
    for (auto& shard : shards) done += shard->poll() == Shard::Progress::done;
    return done == shards.size();
  };
  // Files give what they have whatever the time is.
  const DurationNs step = std::max(plan.backlog, plan.are_files ? kMinute : 100 * kMicrosecond);
  std::size_t round = 0;
  for (; now < frames.back().timestamp_ns + kMillisecond; now += step)
    plan.in_turn ? void(shards[++round % shards.size()]->poll()) : void(poll_all());
  for (auto& shard : shards) shard->stop(Ending::end_of_input);
  while (!poll_all()) {
  }
  outputs.front()->finish();
  LiveResult result{{}, make_ledger(shards, outputs, settings.maxStreams)};
  std::istringstream content(content_of(folder.file("records")));
  for (std::string line; std::getline(content, line);) result.lines.push_back(line);
  std::sort(result.lines.begin(), result.lines.end());
  return result;
}

bool is_idle(const std::string& line) {
  return line.find(R"("reason":"idle")") != std::string::npos;
}

Frames conversations() {
  Frames frames;
  for (unsigned i = 0; i < 100; ++i) {
    const auto port = static_cast<std::uint16_t>(30'000 + i);
    TcpPeers tcp(frames, {"192.0.2.1", port}, {"198.51.100.2", 80}, 1'000 * i);
    const std::int64_t start = at(i * 3 * kMillisecond);
    tcp.handshake(start);
    tcp.data(Side::client, "ping", start + 10 * kMillisecond);
    tcp.data(Side::server, "pong", start + 14 * kMillisecond);
    if (i % 3 == 0) tcp.close(Side::client, start + 20 * kMillisecond);
    if (i % 3 == 1) tcp.rst(Side::server, start + 20 * kMillisecond);
    if (i % 3 == 2) tcp.fin(Side::client, start + 20 * kMillisecond);
    tcp.rst(Side::client, start + kSecond, {.flags = kTcpRst});
  }
  sort_by_time(frames);
  return frames;
}

TEST(live_shard, tells_the_same_wherever_packets_arrive) {
  const Frames frames = conversations();
  const LiveResult one = run_live(frames, {});
  EXPECT_EQ(one.ledger.opened, 100u);
  EXPECT_TRUE(one.ledger.residues().empty());
  for (const LivePlan& plan : {LivePlan{1, 2}, LivePlan{2, 1}, LivePlan{2, 2}, LivePlan{5, 1}}) {
    const LiveResult many = run_live(frames, plan);
    EXPECT_EQ(many.lines, one.lines) << plan.shards << " shards, " << plan.ports << " ports";
    EXPECT_TRUE(many.ledger.residues().empty());
    EXPECT_EQ(many.ledger.handed_over != 0, plan.shards > 1);
  }
}

TEST(live_shard, what_waits_at_two_ports_is_told_in_its_order) {
  const Frames frames = conversations();  // many bursts
  const LiveResult one = run_live(frames, {});
  for (const std::uint32_t shards : {1u, 2u}) {
    const LiveResult two =
        run_live(frames, {.shards = shards, .ports = 2, .last_queue = 1, .backlog = 2 * kSecond});
    EXPECT_EQ(two.lines, one.lines) << shards << " shards";
    EXPECT_TRUE(two.ledger.residues().empty());
  }
}

// What a shift in time does change.
std::vector<std::string> without_times(const std::vector<std::string>& lines) {
  return without({"@timestamp", "start", "end", "id", "duration", "rtt", "first", "last"}, lines);
}

// Each direction has an outer port of its own, as VXLAN has it.
Frames in_a_tunnel(const Frames& frames) {
  Frames tunnelled;
  for (const Frame& frame : frames) {
    const std::string inner(frame.bytes.begin(), frame.bytes.end());
    PacketBuilder outer = PacketBuilder().ethernet();
    if (is_from_client(frame)) {
      outer.ip("192.0.2.1", "198.51.100.2").udp(50'001, 4'789);
    } else {
      outer.ip("198.51.100.2", "192.0.2.1").udp(50'002, 4'789);
    }
    tunnelled.push_back(outer.vxlan(7).payload(inner).frame(frame.timestamp_ns));
  }
  return tunnelled;
}

TEST(live_shard, sessions_that_come_apart_are_told_in_order_however_late_a_shard_looks) {
  for (const bool is_tunnel : {true, false}) {
    const Frames frames = is_tunnel ? in_a_tunnel(conversations()) : conversations();
    // An id is made of the time at which the shard had come to the session.
    const auto one = without({"id"}, run_live(frames, {}).lines);
    for (const std::uint32_t shards : {2u, 5u}) {
      const LiveResult many = run_live(frames, {.shards = shards,
                                                .backlog = 20 * kMillisecond,
                                                .in_turn = true,
                                                .keeps_directions = is_tunnel});
      EXPECT_EQ(without({"id"}, many.lines), one) << shards << " shards";
      EXPECT_TRUE(many.ledger.residues().empty());
    }
  }
}

// One shard looks once in 2 s, the other has what 64 packets can say.
TEST(live_shard, what_waits_for_a_shard_that_stands_still_does_so_while_there_is_room) {
  const Frames frames = in_a_tunnel(conversations());
  const LiveResult result =
      run_live(frames, {.shards = 2, .ring_packets = 64, .backlog = 2 * kSecond, .in_turn = true});
  EXPECT_TRUE(result.ledger.residues().empty());
  EXPECT_EQ(result.ledger.seen().packets, frames.size());
}

// The other shard has not looked yet; about half of the sessions are its own.
TEST(live_shard, what_waits_for_a_shard_does_so_until_a_ring_is_half_full) {
  for (const std::uint16_t count : {400, 1'400}) {
    const ClockNs now = at(kSecond);
    Queue queue(now);
    for (std::uint16_t port = 1; port <= count; ++port) {
      const PacketBuilder query =
          PacketBuilder().ethernet().ip("192.0.2.1", "198.51.100.2").udp(port, 53);
      queue.add(in_a_tunnel({query.frame(at(0))}).front());
    }
    PolledShard shard({&queue}, 2, 1'024);
    for (int poll = 0; poll < 100; ++poll) shard->poll();
    EXPECT_EQ(shard->sessions() != 0, count > 1'024) << count;
  }
}

TEST(live_shard, files_are_played_in_step_for_any_number_of_shards) {
  const Frames frames = conversations();
  const std::vector<std::string> told = run_live(frames, {}).lines;
  for (const std::uint32_t shards : {1u, 2u, 5u}) {
    const LiveResult played = run_live(frames, {.shards = shards, .ports = 2, .are_files = true});
    EXPECT_EQ(played.lines, told) << shards << " shards";
    EXPECT_TRUE(played.ledger.residues().empty());
    EXPECT_EQ(played.ledger.handed_over != 0, shards > 1);
  }
}

// Frames of the conversations in pieces of 8 bytes, of which every third datagram lacks one.
Frames conversations_in_fragments() {
  Frames frames;
  std::uint32_t id = 0;
  for (const Frame& whole : conversations()) {
    Frames pieces = fragments_of(whole, 8, ++id, 50 * kMicrosecond);
    if (id % 3 == 0) pieces.erase(pieces.begin() + id % pieces.size());
    if (id % 5 == 0) pieces = {whole};
    frames.insert(frames.end(), pieces.begin(), pieces.end());
  }
  frames.push_back(frames.front());
  frames.back().timestamp_ns = at(20 * kSecond);  // behind fragsTimeout
  sort_by_time(frames);
  return frames;
}

TEST(live_shard, files_of_fragments_are_played_in_step_for_any_number_of_shards) {
  const Frames frames = conversations_in_fragments();
  const LiveResult whole = run_live(frames, {.are_files = true});
  EXPECT_GT(whole.ledger.opened, 100u);
  for (const std::uint32_t shards : {1u, 2u, 5u}) {
    const LiveResult played = run_live(frames, {.shards = shards, .ports = 2, .are_files = true});
    EXPECT_EQ(played.lines, whole.lines) << shards << " shards";
    EXPECT_TRUE(played.ledger.residues().empty());
    EXPECT_EQ(played.ledger.handed_over != 0, shards > 1);
  }
}

// The last fragment of a file waits for more until the end, and is the last word on how far time
// has come, for the shards too that do not own its session.
TEST(live_shard, fragments_that_end_a_file_end_sessions_of_all_shards) {
  for (const char* client : {"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"}) {
    Frames frames;
    for (std::uint16_t port = 1; port <= 32; ++port)
      frames.push_back(
          PacketBuilder().ethernet().ip("192.0.2.9", "198.51.100.2").udp(port, 53).frame(at(0)));
    const Frame whole = PacketBuilder()
                            .ethernet()
                            .ip(client, "198.51.100.2")
                            .udp(10, 53)
                            .payload(std::string(100, '?'))
                            .frame(at(40 * kSecond));
    frames.push_back(fragment_of(whole, {0, 64}));
    const std::vector<std::string> told = run_live(frames, {.are_files = true}).lines;
    EXPECT_EQ(std::ranges::count_if(told, is_idle), 32);
    EXPECT_EQ(run_live(frames, {.shards = 2, .are_files = true}).lines, told) << client;
  }
}

// In steps of 100 us, so that no two packets of a session become simultaneous.
Frames with_a_direction_late(Frames frames, bool is_client_late, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::int64_t before = 0;
  for (Frame& frame : frames) {
    if (is_from_client(frame) != is_client_late) continue;
    frame.timestamp_ns += static_cast<std::int64_t>(random() % 10) * 100 * kMicrosecond;
    before = frame.timestamp_ns = std::max(before, frame.timestamp_ns);
  }
  sort_by_time(frames);
  return frames;
}

TEST(live_shard, a_direction_that_lags_up_to_a_millisecond_changes_no_state) {
  const Frames frames = conversations();
  const auto told = without_times(run_live(frames, {.shards = 2}).lines);
  for (std::uint32_t seed = 1; seed <= 4; ++seed) {
    const Frames late = with_a_direction_late(frames, seed % 2 == 0, seed);
    EXPECT_EQ(without_times(run_live(late, {.shards = 2}).lines), told) << "seed " << seed;
  }
}

// Frames of odd milliseconds come by port 1, the others by port 0.
bool is_of_port_1(const Frame& frame) { return frame.timestamp_ns / kMillisecond % 2 == 1; }

constexpr std::int64_t kOf1 = kMillisecond;  // from a time of port 0 to one of port 1
constexpr DurationNs kStep = 2 * kMillisecond;

TcpPeers opened(Frames& frames, std::uint16_t port, std::int64_t start) {
  TcpPeers tcp(frames, {"192.0.2.1", port}, {"198.51.100.2", 80});
  tcp.handshake(start, kStep);
  return tcp;
}

// What stands between `before` and the next of `ends`.
std::string between(const std::string& line, std::string_view before, const char* ends) {
  const std::size_t at = line.find(before) + before.size();
  return line.substr(at, line.find_first_of(ends, at) - at);
}

// "port action", and what more the record says of losses; sorted.
std::vector<std::string> losses_told(const std::vector<std::string>& lines) {
  std::vector<std::string> losses;
  for (const std::string& line : lines) {
    const bool has_loss = line.find(R"("capture_loss":true)") != std::string::npos;
    losses.push_back(between(line, R"("port":)", ",}") + ' ' +
                     between(line, R"("action":")", "\"") + (has_loss ? " loss" : ""));
  }
  std::sort(losses.begin(), losses.end());
  return losses;
}

TEST(live_shard, records_tell_losses_of_the_ports_that_their_packets_came_by) {
  Frames frames;
  const std::int64_t t = at(0);
  opened(frames, 10, t);
  opened(frames, 11, t + kOf1);
  TcpPeers moved = opened(frames, 12, t);
  moved.data(Side::client, "ping", t + 10 * kStep);
  moved.data(Side::client, "ping", t + 11 * kStep + kOf1);  // nothing else is new about it
  TcpPeers late = opened(frames, 13, t);
  late.close(Side::client, t + 10 * kStep, kStep);
  late.rst(Side::server, t + 7 * kSecond + kOf1);
  opened(frames, 14, t);
  frames.push_back(PacketBuilder()
                       .ethernet()
                       .ip("198.51.100.9", "192.0.2.1")
                       .icmp_error(3, 1, Frame(frames.back()))
                       .frame(t + 10 * kStep + kOf1));
  opened(frames, 15, t);
  TcpPeers again(frames, {"192.0.2.1", 15}, {"198.51.100.2", 80}, 77'000, 88'000);
  again.syn(t + 10 * kStep + kOf1);  // whose it is the answer tells
  again.syn_ack(t + 11 * kStep);
  sort_by_time(frames);

  LossLog losses;
  losses.add(port_set_of(1), {t - kSecond}, {t + kHour});
  const std::vector<std::string> expected = {
      "10 session-end",       "11 session-end loss", "12 session-end loss", "13 session-end",
      "13 session-late loss", "14 session-end loss", "15 session-end loss", "15 session-end loss"};
  for (const std::uint32_t shards : {1u, 2u}) {
    const LiveResult result = run_live(
        frames, {.shards = shards, .ports = 2, .goes_to_last = is_of_port_1, .losses = &losses});
    EXPECT_EQ(losses_told(result.lines), expected) << shards << " shards";
    EXPECT_TRUE(result.ledger.residues().empty());
  }
}

TEST(live_shard, a_datagram_came_by_the_ports_of_all_its_fragments) {
  Frames frames;
  const Frame whole = PacketBuilder()
                          .ethernet()
                          .ip("192.0.2.1", "198.51.100.2")
                          .udp(10, 53)
                          .payload(std::string(100, '?'))
                          .frame(at(0));
  for (const Frame& piece : fragments_of(whole, 64, 1, kOf1)) frames.push_back(piece);
  LossLog losses;
  losses.add(port_set_of(1), {at(0)}, {at(kSecond)});
  const LiveResult result =
      run_live(frames, {.ports = 2, .goes_to_last = is_of_port_1, .losses = &losses});
  EXPECT_EQ(losses_told(result.lines), std::vector<std::string>{"10 session-end loss"});
}

TEST(live_shard, a_datagram_is_merged_in_time_with_what_came_by_other_ports) {
  const auto datagram = [](const char* from, const char* to, DurationNs time) {
    return PacketBuilder().ethernet().ip(from, to).udp(53, 53).payload("12345678").frame(at(time));
  };
  Frames frames = {datagram("192.0.2.1", "192.0.2.9", 0),  // all others come in one poll
                   datagram("198.51.100.2", "192.0.2.1", 10)};
  for (const Frame& piece : fragments_of(datagram("192.0.2.1", "198.51.100.2", 20), 8, 1, 10))
    frames.push_back(piece);
  const LiveResult result = run_live(frames, {.ports = 2});
  EXPECT_EQ(std::ranges::count_if(result.lines,
                                  [](const std::string& line) {
                                    return line.find(R"("source":{"ip":"198.51.100.2")") !=
                                           std::string::npos;
                                  }),
            1);
}

// One shard does not keep up for a moment, a second after the first session and before the last
// one.
TEST(live_shard, records_tell_what_was_lost_on_the_way_to_another_shard) {
  Frames frames;
  opened(frames, 10, at(0));
  for (std::uint16_t port = 1'000; port < 3'000; ++port)
    frames.push_back(PacketBuilder()
                         .ethernet()
                         .ip("192.0.2.1", "198.51.100.2")
                         .udp(port, 53)
                         .frame(at(kSecond)));
  TcpPeers across = opened(frames, 11, at(kSecond - 20 * kStep));
  across.data(Side::client, "ping", at(kSecond + 20 * kStep));
  opened(frames, 12, at(2 * kSecond));
  sort_by_time(frames);
  const LossLog none;
  const LiveResult result = run_live(frames, {.shards = 2, .ring_packets = 4, .losses = &none});
  EXPECT_GT(result.ledger.handoff_full.packets, 500u);
  const std::vector<std::string> told = losses_told(result.lines);
  for (const char* line : {"10 session-end", "11 session-end loss", "12 session-end"})
    EXPECT_EQ(std::ranges::count(told, line), 1) << line;
}

TEST(live_shard, with_one_port_its_losses_are_those_of_all_sessions) {
  Frames frames;
  opened(frames, 10, at(0));
  LossLog losses;
  losses.add(port_set_of(0), {at(0)}, {at(1)});
  EXPECT_EQ(losses_told(run_live(frames, {.losses = &losses}).lines),
            std::vector<std::string>{"10 session-end loss"});
}

// Of one session in 256, however often one side speaks before the other.
TEST(live_shard, where_the_directions_of_sessions_arrive_is_sampled) {
  std::uint64_t sampled = 0;
  for (const int questions : {1, 3}) {
    for (const bool is_apart : {true, false}) {
      Frames frames;
      const auto say = [&](const char* from, const char* to, std::uint16_t port, bool is_answer) {
        const std::uint16_t server = 53;
        frames.push_back(PacketBuilder()
                             .ethernet()
                             .ip(from, to)
                             .udp(is_answer ? server : port, is_answer ? port : server)
                             .frame(at(static_cast<std::int64_t>(frames.size()) * 1'000)));
      };
      for (std::uint16_t port = 1'000; port < 3'000; ++port) {
        for (int i = 0; i < questions; ++i) say("192.0.2.1", "198.51.100.2", port, false);
        say("198.51.100.2", "192.0.2.1", port, true);
      }
      const auto all_to_first = +[](const Frame&) { return false; };
      const Ledger ledger =
          run_live(frames, {.shards = 2, .goes_to_last = is_apart ? nullptr : all_to_first}).ledger;
      if (sampled == 0) sampled = ledger.directions_sampled;
      EXPECT_EQ(ledger.directions_sampled, sampled);
      EXPECT_EQ(ledger.directions_apart, is_apart ? sampled : 0);
    }
  }
  EXPECT_GT(sampled, 0u);
  EXPECT_LT(sampled, 40u);
}

TEST(live_shard, a_full_handoff_ring_drops_and_counts) {
  Frames frames;
  for (std::uint16_t i = 0; i < 2'000; ++i)
    frames.push_back(PacketBuilder()
                         .ethernet()
                         .ip("192.0.2.1", "198.51.100.2")
                         .udp(static_cast<std::uint16_t>(10'000 + i), 53)
                         .payload("?")
                         .frame(at(0)));
  const LiveResult result = run_live(frames, {.shards = 2, .ring_packets = 4});
  EXPECT_GT(result.ledger.handoff_full.packets, 500u);
  EXPECT_EQ(result.ledger.packets + result.ledger.handoff_full.packets, frames.size());
  EXPECT_TRUE(result.ledger.residues().empty());
}

}  // namespace
}  // namespace linger::test
