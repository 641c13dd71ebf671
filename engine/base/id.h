// event.id: 128 bits that name one session in all its records, equal for any number of threads
// (sessiontable/session_id.h).
#pragma once

#include <compare>
#include <cstdint>

namespace linger {

struct Id128 {
  std::uint64_t high = 0;  // the first 16 hexadecimal digits
  std::uint64_t low = 0;

  constexpr bool is_set() const noexcept { return (high | low) != 0; }
  friend bool operator==(const Id128&, const Id128&) = default;
  friend auto operator<=>(const Id128&, const Id128&) = default;
};

}  // namespace linger
