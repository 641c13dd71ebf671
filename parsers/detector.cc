#include "parsers/detector.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#ifdef LINGER_HAS_HYPERSCAN
#include <hs/hs.h>
#endif

namespace linger {

void Candidates::add(std::uint8_t parser, std::uint32_t end) noexcept {
  for (std::size_t i = 0; i < count_; ++i)
    if (parser_[i] == parser) return;
  std::size_t place = std::min(count_, kMax - 1);
  if (count_ == kMax && end_[place] <= end) return;
  for (; place > 0; --place) {
    const std::size_t before = place - 1;
    if (end_[before] < end || (end_[before] == end && parser_[before] < parser)) break;
    parser_[place] = parser_[before];
    end_[place] = end_[before];
  }
  parser_[place] = parser;
  end_[place] = end;
  count_ = std::min(count_ + 1, kMax);
}

#ifdef LINGER_HAS_HYPERSCAN

namespace {

struct FreeHyperscan {
  void operator()(hs_database_t* database) const noexcept { hs_free_database(database); }
  void operator()(hs_scratch_t* scratch) const noexcept { hs_free_scratch(scratch); }
  void operator()(hs_compile_error_t* error) const noexcept { hs_free_compile_error(error); }
};
template <class T>
using Owned = std::unique_ptr<T, FreeHyperscan>;

using Made = tl::expected<void, std::string>;

// What one database is compiled from. Ids: a parser's place in the list, behind them signatures.
struct Patterns {
  std::vector<const char*> expressions;
  std::vector<unsigned> ids;
  std::vector<unsigned> flags;
  std::vector<std::string> places;  // for messages

  void add(const char* expression, std::size_t id, std::string place) {
    expressions.push_back(expression);
    ids.push_back(static_cast<unsigned>(id));
    flags.push_back(HS_FLAG_DOTALL | HS_FLAG_SINGLEMATCH);
    places.push_back(std::move(place));
  }
  // What a database that was kept has to be of.
  std::string text() const {
    std::string text = fmt::format("linger patterns, Hyperscan {}\n", hs_version());
    for (std::size_t i = 0; i < ids.size(); ++i)
      text += fmt::format("{} {} {}\n", ids[i], flags[i], expressions[i]);
    return text + "\n";
  }
};

Patterns patterns_of(const DetectorOptions& options, Carrier carrier) {
  Patterns patterns;
  for (std::size_t parser = 0; parser < kParsers.size(); ++parser) {
    if ((options.enabled >> parser & 1) == 0) continue;
    for (const Pattern& pattern : kParsers[parser]->patterns)
      if (pattern.carrier == carrier)
        patterns.add(pattern.expression, parser, std::string(kProtocols[parser]->name));
  }
  for (std::size_t i = 0; i < options.signatures.size(); ++i) {
    const Signature& signature = options.signatures[i];
    if (signature.carrier == carrier)
      patterns.add(signature.expression.c_str(), kParsers.size() + i, signature.place);
  }
  return patterns;
}

tl::expected<Owned<hs_database_t>, std::string> compile(const Patterns& patterns) {
  hs_database_t* database = nullptr;
  hs_compile_error_t* raw_error = nullptr;
  const auto count = static_cast<unsigned>(patterns.ids.size());
  if (hs_compile_multi(patterns.expressions.data(), patterns.flags.data(), patterns.ids.data(),
                       count, HS_MODE_BLOCK, nullptr, &database, &raw_error) == HS_SUCCESS)
    return Owned<hs_database_t>(database);
  const Owned<hs_compile_error_t> error(raw_error);
  if (error->expression < 0) return tl::unexpected(fmt::format("Hyperscan: {}", error->message));
  const auto at = static_cast<std::size_t>(error->expression);
  return tl::unexpected(fmt::format("{}: pattern {}: {}", patterns.places[at],
                                    patterns.expressions[at], error->message));
}

// --- Databases that were kept -------------------------------------------------------------------

std::string file_of(const std::string& folder, const std::string& text) {
  std::uint64_t hash = 0xcbf2'9ce4'8422'2325;  // FNV-1a, 64 bits
  for (const char c : text) hash = (hash ^ static_cast<std::uint8_t>(c)) * 0x100'0000'01b3;
  return fmt::format("{}/patterns-{:016x}.hs", folder, hash);
}

// Null: there is none of these patterns, or not for this processor (Hyperscan checks its sum).
Owned<hs_database_t> load(const std::string& path, const std::string& text) {
  std::ifstream file(path, std::ios::binary);
  const std::string all{std::istreambuf_iterator<char>(file), {}};
  hs_database_t* database = nullptr;
  if (!all.starts_with(text)) return nullptr;
  const std::string_view kept = std::string_view(all).substr(text.size());
  hs_deserialize_database(kept.data(), kept.size(), &database);
  return Owned<hs_database_t>(database);
}

// Whole or not at all: another linger may read it meanwhile. What cannot be kept is not.
void keep(const std::string& path, const std::string& text, const hs_database_t* database) {
  char* bytes = nullptr;
  std::size_t count = 0;
  if (hs_serialize_database(database, &bytes, &count) != HS_SUCCESS) return;
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
  const std::string fresh = fmt::format("{}.{}", path, getpid());
  std::ofstream file(fresh, std::ios::binary);
  file << text << std::string_view(bytes, count);
  file.close();
  if (file) std::filesystem::rename(fresh, path, error);
  if (!file || error) std::filesystem::remove(fresh, error);
  free(bytes);  // Hyperscan's allocator is malloc
}

tl::expected<Owned<hs_database_t>, std::string> load_or_compile(const Patterns& patterns,
                                                                const std::string& folder) {
  if (patterns.ids.empty()) return nullptr;
  if (folder.empty()) return compile(patterns);
  const std::string text = patterns.text();
  const std::string path = file_of(folder, text);
  if (auto kept = load(path, text)) return kept;
  auto compiled = compile(patterns);
  if (compiled) keep(path, text, compiled->get());
  return compiled;
}

class HyperscanDetector final : public Detector {
 public:
  Made make_database(const DetectorOptions& options, Carrier carrier) {
    auto made = load_or_compile(patterns_of(options, carrier), options.cache_folder);
    if (!made) return tl::unexpected(made.error());
    databases_[static_cast<std::size_t>(carrier)] = std::move(*made);
    return {};
  }

