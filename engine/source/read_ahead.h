// Fills the next blocks of a compressed capture while the source's thread works on those before: a
// thread that reads one stream at a time. What needs no work is better read by who wants it, into
// its own cache.
//
// Each block has room before its bytes for the beginning of a record that goes on in them. Owner:
// the source's thread; between start() and stop() the stream is this thread's alone, and a block
// from give() until next(). Limits: kDepth blocks.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>

#include "engine/source/block_pool.h"
#include "engine/source/byte_stream.h"

namespace linger {

class ReadAhead {
 public:
  struct Filled {
    std::unique_ptr<CaptureBlock> block;  // null: all blocks are in use; ask again
    std::size_t begin = 0;                // of the bytes in it
    std::size_t end = 0;
    StreamStatus status = StreamStatus::again;  // bytes, end or failed
    std::uint64_t input_bytes = 0;
  };

  explicit ReadAhead(BlockPool& pool);
  ~ReadAhead() { stop(); }
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;

  std::size_t headroom() const noexcept { return headroom_; }

  // False: another stream is read, this one may have to be waited for, or there is no thread to be
  // had.
  bool start(ByteStream& stream) noexcept;
  // What comes next, waited for.
  Filled next() noexcept;
  // The stream's bytes are lost as far as they were read ahead.
  void stop() noexcept;

 private:
  static constexpr std::uint32_t kDepth = 4;
  static constexpr std::uint32_t kStop = UINT32_MAX;

  void give() noexcept;
  void run(ByteStream& stream) noexcept;
  static void fill(ByteStream& stream, Filled& slot) noexcept;

  BlockPool& pool_;
  const std::size_t headroom_;
  std::array<Filled, kDepth> slots_;
  std::uint32_t taken_ = 0;
  std::uint32_t given_count_ = 0;
  std::atomic<std::uint32_t> given_{0};   // to the thread, by the owner; kStop
  std::atomic<std::uint32_t> filled_{0};  // by the thread
  std::thread thread_;
};

}  // namespace linger
