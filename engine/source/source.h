// Where packets come from: one interface for capture files, memory, live ports. One thread calls a
// source.
#pragma once

#include <cstdint>
#include <string>

#include "engine/packet/packet.h"

namespace linger {

enum class RxStatus : std::uint8_t {
  packets,  // the burst holds at least one packet
  idle,     // none now, maybe later (or every buffer is still in use); the burst's clock may have
            // moved
  end,      // none any more
};

class Source {
 public:
  virtual ~Source() = default;

  // Fills the burst with at most kBurstMax packets, in reading order, with the source clock
  // stamped. Bytes of packets that were not handed over stay valid until the next call.
  virtual RxStatus rx(Burst& burst) noexcept = 0;

  // The run is to end. True: rx() goes on and gives what had arrived before, then `end`; false:
  // there is nothing to wait for, and rx() is not called again.
  virtual bool drain() noexcept { return false; }

  // Plays packets of another time: one shard has all such sources, and plays them in step.
  virtual bool is_recorded() const noexcept { return false; }

  // What went wrong while reading (a file that breaks off), complete sentences with name, place and
  // reason; empty when all is well. Valid after `end`.
  virtual std::string trouble() const { return {}; }

  // Position and size for a progress line, in bytes of input; size 0: unknown. Any thread.
  virtual std::uint64_t bytes_done() const noexcept { return 0; }
  virtual std::uint64_t bytes_total() const noexcept { return 0; }
};

}  // namespace linger
