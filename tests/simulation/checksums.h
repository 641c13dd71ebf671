// What a capture shows of checksums that are not right: hosts whose network card computes them
// behind the capture, hosts whose frames were edited, and bits that fell over on the way.
#pragma once

#include "tests/simulation/random.h"
#include "tests/simulation/traffic.h"
#include "tests/support/packet_builder.h"

namespace linger::test {

// One end's checksums, in percent of its frames.
struct Checksums {
  int left = 0;   // to the network card: the sum of the pseudo header, or zero
  int wrong = 0;  // simply wrong

  static Checksums of(const Profile& profile, Random& random);
  void set(Frame& frame, Random& random) const;
};

// Another checksum of the transport or of IPv4's header, or a bit of the segment.
void damage(Frame& frame, Random& random);

}  // namespace linger::test
