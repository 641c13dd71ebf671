#include "output/links.h"

#include <algorithm>

namespace linger {

Links::Links(std::size_t shard_count) {
  for (std::size_t i = 0; i < shard_count; ++i) inlets_.push_back(std::make_unique<Inlet>());
}

// The clocks first: what was handed before them is then in the rings.
void Links::refresh() {
  ClockNs clock = std::numeric_limits<ClockNs>::max();
  for (const auto& inlet : inlets_)
    clock = std::min(clock, inlet->clock.load(std::memory_order_acquire));
  std::uint64_t lost = 0;
  for (const auto& inlet : inlets_) {
    inlet->ring.consume_all([this](const RecordLink& link) { add(link); });
    lost += inlet->lost.value();
  }
  counters_.links_lost.raise_to(lost);
  known_until_ = clock;
}

void Links::add(const RecordLink& link) {
  Book& book = link.key.is_id() ? ids_ : endpoints_;
  if (link.name.empty()) return end(book, link);
  const auto [place, is_new] =
      book.known.try_emplace({link.key, link.from, link.clock, link.id}, Known{link});
  if (!is_new) return;
  book.by_age.push_back(place);
  if (book.by_age.size() <= kLinksMax) return;
  const Known& oldest = book.by_age.front()->second;
  if (!oldest.was_found && oldest.link.until >= link.from) counters_.links_forgotten.add();
  book.known.erase(book.by_age.front());
  book.by_age.pop_front();
}

// What the same session has said last of it holds until then.
void Links::end(Book& book, const RecordLink& end) noexcept {
  int tries = kTriesMax;
  auto at = book.known.upper_bound(last_place(end.key, end.from));
  while (at != book.known.begin() && tries-- > 0) {
    Known& known = (--at)->second;
    if (known.link.key != end.key) return;
    if (known.link.id != end.id) continue;
    known.over = end.from;
    known.over_clock = end.clock;
    return;
  }
}

Bytes Links::first_id_of(Bytes items) noexcept {
  ItemReader reader(items);
  for (Item item; reader.next(item);)
    if (item.protocol == kNoProtocol &&
        item.field == static_cast<std::uint8_t>(SessionItem::first_id))
      return item.value;
  return {};
}

// How long an id is, only its link knows.
const RecordLink* Links::find(const Record& record, Bytes items) {
  if (record.is_tcp()) {
    if (endpoints_.known.empty()) return nullptr;
    const IpAddress& address = record.address[1];
    return find(endpoints_, LinkKey::of_endpoint(record.ip_version, address, record.port[1]),
                record);
  }
  const Bytes id = first_id_of(items);
  for (std::size_t bytes = id.size(); bytes >= LinkKey::kIdBytesMin; --bytes)
    if (const auto* link = find(ids_, LinkKey::of_id(id.first(bytes)), record)) return link;
  return nullptr;
}

const RecordLink* Links::find(Book& book, const LinkKey& key, const Record& record) {
  int tries = kTriesMax;
  auto at = book.known.upper_bound(last_place(key, record.start));
  while (at != book.known.begin() && tries-- > 0) {
    Known& known = (--at)->second;
    if (known.link.key != key) return nullptr;
    if (known.link.clock > record.clock || known.link.until < record.start) continue;
    if (known.over < record.start && known.over_clock <= record.clock) continue;
    known.was_found = true;
    counters_.linked.add();
    return &known.link;
  }
  return nullptr;
}

}  // namespace linger
