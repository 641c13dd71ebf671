#include "output/text_format.h"

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>

#include "engine/base/bytes.h"
#include "engine/base/utf8.h"

namespace linger {

namespace {

using text_format_detail::kHexLower;

// The first longest run of at least two zeros in eight groups, for each set of zero groups.
struct ZeroRun {
  std::int8_t start = -1;
  std::int8_t length = 0;
};
constexpr std::array<ZeroRun, 256> make_zero_runs() {
  std::array<ZeroRun, 256> runs{};
  for (unsigned zeros = 0; zeros < 256; ++zeros) {
    for (std::int8_t start = 0; start < 8; ++start) {
      std::int8_t length = 0;
      while (start + length < 8 && (zeros >> (start + length) & 1) != 0) ++length;
      if (length >= 2 && length > runs[zeros].length) runs[zeros] = {start, length};
    }
  }
  return runs;
}
constexpr std::array<ZeroRun, 256> kZeroRuns = make_zero_runs();

// Up to four hexadecimal digits without leading zeros.
char* put_group(char* out, std::uint32_t group) noexcept {
  const int count = std::max(1, static_cast<int>(std::bit_width(group) + 3) / 4);
  const std::uint64_t text = text_format_detail::eight_nibbles(group) >> (64 - 8 * count);
  std::memcpy(out, &text, 8);
  return out + count;
}

}  // namespace

// RFC 5952: lowercase, no leading zeros, the first longest run of at least two zero groups as "::"
// (§4); an IPv4-mapped address ends in dotted decimals (§5).
char* put_ipv6(char* out, const std::uint8_t* address) noexcept {
  std::uint32_t groups[8];
  unsigned zeros = 0;
  for (int i = 0; i < 8; ++i) {
    groups[i] = load_be16(address + 2 * i);
    zeros |= unsigned{groups[i] == 0} << i;
  }
  const auto [run_start, run_length] = kZeroRuns[zeros];
  const bool is_mapped = run_start == 0 && run_length == 5 && groups[5] == 0xffff;
  for (int i = 0; i < (is_mapped ? 6 : 8); ++i) {
    if (i == run_start) {
      *out++ = ':';
      if (i == 0) *out++ = ':';
      i += run_length - 1;
      continue;
    }
    out = put_group(out, groups[i]);
    if (i != 7) *out++ = ':';
  }
  return is_mapped ? put_ipv4(out, address + 12) : out;
}

void TimeText::remember_day(std::uint64_t seconds) noexcept {
  const auto day = static_cast<int>(seconds / 86'400);
  const std::chrono::year_month_day date{std::chrono::sys_days{std::chrono::days{day}}};
  const auto year = static_cast<std::uint32_t>(static_cast<int>(date.year()));
  text_format_detail::put_two(date_, year / 100);
  text_format_detail::put_two(date_ + 2, year % 100);
  text_format_detail::put_two(date_ + 5, static_cast<unsigned>(date.month()));
  text_format_detail::put_two(date_ + 8, static_cast<unsigned>(date.day()));
  date_[4] = date_[7] = '-';
  date_[10] = 'T';
  day_start_ = seconds / 86'400 * 86'400;
}

void append_json_escaped(std::string& out, std::string_view text) {
  const auto is_plain = [](char c) {
    return c >= 0x20 && c != '"' && c != '\\';  // negative: not ASCII
  };
  while (!text.empty()) {
    const auto run = static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), is_plain) -
                                              text.begin());
    out.append(text.data(), run);
    text.remove_prefix(run);
    if (text.empty()) break;
    const std::size_t length = utf8_length(text);
    const auto byte = static_cast<std::uint8_t>(text[0]);
    if (length == 0) {
      out += "\xef\xbf\xbd";  // U+FFFD
    } else if (byte == '"' || byte == '\\') {
      out += {'\\', text[0]};
    } else if (byte < 0x20) {
      out += {'\\', 'u', '0', '0', kHexLower[2 * byte], kHexLower[2 * byte + 1]};
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
}

std::string json_escaped(std::string_view text) {
  std::string out;
  append_json_escaped(out, text);
  return out;
}

}  // namespace linger
