// Any segments, or datagrams, of one session, in any order, against the first byte seen of each
// place: what a reader is told has no hole without a gap, no byte twice, and no byte that was not
// the first.
//
// Byte 0: limits; bytes 1 … 4: the first sequence number of both sides. Then eight for each packet:
// what it is and its side, offset (2), payload bytes (2), what its bytes are made of, captured
// share, time and acknowledged bytes.
//
// Bytes are copied and compared in ranges: the fuzzer records each comparison of a loop.
#include <array>
#include <cstring>
#include <memory>
#include <vector>

#include "engine/base/bytes.h"
#include "engine/base/check.h"
#include "sessiontable/streams.h"

namespace {

using linger::StreamAnswer;

// What came first for each place.
class FirstSeen {
 public:
  void see(std::size_t offset, const std::vector<std::uint8_t>& bytes) {
    const std::size_t end = offset + bytes.size();
    if (is_seen_.size() < end) bytes_.resize(end), is_seen_.resize(end, 0);
    for (std::size_t at = offset, next = at; at < end; at = next) {
      next = next_with(is_seen_[at] ^ 1, at, end);
      if (is_seen_[at] != 0) continue;
      std::memcpy(&bytes_[at], &bytes[at - offset], next - at);
      std::memset(&is_seen_[at], 1, next - at);
    }
  }
  bool holds(std::uint64_t offset, std::span<const std::uint8_t> bytes) const {
    const std::uint64_t end = offset + bytes.size();
    return end <= is_seen_.size() && next_with(0, offset, end) == end &&
           std::memcmp(&bytes_[offset], bytes.data(), bytes.size()) == 0;
  }

 private:
  std::size_t next_with(int value, std::size_t at, std::size_t end) const {
    const void* found = std::memchr(&is_seen_[at], value, end - at);
    return found == nullptr
               ? end
               : static_cast<std::size_t>(static_cast<const std::uint8_t*>(found) - &is_seen_[0]);
  }

  std::vector<std::uint8_t> bytes_;
  std::vector<std::uint8_t> is_seen_;  // 0 or 1
};

// The bytes of a segment at any offset, of four kinds.
std::vector<std::uint8_t> payload_of(std::size_t offset, std::size_t bytes, unsigned kind) {
  static const auto patterns = [] {
    std::array<std::vector<std::uint8_t>, 4> all;
    for (std::size_t k = 0; k < all.size(); ++k)
      for (std::size_t i = 0; i < 0x10000 + 0x4000; ++i)
        all[k].push_back(static_cast<std::uint8_t>(i * 7 + k));
    return all;
  }();
  const auto begin = patterns[kind].begin() + static_cast<std::ptrdiff_t>(offset);
  return {begin, begin + static_cast<std::ptrdiff_t>(bytes)};
}

struct Side {
  FirstSeen first_seen;
  std::uint64_t told = 0;
  bool is_over = false;
};

struct Reader {
  std::array<Side, 2> sides;
  std::uint64_t done_at = UINT64_MAX;

  void at(std::uint32_t, linger::Timestamp) noexcept {}
  void prefetch(std::uint32_t) noexcept {}
  bool has_news() const noexcept { return false; }
  std::uint32_t on_open(const linger::Packet&, const linger::StreamStart&) noexcept { return 1; }
  StreamAnswer on_data(std::uint32_t, unsigned side, std::span<const std::uint8_t> bytes) noexcept {
    Side& s = sides[side];
    CHECK(!s.is_over && !bytes.empty());
    CHECK(s.first_seen.holds(s.told, bytes));
    s.told += bytes.size();
    return answer(s);
  }
  StreamAnswer on_gap(std::uint32_t, unsigned side, std::uint32_t count) noexcept {
    Side& s = sides[side];
    CHECK(!s.is_over && count != 0);
    s.told += count;
    return answer(s);
  }
  StreamAnswer on_datagram(std::uint32_t, unsigned side, std::span<const std::uint8_t> bytes,
                           std::uint32_t count) noexcept {
    CHECK(!sides[side].is_over && bytes.size() <= count);
    return StreamAnswer::more;
  }
  void on_end(std::uint32_t, unsigned side, linger::StreamEnd) noexcept {
    CHECK(!sides[side].is_over);
    sides[side].is_over = true;
  }
  std::uint32_t on_close(std::uint32_t reader) noexcept { return reader; }

