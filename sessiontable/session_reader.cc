#include "sessiontable/session_reader.h"

#include <algorithm>

#include "sessiontable/session_table.h"

namespace linger {
namespace {

// A row that its owner rewrites all the time is tried so often, then left out of the walk. A write
// takes some 20 ns, so that nobody has ever seen this happen.
constexpr int kTries = 1000;

bool is_larger(const SessionRow& a, const SessionRow& b) noexcept {
  return a.total_bytes() > b.total_bytes();
}

}  // namespace

std::optional<SessionRow> SessionReader::read(std::uint32_t slot) const noexcept {
  const SessionHot& hot = table_.hot_[slot];
  for (int i = 0; i < kTries; ++i) {
    const std::uint8_t version = hot.version.load();
    if ((version & 1) != 0) continue;
    SessionRow row;
    const SessionName& name = table_.names_[slot];
    const std::uint64_t addresses = name.addresses.load();
    const std::uint64_t rest = name.rest.load();
    row.key =
        (rest & SessionName::kLong) != 0
            ? SessionName::key_of(table_.long_addresses_[slot].load(), rest, table_.scope_of(slot))
            : SessionName::key_of(addresses, rest);
    const std::uint16_t flags = hot.flags.load();
    row.originator = flags & kSessionOriginator;
    row.phase = hot.phase.load();
    for (unsigned side = 0; side < 2; ++side) {
      row.packets[side] = hot.packets[side].load();
      row.bytes[side] = hot.bytes[side].load();
    }
    const ClockNs last_clock = hot.last_clock.load();
    row.end = (flags & kSessionEndIsClock) != 0 ? Timestamp{last_clock}
                                                : table_.rare_[slot].latest.load();
    // Eight bits of version wrap; then the packets have not stood still.
    if (hot.version.load() != version ||
        hot.packets[0].load() != static_cast<std::uint32_t>(row.packets[0]) ||
        hot.packets[1].load() != static_cast<std::uint32_t>(row.packets[1]))
      continue;
    return row.key.ip_version != 0 ? std::optional(row) : std::nullopt;
  }
  return std::nullopt;
}

std::optional<SessionRow> SessionReader::find(const FlowKey& key) const {
  const FlowHash hash = hash_of(key, table_.decode_settings_.seed);
  std::optional<SessionRow> found;
  for (int i = 0; i < kTries && !found; ++i) {
    bool has_moved = false;  // a slot under this tag was taken for another session meanwhile
    table_.index_.find_shared(hash, [&](std::uint32_t slot) {
      if (slot >= table_.hot_.size()) return false;
      found = read(slot);
      if (found && found->key == key) return true;
      has_moved |= !found.has_value();
      found.reset();
      return false;
    });
    if (!has_moved) break;
  }
  return found;
}

SessionSurvey SessionReader::survey(std::size_t largest_max) const {
  SessionSurvey survey;
  std::vector<SessionRow>& heap = survey.largest;  // the smallest in front
  const std::uint32_t count = table_.free_.touched();
  for (std::uint32_t slot = 0; slot < count; ++slot) {
    const auto row = read(slot);
    if (!row) continue;
    ++survey.in_phase[static_cast<std::size_t>(row->phase)];
    if (heap.size() == largest_max && (heap.empty() || !is_larger(*row, heap.front()))) continue;
    heap.push_back(*row);
    std::push_heap(heap.begin(), heap.end(), is_larger);
    if (heap.size() <= largest_max) continue;
    std::pop_heap(heap.begin(), heap.end(), is_larger);
    heap.pop_back();
  }
  std::sort_heap(heap.begin(), heap.end(), is_larger);
  return survey;
}

void SessionSurvey::add(const SessionSurvey& other, std::size_t largest_max) {
  for (std::size_t i = 0; i < in_phase.size(); ++i) in_phase[i] += other.in_phase[i];
  largest.insert(largest.end(), other.largest.begin(), other.largest.end());
  std::stable_sort(largest.begin(), largest.end(), is_larger);
  if (largest.size() > largest_max) largest.resize(largest_max);
}

}  // namespace linger
