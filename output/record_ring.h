// Records on their way from one shard to one output: bounded, lock-free, one producer, one
// consumer.
//
// Memory: capacity * sizeof(Record), touched as used. Cost: one copy in; the output reads in place.
#pragma once

#include <boost/lockfree/spsc_queue.hpp>
#include <cstddef>

#include "output/record.h"

namespace linger {

class RecordRing {
 public:
  explicit RecordRing(std::size_t capacity) : queue_(capacity) {}

  // Shard. False when there is no room.
  bool push(const Record& record) noexcept { return queue_.push(record); }

  // Output's thread. Hands at most `count_max` records to `take`, oldest first, each freed as it is
  // done with; returns how many.
  template <class Take>
  std::size_t consume(std::size_t count_max, Take&& take) noexcept {
    std::size_t count = 0;
    while (count < count_max && queue_.consume_one(take)) ++count;
    return count;
  }

 private:
  boost::lockfree::spsc_queue<Record> queue_;
};

}  // namespace linger