 private:
  StreamAnswer answer(Side& side) noexcept {
    side.is_over = side.told >= done_at;
    return side.is_over ? StreamAnswer::side_done : StreamAnswer::more;
  }
};

struct Run {
  linger::TableCounters counters;
  Reader reader;
  linger::Streams<Reader> streams;
  std::array<std::uint32_t, 2> first_byte;
  std::uint32_t stream;
  bool is_datagrams;
  linger::ClockNs clock = 0;
  std::size_t payload_bytes = 0;  // so far

  Run(std::uint8_t shape, std::uint32_t begin)
      : streams({.streams = 1,
                 .blocks = 1u + (shape & 15) * 8u,
                 .limit_bytes = (shape & 16) != 0 ? 5'000u : 1'000'000u,
                 .reorder_window = linger::kMillisecond},
                counters, reader),
        first_byte{begin, ~begin},
        is_datagrams((shape & 64) != 0) {
    if ((shape & 32) != 0) reader.done_at = 3'000;
    stream = streams.open({}, {first_byte, {true, true}});
  }

  // False: the stream was let go.
  bool packet(const std::uint8_t* record) {
    const std::uint8_t what = record[0];
    const unsigned side = what & 1;
    const std::uint32_t offset = linger::load_le16(record + 1);
    const std::uint32_t claimed = linger::load_le16(record + 3) & 0x3fff;
    const std::uint32_t captured = (record[6] & 15) == 0 ? claimed / 2 : claimed;
    const std::vector<std::uint8_t> payload = payload_of(offset, captured, record[5] & 3U);
    payload_bytes += captured;
    clock += record[7] * linger::kMicrosecond * 8;

    linger::Packet packet;
    packet.data = payload.data();
    packet.captured_bytes = captured;
    packet.payload_bytes = claimed;
    packet.clock = clock;
    packet.direction = static_cast<std::uint8_t>(side);
    packet.key.protocol = linger::kProtocolTcp;
    packet.tcp.sequence = first_byte[side] + offset;
    packet.tcp.flags = static_cast<std::uint8_t>((what & 2) != 0 ? linger::kTcpAck : 0);
    if ((what & 0x1c) == 4) packet.tcp.flags |= linger::kTcpFin;
    if ((what & 0x1c) == 8) packet.tcp.flags |= linger::kTcpRst;
    if ((what & 0x1c) == 12) packet.tcp.flags |= linger::kTcpSyn;
    packet.tcp.acknowledgment = first_byte[side ^ 1] + record[7] * 64u;
    if (is_datagrams) packet.key.protocol = linger::kProtocolUdp;
    if (!is_datagrams && (packet.tcp.flags & linger::kTcpRst) == 0)
      reader.sides[side].first_seen.see(
          offset + ((packet.tcp.flags & linger::kTcpSyn) != 0 ? 1 : 0), payload);
    linger::StreamWork work{&packet, stream, 0};
    streams.work({&work, 1});
    return !work.is_let_go;
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // What a run may cost.
  constexpr std::size_t kHead = 5, kRecord = 8, kPacketsMax = 512, kPayloadMax = 256 << 10;
  if (size < kHead) return 0;
  const auto run = std::make_unique<Run>(data[0], linger::load_be32(data + 1));
  bool is_open = true;
  for (std::size_t at = kHead; is_open && run->payload_bytes < kPayloadMax &&
                               at + kRecord <= std::min(size, kHead + kRecord * kPacketsMax);
       at += kRecord) {
    is_open = run->packet(data + at);
    CHECK(run->streams.blocks_used() <= 2u * linger::HeldPool::kBlocksMax);
  }
  if (is_open) run->streams.end(run->stream);
  CHECK(run->streams.used() == 0 && run->streams.blocks_used() == 0);
  return 0;
}
