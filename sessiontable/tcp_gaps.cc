#include "sessiontable/tcp_gaps.h"

#include <algorithm>

#include "sessiontable/planted.h"

namespace linger {
namespace {

bool is_of(const Extension& e, unsigned i, unsigned side) noexcept {
  return (e.gap_side_bits >> i & 1u) == side;
}

void append(Extension& e, unsigned side, Gap gap) noexcept {
  e.gaps[e.gap_count] = gap;
  const auto bit = static_cast<std::uint8_t>(1u << e.gap_count);
  e.gap_side_bits =
      static_cast<std::uint8_t>(side != 0 ? e.gap_side_bits | bit : e.gap_side_bits & ~bit);
  ++e.gap_count;
}

void erase(Extension& e, unsigned i) noexcept {
  for (unsigned j = i; j + 1u < e.gap_count; ++j) e.gaps[j] = e.gaps[j + 1];
  const unsigned below = e.gap_side_bits & ((1u << i) - 1);
  const unsigned above = (e.gap_side_bits >> PLANTED(13, i + 1, i)) << i;
  e.gap_side_bits = static_cast<std::uint8_t>(below | above);
  --e.gap_count;
}

}  // namespace

void add_gap(Extension& e, unsigned side, std::uint32_t begin, std::uint32_t end) noexcept {
  const std::uint32_t room = UINT32_MAX - e.gap_bytes[side];
  e.gap_bytes[side] += std::min(end - begin, room);
  if (e.gap_count == kGapsMax) {  // the oldest stays a loss
    std::copy(e.gaps.begin() + 1, e.gaps.end(), e.gaps.begin());
    e.gap_side_bits = static_cast<std::uint8_t>(e.gap_side_bits >> 1);
    --e.gap_count;
  }
  append(e, side, {begin, end});
}

std::uint32_t fill_gaps(Extension& e, unsigned side, std::uint32_t begin,
                        std::uint32_t end) noexcept {
  std::uint32_t filled = 0;
  for (unsigned i = 0; i < e.gap_count;) {
    Gap& gap = e.gaps[i];
    const std::uint32_t low = seq_after(begin, gap.begin) ? begin : gap.begin;
    const std::uint32_t high = seq_before(end, gap.end) ? end : gap.end;
    if (!is_of(e, i, side) || !seq_before(low, high)) {
      ++i;
      continue;
    }
    filled += high - low;
    const Gap before{gap.begin, low};
    const Gap after{high, gap.end};
    if (before.begin == before.end && after.begin == after.end) {
      erase(e, i);
      continue;
    }
    if (before.begin == before.end) {
      gap = after;
    } else if (after.begin == after.end) {
      gap = before;
    } else if (e.gap_count < kGapsMax) {
      gap = before;
      append(e, side, after);
    } else {
      gap = before.end - before.begin > after.end - after.begin ? before : after;
    }
    ++i;
  }
  e.gap_bytes[side] -= std::min(filled, e.gap_bytes[side]);
  return filled;
}

std::uint32_t gap_bytes_between(const Extension& e, unsigned side, std::uint32_t from,
                                std::uint32_t end) noexcept {
  std::uint32_t bytes = 0;
  for (unsigned i = 0; i < e.gap_count; ++i) {
    const Gap& gap = e.gaps[i];
    if (!is_of(e, i, side) || !seq_before(from, gap.end) || !seq_before(gap.begin, end)) continue;
    bytes += gap.end - (seq_after(from, gap.begin) ? from : gap.begin);
  }
  return bytes;
}

}  // namespace linger
