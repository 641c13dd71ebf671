// What decode costs per packet, beside what nobody can avoid in the same run: touching each
// packet's first line, and the least parser there is (Ethernet, IPv4 without options, TCP at fixed
// offsets, no check beyond the length).
//
// Packets lie in one buffer one after another, as a capture file has them, 64 bytes apart or with
// their real size; all in cache after the first round but for `memory`, whose buffer is larger than
// any cache and read in random order. The reference is the least parser, in memory the touch.
#include <algorithm>
#include <memory>
#include <random>

#include "bench/measure.h"
#include "engine/packet/decode.h"
#include "tests/support/packet_builder.h"

namespace linger::bench {
namespace {

using test::Frame;
using test::PacketBuilder;

enum class Mix {
  tcp64,
  tcp_timestamps,
  udp,
  ipv6_tcp,
  vlan_tcp,
  options,
  icmp_error,
  vxlan,
  tcp1500
};

Frame make_frame(Mix mix, std::uint16_t port) {
  const char *client = "192.0.2.1", *server = "198.51.100.2";
  const PacketBuilder ethernet = PacketBuilder().ethernet();
  PacketBuilder builder = ethernet;
  const test::TcpFields stamps{.options = {.timestamps = test::TcpOptions::Stamps{1, 2}}};
  switch (mix) {
    case Mix::tcp64:
      return builder.ip(client, server).tcp(port, 80).payload("0123456789").frame();
    case Mix::tcp_timestamps:
      return builder.ip(client, server).tcp(port, 80, stamps).frame();
    case Mix::udp:
      return builder.ip(client, server).udp(port, 53).payload("012345").frame();
    case Mix::ipv6_tcp:
      return builder.ip("2001:db8::1", "2001:db8::2").tcp(port, 80).frame();
    case Mix::vlan_tcp:
      return builder.vlan(7).ip(client, server).tcp(port, 80).frame();
    case Mix::options:
      return builder.ip(client, server)
          .tcp(port, 80,
               {.flags = kTcpSyn,
                .options = {.mss = 1460, .window_scale = 7, .sack_permitted = true}})
          .frame();
    case Mix::icmp_error: {
      const Frame quoted = PacketBuilder().ethernet().ip(client, server).udp(port, 53).frame();
      return builder.ip(server, client).icmp_error(3, 3, quoted).frame();
    }
    case Mix::tcp1500:
      return builder.ip(client, server).tcp(port, 80).payload(std::string(1460, 'x')).frame();
    case Mix::vxlan:
      return builder.ip(client, server)
          .udp(port, 4789)
          .vxlan(7)
          .ethernet()
          .ip("10.0.0.1", "10.0.0.2")
          .tcp(port, 80)
          .frame();
  }
  return {};
}

// Packets in one buffer, and the order to visit them in.
struct Stock {
  std::vector<std::uint8_t> bytes;
  std::vector<Packet> packets;

  Stock(Mix mix, std::size_t count, bool is_shuffled) {
    constexpr std::size_t kLine = 64;
    std::mt19937 random(1);
    Frame frame = make_frame(mix, 1);
    const std::size_t stride = (frame.bytes.size() + kLine - 1) / kLine * kLine;
    bytes.resize((count + 1) * stride);
    const std::size_t misaligned = reinterpret_cast<std::uintptr_t>(bytes.data()) % kLine;
    std::uint8_t* place = bytes.data() + (kLine - misaligned) % kLine;
    for (std::size_t i = 0; i < count; ++i, place += stride) {
      if (i < 4096) frame = make_frame(mix, static_cast<std::uint16_t>(random()));
      std::copy(frame.bytes.begin(), frame.bytes.end(), place);
      packets.push_back(packet_of(frame));
      packets.back().data = place;
    }
    if (is_shuffled) std::shuffle(packets.begin(), packets.end(), random);
  }
};

// Packets of the stock, burst after burst, the way a source fills them.
class Filler {
 public:
  Filler(const Stock& stock, std::size_t first) : packets_(stock.packets), next_(first) {}

  Burst& next() {
    for (std::uint32_t i = 0; i < kBurstMax; ++i) {
      const Packet& from = packets_[next_];
      next_ = next_ + 1 == packets_.size() ? 0 : next_ + 1;
      Packet& packet = burst_->packets[i];
      packet.data = from.data;
      packet.captured_bytes = from.captured_bytes;
      packet.wire_bytes = from.wire_bytes;
      packet.link_type = from.link_type;
    }
    burst_->count = kBurstMax;
    return *burst_;
  }

