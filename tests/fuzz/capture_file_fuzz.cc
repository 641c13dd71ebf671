// Any bytes as a capture file: nothing is read out of bounds, packets obey their invariants, and
// the packets are the same for any size of blocks and reads, all at once or up to the time of the
// next one, as files are merged.
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "engine/base/check.h"
#include "engine/source/capture_reader.h"
#include "engine/source/packet_filter.h"

namespace linger {
namespace {

// Compressed input may expand a thousandfold; more packets than this show nothing new.
constexpr std::uint64_t kPacketsMax = 20'000;

struct Digest {
  std::uint64_t packets = 0;
  std::uint64_t hash = 0xcbf2'9ce4'8422'2325;  // FNV-1a
  bool is_damaged = false;
  bool is_compressed = false;

  void add(std::uint64_t value) { hash = (hash ^ value) * 0x100'0000'01b3; }
  friend bool operator==(const Digest&, const Digest&) = default;
};

void add_packet(Digest& digest, const Packet& packet) {
  CHECK(packet.captured_bytes <= packet.wire_bytes);
  CHECK(packet.captured_bytes <= kCaptureRecordBytesMax);
  CHECK(packet.timestamp.value >= 0);
  CHECK(time_parts(packet.timestamp).seconds <= kLastSecond);
  ++digest.packets;
  digest.add(static_cast<std::uint64_t>(packet.timestamp.value));
  digest.add(packet.captured_bytes);
  digest.add(packet.wire_bytes);
  digest.add(packet.link_type);
  for (std::uint32_t i = 0; i < packet.captured_bytes; ++i) digest.add(packet.data[i]);
}

struct Way {
  std::size_t block_bytes;
  std::size_t piece_bytes;
  bool is_merged = false;
};

Digest read(Bytes input, const Way& way, PacketFilter* filter = nullptr) {
  Digest digest;
  BlockPool pool(way.block_bytes);
  auto stream = decompressed(open_memory_stream(input, way.piece_bytes));
  CHECK(stream.has_value());
  digest.is_compressed = (*stream)->is_compressed();
  CaptureReader reader(std::move(*stream), pool);
  std::vector<Packet> packets(kBurstMax);
  using Status = CaptureReader::Status;
  auto status = way.is_merged ? reader.read_head() : Status::full;
  while ((status == Status::full || status == Status::limit) && digest.packets < kPacketsMax) {
    pool.begin_burst();
    const std::int64_t limit = status == Status::limit ? reader.head().value : INT64_MIN;
    PacketRun run{packets.data(), kBurstMax, 0, way.is_merged ? limit : INT64_MAX};
    status = reader.read(run);
    for (std::uint32_t i = 0; i < run.count; ++i) add_packet(digest, packets[i]);
    if (filter != nullptr) CHECK(filter->keep_matching(packets.data(), run.count) <= run.count);
  }
  CHECK(status != Status::again && (way.is_merged || status != Status::limit));
  digest.is_damaged = status == Status::damaged;
  CHECK(digest.is_damaged == !reader.trouble().empty());
  return digest;
}

}  // namespace
}  // namespace linger

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t bytes) {
  const linger::Bytes input{data, bytes};
  linger::PacketFilter filter("ip and (tcp or udp) and portrange 1-1024");
  const linger::Digest whole = linger::read(input, {256 << 10, SIZE_MAX}, &filter);
  for (const linger::Way& way : {linger::Way{100, 7, true}, linger::Way{4096, 1 << 20}}) {
    const linger::Digest again = linger::read(input, way);
    // How much of a damaged compressed block comes out is up to its library.
    CHECK(again == whole || (whole.is_compressed && whole.is_damaged && again.is_damaged));
  }
  return 0;
}
