#include "engine/source/capture_reader.h"

#include <fmt/format.h>

#include <cstring>
#include <utility>

namespace linger {
namespace {

// Less room than this at the end of a block (as a share of it) is not worth a read().
constexpr std::size_t kRoomShare = 8;
// Blocks, before a thread that decompresses ahead is worth starting.
constexpr std::size_t kBlocksAlone = 4;
constexpr std::size_t kMagicBytes = 4;

}  // namespace

CaptureReader::CaptureReader(std::unique_ptr<ByteStream> stream, BlockPool& pool, ReadAhead* ahead)
    : stream_(std::move(stream)), pool_(pool), ahead_(ahead) {}

CaptureReader::~CaptureReader() {
  if (is_ahead_) ahead_->stop();
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
        has_failed_ = true;
        return damaged(stream_->reason());
      case Fill::end:
        if (is_capture() && begin_ == end_) return Status::end;
        if (!is_capture() && parsed_bytes_ == 0 && begin_ == end_)
          return damaged("empty, without even a capture header");
        if (!is_capture()) {
          has_failed_ = end_ - begin_ >= kMagicBytes;  // it began as a capture does
          return damaged("cut off within its header");
        }
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
  if (is_ahead()) return fill_ahead();
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

bool CaptureReader::is_ahead() noexcept {
  const bool is_long = parsed_bytes_ > kBlocksAlone * pool_.block_bytes();
  if (!is_ahead_ && ahead_ != nullptr && is_long && stream_->is_compressed())
    is_ahead_ = ahead_->start(*stream_);
  return is_ahead_;
}

// The next block, with what is left of this one before it; where that is too much, its bytes behind
// what is left.
CaptureReader::Fill CaptureReader::fill_ahead() noexcept {
  const std::size_t left = end_ - begin_;
  const bool fits = left <= ahead_->headroom();
  if (!fits && !make_room(left + pool_.block_bytes())) return Fill::again;
  ReadAhead::Filled next = ahead_->next();
  if (!next.block) return Fill::again;
  input_bytes_ = next.input_bytes;
  const std::size_t count = next.end - next.begin;
  if (next.status == StreamStatus::bytes) {
    if (fits) {
      if (left != 0)
        std::memcpy(next.block->data.get() + next.begin - left, block_->data.get() + begin_, left);
      std::swap(block_, next.block);
      begin_ = next.begin - left;
      end_ = next.end;
    } else {
      std::memcpy(block_->data.get() + end_, next.block->data.get() + next.begin, count);
      end_ += count;
    }
  }
  if (next.block) pool_.retire(std::move(next.block));
  if (next.status == StreamStatus::bytes) return Fill::bytes;
  return next.status == StreamStatus::end ? Fill::end : Fill::damaged;
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
    trouble_ = reason;
  } else {
    trouble_ = fmt::format("breaks off at byte {}{}: {}", parsed_bytes_,
                           stream_->is_compressed() ? " of the decompressed data" : "", reason);
  }
  return Status::damaged;
}

}  // namespace linger
