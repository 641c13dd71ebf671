// Capture files as a source: files, directories and standard input, told in time order.
//
// Each input is looked into once for its first timestamp, then opened when its turn comes; inputs
// that overlap in time are merged by the timestamps of their next packets (equal ones: as given on
// the command line). Within one file the order is the file's, whatever its timestamps say. Never
// drops: without a free block, rx() is `idle`.
//
// Where there is a core for it, a large compressed file is decompressed by a thread of its own.
//
// Owner: the shard that calls rx(); bytes are read by anybody. The source outlives all
// packets it gave out. Limits: kOpenFilesMax inputs at a time, 64 MiB of blocks that wait for other
// threads.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "engine/base/counter.h"
#include "engine/source/capture_reader.h"
#include "engine/source/held_packet.h"
#include "engine/source/packet_filter.h"
#include "engine/source/source.h"
#include "engine/source/source_clock.h"

namespace linger {

struct CaptureOptions {
  std::string bpf = {};  // checked with check_bpf() before; empty: every packet
  DurationNs clock_jump = kHour;
  std::size_t block_bytes = std::size_t{256} << 10;
  std::size_t retired_bytes_max = BlockPool::kRetiredBytesMax;
};

class CaptureFileSource final : public Source {
 public:
  static constexpr std::size_t kOpenFilesMax = 256;

  RxStatus rx(Burst& burst) noexcept override;
  std::string trouble() const override;
  std::uint64_t bytes_done() const noexcept override { return bytes_done_.value(); }
  std::uint64_t bytes_total() const noexcept override { return bytes_total_; }

  // What the user should know before it starts: files of directories that are passed over, a line
  // for each reason.
  std::string notes() const;

  // Whether this file is one of its captures, by whatever name, with packets or without.
  bool reads(const std::string& path) const;

 private:
  friend tl::expected<std::unique_ptr<CaptureFileSource>, std::string> open_capture(
      const std::vector<std::string>& paths, const CaptureOptions& options);

  // Inputs are ordered by their next packet's time, then as given.
  struct Key {
    Timestamp head;
    std::size_t order = 0;
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  struct Input {
    Key key;
    std::string path;
    std::unique_ptr<CaptureReader> reader;  // null: not open yet
  };

  using InputPointer = std::unique_ptr<Input>;
  using Outcome = tl::expected<void, std::string>;

  explicit CaptureFileSource(const CaptureOptions& options);
  Outcome add(const std::string& path, bool is_only);
  Outcome add_directory(const std::string& path);
  Outcome add_file(const std::string& path, bool is_only, bool may_be_foreign);
  void pass_over(const std::string& path, const std::string& reason);
  void sort_pending();

  RxStatus fill(Burst& burst) noexcept;
  bool choose_input() noexcept;
  bool open_current() noexcept;
  std::int64_t merge_limit() noexcept;
  [[gnu::cold]] void say_trouble(const std::string& path, const std::string& what) noexcept;

  ReadAhead* ahead() noexcept { return may_read_ahead_ ? &ahead_ : nullptr; }
  static bool is_after(const InputPointer& a, const InputPointer& b) noexcept {
    return a->key > b->key;
  }

  BlockPool pool_;
  ReadAhead ahead_{pool_};
  PacketFilter filter_;
  SourceClock clock_;
  HeldPacket held_;
  bool is_at_end_ = false;
  const bool may_read_ahead_;
  InputPointer current_;               // being read; null between two inputs
  std::vector<InputPointer> open_;     // a heap, the next one in front
  std::vector<InputPointer> pending_;  // sorted, the next one last
  std::string trouble_;
  struct PassedOver {
    std::string first;
    std::size_t count = 0;
  };
  std::map<std::string, PassedOver> passed_over_;  // by reason
  std::size_t foreign_count_ = 0;                  // of them, those that no other name reads
  using FileId = std::pair<std::uint64_t, std::uint64_t>;  // device, inode
  std::set<FileId> files_;                                 // that are captures
  std::size_t input_count_ = 0;
  bool is_size_known_ = true;
  bool is_too_many_said_ = false;
  std::uint64_t bytes_total_ = 0;

  alignas(64) Counter bytes_done_;
};

// Opens what `linger -r` names: files, directories (their own regular files that are captures,
// hidden ones and subdirectories left out) and "-". The error is one line that names the file and
// the reason.
tl::expected<std::unique_ptr<CaptureFileSource>, std::string> open_capture(
    const std::vector<std::string>& paths, const CaptureOptions& options = {});

}  // namespace linger
