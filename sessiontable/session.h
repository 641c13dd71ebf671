// One session in memory: a line that each packet touches, one for the moments of its life, and half
// a one that names it. What many sessions have in common is kept once; what most lack lies beside.
//
//     SessionHot              64 bytes   counters, sequence space, state
//     SessionCold             64         what events touch: start, timer link, counts
//     SessionName             32         its key, its id, where its opening is told
//     FlowIndex               12.8
//                            172.8       an established session without anomalies, IPv4
//     LongAddresses           32         of IPv6, and where the setting sessionKey has ids
//                            204.8       … IPv6
//     scope                    8         these ids, where it has some
//     PortSet                  2         in a live run of several ports: that its packets came by
//     SessionOpening          40         once for all sessions with equal ones, and 8 of index each
//     SessionRare             48         beside the session, touched where it is in use
//     Extension              192         from a pool: gaps, retransmissions, late packets, links
//     TcpDetail              192         from the same: duplicates, closed windows, congestion
//
// Sides are canonical (FlowKey): side 0 and side 1. Which of them opened the session is one bit,
// `originator`, so that learning it late moves nothing. Owner: one shard.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#include "engine/base/check.h"
#include "engine/base/flow_key.h"
#include "engine/base/id.h"
#include "engine/base/port_set.h"
#include "engine/base/shared.h"
#include "engine/base/time.h"
#include "engine/packet/packet.h"
#include "sessiontable/flow_index.h"
#include "sessiontable/history.h"
#include "sessiontable/session_opening.h"

namespace linger {

// What a session waits for; each has one timeout and one timer wheel.
enum class Phase : std::uint8_t {
  opening,      // TCP: SYN seen; tcpSynTimeout
  established,  // TCP; tcpTimeout
  half_closed,  // TCP: a FIN from one side; tcpHalfClosedTimeout
  closed,       // FINs from both sides, SCTP SHUTDOWN COMPLETE: lingers; tcpClosingTimeout
  reset,        // a RST that fits, SCTP ABORT: lingers; tcpRstTimeout
  udp,
  icmp,
  sctp,
  esp,
  other,
};
inline constexpr std::size_t kPhaseCount = 10;

// In which a session of this protocol begins.
constexpr Phase phase_of_protocol(std::uint8_t protocol) noexcept {
  switch (protocol) {
    case kProtocolTcp:
      return Phase::established;
    case kProtocolUdp:
      return Phase::udp;
    case kProtocolIcmp:
    case kProtocolIcmpV6:
      return Phase::icmp;
    case kProtocolSctp:
      return Phase::sctp;
    case kProtocolEsp:
      return Phase::esp;
    default:
      return Phase::other;
  }
}

constexpr bool lingers(Phase phase) noexcept {
  return phase == Phase::closed || phase == Phase::reset;
}

enum SessionFlag : std::uint16_t {
  kSessionOriginator = 0x0001,  // the side that opened it: 0 or 1
  kSessionSeen0 = 0x0002,       // side 0 has sent a segment: its sequence_end is known
  kSessionSeen1 = 0x0004,
  kSessionRead = 0x0008,     // its bytes are read, or will be when there are any
  kSessionWatched = 0x0010,  // TCP: each packet may have something to tell (TcpDetail)
  kSessionFin0 = 0x0020,     // side 0 has sent a FIN
  kSessionFin1 = 0x0040,
  kSessionAck0 =
      0x0080,  // side 0 has acknowledged something: `acknowledged` and `window` are known
  kSessionAck1 = 0x0100,
  kSessionPureAck0 = 0x0200,  // history letter A or a written
  kSessionPureAck1 = 0x0400,
  kSessionData0 = 0x0800,  // history letter D or d written
  kSessionData1 = 0x1000,
  kSessionHasOlder =
      0x2000,  // another incarnation of this key is still in the table: SessionRare::older
  kSessionNewest = 0x4000,      // of its key in the table: what a stale guess looks at
  kSessionEndIsClock = 0x8000,  // Session::end() is last_clock, else SessionRare::latest
};

// Per-side flags come in pairs: flag of side 0, shifted left by the side.
constexpr std::uint16_t side_flag(SessionFlag of_side_0, unsigned side) noexcept {
  return static_cast<std::uint16_t>(of_side_0 << side);
}

// Shared fields can be read by other threads (SessionReader), consistent under `version`.
struct alignas(64) SessionHot {
  Shared<ClockNs> last_clock;
  std::array<Shared<std::uint64_t>, 2> bytes;    // frames as they were on the wire
  std::array<Shared<std::uint32_t>, 2> packets;  // carries into SessionRare::packets_high
  std::array<std::uint32_t, 2> sequence_low;     // of Session::sequence_end()
  std::array<std::uint32_t, 2> acknowledged;  // highest ACK each side sent; SCTP: verification tags
  std::array<std::uint16_t, 2> window;        // with that ACK, not scaled
  Shared<std::uint16_t> flags;
  Shared<Phase> phase;
  Shared<std::uint8_t> version;
  std::uint32_t fingerprint;  // fingerprint_of() its hash
  std::uint32_t save_tick;    // tick_of(Session::save_due())

