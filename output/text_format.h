// Values as text, fast: each function writes at `out` and returns the end of what it wrote. It may
// scribble up to kScribbleBytes beyond that end, so that copies have constant sizes.
//
// Any thread; a TimeText is one thread's. No branches on digits where a lookup or a word-wide step
// does it: see bench/encode_bench.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

#include "engine/base/time.h"
#include "output/record.h"

namespace linger {

inline constexpr std::size_t kScribbleBytes = 32;

namespace text_format_detail {

constexpr std::array<char, 200> make_pairs() {
  std::array<char, 200> pairs{};
  for (int i = 0; i < 100; ++i) {
    pairs[2 * i] = static_cast<char>('0' + i / 10);
    pairs[2 * i + 1] = static_cast<char>('0' + i % 10);
  }
  return pairs;
}
inline constexpr std::array<char, 200> kPairs = make_pairs();  // 00 01 … 99

constexpr std::array<char, 512> make_hex(const char* digits) {
  std::array<char, 512> hex{};
  for (int i = 0; i < 256; ++i) {
    hex[2 * i] = digits[i >> 4];
    hex[2 * i + 1] = digits[i & 15];
  }
  return hex;
}
inline constexpr std::array<char, 512> kHexLower = make_hex("0123456789abcdef");
inline constexpr std::array<char, 512> kHexUpper = make_hex("0123456789ABCDEF");

struct Octet {  // 0 … 255 with the dot behind it
  char text[4];
};
constexpr std::array<Octet, 256> make_octets() {
  std::array<Octet, 256> octets{};
  for (int i = 0; i < 256; ++i) {
    char* p = octets[i].text;
    if (i >= 100) *p++ = static_cast<char>('0' + i / 100);
    if (i >= 10) *p++ = static_cast<char>('0' + i / 10 % 10);
    *p++ = static_cast<char>('0' + i % 10);
    *p = '.';
  }
  return octets;
}
inline constexpr std::array<Octet, 256> kOctets = make_octets();

inline void put_two(char* out, std::uint32_t value) noexcept {
  std::memcpy(out, &kPairs[2 * value], 2);
}
inline char* put_octet(char* out, std::uint8_t value) noexcept {
  std::memcpy(out, kOctets[value].text, 4);
  return out + (value < 10 ? 2 : value < 100 ? 3 : 4);
}

// Eight digits of a number below 10^8 as eight bytes 0 … 9, the most significant first in memory:
// halves, then pairs, then digits, all lanes of the word at once. The multiplications are divisions
// by 100 and 10, exact for such lanes.
inline std::uint64_t eight_digits(std::uint32_t value) noexcept {
  const std::uint64_t halves = value / 10'000 | std::uint64_t{value % 10'000} << 32;
  const std::uint64_t hundreds = (halves * 10'486 >> 20) & 0x0000'007f'0000'007f;
  const std::uint64_t pairs = hundreds | (halves - 100 * hundreds) << 16;
  const std::uint64_t tens = (pairs * 103 >> 10) & 0x000f'000f'000f'000f;
  return tens | (pairs - 10 * tens) << 8;
}
// Per bit width: the digits of its numbers in the upper half, and below what carries into it from
// the next power of ten.
constexpr std::array<std::uint64_t, 33> make_digit_counts() {
  std::array<std::uint64_t, 33> counts{};
  for (int width = 1; width <= 32; ++width) {
    const std::uint64_t largest = (std::uint64_t{1} << width) - 1;
    std::uint64_t power = 10, digits = 1;  // digits of `largest`
    for (; power <= largest; power *= 10) ++digits;
    power /= 10;
    const bool is_mixed = power > largest / 2 + 1;  // some of this width have one digit less
    counts[width] = is_mixed ? (digits << 32) - power : digits << 32;
  }
  return counts;
}
inline constexpr auto kDigitCounts = make_digit_counts();

inline int digit_count(std::uint32_t value) noexcept {  // of a value above 0
  return static_cast<int>((value + kDigitCounts[std::bit_width(value)]) >> 32);
}

inline constexpr std::uint64_t kZeros = 0x3030'3030'3030'3030;  // the characters

inline void put_eight_digits(char* out, std::uint32_t value) noexcept {
  const std::uint64_t text = eight_digits(value) | kZeros;
  std::memcpy(out, &text, 8);
}

// The eight nibbles of `value` as lowercase hexadecimal digits, the most significant first in
// memory.
inline std::uint64_t eight_nibbles(std::uint32_t value) noexcept {
  std::uint64_t nibbles = __builtin_bswap32(value);
  nibbles = (nibbles | nibbles << 16) & 0x0000'ffff'0000'ffff;
  nibbles = (nibbles | nibbles << 8) & 0x00ff'00ff'00ff'00ff;
  nibbles = (nibbles >> 4 | nibbles << 8) & 0x0f0f'0f0f'0f0f'0f0f;
  const std::uint64_t letters = (nibbles + 0x0606'0606'0606'0606) >> 4 & 0x0101'0101'0101'0101;
  return nibbles + kZeros + letters * ('a' - '9' - 1);
}

}  // namespace text_format_detail

// Short texts as two copies of constant size that may overlap.
inline char* put_text(char* out, std::string_view text) noexcept {
  const std::size_t size = text.size();
  const auto copy_ends = [&]<std::size_t N>(std::integral_constant<std::size_t, N>) {
    std::memcpy(out, text.data(), N);
    std::memcpy(out + size - N, text.data() + size - N, N);
  };
  if (size > 32) {
    std::memcpy(out, text.data(), size);
  } else if (size >= 16) {
    copy_ends(std::integral_constant<std::size_t, 16>{});
  } else if (size >= 8) {
    copy_ends(std::integral_constant<std::size_t, 8>{});
  } else if (size >= 4) {
    copy_ends(std::integral_constant<std::size_t, 4>{});
  } else {
    for (std::size_t i = 0; i < size; ++i) out[i] = text[i];
  }
  return out + size;
}

// The end depends on the count of digits alone, which is known long before the digits: lines are
// bound by latency.
inline char* put_number(char* out, std::uint64_t value) noexcept {
  using namespace text_format_detail;
  if (value < 10) {
    *out = static_cast<char>('0' + value);
    return out + 1;
  }
  if (value < 100'000'000) [[likely]] {
    const int count = digit_count(static_cast<std::uint32_t>(value));
    const std::uint64_t digits = eight_digits(static_cast<std::uint32_t>(value)) | kZeros;
    const std::uint64_t text = digits >> (64 - 8 * count);
    std::memcpy(out, &text, 8);
    return out + count;
  }
  out = put_number(out, value / 100'000'000);  // at most 20 digits: twice
  put_eight_digits(out, static_cast<std::uint32_t>(value % 100'000'000));
  return out + 8;
}

// 32 lowercase hexadecimal digits, the high half first.
inline char* put_id(char* out, const Id128& id) noexcept {
  using namespace text_format_detail;
  const auto put_half = [](char* at, std::uint64_t half) {
    const std::uint64_t texts[2] = {eight_nibbles(static_cast<std::uint32_t>(half >> 32)),
                                    eight_nibbles(static_cast<std::uint32_t>(half))};
    std::memcpy(at, texts, sizeof texts);
  };
  put_half(out, id.high);
  put_half(out + 16, id.low);
  return out + 32;
}

// 00-00-5E-00-53-23, as ECS has it.
inline char* put_mac(char* out, const MacAddress& mac) noexcept {
  using namespace text_format_detail;
  for (const std::uint8_t byte : mac) {
    std::memcpy(out, &kHexUpper[2 * byte], 2);
    out[2] = '-';
    out += 3;
  }
  return out - 1;
}

inline char* put_ipv4(char* out, const std::uint8_t* address) noexcept {
  using namespace text_format_detail;
  for (int i = 0; i < 4; ++i) out = put_octet(out, address[i]);
  return out - 1;
}

char* put_ipv6(char* out, const std::uint8_t* address) noexcept;  // RFC 5952

// RFC 3339 in UTC with nanoseconds, for any Timestamp. Remembers the day it wrote last.
class TimeText {
 public:
  static constexpr std::size_t kBytes = 30;  // 2024-02-29T12:34:56.123456789Z

