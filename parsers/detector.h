// Which parser a session's first bytes are for, by content: a Hyperscan database of the parsers'
// patterns for each carrier, and of what they answer the parsers' own detect().
//
// candidates() lists the parsers whose pattern matched, by where its first match ends, then by
// their place in the list: more bytes append to it, but change nothing before. So the choice (the
// first that does not refuse) is the same however the bytes come. Built without Hyperscan, every
// parser is a candidate.
//
// Owner: made by the control thread, then read by all shards, each with a scratch of its own.
// Cost: a scan of at most kDetectBytesMax bytes, 40 to 200 ns.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <tl/expected.hpp>

#include "parsers/list.h"

namespace linger {

using ParserSet = std::uint64_t;  // bit i: kParsers[i]
inline constexpr ParserSet kAllParsers = ~ParserSet{0} >> (64 - kParsers.size());

class Candidates {
 public:
  static constexpr std::size_t kMax = 8;

  std::span<const std::uint8_t> parsers() const noexcept { return {parser_.data(), count_}; }
  void add(std::uint8_t parser, std::uint32_t end) noexcept;

 private:
  std::array<std::uint8_t, kMax> parser_;
  std::array<std::uint32_t, kMax> end_;
  std::size_t count_ = 0;
};

class Detector {
 public:
  // Compiles the patterns of these parsers. The message names what did not compile.
  static tl::expected<std::unique_ptr<Detector>, std::string> make(ParserSet enabled,
                                                                   std::size_t shards);
  virtual ~Detector() = default;

  virtual Candidates candidates(std::size_t shard, Carrier carrier, Bytes bytes) const noexcept = 0;
};

}  // namespace linger
