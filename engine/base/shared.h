// A field that one thread, its owner, writes and any thread may read at any time. The owner uses it
// like the field itself; the others call load(). Several of them together are consistent under a
// version that is odd while the owner writes (a sequence lock, Boehm 2012): see Writing. On x86 all
// of this is plain moves.
#pragma once

#include <cstdint>

#include "engine/base/check.h"

namespace linger {

template <class T>
class Shared {
 public:
  Shared() noexcept = default;
  Shared(const Shared& other) noexcept : value_(other.own()) {}
  Shared& operator=(const Shared& other) noexcept { return store(other.own()), *this; }

  // The owner's.
  T own() const noexcept {
    T value;
    __atomic_load(&value_, &value, __ATOMIC_RELAXED);
    return value;
  }
  // Anybody's.
  T load() const noexcept {
    T value;
    __atomic_load(&value_, &value, __ATOMIC_ACQUIRE);
    return value;
  }
  void store(T value) noexcept { __atomic_store(&value_, &value, __ATOMIC_RELEASE); }

  operator T() const noexcept { return own(); }  // NOLINT: reads like the field itself
  T operator=(T value) noexcept { return store(value), value; }  // NOLINT
  T operator+=(T value) noexcept { return *this = static_cast<T>(own() + value); }
  T operator-=(T value) noexcept { return *this = static_cast<T>(own() - value); }
  T operator|=(T value) noexcept { return *this = static_cast<T>(own() | value); }
  T operator&=(T value) noexcept { return *this = static_cast<T>(own() & value); }
  T operator++() noexcept { return *this = static_cast<T>(own() + 1); }

 private:
  T value_;
};

// While one of these lives, its owner changes what the version guards.
class Writing {
 public:
  explicit Writing(Shared<std::uint8_t>& version) noexcept : version_(version), before_(version) {
    DCHECK((before_ & 1) == 0);
    version_ = static_cast<std::uint8_t>(before_ + 1);
  }
  Writing(const Writing&) = delete;
  Writing& operator=(const Writing&) = delete;
  ~Writing() { version_ = static_cast<std::uint8_t>(before_ + 2); }

 private:
  Shared<std::uint8_t>& version_;
  std::uint8_t before_;
};

}  // namespace linger
