// The bytes of one capture: a file, a pipe or memory, decompressed when they start like gzip or
// zstd (by magic, never by name; concatenated members and frames are one stream).
//
// Owner: the source's thread. Limits: fixed buffers; zstd windows up to 128 MiB, as the zstd tool
// has by default. A pipe with nothing in it answers `again` after a millisecond, so that a reader
// never hangs in a call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <tl/expected.hpp>

#include "engine/base/bytes.h"

namespace linger {

enum class StreamStatus : std::uint8_t {
  bytes,   // at least one byte was read
  again,   // a pipe has none yet
  end,     // all read
  failed,  // reason() says why; what came before is good
};

struct StreamRead {
  StreamStatus status = StreamStatus::end;
  std::size_t bytes = 0;
};

class ByteStream {
 public:
  virtual ~ByteStream() = default;

  // Reads at most `room` (> 0) bytes.
  virtual StreamRead read(std::uint8_t* to, std::size_t room) noexcept = 0;
  virtual std::string reason() const { return {}; }
  virtual std::uint64_t input_bytes() const noexcept = 0;  // read so far, before decompression
  virtual bool is_compressed() const noexcept { return false; }
  // read() may say `again`: the bytes come when they come.
  virtual bool may_wait() const noexcept { return false; }
};

inline constexpr const char* kStandardInput = "-";

// The name to show for a path: "-" is "standard input".
std::string shown_name(const std::string& path);

// Errors say only the reason ("No such file or directory"); the caller names the file.
tl::expected<std::unique_ptr<ByteStream>, std::string> open_file_stream(const std::string& path);

// `bytes` must outlive the stream. With `piece` each read returns at most that many, as pipes do
// (tests).
std::unique_ptr<ByteStream> open_memory_stream(Bytes bytes, std::size_t piece = SIZE_MAX);

// Looks at the first bytes (waits for them on a pipe) and puts the decompressor they ask for in
// front.
tl::expected<std::unique_ptr<ByteStream>, std::string> decompressed(
    std::unique_ptr<ByteStream> stream);

}  // namespace linger
