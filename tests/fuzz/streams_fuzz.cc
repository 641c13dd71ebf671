// Any segments, or datagrams, of one session, in any order, against the first byte seen of each
// place: what a reader is told has no hole without a gap, no byte twice, and no byte that was not
// the first.
//
// Byte 0: limits; bytes 1 … 4: the first sequence number of both sides. Then eight for each packet:
// what it is and its side, offset (2), payload bytes (2), what its bytes are made of, captured
// share, time and acknowledged bytes.
#include <array>
#include <memory>
#include <vector>

#include "engine/base/bytes.h"
#include "engine/base/check.h"
#include "sessiontable/streams.h"

namespace {

using linger::StreamAnswer;

struct Side {
  std::vector<int> first_seen;  // -1: nothing
  std::uint64_t told = 0;
  bool is_over = false;
};

struct Reader {
  std::array<Side, 2> sides;
  std::uint64_t done_at = UINT64_MAX;

  void on_packet(std::uint32_t, const linger::Packet&) noexcept {}
  void prefetch(std::uint32_t) noexcept {}
  std::uint32_t on_open(const linger::Packet&, const linger::StreamStart&) noexcept { return 1; }
  StreamAnswer on_data(std::uint32_t, unsigned side, std::span<const std::uint8_t> bytes,
                       std::uint64_t offset) noexcept {
    Side& s = sides[side];
    CHECK(!s.is_over && !bytes.empty() && offset == s.told);
    for (const std::uint8_t byte : bytes) {
      CHECK(s.told < s.first_seen.size() && s.first_seen[s.told] == byte);
      ++s.told;
    }
    return answer(s);
  }
  StreamAnswer on_gap(std::uint32_t, unsigned side, std::uint32_t count,
                      std::uint64_t offset) noexcept {
    Side& s = sides[side];
    CHECK(!s.is_over && count != 0 && offset == s.told);
    s.told += count;
    return answer(s);
  }
  StreamAnswer on_datagram(std::uint32_t, unsigned side, std::span<const std::uint8_t> bytes,
                           std::uint32_t count) noexcept {
    CHECK(!sides[side].is_over && bytes.size() <= count);
    return StreamAnswer::more;
  }
  void on_conflict(std::uint32_t, unsigned side) noexcept { CHECK(!sides[side].is_over); }
  void on_end(std::uint32_t, unsigned side, linger::StreamEnd) noexcept {
    CHECK(!sides[side].is_over);
    sides[side].is_over = true;
  }

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
    std::vector<std::uint8_t> payload(linger::load_le16(record + 3) & 0x3fff);
    for (std::size_t i = 0; i < payload.size(); ++i)
      payload[i] = static_cast<std::uint8_t>((offset + i) * 7 + (record[5] & 3));
    const std::size_t captured = (record[6] & 15) == 0 ? payload.size() / 2 : payload.size();
    payload.resize(captured);
    payload.shrink_to_fit();
    payload_bytes += captured;
    clock += record[7] * linger::kMicrosecond * 8;

    linger::Packet packet;
    packet.data = payload.data();
    packet.captured_bytes = static_cast<std::uint32_t>(captured);
    packet.payload_bytes = linger::load_le16(record + 3) & 0x3fff;
    packet.clock = clock;
    packet.direction = static_cast<std::uint8_t>(side);
    packet.key.protocol = linger::kProtocolTcp;
    packet.tcp.sequence = first_byte[side] + offset;
    packet.tcp.flags = static_cast<std::uint8_t>((what & 2) != 0 ? linger::kTcpAck : 0);
    if ((what & 0x1c) == 4) packet.tcp.flags |= linger::kTcpFin;
    if ((what & 0x1c) == 8) packet.tcp.flags |= linger::kTcpRst;
    if ((what & 0x1c) == 12) packet.tcp.flags |= linger::kTcpSyn;
    packet.tcp.acknowledgment = first_byte[side ^ 1] + record[7] * 64u;
    if (is_datagrams) return streams.datagram(stream, packet);
    if ((packet.tcp.flags & linger::kTcpRst) == 0)
      see(side, offset + ((packet.tcp.flags & linger::kTcpSyn) != 0 ? 1 : 0), payload);
    return streams.segment(stream, packet);
  }

  void see(unsigned side, std::size_t offset, const std::vector<std::uint8_t>& bytes) {
    std::vector<int>& seen = reader.sides[side].first_seen;
    if (seen.size() < offset + bytes.size()) seen.resize(offset + bytes.size(), -1);
    for (std::size_t i = 0; i < bytes.size(); ++i)
      if (seen[offset + i] < 0) seen[offset + i] = bytes[i];
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // What a run may cost: each byte of payload is made, remembered and compared.
  constexpr std::size_t kHead = 5, kRecord = 8, kPacketsMax = 512, kPayloadMax = 48 << 10;
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
