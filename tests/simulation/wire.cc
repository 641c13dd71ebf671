#include "tests/simulation/wire.h"

#include <algorithm>

namespace linger::test {

void Wire::put(DurationNs time, const Frame& frame) {
  if (random_.chance(profile_.capture_loss)) return;
  const auto delay = [&] {
    return random_.chance(profile_.reordered) ? random_.between(1, profile_.delay_max) : 0;
  };
  put_surely(time + delay(), frame);
  if (random_.chance(profile_.doubled)) put_surely(time + delay(), frame);
}

void Wire::put_surely(DurationNs time, const Frame& frame) { captures_.push_back({time, frame}); }

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
