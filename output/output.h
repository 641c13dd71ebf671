// One output: a ring from every shard, one thread, one encoder, one writer.
//
//     shard 0 ─ring─┐
//     shard 1 ─ring─┼─> links ─> encode ─> lines ─> writer (file, pipe, socket)
//     shard N ─ring─┤
//     MPTCP   ─ring─┘   (whole connections, from the one thread that puts them together)
//
// Records of one shard are written in the order in which it handed them, but for those that another
// session may have spoken of (links.h). A shard never waits on a live source: what finds its ring
// full is dropped and counted; in a replay it waits, and in a live run once it receives no more. It
// never makes a system call to wake the thread, which sleeps for at most a millisecond. The ledger
// of an output: handed = written + dropped. Memory: rings of ring_capacity records, one buffer of
// lines.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <tl/expected.hpp>
#include <vector>

#include "output/links.h"
#include "output/ndjson.h"
#include "output/uri.h"
#include "output/writer.h"

namespace linger {

struct OutputOptions {
  std::size_t shard_count = 1;
  std::size_t ring_capacity = 16'384;  // setting recordQueue
  RunInfo run;
  WriterOptions writer;
};

struct OutputTotals {
  std::uint64_t handed = 0;   // by shards
  std::uint64_t written = 0;  // acknowledged, as far as the destination can tell
  std::array<std::uint64_t, kDropReasonCount> dropped{};
  std::uint64_t resent = 0;  // sent twice because the first time may have been lost
  EncodedTotals encoded;     // what became lines, whether they could be written or not
  EncodedTotals unencoded;   // what found its ring full

  std::uint64_t dropped_in_all() const noexcept {
    std::uint64_t sum = 0;
    for (const std::uint64_t count : dropped) sum += count;
    return sum;
  }
};

class Output {
 public:
  Output(const OutputUri& uri, const OutputOptions& options);
  ~Output();
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  tl::expected<void, std::string> open() { return writer_->open(); }
  void start();

  // Shard `shard`, between start() and finish().
  void hand(std::size_t shard, const Record& record, Bytes items = {}) noexcept;

  // Records of the mean size that it could hand now.
  std::size_t room(std::size_t shard) const noexcept;

  // What a session of it says of another one.
  void hand(std::size_t shard, const RecordLink& link) noexcept;
  Links& links() noexcept { return links_; }

  // Shard `shard` receives no more, so that waiting for room costs no packet. A slow peer gets
  // give_up_after from now on.
  void wait_from_now(std::size_t shard) noexcept;
  // Any thread: whether there is such a shard.
  bool has_drained() const noexcept { return has_drained_.load(std::memory_order_relaxed); }

  // The thread that puts MPTCP connections together, between start() and finish().
  void hand(const MptcpConnection& connection) noexcept;

  // Control thread. finish(): the shards have handed their last; returns when every record is
  // written or dropped.
  void finish();
  // Stops waiting for a destination that takes nothing.
  void abandon() noexcept { writer_->abandon(); }
  void reopen() noexcept { wants_reopen_.store(true, std::memory_order_relaxed); }
  // Any thread, as totals(): whether the peer of a socket is there, and how often it was lost.
  bool is_connected() const noexcept { return writer_->is_connected(); }
  std::uint64_t breaks() const noexcept { return writer_->breaks(); }
  // `linger … | head`: nobody reads on.
  bool is_broken_pipe() const noexcept { return writer_->is_broken_pipe(); }

  // Any thread; exact after finish().
  OutputTotals totals() const;
  // After finish(); empty when all is well.
  const std::string& trouble() const noexcept { return writer_->trouble(); }
  const OutputUri& uri() const noexcept { return uri_; }

  // Test only: one record vanishes before it is counted, so that a test sees the ledger catch it.
  void lose_one_record_for_test() noexcept { loses_one_.store(true, std::memory_order_relaxed); }

 private:
  struct Inlet;
  struct ConnectionInlet;

  void run() noexcept;
  std::size_t drain() noexcept;
  template <class RecordOf>
  void encode(const RecordOf& record, Bytes items) noexcept;
  void flush() noexcept;

  const OutputUri uri_;
  const bool is_live_;
  std::unique_ptr<Writer> writer_;
  std::vector<std::unique_ptr<Inlet>> inlets_;  // one per shard
  std::unique_ptr<ConnectionInlet> connections_;
  Links links_;
  NdjsonEncoder encoder_;
  std::vector<char> lines_;
  std::size_t line_bytes_ = 0;
  std::thread thread_;
  std::atomic<bool> has_drained_{false};   // a shard receives no more
  std::atomic<bool> is_finishing_{false};  // control thread to output's thread, release and acquire
  std::atomic<bool> wants_reopen_{false};  // control thread to output's thread
  std::atomic<bool> loses_one_{false};     // test to output's thread
};

}  // namespace linger
