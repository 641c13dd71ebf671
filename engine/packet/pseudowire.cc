// Frames in MPLS and in L2TPv3. What kind they are, and what stands before them, the ends agreed on
// elsewhere; a packet inside that fits to the byte shows it.
#include "engine/packet/walk.h"

namespace linger {
namespace {

// An IP packet of exactly the length that is left stands so many bytes further on; behind it may be
// a short frame's padding, or a check sequence.
bool is_whole_ip(const Walk& walk, std::uint32_t skipped, std::uint16_t ethertype) noexcept {
  constexpr std::uint32_t kIpv4Bytes = 20, kIpv6Bytes = 40, kPaddedTo = 46, kCheckBytes = 4;
  if (walk.readable() < skipped + kIpv4Bytes) return false;
  const std::uint8_t* header = walk.position() + skipped;
  const std::uint32_t room = walk.claimed() - skipped;
  const bool is_ipv4 = ethertype == kEthertypeIpv4 && header[0] >> 4 == 4;
  const bool is_ipv6 = ethertype == kEthertypeIpv6 && header[0] >> 4 == 6;
  if (!is_ipv4 && !is_ipv6) return false;
  if (!walk.is_end_known) return true;
  const std::uint32_t bytes = is_ipv4 ? load_be16(header + 2) : load_be16(header + 4) + kIpv6Bytes;
  const bool is_padded = bytes < room && room <= kPaddedTo;
  return bytes >= kIpv4Bytes && (bytes == room || bytes + kCheckBytes == room || is_padded);
}

struct Frame {
  Header kind = Header::done;
  std::uint32_t begin = 0;  // from where the walk stands
};

Frame ip_at(const Walk& walk, std::uint32_t begin, std::uint16_t ethertype) noexcept {
  return is_whole_ip(walk, begin, ethertype) ? Frame{Header::ip, begin} : Frame{};
}

// PPP names IP otherwise.
std::uint16_t ethertype_of(std::uint16_t ppp_protocol) noexcept {
  return ppp_protocol == 0x0021 ? kEthertypeIpv4 : ppp_protocol == 0x0057 ? kEthertypeIpv6 : 0;
}

Frame ethernet_at(const Walk& walk, std::uint32_t begin) noexcept {
  constexpr std::uint32_t kAddresses = 12, kType = 2, kTag = 4, kTagsMax = 2, kPppoe = 8;
  constexpr std::uint16_t kPppoeSession = 0x8864;
  std::uint32_t type_at = begin + kAddresses;
  for (std::uint32_t i = 0; i <= kTagsMax; ++i, type_at += kTag) {
    if (walk.readable() < type_at + kType) return {};
    std::uint16_t type = load_be16(walk.position() + type_at);
    if (type == kEthertypeVlan || type == kEthertypeServiceVlan) continue;
    std::uint32_t ip = type_at + kType;
    if (type == kPppoeSession && walk.readable() >= ip + kPppoe) {  // RFC 2516 §4
      ip += kPppoe;
      type = ethertype_of(load_be16(walk.position() + ip - 2));
    }
    return is_whole_ip(walk, ip, type) ? Frame{Header::ethernet, begin} : Frame{};
  }
  return {};
}

// IP in Ethernet, in Cisco HDLC, in PPP with and without address and control.
Frame frame_at(const Walk& walk, std::uint32_t begin) noexcept {
  const Frame frame = ethernet_at(walk, begin);
  if (frame.kind != Header::done) return frame;
  if (walk.readable() < begin + 4) return {};
  const std::uint32_t word = load_be32(walk.position() + begin);
  if (word == 0x0f000800 || word == 0xff030021) return ip_at(walk, begin + 4, kEthertypeIpv4);
  if (word == 0x0f0086dd || word == 0xff030057) return ip_at(walk, begin + 4, kEthertypeIpv6);
  if (word >> 16 == 0x0021) return ip_at(walk, begin + 2, kEthertypeIpv4);
  if (word >> 16 == 0x0057) return ip_at(walk, begin + 2, kEthertypeIpv6);
  return {};
}

// The first one, behind so many bytes at most, in steps of four.
bool follow_frame(Walk& walk, std::uint32_t bytes_max) noexcept {
  for (std::uint32_t begin = 0; begin <= bytes_max; begin += 4) {
    const Frame frame = frame_at(walk, begin);
    if (frame.kind == Header::done) continue;
    walk.offset += frame.begin;
    walk.next = frame.kind;
    return true;
  }
  return false;
}

}  // namespace

// IP shows by its version (RFC 4928 §3), a control word by a zero (RFC 4385 §3), anything else is a
// bare frame; so may be what begins like one of the former, if its addresses do.
void follow_label_stack(Walk& walk, bool is_in_ip) noexcept {
  constexpr std::uint32_t kControlWord = 4;
  if (!walk.has(1)) return;
  const std::uint8_t version = u8<0>(walk.peek<1>()) >> 4;
  if (follow_frame(walk, version == 0 ? kControlWord : 0)) return;
  if (is_in_ip) return follow_whole_ip(walk);
  if (version == 4 || version == 6) return read_ip(walk);
  if (version != 0 || walk.skip(kControlWord)) walk.next = Header::ethernet;
}

// RFC 3931 §4.1: session id, cookie (0, 4 or 8 bytes), sublayer (0 or 4); then the frame.
void read_l2tp_v3(Walk& walk) noexcept {
  constexpr std::uint32_t kBytesMax = 8 + 4;
  if (!walk.has(4)) return;
  const std::uint32_t session_id = be32<0>(walk.take<4>());
  const bool is_control = session_id == 0;
  if (is_control || !follow_frame(walk, kBytesMax)) return walk.stop(Verdict::not_ip);
  walk.identify_layer(TunnelKind::l2tp_v3, session_id);
}

}  // namespace linger