  // With the index's tag, and with the bucket, 48 bits of the hash and more: a packet that finds
  // them and whose sequence number is the next of the session needs no look at the key.
  static std::uint32_t fingerprint_of(FlowHash hash) noexcept {
    return static_cast<std::uint32_t>(hash >> 16);
  }

  // The next interim record is due. A tick is 2.1 s.
  static constexpr int kSaveShift = 31;
  static std::uint32_t tick_of(ClockNs clock) noexcept {
    return static_cast<std::uint32_t>(static_cast<std::uint64_t>(clock) >> kSaveShift);
  }

  unsigned originator() const noexcept { return flags & kSessionOriginator; }
  void set_originator(unsigned side) noexcept {
    flags = static_cast<std::uint16_t>((flags & ~kSessionOriginator) | side);
  }
  bool has(SessionFlag of_side_0, unsigned side) const noexcept {
    return (flags & side_flag(of_side_0, side)) != 0;
  }
  // Bit per side.
  std::uint32_t of_both(SessionFlag of_side_0) const noexcept {
    return flags.own() / static_cast<std::uint32_t>(of_side_0) & 3;
  }
  void set(SessionFlag of_side_0, unsigned side) noexcept { flags |= side_flag(of_side_0, side); }
  void clear(SessionFlag flag) noexcept { flags &= static_cast<std::uint16_t>(~flag); }
  bool is_newest() const noexcept { return (flags & kSessionNewest) != 0; }
};
static_assert(sizeof(SessionHot) == 64);

// Of a key that SessionName has no room for. Half a line, so that it is never on two.
struct alignas(32) LongAddresses {
  std::array<Shared<std::uint64_t>, 4> words;

  bool matches(const FlowKey& key) const noexcept {
    return ((words[0] ^ key.word(0)) | (words[1] ^ key.word(1)) | (words[2] ^ key.word(2)) |
            (words[3] ^ key.word(3))) == 0;
  }
  void set(const FlowKey& key) noexcept {
    for (std::size_t i = 0; i < words.size(); ++i) words[i] = key.word(i);
  }
  std::array<std::uint64_t, 4> load() const noexcept {
    return {words[0].load(), words[1].load(), words[2].load(), words[3].load()};
  }
};
static_assert(sizeof(LongAddresses) == 32);

// What tells a session from others. A key of IPv4 without scope is all in here; of others, which
// are `long`, the addresses are in the LongAddresses of the same slot, and the scope beside them.
struct alignas(32) SessionName {
  Shared<std::uint64_t> addresses;  // of side 0, of side 1; long: 0
  // FlowKey::word(4): ports, protocol, IP version (0: the slot is free). In the two bytes that are
  // zero there: whether the key is long, and how many interim records there were (saturating).
  Shared<std::uint64_t> rest;
  std::array<std::uint32_t, 2> rtt_ns;  // SYN to SYN-ACK, SYN-ACK to ACK; saturating (4.3 s)
  std::uint32_t opening;                // place in the OpeningPool
  // Part of the id. TCP: sequence number of the first packet; others: of incarnations with equal
  // key and opened().
  std::uint32_t id_sequence;

  static bool is_long(const FlowKey& key) noexcept { return key.ip_version != 4 || key.scope != 0; }
  bool has_long_key() const noexcept { return (rest & kLong) != 0; }

