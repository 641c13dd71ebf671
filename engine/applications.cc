#include "engine/applications.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <new>

#include "engine/rule_files.h"
#include "engine/signatures.h"

namespace linger {
namespace {

// As a set.
const ParserSet kProxyParser = ParserSet{1}
                               << (std::find(kParsers.begin(), kParsers.end(), &parser::proxy) -
                                   kParsers.begin());

bool is_anything_wanted(const Settings& settings) noexcept {
  const auto set = parsers_of(settings);
  return (set && *set != 0) || !settings.signatures.empty() || !settings.rules.empty();
}

// Empty: compiled patterns are not kept.
std::string cache_folder(const Settings& settings) {
  if (settings.patternCache == "none") return {};
  if (settings.patternCache != "auto") return settings.patternCache;
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache == '/')
    return std::string(cache) + "/linger";
  const char* home = std::getenv("HOME");
  return home != nullptr && *home == '/' ? std::string(home) + "/.cache/linger" : std::string{};
}

std::uint32_t blocks_of(const Settings& settings) noexcept {
  return static_cast<std::uint32_t>(
      std::max<std::uint64_t>(1, settings.reorderMemory / sizeof(HeldBlock)));
}

}  // namespace

tl::expected<ParserSet, std::string> parsers_of(const Settings& settings) {
  ParserSet set = 0;
  for (const std::string& name : settings.parsers) {
    if (name == "all") {
      set = kAllParsers;
      continue;
    }
    if (name == "none") {
      if (settings.parsers.size() == 1) continue;
      return tl::unexpected(std::string("parsers: none among others; leave it or them out"));
    }
    std::string names = "all, none";
    std::size_t i = 0;
    for (; i < kParsers.size() && kProtocols[i]->name != name; ++i)
      names += fmt::format(", {}", kProtocols[i]->name);
    if (i == kParsers.size())
      return tl::unexpected(
          fmt::format("parsers: there is none named {}; allowed: {}", name, names));
    set |= ParserSet{1} << i;
  }
  return set;
}

tl::expected<std::unique_ptr<Reading>, std::string> make_reading(
    std::span<const Settings> shards) try {
  const Settings& settings = shards.front();
  const auto enabled = parsers_of(settings);
  if (!enabled) return tl::unexpected(enabled.error());
  if (!is_anything_wanted(settings)) return nullptr;
  auto signatures = load_signatures(settings.where("signatures"), settings.signatures);
  if (!signatures) return tl::unexpected(signatures.error());
  auto rules = load_rules(settings.where("rules"), settings.rules, *signatures);
  if (!rules) return tl::unexpected(rules.error());
  auto reading = std::make_unique<Reading>();
  reading->signatures = signatures->size();
  auto detector = Detector::make({.enabled = *enabled,
                                  .shards = shards.size(),
                                  .signatures = *std::move(signatures),
                                  .cache_folder = cache_folder(settings)});
  if (!detector) return tl::unexpected(detector.error());
  reading->detector = *std::move(detector);
  if (settings.rules.empty()) return reading;
  std::vector<std::size_t> streams;
  for (const Settings& shard : shards) streams.push_back(shard.ruleStreams);
  auto set = RuleSet::make({.rules = *std::move(rules),
                            .streams = std::move(streams),
                            .cache_folder = cache_folder(settings)});
  if (!set) return tl::unexpected(set.error());
  reading->rules = *std::move(set);
  return reading;
} catch (const std::bad_alloc&) {
  return tl::unexpected<std::string>(
      "signatures and rules do not get the memory they need; lower ruleStreams");
}

Applications::Applications(const Settings& settings, const Reading& reading, std::size_t shard,
                           TableCounters& table_counters, ParserCounters& counters)
    : reader_{.conversations = {{.conversations = static_cast<std::uint32_t>(settings.maxStreams),
                                 .memory = settings.parserMemory,
                                 .transactions =
                                     static_cast<std::uint16_t>(settings.maxTransactions),
                                 .certificates =
                                     static_cast<std::uint8_t>(settings.maxCertificates)},
                                *reading.detector,
                                shard,
                                counters},
              .rules =
                  reading.rules == nullptr
                      ? nullptr
                      : std::make_unique<RuleScans>(static_cast<std::uint32_t>(settings.maxStreams),
                                                    *reading.rules, shard, counters),
              .proxy_ports = settings.proxyPorts},
      streams_({.streams = static_cast<std::uint32_t>(settings.read_sessions()),
                .blocks = blocks_of(settings),
                .limit_bytes = settings.readLimit,
                .reorder_window = settings.reorderWindow},
               table_counters, reader_),
      shard_(shard),
      wanted_(&reading),
      used_(&reading) {}

std::uint64_t Applications::memory_needed(const Settings& settings) noexcept {
  if (!is_anything_wanted(settings)) return 0;
  const std::uint64_t rule_bytes = settings.rules.empty() ? 0 : RuleScans::kBytesEach;
  return settings.maxStreams * (Conversations::kBytesEach + rule_bytes + sizeof(std::uint32_t)) +
         settings.read_sessions() * sizeof(Stream) + settings.reorderMemory + settings.parserMemory;
}

Bytes Applications::describe(std::uint32_t reader, Record& record) noexcept {
  if (reader == kStreamDry) record.application_missing = true;
  if (reader >= kStreamMute) return {};
  const Conversations::Told told = reader_.conversations.tell(reader);
  record.application.assign(told.protocol);
  record.application_malformed = told.is_malformed;
  record.application_gap = told.has_gap;
  record.application_missing = told.is_dry;
  record.transactions_dropped = told.transactions_dropped;
  record.values_dropped = told.values_dropped;
  record.items_bytes = static_cast<std::uint32_t>(told.items.size());
  if (reader_.rules == nullptr) return told.items;
  ItemWriter more(told.room);
  if (!reader_.rules->tell(reader, told.protocol, more)) record.application_missing = true;
  record.items_bytes += static_cast<std::uint32_t>(more.items().size());
  return {told.items.data(), record.items_bytes};
}

// By the id and the time that the parser does not know.
void Applications::complete(LinkNote& note, const Id128& id, ClockNs clock) noexcept {
  RecordLink& link = note.link;
  link.id = id;
  link.clock = clock;
  std::array<std::uint8_t, sizeof id> bytes;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<std::uint8_t>((i < 8 ? id.high : id.low) >> (56 - i % 8 * 8));
  ItemWriter more(std::span(link.items).subspan(link.items_bytes));
  more.put({.protocol = note.protocol, .field = note.id_field, .value = bytes});
  link.items_bytes += static_cast<std::uint32_t>(more.items().size());
}

std::uint32_t Applications::Reader::on_open(const Packet& packet,
                                            const StreamStart& start) noexcept {
  const bool is_tcp = packet.key.protocol == kProtocolTcp;
  const std::uint16_t server_port = packet.key.port[start.opener ^ 1];
  const bool is_proxied = proxy_ports.empty() || std::find(proxy_ports.begin(), proxy_ports.end(),
                                                           server_port) != proxy_ports.end();
  const Carrier carrier = is_tcp ? Carrier::stream : Carrier::datagrams;
  const std::uint32_t id = conversations.open(carrier, start.opener, is_proxied ? 0 : kProxyParser);
  if (id == Conversations::kNone) return kStreamDry;
  if (rules != nullptr) rules->open(id, carrier, start.opener, server_port);
  return id;
}

}  // namespace linger
