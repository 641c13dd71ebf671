#include "parsers/detector.h"

#include <fmt/format.h>

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

class HyperscanDetector final : public Detector {
 public:
  Made compile(ParserSet enabled, Carrier carrier) {
    std::vector<const char*> expressions;
    std::vector<unsigned> ids, flags;
    for (unsigned parser = 0; parser < kParsers.size(); ++parser) {
      for (const Pattern& pattern : kParsers[parser]->patterns) {
        if (pattern.carrier != carrier || (enabled >> parser & 1) == 0) continue;
        expressions.push_back(pattern.expression);
        ids.push_back(parser);
        flags.push_back(HS_FLAG_DOTALL | HS_FLAG_SINGLEMATCH);
      }
    }
    if (expressions.empty()) return {};
    hs_database_t* database = nullptr;
    hs_compile_error_t* raw_error = nullptr;
    if (hs_compile_multi(expressions.data(), flags.data(), ids.data(),
                         static_cast<unsigned>(expressions.size()), HS_MODE_BLOCK, nullptr,
                         &database, &raw_error) != HS_SUCCESS) {
      const Owned<hs_compile_error_t> error(raw_error);
      const auto at = static_cast<std::size_t>(std::max(error->expression, 0));
      return tl::unexpected(fmt::format("detection pattern of {}, {}: {}",
                                        kParsers[ids[at]]->protocol.name, expressions[at],
                                        error->message));
    }
    databases_[static_cast<std::size_t>(carrier)].reset(database);
    return {};
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
    const auto on_match = [](unsigned parser, unsigned long long, unsigned long long end, unsigned,
                             void* to) noexcept {
      static_cast<Candidates*>(to)->add(static_cast<std::uint8_t>(parser),
                                        static_cast<std::uint32_t>(end));
      return 0;
    };
    hs_scan(database.get(), reinterpret_cast<const char*>(bytes.data()),
            static_cast<unsigned>(bytes.size()), 0, scratch_[shard].get(), on_match, &found);
    return found;
  }

 private:
  std::array<Owned<hs_database_t>, 2> databases_;  // by Carrier; null: no patterns
  std::vector<Owned<hs_scratch_t>> scratch_;       // by shard
};

}  // namespace

tl::expected<std::unique_ptr<Detector>, std::string> Detector::make(ParserSet enabled,
                                                                    std::size_t shards) {
  auto detector = std::make_unique<HyperscanDetector>();
  for (const Carrier carrier : {Carrier::stream, Carrier::datagrams})
    if (auto made = detector->compile(enabled, carrier); !made) return tl::unexpected(made.error());
  if (auto made = detector->take_scratch(shards); !made) return tl::unexpected(made.error());
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

tl::expected<std::unique_ptr<Detector>, std::string> Detector::make(ParserSet enabled,
                                                                    std::size_t) {
  return std::make_unique<EveryParser>(enabled);
}

#endif

}  // namespace linger
