// What the walk over the headers and the short cut for plain packets share: the key of a session,
// the TCP header, the ports of tunnels. Internal to decode; inline, for both are hot.
#pragma once

#include <bit>
#include <utility>

#include "engine/base/bytes.h"
#include "engine/packet/decode.h"

namespace linger {

// One end of a packet: the address as two words in memory order (IPv4: the first four bytes), and
// the port.
struct PacketEnd {
  std::uint64_t address[2] = {0, 0};
  std::uint16_t port = 0;
};

inline bool is_after(const PacketEnd& a, const PacketEnd& b) noexcept {
  for (std::size_t i = 0; i < 2; ++i) {
    if (a.address[i] != b.address[i]) {
      return __builtin_bswap64(a.address[i]) > __builtin_bswap64(b.address[i]);
    }
  }
  return a.port > b.port;
}

// Fills packet.key with the canonical key of what goes from source to destination; returns its
// direction.
inline std::uint8_t set_key(Packet& packet, const PacketEnd& source, const PacketEnd& destination,
                            std::uint8_t protocol, std::uint8_t ip_version,
                            std::uint64_t scope) noexcept {
  const std::uint8_t direction = is_after(source, destination) ? 1 : 0;
  // Exchanged without a jump: which side sends cannot be foretold.
  const auto in_order = [turn = ~std::uint64_t{direction} + 1](std::uint64_t a, std::uint64_t b) {
    const std::uint64_t difference = (a ^ b) & turn;
    return std::pair{a ^ difference, b ^ difference};
  };
  for (std::size_t i = 0; i < 2; ++i) {
    const auto [low, high] = in_order(source.address[i], destination.address[i]);
    packet.key.set_word(i, low);
    packet.key.set_word(i + 2, high);
  }
  const std::uint32_t ports = source.port | std::uint32_t{destination.port} << 16;
  const std::uint64_t kind = protocol | static_cast<std::uint64_t>(ip_version) << 8;
  packet.key.set_word(4, std::rotl(ports, 16 * direction) | kind << 32);
  packet.key.set_word(5, scope);
  return direction;
}

// Any options, `bytes` of them.
void read_tcp_options(TcpHeader& tcp, const std::uint8_t* options, std::uint32_t bytes) noexcept;

inline constexpr std::uint32_t kTcpBytesNeeded = 16;  // up to the window

// RFC 9293 §3.1; `readable` bytes of the header are there, at least kTcpBytesNeeded.
inline void read_tcp_header(TcpHeader& tcp, const std::uint8_t* data,
                            std::uint32_t readable) noexcept {
  const Block<kTcpBytesNeeded> header{data};
  tcp = TcpHeader{};
  tcp.sequence = be32<4>(header);
  tcp.acknowledgment = be32<8>(header);
  tcp.flags = u8<13>(header);
  tcp.window = be16<14>(header);
  if (readable <= 20) return;
  constexpr std::uint32_t kNopNopTimestamp = 0x0101080a;
  if (readable == 32 && load_be32(data + 20) == kNopNopTimestamp) {  // most that have options
    tcp.options = kTcpOptionTimestamp;
    tcp.timestamp_value = load_be32(data + 24);
    tcp.timestamp_echo = load_be32(data + 28);
    return;
  }
  read_tcp_options(tcp, data + 20, readable - 20);
}

}  // namespace linger
