#include "tests/simulation/wire.h"

#include <algorithm>
#include <utility>

#include "tests/simulation/checksums.h"
#include "tests/support/fragments.h"

namespace linger::test {

void Wire::put(DurationNs time, const Frame& whole) {
  const auto delay = [&] {
    return random_.chance(profile_.reordered) ? random_.between(1, profile_.delay_max) : 0;
  };
  for (const Frame& frame : in_pieces(whole)) {
    if (random_.chance(profile_.capture_loss)) continue;
    captures_.push_back({time + delay(), frame});
    if (random_.chance(profile_.doubled)) captures_.push_back({time + delay(), frame});
  }
}

void Wire::put_surely(DurationNs time, const Frame& whole) {
  for (const Frame& frame : in_pieces(whole)) captures_.push_back({time, frame});
}

// The frame as it arrives: whole or in fragments, and now and then damaged.
Frames Wire::in_pieces(const Frame& whole) {
  Frame frame = whole;
  if (random_.chance(profile_.damaged)) damage(frame, random_);
  const auto bytes = static_cast<std::int64_t>(datagram_bytes(frame));
  if (bytes <= 8 || !random_.chance(profile_.fragmented)) return {frame};
  const auto piece = static_cast<std::size_t>(random_.between(1, (bytes - 1) / 8)) * 8;
  if (!random_.chance(profile_.torn / 2)) ++fragment_id_;  // else two datagrams of one name
  Frames pieces = fragments_of(frame, piece, fragment_id_);
  if (random_.chance(profile_.torn)) {
    if (random_.chance(50)) {
      pieces.erase(pieces.begin() + random_.below(static_cast<std::int64_t>(pieces.size())));
    } else {  // bytes twice, perhaps other ones
      const auto from = static_cast<std::size_t>(random_.below((bytes + 7) / 8)) * 8;
      const auto to = std::min(static_cast<std::size_t>(bytes), from + (from == 0 ? 8 : 24));
      Frame other = fragment_of(frame, {from, to}, fragment_id_);
      if (random_.chance(50)) other.bytes.back() ^= 1;
      pieces.insert(pieces.begin() + random_.below(static_cast<std::int64_t>(pieces.size())),
                    other);
    }
  }
  if (random_.chance(50))
    for (std::size_t i = pieces.size(); i > 1; --i)
      std::swap(pieces[i - 1],
                pieces[static_cast<std::size_t>(random_.below(static_cast<std::int64_t>(i)))]);
  return pieces;
}

std::vector<MemoryPacket> Wire::captured() {
  std::stable_sort(captures_.begin(), captures_.end(),
                   [](const Capture& a, const Capture& b) { return a.time < b.time; });
  std::vector<MemoryPacket> packets;
  DurationNs offset = at(0);
  for (const Capture& capture : captures_) {
    DurationNs timestamp = capture.time;
    if (profile_.timestamp_noise != 0)
      timestamp += random_.between(-profile_.timestamp_noise, profile_.timestamp_noise);
    DurationNs stray = 0;
    if (profile_.time_jumps) {
      const std::int64_t fate = random_.below(2'000);
      if (fate == 0) offset += random_.log_between(kSecond, 3 * kDay);
      if (fate == 1) offset -= random_.log_between(kSecond, kDay);
      if (fate < 10) stray = random_.pick({-1, 1}) * random_.log_between(kMinute, 300 * kDay);
    }
    packets.push_back({make_timestamp(0, static_cast<std::uint64_t>(
                                             std::max<DurationNs>(0, offset + timestamp + stray))),
                       capture.frame.bytes, capture.frame.wire_bytes, capture.frame.link_type});
  }
  return packets;
}

}  // namespace linger::test
