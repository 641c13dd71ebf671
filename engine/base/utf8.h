// UTF-8 as RFC 3629 §4 has it: no overlong forms, no surrogates, nothing above U+10FFFF. Any
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace linger {

// Of the well-formed sequence at the front of `text`, which is not empty; 0: there is none.
inline std::size_t utf8_length(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const auto continues = [&](std::size_t i) { return i < text.size() && (byte(i) & 0xc0) == 0x80; };
  const std::uint8_t first = byte(0);
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  if (!continues(1)) return 0;
  if (first < 0xe0) return 2;
  if ((first == 0xe0 && byte(1) < 0xa0) || (first == 0xed && byte(1) > 0x9f)) return 0;
  if (!continues(2)) return 0;
  if (first < 0xf0) return 3;
  if ((first == 0xf0 && byte(1) < 0x90) || (first == 0xf4 && byte(1) > 0x8f)) return 0;
  return continues(3) ? 4 : 0;
}

}  // namespace linger
