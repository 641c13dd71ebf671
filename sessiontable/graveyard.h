// Sessions already recorded, so that a packet that comes later still finds its owner.
//
//     ring    graveyardSize graves of 32 bytes in order of burial; when full the oldest is
//             overwritten, and counted as lost when its time was not over
//     index   10.7 bytes a grave, by fingerprint (the flow hash)
//     blocks  latePool blocks of <= 256 bytes: the first late packet takes the grave out of the
//             ring into a block, which collects what comes until nothing came for lateTimeout;
//             then its late record is due. A dry pool writes the oldest block's record early and
//             buries it again.
//
//      0           8       16           24       28        32
//     | fingerprint | opened| final[2]   | first  | packed  |      Grave
//
// Of one key there are 64 graves and 64 blocks at most, those opened last, as each packet of the
// key looks at all of them.
//
// Owner: one shard. Cost: a missing key costs one index line; a find one more for each equal tag.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "engine/base/counters.h"
#include "engine/base/flow_key.h"
#include "engine/base/mapping.h"
#include "engine/base/time.h"
#include "sessiontable/flow_index.h"
#include "sessiontable/free_list.h"
#include "sessiontable/session.h"

namespace linger {

inline constexpr std::uint8_t kBothSides = 3;  // of Grave's fields with a bit for each

struct Grave {
  FlowHash fingerprint;
  ClockNs opened;                               // of its first packet; part of its id
  std::array<std::uint32_t, 2> final_sequence;  // TCP: one past the last each side sent; see below
  std::uint32_t id_sequence;                    // of SessionName; part of its id
  std::uint32_t burial_second : 17;  // due moment of the end record, rounded up, mod 1.5 days
  std::uint32_t ending : 3;          // Ending
  std::uint32_t originator : 1;      // side
  std::uint32_t first_side : 1;      // that sent the first packet
  std::uint32_t seen : 2;            // bit per side: it sent something
  std::uint32_t fin : 2;             // bit per side: it sent a FIN
  std::uint32_t ordinal : 2;         // part of its id
  std::uint32_t is_followed : 1;     // another session went on with it, or came after it
  std::uint32_t late_sequence : 3;   // late records written so far, saturating
};
static_assert(sizeof(Grave) == 32);
// final_sequence of SCTP: the verification tag of each side's packets. Of all others, which are
// buried only when they were evicted: the source clock of the last packet, low word first.

// What came after the end record of one session.
struct LateBlock {
  FlowKey key;
  Grave grave;
  ClockNs last_clock;
  Timestamp first, last;  // timestamps of the late packets
  std::array<std::uint64_t, 2> bytes, payload_bytes;
  std::uint64_t icmp_error_bytes;
  std::array<std::uint32_t, 2> sequence_end;  // TCP: with the late payload
  std::uint32_t icmp_error_packets;
  LateCounts counts;
  std::uint8_t seen;                              // bit per side: sequence_end is known
  std::uint8_t icmp_error_type, icmp_error_code;  // of the first one
  PortSet ports;                                  // that they came by
  std::uint32_t older, newer;  // list in order of last_clock; older: also the free list's link

  // A flood of days: the next packet, of however many frames, might not be counted.
  bool is_full() const noexcept {
    constexpr std::uint32_t kFullAt = UINT32_MAX - UINT16_MAX;
    return std::max({counts.packets[0], counts.packets[1], icmp_error_packets}) > kFullAt;
  }
  // Numbers the late records of a session. What a grave has no bits to count (keep-alives of days)
  // goes by the clock, in 17 ms, so that it still rises.
  std::uint32_t sequence() const noexcept {
    if (grave.late_sequence < kLateSequenceMax) return grave.late_sequence;
    return kLateSequenceMax + static_cast<std::uint32_t>((last_clock - grave.opened) >> 24);
  }
  static constexpr std::uint32_t kLateSequenceMax = 7;
};
static_assert(sizeof(LateBlock) <= 256);

// What a packet is to a buried session of its key; of several graves the first in this order wins,
// then the newest.
enum class GraveVerdict : std::uint8_t {
  late,               // belongs to it
  continues,          // goes on with it, as a session of its own: as good as `late`
  late_off_sequence,  // a RST that belongs to it, though its numbers do not fit
  reuse,              // another session that uses its tuple again
  stranger,           // nothing
};

class LateSink {
 public:
  virtual void on_late(const LateBlock& block) noexcept = 0;

