#include "engine/source/byte_stream.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "engine/base/pipe.h"

namespace linger {
namespace {

constexpr int kPipeWaitMs = 1;
constexpr std::size_t kCompressedBufferBytes = 128 << 10;
constexpr std::size_t kMagicBytes = 4;

class FileStream final : public ByteStream {
 public:
  FileStream(int fd, bool can_wait) noexcept : fd_(fd), can_wait_(can_wait) {}
  ~FileStream() override {
    if (fd_ != STDIN_FILENO) close(fd_);
  }
  FileStream(const FileStream&) = delete;
  FileStream& operator=(const FileStream&) = delete;

  StreamRead read(std::uint8_t* to, std::size_t room) noexcept override {
    if (can_wait_) {
      pollfd waiting{fd_, POLLIN, 0};
      if (poll(&waiting, 1, kPipeWaitMs) <= 0) return {StreamStatus::again};
    }
    const ssize_t count = ::read(fd_, to, room);
    if (count > 0) {
      input_bytes_ += static_cast<std::uint64_t>(count);
      return {StreamStatus::bytes, static_cast<std::size_t>(count)};
    }
    if (count == 0) return {StreamStatus::end};
    if (errno == EINTR || errno == EAGAIN) return {StreamStatus::again};
    errno_ = errno;
    return {StreamStatus::failed};
  }
  std::string reason() const override { return std::strerror(errno_); }
  std::uint64_t input_bytes() const noexcept override { return input_bytes_; }
  bool may_wait() const noexcept override { return can_wait_; }

 private:
  int fd_;
  bool can_wait_;  // a pipe, socket or terminal: its bytes come when they come
  int errno_ = 0;
  std::uint64_t input_bytes_ = 0;
};

class MemoryStream final : public ByteStream {
 public:
  MemoryStream(Bytes bytes, std::size_t piece) noexcept : rest_(bytes), piece_(piece) {}

  StreamRead read(std::uint8_t* to, std::size_t room) noexcept override {
    const std::size_t count = std::min({rest_.size(), room, piece_});
    if (count == 0) return {StreamStatus::end};
    std::memcpy(to, rest_.data(), count);
    rest_ = rest_.subspan(count);
    input_bytes_ += count;
    return {StreamStatus::bytes, count};
  }
  std::uint64_t input_bytes() const noexcept override { return input_bytes_; }

 private:
  Bytes rest_;
  std::size_t piece_;
  std::uint64_t input_bytes_ = 0;
};

// Gives back the bytes that were read to recognise the format, then the rest.
class ReplayedStream final : public ByteStream {
 public:
  ReplayedStream(std::array<std::uint8_t, kMagicBytes> head, std::size_t head_bytes,
                 std::unique_ptr<ByteStream> rest) noexcept
      : head_(head), head_bytes_(head_bytes), rest_(std::move(rest)) {}

  StreamRead read(std::uint8_t* to, std::size_t room) noexcept override {
    if (position_ == head_bytes_) return rest_->read(to, room);
    const std::size_t count = std::min(room, head_bytes_ - position_);
    std::memcpy(to, head_.data() + position_, count);
    position_ += count;
    return {StreamStatus::bytes, count};
  }
  std::string reason() const override { return rest_->reason(); }
  std::uint64_t input_bytes() const noexcept override { return rest_->input_bytes(); }
  bool may_wait() const noexcept override { return rest_->may_wait(); }

 private:
  std::array<std::uint8_t, kMagicBytes> head_;
  std::size_t head_bytes_;
  std::size_t position_ = 0;
  std::unique_ptr<ByteStream> rest_;
};

// What gzip and zstd have in common: an input buffer, and reading on until the room is full or the
// input dries up.
class Decompressor : public ByteStream {
 public:
  explicit Decompressor(std::unique_ptr<ByteStream> input)
      : input_(std::move(input)),
        buffer_(std::make_unique_for_overwrite<std::uint8_t[]>(kCompressedBufferBytes)) {}

  StreamRead read(std::uint8_t* to, std::size_t room) noexcept final {
    std::size_t done = 0;
    while (done < room && status_ == StreamStatus::bytes) {
      if (begin_ == end_ && !has_output_) {
        const StreamRead got = input_->read(buffer_.get(), kCompressedBufferBytes);
        if (got.status == StreamStatus::again) break;
        if (got.status != StreamStatus::bytes) {
          status_ = got.status;
          if (status_ == StreamStatus::failed) reason_ = input_->reason();
          if (status_ == StreamStatus::end && in_member_) fail("the compressed data breaks off");
          break;
        }
        begin_ = 0, end_ = got.bytes;
      }
      done += step(to + done, room - done);
    }
    if (done > 0) return {StreamStatus::bytes, done};
    return {status_ == StreamStatus::bytes ? StreamStatus::again : status_};
  }
  std::string reason() const final { return reason_; }
  std::uint64_t input_bytes() const noexcept final { return input_->input_bytes(); }
  bool is_compressed() const noexcept final { return true; }
  bool may_wait() const noexcept final { return input_->may_wait(); }

 protected:
  // Decompresses from [begin_, end_) and returns the bytes written; sets has_output_ when there are
  // more to be had without new input, and in_member_ while a member or frame is incomplete.
  virtual std::size_t step(std::uint8_t* to, std::size_t room) noexcept = 0;

  void fail(const char* reason) noexcept {
    status_ = StreamStatus::failed;
    reason_ = reason;
  }
  void finish() noexcept { status_ = StreamStatus::end; }

  std::unique_ptr<ByteStream> input_;
  std::unique_ptr<std::uint8_t[]> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool has_output_ = false;
  bool in_member_ = true;

