// Lines of text protocols and what is often asked of them. ASCII; no state, nothing is copied.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "engine/base/bytes.h"

namespace linger {

// What may follow them: the first byte of TLS (RFC 8446 §5.1).
inline constexpr std::uint8_t kTlsHandshake = 22;

inline std::string_view text_of(Bytes bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// The line without its end, which is LF or CRLF; `taken`: bytes of both, 0 if there is no end.
inline Bytes line_of(Bytes bytes, std::size_t& taken) noexcept {
  taken = 0;
  if (bytes.empty()) return {};
  const void* end = std::memchr(bytes.data(), '\n', bytes.size());
  if (end == nullptr) return {};
  taken = static_cast<std::size_t>(static_cast<const std::uint8_t*>(end) - bytes.data()) + 1;
  const std::size_t length = taken >= 2 && bytes[taken - 2] == '\r' ? taken - 2 : taken - 1;
  return bytes.first(length);
}

inline bool is_digits(std::string_view text) noexcept {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// ASCII, `lower` is in lower case and of letters, blanks and '-'.
inline bool equals(std::string_view text, std::string_view lower) noexcept {
  if (text.size() != lower.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i)
    if ((text[i] | 0x20) != lower[i]) return false;
  return true;
}

inline std::string_view trimmed(std::string_view text) noexcept {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

// Whether what comes of a side are lines: behind a gap it may be the middle of one, or surely is.
class LineFront {
 public:
  bool is_sure() const noexcept { return state_ == State::sure; }
  void miss(bool is_torn) noexcept { state_ = is_torn ? State::torn : State::unsure; }
  // What was torn has come to its end, in the gap or not.
  void end_line() noexcept {
    if (state_ == State::torn) state_ = State::unsure;
  }
  // A line's end has come. False: it is to be passed over. `looks_whole`: by its first word.
  bool admits(bool looks_whole) noexcept {
    const bool is_whole = state_ == State::sure || (state_ == State::unsure && looks_whole);
    state_ = is_whole ? State::sure : State::unsure;
    return is_whole;
  }

 private:
  enum class State : std::uint8_t { sure, unsure, torn };
  State state_ = State::sure;
};

}  // namespace linger
