// The network between two hosts and the capture beside it: takes frames as they are sent, and keeps
// what the capture sees of them, in its order.
#pragma once

#include <cstdint>
#include <vector>

#include "tests/simulation/traffic.h"
#include "tests/support/packet_builder.h"

namespace linger::test {

class Wire {
 public:
  Wire(const Profile& profile, std::uint64_t seed) : profile_(profile), random_(seed) {}

  // Sent at `time` (nanoseconds since the start of the run).
  void put(DurationNs time, const Frame& frame);
  // As put(), but neither lost nor delayed.
  void put_surely(DurationNs time, const Frame& frame);

  // What was captured, with the capture's own timestamps.
  std::vector<MemoryPacket> captured();

 private:
  struct Capture {
    DurationNs time;
    Frame frame;
  };

  Frames in_pieces(const Frame& frame);

  const Profile& profile_;
  Random random_;
  std::vector<Capture> captures_;
  std::uint32_t fragment_id_ = 0;
};

}  // namespace linger::test