  // Its LongAddresses and scope are looked at where the key is long.
  bool matches(const FlowKey& key, const LongAddresses& beside,
               std::uint64_t scope) const noexcept {
    return ((addresses ^ addresses_of(key)) | ((rest ^ rest_of(key)) & kKeyBits)) == 0 &&
           (!has_long_key() || (beside.matches(key) && scope == key.scope));
  }
  FlowKey key(const LongAddresses& beside, std::uint64_t scope) const noexcept {
    return has_long_key() ? key_of(beside.load(), rest, scope) : key_of(addresses, rest);
  }
  void set_key(const FlowKey& key) noexcept {
    addresses = addresses_of(key);
    rest = rest_of(key);
  }
  void free() noexcept {
    addresses = 0;
    rest = 0;
  }
  static FlowKey key_of(std::uint64_t addresses, std::uint64_t rest) noexcept {  // not long
    return key_of({addresses & UINT32_MAX, 0, addresses >> 32, 0}, rest, 0);
  }
  static FlowKey key_of(const std::array<std::uint64_t, 4>& addresses, std::uint64_t rest,
                        std::uint64_t scope) noexcept {
    FlowKey key;
    for (std::size_t i = 0; i < addresses.size(); ++i) key.set_word(i, addresses[i]);
    key.set_word(4, rest & (kLong - 1));
    key.set_word(5, scope);
    return key;
  }

  std::uint8_t protocol() const noexcept { return static_cast<std::uint8_t>(rest >> 32); }
  std::uint32_t interim_count() const noexcept {
    return static_cast<std::uint32_t>(rest >> kInterimShift);
  }
  void count_interim() noexcept {
    if (interim_count() != kInterimMax) rest += std::uint64_t{1} << kInterimShift;
  }

  static constexpr std::uint64_t kLong = std::uint64_t{1} << 48;
  static constexpr unsigned kInterimShift = 49;
  static constexpr std::uint32_t kInterimMax = (1u << (64 - kInterimShift)) - 1;

 private:
  static constexpr std::uint64_t kKeyBits = (kLong << 1) - 1;

  static std::uint64_t addresses_of(const FlowKey& key) noexcept {
    return is_long(key) ? 0 : key.word(0) | key.word(2) << 32;
  }
  static std::uint64_t rest_of(const FlowKey& key) noexcept {
    return key.word(4) | (is_long(key) ? kLong : 0);
  }
};
static_assert(sizeof(SessionName) == 32);

struct TimerLink {  // or, at an end of a list, the wheel's bucket
  std::uint32_t next;
  std::uint32_t previous;
};

// Segments that are counted for each side, up to 65,535.
enum class TcpCount : std::uint8_t { syn, syn_ack, fin, rst };
using TcpCounts = std::array<std::array<std::uint8_t, 2>, 4>;

// What changes with events: one line.
struct alignas(64) SessionCold {
  Shared<Timestamp> start;  // of the first packet
  ClockNs phase_clock;      // when it opened; from the first FIN or RST on: when the phase began
  std::uint32_t extension;
  std::uint32_t save_remainder;  // of Session::save_due()
  // TCP: number of the first payload byte each side sent (its ISN + 1 when the SYN was seen).
  // ICMP: [0] type << 8 | code of the first packet, [1] its identifier.
  std::array<std::uint32_t, 2> first_sequence;
  std::array<std::uint16_t, 2> sequence_high;
  TcpCounts counts_low;  // carries into SessionRare::counts_high
  TimerLink timer;       // in its wheel; free: the next free slot
  History history;
  std::uint8_t rst_seen : 1, rst_side : 1, first_side : 1,
      is_flipped : 1,        // opened by a SYN-ACK: its receiver is the originator (history ^)
      extension_dry : 1,     // the extension pool was empty when it was needed
      has_rare : 1,          // SessionRare is in use
      resumed : 2;           // bit per side: its numbers go on where a cut session's ended
  std::uint8_t ordinal : 2,  // TCP: of incarnations with equal key, opened() and first number
      isn_known : 2,         // bit per side: its initial sequence number is known
      wheel : 4;             // Phase of the timer wheel that it waits in

  bool knows_isn(unsigned side) const noexcept { return (isn_known >> side & 1) != 0; }
  void clear() noexcept {  // all at once, but for what others read
    start = Timestamp{};
    std::memset(reinterpret_cast<char*>(this) + sizeof start, 0, sizeof *this - sizeof start);
  }
};
static_assert(sizeof(SessionCold) == 64 && offsetof(SessionCold, start) == 0);

// LongAddresses: the slot's, used where the key is long.
inline constexpr std::size_t kSessionBytes =
    sizeof(SessionHot) + sizeof(SessionCold) + sizeof(SessionName) + sizeof(LongAddresses);
// With the longest key, in a run of several ports, and if no session opened like another.
static_assert(kSessionBytes + sizeof(PortSet) + FlowIndex::bytes_per_entry(IndexLoad::sparse) +
                  OpeningPool::kIndexBytes + OpeningPool::kBytesPerOpening <=
              256);

// This many wrong checksums from one side are no accident either.
inline constexpr std::uint16_t kOffloaded = 0xffff;

// A range of sequence numbers that was skipped and has not come yet.
struct Gap {
  std::uint32_t begin;
  std::uint32_t bytes : 31, side : 1;

