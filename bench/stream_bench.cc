// What it costs to bring the payload of segments into order and to hand it on, beside a copy of the
// same bytes in the same run (ref_ns). The reader counts and looks at no byte, so the figures are
// those of the reassembler alone; ns are for a segment, bytes_per_second is what it would keep up
// with.
//
// Segments come in bursts, each of a random one of the live streams, from a stock larger than the
// caches of a core. `reordered` in a thousand of them come after their successor.
#include <cstring>
#include <random>

#include "bench/measure.h"
#include "sessiontable/streams.h"

namespace linger::bench {
namespace {

struct CountingReader {
  std::uint64_t bytes = 0;
  std::uint64_t gaps = 0;

  void at(std::uint32_t, Timestamp) noexcept {}
  void prefetch(std::uint32_t) noexcept {}
  bool has_news() const noexcept { return false; }
  std::uint32_t on_open(const Packet&, const StreamStart&) noexcept { return 1; }
  StreamAnswer on_data(std::uint32_t, unsigned, std::span<const std::uint8_t> data) noexcept {
    bytes += data.size();
    return StreamAnswer::more;
  }
  StreamAnswer on_gap(std::uint32_t, unsigned, std::uint32_t) noexcept {
    ++gaps;
    return StreamAnswer::more;
  }
  StreamAnswer on_datagram(std::uint32_t, unsigned, std::span<const std::uint8_t>,
                           std::uint32_t) noexcept {
    return StreamAnswer::more;
  }
  std::uint32_t on_close(std::uint32_t reader) noexcept { return reader; }
  void on_end(std::uint32_t, unsigned, StreamEnd) noexcept {}
};

class StreamBench {
 public:
  StreamBench(std::uint32_t streams, std::uint32_t segment_bytes, std::uint32_t reordered)
      : segment_bytes_(segment_bytes),
        reordered_(reordered),
        streams_({.streams = streams,
                  .blocks = streams + 64,
                  .limit_bytes = std::uint64_t{1} << 50,
                  .reorder_window = kMillisecond},
                 counters_, reader_),
        stock_(kStockBytes + segment_bytes, 1),
        copy_(kBurstMax * segment_bytes),
        talks_(streams) {
    streams_.populate();
    for (Talk& talk : talks_) talk.stream = streams_.open(Packet{}, {{0, 0}, {true, true}});
    for (StreamWork& work : work_) work.packet = &packets_[&work - work_.data()];
  }

  void piece(Timing& ours, Timing& reference) {
    for (int burst = 0; burst < kBursts; ++burst) {
      for (std::uint32_t i = 0; i < kBurstMax; ++i) fill(i);
      ours.part(kBurstMax, [&] {
        prefetch();
        streams_.work(work_);
      });
      for (std::uint32_t i = 0; i < kBurstMax; ++i) fill(i);  // others, as cold as those were
      reference.part(kBurstMax, [&] {
        std::uint8_t* to = copy_.data();
        for (const Packet& packet : packets_) {
          std::memcpy(to, packet.data, packet.payload_bytes);
          to += packet.payload_bytes;
        }
        benchmark::ClobberMemory();
      });
      streams_.work(work_);
    }
    ours.piece();
    reference.piece();
  }

  const TableCounters& counters() const { return counters_; }
  const CountingReader& reader() const { return reader_; }

 private:
  static constexpr std::size_t kStockBytes = std::size_t{64} << 20;
  static constexpr int kBursts = 400;

  struct Talk {
    std::uint32_t stream;
    std::uint32_t next = 0;
    std::uint32_t owed = 0;  // bytes from `next` on that were overtaken
  };

  void fill(std::uint32_t i) {
    Talk& talk = talks_[random_() % talks_.size()];
    Packet& packet = packets_[i];
    at_ = at_ + segment_bytes_ <= kStockBytes ? at_ + segment_bytes_ : 0;
    packet.data = stock_.data() + at_;
    packet.captured_bytes = packet.payload_bytes = segment_bytes_;
    packet.verdict = Verdict::session;
    packet.key.protocol = kProtocolTcp;
    packet.tcp.flags = kTcpAck;
    packet.tcp.sequence = talk.next;
    if (talk.owed != 0) {
      talk.next += 2 * segment_bytes_;
      talk.owed = 0;
    } else if (random_() % 1000 < reordered_) {
      packet.tcp.sequence += segment_bytes_;
      talk.owed = segment_bytes_;
    } else {
      talk.next += segment_bytes_;
    }
    work_[i].stream = talk.stream;
  }

  // As the session table does, when it finds the packets' sessions.
  void prefetch() const {
    for (const StreamWork& work : work_) streams_.prefetch(work.stream);
  }

  std::uint32_t segment_bytes_;
  std::uint32_t reordered_;
  TableCounters counters_;
  CountingReader reader_;
  Streams<CountingReader> streams_;
  std::vector<std::uint8_t> stock_;
  std::vector<std::uint8_t> copy_;
  std::vector<Talk> talks_;
  std::array<Packet, kBurstMax> packets_;
  std::array<StreamWork, kBurstMax> work_{};
  std::mt19937_64 random_{1};
  std::size_t at_ = 0;
};

void streams(benchmark::State& state) {
  const auto live = static_cast<std::uint32_t>(state.range(0));
  const auto bytes = static_cast<std::uint32_t>(state.range(1));
  StreamBench bench(live, bytes, static_cast<std::uint32_t>(state.range(2)));
  Timing ours, reference;
  for (auto _ : state) bench.piece(ours, reference);
  report(state, ours, reference);
  state.counters["bytes_per_second"] = bytes * 1e9 / ours.at(0);
  state.counters["held_%"] = 100.0 *
                             static_cast<double>(bench.counters().stream_held_bytes.value()) /
                             static_cast<double>(bench.counters().stream_bytes.value());
  if (bench.reader().gaps != 0) state.SkipWithError("a gap where nothing was lost");
}
BENCHMARK(streams)
    ->ArgNames({"live", "bytes", "reordered"})
    ->ArgsProduct({{100, 100'000}, {64, 1460}, {0, 10}})
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace linger::bench

BENCHMARK_MAIN();
