// Records as NDJSON: one compact JSON object a line, keys and order from record_fields.h.
//
// Owner: one thread. It sums what it encodes, which is one end of the ledger. Digests come to their
// places late: what was encoded is whole after complete(), and stays where it is until then.
// Limit: a line has at most kLineBytesMax bytes, beside those of application objects. Cost: one
// pass over the list, unrolled at compile time; see bench/encode_bench.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "engine/base/counter.h"
#include "output/community_id.h"
#include "output/mptcp_connection.h"
#include "output/mptcp_token.h"
#include "output/protocol_json.h"
#include "output/record.h"
#include "output/text_format.h"

namespace linger {

inline constexpr std::size_t kNodeBytesMax = 255;

// network.transport
std::string_view transport_name(std::uint8_t protocol) noexcept;

struct RunInfo {  // what is the same in every record of a run
  std::string node = "linger";
  Protocols protocols{};  // that items name
};

struct EncodedTotals {
  std::array<std::uint64_t, kActionWords.size()> records{};  // by Action
  std::uint64_t packets = 0;                                 // of end and late records
  std::uint64_t bytes = 0;
  std::uint64_t flood_sessions = 0;  // told in syn-flood records
};

// EncodedTotals as they grow. One thread adds, any thread reads.
class EncodedTally {
 public:
  void add(const Record& record) noexcept {
    records_[static_cast<std::size_t>(record.action)].add(1);
    // The end records of the session, or of the subflows, count them.
    if (record.action == Action::session_interim || record.is_connection()) return;
    packets_.add(record.total_packets());
    bytes_.add(record.total_bytes());
    flood_sessions_.add(record.flood_sessions);
  }
  void add_to(EncodedTotals& totals) const noexcept {
    for (std::size_t i = 0; i < records_.size(); ++i) totals.records[i] += records_[i].value();
    totals.packets += packets_.value();
    totals.bytes += bytes_.value();
    totals.flood_sessions += flood_sessions_.value();
  }

 private:
  std::array<Counter, kActionWords.size()> records_;
  Counter packets_;
  Counter bytes_;
  Counter flood_sessions_;
};

class NdjsonEncoder {
 public:
  static constexpr std::size_t kLineBytesMax = 48 * 1024;

  explicit NdjsonEncoder(const RunInfo& run);

  // What parsers found, as members of the line; valid until the next call.
  std::string_view objects_of(Bytes items) {
    return items.empty() ? std::string_view{} : protocol_json_.objects_of(items);
  }

  // Writes one line, newline included; `out` has room for kLineBytesMax and the objects. Returns
  // its bytes.
  std::size_t encode(const Record& record, char* out, std::string_view objects = {}) noexcept {
    return put(record, nullptr, objects, out);
  }
  std::size_t encode(const MptcpConnection& connection, char* out,
                     std::string_view objects = {}) noexcept {
    return put(connection.record, &connection, objects, out);
  }

  // All lines written so far are whole.
  void complete() noexcept { community_ids_.complete(); }

  const EncodedTally& tally() const noexcept { return tally_; }

 private:
  std::size_t put(const Record& record, const MptcpConnection* connection, std::string_view objects,
                  char* out) noexcept;

  std::string observer_;  // quoted and escaped
  TimeText time_text_;
  MptcpTokens mptcp_tokens_;
  CommunityIds community_ids_;
  ProtocolJson protocol_json_;
  EncodedTally tally_;
};

}  // namespace linger
