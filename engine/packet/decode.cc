#include "engine/packet/decode.h"

#include "engine/packet/checksum.h"
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
  packet.tunnel_depth = 0;
  packet.frames = 1;
  packet.payload_bytes = 0;
}

// A packet that belongs to no session has no key.
void clear_session(Packet& packet) noexcept {
  packet.direction = 0;
  packet.payload_offset = 0;
  packet.tunnel_depth = 0;
  packet.payload_bytes = 0;
  packet.hash = 0;
  packet.key = FlowKey{};
  packet.tcp = TcpHeader{};
}

// Of the innermost session, when all of its bytes are there.
void verify_transport(const Walk& walk) noexcept {
  Packet& packet = walk.packet;
  const auto [begin, end] = walk.transport;
  if (begin == end || end > packet.captured_bytes || (packet.flags & kPacketFragment) != 0) return;
  const std::uint8_t* ip = packet.data + packet.ip_offset;
  const auto version = static_cast<std::uint8_t>(*ip >> 4);
  std::uint8_t protocol = packet.key.protocol;
  if (packet.flags & kPacketIcmpError) protocol = version == 4 ? kProtocolIcmp : kProtocolIcmpV6;
  packet.flags |= verify_segment({ip, version, protocol, packet.data + begin, end - begin});
}

// From walk.next on to the end of the headers; packet: the innermost valid session, or a fragment.
void follow_headers(Walk& walk) noexcept {
  Packet& packet = walk.packet;
  for (int depth = 0; depth < kHeadersMax && walk.next != Header::done; ++depth) read_next(walk);
  if (walk.next != Header::done) walk.stop(Verdict::too_deep);
  const bool is_valid = packet.verdict == Verdict::session || packet.verdict == Verdict::fragment;
  if (!is_valid && walk.outer) packet = *walk.outer;
}

void conclude(const Walk& walk) noexcept {
  Packet& packet = walk.packet;
  if (walk.leaves_untold) packet.flags |= kPacketUntold;
  if (packet.verdict != Verdict::session && packet.verdict != Verdict::fragment)
    return clear_session(packet);
  if (packet.verdict == Verdict::session && walk.settings.verify_checksums) verify_transport(walk);
  packet.hash = hash_of(packet.key, walk.settings.seed);
}

// The walk stands at a fragment whose datagram lies behind its IP header: goes on in there.
void enter_datagram(Walk& walk, std::uint32_t claimed_end) noexcept {
  walk.readable_end = walk.packet.captured_bytes;
  walk.claimed_end = std::max(claimed_end, walk.offset);
  follow_protocol(walk, walk.packet.fragment.protocol);
}

}  // namespace

void read_next(Walk& walk) noexcept { kReaders[static_cast<std::size_t>(walk.next)](walk); }

void walk_headers(Packet& packet, const DecodeSettings& settings) noexcept {
  clear(packet);
  Walk walk(packet, settings);
  follow_headers(walk);
  conclude(walk);
}

DecodeSettings decode_settings_of(const Settings& settings, const HashSeed& seed) {
  DecodeSettings decode;
  decode.seed = seed;
  decode.verify_checksums = settings.checksums;
  decode.tunnel_ports = TunnelPorts(settings);
  for (const std::string& part : settings.sessionKey) {
    decode.key_has_vlan |= part == "vlan";
    decode.key_has_tunnel |= part == "tunnel";
  }
  return decode;
}

TunnelLayers tunnel_layers_of(const Packet& packet, const DecodeSettings& settings) noexcept {
  Packet copy = packet;
  clear(copy);
  Walk walk(copy, settings);
  walk.is_end_known = !packet.was_fragments();  // else every guess is held to what decode() held it
  follow_headers(walk);
  for (int depth = 0; depth < kHeadersMax && copy.verdict == Verdict::fragment; ++depth) {
    enter_datagram(walk, copy.captured_bytes);
    follow_headers(walk);
  }
  TunnelLayers layers{};
  layers.depth = copy.tunnel_depth;
  std::copy_n(walk.layers.begin(), layers.count(), layers.layer.begin());
  return layers;
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

// Walks the frame anew, through the fragments of outer datagrams on the way, for what it knows
// then.
void decode_datagram(Packet& packet, bool is_whole, const DecodeSettings& settings) noexcept {
  const std::uint32_t begin = packet.payload_offset;
  const std::uint32_t end = begin + packet.payload_bytes;
  const std::uint16_t frames = packet.frames;
  clear(packet);
  packet.frames = frames;
  Walk walk(packet, settings);
  walk.claimed_end = UINT32_MAX;  // lengths on the way are those of other fragments
  walk.is_end_known = false;
  follow_headers(walk);
  for (int depth = 0; depth < kHeadersMax && packet.verdict == Verdict::fragment; ++depth) {
    const bool is_there = walk.offset >= begin;
    if (is_there) {
      packet.flags = is_whole ? 0 : kPacketFragment;
      walk.enters_first_fragment = !is_whole;
      walk.is_end_known = is_whole;
    }
    enter_datagram(walk, is_there ? end : UINT32_MAX);
    follow_headers(walk);
    if (is_there) break;
  }
  conclude(walk);
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
  const std::uint8_t protocol = walk.ip_version == 4 ? kProtocolIcmp : kProtocolIcmpV6;
  packet.direction =
      set_key(packet, walk.source, walk.destination, protocol, walk.ip_version, scope);
  packet.key.port = {low, high};
  packet.flags = flags & static_cast<std::uint8_t>(~kPacketIcmpError);
  packet.hash = hash_of(packet.key, settings.seed);
}

}  // namespace linger
