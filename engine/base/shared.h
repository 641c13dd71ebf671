// A field that one thread writes and any thread may read at any time: relaxed's price, on x86 a
// plain move, with acquire and release. Several of them together are consistent under a version
// that is odd while its owner writes (a sequence lock, Boehm 2012): see Writing.
#pragma once

#include <cstdint>

namespace linger {

template <class T>
class Shared {
 public:
  Shared() noexcept = default;
  Shared(const Shared& other) noexcept : value_(other.load()) {}
  Shared& operator=(const Shared& other) noexcept { return store(other.load()), *this; }

  T load() const noexcept {
    T value;
    __atomic_load(&value_, &value, __ATOMIC_ACQUIRE);
    return value;
  }
  void store(T value) noexcept { __atomic_store(&value_, &value, __ATOMIC_RELEASE); }

  operator T() const noexcept { return load(); }  // NOLINT: reads like the field itself
  T operator=(T value) noexcept { return store(value), value; }  // NOLINT
  T operator+=(T value) noexcept { return *this = static_cast<T>(load() + value); }
  T operator-=(T value) noexcept { return *this = static_cast<T>(load() - value); }
  T operator|=(T value) noexcept { return *this = static_cast<T>(load() | value); }
  T operator&=(T value) noexcept { return *this = static_cast<T>(load() & value); }
  T operator++() noexcept { return *this = static_cast<T>(load() + 1); }

 private:
  T value_;
};

// While one of these lives, its owner changes what the version guards.
class Writing {
 public:
  explicit Writing(Shared<std::uint8_t>& version) noexcept : version_(version) { ++version_; }
  Writing(const Writing&) = delete;
  Writing& operator=(const Writing&) = delete;
  ~Writing() { ++version_; }

 private:
  Shared<std::uint8_t>& version_;
};

}  // namespace linger