  TimeText() noexcept { remember_day(0); }

  char* put(char* out, Timestamp timestamp) noexcept {
    using namespace text_format_detail;
    const auto value = static_cast<std::uint64_t>(timestamp.value);
    std::uint64_t seconds = value / kSecond;
    auto nanoseconds = static_cast<std::uint32_t>(value % kSecond);
    if (timestamp.value > kTimestampFineMax) [[unlikely]] {
      const TimeParts parts = time_parts(timestamp);
      seconds = static_cast<std::uint64_t>(parts.seconds);
      nanoseconds = parts.nanoseconds;
    }
    if (seconds - day_start_ >= 86'400) [[unlikely]] {
      remember_day(seconds);
    }
    std::memcpy(out, date_, sizeof date_);
    // HH0MM0SS as one number; the two zeros between become colons ('0' | 10 is ':').
    const auto second_of_day = static_cast<std::uint32_t>(seconds - day_start_);
    const std::uint32_t clock =
        second_of_day / 3'600 * 1'000'000 + second_of_day / 60 % 60 * 1'000 + second_of_day % 60;
    const std::uint64_t text = eight_digits(clock) | kZeros | 0x0000'0a00'000a'0000;
    std::memcpy(out + 11, &text, 8);
    out[19] = '.';
    put_eight_digits(out + 20, nanoseconds / 10);
    out[28] = static_cast<char>('0' + nanoseconds % 10);
    out[29] = 'Z';
    return out + kBytes;
  }

 private:
  void remember_day(std::uint64_t seconds) noexcept;

  std::uint64_t day_start_ = 0;  // seconds since 1970
  char date_[12] = {};           // 2024-02-29T, and one byte for the constant size of the copy
};

// `text` as the inside of a JSON string: escaped, and each byte that is not valid UTF-8 replaced by
// U+FFFD.
void append_json_escaped(std::string& out, std::string_view text);
std::string json_escaped(std::string_view text);

}  // namespace linger
