#include "bench/traffic.h"

#include <algorithm>

#include "engine/base/check.h"

namespace linger::bench {
namespace {

constexpr std::int64_t kBegin = 1'704'067'200 * kSecond;  // 2024-01-01T00:00:00Z
constexpr std::uint64_t kFirstPort = 1'024, kClientPorts = 65'536 - kFirstPort;
constexpr std::uint16_t kServerPort = 443;
constexpr std::uint64_t kScatter = 11'400'714'819'323'198'549u;  // prime, 2^64 / golden ratio
constexpr unsigned kClient = 0, kServer = 1;

std::uint64_t mix(std::uint64_t x) noexcept {  // a bijection of 64 bits
  x = (x ^ (x >> 32)) * 0xd6e8'feb8'6659'fd93;
  x = (x ^ (x >> 32)) * 0xd6e8'feb8'6659'fd93;
  return x ^ (x >> 32);
}

// Host `number` of a /8 (IPv4) or /32 (IPv6).
IpAddress address_of(bool is_v6, std::uint8_t network, std::uint64_t number) noexcept {
  IpAddress address;
  std::uint8_t* low = address.bytes.data() + (is_v6 ? 12 : 0);
  if (is_v6) address.bytes = {0x20, 0x01, 0x0d, network};
  low[0] = is_v6 ? 0 : network;
  low[1] = static_cast<std::uint8_t>(number >> 16);
  low[2] = static_cast<std::uint8_t>(number >> 8);
  low[3] = static_cast<std::uint8_t>(number);
  return address;
}

}  // namespace

Traffic::Traffic(const TrafficOptions& options)
    : options_(options),
      writer_(options.wrapping),
      random_(options.seed),
      tuples_(kClientPorts * options.clients * options.servers * options.server_ports),
      flood_until_(arrival_of(options.sessions, options.sessions_per_second)),
      frame_(kFrameBytesMax) {
  CHECK(tuples_ != 0 && options.segment_bytes != 0 && options.segment_bytes <= kSegmentBytesMax &&
        options.sessions_per_second > 0);
}

bool Traffic::next(TrafficPacket& packet) {
  const std::int64_t arrival =
      begun_ < options_.sessions ? arrival_of(begun_, options_.sessions_per_second) : INT64_MAX;
  const std::int64_t turn = turns_.empty() ? INT64_MAX : turns_.top().time;
  if (options_.flood_syns_per_second > 0) {
    const std::int64_t flood = arrival_of(truth_.flood_syns, options_.flood_syns_per_second);
    if (flood <= flood_until_ && flood < std::min(arrival, turn)) {
      emit_flood_syn(packet);
      return true;
    }
  }
  if (std::min(arrival, turn) == INT64_MAX) return false;
  if (arrival <= turn) open(tuple_of(begun_++), arrival);

  const auto [time, slot] = turns_.top();
  turns_.pop();
  emit(advance(sessions_[slot]), time, packet);
  end_of_stage(sessions_[slot], time);
  Session& session = sessions_[slot];  // reuse may have moved it
  if (session.stage != Stage::late_rst) {
    turns_.push({time + gap(), slot});
  } else if (session.late_sent < options_.late_after.size()) {
    const DurationNs after = options_.late_after[session.late_sent];
    turns_.push({std::max(time, session.closed_at + after), slot});
  } else {
    free_.push_back(slot);
  }
  return true;
}

void Traffic::open(std::uint64_t tuple, std::int64_t time) {
  std::uint32_t slot = static_cast<std::uint32_t>(sessions_.size());
  if (free_.empty()) {
    sessions_.emplace_back();
  } else {
    slot = free_.back();
    free_.pop_back();
  }
  // RFC 9293 §3.4.1: a clock of 4 µs and a number of the tuple's own.
  const auto clock = static_cast<std::uint32_t>(time / (4 * kMicrosecond));
  const std::uint64_t own = mix(tuple ^ mix(options_.seed));
  Session& session = sessions_[slot];
  session = {};
  session.tuple = tuple;
  session.isn[kClient] = clock + static_cast<std::uint32_t>(own);
  session.isn[kServer] = clock + static_cast<std::uint32_t>(own >> 32);
  session.to_send[kClient] = pick(options_.request_bytes);
  session.to_send[kServer] = pick(options_.response_bytes);
  ++truth_.sessions;
  turns_.push({time, slot});
}

// The segment of this stage; numbers move on, the stage does not.
Segment Traffic::advance(Session& s) {
  Segment segment{.key = key_of(s.tuple)};
  const auto from = [&](unsigned side, std::uint8_t flags, std::uint32_t sequence) {
    segment.direction = side;
    segment.flags = flags;
    segment.sequence = s.isn[side] + sequence;
    const unsigned peer = side ^ 1;
    const bool peer_fin = s.stage == Stage::last_ack || s.stage == Stage::server_fin;
    if (flags & kTcpAck) segment.acknowledgment = s.isn[peer] + 1 + s.sent[peer] + peer_fin;
  };
  const auto data = [&](unsigned side) {
    const std::uint32_t left = s.to_send[side] - s.sent[side];
    segment.payload_bytes = std::min(left, options_.segment_bytes);
    from(side, kTcpAck | kTcpPsh, 1 + s.sent[side]);
    s.sent[side] += segment.payload_bytes;
  };
  switch (s.stage) {
    case Stage::syn:
      from(kClient, kTcpSyn, 0);
      break;
    case Stage::syn_ack:
      from(kServer, kTcpSyn | kTcpAck, 0);
      break;
    case Stage::ack:
    case Stage::response_ack:
      from(kClient, kTcpAck, 1 + s.sent[kClient]);
      break;
    case Stage::request:
      data(kClient);
      break;
    case Stage::response:
      data(kServer);
      break;
    case Stage::client_fin:
      from(kClient, kTcpFin | kTcpAck, 1 + s.sent[kClient]);
      s.fin = 1;
      break;
    case Stage::server_fin:
      from(kServer, kTcpFin | kTcpAck, 1 + s.sent[kServer]);
      break;
    case Stage::last_ack:
      from(kClient, kTcpAck, 2 + s.sent[kClient]);
      break;
    case Stage::rst:
      from(kClient, kTcpRst | kTcpAck, 1 + s.sent[kClient]);
      break;
    case Stage::late_rst:
      from(kClient, kTcpRst, 1 + s.sent[kClient] + s.fin);
      ++s.late_sent;
      ++truth_.late_packets;
      break;
  }
  return segment;
}

// What the session does after the segment it has just sent.
void Traffic::end_of_stage(Session& s, std::int64_t time) {
  const bool has_sent_data = s.stage == Stage::request || s.stage == Stage::response;
  if (has_sent_data && !s.repeats && happens(options_.repeat_share)) {
    const unsigned side = s.stage == Stage::request ? kClient : kServer;
    const std::uint32_t full = options_.segment_bytes;
    s.sent[side] = (s.sent[side] - 1) / full * full;
    s.repeats = true;
    ++truth_.repeated_packets;
    return;
  }
  s.repeats = false;
  const auto left = [&](unsigned side) { return s.sent[side] < s.to_send[side]; };
  const auto after_request = [&] {
    if (left(kServer)) return Stage::response;
    return happens(options_.reset_share) ? Stage::rst : Stage::client_fin;
  };
  switch (s.stage) {
    case Stage::ack:
    case Stage::request:
      s.stage = left(kClient) ? Stage::request : after_request();
      break;
    case Stage::response:
      s.stage = ++s.unacknowledged == 2 || !left(kServer) ? Stage::response_ack : Stage::response;
      break;
    case Stage::response_ack:
      s.unacknowledged = 0;
      s.stage = after_request();
      break;
    case Stage::last_ack:
    case Stage::rst:
      s.stage = Stage::late_rst;
      s.closed_at = time;
      if (happens(options_.reuse_share)) {
        ++truth_.reused;
        open(s.tuple, time + options_.reuse_after);
      }
      break;
    case Stage::late_rst:
      break;
    default:
      s.stage = static_cast<Stage>(static_cast<int>(s.stage) + 1);
  }
}

void Traffic::emit_flood_syn(TrafficPacket& packet) {
  const std::uint64_t ordinal = truth_.flood_syns;
  const std::int64_t time = arrival_of(ordinal, options_.flood_syns_per_second);
  Segment segment;
  segment.key.ip_version = 4;
  segment.key.address = {address_of(false, 100, ordinal * kScatter & 0xff'ffff),
                         address_of(false, 198, options_.servers)};
  segment.key.port = {static_cast<std::uint16_t>(kFirstPort + (ordinal >> 24) % kClientPorts),
                      kServerPort};
  segment.sequence = static_cast<std::uint32_t>(mix(ordinal));
  segment.flags = kTcpSyn;
  segment.is_bare = true;
  ++truth_.flood_syns;
  ++truth_.sessions;
  emit(segment, time, packet);
}

void Traffic::emit(const Segment& segment, std::int64_t time, TrafficPacket& packet) {
  const std::size_t bytes = writer_.write(segment, frame_.data());
  packet = {time, {frame_.data(), bytes}, segment.direction == kServer};
  ++truth_.packets;
  truth_.bytes += bytes;
  truth_.duration = time - kBegin;
}

std::int64_t Traffic::arrival_of(std::uint64_t ordinal, double per_second) const noexcept {
  return kBegin + static_cast<std::int64_t>(static_cast<double>(ordinal) * (1e9 / per_second));
}

// Scattered, so that neighbours in time are none in the address pools; each tuple once a round.
std::uint64_t Traffic::tuple_of(std::uint64_t ordinal) const noexcept {
  return static_cast<std::uint64_t>(static_cast<uint128>(ordinal % tuples_) * kScatter % tuples_);
}

FlowKey Traffic::key_of(std::uint64_t tuple) const noexcept {
  const auto digit = [&](std::uint64_t base) {
    const std::uint64_t rest = tuple % base;
    tuple /= base;
    return rest;
  };
  FlowKey key;
  const bool is_v6 =
      static_cast<double>(mix(tuple) >> 11) < options_.ipv6_share * static_cast<double>(1ull << 53);
  key.protocol = kProtocolTcp;
  key.ip_version = is_v6 ? 6 : 4;
  const std::uint64_t client = digit(options_.clients);
  key.port[kClient] = static_cast<std::uint16_t>(kFirstPort + digit(kClientPorts));
  key.address[kClient] = address_of(is_v6, 10, client);
  key.address[kServer] = address_of(is_v6, 198, digit(options_.servers));
  key.port[kServer] = static_cast<std::uint16_t>(kServerPort + digit(options_.server_ports));
  return key;
}

std::uint32_t Traffic::pick(Range range) {
  const double width = static_cast<double>(range.max - range.min) + 1;
  return range.min + static_cast<std::uint32_t>(width * chance());
}

DurationNs Traffic::gap() {
  return static_cast<DurationNs>(static_cast<double>(options_.packet_gap) * (0.5 + chance()));
}

}  // namespace linger::bench
