// Records that name the session which spoke of theirs (FTP's control connection, a QUIC handshake),
// wherever the two lie. One for each output, before its encoder.
//
//     shard 0 ─ link, clock ─┐
//     shard N ─ link, clock ─┴─> by what the other session shows
//                                   │
//     records that may be it ─ held until all shards are past their end ─> encoder
//
// A record is held only while another shard has not come as far as its last packet; nearly all come
// seconds after it, and go through. What is told is a function of the packets: the link that was
// said last before the session began, by a packet no later than its last one, and not ended before
// it did. Where there is but one shard its records stay in its order, as those behind one that is
// held wait with it; where there are several, these go past it.
//
// Owner: the output's thread, but for hand() and publish_clock(). Limits: kLinksMax links to
// endpoints, and as many to connection ids, of which the oldest goes, which is counted while it
// could still be found; kHeldBytesMax of records, of which the oldest goes on with what is known
// (counted). Allocates: it works behind the data path.
#pragma once

#include <atomic>
#include <boost/lockfree/spsc_queue.hpp>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <memory>
#include <vector>

#include "engine/base/counters.h"
#include "output/record.h"
#include "output/record_link.h"

namespace linger {

class Links {
 public:
  static constexpr std::size_t kLinksMax = 65'536;
  static constexpr std::size_t kHeldBytesMax = std::size_t{64} << 20;

  explicit Links(std::size_t shard_count);

  // Shard `shard`. hand(): false when there is no room.
  bool hand(std::size_t shard, const RecordLink& link) noexcept {
    return inlets_[shard]->ring.push(link);
  }
  void count_lost(std::size_t shard) noexcept { inlets_[shard]->lost.add(); }
  // It has handed everything that packets before this clock said.
  void publish_clock(std::size_t shard, ClockNs clock) noexcept {
    inlets_[shard]->clock.store(clock, std::memory_order_release);  // with refresh()
  }

  // The output's thread. Each record goes to take(record, items), once, now or later.
  template <class Take>
  void pass(const Record& record, Bytes items, const Take& take) {
    const bool is_asked = may_be_linked(record, items);
    if (is_asked && record.clock >= known_until_) refresh();
    const bool is_answered = !is_asked || record.clock < known_until_;
    if (is_answered && (held_.empty() || inlets_.size() > 1))
      return is_asked ? tell(record, items, take) : take(record, items);
    held_.push_back({record, {items.begin(), items.end()}});
    held_bytes_ += held_.back().bytes();
    while (held_bytes_ > kHeldBytesMax) {
      if (!is_known(held_.front())) counters_.links_early.add();
      release_oldest(take);
    }
  }
  // As time goes by; returns how many went on.
  template <class Take>
  std::size_t advance(const Take& take) {
    refresh();
    std::size_t count = 0;
    for (; !held_.empty() && is_known(held_.front()); ++count) release_oldest(take);
    return count;
  }
  // All shards have handed their last.
  template <class Take>
  void finish(const Take& take) {
    refresh();
    while (!held_.empty()) release_oldest(take);
  }

  // Any thread.
  const LinkCounters& counters() const noexcept { return counters_; }

 private:
  static constexpr std::size_t kRingLinks = 256;
  static constexpr int kTriesMax = 16;  // links of one key that a record is held against

  struct alignas(64) Inlet {
    boost::lockfree::spsc_queue<RecordLink> ring{kRingLinks};
    alignas(64) std::atomic<ClockNs> clock{0};
    Counter lost;
  };
  struct Held {
    Record record;
    std::vector<std::uint8_t> items;

    std::size_t bytes() const noexcept { return sizeof *this + items.size(); }
  };
  struct Known {
    RecordLink link;
    bool was_found = false;
    Timestamp over{std::numeric_limits<std::int64_t>::max()};  // as a packet of this clock said
    ClockNs over_clock = 0;
  };
  // What is said of one key, in the order of its time, whichever shard's came first.
  struct Place {
    LinkKey key;
    Timestamp from;
    ClockNs clock;
    Id128 id;
    friend auto operator<=>(const Place&, const Place&) = default;
  };

  static Place last_place(const LinkKey& key, Timestamp from) noexcept {
    return {key, from, std::numeric_limits<ClockNs>::max(), {UINT64_MAX, UINT64_MAX}};
  }

  struct Book {
    std::map<Place, Known> known;
    std::deque<std::map<Place, Known>::iterator> by_age;
  };

  // A TCP connection in which one side has sent something, or none and it was answered; unknown
  // datagrams that may begin with a connection id.
  static bool may_be_linked(const Record& r, Bytes items) noexcept {
    if (r.action != Action::session_end && r.action != Action::session_interim) return false;
    const auto& sent = r.payload_bytes;
    if (r.is_tcp()) return (sent[0] == 0 || sent[1] == 0) && (sent[0] != sent[1] || r.syn_ack != 0);
    return r.application.size == 0 && !first_id_of(items).empty();
  }
  static Bytes first_id_of(Bytes items) noexcept;
  void refresh();
  void add(const RecordLink& link);
  static void end(Book& book, const RecordLink& end) noexcept;
  const RecordLink* find(const Record& record, Bytes items);
  const RecordLink* find(Book& book, const LinkKey& key, const Record& record);

  bool is_known(const Held& held) const noexcept {
    return held.record.clock < known_until_ || !may_be_linked(held.record, Bytes{held.items});
  }
  template <class Take>
  void tell(const Record& record, Bytes items, const Take& take) {
    const RecordLink* const link = find(record, items);
    if (link == nullptr) return take(record, items);
    Record linked = record;
    linked.application.assign(link->name);
    linked_items_.assign(items.begin(), items.end());
    linked_items_.insert(linked_items_.end(), link->items.begin(),
                         link->items.begin() + link->items_bytes);
    take(linked, Bytes{linked_items_});
  }
  template <class Take>
  void release_oldest(const Take& take) {
    const Held& held = held_.front();
    const Bytes items{held.items};
    may_be_linked(held.record, items) ? tell(held.record, items, take) : take(held.record, items);
    held_bytes_ -= held.bytes();
    held_.pop_front();
  }

  std::vector<std::unique_ptr<Inlet>> inlets_;  // one for each shard
  ClockNs known_until_ = 0;                     // all links of packets before it are known
  Book endpoints_;
  Book ids_;
  std::deque<Held> held_;
  std::size_t held_bytes_ = 0;
  std::vector<std::uint8_t> linked_items_;
  LinkCounters counters_;
};

}  // namespace linger
