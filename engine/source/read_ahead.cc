#include "engine/source/read_ahead.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "engine/base/signals_blocked.h"

namespace linger {
namespace {

constexpr std::size_t kHeadroomBytes = 64 << 10;

// A shard that starts this thread may be pinned, and would share its core with it.
void run_where_the_process_may() noexcept {
  cpu_set_t cores;
  if (sched_getaffinity(getpid(), sizeof cores, &cores) == 0)
    sched_setaffinity(0, sizeof cores, &cores);
}

}  // namespace

ReadAhead::ReadAhead(BlockPool& pool)
    : pool_(pool), headroom_(std::min(kHeadroomBytes, pool.block_bytes() / 4)) {}

bool ReadAhead::start(ByteStream& stream) noexcept {
  if (thread_.joinable() || stream.may_wait()) return false;
  taken_ = given_count_ = 0;
  given_ = filled_ = 0;
  const SignalsBlocked signals_blocked;
  try {
    thread_ = std::thread([this, &stream] { run(stream); });
  } catch (const std::system_error&) {
    return false;
  }
  give();
  return true;
}

// All slots that are empty and for which there are blocks.
void ReadAhead::give() noexcept {
  for (; given_count_ - taken_ < kDepth; ++given_count_) {
    Filled& slot = slots_[given_count_ % kDepth];
    slot.block = pool_.take(pool_.block_bytes());
    if (!slot.block) break;
    slot.begin = headroom_;
  }
  if (given_.load(std::memory_order_relaxed) == given_count_) return;
  given_.store(given_count_, std::memory_order_release);
  given_.notify_one();
}

ReadAhead::Filled ReadAhead::next() noexcept {
  give();
  if (given_count_ == taken_) return {};
  for (std::uint32_t filled; (filled = filled_.load(std::memory_order_acquire)) == taken_;)
    filled_.wait(filled, std::memory_order_acquire);
  Filled filled = std::move(slots_[taken_++ % kDepth]);
  return filled;
}

void ReadAhead::stop() noexcept {
  if (!thread_.joinable()) return;
  given_.store(kStop, std::memory_order_release);
  given_.notify_one();
  thread_.join();
  for (Filled& slot : slots_)
    if (slot.block) pool_.retire(std::move(slot.block));
}

void ReadAhead::run(ByteStream& stream) noexcept {
  pthread_setname_np(pthread_self(), "read ahead");
  run_where_the_process_may();
  for (std::uint32_t done = 0;;) {
    given_.wait(done, std::memory_order_acquire);
    const std::uint32_t given = given_.load(std::memory_order_acquire);
    if (given == kStop) return;
    if (given == done) continue;
    fill(stream, slots_[done % kDepth]);
    filled_.store(++done, std::memory_order_release);
    filled_.notify_one();
  }
}

void ReadAhead::fill(ByteStream& stream, Filled& slot) noexcept {
  slot.end = slot.begin;
  slot.status = StreamStatus::bytes;
  while (slot.end < slot.block->capacity) {
    const StreamRead got =
        stream.read(slot.block->data.get() + slot.end, slot.block->capacity - slot.end);
    if (got.status == StreamStatus::again) continue;  // interrupted
    if (got.status != StreamStatus::bytes) {
      if (slot.end == slot.begin) slot.status = got.status;  // else said again by the next read()
      break;
    }
    slot.end += got.bytes;
  }
  slot.input_bytes = stream.input_bytes();
}

}  // namespace linger