 private:
  StreamStatus status_ = StreamStatus::bytes;
  std::string reason_;
};

class GzipStream final : public Decompressor {  // RFC 1952
 public:
  explicit GzipStream(std::unique_ptr<ByteStream> input) : Decompressor(std::move(input)) {
    constexpr int kGzipOnly = 16 + MAX_WBITS;
    if (inflateInit2(&inflate_, kGzipOnly) != Z_OK) fail("zlib cannot be started");
  }
  ~GzipStream() override { inflateEnd(&inflate_); }
  GzipStream(const GzipStream&) = delete;
  GzipStream& operator=(const GzipStream&) = delete;

 private:
  std::size_t step(std::uint8_t* to, std::size_t room) noexcept override {
    if (!in_member_) {
      // Tapes and some writers pad with zeros after the last member, which gzip ignores too.
      if (buffer_[begin_] == 0) {
        finish();
        return 0;
      }
      inflateReset(&inflate_);
      in_member_ = true;
    }
    inflate_.next_in = buffer_.get() + begin_;
    inflate_.avail_in = static_cast<uInt>(end_ - begin_);
    inflate_.next_out = to;
    inflate_.avail_out = static_cast<uInt>(std::min<std::size_t>(room, 1U << 30));
    const uInt before = inflate_.avail_out;
    const int result = inflate(&inflate_, Z_NO_FLUSH);
    begin_ = end_ - inflate_.avail_in;
    has_output_ = result == Z_OK && inflate_.avail_out == 0;
    if (result == Z_STREAM_END) {
      in_member_ = false;
    } else if (result != Z_OK && result != Z_BUF_ERROR) {
      fail(inflate_.msg != nullptr ? inflate_.msg : "damaged gzip data");
    }
    return before - inflate_.avail_out;
  }

  z_stream inflate_{};
};

class ZstdStream final : public Decompressor {  // RFC 8878
 public:
  explicit ZstdStream(std::unique_ptr<ByteStream> input)
      : Decompressor(std::move(input)), context_(ZSTD_createDStream()) {
    if (context_ == nullptr) fail("zstd cannot be started");
  }
  ~ZstdStream() override { ZSTD_freeDStream(context_); }
  ZstdStream(const ZstdStream&) = delete;
  ZstdStream& operator=(const ZstdStream&) = delete;

 private:
  std::size_t step(std::uint8_t* to, std::size_t room) noexcept override {
    ZSTD_inBuffer in{buffer_.get(), end_, begin_};
    ZSTD_outBuffer out{to, room, 0};
    const std::size_t result = ZSTD_decompressStream(context_, &out, &in);
    begin_ = in.pos;
    if (ZSTD_isError(result)) {
      fail(ZSTD_getErrorName(result));
    } else {
      in_member_ = result != 0;
      has_output_ = in_member_ && out.pos == out.size;
    }
    return out.pos;
  }

  ZSTD_DStream* context_;
};

bool is_gzip(const std::uint8_t* head) { return head[0] == 0x1f && head[1] == 0x8b; }

// A frame, or a skippable frame as parallel compressors write first (RFC 8878 §3.1).
bool is_zstd(const std::uint8_t* head) {
  const std::uint32_t magic = load_le32(head);
  return magic == 0xfd2fb528 || (magic & 0xfffffff0) == 0x184d2a50;
}

}  // namespace

std::string shown_name(const std::string& path) {
  return path == kStandardInput ? "standard input" : path;
}

tl::expected<std::unique_ptr<ByteStream>, std::string> open_file_stream(const std::string& path) {
  const bool is_stdin = path == kStandardInput;
  const int fd = is_stdin ? STDIN_FILENO : open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return tl::unexpected<std::string>(std::strerror(errno));
  struct stat status {};
  if (fstat(fd, &status) != 0 || S_ISDIR(status.st_mode)) {
    const std::string reason = S_ISDIR(status.st_mode) ? "a directory" : std::strerror(errno);
    if (!is_stdin) close(fd);
    return tl::unexpected(reason);
  }
  if (is_stdin && isatty(fd) != 0) {
    return tl::unexpected<std::string>("a terminal; give a file or pipe a capture in");
  }
  const bool is_regular = S_ISREG(status.st_mode);
  if (is_regular) posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
  if (S_ISFIFO(status.st_mode)) widen_pipe(fd);
  return std::make_unique<FileStream>(fd, !is_regular);
}

std::unique_ptr<ByteStream> open_memory_stream(Bytes bytes, std::size_t piece) {
  return std::make_unique<MemoryStream>(bytes, piece);
}

tl::expected<std::unique_ptr<ByteStream>, std::string> decompressed(
    std::unique_ptr<ByteStream> stream) {
  std::array<std::uint8_t, kMagicBytes> head{};
  std::size_t head_bytes = 0;
  while (head_bytes < kMagicBytes) {
    const StreamRead got = stream->read(head.data() + head_bytes, kMagicBytes - head_bytes);
    if (got.status == StreamStatus::failed) return tl::unexpected(stream->reason());
    if (got.status == StreamStatus::end) break;
    head_bytes += got.bytes;
  }
  std::unique_ptr<ByteStream> whole =
      std::make_unique<ReplayedStream>(head, head_bytes, std::move(stream));
  if (is_gzip(head.data())) return std::make_unique<GzipStream>(std::move(whole));
  if (head_bytes == kMagicBytes && is_zstd(head.data())) {
    return std::make_unique<ZstdStream>(std::move(whole));
  }
  return whole;
}

}  // namespace linger
