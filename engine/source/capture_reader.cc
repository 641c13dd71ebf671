#include "engine/source/capture_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace linger {
namespace {

// Less room than this at the end of a block (as a share of it) is not worth a read().
constexpr std::size_t kRoomShare = 8;

}  // namespace

CaptureReader::CaptureReader(std::unique_ptr<ByteStream> stream, BlockPool& pool)
    : stream_(std::move(stream)), pool_(pool) {}

CaptureReader::~CaptureReader() {
  if (block_) pool_.retire(std::move(block_));
}

CaptureReader::Status CaptureReader::read(PacketRun& run) noexcept {
  for (;;) {
    const std::uint8_t* start = block_ ? block_->data.get() + begin_ : nullptr;
    Bytes window{start, end_ - begin_};
    const CaptureParser::Stop stop = parser_.parse(window, block_.get(), run);
    const std::size_t parsed = end_ - begin_ - window.size();
    begin_ += parsed;
    parsed_bytes_ += parsed;
    switch (stop) {
      case CaptureParser::Stop::full:
        return Status::full;
      case CaptureParser::Stop::limit:
        return Status::limit;
      case CaptureParser::Stop::broken:
        return damaged(parser_.reason());
      case CaptureParser::Stop::need:
        break;
    }
    switch (fill(parser_.needed_bytes())) {
      case Fill::bytes:
        break;
      case Fill::again:
        return Status::again;
      case Fill::damaged:
        return damaged(stream_->reason());
      case Fill::end:
        if (is_capture() && begin_ == end_) return Status::end;
        if (!is_capture()) return damaged("cut off within its header");
        return damaged(fmt::format("only {} of the next {} bytes are there", end_ - begin_,
                                   parser_.needed_bytes()));
    }
  }
}

CaptureReader::Status CaptureReader::read_head() noexcept {
  Packet packet;
  PacketRun run{&packet, 1, 0, INT64_MIN};
  return read(run);
}

CaptureReader::Fill CaptureReader::fill(std::size_t needed_bytes) noexcept {
  if (!make_room(needed_bytes)) return Fill::again;
  const StreamRead got = stream_->read(block_->data.get() + end_, block_->capacity - end_);
  input_bytes_ = stream_->input_bytes();
  switch (got.status) {
    case StreamStatus::bytes:
      end_ += got.bytes;
      return Fill::bytes;
    case StreamStatus::again:
      return Fill::again;
    case StreamStatus::end:
      return Fill::end;
    case StreamStatus::failed:
      break;
  }
  return Fill::damaged;
}

// What is needed, more than there is, fits into the block from begin_ on, and there is room to
// read.
bool CaptureReader::make_room(std::size_t needed_bytes) noexcept {
  if (block_ && begin_ + needed_bytes <= block_->capacity) {
    const bool is_worth_reading = block_->capacity - end_ >= block_->capacity / kRoomShare;
    if (is_worth_reading || begin_ == 0) return true;
  }
  const std::size_t usual = pool_.block_bytes();
  auto next = pool_.take(needed_bytes <= usual ? usual : needed_bytes + usual);
  if (!next) return false;
  if (block_) {
    std::memcpy(next->data.get(), block_->data.get() + begin_, end_ - begin_);
    pool_.retire(std::move(block_));
  }
  end_ -= begin_;
  begin_ = 0;
  block_ = std::move(next);
  return true;
}

CaptureReader::Status CaptureReader::damaged(const std::string& reason) noexcept {
  if (!is_capture()) {
    const bool is_empty = parsed_bytes_ == 0 && begin_ == end_;
    trouble_ = is_empty ? "empty, without even a capture header" : reason;
  } else {
    trouble_ = fmt::format("breaks off at byte {}{}: {}", parsed_bytes_,
                           stream_->is_compressed() ? " of the decompressed data" : "", reason);
  }
  return Status::damaged;
}

}  // namespace linger
