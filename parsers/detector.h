// Which parser a session's first bytes are for, by content: a Hyperscan database of the parsers'
// patterns and of signatures for each carrier, and of what they answer the parsers' own detect().
//
// candidates() lists the parsers whose pattern matched, by where its first match ends, then by
// their place in the list: more bytes append to it, but change nothing before. So the choice (the
// first that does not refuse) is the same however the bytes come. Signatures name what no parser
// takes. A build without Hyperscan matches the patterns of parsers by itself (plain_match.h), and
// has no signatures.
//
// Owner: made by the control thread, then read by all shards, each with a scratch of its own.
// Cost: a scan of at most kDetectBytesMax bytes, 40 to 200 ns.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "parsers/list.h"
#include "parsers/patterns.h"

namespace linger {

using ParserSet = std::uint64_t;  // bit i: kParsers[i]
inline constexpr ParserSet kAllParsers = ~ParserSet{0} >> (64 - kParsers.size());

inline constexpr std::size_t kSignaturesMax = 1'000;
inline constexpr std::uint16_t kNoSignature = UINT16_MAX;

// A protocol without parser, known by how one side begins.
struct Signature {
  std::string name;
  std::string expression;
  std::string place;  // file:line
  Carrier carrier = Carrier::stream;
};

class Candidates {
 public:
  static constexpr std::size_t kMax = 8;

  std::span<const std::uint8_t> parsers() const noexcept { return {parser_.data(), count_}; }
  void add(std::uint8_t parser, std::uint32_t end) noexcept;

  std::uint16_t signature = kNoSignature;  // the first of their list that matched

 private:
  std::array<std::uint8_t, kMax> parser_;
  std::array<std::uint32_t, kMax> end_;
  std::size_t count_ = 0;
};

struct DetectorOptions {
  ParserSet enabled = kAllParsers;
  std::size_t shards = 1;
  std::vector<Signature> signatures{};
  std::string cache_folder{};                 // empty: databases are not kept
  bool is_plain = pattern_library().empty();  // without Hyperscan, and signatures
};

class Detector {
 public:
  // The message names what did not compile.
  static tl::expected<std::unique_ptr<Detector>, std::string> make(const DetectorOptions& options);
  virtual ~Detector() = default;

  virtual Candidates candidates(std::size_t shard, Carrier carrier, Bytes bytes) const noexcept = 0;
  virtual std::string_view signature_name(std::uint16_t) const noexcept { return {}; }
};

}  // namespace linger
