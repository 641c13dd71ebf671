// Memory taken once at start: zeroed pages, mapped but untouched until used (a replay of ten
// packets touches almost nothing), on transparent huge pages where the kernel has them.
//
// Array<T> is what every table of a shard lives in. Throws std::bad_alloc with nothing mapped;
// set-up code only.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

#include "engine/base/check.h"

namespace linger {

template <class T>
class Array {
  static_assert(std::is_standard_layout_v<T> && std::is_trivially_destructible_v<T>);

 public:
  Array() = default;
  explicit Array(std::size_t count) : count_(count) {
    if (count == 0) return;
    void* p = mmap(nullptr, bytes(), PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) throw std::bad_alloc();
    if (bytes() >= kHugeFrom) madvise(p, bytes(), MADV_HUGEPAGE);
    data_ = static_cast<T*>(p);
  }
  Array(Array&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), count_(std::exchange(other.count_, 0)) {}
  Array& operator=(Array&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(count_, other.count_);
    return *this;
  }
  ~Array() {
    if (data_ != nullptr) munmap(data_, bytes());
  }

  // Touches every page now, so that a live run never waits for one.
  void populate() noexcept {
    volatile auto* p = reinterpret_cast<volatile char*>(data_);
    for (std::size_t i = 0; i < bytes(); i += 4096) p[i] = 0;
  }

  T& operator[](std::size_t i) noexcept {
    DCHECK(i < count_);
    return data_[i];
  }
  const T& operator[](std::size_t i) const noexcept {
    DCHECK(i < count_);
    return data_[i];
  }
  T* data() noexcept { return data_; }
  const T* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return count_; }
  std::size_t bytes() const noexcept { return count_ * sizeof(T); }

 private:
  static constexpr std::size_t kHugeFrom = std::size_t{2} << 20;

  T* data_ = nullptr;
  std::size_t count_ = 0;
};

}  // namespace linger
