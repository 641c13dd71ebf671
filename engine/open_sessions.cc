#include "engine/open_sessions.h"

#include <fmt/format.h>

#include <array>
#include <string_view>

#include "engine/ledger.h"
#include "engine/shard.h"
#include "output/ndjson.h"
#include "output/text_format.h"

namespace linger {
namespace {

constexpr std::array<std::string_view, kPhaseCount> kPhaseNames = {
    "opening", "established", "half closed", "closed", "reset",
    "udp",     "icmp",        "sctp",        "esp",    "other"};

std::string end_of(const FlowKey& key, unsigned side) {
  std::array<char, 64> text;
  const std::uint8_t* const address = key.address[side].bytes.data();
  const bool is_ipv6 = key.ip_version == 6;
  char* const end = is_ipv6 ? put_ipv6(text.data(), address) : put_ipv4(text.data(), address);
  const std::string_view host(text.data(), end);
  if (key.port[side] == 0) return std::string(host);
  return is_ipv6 ? fmt::format("[{}]:{}", host, key.port[side])
                 : fmt::format("{}:{}", host, key.port[side]);
}

}  // namespace

SessionSurvey survey_of(const std::vector<std::unique_ptr<Shard>>& shards) {
  SessionSurvey all;
  for (const auto& shard : shards)
    all.add(SessionReader(shard->table()).survey(kLargestTold), kLargestTold);
  return all;
}

std::string text_of(const SessionSurvey& survey) {
  std::uint64_t count = 0;
  std::string phases;
  for (std::size_t i = 0; i < kPhaseCount; ++i) {
    if (survey.in_phase[i] == 0) continue;
    count += survey.in_phase[i];
    phases += fmt::format("{}{} {}", phases.empty() ? "" : ", ", kPhaseNames[i],
                          grouped(survey.in_phase[i]));
  }
  if (count == 0) return {};
  std::string text = fmt::format("  open      {} sessions: {}\n", grouped(count), phases);
  for (const SessionRow& row : survey.largest) {
    const unsigned source = row.originator;
    text +=
        fmt::format("  largest   {} bytes, {} {} > {}, {}\n", grouped(row.total_bytes()),
                    transport_name(row.key.protocol), end_of(row.key, source),
                    end_of(row.key, source ^ 1), kPhaseNames[static_cast<std::size_t>(row.phase)]);
  }
  return text;
}

}  // namespace linger
