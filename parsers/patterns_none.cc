// patterns.h in a build without Hyperscan: there are no databases but empty ones.
#include <fmt/format.h>

#include "parsers/patterns.h"

namespace linger {

void FreePatterns::operator()(hs_database*) const noexcept {}
void FreePatterns::operator()(hs_scratch*) const noexcept {}
void FreePatterns::operator()(hs_stream*) const noexcept {}

std::string pattern_library() { return {}; }

bool matches_at_end(const PatternText&) { return false; }

tl::expected<PatternDatabase, std::string> PatternDatabase::make(
    const std::vector<PatternText>& patterns, Mode, const std::string&) {
  if (patterns.empty()) return PatternDatabase{};
  return tl::unexpected(fmt::format("{}: this build has no Hyperscan", patterns.front().place));
}

std::size_t PatternDatabase::stream_bytes() const noexcept { return 0; }

tl::expected<void, std::string> PatternScratch::add(const PatternDatabase&) { return {}; }

void scan(const PatternDatabase&, Bytes, const PatternScratch&, OnPattern, void*) noexcept {}

tl::expected<PatternStream, std::string> PatternStream::make(const PatternDatabase&) {
  return PatternStream{};
}

void PatternStream::scan(Bytes, const PatternScratch&, OnPattern, void*) noexcept {}
void PatternStream::finish(const PatternScratch&, OnPattern, void*) noexcept {}
void PatternStream::reset() noexcept {}

}  // namespace linger
