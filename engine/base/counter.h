// A count with one writing thread that any thread may read at any time: an atomic without
// read-modify-write on the bus.
#pragma once

#include <atomic>
#include <cstdint>

namespace linger {

class Counter {
 public:
  void add(std::uint64_t n = 1) noexcept { value_.store(value() + n, std::memory_order_relaxed); }
  void raise_to(std::uint64_t n) noexcept {
    if (n > value()) value_.store(n, std::memory_order_relaxed);
  }
  std::uint64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

}  // namespace linger
