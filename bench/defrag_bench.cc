// What fragments cost until they are datagrams, beside the one copy that nobody can avoid in the
// same run: their bytes into one piece.
//
// A fragment comes decoded (see decode_bench) and is added; a whole datagram is decoded again and
// put out. Units are fragments. Datagrams come `at_once`: the first piece of each, then the second
// of each, so many are open at a time; the bad days are 64 KiB in pieces of 8 bytes in wrong order,
// and a flood of first pieces that nothing follows, each of which pushes out the oldest.
#include <cstring>

#include "bench/measure.h"
#include "engine/packet/defrag.h"
#include "tests/support/fragments.h"

namespace linger::bench {
namespace {

class Sink final : public DefragSink {
 public:
  std::uint64_t frames = 0;
  std::uint64_t whole = 0;

  void on_packet(const Packet& packet) noexcept override {
    frames += packet.frames;
    whole += (packet.flags & kPacketFragment) == 0 && packet.frames > 1;
  }
  bool on_full(const Packet&) noexcept override { return false; }
};

struct Shape {
  std::size_t datagram_bytes;
  std::size_t piece_bytes;
  std::uint32_t at_once;
  unsigned version = 4;
  bool is_backwards = false;
  bool is_flood = false;  // only first pieces
};

// Fragments, decoded, in the order in which they come: at least a burst, as less is not measured
// well.
struct Stock {
  test::Frames frames;
  std::vector<Packet> packets;
  std::size_t datagrams = 0;  // whole ones

  Stock(const Shape& shape, const DecodeSettings& settings) {
    while (frames.size() < kBurstMax) add_datagrams(shape);
    for (const test::Frame& frame : frames) {
      Packet packet = test::packet_of(frame);
      decode(packet, settings);
      CHECK(packet.verdict == Verdict::fragment);
      packets.push_back(packet);
    }
  }

 private:
  void add_datagrams(const Shape& shape) {
    std::vector<test::Frames> cut;
    for (std::uint32_t i = 0; i < shape.at_once; ++i) {
      const auto ethernet = test::PacketBuilder().ethernet();
      auto ip = shape.version == 4 ? test::PacketBuilder(ethernet).ip("192.0.2.1", "198.51.100.2")
                                   : test::PacketBuilder(ethernet).ip("2001:db8::1", "2001:db8::2");
      const test::Frame whole =
          ip.udp(1, 2).payload(std::string(shape.datagram_bytes - 8, 'x')).frame();
      cut.push_back(test::fragments_of(whole, shape.piece_bytes,
                                       static_cast<std::uint32_t>(datagrams + i + 1)));
    }
    const std::size_t pieces = shape.is_flood ? 1 : cut[0].size();
    for (std::size_t i = 0; i < pieces; ++i)
      for (const test::Frames& datagram : cut)
        frames.push_back(datagram[shape.is_backwards ? pieces - 1 - i : i]);
    datagrams += cut.size();
  }
};

void defrag(benchmark::State& state, const Shape& shape) {
  const Settings settings;
  const DecodeSettings decode_settings = decode_settings_of(settings, make_hash_seed(1));
  DefragCounters counters;
  Sink sink;
  Defrag defrag(settings, decode_settings, counters, sink);
  const Stock stock(shape, decode_settings);
  std::vector<std::uint8_t> copied(std::size_t{1} << 16);
  Timing ours, theirs;
  std::uint64_t rounds = 0;
  for (auto _ : state) {
    for (std::size_t done = 0; done < 1 << 16; done += stock.packets.size(), ++rounds) {
      for (std::size_t at = 0; at < stock.packets.size(); at += kBurstMax) {
        const std::size_t end = std::min(at + kBurstMax, stock.packets.size());
        const auto count = static_cast<double>(end - at);
        ours.part(count, [&] {
          defrag.begin_burst();
          for (std::size_t i = at; i < end; ++i) defrag.add(stock.packets[i]);
        });
        theirs.part(count, [&] {
          for (std::size_t i = at; i < end; ++i) {
            const Packet& packet = stock.packets[i];
            std::memcpy(copied.data() + packet.fragment.offset, packet.data + packet.payload_offset,
                        packet.fragment.captured_bytes);
          }
          benchmark::ClobberMemory();
        });
      }
    }
    state.SetIterationTime(ours.piece());
    theirs.piece();
  }
  if (!shape.is_flood) CHECK(sink.whole == rounds * stock.datagrams);
  CHECK(sink.frames <= counters.fragments.value());
  report(state, ours, theirs);
}

void pieces(benchmark::internal::Benchmark* b) {
  b->Iterations(20)->UseManualTime()->Unit(benchmark::kMillisecond);
}
BENCHMARK_CAPTURE(defrag, two_of_1500, Shape{2'000, 1'480, 1})->Apply(pieces);
BENCHMARK_CAPTURE(defrag, two_of_1500_ipv6, Shape{2'000, 1'448, 1, 6})->Apply(pieces);
BENCHMARK_CAPTURE(defrag, two_of_1500_backwards, Shape{2'000, 1'480, 1, 4, true})->Apply(pieces);
BENCHMARK_CAPTURE(defrag, two_of_1500_1000_at_once, Shape{2'000, 1'480, 1'000})->Apply(pieces);
BENCHMARK_CAPTURE(defrag, nfs_32_KiB, Shape{32'768, 1'480, 8})->Apply(pieces);
BENCHMARK_CAPTURE(defrag, eight_bytes_backwards, Shape{65'504, 8, 1, 4, true})->Apply(pieces);
BENCHMARK_CAPTURE(defrag, flood, Shape{2'000, 1'480, 32'768, 4, false, true})->Apply(pieces);

}  // namespace
}  // namespace linger::bench

BENCHMARK_MAIN();
