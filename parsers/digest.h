// MD5, SHA-1 and SHA-256 of some bytes, as hexadecimal digits. No allocation; 0.2 to 2 µs.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "engine/base/bytes.h"

namespace linger {

enum class DigestKind : std::uint8_t { md5, sha1, sha256 };
enum class DigestCase : std::uint8_t { lower, upper };

class Digest {
 public:
  Digest(DigestKind kind, Bytes bytes, DigestCase letters = DigestCase::lower) noexcept;
  Digest(DigestKind kind, std::string_view text) noexcept
      : Digest(kind, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}) {}

  std::string_view text() const noexcept { return {digits_.data(), size_}; }

 private:
  std::array<char, 64> digits_;
  std::size_t size_;
};

}  // namespace linger
