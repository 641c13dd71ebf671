// MD5, SHA-1 and SHA-256 of some bytes, as hexadecimal digits. No allocation; 0.2 to 2 µs. And a
// number that tells bytes from others where a mistake costs little, in 2 ns for each 8 of them.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
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

// Multiply and shift, 8 bytes at a time.
inline std::uint32_t short_digest(Bytes bytes) noexcept {
  std::uint64_t digest = bytes.size();
  const auto add = [&](std::uint64_t word) {
    digest = (digest ^ word) * 0x9e37'79b9'7f4a'7c15;
    digest ^= digest >> 29;
  };
  for (; bytes.size() >= 8; bytes = bytes.subspan(8)) add(load_le64(bytes.data()));
  std::uint64_t rest = 0;
  if (!bytes.empty()) std::memcpy(&rest, bytes.data(), bytes.size());
  add(rest);
  return static_cast<std::uint32_t>(digest >> 32);
}

}  // namespace linger