 protected:
  ~LateSink() = default;
};

struct GraveyardSettings {
  std::uint64_t graves = 0;
  std::uint32_t blocks = 0;
  DurationNs late_timeout = 0;
  DurationNs continue_timeout = 0;
};

class Graveyard {
 public:
  Graveyard(const GraveyardSettings& settings, TableCounters& counters, LateSink& sink);

  // Where the caller writes the grave of a session whose end record was due at `clock`, which may
  // lie before `now`; null: nobody would find it. The key comes back with a late packet; the
  // fingerprint stays.
  Grave* dig(FlowHash fingerprint, Ending ending, ClockNs clock, ClockNs now) noexcept;
  static std::uint32_t second_of(ClockNs clock) noexcept {  // Grave::burial_second
    return static_cast<std::uint32_t>((clock + kSecond - 1) / kSecond) & kSecondMask;
  }
  static DurationNs age_of(const Grave& grave, ClockNs now) noexcept {  // in whole seconds
    return DurationNs{(second_of(now) - grave.burial_second) & kSecondMask} * kSecond;
  }

  // The recorded session of this key that a packet at `now` has most to do with, as
  // verdict_on(const Grave&, bool is_last) says: the lowest verdict, then the newest grave; none
  // that is a stranger. The Place is good until the next call that is not const.
  struct Place {
    const Grave* grave = nullptr;
    std::uint32_t slot = kNoSlot;
    bool is_block = false;
    bool is_last = false;  // no grave of its key is newer
    explicit operator bool() const noexcept { return grave != nullptr; }
  };
  template <class VerdictOn>
  Place find(const FlowKey& key, FlowHash hash, ClockNs now, VerdictOn&& verdict_on) const noexcept;

  // The newest of this key that was opened in this tick; null: none.
  const Grave* newest_of_tick(const FlowKey& key, FlowHash hash, ClockNs opened,
                              ClockNs now) const noexcept;

  // The grave as it is known at `now`: late payload moves its sender's last number on, for as long
  // as it is collected.
  Grave known(Place place, ClockNs now) const noexcept;

  // A session opens that goes on with the buried one, or uses its tuple again: were it cut, it is
  // over from now on, however long it is known.
  void follow(Place place) noexcept;

  // The late packet joins the buried session.
  void join(Place place, const Packet& packet, bool off_sequence) noexcept;

  // What find() reads, in two stages.
  [[gnu::always_inline]] void prefetch(FlowHash hash) const noexcept {
    index_.prefetch(hash);
    if (free_blocks_.used() != 0) block_index_.prefetch(hash);
  }
  [[gnu::always_inline]] void prefetch_grave(FlowHash hash) const noexcept {
    const std::uint32_t slot = index_.guess(hash);
    if (slot != kNoSlot) __builtin_prefetch(&ring_.data()[slot], 1);
  }

  // Late records that are due by `now`, and graves whose time is over: at most `steps` of them.
  // True: all.
  bool expire(ClockNs now, int& steps) noexcept;
  // Late records of all blocks, at the end of a run.
  void finish() noexcept;

  void populate() noexcept;
  std::uint32_t blocks_used() const noexcept { return free_blocks_.used(); }

  void lose_next_block_for_test() noexcept { lose_next_block_ = true; }

 private:
  static constexpr std::uint32_t kSecondMask = (1u << 17) - 1;
  static constexpr std::uint32_t kOfKeyMax = 64;

