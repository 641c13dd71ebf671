#include "bench/frame_writer.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "tests/support/packet_builder.h"

namespace linger::bench {
namespace {

constexpr std::size_t kEthernetBytes = 14, kIpv4Bytes = 20, kIpv6Bytes = 40;

void store16(std::uint8_t* at, std::size_t value) noexcept {
  at[0] = static_cast<std::uint8_t>(value >> 8);
  at[1] = static_cast<std::uint8_t>(value);
}

void store32(std::uint8_t* at, std::uint32_t value) noexcept {
  store16(at, value >> 16);
  store16(at + 2, value);
}

// The internet checksum does not mind byte order (RFC 1071 §2 (B)): words as they lie in memory.
static_assert(std::endian::native == std::endian::little);
std::uint32_t sum_words(const std::uint8_t* bytes, std::size_t count) noexcept {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i + 1 < count; i += 2) {
    std::uint16_t word;
    std::memcpy(&word, bytes + i, sizeof word);
    sum += word;
  }
  return sum;
}

void store_checksum(std::uint8_t* at, std::uint32_t sum) noexcept {
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  const auto checksum = static_cast<std::uint16_t>(~sum);
  std::memcpy(at, &checksum, sizeof checksum);
}

void finish_ipv4(std::uint8_t* ip, std::size_t bytes) noexcept {
  store16(ip + 2, bytes);
  store16(ip + 10, 0);
  store_checksum(ip + 10, sum_words(ip, kIpv4Bytes));
}

}  // namespace

FrameWriter::FrameWriter(Wrapping wrapping) : wrapping_(wrapping) {
  constexpr std::string_view kWords = "linger keeps every session until its last packet came; ";
  for (std::size_t i = 0; i < kSegmentBytesMax; ++i)
    text_.push_back(static_cast<std::uint8_t>(kWords[i % kWords.size()]));
  text_sums_.push_back(0);
  for (std::size_t i = 0; i + 1 < text_.size(); i += 2)
    text_sums_.push_back(text_sums_.back() + sum_words(&text_[i], 2));
  for (const bool is_v6 : {false, true})
    for (const bool is_syn : {false, true}) headers_[is_v6][is_syn] = make_headers(is_v6, is_syn);
}

FrameWriter::Headers FrameWriter::make_headers(bool is_v6, bool is_syn) const {
  test::PacketBuilder builder = test::PacketBuilder().ethernet(0x020000000001, 0x020000000002);
  if (wrapping_ == Wrapping::vlan) builder.vlan(7);
  if (wrapping_ == Wrapping::vxlan)
    builder.ip("203.0.113.1", "203.0.113.2")
        .udp(49'152, 4789)
        .vxlan(7)
        .ethernet(0x020000000003, 0x020000000004);
  test::TcpFields tcp{.window = kWindow};
  if (is_syn) tcp.options = {.mss = 1460, .window_scale = 7, .sack_permitted = true};
  if (is_v6) {
    builder.ip("2001:db8::1", "2001:db8::2");
  } else {
    builder.ip("192.0.2.1", "192.0.2.2");
  }
  Headers headers;
  headers.bytes = builder.tcp(1, 2, tcp).frame().bytes;
  headers.tcp_offset = headers.bytes.size() - 20 - encode(tcp.options).size();
  headers.ip_offset = headers.tcp_offset - (is_v6 ? kIpv6Bytes : kIpv4Bytes);
  return headers;
}

std::size_t FrameWriter::write(const Segment& segment, std::uint8_t* to) const noexcept {
  const bool is_v6 = segment.key.ip_version == 6;
  const bool has_options = (segment.flags & kTcpSyn) != 0 && !segment.is_bare;
  const Headers& headers = headers_[is_v6][has_options];
  const std::size_t header_bytes = headers.bytes.size();
  const std::size_t payload = std::min(segment.payload_bytes, kSegmentBytesMax);
  std::memcpy(to, headers.bytes.data(), header_bytes);
  std::memcpy(to + header_bytes, text_.data(), payload);
  std::size_t frame_bytes = header_bytes + payload;

  std::uint8_t* const ip = to + headers.ip_offset;
  std::uint8_t* const tcp = to + headers.tcp_offset;
  const std::size_t tcp_bytes = frame_bytes - headers.tcp_offset;
  const unsigned from = segment.direction;
  const std::size_t address_bytes = is_v6 ? 16 : 4;
  std::uint8_t* const addresses = ip + (is_v6 ? 8 : 12);
  std::memcpy(addresses, segment.key.address[from].bytes.data(), address_bytes);
  std::memcpy(addresses + address_bytes, segment.key.address[from ^ 1].bytes.data(), address_bytes);
  if (is_v6) {
    store16(ip + 4, tcp_bytes);
  } else {
    finish_ipv4(ip, kIpv4Bytes + tcp_bytes);
  }

  store16(tcp, segment.key.port[from]);
  store16(tcp + 2, segment.key.port[from ^ 1]);
  store32(tcp + 4, segment.sequence);
  store32(tcp + 8, segment.acknowledgment);
  tcp[13] = segment.flags;
  store16(tcp + 16, 0);
  std::uint8_t rest[4];  // of the pseudo header, RFC 9293 §3.1
  store16(rest, kProtocolTcp);
  store16(rest + 2, tcp_bytes);
  std::uint32_t sum = sum_words(rest, 4) + sum_words(addresses, 2 * address_bytes) +
                      sum_words(tcp, tcp_bytes - payload) + text_sums_[payload / 2];
  if (payload % 2 != 0) sum += text_[payload - 1];
  store_checksum(tcp + 16, sum);

  if (wrapping_ == Wrapping::vxlan) {
    std::uint8_t* const outer = to + kEthernetBytes;
    finish_ipv4(outer, frame_bytes - kEthernetBytes);
    store16(outer + kIpv4Bytes + 4, frame_bytes - kEthernetBytes - kIpv4Bytes);
    store16(outer + kIpv4Bytes + 6, 0);  // zero is allowed and usual: RFC 7348 §5
  }
  for (; frame_bytes < kFrameBytesMin; ++frame_bytes) to[frame_bytes] = 0;
  return frame_bytes;
}

}  // namespace linger::bench
