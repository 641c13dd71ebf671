// Regular expressions over bytes, many at a time: the one place that knows Hyperscan. A build
// without it (patterns_none.cc) compiles no pattern.
//
//     PatternDatabase   compiled, for whole blocks or for streams; read by all threads
//     PatternScratch    what scanning needs beside it, for one thread
//     PatternStream     where one stream stands; memory of stream_bytes(), taken when it is made
//
// Each pattern matches once a block or stream. Compiling takes a millisecond a pattern, so that
// databases are kept in files; whatever is wrong with one, it is compiled anew. Those that nobody
// has used for kKeptFor are removed when another one is kept.
//
// Thread: made by the control thread. Scanning neither allocates nor waits.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "engine/base/bytes.h"

struct hs_database;
struct hs_scratch;
struct hs_stream;

namespace linger {

enum PatternFlag : std::uint8_t { kCaseless = 1, kDotAll = 2, kMultiline = 4 };

struct PatternText {
  std::string expression;
  std::uint32_t id;
  std::uint8_t flags;  // PatternFlag
  std::string place;   // for messages: file:line
};

// With its version; empty: this build has none.
std::string pattern_library();

// Whether it is only known at the end of the data that it matches, as with `$`.
bool matches_at_end(const PatternText& pattern);

struct FreePatterns {
  void operator()(hs_database* database) const noexcept;
  void operator()(hs_scratch* scratch) const noexcept;
  void operator()(hs_stream* stream) const noexcept;
};

// What is called for each match: nonzero ends the scan. `end` counts from the first byte.
using OnPattern = int (*)(unsigned id, unsigned long long from, unsigned long long end,
                          unsigned flags, void* context);

class PatternDatabase {
 public:
  enum class Mode : std::uint8_t { block, stream };
  static constexpr std::chrono::hours kKeptFor{30 * 24};

  // The message names what did not compile. `folder`: of kept ones; empty: none are.
  static tl::expected<PatternDatabase, std::string> make(const std::vector<PatternText>& patterns,
                                                         Mode mode, const std::string& folder);

  bool is_empty() const noexcept { return database_ == nullptr; }
  std::size_t stream_bytes() const noexcept;
  const hs_database* get() const noexcept { return database_.get(); }

 private:
  std::unique_ptr<hs_database, FreePatterns> database_;  // null: of no patterns
};

class PatternScratch {
 public:
  // So that it will do for this one too.
  tl::expected<void, std::string> add(const PatternDatabase& database);
  hs_scratch* get() const noexcept { return scratch_.get(); }

 private:
  std::unique_ptr<hs_scratch, FreePatterns> scratch_;
};

// One block, of a database that is not empty.
void scan(const PatternDatabase& database, Bytes bytes, const PatternScratch& scratch,
          OnPattern on_match, void* context) noexcept;

class PatternStream {
 public:
  static tl::expected<PatternStream, std::string> make(const PatternDatabase& database);

  void scan(Bytes bytes, const PatternScratch& scratch, OnPattern on_match, void* context) noexcept;
  // No more comes: what matches at the end. Then as new.
  void finish(const PatternScratch& scratch, OnPattern on_match, void* context) noexcept;
  void reset() noexcept;
  [[gnu::always_inline]] void prefetch() const noexcept { __builtin_prefetch(stream_.get(), 1); }

 private:
  std::unique_ptr<hs_stream, FreePatterns> stream_;
};

}  // namespace linger
