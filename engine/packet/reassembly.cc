#include "engine/packet/reassembly.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace linger {
namespace {

constexpr std::uint32_t kWordUnits = 64;

// The bits of the units [from, to) of a chunk that are in its word `word`.
constexpr std::uint64_t mask_of(std::uint32_t from, std::uint32_t to, std::uint32_t word) noexcept {
  const std::uint32_t first = word * kWordUnits;
  const std::uint32_t low = std::clamp(from, first, first + kWordUnits) - first;
  const std::uint32_t high = std::clamp(to, first, first + kWordUnits) - first;
  const std::uint64_t below_high = high == kWordUnits ? ~std::uint64_t{0} : (1ULL << high) - 1;
  const std::uint64_t below_low = low == kWordUnits ? ~std::uint64_t{0} : (1ULL << low) - 1;
  return below_high & ~below_low;
}

bool has_seen(const Chunk& chunk, std::uint32_t unit) noexcept {
  return (chunk.seen[unit / kWordUnits] >> unit % kWordUnits & 1) != 0;
}

}  // namespace

std::uint32_t ChunkPool::take() noexcept {
  DCHECK(free_count_ != 0);
  --free_count_;
  std::uint32_t number = given_back_;
  if (number == 0) {
    number = fresh_++;
  } else {
    given_back_ = static_cast<std::uint32_t>(chunks_[number].seen[0]);
  }
  chunks_[number].seen = {};
  return number;
}

void ChunkPool::give_back(std::uint32_t number) noexcept {
  chunks_[number].seen[0] = given_back_;
  given_back_ = number;
  ++free_count_;
}

// Leaves of a part what agrees with the length known so far; false: it contradicted it.
bool Assembly::reconcile(Part& part) const noexcept {
  const std::uint32_t part_end = part.offset + part.bytes;
  const bool is_behind = length != kUnknown && part_end > length;
  const bool is_other_end =
      part.is_last && (length != kUnknown ? part_end != length : part_end < end);
  if (!is_behind && !is_other_end) return true;
  part.is_last = false;
  if (is_behind) {
    part.bytes = length - std::min(part.offset, length);
  } else {
    part.bytes -= part.bytes % Chunk::kUnitBytes;
  }
  part.captured = std::min(part.captured, part.bytes);
  return false;
}

Fit Assembly::add(Part part, ChunkPool& pool) noexcept {
  const bool agrees = reconcile(part);
  if (part.bytes == 0 && !part.is_last) return Fit::overlapping;
  const std::uint32_t part_end = part.offset + part.bytes;
  if (part.is_last) length = part_end;
  end = std::max(end, part_end);
  if (part.bytes == 0) return Fit::fresh;  // only tells the length

  bool differs = false;
  std::uint32_t seen_before = 0;
  const std::uint32_t last_chunk = (part_end - 1) / Chunk::kBytes;
  for (std::uint32_t i = part.offset / Chunk::kBytes; i <= last_chunk; ++i) {
    seen_before += add_to_chunk(part, i, pool, differs);
  }
  const std::uint32_t units = (part.bytes + Chunk::kUnitBytes - 1) / Chunk::kUnitBytes;
  if (part.captured < part.bytes && seen_before != units) {
    readable_end = std::min(readable_end, part.offset + part.captured);
  }
  units_seen += units - seen_before;
  if (!agrees) return Fit::overlapping;
  if (seen_before == 0) return Fit::fresh;
  return seen_before == units && !differs ? Fit::duplicate : Fit::overlapping;
}

// What of the part lies in chunk `index`. Returns how many of its units had come before.
std::uint32_t Assembly::add_to_chunk(const Part& part, std::uint32_t index, ChunkPool& pool,
                                     bool& differs) noexcept {
  if (chunk[index] == 0) chunk[index] = pool.take();
  Chunk& to = pool[chunk[index]];
  const std::uint32_t base = index * Chunk::kBytes;
  const std::uint32_t from_byte = std::max(part.offset, base);
  const std::uint32_t to_byte = std::min(part.offset + part.bytes, base + Chunk::kBytes);
  const std::uint32_t from_unit = (from_byte - base) / Chunk::kUnitBytes;
  const std::uint32_t to_unit = (to_byte - base + Chunk::kUnitBytes - 1) / Chunk::kUnitBytes;
  const std::uint32_t captured_end = part.offset + part.captured;

  // Bytes [begin, stop) of the datagram, as far as they were captured.
  const auto captured_of = [&](std::uint32_t begin, std::uint32_t stop, std::uint32_t limit) {
    return std::min({stop, captured_end, limit}) - std::min({begin, captured_end, limit});
  };
  std::uint32_t seen_before = 0;
  for (std::uint32_t word = 0; word < to.seen.size(); ++word) {
    const std::uint64_t mask = mask_of(from_unit, to_unit, word);
    seen_before += static_cast<std::uint32_t>(std::popcount(to.seen[word] & mask));
  }
  if (seen_before == 0) {
    const std::uint32_t bytes = captured_of(from_byte, to_byte, kUnknown);
    if (bytes != 0) {
      std::memcpy(to.bytes.data() + (from_byte - base), part.data + (from_byte - part.offset),
                  bytes);
    }
  } else {
    for (std::uint32_t unit = from_unit; unit < to_unit; ++unit) {
      const std::uint32_t begin = base + unit * Chunk::kUnitBytes;
      const std::uint32_t stop = std::min(begin + Chunk::kUnitBytes, to_byte);
      std::uint8_t* place = to.bytes.data() + (begin - base);
      const std::uint8_t* data = part.data + (begin - part.offset);
      if (!has_seen(to, unit)) {
        const std::uint32_t bytes = captured_of(begin, stop, kUnknown);
        if (bytes != 0) std::memcpy(place, data, bytes);
      } else if (const std::uint32_t bytes = captured_of(begin, stop, readable_end); bytes != 0) {
        differs |= std::memcmp(place, data, bytes) != 0;
      }
    }
  }
  for (std::uint32_t word = 0; word < to.seen.size(); ++word) {
    to.seen[word] |= mask_of(from_unit, to_unit, word);
  }
  return seen_before;
}

std::uint32_t Assembly::beginning_bytes(const ChunkPool& pool) const noexcept {
  std::uint32_t units = 0;
  for (std::uint32_t i = 0; i < kChunksMax && chunk[i] != 0; ++i) {
    for (const std::uint64_t word : pool[chunk[i]].seen) {
      units += static_cast<std::uint32_t>(std::countr_one(word));
      if (word != ~std::uint64_t{0}) return std::min({units * Chunk::kUnitBytes, end, length});
    }
  }
  return std::min({units * Chunk::kUnitBytes, end, length});
}

void Assembly::copy_to(std::uint8_t* to, std::uint32_t bytes,
                       const ChunkPool& pool) const noexcept {
  for (std::uint32_t i = 0; i < kChunksMax && bytes != 0; ++i) {
    const std::uint32_t part = std::min(bytes, Chunk::kBytes);
    std::memcpy(to, pool[chunk[i]].bytes.data(), part);
    to += part;
    bytes -= part;
  }
}

void Assembly::give_back(ChunkPool& pool) noexcept {
  for (std::uint32_t& number : chunk) {
    if (number != 0) pool.give_back(number);
    number = 0;
  }
}

}  // namespace linger
