#include "engine/shard.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "engine/ledger.h"
#include "engine/source/memory_source.h"
#include "output/uri.h"
#include "tests/support/fragments.h"
#include "tests/support/packet_builder.h"
#include "tests/support/temporary_folder.h"

namespace linger::test {
namespace {

// Sessions of every kind of end, with late packets before and after the record.
Frames traffic() {
  Frames frames;
  for (unsigned i = 0; i < 60; ++i) {
    const auto port = static_cast<std::uint16_t>(30'000 + i);
    TcpPeers tcp(frames, {"192.0.2.1", port}, {"198.51.100.2", 80}, 1'000 * i);
    const std::int64_t start = at(i * 50 * kMillisecond);
    tcp.handshake(start);
    tcp.data(Side::client, "ping", start + 10 * kMillisecond);
    if (i % 3 == 0) tcp.close(Side::client, start + 20 * kMillisecond);
    if (i % 3 == 1) tcp.rst(Side::server, start + 20 * kMillisecond);
    tcp.rst(Side::client, start + kSecond, {.flags = kTcpRst});
    tcp.rst(Side::server, start + kMinute, {.flags = kTcpRst});
    frames.push_back(PacketBuilder()
                         .ethernet()
                         .ip("192.0.2.1", "198.51.100.2")
                         .udp(port, 53)
                         .payload("?")
                         .frame(start));
  }
  frames.push_back(PacketBuilder().ethernet(1, 2).next_is(0x0806).payload("arp").frame(at(0)));
  sort_by_time(frames);
  return frames;
}

struct RunResult {
  std::vector<std::string> lines;  // sorted
  Ledger ledger;
};

struct RunPlan {
  std::uint32_t shards = 1;
  TestLoss loss = TestLoss::none;
  std::size_t ring_packets = 4'096;
  bool waits = true;
  std::uint64_t max_streams = 10'000;
  bool is_stopped = false;  // the shard that reads, behind its first burst
};

// All shards in this thread, in turn: each of them gets to poll, whatever the machine does.
RunResult run(const Frames& frames, const RunPlan& plan) {
  TemporaryFolder folder;
  Settings settings;
  settings.maxStreams = plan.max_streams;
  std::vector<std::unique_ptr<Output>> outputs;
  outputs.push_back(std::make_unique<Output>(
      *parse_output_uri("file:" + folder.file("records")),
      OutputOptions{.shard_count = plan.shards, .run = {.node = "test"}, .writer = {}}));
  EXPECT_TRUE(outputs.front()->open());
  if (plan.loss == TestLoss::record) outputs.front()->lose_one_record_for_test();
  outputs.front()->start();

  std::vector<MemoryPacket> packets;
  for (const Frame& frame : frames)
    packets.push_back({{frame.timestamp_ns}, frame.bytes, frame.wire_bytes, frame.link_type});
  MemorySource source(packets);
  const Shares shares = Shares::equal(plan.shards);
  Handoff handoff(shares, plan.ring_packets);
  std::vector<std::unique_ptr<Shard>> shards;
  std::vector<Settings> own;
  for (std::uint32_t i = 0; i < plan.shards; ++i) own.push_back(shares.settings_of(i, settings));
  for (std::uint32_t i = 0; i < plan.shards; ++i) {
    const Seeds seeds{make_hash_seed(plan.shards), make_hash_seed(1)};
    shards.push_back(std::make_unique<Shard>(i, own[i], seeds, handoff, outputs, plan.waits));
    shards.back()->lose_for_test(plan.loss);
  }
  shards.front()->attach(source);
  for (std::size_t done = 0; done < shards.size();) {
    done = 0;
    for (auto& shard : shards) done += shard->poll() == Shard::Progress::done;
    if (plan.is_stopped) shards.front()->stop(Ending::shutdown);
  }
  outputs.front()->finish();
  RunResult result{{}, make_ledger(shards, outputs, settings.maxStreams)};
  std::istringstream content(content_of(folder.file("records")));
  for (std::string line; std::getline(content, line);) result.lines.push_back(line);
  std::sort(result.lines.begin(), result.lines.end());
  return result;
}

TEST(shard, writes_the_same_records_however_many_there_are) {
  const Frames frames = traffic();
  const RunResult one = run(frames, {.shards = 1});
  EXPECT_TRUE(one.ledger.residues().empty());
  EXPECT_EQ(one.ledger.opened, 120u);
  EXPECT_EQ(one.ledger.seen().packets, frames.size());
  EXPECT_EQ(one.ledger.handed_over, 0u);
  for (const std::uint32_t shards : {2u, 3u, 8u}) {
    const RunResult many = run(frames, {.shards = shards});
    EXPECT_EQ(many.lines, one.lines) << shards;
    EXPECT_TRUE(many.ledger.residues().empty()) << shards;
    EXPECT_GT(many.ledger.handed_over, 0u) << shards;
  }
}

// The others may be done before they are told.
TEST(shard, ends_as_the_one_that_reads_was_stopped) {
  const RunResult stopped = run(traffic(), {.shards = 3, .is_stopped = true});
  const auto count_of = [&](std::string_view reason) {
    return std::ranges::count_if(
        stopped.lines, [&](const std::string& line) { return line.find(reason) != line.npos; });
  };
  EXPECT_GT(count_of("shutdown"), 0);
  EXPECT_EQ(count_of("end-of-input"), 0);
}

// The same traffic with every packet of more than `piece_bytes` in fragments, the last one first.
Frames in_fragments(const Frames& frames, std::size_t piece_bytes) {
  Frames pieces;
  std::uint32_t id = 0;
  for (const Frame& frame : frames) {
    if (frame.ip_offset == 0 || datagram_bytes(frame) <= piece_bytes) {
      pieces.push_back(frame);
      continue;
    }
    Frames cut = fragments_of(frame, piece_bytes, ++id);
    pieces.insert(pieces.end(), cut.rbegin(), cut.rend());
  }
  return pieces;
}

TEST(shard, fragments_go_to_the_shard_of_their_session) {
  const Frames whole = traffic();
  const Frames frames = in_fragments(whole, 16);
  ASSERT_GT(frames.size(), whole.size() + 200);
  const RunResult one = run(frames, {.shards = 1});
  EXPECT_TRUE(one.ledger.residues().empty());
  EXPECT_EQ(one.ledger.seen().packets, frames.size());
  EXPECT_EQ(one.ledger.packets, frames.size() - 1);  // all but ARP
  EXPECT_EQ(one.ledger.opened, run(whole, {.shards = 1}).ledger.opened);
  EXPECT_GT(one.ledger.datagrams_completed, 200u);
  EXPECT_GT(one.ledger.late_buried, 60u);
  for (const std::uint32_t shards : {2u, 3u, 8u}) {
    const RunResult many = run(frames, {.shards = shards});
    EXPECT_EQ(many.lines, one.lines) << shards;
    EXPECT_TRUE(many.ledger.residues().empty()) << shards;
    EXPECT_EQ(many.ledger.late_buried, one.ledger.late_buried) << shards;
  }
}

TEST(shard, what_goes_to_another_is_counted_by_its_kind) {
  enum class Kind { plain, fragments, tunnel, error };
  for (const Kind kind : {Kind::plain, Kind::fragments, Kind::tunnel, Kind::error}) {
    Frames frames;
    for (std::uint16_t i = 0; i < 64; ++i) {
      const auto inner = [&](PacketBuilder builder) {
        const auto port = static_cast<std::uint16_t>(30'000 + i);
        return builder.ip("192.0.2.1", "198.51.100.2")
            .udp(port, 53)
            .payload("12345678")
            .frame(at(i));
      };
      const Frame plain = inner(PacketBuilder().ethernet());
      PacketBuilder around = PacketBuilder().ethernet().ip("198.51.100.2", "192.0.2.1");
      if (kind == Kind::tunnel)
        frames.push_back(inner(around.udp(9, 4789).vxlan(7).ethernet()));
      else if (kind == Kind::error)
        frames.push_back(around.icmp_error(3, 1, plain).frame(at(i)));
      else
        frames.push_back(plain);
    }
    if (kind == Kind::fragments) frames = in_fragments(frames, 8);
    const Ledger l = run(frames, {.shards = 2}).ledger;
    EXPECT_GT(l.handed_over, 10u);
    EXPECT_EQ(l.handed_others, kind == Kind::plain ? l.handed_over : 0);
    EXPECT_EQ(l.handed_datagrams, kind == Kind::fragments ? l.handed_over : 0);
    EXPECT_EQ(l.handed_tunnels, kind == Kind::tunnel ? l.handed_over : 0);
    EXPECT_EQ(l.handed_errors, kind == Kind::error ? l.handed_over : 0);
  }
}

TEST(shard, wrong_checksums_are_counted_by_protocol) {
  const auto behind = [] { return PacketBuilder().ethernet().ip("192.0.2.1", "198.51.100.2"); };
  const Frame udp = behind().udp(1, 2).payload("x").frame();
  Frames frames = {behind().tcp(1, 2).payload("x").frame(), udp,
                   behind().icmp(8, 0, 7).payload("x").frame(),
                   behind().icmp_error(3, 1, udp).frame(),
                   behind().sctp(1, 2, 3).sctp_chunk(1, 0, ByteList(16, 7)).frame()};
  for (Frame& frame : frames) frame.bytes.back() ^= 1;
  Frame header = udp;
  ++header.bytes[header.ip_offset + 8];  // its TTL
  frames.push_back(header);
  const Ledger l = run(frames, {}).ledger;
  EXPECT_EQ(l.bad_tcp_checksums, 1u);
  EXPECT_EQ(l.bad_udp_checksums, 1u);
  EXPECT_EQ(l.bad_icmp_checksums, 2u);
  EXPECT_EQ(l.bad_sctp_checksums, 1u);
  EXPECT_EQ(l.bad_ip_checksums, 1u);
}

TEST(shard, datagram_that_does_not_become_whole_goes_on_before_the_packets_after_its_time) {
  const auto udp = [](std::int64_t time) {
    return PacketBuilder()
        .ethernet()
        .ip("192.0.2.1", "198.51.100.2")
        .udp(9, 53)
        .payload(std::string(40, '?'))
        .frame(time);
  };
  // Between the beginning and the packet that shows that its time is over come 0 to 70 others: the
  // place in the burst must not matter.
  for (unsigned others = 0; others <= 70; ++others) {
    Frames frames = {fragment_of(udp(at(0)), {0, 24})};
    for (unsigned i = 0; i < others; ++i)
      frames.push_back(PacketBuilder().ethernet(1, 2).next_is(0x0806).frame(at(kSecond)));
    frames.push_back(udp(at(38 * kSecond)));  // less than udpTimeout after fragsTimeout
    const RunResult result = run(frames, {});
    EXPECT_EQ(result.lines.size(), 1u) << others;
    EXPECT_EQ(result.ledger.packets, 2u) << others;
    EXPECT_EQ(result.ledger.datagrams_timed_out, 1u) << others;
    EXPECT_TRUE(result.ledger.residues().empty()) << others;
  }
}

// However unevenly its sessions fall to the shards.
TEST(shard, the_max_streams_that_a_full_table_asks_for_is_enough) {
  Frames frames;
  for (std::uint16_t i = 0; i < 3'000; ++i)
    frames.push_back(PacketBuilder()
                         .ethernet()
                         .ip("192.0.2.1", "198.51.100.2")
                         .udp(static_cast<std::uint16_t>(1'000 + i), 53)
                         .frame(at(i * kMillisecond)));
  for (const std::uint32_t shards : {1u, 2u, 3u, 8u}) {
    const Ledger small = run(frames, {.shards = shards, .max_streams = 1'000}).ledger;
    EXPECT_GT(small.left_early(), 0u) << shards;
    const std::uint64_t wanted = small.max_streams_wanted();
    EXPECT_LT(wanted, 4'000u) << shards;
    const Ledger enough = run(frames, {.shards = shards, .max_streams = wanted}).ledger;
    EXPECT_EQ(enough.left_early(), 0u) << shards << " " << wanted;
  }
}

TEST(shard, the_ledger_names_what_a_test_loses) {
  struct Case {
    TestLoss loss;
    std::uint32_t shards;
    const char* residue;
  };
  for (const Case& c : {Case{TestLoss::packet, 1, "packets for sessions"},
                        Case{TestLoss::handoff, 2, "packets for sessions"},
                        Case{TestLoss::late_block, 1, "packets in sessions against packets told"},
                        Case{TestLoss::record, 1, "records handed against written"}}) {
    const RunResult result = run(traffic(), {.shards = c.shards, .loss = c.loss});
    bool is_named = false;
    for (const std::string& residue : result.ledger.residues())
      is_named |= residue.find(c.residue) != std::string::npos;
    EXPECT_TRUE(is_named) << c.residue << ": " << testing::PrintToString(result.ledger.residues());
  }
}

TEST(shard, a_live_shard_drops_what_does_not_fit_and_counts_it) {
  const Frames frames = traffic();
  const RunResult result = run(frames, {.shards = 2, .ring_packets = 1, .waits = false});
  EXPECT_GT(result.ledger.handoff_full.packets, 0u);
  EXPECT_GT(result.ledger.handoff_full.bytes, result.ledger.handoff_full.packets * 40);
  EXPECT_TRUE(result.ledger.residues().empty()) << testing::PrintToString(result.ledger.residues());
  EXPECT_EQ(result.ledger.seen().packets, frames.size());
}

TEST(shard, without_packets_there_is_an_empty_balanced_ledger) {
  const RunResult result = run({}, {.shards = 3});
  EXPECT_TRUE(result.lines.empty());
  EXPECT_TRUE(result.ledger.residues().empty());
  EXPECT_EQ(result.ledger.seen().packets, 0u);
}

}  // namespace
}  // namespace linger::test
