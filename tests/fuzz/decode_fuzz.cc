// Any bytes as a frame of any link type: decode must stay inside them and keep its promises. The
// first two bytes choose the link type, the third what the settings add to the key and how much
// longer the frame was on the wire.
#include <memory>

#include "engine/base/check.h"
#include "engine/packet/mptcp_options.h"
#include "engine/packet/walk.h"

namespace {

void check(const linger::Packet& packet, const linger::DecodeSettings& settings) {
  using linger::Verdict;
  CHECK(packet.payload_offset <= packet.captured_bytes);
  CHECK(packet.ip_offset <= packet.captured_bytes);
  CHECK(packet.mac_offset == linger::Packet::kNoMac ||
        packet.mac_offset + 12U <= packet.captured_bytes);
  CHECK(packet.vlan_count <= linger::kVlanDepthMax);
  CHECK(packet.direction <= 1);
  if (packet.verdict == Verdict::fragment) {
    CHECK(packet.payload_offset + packet.fragment.captured_bytes <= packet.captured_bytes);
    CHECK(packet.fragment.captured_bytes <= packet.payload_bytes);
    CHECK(packet.hash == linger::hash_of(packet.key, settings.seed));
    return;
  }
  if (packet.verdict != Verdict::session) {
    CHECK(packet.hash == 0 && packet.key == linger::FlowKey{});
    return;
  }
  CHECK(packet.key.ip_version == 4 || packet.key.ip_version == 6);
  CHECK(packet.ip_offset + 20U <= packet.captured_bytes);
  CHECK(packet.hash == linger::hash_of(packet.key, settings.seed));
  const auto& key = packet.key;
  CHECK(key.address[0].bytes < key.address[1].bytes ||
        (key.address[0].bytes == key.address[1].bytes && key.port[0] <= key.port[1]));
}

// The MPTCP options that decode points at are within the header.
void check_mptcp(const linger::Packet& packet) {
  if (packet.verdict != linger::Verdict::session || packet.key.protocol != linger::kProtocolTcp ||
      packet.tcp.mptcp_bytes == 0)
    return;
  CHECK(packet.tcp.mptcp_bytes <= 40 && packet.tcp.mptcp_bytes <= packet.payload_offset);
  CHECK(packet.payload_offset <= packet.captured_bytes);
  const auto signals = linger::read_mptcp_options(
      packet.data + packet.payload_offset - packet.tcp.mptcp_bytes, packet.tcp.mptcp_bytes);
  CHECK(signals.address_count <= signals.addresses.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  linger::Settings from;
  if ((data[2] & 1) != 0) from.sessionKey.push_back("vlan");
  if ((data[2] & 2) != 0) from.sessionKey.push_back("tunnel");
  const auto settings = decode_settings_of(from, linger::make_hash_seed(1));

  // A copy of its own size: one byte too far is found.
  const std::size_t bytes = size - 3;
  const auto frame = std::make_unique<std::uint8_t[]>(bytes);
  std::copy(data + 3, data + size, frame.get());
  linger::Packet packet;
  packet.data = frame.get();
  packet.captured_bytes = static_cast<std::uint32_t>(bytes);
  packet.wire_bytes = packet.captured_bytes + (data[2] >> 2) * 16U;
  packet.link_type = linger::load_le16(data);

  const auto burst = std::make_unique<linger::Burst>();
  burst->count = 1;
  burst->packets[0] = packet;
  decode(*burst, settings);
  packet = burst->packets[0];
  check(packet, settings);
  check_mptcp(packet);
  linger::Packet walked = packet;
  walk_headers(walked, settings);
  CHECK(walked.key == packet.key && walked.verdict == packet.verdict);
  CHECK(walked.flags == packet.flags && walked.tunnel_depth == packet.tunnel_depth);
  const linger::TunnelLayers layers = tunnel_layers_of(packet, settings);
  CHECK(packet.verdict != linger::Verdict::session || layers.depth == packet.tunnel_depth);
  CHECK(walked.payload_offset == packet.payload_offset && walked.direction == packet.direction);
  if (packet.flags & linger::kPacketIcmpError) {
    rekey_icmp_error(packet, settings);
    check(packet, settings);
  }
  return 0;
}
