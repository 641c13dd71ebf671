#include "engine/source/capture_file_source.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

namespace linger {
namespace {

// Looking for the first timestamp of a file needs little of it.
constexpr std::size_t kLookBlockBytes = 16 << 10;
// One rx() takes this many turns at most (files changing, packets filtered away) before it lets its
// caller go on.
constexpr int kTurnsMax = 1024;
constexpr const char* kReadAlready = "a file that is read already";

tl::expected<std::unique_ptr<CaptureReader>, std::string> open_reader(const std::string& path,
                                                                      BlockPool& pool,
                                                                      ReadAhead* ahead) {
  auto stream = open_file_stream(path).and_then(
      [](std::unique_ptr<ByteStream>&& raw) { return decompressed(std::move(raw)); });
  if (!stream) return tl::unexpected(std::move(stream.error()));
  return std::make_unique<CaptureReader>(std::move(*stream), pool, ahead);
}

int cores_of_this_thread() noexcept {
  cpu_set_t cores;
  return sched_getaffinity(0, sizeof cores, &cores) == 0 ? CPU_COUNT(&cores) : 1;
}

tl::unexpected<std::string> error_of(const std::string& path, const std::string& reason) {
  return tl::unexpected(fmt::format("{}: {}", shown_name(path), reason));
}

}  // namespace

CaptureFileSource::CaptureFileSource(const CaptureOptions& options)
    : pool_(options.block_bytes, options.retired_bytes_max),
      filter_(options.bpf),
      clock_(options.clock_jump),
      may_read_ahead_(cores_of_this_thread() > 1) {}

CaptureFileSource::Outcome CaptureFileSource::add(const std::string& path, bool is_only) {
  std::error_code ignored;
  if (path != kStandardInput && std::filesystem::is_directory(path, ignored)) {
    return add_directory(path);
  }
  return add_file(path, is_only, false);
}

CaptureFileSource::Outcome CaptureFileSource::add_directory(const std::string& path) {
  std::vector<std::string> files;
  std::vector<std::string> folders;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(path, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code unreadable;
    if (entry->path().filename().native().front() == '.') continue;  // hidden
    if (entry->is_regular_file(unreadable)) files.push_back(entry->path().native());
    if (entry->is_directory(unreadable)) folders.push_back(entry->path().native());
  }
  if (error) return error_of(path, error.message());
  std::sort(files.begin(), files.end());
  const std::size_t foreign_before = foreign_count_;
  for (const std::string& file : files) {
    if (auto added = add_file(file, false, true); !added) return added;
  }
  for (const std::string& folder : folders) pass_over(folder, "a directory (name it to read it)");
  if (foreign_count_ - foreign_before < files.size() + folders.size()) return {};
  std::string why = notes();
  std::replace(why.begin(), why.end(), '\n', ' ');
  return error_of(path, "holds no capture files" + (why.empty() ? why : ": " + why));
}

CaptureFileSource::Outcome CaptureFileSource::add_file(const std::string& path, bool is_only,
                                                       bool may_be_foreign) {
  struct stat status {};
  const bool is_stdin = path == kStandardInput;
  if ((is_stdin ? fstat(0, &status) : stat(path.c_str(), &status)) != 0) {
    return error_of(path, std::strerror(errno));
  }
  const bool is_regular = S_ISREG(status.st_mode);
  const FileId file{status.st_dev, status.st_ino};
  if (is_regular && files_.contains(file)) {
    // A link, or named twice: each of its packets would count twice.
    pass_over(path, kReadAlready);
    return {};
  }
  const bool stays_open = is_only || is_stdin || !is_regular;
  BlockPool look_pool(kLookBlockBytes);
  BlockPool& pool = stays_open ? pool_ : look_pool;
  auto reader = open_reader(path, pool, stays_open ? ahead() : nullptr);
  if (!reader) return error_of(path, reader.error());
  CaptureReader::Status head = CaptureReader::Status::again;
  while (head == CaptureReader::Status::again) {
    pool.begin_burst();  // no packet points into what was read so far
    head = (*reader)->read_head();
  }

  if ((*reader)->is_capture()) files_.insert(file);
  if (head == CaptureReader::Status::damaged) {
    if ((*reader)->is_capture() || (may_be_foreign && (*reader)->has_failed())) {
      say_trouble(path, (*reader)->trouble());
    } else if (may_be_foreign) {
      pass_over(path, (*reader)->trouble());
    } else {
      return error_of(path, (*reader)->trouble());
    }
  } else if (head == CaptureReader::Status::limit) {
    Input& input = *pending_.emplace_back(std::make_unique<Input>());
    input.key = {(*reader)->head(), input_count_++};
    input.path = path;
    is_size_known_ &= is_regular;
    bytes_total_ += static_cast<std::uint64_t>(status.st_size);
    if (stays_open) {
      bytes_done_.add((*reader)->input_bytes());
      input.reader = std::move(*reader);
    }
  }
  return {};
}

void CaptureFileSource::pass_over(const std::string& path, const std::string& reason) {
  PassedOver& those = passed_over_[reason];
  if (those.count++ == 0) those.first = path;
  if (reason != kReadAlready) ++foreign_count_;
}

std::string CaptureFileSource::notes() const {
  std::string text;
  for (const auto& [reason, those] : passed_over_) {
    if (!text.empty()) text += '\n';
    text += fmt::format("{} is passed over: {}", those.first, reason);
    if (those.count == 2) text += "; so is one other";
    if (those.count > 2) text += fmt::format("; so are {} others", those.count - 1);
    text += '.';
  }
  return text;
}

// Call once, when all inputs are known.
void CaptureFileSource::sort_pending() {
  std::sort(pending_.begin(), pending_.end(), is_after);
  if (!is_size_known_) bytes_total_ = 0;
}

RxStatus CaptureFileSource::rx(Burst& burst) noexcept {
  held_.begin(burst);
  if (burst.count != 0) pool_.begin_burst();
  const RxStatus status = fill(burst);
  if (status == RxStatus::end) return status;
  held_.stamp(clock_, burst, is_at_end_);
  burst.clock = clock_.now();
  return burst.count > 0 ? RxStatus::packets : RxStatus::idle;
}

RxStatus CaptureFileSource::fill(Burst& burst) noexcept {
  for (int turn = 0; turn < kTurnsMax && burst.count < kBurstMax; ++turn) {
    if (burst.count == 0) pool_.begin_burst();
    if (!current_ && !choose_input()) {
      is_at_end_ = true;
      return burst.count > 0 ? RxStatus::packets : RxStatus::end;
    }
    CaptureReader& reader = *current_->reader;
    const std::uint64_t input_bytes = reader.input_bytes();
    PacketRun run{burst.packets.data() + burst.count, kBurstMax - burst.count, 0, merge_limit()};
    const CaptureReader::Status status = reader.read(run);
    bytes_done_.add(reader.input_bytes() - input_bytes);
    burst.count += filter_.keep_matching(run.packets, run.count);
    switch (status) {
      case CaptureReader::Status::full:
        break;
      case CaptureReader::Status::again:
        return burst.count > 0 ? RxStatus::packets : RxStatus::idle;
      case CaptureReader::Status::limit:
        current_->key.head = reader.head();
        open_.push_back(std::move(current_));
        std::push_heap(open_.begin(), open_.end(), is_after);
        break;
      case CaptureReader::Status::damaged:
        say_trouble(current_->path, reader.trouble());
        current_.reset();
        break;
      case CaptureReader::Status::end:
        current_.reset();
        break;
    }
  }
  return burst.count > 0 ? RxStatus::packets : RxStatus::idle;
}

// Makes the input with the earliest next packet the current one; false when there is none.
bool CaptureFileSource::choose_input() noexcept {
  for (;;) {
    const bool is_pending_first =
        !pending_.empty() && (open_.empty() || pending_.back()->key < open_.front()->key);
    if (is_pending_first && open_.size() < kOpenFilesMax) {
      current_ = std::move(pending_.back());
      pending_.pop_back();
      if (current_->reader || open_current()) return true;
    } else if (!open_.empty()) {
      std::pop_heap(open_.begin(), open_.end(), is_after);
      current_ = std::move(open_.back());
      open_.pop_back();
      return true;
    } else {
      return false;
    }
  }
}

bool CaptureFileSource::open_current() noexcept {
  auto reader = open_reader(current_->path, pool_, ahead());
  if (!reader) {
    say_trouble(current_->path, "cannot be read any more: " + reader.error());
    current_.reset();
    return false;
  }
  current_->reader = std::move(*reader);
  return true;
}

// Up to which timestamp the current input comes before all others.
std::int64_t CaptureFileSource::merge_limit() noexcept {
  std::int64_t limit = INT64_MAX;
  const auto stop_before = [&](const Key& other) {
    const std::int64_t last = other.head.value - (other.order < current_->key.order ? 1 : 0);
    limit = std::min(limit, last);
  };
  if (!open_.empty()) stop_before(open_.front()->key);
  if (!pending_.empty()) {
    if (open_.size() + 1 < kOpenFilesMax) {
      stop_before(pending_.back()->key);
    } else if (!is_too_many_said_ && pending_.back()->key.head.value <= limit) {
      is_too_many_said_ = true;
      say_trouble(pending_.back()->path,
                  fmt::format("overlaps in time with {} other files, more than are merged; its "
                              "packets come late",
                              kOpenFilesMax));
    }
  }
  return limit;
}

void CaptureFileSource::say_trouble(const std::string& path, const std::string& what) noexcept {
  if (!trouble_.empty()) trouble_ += '\n';
  trouble_ += fmt::format("{}: {}.", shown_name(path), what);
}

bool CaptureFileSource::reads(const std::string& path) const {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 && files_.contains({status.st_dev, status.st_ino});
}

std::string CaptureFileSource::trouble() const {
  const std::string& filter = filter_.trouble();
  return trouble_ + (trouble_.empty() || filter.empty() ? "" : "\n") + filter;
}

tl::expected<std::unique_ptr<CaptureFileSource>, std::string> open_capture(
    const std::vector<std::string>& paths, const CaptureOptions& options) {
  std::unique_ptr<CaptureFileSource> source(new CaptureFileSource(options));
  if (std::count(paths.begin(), paths.end(), kStandardInput) > 1) {
    return error_of(kStandardInput, "is named twice");
  }
  for (const std::string& path : paths) {
    if (auto added = source->add(path, paths.size() == 1); !added) {
      return tl::unexpected(std::move(added.error()));
    }
  }
  source->sort_pending();
  return source;
}

}  // namespace linger
