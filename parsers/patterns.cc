#include "parsers/patterns.h"

#include <fmt/format.h>
#include <hs/hs.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string_view>

namespace linger {
namespace {

namespace fs = std::filesystem;
using Database = std::unique_ptr<hs_database, FreePatterns>;

constexpr std::string_view kFilePrefix = "patterns-";

const char* chars(Bytes bytes) noexcept { return reinterpret_cast<const char*>(bytes.data()); }
unsigned count(Bytes bytes) noexcept { return static_cast<unsigned>(bytes.size()); }

unsigned flags_of(const PatternText& pattern) noexcept {
  unsigned flags = HS_FLAG_SINGLEMATCH;
  if ((pattern.flags & kCaseless) != 0) flags |= HS_FLAG_CASELESS;
  if ((pattern.flags & kDotAll) != 0) flags |= HS_FLAG_DOTALL;
  if ((pattern.flags & kMultiline) != 0) flags |= HS_FLAG_MULTILINE;
  return flags;
}

tl::expected<Database, std::string> compile(const std::vector<PatternText>& patterns,
                                            unsigned mode) {
  std::vector<const char*> expressions;
  std::vector<unsigned> ids, flags;
  for (const PatternText& pattern : patterns) {
    expressions.push_back(pattern.expression.c_str());
    ids.push_back(pattern.id);
    flags.push_back(flags_of(pattern));
  }
  hs_database_t* database = nullptr;
  hs_compile_error_t* error = nullptr;
  if (hs_compile_multi(expressions.data(), flags.data(), ids.data(),
                       static_cast<unsigned>(ids.size()), mode, nullptr, &database,
                       &error) == HS_SUCCESS)
    return Database(database);
  std::string text = fmt::format("Hyperscan: {}", error->message);
  if (error->expression >= 0) {
    const PatternText& wrong = patterns[static_cast<std::size_t>(error->expression)];
    const bool is_empty = std::strstr(error->message, "ALLOWEMPTY") != nullptr;
    text =
        fmt::format("{}: pattern {}: {}", wrong.place, wrong.expression,
                    is_empty ? "it matches no byte at all too; let it need one" : error->message);
  }
  hs_free_compile_error(error);
  return tl::unexpected(std::move(text));
}

// --- Databases that were kept -------------------------------------------------------------------

// What a database that was kept has to be of.
std::string text_of(const std::vector<PatternText>& patterns, unsigned mode) {
  std::string text = fmt::format("linger patterns, Hyperscan {}, mode {}\n", hs_version(), mode);
  for (const PatternText& pattern : patterns)
    text += fmt::format("{} {} {}\n", pattern.id, flags_of(pattern), pattern.expression);
  return text + "\n";
}

fs::path file_of(const std::string& folder, const std::string& text) {
  std::uint64_t hash = 0xcbf2'9ce4'8422'2325;  // FNV-1a, 64 bits
  for (const char c : text) hash = (hash ^ static_cast<std::uint8_t>(c)) * 0x100'0000'01b3;
  return fs::path(folder) / fmt::format("{}{:016x}.hs", kFilePrefix, hash);
}

// Null: there is none of these patterns, or not for this processor (Hyperscan checks its sum).
Database load(const fs::path& path, const std::string& text) {
  std::ifstream file(path, std::ios::binary);
  const std::string all{std::istreambuf_iterator<char>(file), {}};
  if (!all.starts_with(text)) return nullptr;
  const std::string_view kept = std::string_view(all).substr(text.size());
  hs_database_t* database = nullptr;
  hs_deserialize_database(kept.data(), kept.size(), &database);
  std::error_code error;
  if (database != nullptr) fs::last_write_time(path, fs::file_time_type::clock::now(), error);
  return Database(database);
}

// Of other patterns or versions, and what a linger that was killed left behind.
void remove_unused(const fs::path& folder) {
  std::error_code error;
  const auto oldest = fs::file_time_type::clock::now() - PatternDatabase::kKeptFor;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    std::error_code ignored;  // another linger may have removed it
    if (at->path().filename().string().starts_with(kFilePrefix) &&
        at->last_write_time(ignored) < oldest && !ignored)
      fs::remove(at->path(), ignored);
  }
}

// Whole or not at all: another linger may read it meanwhile. What cannot be kept is not.
void keep(const fs::path& path, const std::string& text, const hs_database_t* database) {
  char* bytes = nullptr;
  std::size_t size = 0;
  if (hs_serialize_database(database, &bytes, &size) != HS_SUCCESS) return;
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  const std::string fresh = fmt::format("{}.{}", path.string(), getpid());
  std::ofstream file(fresh, std::ios::binary);
  file << text << std::string_view(bytes, size);
  file.close();
  if (file) fs::rename(fresh, path, error);
  if (!file || error) fs::remove(fresh, error);
  free(bytes);  // Hyperscan's allocator is malloc
  remove_unused(path.parent_path());
}

}  // namespace

