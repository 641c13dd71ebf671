// DPDK's rte_hash as the reference of the session table's benchmarks: keys of 16 bytes for IPv4, of
// 48 (a FlowKey) for IPv6, for both of which it has a comparison of its own; CRC hash, bulk
// lookups, on the same kind of memory as linger's tables (transparent huge pages).
//
// Starts the EAL once for each process, without huge pages, devices or root. Owner: one thread.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "engine/base/flow_key.h"

struct rte_hash;

namespace linger::bench {

inline constexpr std::uint32_t kLookupMax = 64;  // RTE_HASH_LOOKUP_BULK_MAX

class RteHashTable {
 public:
  struct Key {
    std::array<std::uint8_t, sizeof(FlowKey)> bytes{};
  };
  static Key key_of(const FlowKey& key) noexcept;

  RteHashTable(std::uint32_t capacity, bool is_v6);
  ~RteHashTable();
  RteHashTable(const RteHashTable&) = delete;
  RteHashTable& operator=(const RteHashTable&) = delete;

  bool add(const Key& key, std::uint64_t value) noexcept;
  void remove(const Key& key) noexcept;

  // At most kLookupMax keys; bit i of the answer: keys[i] is there.
  std::uint64_t lookup(std::span<const Key> keys) noexcept;

 private:
  rte_hash* table_ = nullptr;
  void* memory_ = nullptr;
  std::size_t bytes_ = 0;
  std::array<void*, kLookupMax> values_{};
};

}  // namespace linger::bench
