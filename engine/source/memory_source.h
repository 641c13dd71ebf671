// Packets held in memory as a source: for tests, benches and fuzzing.
//
// Plays them `rounds` times; from round to round the timestamps move on by `round_length`. Packets
// have no buffer: their bytes live as long as the source. Owner: the thread that calls rx().
#pragma once

#include <cstdint>
#include <vector>

#include "engine/packet/link_type.h"
#include "engine/source/source.h"
#include "engine/source/source_clock.h"

namespace linger {

struct MemoryPacket {
  Timestamp timestamp;
  std::vector<std::uint8_t> bytes;
  std::uint32_t wire_bytes = 0;  // less than there are bytes: as many as there are
  std::uint16_t link_type = kEthernet;
};

struct MemoryOptions {
  DurationNs clock_jump = kHour;
  std::uint64_t rounds = 1;
  DurationNs round_length = 0;
};

class MemorySource final : public Source {
 public:
  explicit MemorySource(std::vector<MemoryPacket> packets, const MemoryOptions& options = {});

  RxStatus rx(Burst& burst) noexcept override;

 private:
  std::vector<MemoryPacket> packets_;
  MemoryOptions options_;
  SourceClock clock_;
  std::size_t next_ = 0;
  std::uint64_t round_ = 0;
};

}  // namespace linger
