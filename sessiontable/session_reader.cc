#include "sessiontable/session_reader.h"

#include <algorithm>

#include "sessiontable/session_table.h"

namespace linger {
namespace {

// A row that its owner rewrites all the time is tried so often, then left out of the walk. A write
// takes some 20 ns, so that nobody has ever seen this happen.
constexpr int kTries = 1000;

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

template <class Visit>
void SessionReader::walk(Visit&& visit) const {
  const std::uint32_t count = table_.free_.touched();
  for (std::uint32_t slot = 0; slot < count; ++slot)
    if (const auto row = read(slot)) visit(*row);
}

std::vector<SessionRow> SessionReader::top_by_bytes(std::size_t count) const {
  const auto is_larger = [](const SessionRow& a, const SessionRow& b) {
    return a.total_bytes() > b.total_bytes();
  };
  std::vector<SessionRow> top;  // a heap, the smallest in front
  if (count == 0) return top;
  walk([&](const SessionRow& row) {
    if (top.size() == count && !is_larger(row, top.front())) return;
    if (top.size() == count) {
      std::pop_heap(top.begin(), top.end(), is_larger);
      top.pop_back();
    }
    top.push_back(row);
    std::push_heap(top.begin(), top.end(), is_larger);
  });
  std::sort_heap(top.begin(), top.end(), is_larger);
  return top;
}

std::array<std::uint64_t, kPhaseCount> SessionReader::count_by_phase() const {
  std::array<std::uint64_t, kPhaseCount> counts{};
  walk([&](const SessionRow& row) { ++counts[static_cast<std::size_t>(row.phase)]; });
  return counts;
}

}  // namespace linger