  std::uint32_t end() const noexcept { return begin + bytes; }
};

// Gaps that an Extension has no room for.
struct GapBlock {
  static constexpr std::size_t kGaps = 23;

  GapBlock* next;
  std::array<Gap, kGaps> gaps;
};
inline constexpr std::size_t kGapBlocksMax = 8;

// Beside the session, in memory that is touched only where it is in use.
struct SessionRare {
  Shared<Timestamp> latest{};                    // without kSessionEndIsClock: of Session::end()
  ClockNs opened = kNever;                       // of the first packet, where `start` is not that
  std::uint32_t older = kNoSlot;                 // with kSessionHasOlder: that incarnation
  std::uint32_t tunnels = kNoSlot;               // place in the TunnelTable
  std::uint32_t mptcp = kNoSlot;                 // place in the MptcpPool
  std::uint32_t rtt = kNoSlot;                   // place in the RttPool
  std::array<std::uint16_t, 2> bad_checksums{};  // kOffloaded: that side's are not judged
  TcpCounts counts_high{};                       // bits 8 … 15
  std::array<std::uint8_t, 2> packets_high{};    // bits 32 … 39
};
static_assert(sizeof(SessionRare) == 48);

// What came after the close, or after the end record.
struct LateCounts {
  std::array<std::uint32_t, 2> packets;
  // Saturating. syn: with or without ACK; data: segments with payload.
  std::array<std::uint16_t, 2> syn, fin, rst, ack, data;
  std::uint16_t syn_ack;  // of both sides
  std::uint16_t rst_off_sequence;

  void add(const Packet& packet) noexcept;
  std::uint64_t total() const noexcept { return std::uint64_t{packets[0]} + packets[1]; }
};

// Extension::candidate: a SYN with another initial sequence number against an open session.
struct CandidateSyn {
  ClockNs clock;
  Timestamp timestamp;
  std::uint32_t sequence;
  std::uint32_t bytes;
  std::uint16_t syns;  // 0: none
  std::uint16_t window;
  std::uint16_t mss;
  std::uint8_t window_scale;
  std::uint8_t side : 1, features : 7;  // TcpFeature
};

enum class Link : std::uint8_t { none, reuse_of, continues };

struct Extension {
  static constexpr std::size_t kGaps = 4;

