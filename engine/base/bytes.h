// The only place that turns wire bytes into integers. Network byte order unless the name says le.
//
// Reader: a non-owning view whose failure is sticky, so straight-line code needs one check at its
// end. It compares what remains, never a moved pointer; a failed read returns zeros and consumes
// everything. A Reader never reads past `remaining()`, whatever length the packet claims.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace linger {

using Bytes = std::span<const std::uint8_t>;

inline std::uint16_t load_be16(const std::uint8_t* p) noexcept {
  std::uint16_t v;
  std::memcpy(&v, p, sizeof v);
  return __builtin_bswap16(v);
}
inline std::uint32_t load_be24(const std::uint8_t* p) noexcept {
  return std::uint32_t{p[0]} << 16 | load_be16(p + 1);
}
inline std::uint32_t load_be32(const std::uint8_t* p) noexcept {
  std::uint32_t v;
  std::memcpy(&v, p, sizeof v);
  return __builtin_bswap32(v);
}
inline std::uint64_t load_be64(const std::uint8_t* p) noexcept {
  std::uint64_t v;
  std::memcpy(&v, p, sizeof v);
  return __builtin_bswap64(v);
}
inline std::uint16_t load_le16(const std::uint8_t* p) noexcept {
  std::uint16_t v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
inline std::uint32_t load_le32(const std::uint8_t* p) noexcept {
  std::uint32_t v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
inline std::uint64_t load_le64(const std::uint8_t* p) noexcept {
  std::uint64_t v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "linger runs on x86-64 and other little-endian machines");

// A header of N bytes, already checked to be there: be16<4>(block) reads at offset 4, checked at
// compile time.
template <std::size_t N>
struct Block {
  const std::uint8_t* data;
};
template <std::size_t Offset, std::size_t N>
std::uint8_t u8(Block<N> block) noexcept {
  static_assert(Offset + 1 <= N);
  return block.data[Offset];
}
template <std::size_t Offset, std::size_t N>
std::uint16_t be16(Block<N> block) noexcept {
  static_assert(Offset + 2 <= N);
  return load_be16(block.data + Offset);
}
template <std::size_t Offset, std::size_t N>
std::uint32_t be32(Block<N> block) noexcept {
  static_assert(Offset + 4 <= N);
  return load_be32(block.data + Offset);
}

class Reader {
 public:
  constexpr Reader(const std::uint8_t* data, std::size_t bytes) noexcept
      : data_(data), remaining_(bytes) {}
  constexpr explicit Reader(Bytes bytes) noexcept : Reader(bytes.data(), bytes.size()) {}

  bool ok() const noexcept { return ok_; }
  std::size_t remaining() const noexcept { return remaining_; }
  const std::uint8_t* position() const noexcept { return data_; }

  // N bytes as a Block; zeros when they are not there.
  template <std::size_t N>
  Block<N> block() noexcept {
    static constexpr std::uint8_t kZeros[N] = {};
    return take(N) ? Block<N>{data_ - N} : Block<N>{kZeros};
  }
  std::uint8_t u8() noexcept { return take(1) ? data_[-1] : std::uint8_t{0}; }
  std::uint16_t be16() noexcept { return take(2) ? load_be16(data_ - 2) : std::uint16_t{0}; }
  std::uint32_t be32() noexcept { return take(4) ? load_be32(data_ - 4) : 0; }
  void skip(std::size_t bytes) noexcept { take(bytes); }
  Bytes bytes(std::size_t count) noexcept {
    return take(count) ? Bytes{data_ - count, count} : Bytes{};
  }

 private:
  bool take(std::size_t bytes) noexcept {
    if (bytes > remaining_) {
      ok_ = false;
      data_ += remaining_;
      remaining_ = 0;
      return false;
    }
    data_ += bytes;
    remaining_ -= bytes;
    return true;
  }

  const std::uint8_t* data_;
  std::size_t remaining_;
  bool ok_ = true;
};

}  // namespace linger
