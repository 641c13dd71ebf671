// What a session's packets are wrapped in between the link and their own IP header: the layers of
// the record's `tunnel` array, outermost first.
//
// A layer's addresses are those of the IP packet that carries it, none (ip_version 0) when it lies
// below IP. Limit: kTunnelLayersMax are told; `depth` counts all of them. Trivially copyable, no
// padding: compared as bytes.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "engine/base/flow_key.h"

namespace linger {

// Kinds of tunnels: X(name, word, is the id the same in both directions, what the id is)
#define LINGER_TUNNELS(X)                                                       \
  X(none, "none", false, "")                                                    \
  X(ip, "ip", false, "no id: IP in IP, in any pair of versions")                \
  X(ether_ip, "etherip", false, "no id: a frame in IP")                         \
  X(gre, "gre", true, "key")                                                    \
  X(nvgre, "nvgre", true, "virtual subnet id")                                  \
  X(pptp, "pptp", false, "call id")                                             \
  X(erspan, "erspan", false, "session id")                                      \
  X(vxlan, "vxlan", true, "VNI")                                                \
  X(vxlan_gpe, "vxlan-gpe", true, "VNI")                                        \
  X(geneve, "geneve", true, "VNI")                                              \
  X(gtp, "gtp", false, "TEID; version 0: flow label")                           \
  X(teredo, "teredo", false, "no id")                                           \
  X(l2tp, "l2tp", false, "tunnel id and session id, 16 bits each")              \
  X(mpls, "mpls", false, "label at the bottom of the stack")                    \
  X(service, "pbb", true, "I-SID of IEEE 802.1ah")                              \
  X(pppoe, "pppoe", true, "session id")                                         \
  X(nsh, "nsh", false, "service path id")                                       \
  X(capwap, "capwap", false, "no id: data between access point and controller") \
  X(ayiya, "ayiya", false, "no id")                                             \
  X(eoip, "eoip", true, "tunnel id of MikroTik's Ethernet over IP")             \
  X(l2tp_v3, "l2tpv3", false, "session id")                                     \
  X(lisp, "lisp", true, "instance id")                                          \
  X(pim, "pim", false, "no id: a PIM register")                                 \
  X(trill, "trill", false, "nicknames of egress and ingress, 16 bits each")     \
  X(tzsp, "tzsp", false, "no id: what a sniffer sends on")                      \
  X(gue, "gue", false, "no id")

enum class TunnelKind : std::uint8_t {
#define LINGER_TUNNEL_ENUM(name, word, is_symmetric, id) name,
  LINGER_TUNNELS(LINGER_TUNNEL_ENUM)
#undef LINGER_TUNNEL_ENUM
};
#define LINGER_TUNNEL_WORD(name, word, is_symmetric, id) std::string_view{word},
inline constexpr std::array kTunnelWords = {LINGER_TUNNELS(LINGER_TUNNEL_WORD)};
#undef LINGER_TUNNEL_WORD

// Ids that differ by direction cannot separate sessions (sessionKey: tunnel).
constexpr bool has_symmetric_id(TunnelKind kind) noexcept {
#define LINGER_TUNNEL_SYMMETRIC(name, word, is_symmetric, id) is_symmetric,
  constexpr bool kSymmetric[] = {LINGER_TUNNELS(LINGER_TUNNEL_SYMMETRIC)};
#undef LINGER_TUNNEL_SYMMETRIC
  return kSymmetric[static_cast<std::size_t>(kind)];
}

struct TunnelLayer {
  std::array<IpAddress, 2> address;  // the packet's source, destination; in a session: of its sides
  std::uint32_t id;
  TunnelKind kind;
  std::uint8_t ip_version;
  bool has_id;
  std::uint8_t zero;
};
static_assert(sizeof(TunnelLayer) == 40);

inline constexpr std::size_t kTunnelLayersMax = 4;

struct TunnelLayers {
  std::array<TunnelLayer, kTunnelLayersMax> layer;
  std::uint32_t depth;

  std::size_t count() const noexcept { return depth < kTunnelLayersMax ? depth : kTunnelLayersMax; }
  void reverse() noexcept {
    for (std::size_t i = 0; i < count(); ++i) std::swap(layer[i].address[0], layer[i].address[1]);
  }
  friend bool operator==(const TunnelLayers& a, const TunnelLayers& b) noexcept {
    return a.depth == b.depth &&
           std::memcmp(&a.layer, &b.layer, a.count() * sizeof(TunnelLayer)) == 0;
  }
};
static_assert(sizeof(TunnelLayers) == 164);

}  // namespace linger
