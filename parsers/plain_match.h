// The patterns of parsers without Hyperscan: for a build that has none, and as the twin that the
// other one is compared with.
//
//     ^  byte  .  \xNN  \r  \n  \t  \. …  [a-z\x00]  [^…]  (…|…)  x{n}  x{n,m}  x?  (?i)
//
// Matches from the first byte, and only the first kBytesMax. All places that could have been
// reached are carried along, so that no pattern takes longer than its length times that of the
// bytes. Nothing is compiled or allocated. Cost: 50 ns to refuse, a few hundred to match.
#pragma once

#include <algorithm>
#include <bitset>
#include <cstdint>
#include <optional>
#include <string_view>

#include "engine/base/bytes.h"

namespace linger {

class PlainMatch {
 public:
  static constexpr std::size_t kBytesMax = 128;

  PlainMatch(std::string_view pattern, Bytes bytes) noexcept
      : pattern_(pattern), bytes_(bytes.first(std::min(bytes.size(), kBytesMax))) {}

  // Where the shortest match ends.
  std::optional<std::uint32_t> end() noexcept {
    at_ = pattern_.starts_with('^') ? 1 : 0;
    Places begin;
    begin.set(0);
    const Places ends = alternatives(begin);
    if (ends.none()) return {};
    return static_cast<std::uint32_t>(ends._Find_first());
  }

 private:
  using Places = std::bitset<kBytesMax + 1>;
  using ByteSet = std::bitset<256>;

  bool is_at(char c) const noexcept { return at_ < pattern_.size() && pattern_[at_] == c; }
  bool take(char c) noexcept {
    const bool is_there = is_at(c);
    if (is_there) ++at_;
    return is_there;
  }

  Places alternatives(const Places& from) noexcept {
    Places all = sequence(from);
    while (take('|')) all |= sequence(from);
    return all;
  }

  Places sequence(Places places) noexcept {
    while (at_ < pattern_.size() && !is_at('|') && !is_at(')')) {
      places = repeated(places);
      if (places.none() && is_one_) at_ = pattern_.size();
    }
    return places;
  }

  Places repeated(const Places& from) noexcept {
    const std::size_t begin = at_;
    Places places = atom(from);
    unsigned min = 1, max = 1;
    read_count(min, max);
    const std::size_t behind = at_;
    Places all = min == 0 ? from : Places{};
    for (unsigned i = 1; i <= max; ++i) {
      if (i >= min) all |= places;
      at_ = begin;
      if (i < max) places = atom(places);
    }
    at_ = behind;
    return all;
  }

  void read_count(unsigned& min, unsigned& max) noexcept {
    if (take('?')) {
      min = 0;
    } else if (take('{')) {
      min = max = number();
      if (take(',')) max = number();
      take('}');
    }
  }
  unsigned number() noexcept {
    unsigned value = 0;
    for (; at_ < pattern_.size() && pattern_[at_] >= '0' && pattern_[at_] <= '9'; ++at_)
      value = 10 * value + static_cast<unsigned>(pattern_[at_] - '0');
    return value;
  }

  Places atom(const Places& from) noexcept {
    if (constexpr std::string_view kCaseless = "(?i)";
        pattern_.substr(at_).starts_with(kCaseless)) {
      at_ += kCaseless.size();
      is_caseless_ = true;
      return from;
    }
    if (take('(')) {
      const Places to = alternatives(from);
      take(')');
      return to;
    }
    const ByteSet set = byte_set();
    Places to;
    for (std::size_t i = from._Find_first(); i < bytes_.size(); i = from._Find_next(i))
      if (set[bytes_[i]] || (is_caseless_ && set[other_case(bytes_[i])])) to.set(i + 1);
    return to;
  }

  static constexpr std::uint8_t other_case(std::uint8_t c) noexcept {
    const std::uint8_t lower = c | 0x20;
    return lower >= 'a' && lower <= 'z' ? c ^ 0x20 : c;
  }

  ByteSet byte_set() noexcept {
    ByteSet set;
    if (take('.')) return set.set();
    if (!take('[')) return set.set(byte());
    const bool is_inverse = take('^');
    do {
      const unsigned first = byte();
      const bool is_range = is_at('-') && !pattern_.substr(at_).starts_with("-]");
      if (is_range) ++at_;
      const unsigned last = is_range ? byte() : first;
      for (unsigned i = first; i <= last; ++i) set.set(i);
    } while (at_ < pattern_.size() && !take(']'));
    return is_inverse ? ~set : set;
  }

  unsigned byte() noexcept {
    const auto next = [&] {
      return at_ < pattern_.size() ? static_cast<std::uint8_t>(pattern_[at_++]) : std::uint8_t{0};
    };
    const unsigned c = next();
    if (c != '\\') return c;
    const unsigned escaped = next();
    const auto digit = [](unsigned d) { return d <= '9' ? d - '0' : (d | 0x20) - 'a' + 10; };
    if (escaped == 'x') {
      const unsigned high = digit(next());
      return (high << 4 | digit(next())) & 0xff;
    }
    return escaped == 'r' ? '\r' : escaped == 'n' ? '\n' : escaped == 't' ? '\t' : escaped;
  }

  const std::string_view pattern_;
  const Bytes bytes_;
  const bool is_one_ = pattern_.find('|') == std::string_view::npos;  // without alternatives
  bool is_caseless_ = false;
  std::size_t at_ = 0;  // in the pattern
};

}  // namespace linger
