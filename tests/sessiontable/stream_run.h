// Streams on their own: packets in, what a reader saw out.
//
//   StreamRun run;
//   run.open();
//   run.send(0, 1, "hello");
//   EXPECT_EQ(run.seen[0].text(), "hello");
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sessiontable/streams.h"

namespace linger::test {

// What a reader saw of one direction.
struct SeenSide {
  std::vector<int> bytes;      // -1: in a gap
  std::vector<ClockNs> times;  // of each piece of data
  std::vector<std::string> datagrams;
  std::optional<StreamEnd> end;
  const std::uint8_t* last_data = nullptr;
  int data_calls = 0;
  int gap_calls = 0;

  std::string text() const {  // a gap's bytes as '.'
    std::string out;
    for (const int byte : bytes) out += byte < 0 ? '.' : static_cast<char>(byte);
    return out;
  }
};

inline constexpr std::uint32_t kReader = 77;

// Checks the order of what it is told, keeps it, and answers as it is asked to.
struct StreamReader {
  std::array<SeenSide, 2> seen;
  std::array<bool, 2> is_over{};
  std::string order;  // a letter each: A or B for data of side 0 or 1, a or b for a gap
  StreamAnswer answer = StreamAnswer::more;
  std::uint64_t answer_from = 0;  // at this offset and behind; before: more
  bool is_wanted = true;
  bool keeps_bytes = true;

  void at(std::uint32_t reader, Timestamp time) noexcept {
    EXPECT_EQ(reader, kReader);
    time_ = time;
  }
  void prefetch(std::uint32_t) noexcept {}
  bool has_news() const noexcept { return false; }
  std::uint32_t on_open(const Packet&, const StreamStart&) noexcept {
    return is_wanted ? kReader : kNoStream;
  }
  StreamAnswer on_data(std::uint32_t reader, unsigned side,
                       std::span<const std::uint8_t> bytes) noexcept {
    note(reader, side);
    EXPECT_FALSE(bytes.empty());
    seen[side].last_data = bytes.data();
    ++seen[side].data_calls;
    order += "AB"[side];
    seen[side].times.push_back(time_.value);
    if (keeps_bytes) seen[side].bytes.insert(seen[side].bytes.end(), bytes.begin(), bytes.end());
    return reply(side);
  }
  StreamAnswer on_gap(std::uint32_t reader, unsigned side, std::uint32_t count) noexcept {
    note(reader, side);
    EXPECT_NE(count, 0u);
    ++seen[side].gap_calls;
    order += "ab"[side];
    if (keeps_bytes) seen[side].bytes.resize(seen[side].bytes.size() + count, -1);
    return reply(side);
  }
  StreamAnswer on_datagram(std::uint32_t reader, unsigned side, std::span<const std::uint8_t> bytes,
                           std::uint32_t count) noexcept {
    EXPECT_EQ(reader, kReader);
    EXPECT_GE(count, bytes.size());
    seen[side].datagrams.emplace_back(bytes.begin(), bytes.end());
    return reply(side);
  }
  void on_end(std::uint32_t reader, unsigned side, StreamEnd end) noexcept {
    EXPECT_EQ(reader, kReader);
    EXPECT_FALSE(is_over[side]);
    is_over[side] = true;
    seen[side].end = end;
  }
  std::uint32_t on_close(std::uint32_t reader) noexcept {
    EXPECT_EQ(reader, kReader);
    EXPECT_TRUE(is_over[0] && is_over[1]);
    return reader;
  }

 private:
  void note(std::uint32_t reader, unsigned side) {
    EXPECT_EQ(reader, kReader);
    EXPECT_FALSE(is_over[side]);
  }
  StreamAnswer reply(unsigned side) {
    if (answer == StreamAnswer::more || seen[side].bytes.size() < answer_from)
      return StreamAnswer::more;
    is_over[side] = answer != StreamAnswer::side_unknown;
    if (answer == StreamAnswer::done) is_over = {true, true};
    return answer;
  }

  Timestamp time_;
};

inline StreamLimits stream_limits() {
  return {.streams = 4, .blocks = 256, .limit_bytes = 1 << 20, .reorder_window = kMillisecond};
}

struct SegmentKnobs {
  std::uint8_t flags = kTcpAck;
  std::optional<std::uint32_t> acknowledgment = {};
  std::optional<std::uint32_t> captured = {};  // bytes of the payload, fewer than sent
};

struct StreamRun {
  TableCounters counters;
  StreamReader reader;
  Streams<StreamReader> streams;
  std::array<SeenSide, 2>& seen = reader.seen;
  std::uint32_t stream = kNoStream;
  ClockNs clock = 0;
  bool is_open = false;

  explicit StreamRun(const StreamLimits& limits = stream_limits())
      : streams(limits, counters, reader) {}

  // Side 0's first byte is number 1, side 1's number 1001; or both are unknown.
  void open(const StreamStart& start = {{1, 1001}, {true, true}}) {
    Packet packet;
    stream = streams.open(packet, start);
    is_open = stream != kNoStream;
  }

  // False: the stream was let go.
  bool send(unsigned side, std::uint32_t sequence, std::string_view text,
            const SegmentKnobs& knobs = {}) {
    if (!is_open) return false;
    const Packet packet = segment(side, sequence, text, knobs);
    return is_open = streams.segment(stream, packet);
  }
  bool acknowledge(unsigned by_side, std::uint32_t acknowledgment) {
    return send(by_side, 0, "", {.acknowledgment = acknowledgment});
  }
  bool fin(unsigned side, std::uint32_t sequence, std::string_view text = "") {
    return send(side, sequence, text, {.flags = kTcpAck | kTcpFin});
  }
  bool datagram(unsigned side, std::string_view text) {
    const Packet packet = segment(side, 0, text, {});
    return is_open = streams.datagram(stream, packet);
  }
  void end() {
    if (is_open) {
      EXPECT_EQ(streams.end(stream), kReader);
    }
    is_open = false;
    EXPECT_EQ(streams.used(), 0u);
    EXPECT_EQ(streams.blocks_used(), 0u);
  }

  // Its bytes have the size of what was captured: one too far is found by a sanitizer.
  Packet segment(unsigned side, std::uint32_t sequence, std::string_view text,
                 const SegmentKnobs& knobs) {
    const std::size_t captured = knobs.captured.value_or(text.size());
    auto bytes = std::make_unique<std::uint8_t[]>(captured);
    std::copy_n(text.begin(), captured, bytes.get());
    Packet packet;
    packet.data = bytes.get();
    packet.captured_bytes = static_cast<std::uint32_t>(captured);
    packet.payload_bytes = static_cast<std::uint32_t>(text.size());
    packet.clock = clock;
    packet.timestamp = {clock};
    packet.verdict = Verdict::session;
    packet.direction = static_cast<std::uint8_t>(side);
    packet.key.protocol = kProtocolTcp;
    packet.tcp = {.sequence = sequence,
                  .acknowledgment = knobs.acknowledgment.value_or(0),
                  .flags = static_cast<std::uint8_t>(
                      knobs.acknowledgment ? knobs.flags | kTcpAck : knobs.flags & ~kTcpAck)};
    sent_ = std::move(bytes);
    return packet;
  }

 private:
  std::unique_ptr<std::uint8_t[]> sent_;  // of the last packet only: nothing else may be needed
};

}  // namespace linger::test
