#include "tests/oracle/datagrams.h"

#include <algorithm>

namespace linger::test {
namespace {

void put16(std::vector<std::uint8_t>& bytes, std::size_t offset, std::size_t value) {
  bytes[offset] = static_cast<std::uint8_t>(value >> 8);
  bytes[offset + 1] = static_cast<std::uint8_t>(value);
}

// The frame as if it had never been cut: RFC 791 §3.1, RFC 8200 §3 and §4.5.
std::vector<std::uint8_t> joined(const Packet& fragment, std::vector<std::uint8_t> head,
                                 const std::vector<std::uint8_t>& content) {
  constexpr std::size_t kIpv6Header = 40;
  constexpr std::ptrdiff_t kFragmentHeader = 8;
  const std::size_t ip = fragment.ip_offset;
  if (fragment.key.ip_version == 4) {
    put16(head, ip + 2, head.size() - ip + content.size());
    put16(head, ip + 6, 0);
    put16(head, ip + 10, 0);
  } else {
    head[ip + 6] = head[ip + kIpv6Header];
    head.erase(head.end() - kFragmentHeader, head.end());
    put16(head, ip + 4, content.size());
  }
  head.insert(head.end(), content.begin(), content.end());
  return head;
}

}  // namespace

void Datagrams::add(const Packet& packet) {
  pass(packet.clock);
  if (packet.verdict != Verdict::fragment) return see_(packet);
  const auto [place, is_new] = datagrams_.try_emplace(packet.key.words());
  Datagram& d = place->second;
  if (is_new) d.due = packet.clock + timeout_, d.number = next_number_++;
  const bool is_first = packet.fragment.offset == 0;
  if (is_new || (is_first && !d.has_first)) {
    d.packet = packet;
    d.head.assign(packet.data, packet.data + packet.payload_offset);
    d.has_first = is_first;
  }
  ++d.frames;
  d.wire_bytes += packet.wire_bytes;
  d.last = packet.timestamp;
  if (d.is_discarded) return;
  if (!take(d, packet) && packet.key.ip_version == 6) {  // RFC 5722 §4
    d.is_discarded = true;
    d.bytes.clear();
  }
  if (!d.is_discarded && d.length == d.bytes.size()) put_out(place, packet.clock, true);
}

// False: it overlaps others, or contradicts the length. The same again is neither.
bool Datagrams::take(Datagram& d, const Packet& fragment) {
  const std::uint32_t from = fragment.fragment.offset;
  std::uint32_t to = from + fragment.payload_bytes;
  bool is_last = !fragment.fragment.has_more;
  const bool is_too_long = d.length && to > *d.length;
  const bool ends_elsewhere = is_last && (d.length ? to != *d.length : to < d.seen_end);
  const bool contradicts = is_too_long || ends_elsewhere;
  if (contradicts) is_last = false;
  if (is_too_long) to = std::max(from, *d.length);
  if (contradicts && !is_too_long) to = from + (to - from) / 8 * 8;
  if (is_last) d.length = to;
  d.seen_end = std::max(d.seen_end, to);
  std::uint32_t fresh = 0;
  bool differs = false;
  for (std::uint32_t i = from; i < to; ++i) {
    const std::uint8_t byte = fragment.data[fragment.payload_offset + i - from];
    const auto [place, is_new] = d.bytes.try_emplace(i, byte);
    fresh += is_new;
    differs |= place->second != byte;
  }
  const bool is_fresh = fresh == to - from, is_known = fresh == 0 && !differs;
  return !contradicts && (is_fresh || is_known);
}

// Without its middle or end it is told by what there is of its beginning.
void Datagrams::put_out(Places::iterator place, ClockNs when, bool is_whole) {
  const Datagram d = std::move(place->second);
  datagrams_.erase(place);
  Bytes content;
  for (const auto& [offset, byte] : d.bytes) {
    if (offset != content.size()) break;
    content.push_back(byte);
  }
  const Bytes& frame = frames_.emplace_back(joined(d.packet, d.head, content));
  Packet packet;
  packet.data = frame.data();
  packet.captured_bytes = packet.wire_bytes = static_cast<std::uint32_t>(frame.size());
  packet.link_type = d.packet.link_type;
  packet.timestamp = d.last;
  packet.clock = when;
  DecodeSettings settings = decode_settings_;
  if (!is_whole) settings.verify_checksums = false;  // they are of all of it
  decode(packet, settings);
  packet.wire_bytes = d.wire_bytes;
  packet.frames = d.frames;
  if (!is_whole) packet.flags |= kPacketFragment;
  see_(packet);
}

void Datagrams::put_out_until(ClockNs last, std::optional<ClockNs> when) {
  for (;;) {
    auto oldest = datagrams_.end();
    for (auto it = datagrams_.begin(); it != datagrams_.end(); ++it)
      if (oldest == datagrams_.end() || it->second.number < oldest->second.number) oldest = it;
    if (oldest == datagrams_.end() || oldest->second.due > last) return;
    put_out(oldest, when.value_or(oldest->second.due), false);
  }
}

void Datagrams::pass(ClockNs now) { put_out_until(now, {}); }
void Datagrams::finish(ClockNs now) { put_out_until(INT64_MAX, now); }

}  // namespace linger::test
