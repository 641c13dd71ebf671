// Records on their way from one shard to one output: bounded, lock-free, one producer, one
// consumer.
//
// What parsers found of a session goes before its record through a ring of bytes: where the record
// is there, so are they.
//
// Memory: capacity * (sizeof(Record) + kItemsBytesMean), touched as used. Cost: one copy in; the
// output reads records in place and copies the bytes once more.
#pragma once

#include <boost/lockfree/spsc_queue.hpp>
#include <cstddef>
#include <memory>

#include "output/record.h"
#include "output/record_protocol.h"

namespace linger {

class RecordRing {
 public:
  static constexpr std::size_t kItemsBytesMean = 256;  // of room for each record

  explicit RecordRing(std::size_t capacity)
      : queue_(capacity),
        items_(capacity * kItemsBytesMean + kSessionItemsMax),
        taken_(std::make_unique<std::uint8_t[]>(kSessionItemsMax)) {}

  // Shard. False when there is no room. record.items_bytes is the size of `items`.
  bool push(const Record& record, Bytes items = {}) noexcept {
    if (items.empty()) return queue_.push(record);
    if (items_.write_available() < items.size() || queue_.write_available() == 0) return false;
    items_.push(items.data(), items.size());
    return queue_.push(record);
  }

  // Output's thread. Hands at most `count_max` records and their items to `take`, oldest first,
  // each freed as it is done with; returns how many.
  template <class Take>
  std::size_t consume(std::size_t count_max, Take&& take) noexcept {
    std::size_t count = 0;
    const auto take_one = [&](const Record& record) {
      items_.pop(taken_.get(), record.items_bytes);
      take(record, Bytes{taken_.get(), record.items_bytes});
    };
    while (count < count_max && queue_.consume_one(take_one)) ++count;
    return count;
  }

 private:
  boost::lockfree::spsc_queue<Record> queue_;
  boost::lockfree::spsc_queue<std::uint8_t> items_;
  std::unique_ptr<std::uint8_t[]> taken_;  // output's
};

}  // namespace linger
