#include "engine/base/units.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <span>

#include "engine/base/int128.h"

namespace linger {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t size;
};

// Ascending; format() takes the last that divides the value, so spellings it must not print come
// before their twin.
constexpr Unit kDurationUnits[] = {
    {"ns", 1},      {"us", kMicrosecond}, {"ms", kMillisecond}, {"", kSecond}, {"s", kSecond},
    {"m", kMinute}, {"min", kMinute},     {"h", kHour},         {"d", kDay},
};
constexpr Unit kByteReadUnits[] = {
    {"", 1},
    {"B", 1},
    {"KB", 1'000},
    {"KiB", std::uint64_t{1} << 10},
    {"MB", 1'000'000},
    {"MiB", std::uint64_t{1} << 20},
    {"GB", 1'000'000'000},
    {"GiB", std::uint64_t{1} << 30},
    {"TB", 1'000'000'000'000},
    {"TiB", std::uint64_t{1} << 40},
};
constexpr Unit kByteWriteUnits[] = {
    {"B", 1},
    {"KiB", std::uint64_t{1} << 10},
    {"MiB", std::uint64_t{1} << 20},
    {"GiB", std::uint64_t{1} << 30},
    {"TiB", std::uint64_t{1} << 40},
};

// Of the whole part and of the fraction each; 10^19 fits 64 bits.
constexpr std::size_t kDigitsMax = 19;

using Parsed = tl::expected<std::uint64_t, std::string>;

std::string_view take_digits(std::string_view& text) {
  const auto digits = text.substr(0, text.find_first_not_of("0123456789"));
  text.remove_prefix(digits.size());
  return digits;
}

std::optional<std::uint64_t> number_of(std::string_view digits) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return error == std::errc::result_out_of_range ? std::nullopt : std::optional(value);
}

Parsed parse(std::string_view text, std::span<const Unit> units, std::string_view what,
             std::uint64_t max) {
  const auto bad = [&](std::string_view why) {
    return tl::unexpected(fmt::format("'{}' {} {}", text, why, what));
  };
  auto rest = text;
  const auto whole = take_digits(rest);
  std::string_view fraction;
  if (rest.starts_with('.')) {
    rest.remove_prefix(1);
    fraction = take_digits(rest);
    if (fraction.empty()) return bad("is not");
  }
  if (whole.empty()) return bad("is not");
  if (rest.starts_with(' ')) rest.remove_prefix(1);
  const Unit* unit = nullptr;
  for (const auto& candidate : units) {
    if (candidate.name == rest) unit = &candidate;
  }
  if (unit == nullptr) return bad("is not");
  const auto integer = number_of(whole);
  if (!integer) return bad("is too large for");
  if (fraction.size() > kDigitsMax) return bad("has too many digits for");

  uint128 scale = 1;
  for (std::size_t i = 0; i < fraction.size(); ++i) scale *= 10;
  const auto part = static_cast<uint128>(*number_of(fraction)) * unit->size;
  if (part % scale != 0) return bad("is too fine for");
  const auto value = static_cast<uint128>(*integer) * unit->size + part / scale;
  if (value > max) return bad("is too large for");
  return static_cast<std::uint64_t>(value);
}

std::string format(std::uint64_t value, std::span<const Unit> units, std::string_view zero) {
  if (value == 0) return std::string(zero);
  const Unit* best = &units.front();
  for (const auto& unit : units) {
    if (value % unit.size == 0) best = &unit;
  }
  return fmt::format("{}{}", value / best->size, best->name);
}

}  // namespace

tl::expected<DurationNs, std::string> parse_duration(std::string_view text) {
  return parse(text, kDurationUnits, "a duration (as in 90s, 1.5h, 120ms)", kDurationMax)
      .map([](std::uint64_t ns) { return static_cast<DurationNs>(ns); });
}

tl::expected<std::uint64_t, std::string> parse_bytes(std::string_view text) {
  return parse(text, kByteReadUnits, "a size (as in 64KiB, 1.5GiB, 1MB)", UINT64_MAX);
}

tl::expected<std::uint64_t, std::string> parse_count(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || end != text.data() + text.size() || error == std::errc::invalid_argument) {
    return tl::unexpected(fmt::format("'{}' is not a whole number", text));
  }
  if (error != std::errc())
    return tl::unexpected(fmt::format("'{}' is too large for a count", text));
  return value;
}

std::string format_duration(DurationNs duration) {
  return format(static_cast<std::uint64_t>(duration), kDurationUnits, "0s");
}

std::string format_bytes(std::uint64_t byte_count) {
  return format(byte_count, kByteWriteUnits, "0B");
}

}  // namespace linger
