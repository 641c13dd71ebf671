#include "sessiontable/mptcp.h"

#include <algorithm>

#include "engine/packet/mptcp_options.h"

namespace linger {
namespace {

void apply_capable(MptcpSubflow& subflow, const MptcpSignals& signals, unsigned side,
                   bool is_syn) noexcept {
  subflow.version = signals.version;
  if (signals.sender_key != 0) subflow.host[side].key = signals.sender_key;
  if (signals.receiver_key != 0) subflow.host[side ^ 1].key = signals.receiver_key;
  for (MptcpHost& host : subflow.host) host.version = signals.version;
  if (!is_syn) {
    subflow.role = MptcpRole::initial;
  } else if (subflow.role != MptcpRole::initial) {
    subflow.role = MptcpRole::offered;
  }
}

void apply_join(MptcpSubflow& subflow, const MptcpSignals& signals, unsigned side,
                bool is_handshake) noexcept {
  subflow.role = MptcpRole::join;
  if (signals.receiver_token != 0) subflow.host[side ^ 1].token = signals.receiver_token;
  if (!is_handshake) return;  // the third segment has neither
  subflow.address_id[side] = signals.address_id;
  subflow.backup[side] = signals.backup;
}

// False: there is no room for it.
bool add_address(MptcpSubflow& subflow, MptcpAddress announced, unsigned side) noexcept {
  announced.side = side & 1;
  const auto* end = subflow.addresses.begin() + subflow.address_count;
  const bool is_known =
      std::any_of(subflow.addresses.cbegin(), end, [&](const MptcpAddress& known) {
        return known.id == announced.id && known.side == announced.side &&
               known.port == announced.port && known.address.bytes == announced.address.bytes;
      });
  if (is_known) return true;
  if (subflow.address_count == kMptcpAddressesMax) return false;
  subflow.addresses[subflow.address_count++] = announced;
  return true;
}

}  // namespace

std::uint32_t apply_mptcp(MptcpSubflow& subflow, const Packet& packet) noexcept {
  const TcpHeader& tcp = packet.tcp;
  const unsigned side = packet.direction;
  const bool is_handshake = (tcp.flags & kTcpSyn) != 0;
  const MptcpSignals signals =
      read_mptcp_options(packet.data + packet.payload_offset - tcp.mptcp_bytes, tcp.mptcp_bytes);
  if (signals.has(kMptcpCapable))
    apply_capable(subflow, signals, side, (tcp.flags & (kTcpSyn | kTcpAck)) == kTcpSyn);
  if (signals.has(kMptcpJoin)) apply_join(subflow, signals, side, is_handshake);
  if (signals.has(kMptcpPriority)) subflow.backup[side] = signals.backup;
  if (signals.has(kMptcpDss)) subflow.data_fin[side] = true;
  if (signals.has(kMptcpFastclose)) subflow.fastclose[side] = true;
  if (signals.has(kMptcpReset)) subflow.reset[side] = true;
  if (signals.has(kMptcpFail)) subflow.fail[side] = true;
  subflow.removed[side] |= signals.removed;
  std::uint32_t dropped = 0;
  for (std::size_t i = 0; i < signals.address_count; ++i)
    dropped += add_address(subflow, signals.addresses[i], side) ? 0 : 1;
  return dropped;
}

}  // namespace linger
