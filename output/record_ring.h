// Records on their way from one shard to one output: bounded, lock-free, one producer, one
// consumer.
//
// What few records have goes before them through a ring of bytes: their rare fields, and what
// parsers found of the session. Where the record is there, so is that.
//
// Memory: capacity * (sizeof(UsualFields) + kBytesMean), touched as used. Cost: a copy in, a copy
// out.
#pragma once

#include <algorithm>
#include <boost/lockfree/spsc_queue.hpp>
#include <cstddef>
#include <memory>

#include "output/record.h"
#include "output/record_protocol.h"

namespace linger {

class RecordRing {
 public:
  static constexpr std::size_t kBytesMean = 512;  // of room for each record

  explicit RecordRing(std::size_t capacity)
      : queue_(capacity),
        bytes_(capacity * kBytesMean + kSessionItemsMax + sizeof(RareFields)),
        items_(std::make_unique<std::uint8_t[]>(kSessionItemsMax)) {}

  // Shard. False when there is no room. record.items_bytes is the size of `items`.
  bool push(const Record& record, Bytes items = {}) noexcept {
    const Bytes rare = record.is_usual ? Bytes{} : as_bytes(record.rare());
    if (rare.empty() && items.empty()) return queue_.push(record.usual());
    if (bytes_.write_available() < rare.size() + items.size() || queue_.write_available() == 0)
      return false;
    bytes_.push(rare.data(), rare.size());
    bytes_.push(items.data(), items.size());
    return queue_.push(record.usual());
  }

  // Shard. Records of the mean size that there is room for.
  std::size_t room() const noexcept {
    return std::min(queue_.write_available(), bytes_.write_available() / kBytesMean);
  }

  // Output's thread. Hands at most `count_max` records and their items to `take`, oldest first,
  // each freed as it is done with; returns how many.
  template <class Take>
  std::size_t consume(std::size_t count_max, Take&& take) noexcept {
    std::size_t count = 0;
    const auto take_one = [&](const UsualFields& usual) {
      if (!record_.is_usual) record_.rare() = {};
      record_.usual() = usual;
      if (!usual.is_usual)
        bytes_.pop(reinterpret_cast<std::uint8_t*>(&record_.rare()), sizeof(RareFields));
      bytes_.pop(items_.get(), usual.items_bytes);
      take(record_, Bytes{items_.get(), record_.items_bytes});
    };
    while (count < count_max && queue_.consume_one(take_one)) ++count;
    return count;
  }

 private:
  static Bytes as_bytes(const RareFields& rare) noexcept {
    return {reinterpret_cast<const std::uint8_t*>(&rare), sizeof rare};
  }

  boost::lockfree::spsc_queue<UsualFields> queue_;
  boost::lockfree::spsc_queue<std::uint8_t> bytes_;
  // Output's: what is being taken. The rare fields are zero when the record is a usual one.
  Record record_;
  std::unique_ptr<std::uint8_t[]> items_;
};

}  // namespace linger
