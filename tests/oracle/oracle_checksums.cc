// Wrong checksums for the oracle: ARCHITECTURE ("A session in memory") read aloud.
#include "tests/oracle/model.h"

namespace linger::test {

bool is_nonsense(const Packet& packet) {
  const std::uint8_t flags = packet.tcp.flags;
  return packet.key.protocol == kProtocolTcp && (flags & kTcpSyn) != 0 &&
         (flags & (kTcpFin | kTcpRst)) != 0 &&
         (packet.flags & (kPacketBadChecksum | kPacketCut)) != 0;
}

bool is_doubtful(const ModelSession& s, const Packet& packet) {
  return (packet.flags & kPacketBadChecksum) != 0 && !s.side[packet.direction].is_offloaded;
}

bool is_damaged(const ModelSession& s, const Packet& packet) {
  if (is_nonsense(packet)) return true;
  const ModelSide& side = s.side[packet.direction];
  const std::uint64_t right = side.packets - side.bad_checksums;
  return is_doubtful(s, packet) && right >= 8 * (side.bad_checksums + packet.frames);
}

}  // namespace linger::test