void FreePatterns::operator()(hs_database* database) const noexcept { hs_free_database(database); }
void FreePatterns::operator()(hs_scratch* scratch) const noexcept { hs_free_scratch(scratch); }
void FreePatterns::operator()(hs_stream* stream) const noexcept {
  hs_close_stream(stream, nullptr, nullptr, nullptr);
}

std::string pattern_library() { return fmt::format("Hyperscan {}", hs_version()); }

bool matches_at_end(const PatternText& pattern) {
  hs_expr_info_t* info = nullptr;
  hs_compile_error_t* error = nullptr;
  hs_expression_info(pattern.expression.c_str(), flags_of(pattern), &info, &error);
  const bool is_so = info != nullptr && info->matches_at_eod != 0;
  free(info);
  hs_free_compile_error(error);
  return is_so;
}

tl::expected<PatternDatabase, std::string> PatternDatabase::make(
    const std::vector<PatternText>& patterns, Mode mode, const std::string& folder) {
  PatternDatabase made;
  if (patterns.empty()) return made;
  const unsigned hs_mode = mode == Mode::block ? HS_MODE_BLOCK : HS_MODE_STREAM;
  const std::string text = text_of(patterns, hs_mode);
  const fs::path path = file_of(folder, text);
  if (!folder.empty()) made.database_ = load(path, text);
  if (!made.is_empty()) return made;
  auto compiled = compile(patterns, hs_mode);
  if (!compiled) return tl::unexpected(compiled.error());
  made.database_ = *std::move(compiled);
  if (!folder.empty()) keep(path, text, made.get());
  return made;
}

std::size_t PatternDatabase::stream_bytes() const noexcept {
  std::size_t bytes = 0;
  if (!is_empty()) hs_stream_size(get(), &bytes);
  return bytes;
}

tl::expected<void, std::string> PatternScratch::add(const PatternDatabase& database) {
  if (database.is_empty()) return {};
  hs_scratch_t* scratch = scratch_.release();
  const hs_error_t error = hs_alloc_scratch(database.get(), &scratch);
  scratch_.reset(scratch);
  if (error == HS_SUCCESS) return {};
  return tl::unexpected(std::string("Hyperscan: no memory for its scratch"));
}

void scan(const PatternDatabase& database, Bytes bytes, const PatternScratch& scratch,
          OnPattern on_match, void* context) noexcept {
  hs_scan(database.get(), chars(bytes), count(bytes), 0, scratch.get(), on_match, context);
}

tl::expected<PatternStream, std::string> PatternStream::make(const PatternDatabase& database) {
  hs_stream_t* stream = nullptr;
  if (hs_open_stream(database.get(), 0, &stream) != HS_SUCCESS)
    return tl::unexpected(std::string("Hyperscan: no memory for its streams"));
  PatternStream made;
  made.stream_.reset(stream);
  return made;
}

void PatternStream::scan(Bytes bytes, const PatternScratch& scratch, OnPattern on_match,
                         void* context) noexcept {
  hs_scan_stream(stream_.get(), chars(bytes), count(bytes), 0, scratch.get(), on_match, context);
}

void PatternStream::finish(const PatternScratch& scratch, OnPattern on_match,
                           void* context) noexcept {
  hs_reset_stream(stream_.get(), 0, scratch.get(), on_match, context);
}

void PatternStream::reset() noexcept {
  hs_reset_stream(stream_.get(), 0, nullptr, nullptr, nullptr);
}

}  // namespace linger
