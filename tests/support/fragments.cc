#include "tests/support/fragments.h"

#include <algorithm>
#include <utility>

#include "engine/base/check.h"

namespace linger::test {
namespace {

void put16(ByteList& bytes, std::size_t offset, std::size_t value) {
  bytes[offset] = static_cast<std::uint8_t>(value >> 8);
  bytes[offset + 1] = static_cast<std::uint8_t>(value);
}

bool is_v4(const Frame& whole) { return whole.bytes[whole.ip_offset] >> 4 == 4; }

std::size_t header_bytes(const Frame& whole) {
  return is_v4(whole) ? (whole.bytes[whole.ip_offset] & 0x0fU) * 4 : 40;
}

void set_ipv4_checksum(ByteList& bytes, std::size_t ip, std::size_t header) {
  put16(bytes, ip + 10, 0);
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < header; i += 2) sum += load_be16(bytes.data() + ip + i);
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  put16(bytes, ip + 10, ~sum & 0xffff);
}

}  // namespace

std::size_t datagram_bytes(const Frame& whole) {
  const std::uint8_t* ip = whole.bytes.data() + whole.ip_offset;
  return is_v4(whole) ? load_be16(ip + 2) - header_bytes(whole) : load_be16(ip + 4);
}

Frame fragment_of(const Frame& whole, const Cut& cut, std::uint32_t id) {
  CHECK(cut.from <= cut.to && cut.from % 8 == 0);
  const std::size_t ip = whole.ip_offset;
  const std::size_t header = header_bytes(whole);
  const bool has_more = cut.has_more.value_or(cut.to < datagram_bytes(whole));
  Frame frame = whole;
  frame.bytes.resize(ip + header);
  if (is_v4(whole)) {
    put16(frame.bytes, ip + 2, header + cut.to - cut.from);
    put16(frame.bytes, ip + 4, id & 0xffff);
    put16(frame.bytes, ip + 6, cut.from / 8 | (has_more ? 0x2000 : 0));
    set_ipv4_checksum(frame.bytes, ip, header);
  } else {
    put16(frame.bytes, ip + 4, 8 + cut.to - cut.from);
    const std::uint8_t protocol = std::exchange(frame.bytes[ip + 6], std::uint8_t{44});
    frame.bytes.resize(ip + header + 8);
    frame.bytes[ip + header] = protocol;
    put16(frame.bytes, ip + header + 2, cut.from | (has_more ? 1 : 0));
    put16(frame.bytes, ip + header + 4, id >> 16);
    put16(frame.bytes, ip + header + 6, id & 0xffff);
  }
  const auto begin = whole.bytes.begin() + static_cast<std::ptrdiff_t>(ip + header);
  frame.bytes.insert(frame.bytes.end(), begin + static_cast<std::ptrdiff_t>(cut.from),
                     begin + static_cast<std::ptrdiff_t>(cut.to));
  frame.wire_bytes = static_cast<std::uint32_t>(frame.bytes.size());
  return frame;
}

Frames fragments_of(const Frame& whole, std::size_t piece_bytes, std::uint32_t id,
                    DurationNs step) {
  Frames frames;
  const std::size_t bytes = datagram_bytes(whole);
  for (std::size_t from = 0; from < bytes; from += piece_bytes) {
    frames.push_back(fragment_of(whole, {from, std::min(from + piece_bytes, bytes)}, id));
    frames.back().timestamp_ns += static_cast<std::int64_t>(frames.size() - 1) * step;
  }
  return frames;
}

Frame inside(PacketBuilder outer, const Frame& fragment) {
  const bool v4 = is_v4(fragment);
  const auto begin = fragment.bytes.begin() + static_cast<std::ptrdiff_t>(fragment.ip_offset);
  return outer.next_is(v4 ? 0x0800 : 0x86dd)
      .payload(ByteList(begin, fragment.bytes.end()))
      .frame(fragment.timestamp_ns);
}

}  // namespace linger::test
