// L2 to L4: from a frame's bytes to the key of its session, or of the datagram that it is a
// fragment of. No state: every packet stands for itself; defrag.h puts datagrams together.
//
// Never reads past captured_bytes; lengths that the packet claims are only compared. Depth is
// bounded (kHeadersMax). Thread: any. Cost: one pass over the headers, no allocation.
#pragma once

#include "engine/base/tunnel.h"
#include "engine/packet/packet.h"
#include "engine/packet/tunnel_ports.h"

namespace linger {

inline constexpr int kHeadersMax = 16;  // headers followed in one frame, link layer to transport

struct DecodeSettings {
  bool key_has_vlan = false;    // sessionKey: vlan
  bool key_has_tunnel = false;  // sessionKey: tunnel
  bool verify_checksums = false;
  HashSeed seed;
  TunnelPorts tunnel_ports;
};

// As the settings ask.
DecodeSettings decode_settings_of(const Settings& settings, const HashSeed& seed);

// Fills verdict … icmp of every packet of the burst. Returns how many are fragments.
std::uint32_t decode(Burst& burst, const DecodeSettings& settings) noexcept;
void decode(Packet& packet, const DecodeSettings& settings) noexcept;

// The same for a datagram put together from fragments, or (is_whole is false) its beginning. The
// packet is that of one fragment as decode() left it, with other data: as far as payload_offset the
// frame, from there on payload_bytes of the datagram, captured as far as captured_bytes. A whole
// datagram may hold a fragment of another one.
void decode_datagram(Packet& packet, bool is_whole, const DecodeSettings& settings) noexcept;

// The tunnels around a decoded packet's session, as its sender addressed them; reads the headers
// once more, so that only who opens a session pays for them.
TunnelLayers tunnel_layers_of(const Packet& packet, const DecodeSettings& settings) noexcept;

// An ICMP error whose quoted session is nowhere to be found opens one of its own: ICMP between the
// hosts of the packet that carries the quote, told apart by the quoted key, so that it lives in the
// shard that looked for that session.
void rekey_icmp_error(Packet& packet, const DecodeSettings& settings) noexcept;

}  // namespace linger
