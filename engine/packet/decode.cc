#include "engine/packet/decode.h"

#include "engine/packet/plain.h"
#include "engine/packet/walk.h"

namespace linger {
namespace {

// Packets ahead whose first bytes are asked for (bench/decode_bench.cc).
constexpr std::uint32_t kPrefetchDistance = 64;

using ReadHeader = void (*)(Walk&) noexcept;
constexpr std::array kReaders = {
#define LINGER_HEADER_READER(name) static_cast<ReadHeader>(read_##name),
    LINGER_HEADERS(LINGER_HEADER_READER)
#undef LINGER_HEADER_READER
};

// What decode fills, as it is before the first header is read.
void clear(Packet& packet) noexcept {
  packet.direction = 0;
  packet.flags = 0;
  packet.vlan_count = 0;
  packet.vlan = {};
  packet.mac_offset = Packet::kNoMac;
  packet.ip_offset = 0;
  packet.payload_offset = 0;
  packet.frames = 1;
  packet.payload_bytes = 0;
}

// A packet that belongs to no session has no key.
void clear_session(Packet& packet) noexcept {
  packet.direction = 0;
  packet.payload_offset = 0;
  packet.payload_bytes = 0;
  packet.hash = 0;
  packet.key = FlowKey{};
  packet.tcp = TcpHeader{};
}

// From walk.next on to the verdict.
void follow_headers(Walk& walk) noexcept {
  Packet& packet = walk.packet;
  for (int depth = 0; depth < kHeadersMax && walk.next != Header::done; ++depth) read_next(walk);
  if (walk.next != Header::done) walk.stop(Verdict::too_deep);

  const bool is_valid = packet.verdict == Verdict::session || packet.verdict == Verdict::fragment;
  if (!is_valid) {
    if (!walk.outer) return clear_session(packet);
    packet = *walk.outer;  // a session
  }
  packet.hash = hash_of(packet.key, walk.settings.seed);
}

}  // namespace

void read_next(Walk& walk) noexcept { kReaders[static_cast<std::size_t>(walk.next)](walk); }

void walk_headers(Packet& packet, const DecodeSettings& settings) noexcept {
  clear(packet);
  Walk walk(packet, settings);
  follow_headers(walk);
}

void decode(Packet& packet, const DecodeSettings& settings) noexcept {
  if (!decode_plain(packet, settings)) walk_headers(packet, settings);
}

std::uint32_t decode(Burst& burst, const DecodeSettings& settings) noexcept {
  std::uint32_t fragments = 0;
  const std::uint32_t count = burst.count;
  for (std::uint32_t i = 0; i < std::min(count, kPrefetchDistance); ++i) {
    __builtin_prefetch(burst.packets[i].data);
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    if (i + kPrefetchDistance < count) {
      __builtin_prefetch(burst.packets[i + kPrefetchDistance].data);
    }
    if (decode_plain(burst.packets[i], settings)) continue;
    walk_headers(burst.packets[i], settings);
    if (burst.packets[i].verdict == Verdict::fragment) ++fragments;
  }
  return fragments;
}

void decode_datagram(Packet& packet, bool is_whole, const DecodeSettings& settings) noexcept {
  const FragmentHeader fragment = packet.fragment;
  const FlowKey key = packet.key;
  Walk walk(packet, settings);
  walk.offset = packet.payload_offset;
  walk.claimed_end = walk.offset + packet.payload_bytes;
  walk.ip_version = key.ip_version;
  walk.tunnel = static_cast<Tunnel>(fragment.tunnel);
  walk.tunnel_id = fragment.tunnel_id;
  for (std::size_t i = 0; i < 2; ++i) {
    walk.source.address[i] = key.word(i);
    walk.destination.address[i] = key.word(2 + i);
  }
  walk.enters_first_fragment = !is_whole;
  packet.flags = is_whole ? 0 : kPacketFragment;
  follow_protocol(walk, fragment.protocol);
  follow_headers(walk);
}

void rekey_icmp_error(Packet& packet, const DecodeSettings& settings) noexcept {
  const HashSeed seed = make_hash_seed(0);  // not the table's: the key is the same in every run
  const auto digest = static_cast<std::uint32_t>(hash_of(packet.key, seed));
  const auto [low, high] = std::minmax(
      {static_cast<std::uint16_t>(digest >> 16), static_cast<std::uint16_t>(digest & 0xffff)});
  const std::uint64_t scope = packet.key.scope;

  Walk walk(packet, settings);
  walk.offset = packet.ip_offset;
  walk.enters_first_fragment = true;
  const std::uint8_t flags = packet.flags;
  read_ip(walk);
  walk.next == Header::ipv4 ? read_ipv4(walk) : read_ipv6(walk);
  walk.protocol = walk.ip_version == 4 ? kProtocolIcmp : kProtocolIcmpV6;
  packet.direction = set_key(packet, walk);
  packet.key.port = {low, high};
  packet.key.scope = scope;
  packet.flags = flags & static_cast<std::uint8_t>(~kPacketIcmpError);
  packet.hash = hash_of(packet.key, settings.seed);
}

}  // namespace linger
