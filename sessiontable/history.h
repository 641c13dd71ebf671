// What happened in a TCP session, in order: Zeek's history letters, each once for each side.
//
//     early_   | code 0 | code 1 | … | code 11 |   five bits each: letter << 1 | side; 0: none
//     late_    | code 12 | code 13 | code 14 |
//
// Limit: kHistoryMax letters, later ones are left out. Owner: the shard of its session.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace linger {

inline constexpr std::size_t kHistoryMax = 15;

class History {
 public:
  static constexpr std::string_view kLetters = "SHADFRGTW";

  // Letter i: upper case for what `originator` did, lower case for the other side; '\0': none.
  constexpr char letter(std::size_t i, unsigned originator) const noexcept {
    return kText[code_at(i) ^ originator];
  }

  // `letter` is one of kLetters.
  constexpr void write(unsigned side, char letter) noexcept {
    const unsigned code = code_of(side, letter);
    const auto early = std::bit_cast<std::uint64_t>(early_);
    if (holds(early, code)) return;
    if (early >> (kBits * (kEarly - 1)) == 0) {
      const unsigned count = (static_cast<unsigned>(std::bit_width(early)) + kBits - 1) / kBits;
      early_ = std::bit_cast<decltype(early_)>(early | std::uint64_t{code} << kBits * count);
      return;
    }
    for (std::size_t i = kEarly; i < kHistoryMax; ++i) {
      const unsigned there = code_at(i);
      if (there == code) return;
      if (there == 0) return set(i, code);
    }
  }

  constexpr void erase(unsigned side, char letter) noexcept {
    const unsigned code = code_of(side, letter);
    std::size_t i = 0;
    while (i < kHistoryMax && code_at(i) != code) ++i;
    for (; i < kHistoryMax; ++i) set(i, i + 1 < kHistoryMax ? code_at(i + 1) : 0);
  }

  friend bool operator==(const History&, const History&) = default;

 private:
  static constexpr unsigned kBits = 5;
  static constexpr std::size_t kEarly = 12;

  static constexpr auto kCodes = [] {
    std::array<std::uint8_t, 128> codes{};
    for (std::size_t i = 0; i < kLetters.size(); ++i)
      codes[static_cast<std::size_t>(kLetters[i])] = static_cast<std::uint8_t>((i + 1) << 1);
    return codes;
  }();
  // Of code ^ originator: of an equal side both bits are equal.
  static constexpr auto kText = [] {
    std::array<char, 1u << kBits> text{};
    for (std::size_t i = 0; i < kLetters.size(); ++i) {
      text[(i + 1) << 1] = kLetters[i];
      text[(i + 1) << 1 | 1] = static_cast<char>(kLetters[i] | 0x20);
    }
    return text;
  }();
  static constexpr unsigned code_of(unsigned side, char letter) noexcept {
    return kCodes[static_cast<std::size_t>(letter)] | side;
  }
  // Whether one of twelve codes is this one: whether one of their differences is 0.
  static constexpr bool holds(std::uint64_t codes, unsigned code) noexcept {
    constexpr std::uint64_t kOnes = 0x0084'2108'4210'8421;  // in each code its lowest bit
    const std::uint64_t difference = codes ^ kOnes * code;
    return ((difference - kOnes) & ~difference & kOnes << (kBits - 1)) != 0;
  }
  constexpr unsigned code_at(std::size_t i) const noexcept {
    const auto early = std::bit_cast<std::uint64_t>(early_);
    return static_cast<unsigned>(i < kEarly ? early >> kBits * i : late_ >> kBits * (i - kEarly)) &
           31u;
  }
  constexpr void set(std::size_t i, unsigned code) noexcept {
    const auto put = [code](std::uint64_t codes, std::size_t place) {
      const std::size_t shift = kBits * place;
      return (codes & ~(std::uint64_t{31} << shift)) | std::uint64_t{code} << shift;
    };
    if (i < kEarly) {
      early_ = std::bit_cast<decltype(early_)>(put(std::bit_cast<std::uint64_t>(early_), i));
    } else {
      late_ = static_cast<std::uint16_t>(put(late_, i - kEarly));
    }
  }

  std::array<std::uint16_t, 4> early_{};
  std::uint16_t late_ = 0;
};
static_assert(sizeof(History) == 10);

}  // namespace linger
