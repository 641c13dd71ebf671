// The two times of a packet (ARCHITECTURE.md, Time).
//
//   Timestamp  what the capture says. For record fields only; never compared with a timeout.
//   ClockNs    the source clock, stamped in reading order before steering; decisions compare these.
//
// A Timestamp is one int64 that holds every time a capture can hold, in order: nanoseconds since
// 1970 up to kTimestampFineMax (year 2116), beyond that microseconds (pcapng counts microseconds in
// 64 bits, so values far past int64 nanoseconds exist; none of them has both: a real clock and more
// than microsecond resolution).
//
//     value      0 ............... ~2^62 ........................... kTimestampMax
//     meaning    nanoseconds        2^62 ns + (value - 2^62) us       9999-12-31T23:59:59.999999Z
//     (RFC 3339's last year)
#pragma once

#include <cstdint>

#include "engine/base/int128.h"

namespace linger {

using ClockNs = std::int64_t;  // source clock, nanoseconds; starts at the first packet's timestamp
using DurationNs = std::int64_t;  // nanoseconds

inline constexpr DurationNs kMicrosecond = 1'000;
inline constexpr DurationNs kMillisecond = 1'000'000;
inline constexpr DurationNs kSecond = 1'000'000'000;
inline constexpr DurationNs kMinute = 60 * kSecond;
inline constexpr DurationNs kHour = 60 * kMinute;
inline constexpr DurationNs kDay = 24 * kHour;
inline constexpr DurationNs kDurationMax = INT64_MAX;
inline constexpr ClockNs kNever = INT64_MAX;  // no source clock comes there

struct TimeParts {
  std::int64_t seconds = 0;       // since 1970-01-01T00:00:00Z
  std::uint32_t nanoseconds = 0;  // 0 … 999,999,999
};

struct Timestamp {
  std::int64_t value = 0;

  friend constexpr bool operator==(Timestamp, Timestamp) = default;
  friend constexpr auto operator<=>(Timestamp, Timestamp) = default;
};

inline constexpr std::int64_t kTimestampFineMax = (std::int64_t{1} << 62) / 1000 * 1000;
inline constexpr std::int64_t kLastSecond = 253'402'300'799;  // 9999-12-31T23:59:59Z

// Any pair of seconds and nanoseconds; clamps to [1970, 9999]. `nanoseconds` may exceed a second (a
// capture can say so).
constexpr Timestamp make_timestamp(std::int64_t seconds, std::uint64_t nanoseconds) noexcept {
  seconds += static_cast<std::int64_t>(nanoseconds / kSecond);
  nanoseconds %= kSecond;
  if (seconds < 0) return {0};
  if (seconds > kLastSecond) seconds = kLastSecond, nanoseconds = kSecond - 1;
  if (seconds < kTimestampFineMax / kSecond)
    return {seconds * kSecond + static_cast<std::int64_t>(nanoseconds)};
  const int128 total = static_cast<int128>(seconds) * kSecond + static_cast<int128>(nanoseconds);
  if (total <= kTimestampFineMax) return {static_cast<std::int64_t>(total)};
  return {kTimestampFineMax +
          static_cast<std::int64_t>((total - kTimestampFineMax) / kMicrosecond)};
}

constexpr int128 nanoseconds_since_epoch(Timestamp t) noexcept {
  if (t.value <= kTimestampFineMax) return t.value;
  return kTimestampFineMax + static_cast<int128>(t.value - kTimestampFineMax) * kMicrosecond;
}

constexpr TimeParts time_parts(Timestamp t) noexcept {
  const int128 total = nanoseconds_since_epoch(t);
  return {static_cast<std::int64_t>(total / kSecond), static_cast<std::uint32_t>(total % kSecond)};
}

// later - earlier; saturates at the ends of int64 (292 years).
constexpr DurationNs duration_between(Timestamp earlier, Timestamp later) noexcept {
  const int128 difference = nanoseconds_since_epoch(later) - nanoseconds_since_epoch(earlier);
  if (difference > INT64_MAX) return INT64_MAX;
  if (difference < INT64_MIN) return INT64_MIN;
  return static_cast<DurationNs>(difference);
}

}  // namespace linger
