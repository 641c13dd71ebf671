#include "parsers/detector.h"

#include <algorithm>

#include "parsers/plain_match.h"

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

namespace {

using Made = tl::expected<void, std::string>;

// Ids: a parser's place in the list, behind them signatures.
std::vector<PatternText> patterns_of(const DetectorOptions& options, Carrier carrier) {
  std::vector<PatternText> patterns;
  const auto add = [&](std::string_view expression, std::size_t id, std::string_view place) {
    patterns.push_back(
        {std::string(expression), static_cast<std::uint32_t>(id), kDotAll, std::string(place)});
  };
  for (std::size_t parser = 0; parser < kParsers.size(); ++parser) {
    if ((options.enabled >> parser & 1) == 0) continue;
    for (const Pattern& pattern : kParsers[parser]->patterns)
      if (pattern.carrier == carrier) add(pattern.expression, parser, kProtocols[parser]->name);
  }
  for (std::size_t i = 0; i < options.signatures.size(); ++i) {
    const Signature& signature = options.signatures[i];
    if (signature.carrier == carrier)
      add(signature.expression, kParsers.size() + i, signature.place);
  }
  return patterns;
}

class ByPatterns final : public Detector {
 public:
  Made make_database(const DetectorOptions& options, Carrier carrier) {
    auto made = PatternDatabase::make(patterns_of(options, carrier), PatternDatabase::Mode::block,
                                      options.cache_folder);
    if (!made) return tl::unexpected(made.error());
    databases_[static_cast<std::size_t>(carrier)] = std::move(*made);
    return {};
  }

  void name(const std::vector<Signature>& signatures) {
    for (const Signature& signature : signatures) names_.push_back(signature.name);
  }

  Made take_scratch(std::size_t shards) {
    scratch_.resize(shards);
    for (PatternScratch& scratch : scratch_)
      for (const PatternDatabase& database : databases_)
        if (auto taken = scratch.add(database); !taken) return taken;
    return {};
  }

  Candidates candidates(std::size_t shard, Carrier carrier, Bytes bytes) const noexcept override {
    Candidates found;
    const PatternDatabase& database = databases_[static_cast<std::size_t>(carrier)];
    if (database.is_empty()) return found;
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
    scan(database, bytes, scratch_[shard], on_match, &found);
    return found;
  }

  std::string_view signature_name(std::uint16_t signature) const noexcept override {
    return signature < names_.size() ? names_[signature] : std::string_view{};
  }

 private:
  std::array<PatternDatabase, 2> databases_;  // by Carrier
  std::vector<std::string> names_;            // of signatures
  std::vector<PatternScratch> scratch_;       // by shard
};

// In a build without Hyperscan.
class ByPlainMatch final : public Detector {
 public:
  explicit ByPlainMatch(ParserSet enabled) : enabled_(enabled) {}

  Candidates candidates(std::size_t, Carrier carrier, Bytes bytes) const noexcept override {
    Candidates found;
    for (std::uint8_t parser = 0; parser < kParsers.size(); ++parser) {
      if ((enabled_ >> parser & 1) == 0) continue;
      for (const Pattern& pattern : kParsers[parser]->patterns) {
        if (pattern.carrier != carrier) continue;
        if (const auto end = PlainMatch(pattern.expression, bytes).end()) found.add(parser, *end);
      }
    }
    return found;
  }

 private:
  const ParserSet enabled_;
};

}  // namespace

tl::expected<std::unique_ptr<Detector>, std::string> Detector::make(
    const DetectorOptions& options) {
  if (!options.signatures.empty() && pattern_library().empty())
    return tl::unexpected(std::string("signatures: this build has no Hyperscan"));
  if (options.is_plain) return std::make_unique<ByPlainMatch>(options.enabled);
  auto detector = std::make_unique<ByPatterns>();
  for (const Carrier carrier : {Carrier::stream, Carrier::datagrams})
    if (auto made = detector->make_database(options, carrier); !made)
      return tl::unexpected(made.error());
  detector->name(options.signatures);
  if (auto made = detector->take_scratch(options.shards); !made)
    return tl::unexpected(made.error());
  return detector;
}

}  // namespace linger
