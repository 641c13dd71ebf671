#include "engine/applications.h"

#include <fmt/format.h>

#include "sessiontable/session_table.h"

namespace linger {
namespace {

template <class T>
T share(std::uint64_t whole, const Settings& settings) noexcept {
  return static_cast<T>((whole + settings.packetThreads - 1) / settings.packetThreads);
}

std::uint32_t blocks_of(const Settings& settings) noexcept {
  return share<std::uint32_t>(settings.reorderMemory / sizeof(HeldBlock), settings);
}

}  // namespace

tl::expected<ParserSet, std::string> parsers_of(const Settings& settings) {
  ParserSet set = 0;
  for (const std::string& name : settings.parsers) {
    if (name == "all") {
      set = kAllParsers;
      continue;
    }
    if (name == "none") continue;
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

Applications::Applications(const Settings& settings, const Detector& detector, std::size_t shard,
                           TableCounters& table_counters, ParserCounters& counters)
    : reader_{.conversations = {{.conversations = table_share(settings).sessions,
                                 .memory = share<std::uint64_t>(settings.parserMemory, settings),
                                 .transactions =
                                     static_cast<std::uint16_t>(settings.maxTransactions)},
                                detector,
                                shard,
                                counters}},
      streams_({.streams = share<std::uint32_t>(settings.read_sessions(), settings),
                .blocks = blocks_of(settings),
                .limit_bytes = settings.readLimit,
                .reorder_window = settings.reorderWindow},
               table_counters, reader_) {}

std::uint64_t Applications::memory_needed(const Settings& settings) noexcept {
  const auto set = parsers_of(settings);
  if (!set || *set == 0) return 0;
  return settings.maxStreams * (Conversations::kBytesEach + sizeof(std::uint32_t)) +
         settings.read_sessions() * sizeof(Stream) + settings.reorderMemory + settings.parserMemory;
}

Bytes Applications::describe(std::uint32_t reader, Record& record) noexcept {
  if (reader == kStreamDry) record.application_missing = true;
  if (reader >= kStreamDry) return {};
  const Conversations::Told told = reader_.conversations.tell(reader);
  record.application.assign(told.protocol);
  record.application_malformed = told.is_malformed;
  record.application_gap = told.has_gap;
  record.application_missing = told.is_dry;
  record.transactions_dropped = told.transactions_dropped;
  record.values_dropped = told.values_dropped;
  record.items_bytes = static_cast<std::uint32_t>(told.items.size());
  return told.items;
}

std::uint32_t Applications::Reader::on_open(const Packet& packet,
                                            const StreamStart& start) noexcept {
  const bool is_tcp = packet.key.protocol == kProtocolTcp;
  const std::uint32_t id =
      conversations.open(is_tcp ? Carrier::stream : Carrier::datagrams, start.opener);
  return id == Conversations::kNone ? kStreamDry : id;
}

}  // namespace linger
