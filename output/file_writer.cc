// Files, pipes and devices. A regular file holds whole records only: when a write falls short for
// good (disk full, file size limit), the file is cut back to its last whole record, and what
// follows is dropped and counted: in a live run until the disk has room again. So is what nobody
// reads of a named pipe, until somebody does.
//
// What is written in bulk leaves the page cache once it is on disk (RWF_DONTCACHE, Linux 6.14,
// where the file system knows it): nobody here reads it again, and a run for days would fill the
// machine's memory with it and then pay for each page that must be found anew.
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstring>
#include <filesystem>
#include <utility>

#include "engine/base/pipe.h"
#include "engine/base/tell.h"
#include "output/writer.h"

namespace linger {

namespace {

constexpr int kPollMs = 50;  // how soon a wait notices abandon()
constexpr std::size_t kBulkBytes = 128 * 1024;
constexpr std::size_t kPageBytes = 4096;
constexpr int kWriting = O_WRONLY | O_CREAT | O_CLOEXEC;
constexpr mode_t kMode = 0644;
constexpr off_t kTornBytesMax = 16 << 20;  // far more than a record has
#ifndef RWF_DONTCACHE
#define RWF_DONTCACHE 0x00000080  // linux/fs.h
#endif

using SteadyClock = std::chrono::steady_clock;

std::string cannot_write(const OutputUri& uri, int error) {
  return fmt::format("output '{}': cannot write '{}': {}", uri.text, uri.path,
                     std::strerror(error));
}

// The bytes of the whole lines at the front.
std::size_t whole_lines(std::string_view text) noexcept { return text.rfind('\n') + 1; }
static_assert(std::string_view::npos + 1 == 0);

class FileWriter final : public Writer {
 public:
  FileWriter(const OutputUri& uri, const WriterOptions& options) : uri_(uri), options_(options) {}
  ~FileWriter() override { close_file(); }

  tl::expected<void, std::string> open() override {
    if (uri_.destination == Destination::standard_output) {
      fd_ = STDOUT_FILENO;
    } else if (fd_ = open_path(); fd_ < 0) {
      return tl::unexpected(cannot_write(uri_, errno));
    }
    look_at_file();
    if (options_.is_live && is_regular_ && !cut_torn_line())
      return tl::unexpected(
          fmt::format("output '{}': '{}' holds no lines to go on with; name another file",
                      uri_.text, uri_.path));
    return {};
  }

  void write(std::string_view lines) override {
    if (is_dead_ && !may_recover_) return count_dropped(dead_reason_, lines);
    if (begun_.empty()) return write_all(lines, false);
    const std::string all = std::exchange(begun_, {}) + std::string(lines);
    write_all(all, true);
  }

  // The path may name a new file now; what it holds, if anything, stays. One that it still names
  // stays open: as the user that the run became by now it could perhaps not be opened again. A pipe
  // that nobody reads is not waited for.
  void reopen() override {
    if (uri_.destination == Destination::standard_output) return;
    if (is_still_there()) return void(is_dead_ = false);
    const int fd = ::open(uri_.path.c_str(), kWriting | O_APPEND | O_NONBLOCK, kMode);
    if (fd < 0) {
      return tell("linger: output '{}': cannot reopen '{}': {}; the old file stays open\n",
                  uri_.text, uri_.path, std::strerror(errno));
    }
    fcntl(fd, F_SETFL, O_APPEND);
    close();
    fd_ = fd;
    is_dead_ = false;
    look_at_file();
  }

  void close() override {
    drop_begun();
    close_file();
  }

 private:
  // is_begun: of the first line a part was written before.
  void write_all(std::string_view lines, bool is_begun) {
    std::size_t done = 0;
    while (done < lines.size()) {
      if (is_pipe_ && !wait_for_reader()) return fail(lines, done, is_begun, 0);
      const ssize_t n = write_part(lines.substr(done));
      if (n > 0) {
        done += static_cast<std::size_t>(n);
        const std::size_t whole = whole_lines(lines.substr(0, done));
        count_written(lines.substr(0, whole));
        lines.remove_prefix(whole);
        done -= whole;
        is_begun = is_begun && whole == 0;
      } else if (n < 0 && errno == EAGAIN) {  // a terminal that somebody made non-blocking
        if (!wait_for_reader()) return fail(lines, done, is_begun, 0);
      } else if (n < 0 && errno != EINTR) {
        return fail(lines, done, is_begun, errno);
      }
    }
    if (std::exchange(is_dead_, false))
      tell("linger: output '{}': {} again; {} records were dropped\n", uri_.text,
           is_pipe_ ? "it is read" : "there is room", dropped(DropReason::failed));
  }

