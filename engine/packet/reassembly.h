// The bytes of one IP datagram while its fragments come in, in any order.
//
//     Assembly.chunk   0        1        2     …  31      2 KiB each, taken as bytes come
//                      |        |        |
//     Chunk            seen: a bit for each 8 bytes (RFC 791 §3.2: fragments begin at multiples of
//                      8); bytes, each at its place in the datagram
//
// Overlaps: the bytes that came first stay, and so does the length that was told first: what lies
// behind it is left out, and what ends before bytes seen is no end. The caller hears of it (Fit)
// and may discard the datagram instead. Bytes that a snap length cut count as seen, but nothing
// from the first of them on can be read.
//
// Owner: one Defrag. Memory: the pool's chunks, taken at start and touched as they are used. Cost:
// one copy in, one copy out; a bit operation for each 512 bytes unless fragments overlap.
#pragma once

#include <array>
#include <cstdint>

#include "engine/base/mapping.h"

namespace linger {

struct Chunk {
  static constexpr std::uint32_t kBytes = 2'048;
  static constexpr std::uint32_t kUnitBytes = 8;
  static constexpr std::uint32_t kUnits = kBytes / kUnitBytes;

  std::array<std::uint64_t, kUnits / 64> seen;
  std::array<std::uint8_t, kBytes> bytes;
};

// Chunks by number, from 1 on; 0 is none.
class ChunkPool {
 public:
  explicit ChunkPool(std::uint32_t count) : chunks_(count + std::size_t{1}), free_count_(count) {}

  std::uint32_t take() noexcept;  // nothing seen; there must be a free one
  void give_back(std::uint32_t number) noexcept;
  Chunk& operator[](std::uint32_t number) noexcept { return chunks_[number]; }
  const Chunk& operator[](std::uint32_t number) const noexcept { return chunks_[number]; }

  std::uint32_t free_count() const noexcept { return free_count_; }

 private:
  Array<Chunk> chunks_;
  std::uint32_t free_count_;
  std::uint32_t fresh_ = 1;       // this one and those behind it were never used
  std::uint32_t given_back_ = 0;  // the last one; its seen[0] names the one before
};

// A fragment's bytes and where they belong. offset + bytes <= 65,535.
struct Part {
  std::uint32_t offset;
  std::uint32_t bytes;     // a multiple of 8 unless it is the last
  std::uint32_t captured;  // of them
  const std::uint8_t* data;
  bool is_last;
};

enum class Fit : std::uint8_t {
  fresh,        // all its bytes are new
  duplicate,    // none is new, and none differs
  overlapping,  // some came before: of those the first stay; or it contradicted the known length
};

struct Assembly {
  static constexpr std::uint32_t kChunksMax = 65'536 / Chunk::kBytes;
  static constexpr std::uint32_t kUnknown = UINT32_MAX;

  std::array<std::uint32_t, kChunksMax> chunk{};
  std::uint32_t units_seen = 0;
  std::uint32_t end = 0;                  // of the last byte seen
  std::uint32_t length = kUnknown;        // of the datagram
  std::uint32_t readable_end = kUnknown;  // the capture lacks what is behind

  // The pool has room for all chunks of the part.
  Fit add(Part part, ChunkPool& pool) noexcept;
  bool is_complete() const noexcept {
    return length != kUnknown && units_seen == (length + Chunk::kUnitBytes - 1) / Chunk::kUnitBytes;
  }
  // Bytes from the first on without a hole.
  std::uint32_t beginning_bytes(const ChunkPool& pool) const noexcept;
  // The first `bytes` of them, without a hole.
  void copy_to(std::uint8_t* to, std::uint32_t bytes, const ChunkPool& pool) const noexcept;
  void give_back(ChunkPool& pool) noexcept;

 private:
  bool reconcile(Part& part) const noexcept;
  std::uint32_t add_to_chunk(const Part& part, std::uint32_t index, ChunkPool& pool,
                             bool& differs) noexcept;
};

}  // namespace linger
