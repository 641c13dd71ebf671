// Where encoded records go. A writer takes whole lines and answers for every one of them: it is
// written, dropped for a named reason, or still held.
//
// Owner: one output's thread, but for the counts, is_connected(), is_broken_pipe(), finish_soon()
// and abandon(), which any thread may call. A writer blocks where it must wait, and stops waiting
// soon after abandon().
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "engine/base/counter.h"
#include "engine/base/time.h"
#include "output/uri.h"

namespace linger {

// Why a record was not written: X(name, help)
#define LINGER_DROP_REASONS(X)                                                         \
  X(queue_full, "a live run does not wait for a slow output")                          \
  X(failed, "the output could not be written to: disk full, connection lost for good") \
  X(reader_gone, "the reader of standard output closed it")                            \
  X(abandoned, "the run was stopped while the output did not take records")

enum class DropReason : std::uint8_t {
#define LINGER_DROP_REASON(name, help) name,
  LINGER_DROP_REASONS(LINGER_DROP_REASON)
#undef LINGER_DROP_REASON
};
#define LINGER_DROP_NAME(name, help) std::string_view{#name},
inline constexpr std::array kDropNames = {LINGER_DROP_REASONS(LINGER_DROP_NAME)};
#undef LINGER_DROP_NAME
inline constexpr std::size_t kDropReasonCount = kDropNames.size();

class Writer {
 public:
  virtual ~Writer() = default;

  // Before the thread starts; the error names the output and the mend.
  virtual tl::expected<void, std::string> open() = 0;
  virtual void write(std::string_view lines) = 0;
  virtual void idle() {}     // nothing to write for now
  virtual void reopen() {}   // the file was moved away (HUP)
  virtual void close() = 0;  // settles every line that is still held

  // The run is at its end: whom a live run waits for has give_up_after from now on.
  void finish_soon() noexcept { finishing_.store(true, std::memory_order_relaxed); }
  void abandon() noexcept { abandoned_.store(true, std::memory_order_relaxed); }
  // Of a socket that has been opened: false while its peer is lost.
  bool is_connected() const noexcept { return connected_.load(std::memory_order_relaxed); }
  std::uint64_t breaks() const noexcept { return breaks_.value(); }
  bool is_broken_pipe() const noexcept { return broken_pipe_.load(std::memory_order_relaxed); }
  std::uint64_t written() const noexcept { return written_.value(); }
  std::uint64_t resent() const noexcept { return resent_.value(); }
  std::uint64_t dropped(DropReason reason) const noexcept {
    return dropped_[static_cast<std::size_t>(reason)].value();
  }
  // The last thing that went wrong, as a sentence; empty when all is well. Valid after close().
  const std::string& trouble() const noexcept { return trouble_; }

 protected:
  bool is_finishing() const noexcept { return finishing_.load(std::memory_order_relaxed); }
  bool is_abandoned() const noexcept { return abandoned_.load(std::memory_order_relaxed); }
  void count_written(std::string_view lines) noexcept;
  void count_resent(std::string_view lines) noexcept;
  void count_dropped(DropReason reason, std::string_view lines) noexcept;
  void count_break() noexcept {
    breaks_.add(1);
    connected_.store(false, std::memory_order_relaxed);
  }
  void set_connected() noexcept { connected_.store(true, std::memory_order_relaxed); }
  void set_broken_pipe() noexcept { broken_pipe_.store(true, std::memory_order_relaxed); }

  std::string trouble_;

 private:
  Counter written_;
  Counter resent_;
  Counter breaks_;  // of the connection
  std::array<Counter, kDropReasonCount> dropped_;
  // Flags between the control thread and the output's; nothing else is published through them.
  std::atomic<bool> finishing_{false};
  std::atomic<bool> abandoned_{false};
  std::atomic<bool> broken_pipe_{false};
  std::atomic<bool> connected_{true};
};

// A replay replaces a file that is there, a live run goes on behind its last whole line.
//
// How long a socket or pipe is waited for. A replay waits for a slow peer as long as it takes, and
// for a lost one give_up_after. A live run never gives a peer up before its end; then a lost or
// slow one gets give_up_after.
struct WriterOptions {
  bool is_live = false;
  bool file_cache = false;  // setting fileCache
  DurationNs give_up_after = 10 * kSecond;
  int silent_tries = 7;  // what TCP sends again unanswered, before it is connected anew: some 25 s
};

std::unique_ptr<Writer> make_writer(const OutputUri& uri, const WriterOptions& options);

// Whether records could go there now: a socket is connected to, a file is left as it is. The error
// names the output and the mend.
tl::expected<void, std::string> try_output(const OutputUri& uri);

tl::expected<void, std::string> try_file(const OutputUri& uri);

std::unique_ptr<Writer> make_file_writer(const OutputUri& uri, const WriterOptions& options);
std::unique_ptr<Writer> make_stream_writer(const OutputUri& uri, const WriterOptions& options);

}  // namespace linger