  std::array<Gap, kGaps> gaps;  // the oldest first; more of them in more_gaps
  GapBlock* more_gaps;
  std::uint8_t gap_count;
  Link link : 2;                                  // what `linked` is
  bool rst_challenged : 1;                        // after the RST its receiver sent new payload
  bool candidate_offloaded : 1;                   // as kOffloaded, of the first of its SYNs
  std::uint8_t icmp_error_type, icmp_error_code;  // of the first one
  std::uint32_t rst_peer_end;                     // sequence_end of the RST's receiver when it came
  std::array<std::uint32_t, 2> gap_bytes;         // not yet filled, saturating
  std::array<std::uint32_t, 2> retransmitted_packets;
  std::array<std::uint32_t, 2> retransmitted_bytes;
  std::array<std::uint16_t, 2> out_of_order_packets, keep_alives;
  std::uint16_t syn_candidates;
  std::uint16_t icmp_error_packets;
  std::uint32_t icmp_error_bytes;
  std::uint32_t detail;            // slot of its TcpDetail, + 1; 0: none
  std::uint16_t candidate_frames;  // that its SYNs came in
  std::uint16_t candidate_bad;     // of them, those of wrong checksums
  Id128 linked;                    // the incarnation it reuses or continues
  Id128 reused_by;                 // the incarnation that reused its tuple
  CandidateSyn candidate;
  LateCounts late;
};
static_assert(sizeof(Extension) == 192);

// Of both sides of a session at the same time.
inline constexpr std::size_t kGapsMax = Extension::kGaps + kGapBlocksMax * GapBlock::kGaps;

// What tells a segment from another one; the same again within dedupWindow is a duplicate.
struct RecentSegment {
  std::uint32_t clock;  // low half of a ClockNs
  std::uint32_t sequence;
  std::uint32_t acknowledgment;
  std::uint16_t window;
  std::uint16_t payload_bytes;  // low half
  std::uint16_t ip_id;          // IPv4; else 0
  std::uint8_t flags;           // TcpFlag
  std::uint8_t side;
};
inline constexpr std::size_t kRecentMax = 5;

// What even most sessions with an Extension lack. Windows count as closed while a side's newest
// acknowledgment announces 0.
struct TcpDetail {
  std::array<Timestamp, 2> window_closed;      // since when, for sides in closed_windows
  std::array<DurationNs, 2> window_closed_ns;  // before that
  std::array<std::uint32_t, 2> other_first;    // first_sequence by an earlier SYN-ACK; 0: none
  std::array<std::uint32_t, 2> duplicate_acks;
  std::array<std::uint32_t, 2> spurious_packets;
  std::array<std::uint32_t, 2> duplicates;
  std::array<std::uint16_t, 2> zero_windows;
  std::array<std::uint16_t, 2> rst_off_window, rst_ignored;  // by who sent them
  std::uint32_t ece, cwr;
  std::uint16_t urg;
  std::uint8_t closed_windows;  // bit per side
  std::uint8_t recent_count;    // 0: none are kept
  std::uint8_t recent_next;     // where the next one goes
  bool recent_is_all;           // they are all that a segment of now can repeat
  std::array<RecentSegment, kRecentMax> recent;
};
static_assert(sizeof(TcpDetail) <= sizeof(Extension) && sizeof(GapBlock) <= sizeof(Extension));

// How a session ended. Cut ones may go on (continues); finished ones are over.
enum class Ending : std::uint8_t { closed, reset, idle, attempt, evicted, end_of_input, shutdown };
constexpr bool is_finished(Ending ending) noexcept { return ending <= Ending::reset; }

// One session's parts, wherever they lie; a const one changes them all the same.
struct Session {
  SessionHot& hot;
  SessionCold& cold;
  SessionName& name;
  SessionRare& rare;  // has_rare: in use
  LongAddresses& long_addresses;
  Shared<std::uint64_t>* scope;  // null: no session has one
  OpeningPool& openings;

  SessionRare& use_rare() const noexcept {
    if (!cold.has_rare) rare = {};
    cold.has_rare = 1;
    return rare;
  }

  FlowKey key() const noexcept {
    return name.key(long_addresses, scope != nullptr ? scope->own() : 0);
  }
  void set_key(const FlowKey& key) const noexcept {
    DCHECK(scope != nullptr || key.scope == 0);
    if (SessionName::is_long(key)) long_addresses.set(key);
    if (scope != nullptr) *scope = key.scope;
    name.set_key(key);
  }

  const SessionOpening& opening() const noexcept { return openings[name.opening]; }
  void set_opening(const SessionOpening& changed) const noexcept {
    const std::uint32_t before = name.opening;
    name.opening = openings.take(changed);
    openings.release(before);
  }
  void announce(unsigned side, std::uint64_t announced) const noexcept {
    if (opening().announced[side] == announced) return;
    SessionOpening changed = opening();
    changed.announced[side] = announced;
    set_opening(changed);
  }
  void add_feature(unsigned side, TcpFeature feature) const noexcept {
    const std::uint64_t flag = std::uint64_t{feature} << SessionOpening::kFeatureShift;
    announce(side, opening().announced[side] | flag);
  }

  std::uint64_t packets(unsigned side) const noexcept {
    const std::uint64_t high = cold.has_rare ? rare.packets_high[side] : 0;
    return high << 32 | hot.packets[side];
  }
  std::uint32_t count(TcpCount of, unsigned side) const noexcept {
    const auto i = static_cast<std::size_t>(of);
    const std::uint32_t high = cold.has_rare ? rare.counts_high[i][side] : 0;
    return high << 8 | cold.counts_low[i][side];
  }
  void set_count(TcpCount of, unsigned side, std::uint32_t count) const noexcept {
    const auto i = static_cast<std::size_t>(of);
    count = std::min<std::uint32_t>(count, UINT16_MAX);
    cold.counts_low[i][side] = static_cast<std::uint8_t>(count);
    if (count > UINT8_MAX || cold.has_rare)
      use_rare().counts_high[i][side] = static_cast<std::uint8_t>(count >> 8);
  }
  void add(TcpCount of, unsigned side) const noexcept { set_count(of, side, count(of, side) + 1); }

