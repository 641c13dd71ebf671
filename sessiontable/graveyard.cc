#include "sessiontable/graveyard.h"
#include "sessiontable/planted.h"

#include <algorithm>

namespace linger {
namespace {

// Payload bytes beyond the last that the sender is known to have sent; known from now on.
std::uint32_t new_payload(LateBlock& block, const Packet& packet) noexcept {
  if (packet.key.protocol != kProtocolTcp || packet.payload_bytes == 0) return packet.payload_bytes;
  const unsigned side = packet.direction;
  const std::uint32_t end = packet.tcp.sequence + packet.payload_bytes;
  const bool seen = (block.seen >> side & 1) != 0;
  if (seen && !seq_after(end, block.sequence_end[side])) return 0;
  const std::uint32_t beyond = seen ? end - block.sequence_end[side] : packet.payload_bytes;
  block.seen = static_cast<std::uint8_t>(block.seen | 1u << side);
  block.sequence_end[side] = end;
  return std::min(beyond, packet.payload_bytes);
}

// A FIN that came late still closes its side, for whatever goes on with the session.
void note_late_fin(Grave& grave, const Packet& packet) noexcept {
  const std::uint32_t side_bit = 1u << packet.direction;
  std::uint32_t& final = grave.final_sequence[packet.direction];
  if ((packet.tcp.flags & (kTcpSyn | kTcpFin)) != kTcpFin || (grave.seen & side_bit) == 0 ||
      (grave.fin & side_bit) != 0 || packet.tcp.sequence + packet.payload_bytes != final)
    return;
  grave.fin = (grave.fin | side_bit) & 3;
  ++final;
}

// What is neither TCP nor SCTP goes on for as long as it is not silent.
void note_late_clock(Grave& grave, const Packet& packet) noexcept {
  if (packet.key.protocol == kProtocolTcp || packet.key.protocol == kProtocolSctp) return;
  grave.final_sequence = {static_cast<std::uint32_t>(packet.clock),
                          static_cast<std::uint32_t>(packet.clock >> 32)};
}

// Ages are whole seconds: no grave is to end before its time.
constexpr DurationNs whole_seconds(DurationNs duration) noexcept {
  return (duration + kSecond - 1) / kSecond * kSecond;
}

}  // namespace

void LateCounts::add(const Packet& packet) noexcept {
  const unsigned side = PLANTED(7, packet.direction, packet.direction ^ 1u);
  packets[side] += PLANTED(21, packet.frames, 1);
  if (packet.key.protocol != kProtocolTcp) return;
  if (packet.tcp.flags & kTcpSyn) {
    saturating_increment(syn[side]);
    if (packet.tcp.flags & kTcpAck) saturating_increment(syn_ack);
  }
  if (packet.tcp.flags & kTcpFin) saturating_increment(fin[side]);
  if (packet.tcp.flags & kTcpRst) saturating_increment(rst[side]);
  if (packet.payload_bytes != 0) saturating_increment(data[side]);
  if ((packet.tcp.flags & (kTcpSyn | kTcpFin | kTcpRst | kTcpAck)) == kTcpAck &&
      packet.payload_bytes == 0)
    saturating_increment(ack[side]);
}

Graveyard::Graveyard(const GraveyardSettings& settings, TableCounters& counters, LateSink& sink)
    : settings_(settings),
      counters_(counters),
      sink_(sink),
      ring_(settings.graves),
      index_(settings.graves, IndexLoad::dense),
      blocks_(settings.blocks),
      block_index_(settings.blocks, IndexLoad::dense),
      free_blocks_(settings.blocks) {
  settings_.late_timeout = whole_seconds(settings.late_timeout);
  settings_.continue_timeout = whole_seconds(settings.continue_timeout);
}

// Ages are told in whole seconds, of burial and of late packets alike, so that a block and a grave
// end at the same moment whenever the sweep comes. Seconds wrap after 36 hours; what lies just
// ahead (rounding up) is no age.
bool Graveyard::is_older(std::uint32_t burial_second, DurationNs life, ClockNs now) noexcept {
  const std::uint32_t age = (second_of(now) - burial_second) & kSecondMask;
  return PLANTED(9, age > life / kSecond, age >= life / kSecond) && age < kSecondMask - 60;
}

bool Graveyard::is_over(const Grave& grave, ClockNs now) const noexcept {
  return is_older(grave.burial_second, life_of(static_cast<Ending>(grave.ending)), now);
}

bool Graveyard::is_due(const LateBlock& block, ClockNs now) const noexcept {
  return is_older(second_of(block.last_clock), settings_.late_timeout, now);
}

bool Graveyard::is_over(const LateBlock& block, ClockNs now) const noexcept {
  Grave grave = block.grave;
  grave.burial_second = second_of(block.last_clock);
  return is_over(grave, now);
}

Grave* Graveyard::dig(FlowHash fingerprint, Ending ending, ClockNs clock, ClockNs now) noexcept {
  // What was due so long ago that nobody would find it: its seconds might wrap.
  if (now - clock > life_of(ending) + 2 * kSecond) return nullptr;
  return take_place(fingerprint, now);
}

Grave* Graveyard::take_place(FlowHash fingerprint, ClockNs now) noexcept {
  if (ring_.size() == 0 || fingerprint == 0) return nullptr;
  const auto slot = static_cast<std::uint32_t>(head_);
  Grave& place = ring_[slot];
  look_ahead(head_);
  if (place.fingerprint != 0) {
    if (!is_over(place, now)) counters_.graves_lost.add();
    index_.erase(place.fingerprint, slot);
  }
  if (!index_.insert(fingerprint, slot)) thin_graves(fingerprint, slot, now);
  if (++head_ == ring_.size()) head_ = 0;
  taken_ = std::min(taken_ + 1, ring_.size());
  return &place;
}

const Grave* Graveyard::newest_of_tick(const FlowKey& key, FlowHash hash, ClockNs opened,
                                       ClockNs now) const noexcept {
  const Grave* newest = nullptr;
  for_each_of(key, hash, now, [&](const Place& place) {
    const bool is_of_tick = place.grave->opened == opened;
    if (is_of_tick && (newest == nullptr || is_newer(*place.grave, *newest))) newest = place.grave;
  });
  return newest;
}

Grave Graveyard::known(Place place, ClockNs now) const noexcept {
  Grave grave = *place.grave;
  if (!place.is_block || is_due(blocks_[place.slot], now)) return grave;
  const LateBlock& block = blocks_[place.slot];
  for (unsigned side = 0; side < 2; ++side) {
    const bool was_seen = (grave.seen >> side & 1) != 0;
    if (!was_seen || seq_after(block.sequence_end[side], grave.final_sequence[side]))
      grave.final_sequence[side] = block.sequence_end[side];
  }
  grave.seen = block.seen & 3;
  return grave;
}

void Graveyard::follow(Place place) noexcept {
  (place.is_block ? blocks_[place.slot].grave : ring_[place.slot]).is_followed = 1;
}

void Graveyard::join(Place place, const Packet& packet, bool off_sequence) noexcept {
  if (place.is_block &&
      (is_due(blocks_[place.slot], packet.clock) || blocks_[place.slot].is_full())) {
    close_block(place.slot, packet.clock);  // its record was due before this packet came
    place = {nullptr, static_cast<std::uint32_t>(head_ == 0 ? ring_.size() - 1 : head_ - 1), false};
  }
  const std::uint32_t slot = place.is_block ? place.slot : take_block(place.slot, packet);
  LateBlock& block = blocks_[slot];
  unlink(slot);
  link_newest(slot);
  block.last_clock = packet.clock;
  block.first = std::min(block.first, packet.timestamp);
  block.last = std::max(block.last, packet.timestamp);
  block.ports |= packet.ports;
  note_late_clock(block.grave, packet);
  if (packet.flags & kPacketIcmpError) {
    if (block.icmp_error_packets == 0) {
      block.icmp_error_type = packet.icmp.type;
      block.icmp_error_code = packet.icmp.code;
    }
    block.icmp_error_packets += packet.frames;
    block.icmp_error_bytes += packet.wire_bytes;
    return;
  }
  block.bytes[packet.direction] += packet.wire_bytes;
  block.payload_bytes[packet.direction] += new_payload(block, packet);
  block.counts.add(packet);
  if (packet.key.protocol == kProtocolTcp) note_late_fin(block.grave, packet);
  if (off_sequence) saturating_increment(block.counts.rst_off_sequence);
}

// The grave leaves the ring; the block carries it from now on.
std::uint32_t Graveyard::take_block(std::uint32_t grave_slot, const Packet& packet) noexcept {
  const Grave grave = ring_[grave_slot];
  index_.erase(grave.fingerprint, grave_slot);
  ring_[grave_slot].fingerprint = 0;
  const auto next_of = [this](std::uint32_t s) -> std::uint32_t& { return blocks_[s].older; };
  std::uint32_t slot = free_blocks_.take(next_of);
  if (slot == kNoSlot) {
    counters_.late_blocks_early.add();
    close_block(oldest_block_, packet.clock);
    slot = free_blocks_.take(next_of);
  }
  LateBlock& block = blocks_[slot];
  block = LateBlock{};
  block.key = packet.key;
  block.grave = grave;
  block.sequence_end = grave.final_sequence;
  block.seen = grave.seen;
  block.first = block.last = packet.timestamp;
  const bool is_at_home = block_index_.insert(grave.fingerprint, slot);
  link_newest(slot);
  if (!is_at_home) thin_blocks(grave.fingerprint, slot, packet.clock);
  return slot;
}

// A key that is used again and again is the one whose entries go on beyond their home bucket: only
// then they are counted.
void Graveyard::thin_graves(FlowHash fingerprint, std::uint32_t spared, ClockNs now) noexcept {
  for (;;) {
    std::uint32_t count = 0;
    std::uint32_t oldest = kNoSlot;
    index_.find(fingerprint, [&](std::uint32_t slot) {
      if (slot == spared || ring_[slot].fingerprint != fingerprint) return false;
      ++count;
      if (oldest == kNoSlot || is_newer(ring_[oldest], ring_[slot])) oldest = slot;
      return false;
    });
    if (count < kOfKeyMax) return;
    if (!is_over(ring_[oldest], now)) counters_.graves_crowded.add();
    index_.erase(fingerprint, oldest);
    ring_[oldest].fingerprint = 0;
  }
}

void Graveyard::thin_blocks(FlowHash fingerprint, std::uint32_t spared, ClockNs now) noexcept {
  for (;;) {
    std::uint32_t count = 0;
    std::uint32_t oldest = kNoSlot;
    block_index_.find(fingerprint, [&](std::uint32_t slot) {
      if (slot == spared || blocks_[slot].grave.fingerprint != fingerprint) return false;
      ++count;
      if (oldest == kNoSlot || is_newer(blocks_[oldest].grave, blocks_[slot].grave)) oldest = slot;
      return false;
    });
    if (count < kOfKeyMax) return;
    counters_.graves_crowded.add();
    close_block(oldest, now);
  }
}

// Writes the late record; what may still be found later goes back to the ring.
void Graveyard::close_block(std::uint32_t slot, ClockNs now) noexcept {
  LateBlock& block = blocks_[slot];
  if (lose_next_block_) {
    lose_next_block_ = false;
  } else {
    sink_.on_late(block);
  }
  Grave grave = block.grave;
  // Late packets keep the grave: its time runs from the last of them.
  grave.burial_second = second_of(block.last_clock);
  if (PLANTED(8, grave.late_sequence < LateBlock::kLateSequenceMax, false)) ++grave.late_sequence;
  const bool is_gone = is_over(grave, now);
  unlink(slot);
  block_index_.erase(grave.fingerprint, slot);
  free_blocks_.give_back(slot,
                         [this](std::uint32_t s) -> std::uint32_t& { return blocks_[s].older; });
  if (is_gone) return;
  if (Grave* const place = take_place(grave.fingerprint, now)) *place = grave;
}

bool Graveyard::expire(ClockNs now, int& steps) noexcept {
  while (oldest_block_ != kNoSlot && steps > 0) {
    if (!is_due(blocks_[oldest_block_], now)) break;
    --steps;
    close_block(oldest_block_, now);
  }
  // Graves whose time is over leave the ring before their seconds can wrap.
  for (; taken_ != 0 && steps > 0; --taken_) {
    const std::uint64_t oldest = head_ - taken_ + (head_ < taken_ ? ring_.size() : 0);
    Grave& grave = ring_[oldest];
    look_ahead(oldest);
    if (grave.fingerprint == 0) continue;
    if (!is_over(grave, now)) return true;
    --steps;
    index_.erase(grave.fingerprint, static_cast<std::uint32_t>(oldest));
    grave.fingerprint = 0;
  }
  return steps > 0;
}

void Graveyard::finish() noexcept {
  while (oldest_block_ != kNoSlot) {
    LateBlock& block = blocks_[oldest_block_];
    close_block(oldest_block_, block.last_clock);
  }
}

void Graveyard::unlink(std::uint32_t slot) noexcept {
  LateBlock& block = blocks_[slot];
  (block.older != kNoSlot ? blocks_[block.older].newer : oldest_block_) = block.newer;
  (block.newer != kNoSlot ? blocks_[block.newer].older : newest_block_) = block.older;
}

void Graveyard::link_newest(std::uint32_t slot) noexcept {
  LateBlock& block = blocks_[slot];
  block.older = newest_block_;
  block.newer = kNoSlot;
  (newest_block_ != kNoSlot ? blocks_[newest_block_].newer : oldest_block_) = slot;
  newest_block_ = slot;
}

void Graveyard::populate() noexcept {
  ring_.populate();
  index_.populate();
  blocks_.populate();
  block_index_.populate();
}

}  // namespace linger