 private:
  const std::vector<Packet>& packets_;
  std::unique_ptr<Burst> burst_ = std::make_unique<Burst>();
  std::size_t next_;
};

void touch(Burst& burst) {
  std::uint32_t sum = 0;
  for (std::uint32_t i = 0; i < burst.count; ++i) sum += burst.packets[i].data[0];
  benchmark::DoNotOptimize(sum);
}

void parse_least(Burst& burst) {
  for (std::uint32_t i = 0; i < burst.count; ++i) {
    Packet& packet = burst.packets[i];
    packet.verdict = Verdict::not_ip;
    if (packet.captured_bytes < 54) continue;
    const Block<54> header{packet.data};
    if (be16<12>(header) != 0x0800 || u8<14>(header) != 0x45 || u8<23>(header) != 6) continue;
    packet.key.address[0].bytes[0] = u8<26>(header);
    packet.key.port = {be16<34>(header), be16<36>(header)};
    packet.tcp.sequence = be32<38>(header);
    packet.tcp.acknowledgment = be32<42>(header);
    packet.tcp.flags = u8<47>(header);
    packet.hash = (be32<26>(header) ^ be32<30>(header) ^ be32<34>(header)) * 0x9e3779b97f4a7c15;
    packet.verdict = Verdict::session;
  }
}

DecodeSettings bench_settings(bool verifies) {
  Settings settings;
  settings.checksums = verifies;
  return decode_settings_of(settings, make_hash_seed(1));
}

// Decoding the stock, and the reference on packets of TCP in 64 bytes, in turn.
void decode_beside(benchmark::State& state, const Stock& stock, const Stock& plain, bool verifies,
                   void (*reference)(Burst&)) {
  constexpr int kPiece = 256;  // bursts
  const DecodeSettings settings = bench_settings(verifies);
  // In memory both have one stock: half of it apart, neither finds what the other has just read.
  Filler ours_filler(stock, 0), theirs_filler(plain, plain.packets.size() / 2);
  Timing ours, theirs;
  for (auto _ : state) {
    for (int i = 0; i < kPiece; ++i) {
      Burst& burst = ours_filler.next();
      ours.part(kBurstMax, [&] { decode(burst, settings); });
    }
    state.SetIterationTime(ours.piece());
    for (int i = 0; i < kPiece; ++i) {
      Burst& burst = theirs_filler.next();
      theirs.part(kBurstMax, [&] { reference(burst); });
    }
    theirs.piece();
  }
  report(state, ours, theirs);
}

constexpr std::size_t kInCache = 4096;

void decode_in_cache(benchmark::State& state, Mix mix, bool verifies) {
  const Stock stock(mix, kInCache, false), plain(Mix::tcp64, kInCache, false);
  decode_beside(state, stock, plain, verifies, parse_least);
}
void few(benchmark::internal::Benchmark* b) {
  b->Iterations(100)->UseManualTime()->Unit(benchmark::kMillisecond);
}
BENCHMARK_CAPTURE(decode_in_cache, tcp64, Mix::tcp64, true)->Apply(few);
BENCHMARK_CAPTURE(decode_in_cache, tcp_timestamps, Mix::tcp_timestamps, true)->Apply(few);
BENCHMARK_CAPTURE(decode_in_cache, udp, Mix::udp, true)->Apply(few);
BENCHMARK_CAPTURE(decode_in_cache, ipv6_tcp, Mix::ipv6_tcp, true)->Apply(few);
BENCHMARK_CAPTURE(decode_in_cache, vlan_tcp, Mix::vlan_tcp, true)->Apply(few);
BENCHMARK_CAPTURE(decode_in_cache, syn_options, Mix::options, true)->Apply(few);
BENCHMARK_CAPTURE(decode_in_cache, icmp_error, Mix::icmp_error, true)->Apply(few);
BENCHMARK_CAPTURE(decode_in_cache, vxlan, Mix::vxlan, true)->Apply(few);
BENCHMARK_CAPTURE(decode_in_cache, tcp1500, Mix::tcp1500, true)->Apply(few);
// What the checksums cost: the same without them.
BENCHMARK_CAPTURE(decode_in_cache, tcp64_unverified, Mix::tcp64, false)->Apply(few);
BENCHMARK_CAPTURE(decode_in_cache, vxlan_unverified, Mix::vxlan, false)->Apply(few);
BENCHMARK_CAPTURE(decode_in_cache, tcp1500_unverified, Mix::tcp1500, false)->Apply(few);

void decode_in_memory(benchmark::State& state) {
  constexpr std::size_t kInMemory = 2'000'000;  // 128 MB of packets
  const Stock stock(Mix::tcp64, kInMemory, true);
  decode_beside(state, stock, stock, true, touch);
}
BENCHMARK(decode_in_memory)->Apply(few);

}  // namespace
}  // namespace linger::bench

BENCHMARK_MAIN();
