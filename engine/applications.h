// What a shard reads of its sessions: streams feed parsers, records get what these found. The only
// place that knows both.
//
//     SessionTable ─> Streams ─> Conversations ─> Record and items ─> outputs
//
// Owner: one shard. Limits: its share of readSessions, reorderMemory, parserMemory, maxStreams,
// ruleStreams.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <tl/expected.hpp>

#include "engine/base/settings.h"
#include "output/record.h"
#include "parsers/conversations.h"
#include "parsers/rules.h"
#include "sessiontable/session_table.h"
#include "sessiontable/streams.h"

namespace linger {

// The parsers that the setting names; an unknown name is an error.
tl::expected<ParserSet, std::string> parsers_of(const Settings& settings);

// What sessions are held against. HUP makes another one of the same settings.
struct Reading {
  std::unique_ptr<Detector> detector;
  std::unique_ptr<RuleSet> rules;  // null: the settings have none
  std::size_t signatures = 0;      // of files
};

// What the settings want to be known; null: nothing, whatever their files hold by now. `shards`:
// the settings of each, which differ in nothing but sizes. Control thread; reads the files of
// signatures and rules.
tl::expected<std::unique_ptr<Reading>, std::string> make_reading(std::span<const Settings> shards);

static_assert(LinkNotes::kMax >= kBurstMax);

class Applications {
 public:
  Applications(const Settings& settings, const Reading& reading, std::size_t shard,
               TableCounters& table_counters, ParserCounters& counters);

  // For SessionTable::read_streams().
  StreamStage& stage() noexcept { return streams_; }

  // What is known of a session by now: into its record, and as items that are valid until the next
  // call. `reader` as the table has it.
  Bytes describe(std::uint32_t reader, Record& record) noexcept;
  // What was said of other sessions by this one, of which a packet with this clock is the last that
  // was read: take(link), for each place where they may be.
  template <class Take>
  void take_links(const SessionView& view, ClockNs clock, const Take& take) noexcept {
    reader_.conversations.links().take(view.reader, [&](LinkNote& note) {
      const FlowKey key = view.session.key();
      const LinkEndpoint& end = note.endpoint;
      complete(note, view.id, clock);
      if (end.port == 0) return take(note.link);
      // Behind a translated address it is the host's own that is seen.
      const IpAddress& own = key.address[end.side];
      note.link.key = LinkKey::of_endpoint(key.ip_version, own, end.port);
      take(note.link);
      if (end.ip_version == 0) return;
      const LinkKey named = LinkKey::of_endpoint(end.ip_version, end.address, end.port);
      if (named == note.link.key) return;
      note.link.key = named;
      take(note.link);
    });
  }
  // After the session's last record.
  void release(std::uint32_t reader) noexcept {
    if (reader >= kStreamMute) return;
    reader_.conversations.release(reader);
    if (reader_.rules != nullptr) reader_.rules->release(reader);
  }

  // Control thread: another one, for the sessions that are opened from the shard's next poll on.
  // The old one may go when it is not used any more.
  void replace(const Reading& reading) noexcept {
    wanted_.store(&reading, std::memory_order_release);  // pairs with that in refresh()
  }
  bool has_taken(const Reading& reading) const noexcept {
    return used_.load(std::memory_order_acquire) == &reading;
  }
  bool uses(const Reading& reading) const noexcept {
    return has_taken(reading) || (reading.rules != nullptr && reading.rules->is_used(shard_));
  }
  // The shard, once a poll.
  void refresh() noexcept {
    const Reading* const wanted = wanted_.load(std::memory_order_acquire);
    if (wanted == used_.load(std::memory_order_relaxed)) [[likely]]
      return;
    reader_.conversations.set_detector(*wanted->detector);
    if (reader_.rules != nullptr) reader_.rules->set_rules(*wanted->rules);
    used_.store(wanted, std::memory_order_release);  // pairs with that in uses()
  }

  // What the table does not: its stage is the streams.
  void populate() noexcept {
    reader_.conversations.populate();
    if (reader_.rules != nullptr) reader_.rules->populate();
  }
  static std::uint64_t memory_needed(const Settings& settings) noexcept;

 private:
  class Reader {  // the StreamSink
   public:
    std::uint32_t on_open(const Packet& packet, const StreamStart& start) noexcept;
    bool has_news() const noexcept { return !conversations.links().is_empty(); }
    void at(std::uint32_t reader, Timestamp time) noexcept { conversations.at(reader, time); }
    [[gnu::always_inline]] void prefetch(std::uint32_t reader) const noexcept {
      conversations.prefetch(reader);
      if (rules != nullptr) rules->prefetch(reader);
    }
    StreamAnswer on_data(std::uint32_t reader, unsigned side, Bytes bytes) noexcept {
      if (rules != nullptr) rules->on_data(reader, side, bytes);
      return answer(reader, side, conversations.on_data(reader, side, bytes));
    }
    StreamAnswer on_gap(std::uint32_t reader, unsigned side, std::uint32_t count) noexcept {
      if (rules != nullptr) rules->on_gap(reader, side);
      return answer(reader, side, conversations.on_gap(reader, side, count));
    }
    StreamAnswer on_datagram(std::uint32_t reader, unsigned side, Bytes bytes,
                             std::uint32_t sent_bytes) noexcept {
      if (rules != nullptr) rules->on_datagram(reader, side, bytes);
      return answer(reader, side, conversations.on_datagram(reader, side, bytes, sent_bytes));
    }
    void on_end(std::uint32_t reader, unsigned side, StreamEnd end) noexcept {
      conversations.on_end(reader, side);
      if (rules != nullptr) rules->on_end(reader, side, end == StreamEnd::finished);
    }
    // What nobody knows need not wait for its record: the memory is the next session's, still warm.
    std::uint32_t on_close(std::uint32_t reader) noexcept {
      if (rules != nullptr || conversations.has_facts(reader)) return reader;
      conversations.release(reader);
      return kStreamMute;
    }

    Conversations conversations;
    const std::unique_ptr<RuleScans> rules;           // null: there are none
    const setting_kind::PortList::Value proxy_ports;  // empty: any

   private:
    // By what conversations want.
    StreamAnswer answer(std::uint32_t reader, unsigned side,
                        Conversations::Wanted wanted) const noexcept {
      using enum Conversations::Wanted;
      if (wanted == more || (rules != nullptr && rules->wants(reader, side)))
        return StreamAnswer::more;
      if (wanted == unknown) return StreamAnswer::side_unknown;
      if (rules == nullptr) return StreamAnswer::done;
      return rules->wants(reader, side ^ 1) ? StreamAnswer::side_done : StreamAnswer::done;
    }
  };

  static void complete(LinkNote& note, const Id128& id, ClockNs clock) noexcept;

  Reader reader_;
  Streams<Reader> streams_;
  const std::size_t shard_;
  std::atomic<const Reading*> wanted_;  // control thread to shard
  std::atomic<const Reading*> used_;    // shard to control thread
};

}  // namespace linger
