// Any frames one after the other: defrag must stay inside them, put out every frame and byte once,
// and hold its limits. Each frame of the input has three bytes before it: its length (two, modulo
// 2,048) and what happens before it: time passes (the low bits: seconds), or the input ends.
#include <algorithm>
#include <memory>

#include "engine/base/bytes.h"
#include "engine/base/check.h"
#include "engine/packet/defrag.h"

namespace {

using linger::Packet;

struct Sum {
  std::uint64_t frames = 0;
  std::uint64_t bytes = 0;
};

class Sink final : public linger::DefragSink {
 public:
  Sum told;

  void on_packet(const Packet& packet) noexcept override {
    CHECK(packet.frames != 0);
    CHECK(packet.clock >= clock_);
    clock_ = packet.clock;
    told.frames += packet.frames;
    told.bytes += packet.wire_bytes;
    if (packet.verdict != linger::Verdict::session) return;
    CHECK(packet.payload_offset <= packet.captured_bytes);
    CHECK(packet.captured_bytes <= packet.wire_bytes);
    // Every byte can be read.
    const auto* end = packet.data + packet.captured_bytes;
    const auto sum = std::count(packet.data, end, std::uint8_t{0});
    CHECK(sum >= 0);
  }
  bool on_full(const linger::Packet&) noexcept override { return false; }

 private:
  linger::ClockNs clock_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kPrefix = 3;
  linger::Settings settings;
  settings.maxFrags = 100;
  linger::DecodeSettings decode_settings;
  decode_settings.seed = linger::make_hash_seed(1);
  linger::DefragCounters counters;
  Sink sink;
  linger::Defrag defrag(settings, decode_settings, counters, sink);
  Sum seen;
  linger::ClockNs clock = 0;
  while (size >= kPrefix) {
    const std::size_t wanted = linger::load_le16(data) % 2'048;
    const std::uint8_t before = data[2];
    const std::size_t bytes = std::min(wanted, size - kPrefix);
    // A copy of its own size: one byte too far is found.
    const auto frame = std::make_unique<std::uint8_t[]>(bytes);
    std::copy(data + kPrefix, data + kPrefix + bytes, frame.get());
    data += kPrefix + bytes;
    size -= kPrefix + bytes;

    clock += (before & 0x1f) * linger::kSecond;
    defrag.expire(clock);
    if ((before & 0xe0) == 0xe0) defrag.finish(clock);
    Packet packet;
    packet.data = frame.get();
    packet.clock = clock;
    packet.captured_bytes = static_cast<std::uint32_t>(bytes);
    packet.wire_bytes = packet.captured_bytes + ((before & 0x20) != 0 ? 700U : 0U);
    packet.link_type = (before & 0x40) != 0 ? 101 : 1;  // raw IP, Ethernet
    decode(packet, decode_settings);
    if (packet.verdict != linger::Verdict::fragment) continue;
    ++seen.frames;
    seen.bytes += packet.wire_bytes;
    defrag.add(packet);
    defrag.begin_burst();
  }
  defrag.finish(clock);
  CHECK(sink.told.frames == seen.frames && sink.told.bytes == seen.bytes);
  CHECK(counters.fragments.value() == seen.frames);
  return 0;
}
