// What the tests of sources share: compressing, folders of captures, and reading a source to its
// end.
#pragma once

#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <memory>
#include <string>
#include <vector>

#include "engine/source/capture_file_source.h"
#include "tests/source/capture_writer.h"
#include "tests/support/temporary_folder.h"

namespace linger::test {

inline constexpr std::uint64_t kStartNs = 1'704'067'200ULL * 1'000'000'000;  // 2024-01-01

inline ByteList gzip(std::span<const std::uint8_t> bytes) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  ByteList out(deflateBound(&stream, bytes.size()));
  stream.next_in = const_cast<std::uint8_t*>(bytes.data());
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(out.size() - stream.avail_out);
  deflateEnd(&stream);
  return out;
}

inline ByteList zstd(std::span<const std::uint8_t> bytes) {
  ByteList out(ZSTD_compressBound(bytes.size()));
  out.resize(ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), 3));
  return out;
}

inline ByteList joined(const ByteList& first, const ByteList& second) {
  ByteList both = first;
  both.insert(both.end(), second.begin(), second.end());
  return both;
}

// A frame that is recognised by its number.
inline ByteList frame_of(std::uint8_t number, std::size_t bytes = 60) {
  ByteList frame(bytes);
  for (std::size_t i = 0; i < bytes; ++i) frame[i] = static_cast<std::uint8_t>(number + i);
  return frame;
}

class CaptureFolder : public TemporaryFolder {
 public:
  using TemporaryFolder::file;
  // Writes a file and returns its path.
  std::string file(const std::string& name, std::span<const std::uint8_t> bytes) const {
    write_file(file(name), bytes);
    return file(name);
  }
};

// A packet with bytes of its own.
struct SeenPacket {
  Timestamp timestamp;
  ClockNs clock = 0;
  ByteList bytes;
  std::uint32_t wire_bytes = 0;
  std::uint16_t link_type = 0;

  friend bool operator==(const SeenPacket&, const SeenPacket&) = default;
};
using SeenPackets = std::vector<SeenPacket>;

inline SeenPacket seen(const Packet& packet) {
  return {packet.timestamp,
          packet.clock,
          {packet.data, packet.data + packet.captured_bytes},
          packet.wire_bytes,
          packet.link_type};
}

inline SeenPackets read_all(Source& source) {
  SeenPackets packets;
  auto burst = std::make_unique<Burst>();
  while (source.rx(*burst) != RxStatus::end) {
    for (std::uint32_t i = 0; i < burst->count; ++i) packets.push_back(seen(burst->packets[i]));
  }
  return packets;
}

struct ReadCapture {
  SeenPackets packets;
  std::string trouble;
  bool is_capture = false;
};

struct ReadSizes {
  std::size_t block_bytes = std::size_t{256} << 10;
  std::size_t piece_bytes = SIZE_MAX;
};

// Reads a capture held in memory, without a clock.
inline ReadCapture read_capture_once(std::span<const std::uint8_t> bytes, const ReadSizes& sizes,
                                     bool is_ahead) {
  BlockPool pool(sizes.block_bytes);
  ReadAhead ahead(pool);
  auto stream = decompressed(open_memory_stream(bytes, sizes.piece_bytes));
  CaptureReader reader(std::move(*stream), pool, is_ahead ? &ahead : nullptr);
  ReadCapture result;
  std::vector<Packet> packets(kBurstMax);
  CaptureReader::Status status = CaptureReader::Status::full;
  while (status == CaptureReader::Status::full) {
    pool.begin_burst();
    PacketRun run{packets.data(), kBurstMax, 0, INT64_MAX};
    status = reader.read(run);
    for (std::uint32_t i = 0; i < run.count; ++i) result.packets.push_back(seen(packets[i]));
  }
  EXPECT_TRUE(status == CaptureReader::Status::end || status == CaptureReader::Status::damaged);
  result.trouble = reader.trouble();
  result.is_capture = reader.is_capture();
  return result;
}

// By one thread, and with one that decompresses ahead: to the same end.
inline ReadCapture read_capture(std::span<const std::uint8_t> bytes, const ReadSizes& sizes = {}) {
  ReadCapture alone = read_capture_once(bytes, sizes, false);
  const ReadCapture ahead = read_capture_once(bytes, sizes, true);
  EXPECT_EQ(ahead.packets, alone.packets);
  EXPECT_EQ(ahead.trouble, alone.trouble);
  EXPECT_EQ(ahead.is_capture, alone.is_capture);
  return alone;
}

}  // namespace linger::test
