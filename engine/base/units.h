// Durations and sizes as people write them, both ways.
//
//   durations  ns us ms s m min h d; a bare number is seconds. 90s, 1.5h, 120ms
//   sizes      B KB KiB MB MiB GB GiB TB TiB; a bare number is bytes. 64KiB, 1.5GiB, 1MB
//
// Values are exact: what is finer than a nanosecond or a byte, or does not fit, is an error that
// says so. format_*() picks the largest unit that is exact, so parse(format(x)) == x for every x >=
// 0. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "engine/base/time.h"

namespace linger {

tl::expected<DurationNs, std::string> parse_duration(std::string_view text);
tl::expected<std::uint64_t, std::string> parse_bytes(std::string_view text);
tl::expected<std::uint64_t, std::string> parse_count(std::string_view text);  // digits only

std::string format_duration(DurationNs duration);
std::string format_bytes(std::uint64_t byte_count);

}  // namespace linger
