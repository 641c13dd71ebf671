// What one record costs as NDJSON, beside snprintf of the same fields (plain records) or the copy
// of 1,000 bytes (the others), in the same run; and the part of it that the community id takes.
//
// Records lie in a ring of 1,024 with addresses, ports, times and counts of their own. `plain` is a
// TCP session without anomalies, `rich` one with VLAN, late packets, losses and links, `ipv6` UDP.
#include <cinttypes>
#include <cstdio>
#include <random>
#include <vector>

#include "bench/measure.h"
#include "output/community_id.h"
#include "output/ndjson.h"

namespace linger::bench {
namespace {

constexpr std::size_t kRecords = 1'024;

enum class Mix { plain, rich, ipv6 };

Record make_record(Mix mix, std::mt19937& random) {
  const auto below = [&](std::uint32_t limit) {
    return static_cast<std::uint32_t>(random() % limit);
  };
  Record r;
  r.id = {random() * 0x9e37'79b9'7f4a'7c15u, random() * 0x9e37'79b9'7f4a'7c15u};
  r.start = make_timestamp(1'700'000'000 + below(3'000), below(1'000'000'000));
  r.end = {r.start.value + below(2'000'000'000)};
  r.reason = mix == Mix::ipv6 ? Reason::idle : Reason::closed;
  r.ip_version = mix == Mix::ipv6 ? 6 : 4;
  r.protocol = mix == Mix::ipv6 ? 17 : 6;
  for (IpAddress& address : r.address) {
    const std::size_t bytes = mix == Mix::ipv6 ? 16 : 4;
    for (std::size_t i = 0; i < bytes; ++i)
      address.bytes[i] = static_cast<std::uint8_t>(below(256));
  }
  r.port = {static_cast<std::uint16_t>(32'768 + below(28'000)), 443};
  r.mac = {MacAddress{0, 0, 0x5e, 0, 0x53, 1}, MacAddress{0, 0, 0x5e, 0, 0x53, 2}};
  r.packets = {5 + below(20), 4 + below(20)};
  r.bytes = {400 + below(2'000), 400 + below(30'000)};
  r.payload_bytes = {below(1'000), below(20'000)};
  if (mix == Mix::ipv6) return r;
  r.state = ConnState::sf;
  r.history.assign("ShADadFf");
  r.syn = r.syn_ack = 1;
  r.fin = 2;
  r.rtt_syn_ack_ns = below(50'000'000);
  r.rtt_ack_ns = below(1'000'000);
  r.mss = {1'460, 1'460};
  r.window_scale = {7, 8};
  if (mix == Mix::plain) return r;
  r.vlan_id = 100;
  r.rst = 1;
  r.late_packets[1] = r.late_rst[1] = 1;
  r.retransmitted_packets = {1, 2};
  r.retransmitted_bytes = {1'460, 2'920};
  r.reuse_of = r.id;
  return r;
}

std::vector<Record> make_records(Mix mix) {
  std::mt19937 random(1);
  std::vector<Record> records;
  for (std::size_t i = 0; i < kRecords; ++i)
    records.emplace_back(make_record(mix, random)).mark_usual();
  return records;
}

// One round over all records, as a part of a piece.
template <class Work>
void over(Timing& timing, const std::vector<Record>& records, Work&& work) {
  timing.part(kRecords, [&] {
    for (const Record& record : records) {
      work(record);
      benchmark::ClobberMemory();
    }
  });
  timing.piece();
}

using Line = std::vector<char>;

void encode_beside(benchmark::State& state, Mix mix,
                   std::size_t (*reference)(const Record&, Line&)) {
  const auto records = make_records(mix);
  NdjsonEncoder encoder(RunInfo{});
  Line line(NdjsonEncoder::kLineBytesMax), copy(line);
  std::size_t bytes = 0;
  Timing ours, theirs;
  for (auto _ : state) {
    bytes = 0;
    over(ours, records, [&](const Record& r) { bytes += encoder.encode(r, line.data()); });
    over(theirs, records, [&](const Record& r) { reference(r, copy); });
  }
  report(state, ours, theirs);
  state.counters["bytes/record"] = static_cast<double>(bytes) / kRecords;
}

// As many bytes as a record of this mix has, about.
std::size_t copy_bytes(const Record&, Line& line) {
  static const Line from(NdjsonEncoder::kLineBytesMax, 'x');
  constexpr std::size_t kUsual = 1'000;
  std::memcpy(line.data(), from.data(), kUsual);
  return kUsual;
}

// Part of each record: the rest is what formatting costs.
void community_id(benchmark::State& state, Mix mix) {
  const auto records = make_records(mix);
  char out[kCommunityIdBytes];
  CommunityIds ids;
  Line line(NdjsonEncoder::kLineBytesMax);
  Timing ours, theirs;
  for (auto _ : state) {
    over(ours, records, [&](const Record& r) { ids.put(out, r); });
    over(theirs, records, [&](const Record& r) { copy_bytes(r, line); });
  }
  report(state, ours, theirs);
}

// The fields of a plain record the usual way, times and community id already made.
std::size_t print(const Record& r, Line& line) {
  const auto& a = r.address[0].bytes;
  const auto& b = r.address[1].bytes;
  const auto& m = r.mac[0];
  const auto& n = r.mac[1];
  return static_cast<std::size_t>(std::snprintf(
      line.data(), line.size(),
      R"({"@timestamp":"%s","ecs":{"version":"8.17.0"},"event":{"id":"%016)" PRIx64 "%016" PRIx64
      R"(","kind":"event","category":["network"],"type":["connection","end"],"action":"%s",)"
      R"("start":"%s","end":"%s","duration":%)" PRId64 R"(,"reason":"%s","sequence":%u},)"
      R"("network":{"type":"%s","transport":"%s","iana_number":"%u","community_id":"%s",)"
      R"("packets":%)" PRIu64 R"(,"bytes":%)" PRIu64 R"(},"source":{"ip":"%u.%u.%u.%u","port":%u,)"
      R"("mac":"%02X-%02X-%02X-%02X-%02X-%02X","packets":%)" PRIu64 R"(,"bytes":%)" PRIu64
      R"(,"payload_bytes":%)" PRIu64 R"(},"destination":{"ip":"%u.%u.%u.%u","port":%u,)"
      R"("mac":"%02X-%02X-%02X-%02X-%02X-%02X","packets":%)" PRIu64 R"(,"bytes":%)" PRIu64
      R"(,"payload_bytes":%)" PRIu64 R"(},"observer":{"name":"%s"},"tcp":{"state":"%s",)"
      R"("history":"%.*s","flags":{"syn":%u,"syn_ack":%u,"fin":%u},"rtt":{"syn_ack_ns":%)" PRId64
      R"(,"ack_ns":%)" PRId64 R"(},"mss":{"source":%u,"destination":%u},)"
      R"("window_scale":{"source":%u,"destination":%u}}})"
      "\n",
      "2023-11-14T22:13:23.000000999Z", r.id.high, r.id.low, "session-end",
      "2023-11-14T22:13:20.123456789Z", "2023-11-14T22:13:23.000000999Z", r.duration(), "closed",
      r.sequence, "ipv4", "tcp", r.protocol, "1:LQU9qZlK+B5F3KDmev6m5PMibrg=", r.total_packets(),
      r.total_bytes(), a[0], a[1], a[2], a[3], r.port[0], m[0], m[1], m[2], m[3], m[4], m[5],
      r.packets[0], r.bytes[0], r.payload_bytes[0], b[0], b[1], b[2], b[3], r.port[1], n[0], n[1],
      n[2], n[3], n[4], n[5], r.packets[1], r.bytes[1], r.payload_bytes[1], "linger", "SF",
      int{r.history.size}, r.history.chars.data(), r.syn, r.syn_ack, r.fin, r.rtt_syn_ack_ns,
      r.rtt_ack_ns, r.mss[0], r.mss[1], r.window_scale[0], r.window_scale[1]));
}

void encode(benchmark::State& state, Mix mix) {
  encode_beside(state, mix, mix == Mix::plain ? print : copy_bytes);
  if (mix == Mix::plain) state.SetLabel("ns <= 160");
}
BENCHMARK_CAPTURE(encode, plain, Mix::plain);
BENCHMARK_CAPTURE(encode, rich, Mix::rich);
BENCHMARK_CAPTURE(encode, ipv6, Mix::ipv6);
BENCHMARK_CAPTURE(community_id, plain, Mix::plain);
BENCHMARK_CAPTURE(community_id, ipv6, Mix::ipv6);

}  // namespace
}  // namespace linger::bench

BENCHMARK_MAIN();
