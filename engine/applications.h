// What a shard reads of its sessions: streams feed parsers, records get what these found. The only
// place that knows both.
//
//     SessionTable ─> Streams ─> Conversations ─> Record and items ─> outputs
//
// Owner: one shard. Limits: its share of readSessions, reorderMemory, parserMemory, maxStreams.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <tl/expected.hpp>

#include "engine/base/settings.h"
#include "output/record.h"
#include "parsers/conversations.h"
#include "sessiontable/streams.h"

namespace linger {

// The parsers that the setting names; an unknown name is an error.
tl::expected<ParserSet, std::string> parsers_of(const Settings& settings);

// What the settings want to be known; null: nothing. Control thread; reads the files of signatures.
tl::expected<std::unique_ptr<Detector>, std::string> make_detector(const Settings& settings);

class Applications {
 public:
  Applications(const Settings& settings, const Detector& detector, std::size_t shard,
               TableCounters& table_counters, ParserCounters& counters);

  // For SessionTable::read_streams().
  StreamStage& stage() noexcept { return streams_; }

  // What is known of a session by now: into its record, and as items that are valid until the next
  // call. `reader` as the table has it.
  Bytes describe(std::uint32_t reader, Record& record) noexcept;
  // After the session's last record.
  void release(std::uint32_t reader) noexcept {
    if (reader < kStreamDry) reader_.conversations.release(reader);
  }

  // Control thread: another detector, in use from the shard's next poll on. The old one may go when
  // uses() says so.
  void replace(const Detector& detector) noexcept {
    wanted_.store(&detector, std::memory_order_release);  // pairs with that in refresh()
  }
  bool uses(const Detector& detector) const noexcept {
    return used_.load(std::memory_order_acquire) == &detector;
  }
  // The shard, once a poll.
  void refresh() noexcept {
    const Detector* const wanted = wanted_.load(std::memory_order_acquire);
    if (wanted == used_.load(std::memory_order_relaxed)) [[likely]]
      return;
    reader_.conversations.set_detector(*wanted);
    used_.store(wanted, std::memory_order_release);  // pairs with that in uses()
  }

  // What the table does not: its stage is the streams.
  void populate() noexcept { reader_.conversations.populate(); }
  static std::uint64_t memory_needed(const Settings& settings) noexcept;

 private:
  class Reader {  // the StreamSink
   public:
    std::uint32_t on_open(const Packet& packet, const StreamStart& start) noexcept;
    void on_packet(std::uint32_t reader, const Packet& packet) noexcept {
      conversations.at(reader, packet.timestamp);
    }
    void prefetch(std::uint32_t reader) const noexcept { conversations.prefetch(reader); }
    StreamAnswer on_data(std::uint32_t reader, unsigned side, Bytes bytes, std::uint64_t) noexcept {
      return answer(conversations.on_data(reader, side, bytes));
    }
    StreamAnswer on_gap(std::uint32_t reader, unsigned side, std::uint32_t count,
                        std::uint64_t) noexcept {
      return answer(conversations.on_gap(reader, side, count));
    }
    StreamAnswer on_datagram(std::uint32_t reader, unsigned side, Bytes bytes,
                             std::uint32_t sent_bytes) noexcept {
      return answer(conversations.on_datagram(reader, side, bytes, sent_bytes));
    }
    void on_conflict(std::uint32_t, unsigned) noexcept {}  // counted by the streams
    void on_end(std::uint32_t reader, unsigned side, StreamEnd) noexcept {
      conversations.on_end(reader, side);
    }

    Conversations conversations;
    const setting_kind::PortList::Value proxy_ports;  // empty: any

   private:
    static StreamAnswer answer(bool goes_on) noexcept {
      return goes_on ? StreamAnswer::more : StreamAnswer::done;
    }
  };

  Reader reader_;
  Streams<Reader> streams_;
  std::atomic<const Detector*> wanted_;  // control thread to shard
  std::atomic<const Detector*> used_;    // shard to control thread
};

}  // namespace linger