  void name(const std::vector<Signature>& signatures) {
    for (const Signature& signature : signatures) names_.push_back(signature.name);
  }

  Made take_scratch(std::size_t shards) {
    for (std::size_t i = 0; i < shards; ++i) {
      hs_scratch_t* scratch = nullptr;
      for (const auto& database : databases_) {
        if (database == nullptr) continue;
        if (hs_alloc_scratch(database.get(), &scratch) != HS_SUCCESS)
          return tl::unexpected(std::string("Hyperscan: no memory for its scratch"));
      }
      scratch_.emplace_back(scratch);
    }
    return {};
  }

  Candidates candidates(std::size_t shard, Carrier carrier, Bytes bytes) const noexcept override {
    Candidates found;
    const auto& database = databases_[static_cast<std::size_t>(carrier)];
    if (database == nullptr) return found;
    const auto on_match = [](unsigned id, unsigned long long, unsigned long long end, unsigned,
                             void* context) noexcept {
      auto& to = *static_cast<Candidates*>(context);
      if (id < kParsers.size()) {
        to.add(static_cast<std::uint8_t>(id), static_cast<std::uint32_t>(end));
      } else {
        to.signature =
            std::min(to.signature, static_cast<std::uint16_t>(id - unsigned{kParsers.size()}));
      }
      return 0;
    };
    hs_scan(database.get(), reinterpret_cast<const char*>(bytes.data()),
            static_cast<unsigned>(bytes.size()), 0, scratch_[shard].get(), on_match, &found);
    return found;
  }

  std::string_view signature_name(std::uint16_t signature) const noexcept override {
    return signature < names_.size() ? names_[signature] : std::string_view{};
  }

 private:
  std::array<Owned<hs_database_t>, 2> databases_;  // by Carrier; null: no patterns
  std::vector<std::string> names_;                 // of signatures
  std::vector<Owned<hs_scratch_t>> scratch_;       // by shard
};

}  // namespace

tl::expected<std::unique_ptr<Detector>, std::string> Detector::make(
    const DetectorOptions& options) {
  auto detector = std::make_unique<HyperscanDetector>();
  for (const Carrier carrier : {Carrier::stream, Carrier::datagrams})
    if (auto made = detector->make_database(options, carrier); !made)
      return tl::unexpected(made.error());
  detector->name(options.signatures);
  if (auto made = detector->take_scratch(options.shards); !made)
    return tl::unexpected(made.error());
  return detector;
}

#else

namespace {

class EveryParser final : public Detector {
 public:
  explicit EveryParser(ParserSet enabled) : enabled_(enabled) {}

  Candidates candidates(std::size_t, Carrier carrier, Bytes bytes) const noexcept override {
    Candidates found;
    for (std::uint8_t parser = 0; parser < kParsers.size(); ++parser) {
      if ((enabled_ >> parser & 1) == 0) continue;
      if (kParsers[parser]->detect(carrier, bytes) != Detection::no) found.add(parser, 0);
    }
    return found;
  }

 private:
  const ParserSet enabled_;
};

}  // namespace

tl::expected<std::unique_ptr<Detector>, std::string> Detector::make(
    const DetectorOptions& options) {
  if (!options.signatures.empty())
    return tl::unexpected(std::string("signatures: this build has no Hyperscan"));
  return std::make_unique<EveryParser>(options.enabled);
}

#endif

}  // namespace linger
