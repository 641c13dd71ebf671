#include "sessiontable/tcp_gaps.h"

#include <algorithm>
#include <span>

#include "sessiontable/planted.h"

namespace linger {
namespace {

static_assert(kGapsMax <= UINT8_MAX);  // Extension::gap_count
static_assert(kGapsMax == 188);        // said in output/record_fields.h, and by the oracle

// The gaps of an Extension and its blocks as one list, the oldest first.
class GapList {
 public:
  explicit GapList(Extension& e) noexcept : e_(e) {
    for (GapBlock* block = e.more_gaps; block != nullptr; block = block->next)
      blocks_[block_count_++] = block;
  }

  unsigned size() const noexcept { return e_.gap_count; }
  Gap& operator[](unsigned i) noexcept {
    if (i < Extension::kGaps) return e_.gaps[i];
    i -= Extension::kGaps;
    return blocks_[i / GapBlock::kGaps]->gaps[i % GapBlock::kGaps];
  }

  // Whether there is room for one more.
  bool make_room(ExtensionPool& pool, SessionCold& cold) noexcept {
    if (size() < Extension::kGaps + block_count_ * GapBlock::kGaps) return true;
    GapBlock* block = block_count_ < kGapBlocksMax ? pool.take_gaps(cold) : nullptr;
    if (block == nullptr) return false;
    link_of(block_count_) = block;
    blocks_[block_count_++] = block;
    return true;
  }
  void append(Gap gap) noexcept { (*this)[e_.gap_count++] = gap; }

  void erase(unsigned i) noexcept {
    for (; i + 1 < size(); ++i) (*this)[i] = (*this)[i + 1];
    --e_.gap_count;
  }
  void give_back_unused(ExtensionPool& pool) noexcept {
    while (block_count_ != 0 && size() <= Extension::kGaps + (block_count_ - 1) * GapBlock::kGaps) {
      pool.give_back(blocks_[--block_count_]);
      link_of(block_count_) = nullptr;
    }
  }

 private:
  GapBlock*& link_of(std::size_t block) noexcept {
    return block == 0 ? e_.more_gaps : blocks_[block - 1]->next;
  }

  Extension& e_;
  std::size_t block_count_ = 0;
  std::array<GapBlock*, kGapBlocksMax> blocks_;
};

Gap make_gap(unsigned side, std::uint32_t begin, std::uint32_t end) noexcept {
  return {begin, end - begin, PLANTED(13, side, 0)};
}

// Of a gap that lies half a circle away, each end may look as if it were on the other side.
bool overlaps(const Gap& gap, unsigned side, std::uint32_t begin, std::uint32_t end) noexcept {
  return gap.side == side && seq_before(begin, gap.end()) && seq_before(gap.begin, end);
}

}  // namespace

void add_gap(Extension& e, unsigned side, std::uint32_t begin, std::uint32_t end,
             ExtensionPool& pool, SessionCold& cold) noexcept {
  const std::uint32_t room = UINT32_MAX - e.gap_bytes[side];
  e.gap_bytes[side] += std::min(end - begin, room);
  GapList gaps(e);
  for (unsigned i = 0; i < gaps.size();) {  // of the same numbers 4 GiB ago: a loss
    if (overlaps(gaps[i], side, begin, end))
      gaps.erase(i);
    else
      ++i;
  }
  if (!gaps.make_room(pool, cold)) gaps.erase(0);  // the oldest stays a loss
  gaps.append(make_gap(side, begin, end));
}

std::uint32_t fill_gaps(Extension& e, unsigned side, std::uint32_t begin, std::uint32_t end,
                        ExtensionPool& pool, SessionCold& cold) noexcept {
  std::uint32_t filled = 0;
  GapList gaps(e);
  for (unsigned i = 0; i < gaps.size();) {
    Gap& gap = gaps[i];
    if (!overlaps(gap, side, begin, end)) {
      ++i;
      continue;
    }
    const std::uint32_t low = seq_after(begin, gap.begin) ? begin : gap.begin;
    const std::uint32_t high = seq_before(end, gap.end()) ? end : gap.end();
    filled += high - low;
    const Gap before = make_gap(side, gap.begin, low);
    const Gap after = make_gap(side, high, gap.end());
    if (before.bytes == 0 && after.bytes == 0) {
      gaps.erase(i);
      continue;
    }
    if (before.bytes == 0) {
      gap = after;
    } else if (after.bytes == 0) {
      gap = before;
    } else if (gaps.make_room(pool, cold)) {
      gap = before;
      gaps.append(after);
    } else {
      gap = before.bytes > after.bytes ? before : after;
    }
    ++i;
  }
  gaps.give_back_unused(pool);
  e.gap_bytes[side] -= std::min(filled, e.gap_bytes[side]);
  return filled;
}

std::uint32_t gap_bytes_between(const Extension& e, unsigned side, std::uint32_t from,
                                std::uint32_t end) noexcept {
  std::uint32_t bytes = 0;
  const auto add = [&](const Gap& gap) {
    if (gap.side != side || !seq_before(from, gap.end()) || !seq_before(gap.begin, end)) return;
    bytes += gap.end() - (seq_after(from, gap.begin) ? from : gap.begin);
  };
  const auto add_first = [&](std::size_t left, std::span<const Gap> gaps) {
    const auto there = gaps.first(std::min(left, gaps.size()));
    std::ranges::for_each(there, add);
    return left - there.size();
  };
  std::size_t left = add_first(e.gap_count, e.gaps);
  for (const GapBlock* block = e.more_gaps; left != 0; block = block->next)
    left = add_first(left, block->gaps);
  return bytes;
}

}  // namespace linger
