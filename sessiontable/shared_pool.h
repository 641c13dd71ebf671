// Values that many sessions have in common, each kept once and counted by the sessions that hold
// it.
//
// Owner: one shard. Limit: `capacity` different values, in memory that is taken at start and
// touched as used. Cost: one index line and one entry to take a value, one entry to release it
// (for its last holder the index line too); both are warm where values are few. Memory: the value,
// 8 bytes, and 8 of index.
#pragma once

#include <cstdint>

#include "engine/base/mapping.h"
#include "sessiontable/flow_index.h"
#include "sessiontable/free_list.h"

namespace linger {

template <class Value>
class SharedPool {
 public:
  explicit SharedPool(std::uint32_t capacity)
      : entries_(capacity), free_(capacity), index_(capacity, IndexLoad::packed) {}

  // The place of this value, which one more session holds; kNoSlot: there was none left. Equal
  // values have equal hashes.
  std::uint32_t take(const Value& value, FlowHash hash) noexcept {
    std::uint32_t place =
        index_.find(hash, [&](std::uint32_t i) { return entries_[i].value == value; });
    if (place != kNoSlot) {
      ++entries_[place].users;
      return place;
    }
    place = free_.take(next_of());
    if (place == kNoSlot) return kNoSlot;
    entries_[place] = {value, 1, 0};
    index_.insert(hash, place);
    return place;
  }

  // The same without a search, if the value is at this place, which was taken before.
  bool take_again(std::uint32_t place, const Value& value) noexcept {
    Entry& entry = entries_[place];
    if (entry.users == 0 || !(entry.value == value)) return false;
    ++entry.users;
    return true;
  }

  // hash_of(value) is the one it was taken with.
  template <class HashOf>
  void release(std::uint32_t place, HashOf&& hash_of) noexcept {
    if (--entries_[place].users != 0) return;
    index_.erase(hash_of(entries_[place].value), place);
    free_.give_back(place, next_of());
  }

  const Value& operator[](std::uint32_t place) const noexcept { return entries_[place].value; }

  std::uint32_t used() const noexcept { return free_.used(); }
  void populate() noexcept {
    entries_.populate();
    populate_index();
  }
  void populate_index() noexcept { index_.populate(); }

 private:
  struct Entry {
    Value value;
    std::uint32_t users;  // 0: the entry is free
    std::uint32_t next_free;
  };
  struct NextOf {
    Array<Entry>& entries;
    std::uint32_t& operator()(std::uint32_t place) noexcept { return entries[place].next_free; }
  };
  NextOf next_of() noexcept { return {entries_}; }

  Array<Entry> entries_;
  FreeList free_;
  FlowIndex index_;

 public:
  static constexpr std::size_t kBytesPerEntry = sizeof(Entry);
  static constexpr double kIndexBytes = FlowIndex::bytes_per_entry(IndexLoad::packed);
};

}  // namespace linger
