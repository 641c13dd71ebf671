// The warm data path makes no system call and touches no heap (CONTRIBUTING.md, The hot path): two
// shards track simulated traffic under the guard, with tables so small that every limit is met.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/shard.h"
#include "engine/source/memory_source.h"
#include "pcaps/catalogue.h"
#include "tests/guard/hooks.h"
#include "tests/simulation/traffic.h"
#include "tests/support/fragments.h"

namespace linger::test {
namespace {

constexpr std::uint32_t kShards = 2;
constexpr int kNoSeccomp = 77;  // exit code

// The packets with some of them in fragments, and some of those not complete.
std::vector<MemoryPacket> partly_in_fragments(const std::vector<MemoryPacket>& packets) {
  constexpr std::size_t kPiece = 16;
  std::vector<MemoryPacket> cut;
  std::uint32_t id = 0;
  for (const MemoryPacket& packet : packets) {
    const Frame frame{packet.timestamp.value, packet.bytes, packet.wire_bytes, packet.link_type,
                      14};
    const bool is_ip = packet.link_type == kLinkEthernet && packet.bytes.size() > 54 &&
                       (packet.bytes[12] == 0x08 || packet.bytes[12] == 0x86);
    if (!is_ip || ++id % 4 != 0 || datagram_bytes(frame) + 14 + 20 > packet.bytes.size()) {
      cut.push_back(packet);
      continue;
    }
    Frames pieces = fragments_of(frame, kPiece, id);
    if (id % 3 == 0) pieces.pop_back();
    for (const Frame& piece : pieces)
      cut.push_back({packet.timestamp, piece.bytes, piece.wire_bytes, packet.link_type});
  }
  return cut;
}

// Sessions that parsers know, behind the others: many of one kind, then what the project's captures
// hold of each protocol, so far apart that equal tuples are other sessions.
void add_applications(std::vector<MemoryPacket>& packets) {
  constexpr DurationNs kApart = 10 * 60 * kSecond;
  const std::int64_t begin = packets.back().timestamp.value + kSecond;
  Frames frames;
  for (int i = 0; i < 50; ++i) {
    const std::int64_t time = begin + i * kSecond;
    const Endpoint server{"198.51.100.80", 80};
    TcpPeers tcp(frames, {"192.0.2.9", static_cast<std::uint16_t>(40'000 + i)}, server);
    tcp.handshake(time);
    tcp.data(Side::client, "GET / HT", time + kMillisecond);
    tcp.data(Side::client, "TP/1.1\r\nHost: example.com\r\n\r\n", time + kMillisecond);
    tcp.data(Side::server, "HTTP/1.1 200 OK\r\n\r\nbody", time + 2 * kMillisecond);
    tcp.close(Side::client, time + 3 * kMillisecond);
  }
  Catalogue catalogue;
  add_application_captures(catalogue);
  for (const CaptureFile& file : catalogue.files()) {
    const std::int64_t move =
        frames.back().timestamp_ns + kApart - file.frames.front().timestamp_ns;
    for (Frame frame : file.frames) {
      frame.timestamp_ns += move;
      frames.push_back(std::move(frame));
    }
  }
  for (const Frame& frame : frames)
    packets.push_back({{frame.timestamp_ns}, frame.bytes, frame.wire_bytes, frame.link_type});
}

// Some match across segments, in datagrams, or at a FIN.
std::vector<Rule> rules() {
  if (pattern_library().empty()) return {};
  std::vector<Rule> rules(3);
  rules[0].expression = "GET / HTTP";
  rules[1].expression = "[^a].{1,9}[a-z]";
  rules[2].expression = "body$";
  for (Rule& rule : rules) rule.name = rule.expression;
  return rules;
}

// Two shards, one source, an output whose rings have room and that nobody empties.
class Run {
 public:
  explicit Run(bool waits) {
    settings_.maxStreams = 40;
    settings_.graveyardSize = 200;
    settings_.latePool = 4;
    settings_.extensionPool = 2;
    settings_.udpSaveTimeout = settings_.tcpSaveTimeout = 10 * kSecond;
    Profile profile{.name = "guard", .tuples = 400, .reuse = 50, .late = 80, .flood = 500};
    profile.doubled = profile.reordered = profile.capture_loss = 5;
    settings_.maxFrags = 4;
    settings_.fragsTimeout = kSecond;
    std::vector<MemoryPacket> packets = partly_in_fragments(make_traffic(profile, 1).packets);
    add_applications(packets);
    const std::size_t count = packets.size() + 1;
    source_ = std::make_unique<MemorySource>(std::move(packets));
    handoff_ = std::make_unique<Handoff>(Shares::equal(kShards), count);
    outputs_.push_back(std::make_unique<Output>(
        OutputUri{},
        OutputOptions{
            .shard_count = kShards, .ring_capacity = 4 * count, .run = {}, .writer = {}}));
    const Seeds seeds{make_hash_seed(1), make_hash_seed(2)};
    for (std::uint32_t i = 0; i < kShards; ++i)
      shards_.push_back(std::make_unique<Shard>(i, settings_, seeds, *handoff_, outputs_, waits));
    reading_.detector = std::move(*Detector::make({.shards = kShards}));
    reading_.rules = std::move(*RuleSet::make({.rules = rules(), .streams = {4, 4}}));
    for (auto& shard : shards_) shard->read_applications(settings_, reading_);
    shards_.front()->attach(*source_);
  }

  void poll_until_done() noexcept {
    for (std::uint32_t done = 0; done < kShards;) {
      done = 0;
      for (auto& shard : shards_) done += shard->poll() == Shard::Progress::done;
    }
  }

  // What the traffic was meant to bring about, but did not.
  std::string left_out() const {
    std::string text;
    const auto want = [&](const char* what, auto&& count_of) {
      std::uint64_t sum = 0;
      for (const auto& shard : shards_) sum += count_of(shard->counters()).value();
      if (sum == 0) text += fmt::format(" {}", what);
    };
#define LINGER_WANT(name) \
  want(                   \
      #name, [](const ShardCounters& c) -> auto& { return c.table.name; })
    LINGER_WANT(opened);
    LINGER_WANT(ended_closed);
    LINGER_WANT(ended_reset);
    LINGER_WANT(ended_evicted);
    LINGER_WANT(evicted_lingering);
    LINGER_WANT(evicted_half_open);
    LINGER_WANT(evicted_open);
    LINGER_WANT(interim);
    LINGER_WANT(late_lingering);
    LINGER_WANT(late_buried);
    LINGER_WANT(late_records);
    LINGER_WANT(late_blocks_early);
    LINGER_WANT(graves_lost);
    LINGER_WANT(reused);
    LINGER_WANT(continued);
    LINGER_WANT(extension_dry);
    if (!pattern_library().empty()) {
      want(
          "rule_matches", [](const ShardCounters& c) -> auto& { return c.parsers.rule_matches; });
      want(
          "rule_streams_dry",
          [](const ShardCounters& c) -> auto& { return c.parsers.rule_streams_dry; });
    }
    want(
        "recognised", [](const ShardCounters& c) -> auto& { return c.parsers.recognised; });
#undef LINGER_WANT
#define LINGER_WANT(name) \
  want(                   \
      #name, [](const ShardCounters& c) -> auto& { return c.defrag.name; })
    LINGER_WANT(datagrams_completed);
    LINGER_WANT(datagrams_timed_out);
    LINGER_WANT(datagrams_pushed_out);
#undef LINGER_WANT
    want(
        "handed_over", [](const ShardCounters& c) -> auto& { return c.steering.handed_over; });
    return text;
  }

 private:
  Settings settings_;
  std::unique_ptr<MemorySource> source_;
  std::unique_ptr<Handoff> handoff_;
  Reading reading_;
  std::vector<std::unique_ptr<Output>> outputs_;
  std::vector<std::unique_ptr<Shard>> shards_;
};

[[noreturn]] void poll_under_guard(bool waits) {
  Run run(waits);
  if (!arm_guard()) _exit(kNoSeccomp);
  run.poll_until_done();
  const GuardFindings found = disarm_guard();
  report(fmt::format("system calls: {} (first: number {}), heap calls: {} (first from {}), left "
                     "out:{}.\n",
                     found.system_calls, found.first_system_call, found.heap_calls,
                     found.first_heap_caller, run.left_out())
             .c_str());
  _exit(found.none() && run.left_out().empty() ? 0 : 1);
}

[[noreturn]] void break_the_rules(bool allocates) {
  if (!arm_guard()) _exit(kNoSeccomp);
  [[maybe_unused]] static void* volatile kept;
  if (allocates) {
    kept = malloc(10);
  } else {
    kept = nullptr;
    static_cast<void>(getppid());
  }
  const GuardFindings found = disarm_guard();
  _exit(allocates ? (found.heap_calls == 1 ? 0 : 1) : (found.system_calls == 1 ? 0 : 1));
}

class Guard : public testing::Test {
 protected:
  void SetUp() override {
    const pid_t child = fork();
    if (child == 0) _exit(arm_guard() ? 0 : kNoSeccomp);
    int status = 0;
    waitpid(child, &status, 0);
    if (WEXITSTATUS(status) == kNoSeccomp) GTEST_SKIP() << "this machine has no seccomp";
  }
};

TEST_F(Guard, notices_a_system_call) {
  EXPECT_EXIT(break_the_rules(false), testing::ExitedWithCode(0), "");
}

TEST_F(Guard, notices_an_allocation) {
  EXPECT_EXIT(break_the_rules(true), testing::ExitedWithCode(0), "");
}

TEST_F(Guard, replaying_shards_touch_neither_heap_nor_kernel) {
  EXPECT_EXIT(poll_under_guard(true), testing::ExitedWithCode(0), "left out:\\.");
}

TEST_F(Guard, live_shards_touch_neither_heap_nor_kernel) {
  EXPECT_EXIT(poll_under_guard(false), testing::ExitedWithCode(0), "left out:\\.");
}

}  // namespace
}  // namespace linger::test
