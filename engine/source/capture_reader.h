// One capture file being read: its byte stream, the block its packets point into, its parser.
//
// A record that straddles the end of a block is moved to the start of the next one; one that is
// larger than a block gets a block of its own, touched only as its bytes really come. What is
// compressed and longer than a few blocks is decompressed ahead. Bytes are counted after
// decompression. Owner: the source's thread. Cost: one read() a block, no copy but the straddling
// tail.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "engine/source/block_pool.h"
#include "engine/source/byte_stream.h"
#include "engine/source/capture_parser.h"
#include "engine/source/read_ahead.h"

namespace linger {

class CaptureReader {
 public:
  enum class Status : std::uint8_t {
    full,     // no room for more packets
    limit,    // the next packet's timestamp, head(), is past the run's limit
    again,    // a pipe has no bytes yet, or every block is in use
    end,      // all read
    damaged,  // trouble() says where and why; what came before is good
  };

  // `ahead`: of the same pool, used by one reader at a time; null: nothing is.
  CaptureReader(std::unique_ptr<ByteStream> stream, BlockPool& pool, ReadAhead* ahead = nullptr);
  ~CaptureReader();
  CaptureReader(const CaptureReader&) = delete;
  CaptureReader& operator=(const CaptureReader&) = delete;

  // Appends packets to the run (room > 0).
  Status read(PacketRun& run) noexcept;

  // Reads up to the first packet without taking it.
  Status read_head() noexcept;
  Timestamp head() const noexcept { return parser_.head(); }

  bool is_capture() const noexcept { return parser_.is_capture(); }
  // It is none as far as it goes, but its bytes could not be had: they break off compressed or
  // within a header, or the disk is at fault.
  bool has_failed() const noexcept { return has_failed_; }
  // "breaks off at byte N: reason"; for what is no capture, only the reason.
  const std::string& trouble() const noexcept { return trouble_; }
  std::uint64_t input_bytes() const noexcept { return input_bytes_; }

 private:
  enum class Fill : std::uint8_t { bytes, again, end, damaged };

  Fill fill(std::size_t needed_bytes) noexcept;
  Fill fill_ahead() noexcept;
  bool is_ahead() noexcept;
  bool make_room(std::size_t needed_bytes) noexcept;
  [[gnu::cold]] Status damaged(const std::string& reason) noexcept;

  std::unique_ptr<ByteStream> stream_;
  BlockPool& pool_;
  ReadAhead* const ahead_;
  bool is_ahead_ = false;
  std::unique_ptr<CaptureBlock> block_;
  std::size_t begin_ = 0;  // in block_: bytes read and not yet parsed
  std::size_t end_ = 0;
  std::uint64_t parsed_bytes_ = 0;  // of the stream, up to begin_
  std::uint64_t input_bytes_ = 0;
  CaptureParser parser_;
  std::string trouble_;
  bool has_failed_ = false;
};

}  // namespace linger