  template <class See>
  void for_each_of(const FlowKey& key, FlowHash hash, ClockNs now, See&& see) const noexcept;
  static bool is_older(std::uint32_t burial_second, DurationNs life, ClockNs now) noexcept;
  bool is_over(const Grave& grave, ClockNs now) const noexcept;
  bool is_due(const LateBlock& block, ClockNs now) const noexcept;
  bool is_over(const LateBlock& block, ClockNs now) const noexcept;
  std::uint32_t take_block(std::uint32_t grave_slot, const Packet& packet) noexcept;
  void close_block(std::uint32_t slot, ClockNs now) noexcept;
  void unlink(std::uint32_t slot) noexcept;
  void link_newest(std::uint32_t slot) noexcept;
  // Graves leave in order: their lines and those of the index come while others are worked on.
  [[gnu::always_inline]] void look_ahead(std::uint64_t place) const noexcept {
    constexpr std::uint64_t kStride = 8;
    if (place + kStride >= ring_.size()) return;
    __builtin_prefetch(ring_.data() + place + 2 * kStride, 1);  // harmless beyond the end
    index_.prefetch(ring_.data()[place + kStride].fingerprint);
  }
  Grave* take_place(FlowHash fingerprint, ClockNs now) noexcept;
  void thin_graves(FlowHash fingerprint, std::uint32_t spared, ClockNs now) noexcept;
  void thin_blocks(FlowHash fingerprint, std::uint32_t spared, ClockNs now) noexcept;
  DurationNs life_of(Ending ending) const noexcept {
    return is_finished(ending) ? settings_.late_timeout : settings_.continue_timeout;
  }

  GraveyardSettings settings_;
  TableCounters& counters_;
  LateSink& sink_;
  Array<Grave> ring_;  // fingerprint 0: empty
  FlowIndex index_;
  std::uint64_t head_ = 0;   // next place in the ring
  std::uint64_t taken_ = 0;  // places before it that may be in use
  Array<LateBlock> blocks_;
  FlowIndex block_index_;
  FreeList free_blocks_;
  std::uint32_t oldest_block_ = kNoSlot;
  std::uint32_t newest_block_ = kNoSlot;
  bool lose_next_block_ = false;
};

// Which of two graves of one key is newer: by its opening, then by ordinal. The last resort is
// arbitrary, but does not depend on where they lie.
constexpr bool is_newer(const Grave& a, const Grave& b) noexcept {
  if (a.opened != b.opened) return a.opened > b.opened;
  return a.ordinal != b.ordinal ? a.ordinal > b.ordinal : a.id_sequence > b.id_sequence;
}

template <class See>
void Graveyard::for_each_of(const FlowKey& key, FlowHash hash, ClockNs now,
                            See&& see) const noexcept {
  if (free_blocks_.used() != 0) {
    block_index_.find(hash, [&](std::uint32_t slot) {
      const LateBlock& block = blocks_[slot];
      if (block.key == key && !is_over(block, now)) see(Place{&block.grave, slot, true, false});
      return false;
    });
  }
  index_.find(hash, [&](std::uint32_t slot) {
    const Grave& grave = ring_[slot];
    if (grave.fingerprint == hash && !is_over(grave, now)) see(Place{&grave, slot, false, false});
    return false;
  });
}

template <class VerdictOn>
Graveyard::Place Graveyard::find(const FlowKey& key, FlowHash hash, ClockNs now,
                                 VerdictOn&& verdict_on) const noexcept {
  const Grave* newest = nullptr;
  for_each_of(key, hash, now, [&](const Place& place) {
    if (newest == nullptr || is_newer(*place.grave, *newest)) newest = place.grave;
  });
  Place best;
  if (newest == nullptr) return best;
  GraveVerdict best_verdict = GraveVerdict::stranger;
  for_each_of(key, hash, now, [&](Place place) {
    place.is_last = place.grave == newest;
    const GraveVerdict verdict = verdict_on(*place.grave, place.is_last);
    if (verdict > best_verdict || verdict == GraveVerdict::stranger) return;
    if (verdict == best_verdict && !is_newer(*place.grave, *best.grave)) return;
    best = place;
    best_verdict = verdict;
  });
  return best;
}

}  // namespace linger