  void drop_begun() noexcept {
    count_dropped(dead_reason_, begun_);
    begun_.clear();
  }

  // A named pipe comes to be open when somebody reads it; who waits for that says so.
  int open_path() const {
    const int flags = kWriting | how();
    std::error_code ignored;
    if (std::filesystem::is_fifo(uri_.path, ignored)) {
      const int fd = ::open(uri_.path.c_str(), flags | O_NONBLOCK);
      if (fd >= 0) fcntl(fd, F_SETFL, flags & O_APPEND);
      if (fd >= 0 || errno != ENXIO) return fd;
      tell("linger: output '{}': it waits for somebody to read it\n", uri_.text);
    }
    return ::open(uri_.path.c_str(), flags, kMode);
  }

  void close_file() {
    if (fd_ > STDERR_FILENO && ::close(fd_) != 0 && errno != EINTR) {
      trouble_ = fmt::format("output '{}': {} at its close", uri_.text, std::strerror(errno));
    }
    fd_ = -1;
  }

  bool is_still_there() const noexcept {
    struct stat open {};
    struct stat named {};
    return fstat(fd_, &open) == 0 && stat(uri_.path.c_str(), &named) == 0 &&
           open.st_dev == named.st_dev && open.st_ino == named.st_ino;
  }

  // A live run goes on with the file of the one before, which perhaps was killed.
  int how() const noexcept { return options_.is_live ? O_APPEND : O_TRUNC; }

  // Behind the last line end of the file's last kTornBytesMax. False: there is none.
  bool cut_torn_line() {
    const int fd = ::open(uri_.path.c_str(), O_RDWR | O_CLOEXEC);
    if (fd < 0) return true;  // only to be written
    const off_t end = lseek(fd, 0, SEEK_END);
    std::string tail(static_cast<std::size_t>(std::min(end, kTornBytesMax)), '\0');
    const off_t begin = end - static_cast<off_t>(tail.size());
    const bool is_read = pread(fd, tail.data(), tail.size(), begin) == std::ssize(tail);
    const std::size_t last = tail.rfind('\n');
    const off_t whole = last == std::string::npos ? begin : begin + static_cast<off_t>(last) + 1;
    const bool is_found = last != std::string::npos || begin == 0;
    if (is_read && is_found && whole < end && ftruncate(fd, whole) == 0)
      tell("linger: output '{}': its last line was torn; {} bytes are cut\n", uri_.text,
           end - whole);
    ::close(fd);
    return !is_read || is_found;
  }

  void look_at_file() {
    struct stat status {};
    const bool is_known = fstat(fd_, &status) == 0;
    is_regular_ = is_known && S_ISREG(status.st_mode);
    is_pipe_ = is_known && (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode));
    leaves_cache_ = is_regular_ && !options_.file_cache;
    takes_what_fits_ = is_pipe_;
    if (is_pipe_) widen_pipe(fd_);
  }

  // As write(2).
  ssize_t write_part(std::string_view lines) {
    if (is_pipe_) return write_to_pipe(lines);
    if (!leaves_cache_ || lines.size() < kBulkBytes)
      return ::write(fd_, lines.data(), lines.size());
    // The last page, not full yet, stays: the next write goes on there.
    const auto end = static_cast<std::size_t>(lseek(fd_, 0, SEEK_CUR)) + lines.size();
    const iovec whole{const_cast<char*>(lines.data()), lines.size() - end % kPageBytes};
    const ssize_t n = pwritev2(fd_, &whole, 1, -1, RWF_DONTCACHE);
    if (n >= 0 || errno != EOPNOTSUPP) return n;
    leaves_cache_ = false;
    return write_part(lines);
  }

  // Never blocks where poll() has said that there is room: writes what fits (Linux 6.4), or
  // PIPE_BUF bytes. The file may not be made non-blocking, as others may write to it too.
  ssize_t write_to_pipe(std::string_view lines) {
    if (takes_what_fits_) {
      const iovec all{const_cast<char*>(lines.data()), lines.size()};
      const ssize_t n = pwritev2(fd_, &all, 1, -1, RWF_NOWAIT);
      if (n >= 0 || errno != EOPNOTSUPP) return n;
      takes_what_fits_ = false;
    }
    return ::write(fd_, lines.data(), std::min<std::size_t>(PIPE_BUF, lines.size()));
  }

