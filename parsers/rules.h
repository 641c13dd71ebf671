// Rules: patterns that are looked for in all that sessions say, whatever their protocol; what
// matched is told as `tags` and `rule.name` of the record.
//
//     RuleSet      rules, compiled, and each shard's pool of streams; another one on HUP
//     RuleScans    what one shard's sessions have been found to match
//
// A direction of a TCP session is scanned as one stream, so that matches do not depend on
// segmentation. A gap begins it anew, without the rules that ask for the beginning (`^`, `\A`).
// When the pool is dry, each piece is scanned by itself, likewise without those, but for the first
// one, and without the rules that ask for the end (`$`); so is each datagram, with all of its
// rules. A direction that no rule is for, by its ports, costs nothing.
//
// A session finishes on the rules that it began with.
//
// Owner: a RuleSet is made by the control thread, and may go when no shard uses it; a shard owns
// its pool of it. Limits: kRulesMax; `ruleStreams`; kRulesToldMax of a session, the first of their
// list. Memory: a stream is as large as the rules make it (stream_bytes()); 64 bytes a session.
// Cost: bench/parser_bench.cc.
#pragma once

#include <array>
#include <atomic>
#include <bitset>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "engine/base/counters.h"
#include "engine/base/mapping.h"
#include "output/record_protocol.h"
#include "parsers/parser.h"
#include "parsers/patterns.h"

namespace linger {

inline constexpr std::size_t kRulesMax = 10'000;
inline constexpr std::size_t kRulesToldMax = 16;
inline constexpr std::size_t kRuleTextMax = 63;  // bytes of a name, of a tag

// Fields of the record itself.
#define LINGER_RULE_FIELDS(X)                                                     \
  X(tags, text, "tags[]", "Tags of the rules that matched (setting rules).")      \
  X(name, text, "rule.name[]", "Rules that matched, in the order of their list.") \
  X(more, flag, "rule.more", "More rules matched than the first 16, which are told.")

struct Rule {
  std::string name;
  std::string tag;  // may be empty
  std::string expression;
  std::uint8_t flags = 0;                   // PatternFlag
  std::array<bool, 2> from = {true, true};  // the opener, the other side
  std::array<bool, 2> in = {true, true};    // by Carrier
  std::string protocol;                     // network.protocol; empty: any
  std::vector<std::uint16_t> ports;         // of the destination; empty: any
  std::string place;                        // for messages: file:line
};

struct RuleOptions {
  std::vector<Rule> rules;
  std::vector<std::size_t> streams = {0};  // of each shard
  std::string cache_folder{};
};

class RuleSet {
 public:
  // The message names what did not compile.
  static tl::expected<std::unique_ptr<RuleSet>, std::string> make(RuleOptions options);

  std::size_t size() const noexcept { return rules_.size(); }
  std::size_t stream_bytes() const noexcept { return streams_.stream_bytes(); }
  // Whether sessions of this shard were opened on these rules and are not released. Any thread.
  bool is_used(std::size_t shard) const noexcept {
    return shelves_[shard].sessions.load(std::memory_order_acquire) != 0;
  }

 private:
  friend class RuleScans;

  // What a match needs to know of its rule.
  struct Applies {
    bool at_begin = false;  // only where the beginning was seen
    bool at_end = false;    // only where the end is
  };
  struct alignas(64) Shelf {  // one shard's
    std::vector<PatternStream> streams;
    std::vector<std::uint32_t> free;  // of them
    PatternScratch scratch;
    // Written by the shard; the control thread frees the set behind the last one.
    std::atomic<std::uint32_t> sessions{0};
  };
  using Ports = std::bitset<65'536>;

  tl::expected<void, std::string> compile(const std::string& cache_folder);
  tl::expected<void, std::string> fill(Shelf& shelf, std::size_t streams);
  void note_ports() noexcept;
  bool applies(const Rule& rule, Carrier carrier, unsigned from, std::uint16_t port) const noexcept;

  std::vector<Rule> rules_;
  std::vector<Applies> applies_;               // by rule
  PatternDatabase blocks_;                     // of all rules
  PatternDatabase streams_;                    // of those for streams
  std::array<std::array<Ports, 2>, 2> ports_;  // that some rule is for: by carrier and `from`
  std::vector<Shelf> shelves_;                 // by shard
};

class RuleScans {
 public:
  static constexpr std::uint64_t kBytesEach = 64;

  RuleScans(std::uint32_t sessions, RuleSet& rules, std::size_t shard, ParserCounters& counters)
      : rules_(&rules), shard_(shard), counters_(counters), scans_(sessions) {}

  // Sessions that are opened from now on are held against these.
  void set_rules(RuleSet& rules) noexcept { rules_ = &rules; }

  // `opener`: the side that opened the session; `port`: of the other one.
  void open(std::uint32_t session, Carrier carrier, unsigned opener, std::uint16_t port) noexcept;
  bool wants(std::uint32_t session, unsigned side) const noexcept {
    return scans_[session].sides[side].is_wanted;
  }
  void on_data(std::uint32_t session, unsigned side, Bytes bytes) noexcept;
  void on_gap(std::uint32_t session, unsigned side) noexcept;
  void on_datagram(std::uint32_t session, unsigned side, Bytes bytes) noexcept;
  // `is_whole`: behind its last byte, not because nobody reads on.
  void on_end(std::uint32_t session, unsigned side, bool is_whole) noexcept;

  // What is known by now; false: some of it was scanned piece by piece.
  bool tell(std::uint32_t session, std::string_view protocol, ItemWriter& items) const noexcept;
  // Behind the last record.
  void release(std::uint32_t session) noexcept;

  [[gnu::always_inline]] void prefetch(std::uint32_t session) const noexcept {
    __builtin_prefetch(&scans_.data()[session], 1);
  }
  void populate() noexcept { scans_.populate(); }

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;

  struct Side {
    std::uint32_t stream = kNone;  // of the shelf
    bool is_wanted = false;        // by some rule, and goes on
    bool is_at_begin = true;       // nothing was scanned or missed before
    bool is_dry = false;           // there was no stream for it
  };
  struct Scan {
    RuleSet* rules = nullptr;
    std::array<Side, 2> sides;
    std::array<std::uint16_t, kRulesToldMax> matched;  // places in the list, ascending
    std::uint16_t port = 0;
    std::uint8_t count = 0;
    Carrier carrier = Carrier::stream;
    std::uint8_t opener = 0;
    bool has_more = false;
  };
  static_assert(sizeof(Scan) <= kBytesEach);

  // Of one call of Hyperscan.
  struct Match {
    RuleScans& scans;
    Scan& scan;
    unsigned side;
    bool is_at_begin;
    bool is_whole;  // its end is that of what is said
  };
  static int on_match(unsigned rule, unsigned long long, unsigned long long, unsigned,
                      void* match) noexcept;
  void note(Scan& scan, std::uint16_t rule) noexcept;
  void scan_block(Scan& scan, unsigned side, Bytes bytes, bool is_whole) noexcept;
  void give_back(Scan& scan, Side& side) noexcept;
  RuleSet::Shelf& shelf_of(const Scan& scan) const noexcept { return scan.rules->shelves_[shard_]; }

  RuleSet* rules_;
  const std::size_t shard_;
  ParserCounters& counters_;
  Array<Scan> scans_;
};

}  // namespace linger
