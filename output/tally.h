// A count with one writing thread that any thread may read at any time: an atomic without
// read-modify-write.
#pragma once

#include <atomic>
#include <cstdint>

namespace linger {

class Tally {
 public:
  void add(std::uint64_t n) noexcept { value_.store(get() + n, std::memory_order_relaxed); }
  std::uint64_t get() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

}  // namespace linger