  // TCP: one past the highest sequence number sent, extended to 64 bits (starts at 2^32 + first
  // sequence number). Others: payload bytes.
  std::uint64_t sequence_end(unsigned side) const noexcept {
    return std::uint64_t{cold.sequence_high[side]} << 32 | hot.sequence_low[side];
  }
  void set_sequence_end(unsigned side, std::uint64_t value) const noexcept {
    hot.sequence_low[side] = static_cast<std::uint32_t>(value);
    cold.sequence_high[side] = static_cast<std::uint16_t>(value >> 32);
  }
  void advance_sequence(unsigned side, std::uint32_t by) const noexcept {
    hot.sequence_low[side] += by;
    if (hot.sequence_low[side] < by) [[unlikely]]
      ++cold.sequence_high[side];
  }

  // The latest timestamp; mostly that is the last clock.
  Timestamp end() const noexcept {
    return (hot.flags & kSessionEndIsClock) != 0 ? Timestamp{hot.last_clock} : rare.latest.own();
  }
  // The clock of the first packet; part of the id. Mostly that is its timestamp.
  ClockNs opened() const noexcept {
    return cold.has_rare && rare.opened != kNever ? rare.opened : cold.start.own().value;
  }
  void begin_time(ClockNs clock, Timestamp timestamp) const noexcept {
    hot.last_clock = clock;
    cold.start = timestamp;
    if (timestamp != Timestamp{clock}) use_rare().opened = clock;
    set_end(timestamp);
  }
  void note_time(ClockNs clock, Timestamp timestamp) const noexcept {
    const Timestamp end_now = std::max(end(), timestamp);
    hot.last_clock = std::max(hot.last_clock.own(), clock);
    set_end(end_now);
  }

  // The next interim record is due.
  ClockNs save_due() const noexcept {
    return static_cast<ClockNs>(std::uint64_t{hot.save_tick} << SessionHot::kSaveShift |
                                cold.save_remainder);
  }
  // Numbers the interim record of the interval that began at `clock`, or the end record of then.
  // What its name has no bits to count goes by the clock, in half seconds, so that it still rises:
  // no interval is shorter than a second.
  std::uint32_t sequence(ClockNs clock) const noexcept {
    const std::uint32_t count = name.interim_count();
    if (count < SessionName::kInterimMax) return count;
    return SessionName::kInterimMax + static_cast<std::uint32_t>((clock - opened()) >> 29);
  }
  void set_save_due(ClockNs due) const noexcept {
    hot.save_tick = SessionHot::tick_of(due);
    cold.save_remainder = static_cast<std::uint32_t>(due) & ((1u << SessionHot::kSaveShift) - 1);
  }

 private:
  void set_end(Timestamp end) const noexcept {
    if (end == Timestamp{hot.last_clock}) {
      hot.flags |= kSessionEndIsClock;
    } else {
      use_rare().latest = end;
      hot.clear(kSessionEndIsClock);
    }
  }
};

// A packet against a session of its key.
enum class Membership : std::uint8_t {
  member,     // belongs to it
  candidate,  // SYN with another ISN against an open session: kept until an answer names its ISN
  stranger,   // another incarnation: opens a session of its own
};

// How a session ends that is due in this phase.
constexpr Ending ending_of(Phase phase) noexcept {
  switch (phase) {
    case Phase::opening:
      return Ending::attempt;
    case Phase::closed:
      return Ending::closed;
    case Phase::reset:
      return Ending::reset;
    default:
      return Ending::idle;
  }
}

template <class T>
constexpr void saturating_increment(T& value) noexcept {
  if (value != std::numeric_limits<T>::max()) ++value;
}

// Sequence numbers compare modulo 2^32 (RFC 9293 §3.4); valid while |a-b| < 2^31.
constexpr bool seq_before(std::uint32_t a, std::uint32_t b) noexcept {
  return static_cast<std::int32_t>(a - b) < 0;
}
// Of two that are half the circle apart each is before the other, and none after.
constexpr bool seq_after(std::uint32_t a, std::uint32_t b) noexcept {
  return static_cast<std::int32_t>(a - b) > 0;
}
// low <= v <= high on the circle that begins at low.
constexpr bool seq_within(std::uint32_t v, std::uint32_t low, std::uint32_t high) noexcept {
  return v - low <= high - low;
}

}  // namespace linger
