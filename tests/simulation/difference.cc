// What the real tables and the oracle disagree on, as text to read.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "tests/simulation/run.h"

namespace linger::test {
namespace {

constexpr std::size_t kLinesShown = 4;

std::string event_id(const std::string& line) {
  constexpr std::string_view kKey = "\"event\":{\"id\":\"";
  return line.substr(line.find(kKey) + kKey.size(), 32);
}

std::string tuple_of(const Record& r) {
  const bool has_ports = r.has_ports() || r.is_icmp();
  const std::uint16_t ports[] = {r.is_icmp() ? r.icmp_id : r.port[0],
                                 r.is_icmp() ? r.icmp_id : r.port[1]};
  return tuple_text(r.protocol, r.address[0], has_ports ? ports[0] : std::uint16_t{0}, r.address[1],
                    has_ports ? ports[1] : std::uint16_t{0});
}

std::string flags_text(std::uint8_t flags) {
  constexpr char kLetters[] = "FSRPAUEC";
  std::string text;
  for (unsigned bit = 0; bit < 8; ++bit)
    if (flags >> bit & 1) text += kLetters[bit];
  return text.empty() ? "-" : text;
}

std::string packet_text(const Packet& p) {
  std::string text = fmt::format("  {:.6f} side {} payload {}",
                                 static_cast<double>(p.clock % (1'000'000 * kSecond)) / kSecond,
                                 p.direction, p.payload_bytes);
  if (p.frames != 1) text += fmt::format(" in {} frames", p.frames);
  if (p.flags & kPacketFragment) text += " beginning";
  if (p.flags & kPacketBadChecksum) text += " bad checksum";
  if (p.flags & kPacketOffloaded) text += " off-loaded";
  if (p.flags & kPacketIcmpError) return text + " icmp error\n";
  if (p.key.protocol == kProtocolTcp)
    text += fmt::format(" {} seq {} ack {} win {}", flags_text(p.tcp.flags), p.tcp.sequence,
                        p.tcp.acknowledgment, p.tcp.window);
  if (p.key.protocol == kProtocolSctp)
    text += fmt::format(" chunk {} tag {:x} initiate {:x}", p.sctp.chunk, p.sctp.verification_tag,
                        p.sctp.initiate_tag);
  return text + '\n';
}

// Every packet of a tuple, one a line.
std::string packets_text(const Plan& plan, const std::vector<MemoryPacket>& packets,
                         const std::string& tuple) {
  std::string text;
  read_datagrams(plan, packets, [&](const Packet& p) {
    if (p.verdict == Verdict::session && tuple_text(p.key.protocol, p.key.address[0], p.key.port[0],
                                                    p.key.address[1], p.key.port[1]) == tuple)
      text += packet_text(p);
  });
  return text;
}

std::string tuple_of_id(const Outcome& oracle, const Outcome& real, const std::string& id) {
  for (const Outcome* outcome : {&oracle, &real})
    for (const Record& r : outcome->records)
      if (fmt::format("{:016x}{:016x}", r.id.high, r.id.low) == id) return tuple_of(r);
  return {};
}

std::string counts_difference(const OracleCounts& oracle, const OracleCounts& real) {
  std::string text;
#define LINGER_COMPARE_COUNT(name, help) \
  if (oracle.name != real.name)          \
    text += fmt::format("counter " #name ": oracle {}, linger {}\n", oracle.name, real.name);
  LINGER_TABLE_COUNTERS(LINGER_COMPARE_COUNT)
#undef LINGER_COMPARE_COUNT
  return text;
}

// Sessions joined by `continues`, as one: where each begins and what it holds.
struct Chain {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  auto operator<=>(const Chain&) const = default;
};
using Chains = std::map<std::string, Chain>;  // by tuple and start

Chains chains_of(const std::vector<Record>& records) {
  std::map<Id128, Record> ends;
  for (const Record& r : records)
    if (r.action == Action::session_end) ends[r.id] = r;
  Chains chains;
  for (const Record& r : records) {
    if (r.action == Action::session_interim) continue;
    Id128 root = r.id;
    while (ends[root].continues.is_set()) root = ends[root].continues;
    Chain& chain = chains[fmt::format("{} from {}", tuple_of(ends[root]), ends[root].start.value)];
    chain.packets += r.total_packets();
    chain.bytes += r.total_bytes();
  }
  return chains;
}

}  // namespace

std::string difference(const Plan& plan, const std::vector<MemoryPacket>& packets,
                       const Outcome& oracle, const Outcome& real) {
  std::vector<std::string> missing, extra;
  std::set_difference(oracle.lines.begin(), oracle.lines.end(), real.lines.begin(),
                      real.lines.end(), std::back_inserter(missing));
  std::set_difference(real.lines.begin(), real.lines.end(), oracle.lines.begin(),
                      oracle.lines.end(), std::back_inserter(extra));
  const std::string counts = counts_difference(oracle.counts, real.counts);
  if (missing.empty() && extra.empty()) return counts;
  std::string text =
      fmt::format("{} records are missing, {} too many\n", missing.size(), extra.size());
  for (std::size_t i = 0; i < std::min(missing.size(), kLinesShown); ++i)
    text += "oracle " + missing[i] + "\n";
  for (std::size_t i = 0; i < std::min(extra.size(), kLinesShown); ++i)
    text += "linger " + extra[i] + "\n";
  const std::string name = event_id(missing.empty() ? extra.front() : missing.front());
  return text + counts + packets_text(plan, packets, tuple_of_id(oracle, real, name));
}

std::string chain_difference(const Plan& plan, const std::vector<MemoryPacket>& packets,
                             const Outcome& oracle, const Outcome& real) {
  const Chains wanted = chains_of(oracle.records);
  const Chains found = chains_of(real.records);
  for (const auto& [name, chain] : wanted) {
    const auto it = found.find(name);
    if (it == found.end()) return fmt::format("no chain {}", name);
    if (it->second != chain)
      return fmt::format("chain {}: oracle {} packets, {} bytes; linger {}, {}\n{}", name,
                         chain.packets, chain.bytes, it->second.packets, it->second.bytes,
                         packets_text(plan, packets, name.substr(0, name.find(" from"))));
  }
  for (const auto& [name, chain] : found)
    if (!wanted.contains(name))
      return fmt::format("a chain too many: {}, {} packets\n{}", name, chain.packets,
                         packets_text(plan, packets, name.substr(0, name.find(" from"))));
  return {};
}

std::string truth_difference(const Plan& plan, const Traffic& traffic, const Outcome& outcome) {
  std::map<std::string, std::uint64_t> found;
  for (const auto& [tuple, count] : traffic.sessions) found[tuple] = 0;
  for (const Record& r : outcome.records)
    if (r.action == Action::session_end && !r.continues.is_set()) ++found[tuple_of(r)];
  for (const auto& [tuple, count] : found) {
    const auto made = traffic.sessions.find(tuple);
    const std::uint64_t wanted = made != traffic.sessions.end() ? made->second : 0;
    if (count == wanted) continue;
    return fmt::format("{}: {} sessions were made, {} recorded\n{}", tuple, wanted, count,
                       packets_text(plan, traffic.packets, tuple));
  }
  return {};
}

}  // namespace linger::test
