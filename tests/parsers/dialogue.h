// What two sides say, put through detection and parsers as a shard does, and the checks that every
// parser has to stand: the same however it is cut, nothing garbled by truncation or gaps, nothing
// kept behind.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "parsers/conversations.h"

namespace linger::test {

struct Said {
  unsigned side = 0;
  std::string bytes;
  std::uint64_t gap = 0;  // bytes that nobody saw: instead of `bytes`; of a datagram, behind them
  DurationNs until_next = kMillisecond;
};
using Dialogue = std::vector<Said>;

struct Heard {
  std::string protocol;
  std::string objects;             // JSON, as in the record
  std::vector<std::string> texts;  // every text value, with its field; sorted
  std::vector<std::string> links;  // what was said of other sessions: name, where, objects
  std::uint32_t transactions_dropped = 0;
  std::uint32_t values_dropped = 0;
  bool is_malformed = false;
  bool has_gap = false;
  bool is_dry = false;

  friend bool operator==(const Heard&, const Heard&) = default;
};
std::ostream& operator<<(std::ostream& out, const Heard& heard);

// All parsers are on; the session ends behind the last word. Side 0 opened it.
Heard hear(const Dialogue& dialogue, Carrier carrier = Carrier::stream);
Heard hear(const Dialogue& dialogue, Carrier carrier, const ConversationLimits& limits);

// Cut in two at each byte, and into single bytes: equal records.
void expect_same_however_cut(const Dialogue& dialogue);
// Ended at each byte, and with bytes missing at each place: no text that the whole does not tell.
void expect_nothing_garbled(const Dialogue& dialogue, Carrier carrier = Carrier::stream);
// Bytes changed at random, and words said many times over, often: it ends, and keeps nothing.
void expect_hostile_is_survived(const Dialogue& dialogue, Carrier carrier = Carrier::stream);

}  // namespace linger::test
