// Fragments for the oracle: what ARCHITECTURE ("Fragments") and engine/packet/defrag.h promise,
// read aloud. A datagram is a map of bytes; put together, it is a frame as if it had never been
// cut, and decoded as one.
//
// Limits are not modelled, nor datagrams in datagrams. Owner: one run of the oracle.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "engine/packet/decode.h"

namespace linger::test {

class Datagrams {
 public:
  using See = std::function<void(const Packet&)>;

  Datagrams(DurationNs timeout, const DecodeSettings& decode_settings, See see)
      : timeout_(timeout), decode_settings_(decode_settings), see_(std::move(see)) {}

  // Decoded packets in reading order; what is no fragment goes on at once.
  void add(const Packet& packet);
  void pass(ClockNs now);  // time
  void finish(ClockNs now);

 private:
  using Key = std::array<std::uint64_t, 6>;
  using Bytes = std::vector<std::uint8_t>;

  struct Datagram {
    Packet packet;  // of the fragment that tells its headers: the first, if it came
    Bytes head;     // its frame up to the payload
    bool has_first = false;
    std::map<std::uint32_t, std::uint8_t> bytes;  // by place: those that came first
    std::uint32_t seen_end = 0;
    std::optional<std::uint32_t> length;
    bool is_discarded = false;
    ClockNs due = 0;
    std::uint64_t number = 0;  // in order of arrival
    std::uint32_t wire_bytes = 0;
    std::uint16_t frames = 0;
    Timestamp last;
  };
  using Places = std::map<Key, Datagram>;

  bool take(Datagram& datagram, const Packet& fragment);
  void put_out(Places::iterator place, ClockNs when, bool is_whole);
  void put_out_until(ClockNs last, std::optional<ClockNs> when);

  const DurationNs timeout_;
  const DecodeSettings& decode_settings_;
  const See see_;
  Places datagrams_;
  std::uint64_t next_number_ = 0;
  std::deque<Bytes> frames_;  // of what was put out
};

}  // namespace linger::test
