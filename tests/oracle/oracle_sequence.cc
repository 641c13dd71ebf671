// What the oracle's sessions note of their sequence space: the letters of their history, and gaps.
#include <algorithm>

#include "tests/oracle/model.h"

namespace linger::test {

constexpr std::size_t kGapsKept = 188;  // of both sides

void ModelSession::write_history(unsigned of_side, char letter) {
  const char code = static_cast<char>(of_side != 0 ? letter | 0x80 : letter);
  if (history.size() < kHistoryMax && history.find(code) == std::string::npos) history += code;
}

void ModelSession::erase_history(unsigned of_side, char letter) {
  const char code = static_cast<char>(of_side != 0 ? letter | 0x80 : letter);
  std::erase(history, code);
}

void ModelSession::add_gap(unsigned of_side, std::uint32_t from, std::uint32_t to) {
  side[of_side].gap_bytes += to - from;
  write_history(of_side, 'G');
  std::erase_if(gaps, [&](const ModelGap& gap) {  // a circle ago
    return gap.side == of_side && ahead_of(gap.end, from) > 0 && ahead_of(to, gap.begin) > 0;
  });
  if (gaps.size() == kGapsKept) gaps.erase(gaps.begin());  // stays a loss
  gaps.push_back({of_side, from, to});
}

std::uint32_t ModelSession::fill_gaps(unsigned of_side, std::uint32_t from, std::uint32_t to) {
  std::uint32_t filled = 0;
  for (std::size_t i = 0; i < gaps.size();) {
    const ModelGap gap = gaps[i];
    const std::uint32_t low = ahead_of(from, gap.begin) > 0 ? from : gap.begin;
    const std::uint32_t high = ahead_of(to, gap.end) < 0 ? to : gap.end;
    if (gap.side != of_side || ahead_of(gap.end, from) <= 0 || ahead_of(to, gap.begin) <= 0) {
      ++i;
      continue;
    }
    filled += high - low;
    const ModelGap before{of_side, gap.begin, low};
    const ModelGap after{of_side, high, gap.end};
    const bool has_before = low != gap.begin;
    const bool has_after = high != gap.end;
    if (!has_before && !has_after) {
      gaps.erase(gaps.begin() + static_cast<std::ptrdiff_t>(i));
      continue;
    }
    gaps[i] = has_before ? before : after;
    if (has_before && has_after) {
      if (gaps.size() < kGapsKept) {
        gaps.push_back(after);
      } else if (after.end - after.begin >= before.end - before.begin) {
        gaps[i] = after;  // one of them stays a loss: the shorter
      }
    }
    ++i;
  }
  std::uint64_t& missing = side[of_side].gap_bytes;
  missing -= std::min<std::uint64_t>(filled, missing);
  return filled;
}

void ModelSession::begin_earlier(unsigned of_side, std::uint32_t begin, std::uint32_t last) {
  ModelSide& from = side[of_side];
  const std::uint32_t first = from.first;
  from.first = begin;
  from.length += first - begin;
  if (last != first) add_gap(of_side, last, first);
}

void ModelSession::note_keep_alive_before(unsigned of_side, std::uint32_t next) {
  ModelSide& from = side[of_side];
  const bool is_silent = from.is_known && !from.has_isn && !from.is_resumed && !from.has_fin &&
                         from.length == 0 && !side[of_side ^ 1].has_acknowledged;
  if (!is_silent || next != from.first + 1) return;
  ++from.first;
  ++from.keep_alives;
}

bool tcp_goes_on(const ModelGrave& grave, const Packet& packet) {
  constexpr std::uint32_t kInFlightMax = 1 << 20;
  const ModelSide& from = grave.side[packet.direction];
  const ModelSide& peer = grave.side[packet.direction ^ 1];
  if (from.is_known) return packet.tcp.sequence - from.end() <= kInFlightMax;
  return (packet.tcp.flags & kTcpAck) != 0 && peer.is_known &&
         packet.tcp.acknowledgment - peer.end() <= kInFlightMax;
}

}  // namespace linger::test
