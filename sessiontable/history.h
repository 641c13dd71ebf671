// What happened in a TCP session, in order: Zeek's history letters, each once for each side.
//
//     words[0]  | code 0 | code 1 | code 2 |   five bits each: letter << 1 | side; 0: none
//     …
//     words[4]  | code 12 … 14             |
//
// Limit: kHistoryMax letters, later ones are left out. Owner: the shard of its session.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace linger {

inline constexpr std::size_t kHistoryMax = 15;

class History {
 public:
  static constexpr std::string_view kLetters = "SHADFRGTW";

  struct Event {
    char letter = '\0';  // upper case; '\0': none
    unsigned side = 0;
  };

  constexpr Event operator[](std::size_t i) const noexcept {
    const unsigned code = code_at(i);
    return code == 0 ? Event{} : Event{kLetters[code / 2 - 1], code & 1};
  }

  // `letter` is one of kLetters.
  constexpr void write(unsigned side, char letter) noexcept {
    const unsigned code = code_of(side, letter);
    for (std::size_t i = 0; i < kHistoryMax; ++i) {
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
  static constexpr unsigned kPerWord = 3;

  static constexpr unsigned code_of(unsigned side, char letter) noexcept {
    return static_cast<unsigned>(kLetters.find(letter) + 1) << 1 | side;
  }
  static constexpr unsigned shift_of(std::size_t i) noexcept {
    return static_cast<unsigned>(i % kPerWord) * 5;
  }
  constexpr unsigned code_at(std::size_t i) const noexcept {
    return words_[i / kPerWord] >> shift_of(i) & 31u;
  }
  constexpr void set(std::size_t i, unsigned code) noexcept {
    std::uint16_t& word = words_[i / kPerWord];
    word = static_cast<std::uint16_t>((word & ~(31u << shift_of(i))) | code << shift_of(i));
  }

  std::array<std::uint16_t, kHistoryMax / kPerWord> words_{};
};
static_assert(sizeof(History) == 10);

}  // namespace linger
