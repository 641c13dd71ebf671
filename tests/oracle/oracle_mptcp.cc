// MPTCP for the oracle: the options of RFC 8684 §3 and RFC 6824 §3 read aloud, from the frame.
#include <algorithm>

#include "output/mptcp_token.h"
#include "tests/oracle/model.h"

namespace linger::test {
namespace {

struct Option {
  unsigned subtype;
  unsigned flags;
  std::vector<std::uint8_t> bytes;  // all of it

  std::size_t size() const { return bytes.size(); }
  std::uint64_t number(std::size_t at, std::size_t count) const {
    std::uint64_t value = 0;
    for (std::size_t i = at; i < at + count; ++i) value = value << 8 | bytes[i];
    return value;
  }
};

std::vector<Option> options_of(const Packet& packet) {
  const std::uint8_t* ip = packet.data + packet.ip_offset;
  const std::uint8_t* tcp = ip + (packet.key.ip_version == 4 ? (ip[0] & 15) * 4 : 40);
  const auto captured = static_cast<std::size_t>(packet.data + packet.captured_bytes - tcp);
  const std::size_t end = std::min(std::size_t{tcp[12]} / 16 * 4, captured);
  std::vector<Option> options;
  for (std::size_t i = 20; i < end && tcp[i] != 0; i += tcp[i] == 1 ? 1 : tcp[i + 1]) {
    if (tcp[i] == 1) continue;
    if (i + 1 >= end || tcp[i + 1] < 2 || i + tcp[i + 1] > end) break;
    if (tcp[i] == 30 && tcp[i + 1] >= 3)
      options.push_back({tcp[i + 2] / 16u, tcp[i + 2] % 16u, {tcp + i, tcp + i + tcp[i + 1]}});
  }
  return options;
}

// One of several address ids; they count modulo 64.
void remove(MptcpSubflow& said, unsigned side, unsigned id) {
  said.removed[side] |= std::uint64_t{1} << id % 64;
}

bool is_same(const MptcpAddress& a, const MptcpAddress& b) {
  return a.id == b.id && a.side == b.side && a.port == b.port && a.address.bytes == b.address.bytes;
}

// How many found no room.
std::uint32_t announce(MptcpSubflow& said, unsigned side, const Option& option) {
  const bool is_v0 = option.flags == 4 || option.flags == 6;
  if (!is_v0 && (option.flags & 1) != 0) return 0;  // an echo
  const std::size_t value = option.size() - 4 - (is_v0 ? 0 : 8);
  const std::size_t bytes = value >= 16 ? 16 : 4;
  if (option.size() < 8 || (value != bytes && value != bytes + 2)) return 0;
  MptcpAddress address;
  std::copy_n(option.bytes.begin() + 4, bytes, address.address.bytes.begin());
  address.ip_version = bytes == 4 ? 4 : 6;
  address.id = option.bytes[3];
  address.side = static_cast<std::uint8_t>(side);
  if (value != bytes) address.port = static_cast<std::uint16_t>(option.number(4 + bytes, 2));
  for (std::size_t i = 0; i < said.address_count; ++i)
    if (is_same(said.addresses[i], address)) return 0;
  if (said.address_count == 8) return 1;
  said.addresses[said.address_count++] = address;
  return 0;
}

void be_capable(MptcpSubflow& said, unsigned side, const Option& option, bool is_syn) {
  const std::size_t size = option.size();
  if (option.flags > 1 || (size != 4 && size != 12 && size != 20 && size != 22 && size != 24))
    return;
  const MptcpVersion version = option.flags == 0 ? MptcpVersion::v0 : MptcpVersion::v1;
  said.version = said.host[0].version = said.host[1].version = version;
  if (size >= 12) said.host[side].key = option.number(4, 8);
  if (size >= 20) said.host[side ^ 1].key = option.number(12, 8);
  if (!is_syn) said.role = MptcpRole::initial;
  if (is_syn && said.role != MptcpRole::initial) said.role = MptcpRole::offered;
}

void join(MptcpSubflow& said, unsigned side, const Option& option, bool is_handshake) {
  const std::size_t size = option.size();
  if (size != 12 && size != 16 && size != 24) return;
  said.role = MptcpRole::join;
  if (size == 12) said.host[side ^ 1].token = static_cast<std::uint32_t>(option.number(4, 4));
  if (!is_handshake) return;
  said.address_id[side] = option.bytes[3];
  said.backup[side] = (option.flags & 1) != 0;
}

std::uint32_t hear(MptcpSubflow& said, const Packet& packet, const Option& option) {
  const unsigned side = packet.direction;
  const std::uint8_t flags = packet.tcp.flags;
  switch (option.subtype) {
    case 0:
      be_capable(said, side, option, (flags & (kTcpSyn | kTcpAck)) == kTcpSyn);
      return 0;
    case 1:
      join(said, side, option, (flags & kTcpSyn) != 0);
      return 0;
    case 2:  // DATA_FIN
      said.data_fin[side] |= option.size() >= 4 && (option.bytes[3] & 0x10) != 0;
      return 0;
    case 3:
      return announce(said, side, option);
    case 4:
      for (std::size_t i = 3; i < option.size(); ++i) remove(said, side, option.bytes[i]);
      return 0;
    case 5:
      if (option.size() == 3) said.backup[side] = (option.flags & 1) != 0;
      return 0;
    case 6:
      said.fail[side] |= option.size() == 12;
      return 0;
    case 7:
      said.fastclose[side] |= option.size() == 12;
      return 0;
    case 8:
      said.reset[side] |= option.size() >= 4;
      return 0;
    default:
      return 0;
  }
}

}  // namespace

std::uint32_t hear_mptcp(ModelSession& s, const Packet& packet) {
  const bool is_first = s.side[0].packets + s.side[1].packets == packet.frames;
  const bool speaks = is_first && (packet.tcp.options & kTcpOptionMptcp) != 0;
  const bool signals = packet.tcp.mptcp_bytes != 0;  // more than the place of its data
  if (!s.mptcp && (speaks || signals)) s.mptcp = ModelSubflow{.begun = s.last_clock};
  if (!signals) return 0;
  std::uint32_t too_many = 0;
  MptcpSubflow& said = s.mptcp->said;
  for (const Option& option : options_of(packet)) too_many += hear(said, packet, option);
  if (said.known_hosts() == 0) return too_many;
  MptcpTokens tokens;
  for (const MptcpHost& host : said.host)
    if (host.is_known()) s.mptcp->named.try_emplace(tokens.of(host), s.last_clock);
  return too_many;
}

}  // namespace linger::test