  // False: the reader takes nothing, and the run was abandoned, or is live and at its end.
  bool wait_for_reader() {
    for (auto patience_ends = SteadyClock::time_point::max();;) {
      pollfd poll_fd{fd_, POLLOUT, 0};
      if (poll(&poll_fd, 1, kPollMs) > 0) return true;
      const auto now = SteadyClock::now();
      if (is_abandoned() || now >= patience_ends) return false;
      if (options_.is_live && is_finishing())
        patience_ends =
            std::min(patience_ends, now + std::chrono::nanoseconds(options_.give_up_after));
    }
  }

  // A live run may last for days after that.
  void say(const std::string& what) {
    trouble_ = fmt::format("output '{}': {}", uri_.text, what);
    if (options_.is_live) tell("linger: {}\n", trouble_);
  }

  // Of the first line `done` bytes were written, then `error` came (0: abandoned). The file keeps
  // whole records only; of what a pipe has got in part it gets the rest, when it is read again.
  void fail(std::string_view lines, std::size_t done, bool is_begun, int error) {
    const bool is_first = !std::exchange(is_dead_, true);
    const bool is_standard = uri_.destination == Destination::standard_output;
    const bool is_full = is_regular_ && (error == ENOSPC || error == EDQUOT);
    const bool is_unread = is_pipe_ && !is_standard && error == EPIPE;
    may_recover_ = options_.is_live && (is_full || is_unread);
    std::string cut;
    if (is_regular_ && done > 0) {
      const off_t end = lseek(fd_, 0, SEEK_CUR) - static_cast<off_t>(done);
      if (ftruncate(fd_, end) != 0 || lseek(fd_, end, SEEK_SET) < 0)
        cut = "; its last line is torn", may_recover_ = false;
    }
    if (may_recover_ && is_unread && (done > 0 || is_begun)) {
      const std::size_t end = lines.find('\n') + 1;
      begun_ = lines.substr(done, end - done);
      lines.remove_prefix(end);
    }
    if (error == EPIPE && is_standard) {
      dead_reason_ = DropReason::reader_gone;
      set_broken_pipe();
    } else if (error == 0) {
      dead_reason_ = DropReason::abandoned;
      trouble_ = fmt::format(
          "output '{}': its reader did not take every record when the run was stopped", uri_.text);
    } else {
      dead_reason_ = DropReason::failed;
      if (is_first || !may_recover_) say(fmt::format("{}{}", std::strerror(error), cut));
    }
    count_dropped(dead_reason_, lines);
  }

  const OutputUri uri_;
  const WriterOptions options_;
  int fd_ = -1;
  bool is_regular_ = false;
  bool is_pipe_ = false;
  // As far as the kernel has not refused to do it for this file.
  bool leaves_cache_ = false;
  bool takes_what_fits_ = false;
  bool is_dead_ = false;
  bool may_recover_ = false;  // then it is not for good
  std::string begun_;         // the rest of a record that a pipe has got in part
  DropReason dead_reason_ = DropReason::failed;
};

}  // namespace

// A file that is not there yet is made for a moment: only so it is known that it can be.
tl::expected<void, std::string> try_file(const OutputUri& uri) {
  const auto is_allowed = [](const std::string& path, int rights) {
    return faccessat(AT_FDCWD, path.c_str(), rights, AT_EACCESS) == 0;
  };
  struct stat status {};
  if (stat(uri.path.c_str(), &status) == 0) {
    if (S_ISDIR(status.st_mode)) return tl::unexpected(cannot_write(uri, EISDIR));
    if (!is_allowed(uri.path, W_OK)) return tl::unexpected(cannot_write(uri, errno));
    return {};
  }
  if (errno != ENOENT) return tl::unexpected(cannot_write(uri, errno));
  std::filesystem::path place = uri.path;
  std::error_code ignored;
  while (std::filesystem::is_symlink(place, ignored))  // to what is not there: none goes round
    place = place.parent_path() / std::filesystem::read_symlink(place, ignored);
  const int fd = ::open(place.c_str(), kWriting | O_EXCL, kMode);
  if (fd < 0 && errno != EEXIST) return tl::unexpected(cannot_write(uri, errno));
  if (fd >= 0) ::close(fd), ::unlink(place.c_str());
  return {};
}

std::unique_ptr<Writer> make_file_writer(const OutputUri& uri, const WriterOptions& options) {
  return std::make_unique<FileWriter>(uri, options);
}

}  // namespace linger
