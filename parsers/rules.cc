#include "parsers/rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "parsers/list.h"

namespace linger {
namespace {

enum class RuleField : std::uint8_t { LINGER_RULE_FIELDS(LINGER_FIELD_NAME) };
constexpr ProtocolField kFields[] = {LINGER_RULE_FIELDS(LINGER_FIELD_ROW)};

// `^` or `\A` anywhere but in a class of characters, whatever stands beside it.
bool asks_for_begin(std::string_view expression) noexcept {
  bool is_in_class = false;
  for (std::size_t i = 0; i < expression.size(); ++i) {
    const std::string_view rest = expression.substr(i);
    if (rest[0] == '\\') {
      if (!is_in_class && rest.starts_with("\\A")) return true;
      ++i;
    } else if (is_in_class) {
      is_in_class = rest[0] != ']';
    } else if (rest[0] == '[') {
      is_in_class = true;
      if (rest.starts_with("[^")) ++i;
      if (expression.substr(i + 1).starts_with(']')) ++i;  // as first character it is one
    } else if (rest[0] == '^') {
      return true;
    }
  }
  return false;
}

}  // namespace

constinit const Protocol kRuleFields = {.name = "rule", .fields = kFields, .is_of_record = true};

// --- The rules ----------------------------------------------------------------------------------

tl::expected<std::unique_ptr<RuleSet>, std::string> RuleSet::make(RuleOptions options) {
  auto set = std::make_unique<RuleSet>();
  set->rules_ = std::move(options.rules);
  if (auto made = set->compile(options.cache_folder); !made) return tl::unexpected(made.error());
  set->note_ports();
  set->shelves_ = std::vector<Shelf>(options.streams.size());
  for (std::size_t i = 0; i < set->shelves_.size(); ++i)
    if (auto made = set->fill(set->shelves_[i], options.streams[i]); !made)
      return tl::unexpected(made.error());
  return set;
}

tl::expected<void, std::string> RuleSet::compile(const std::string& cache_folder) {
  std::vector<PatternText> all, for_streams;
  for (const Rule& rule : rules_) {
    const PatternText text{rule.expression, static_cast<std::uint32_t>(all.size()), rule.flags,
                           fmt::format("{}: rule {}", rule.place, rule.name)};
    applies_.push_back({asks_for_begin(rule.expression), matches_at_end(text)});
    if (rule.in[static_cast<std::size_t>(Carrier::stream)]) for_streams.push_back(text);
    all.push_back(text);
  }
  auto blocks = PatternDatabase::make(all, PatternDatabase::Mode::block, cache_folder);
  if (!blocks) return tl::unexpected(blocks.error());
  auto streams = PatternDatabase::make(for_streams, PatternDatabase::Mode::stream, cache_folder);
  if (!streams) return tl::unexpected(streams.error());
  blocks_ = *std::move(blocks);
  streams_ = *std::move(streams);
  return {};
}

tl::expected<void, std::string> RuleSet::fill(Shelf& shelf, std::size_t streams) {
  for (const PatternDatabase* database : {&blocks_, &streams_})
    if (auto added = shelf.scratch.add(*database); !added) return added;
  if (streams_.is_empty()) return {};
  for (std::size_t i = streams; i-- > 0;) {
    auto stream = PatternStream::make(streams_);
    if (!stream)
      return tl::unexpected(fmt::format("ruleStreams: {}; lower it: one takes {} bytes",
                                        stream.error(), stream_bytes()));
    shelf.streams.push_back(*std::move(stream));
    shelf.free.push_back(static_cast<std::uint32_t>(i));
  }
  return {};
}

void RuleSet::note_ports() noexcept {
  for (const Rule& rule : rules_) {
    for (std::size_t carrier = 0; carrier < 2; ++carrier) {
      for (std::size_t from = 0; from < 2; ++from) {
        if (!rule.in[carrier] || !rule.from[from]) continue;
        Ports& ports = ports_[carrier][from];
        if (rule.ports.empty()) ports.set();
        for (const std::uint16_t port : rule.ports) ports.set(port);
      }
    }
  }
}

bool RuleSet::applies(const Rule& rule, Carrier carrier, unsigned from,
                      std::uint16_t port) const noexcept {
  const bool is_for_port = rule.ports.empty() || std::find(rule.ports.begin(), rule.ports.end(),
                                                           port) != rule.ports.end();
  return rule.in[static_cast<std::size_t>(carrier)] && rule.from[from] && is_for_port;
}

// --- The sessions of a shard --------------------------------------------------------------------

void RuleScans::open(std::uint32_t session, Carrier carrier, unsigned opener,
                     std::uint16_t port) noexcept {
  Scan& scan = scans_[session];
  scan = {};
  scan.rules = rules_;
  scan.carrier = carrier;
  scan.opener = static_cast<std::uint8_t>(opener);
  scan.port = port;
  for (unsigned side = 0; side < 2; ++side)
    scan.sides[side].is_wanted =
        rules_->ports_[static_cast<std::size_t>(carrier)][side ^ opener].test(port);
  std::atomic<std::uint32_t>& sessions = shelf_of(scan).sessions;  // has one writer
  sessions.store(sessions.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

// A side takes its stream with its first bytes.
void RuleScans::on_data(std::uint32_t session, unsigned side, Bytes bytes) noexcept {
  Scan& scan = scans_[session];
  Side& own = scan.sides[side];
  if (!own.is_wanted || bytes.empty()) return;
  RuleSet::Shelf& shelf = shelf_of(scan);
  if (own.stream == kNone && !own.is_dry) {
    own.is_dry = shelf.free.empty();
    if (own.is_dry) {
      counters_.rule_streams_dry.add();
    } else {
      own.stream = shelf.free.back();
      shelf.free.pop_back();
    }
  }
  if (own.is_dry) {
    scan_block(scan, side, bytes, false);
    own.is_at_begin = false;
  } else {
    Match match{*this, scan, side, own.is_at_begin, true};
    shelf.streams[own.stream].scan(bytes, shelf.scratch, on_match, &match);
  }
}

void RuleScans::on_gap(std::uint32_t session, unsigned side) noexcept {
  Scan& scan = scans_[session];
  Side& own = scan.sides[side];
  own.is_at_begin = false;
  if (own.stream != kNone) shelf_of(scan).streams[own.stream].reset();
}

void RuleScans::on_datagram(std::uint32_t session, unsigned side, Bytes bytes) noexcept {
  Scan& scan = scans_[session];
  if (scan.sides[side].is_wanted) scan_block(scan, side, bytes, true);
}

void RuleScans::on_end(std::uint32_t session, unsigned side, bool is_whole) noexcept {
  Scan& scan = scans_[session];
  Side& own = scan.sides[side];
  own.is_wanted = false;
  if (own.stream == kNone) return;
  RuleSet::Shelf& shelf = shelf_of(scan);
  if (is_whole) {
    Match match{*this, scan, side, own.is_at_begin, true};
    shelf.streams[own.stream].finish(shelf.scratch, on_match, &match);
  }
  give_back(scan, own);
}

void RuleScans::scan_block(Scan& scan, unsigned side, Bytes bytes, bool is_whole) noexcept {
  Match match{*this, scan, side, scan.sides[side].is_at_begin, is_whole};
  linger::scan(scan.rules->blocks_, bytes, shelf_of(scan).scratch, on_match, &match);
}

void RuleScans::give_back(Scan& scan, Side& side) noexcept {
  RuleSet::Shelf& shelf = shelf_of(scan);
  shelf.streams[side.stream].reset();
  shelf.free.push_back(side.stream);  // within its capacity: it was there before
  side.stream = kNone;
}

int RuleScans::on_match(unsigned rule, unsigned long long, unsigned long long, unsigned,
                        void* match) noexcept {
  const Match& m = *static_cast<const Match*>(match);
  const RuleSet& rules = *m.scan.rules;
  const RuleSet::Applies& applies = rules.applies_[rule];
  if ((!applies.at_begin || m.is_at_begin) && (!applies.at_end || m.is_whole) &&
      rules.applies(rules.rules_[rule], m.scan.carrier, m.side ^ m.scan.opener, m.scan.port))
    m.scans.note(m.scan, static_cast<std::uint16_t>(rule));
  return 0;
}

// Keeps the first of the list, in its order, whichever matched first.
void RuleScans::note(Scan& scan, std::uint16_t rule) noexcept {
  const auto begin = scan.matched.begin();
  const auto end = begin + scan.count;
  const auto place = std::lower_bound(begin, end, rule);
  if (place != end && *place == rule) return;
  counters_.rule_matches.add();
  if (scan.count == kRulesToldMax) {
    scan.has_more = true;
    if (place == end) return;
  } else {
    ++scan.count;
  }
  std::copy_backward(place, begin + scan.count - 1, begin + scan.count);
  *place = rule;
}

bool RuleScans::tell(std::uint32_t session, std::string_view protocol,
                     ItemWriter& items) const noexcept {
  const Scan& scan = scans_[session];
  const auto put = [&](RuleField field, std::string_view value) {
    items.put({.protocol = kRuleItems,
               .field = static_cast<std::uint8_t>(field),
               .value = {reinterpret_cast<const std::uint8_t*>(value.data()), value.size()}});
  };
  std::array<std::string_view, kRulesToldMax> tags;
  std::size_t tag_count = 0;
  for (std::size_t i = 0; i < scan.count; ++i) {
    const Rule& rule = scan.rules->rules_[scan.matched[i]];
    if (!rule.protocol.empty() && rule.protocol != protocol) continue;
    put(RuleField::name, rule.name);
    const auto told = tags.begin() + tag_count;
    if (rule.tag.empty() || std::find(tags.begin(), told, rule.tag) != told) continue;
    put(RuleField::tags, rule.tag);
    tags[tag_count++] = rule.tag;
  }
  if (scan.has_more) put(RuleField::more, {});
  return !scan.sides[0].is_dry && !scan.sides[1].is_dry;
}

void RuleScans::release(std::uint32_t session) noexcept {
  Scan& scan = scans_[session];
  for (Side& side : scan.sides)
    if (side.stream != kNone) give_back(scan, side);
  // With is_used(): from here on the rules may be gone.
  std::atomic<std::uint32_t>& sessions = shelf_of(scan).sessions;
  sessions.store(sessions.load(std::memory_order_relaxed) - 1, std::memory_order_release);
}

}  // namespace linger
