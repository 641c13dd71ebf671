#include "output/output.h"

#include <emmintrin.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "engine/base/backoff.h"
#include "engine/base/signals_blocked.h"
#include "output/record_ring.h"

namespace linger {

namespace {

constexpr std::size_t kLinesBytes = 1024 * 1024;  // written at once
constexpr std::size_t kBatchMax = 256;  // records taken from one ring before the next one's turn
constexpr int kSpins = 64;
constexpr auto kSleepFirst = std::chrono::microseconds(50);
constexpr auto kSleepLast = std::chrono::microseconds(1'000);

}  // namespace

// A shard's way in. The shard writes `handed` and `unencoded`; its own cache lines.
struct alignas(64) Output::Inlet {
  Inlet(std::size_t capacity, bool waits_for_room) : ring(capacity), waits(waits_for_room) {}

  RecordRing ring;
  alignas(64) bool waits;  // the shard's, for room
  Counter handed;
  EncodedTally unencoded;
};

// The same for MPTCP connections: few, and longer than records.
struct alignas(64) Output::ConnectionInlet {
  static constexpr std::size_t kCapacity = 256;

  boost::lockfree::spsc_queue<MptcpConnection> ring{kCapacity};
  alignas(64) Counter handed;
  EncodedTally unencoded;
};

Output::Output(const OutputUri& uri, const OutputOptions& options)
    : uri_(uri),
      is_live_(options.writer.is_live),
      writer_(make_writer(uri, options.writer)),
      connections_(std::make_unique<ConnectionInlet>()),
      links_(options.shard_count),
      encoder_(options.run),
      lines_(kLinesBytes) {
  for (std::size_t i = 0; i < options.shard_count; ++i) {
    inlets_.push_back(std::make_unique<Inlet>(options.ring_capacity, !is_live_));
  }
}

Output::~Output() {
  abandon();
  if (thread_.joinable()) finish();
}

void Output::start() {
  const SignalsBlocked signals_blocked;
  thread_ = std::thread([this] { run(); });
}

void Output::hand(std::size_t shard, const Record& record, Bytes items) noexcept {
  Inlet& inlet = *inlets_[shard];
  inlet.handed.add(1);
  if (inlet.ring.push(record, items)) [[likely]]
    return;
  if (!inlet.waits) return inlet.unencoded.add(record);
  for (Backoff backoff; !inlet.ring.push(record, items);) backoff.wait();
}

std::size_t Output::room(std::size_t shard) const noexcept { return inlets_[shard]->ring.room(); }

void Output::hand(std::size_t shard, const RecordLink& link) noexcept {
  Inlet& inlet = *inlets_[shard];
  for (Backoff backoff; !links_.hand(shard, link); backoff.wait())
    if (!inlet.waits) return links_.count_lost(shard);
}

void Output::hand(const MptcpConnection& connection) noexcept {
  connections_->handed.add(1);
  if (connections_->ring.push(connection)) return;
  if (is_live_ && !has_drained_.load(std::memory_order_relaxed))
    return connections_->unencoded.add(connection.record);
  for (Backoff backoff; !connections_->ring.push(connection);) backoff.wait();
}

void Output::wait_from_now(std::size_t shard) noexcept {
  if (std::exchange(inlets_[shard]->waits, true)) return;
  has_drained_.store(true, std::memory_order_relaxed);
  writer_->finish_soon();
}

void Output::finish() {
  writer_->finish_soon();
  is_finishing_.store(true, std::memory_order_release);
  thread_.join();
}

void Output::run() noexcept {
  pthread_setname_np(pthread_self(), "output");
  auto sleep = kSleepFirst;
  int empty_rounds = 0;
  for (;;) {
    // Read before the last look at the rings; pairs with the release in finish().
    const bool is_finishing = is_finishing_.load(std::memory_order_acquire);
    if (wants_reopen_.load(std::memory_order_relaxed)) {
      wants_reopen_.store(false, std::memory_order_relaxed);
      flush();
      writer_->reopen();
    }
    if (drain() != 0) {
      empty_rounds = 0;
      sleep = kSleepFirst;
      continue;
    }
    if (is_finishing) break;
    if (++empty_rounds < kSpins) {
      _mm_pause();
      continue;
    }
    if (empty_rounds > kSpins) {  // still nothing after the first sleep
      flush();
      writer_->idle();
    }
    std::this_thread::sleep_for(sleep);
    sleep = std::min(2 * sleep, kSleepLast);
  }
  links_.finish([this](const Record& record, Bytes items) { encode(record, items); });
  flush();
  writer_->close();
}

std::size_t Output::drain() noexcept {
  const auto encode_one = [this](const Record& record, Bytes items) { encode(record, items); };
  std::size_t count = links_.advance(encode_one);
  for (const auto& inlet : inlets_) {
    count += inlet->ring.consume(kBatchMax, [&](const Record& record, Bytes items) {
      links_.pass(record, items, encode_one);
    });
  }
  while (connections_->ring.consume_one([this](const MptcpConnection& c) { encode(c, {}); }))
    ++count;
  return count;
}

template <class RecordOf>
void Output::encode(const RecordOf& record, Bytes items) noexcept {
  if (loses_one_.load(std::memory_order_relaxed)) [[unlikely]] {
    loses_one_.store(false, std::memory_order_relaxed);
    return;
  }
  const std::string_view objects = encoder_.objects_of(items);
  const std::size_t bytes_max = NdjsonEncoder::kLineBytesMax + objects.size();
  if (lines_.size() - line_bytes_ < bytes_max) flush();
  if (lines_.size() < bytes_max) lines_.resize(bytes_max);
  line_bytes_ += encoder_.encode(record, lines_.data() + line_bytes_, objects);
}

void Output::flush() noexcept {
  if (line_bytes_ == 0) return;
  encoder_.complete();
  writer_->write({lines_.data(), line_bytes_});
  line_bytes_ = 0;
}

OutputTotals Output::totals() const {
  OutputTotals totals;
  totals.written = writer_->written();
  totals.resent = writer_->resent();
  for (std::size_t i = 0; i < kDropReasonCount; ++i) {
    totals.dropped[i] = writer_->dropped(static_cast<DropReason>(i));
  }
  for (const auto& inlet : inlets_) {
    totals.handed += inlet->handed.value();
    inlet->unencoded.add_to(totals.unencoded);
  }
  totals.handed += connections_->handed.value();
  connections_->unencoded.add_to(totals.unencoded);
  for (const std::uint64_t count : totals.unencoded.records) {
    totals.dropped[static_cast<std::size_t>(DropReason::queue_full)] += count;
  }
  encoder_.tally().add_to(totals.encoded);
  return totals;
}

}  // namespace linger
