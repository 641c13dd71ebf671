// How sessions end: SessionTable's part for deadlines, records, graves and the sweep.
#include <algorithm>
#include <climits>

#include "sessiontable/planted.h"
#include "sessiontable/session_table.h"

namespace linger {
namespace {

constexpr std::uint32_t kSweepBatch = 16;
constexpr int kSweepShare = 4;  // part of a sweep's steps that the graveyard may use

}  // namespace

void SessionTable::link(std::uint32_t slot, Phase wheel, ClockNs due) noexcept {
  cold_[slot].wheel = static_cast<std::uint8_t>(wheel) & 15;
  wheel_of(wheel).link(slot, due);
}

void SessionTable::link_anew(std::uint32_t slot) noexcept {
  wheel_with(slot).unlink(slot);
  link(slot, hot_[slot].phase, deadline(slot));
}

// After a packet that changed its phase. A later deadline can wait until the wheel asks for it;
// only half-open sessions leave theirs at once, for it is the list of those that a flood evicts. A
// session with one FIN mostly has the other soon, and then is where it belongs.
void SessionTable::relink_if_nearer(std::uint32_t slot) noexcept {
  const Phase phase = hot_[slot].phase;
  const auto timeout_of = [&](Phase of) { return timeout_[static_cast<std::size_t>(of)]; };
  const auto wheel = static_cast<Phase>(cold_[slot].wheel);
  if (wheel != Phase::opening && timeout_of(wheel) <= timeout_of(phase)) return;
  if (phase != Phase::half_closed || timeout_of(Phase::closed) > timeout_of(phase))
    return link_anew(slot);
  wheel_with(slot).unlink(slot);
  link(slot, Phase::closed, hot_[slot].last_clock + timeout_of(Phase::closed));
}

SessionView SessionTable::view_of(std::uint32_t slot, Ending ending, bool is_interim,
                                  std::uint32_t sequence, std::uint32_t reader) noexcept {
  Session s = session(slot);
  SessionView view{session(slot), extensions_.find(s.cold), id_of(s), ending, is_interim, sequence,
                   reader};
  view.detail = extensions_.find_detail(s.cold);
  if (knows_ports()) view.ports = ports_of_[slot];
  if (!s.cold.has_rare) return view;
  view.rare = &rare_[slot];
  view.tunnels = tunnels_.find(rare_[slot].tunnels);
  view.mptcp = mptcp_.find(rare_[slot].mptcp);
  view.rtt = rtts_.find(rare_[slot].rtt);
  return view;
}

// The interim record due by `now`: exactly the packets before the due moment, as every packet comes
// here before it joins. None when nothing came since the last.
void SessionTable::save_if_due(std::uint32_t slot, ClockNs now) noexcept {
  Session s = session(slot);
  const ClockNs due = s.save_due();
  if (now < due) return;
  const DurationNs interval =
      s.name.protocol() == kProtocolTcp ? settings_.tcpSaveTimeout : settings_.udpSaveTimeout;
  if (PLANTED(3, s.hot.last_clock >= due - interval, true)) {
    counters_.interim.add();
    sink_.on_session(
        view_of(slot, Ending::idle, true, s.sequence(due - interval), reader_of(slot)));
    s.name.count_interim();
  }
  s.set_save_due(due + ((now - due) / interval + 1) * interval);
}

// Hands the session out and buries it. `when`: the due moment, or now when it is cut short.
void SessionTable::end(std::uint32_t slot, Ending ending, ClockNs when) noexcept {
  wheel_with(slot).unlink(slot);
  end_unlinked(slot, hash_of(key_of(slot), decode_settings_.seed), ending, when);
}

void SessionTable::end_unlinked(std::uint32_t slot, FlowHash hash, Ending ending,
                                ClockNs when) noexcept {
  save_if_due(slot, when);
  const std::uint32_t reader = end_reading(slot);
  Session s = session(slot);
  Counter* const ended[] = {&counters_.ended_closed,  &counters_.ended_reset,
                            &counters_.ended_idle,    &counters_.ended_attempt,
                            &counters_.ended_evicted, &counters_.ended_by_run,
                            &counters_.ended_by_run};
  ended[static_cast<std::size_t>(ending)]->add();
  const MptcpSubflow* subflow = s.cold.has_rare ? mptcp_.find(rare_[slot].mptcp) : nullptr;
  const bool is_subflow = subflow != nullptr && subflow->known_hosts() != 0;
  const bool is_unanswered = s.hot.phase == Phase::opening && s.cold.extension == kNoSlot &&
                             reader == kNoStream && !is_subflow && s.name.interim_count() == 0 &&
                             s.hot.packets[s.hot.originator() ^ 1] == 0;
  if (PLANTED(17, false, is_unanswered)) sink_.on_session(view_of(slot, ending, false, 0, reader));
  if (is_unanswered && syn_flood_.absorb(s, when)) {
    counters_.summarised.add();
  } else {
    sink_.on_session(view_of(slot, ending, false, s.sequence(when), reader));
    if (ending < Ending::end_of_input) bury(s, hash, ending, when);
  }
  forget(slot, hash);
}

void SessionTable::bury(const Session& s, FlowHash hash, Ending ending, ClockNs when) noexcept {
  const std::uint8_t protocol = s.name.protocol();
  std::array<std::uint32_t, 2> final = s.hot.sequence_low;
  if (protocol == kProtocolSctp) final = s.hot.acknowledged;
  if (protocol != kProtocolTcp && protocol != kProtocolSctp) {
    if (ending != Ending::evicted) return;  // its next packet is another session
    buries_all_ = true;
    final = {static_cast<std::uint32_t>(s.hot.last_clock),
             static_cast<std::uint32_t>(s.hot.last_clock >> 32)};
  }
  if (PLANTED(5, false, ending == Ending::reset)) return;
  Grave* const place = graveyard_.dig(hash, ending, when, now_);
  if (place == nullptr) return;
  last_opened_of_buried_ = std::max(last_opened_of_buried_, s.opened());
  new (place) Grave{.fingerprint = hash,
                    .opened = s.opened(),
                    .final_sequence = final,
                    .id_sequence = s.name.id_sequence,
                    .burial_second = Graveyard::second_of(when),
                    .ending = static_cast<std::uint32_t>(ending) & 7,
                    .originator = s.hot.originator() & 1,
                    .first_side = s.cold.first_side,
                    .seen = s.hot.of_both(kSessionSeen0),
                    .fin = s.hot.of_both(kSessionFin0),
                    .ordinal = s.cold.ordinal,
                    .is_followed = 0,
                    .late_sequence = 0};
}

// Takes the session out of index, chain and pools.
void SessionTable::forget(std::uint32_t slot, FlowHash hash) noexcept {
  Session s = session(slot);
  const std::uint32_t older = older_of(slot);
  if (s.hot.is_newest()) {
    index_.erase(hash, slot);
    if (older != kNoSlot) {
      index_.insert(hash, older);
      hot_[older].flags |= kSessionNewest;
    }
  } else {
    std::uint32_t newer = find(s.key(), hash);
    while (older_of(newer) != slot) newer = older_of(newer);
    rare_[newer].older = older;
    if (older == kNoSlot) hot_[newer].clear(kSessionHasOlder);
  }
  {
    const Writing writing(s.hot.version);
    s.hot.clear(kSessionNewest);
    s.name.free();
  }
  extensions_.release(s.cold);
  openings_.release(s.name.opening);
  if (s.cold.has_rare) {
    tunnels_.release(rare_[slot].tunnels);
    mptcp_.release(rare_[slot].mptcp);
    rtts_.release(rare_[slot].rtt);
  }
  free_.give_back(slot, [this](std::uint32_t i) -> std::uint32_t& { return cold_[i].timer.next; });
}

void SessionTable::sweep_graves(ClockNs now) noexcept {
  while (now - graves_swept_ > kGraveStride) {
    now_ = graves_swept_ += kGraveStride;
    int steps = INT_MAX;
    graveyard_.expire(now_, steps);
  }
}

bool SessionTable::expire(ClockNs now, int steps) noexcept {
  if (!started_) return true;
  advance_clock(now);
  int late_steps = steps / kSweepShare + 1;
  if (graveyard_.expire(now_, late_steps)) graves_swept_ = now_;
  for (std::size_t i = 0; i < kPhaseCount; ++i) {
    Wheel& wheel = wheels_[sweep_from_];
    while (wheel.is_behind(now_) && sweep(wheel, steps)) {
    }
    if (steps <= 0) {  // the next sweep goes on here
      counters_.sweeps_behind.add();
      return false;
    }
    sweep_from_ = (sweep_from_ + 1) % kPhaseCount;
  }
  syn_flood_.expire(now_);
  return true;
}

// Ends sessions that have left their wheel, each as end_of(slot) says, in stages: their lines,
// which the wheel has asked for, then those of the indexes, come from memory while others are
// worked on.
template <class EndOf>
void SessionTable::end_batch(std::span<const std::uint32_t> slots, const EndOf& end_of) noexcept {
  std::array<FlowHash, kSweepBatch> hash;
  for (std::size_t i = 0; i < slots.size(); ++i) hash[i] = prefetch_end(slots[i]);
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const End end = end_of(slots[i]);
    end_unlinked(slots[i], hash[i], end.ending, end.when);
  }
}

// Ends some sessions of one wheel that are due. False: no more are, or the steps are used up.
bool SessionTable::sweep(Wheel& wheel, int& steps) noexcept {
  std::array<std::uint32_t, kSweepBatch> due;
  std::uint32_t count = 0;
  for (; count < kSweepBatch; ++count) {
    const std::uint32_t slot = wheel.due(now_, steps);
    if (slot == kNoSlot) break;
    wheel.unlink(slot);
    due[count] = slot;
  }
  end_batch({due.data(), count}, [this](std::uint32_t slot) -> End {
    return {ending_of(hot_[slot].phase), deadline(slot)};
  });
  return count == kSweepBatch;
}

void SessionTable::finish(Ending ending) noexcept {
  for (Wheel& wheel : wheels_) {
    while (wheel.size() != 0) {
      std::array<std::uint32_t, kSweepBatch> slots;
      const std::uint32_t count = std::min(wheel.size(), kSweepBatch);
      for (std::uint32_t i = 0; i < count; ++i) wheel.unlink(slots[i] = wheel.any());
      end_batch({slots.data(), count}, [&](std::uint32_t slot) -> End {
        const Phase phase = hot_[slot].phase;
        const ClockNs due = deadline(slot);
        if (due <= now_) return {ending_of(phase), due};
        return {lingers(phase) ? ending_of(phase) : ending, now_};
      });
    }
  }
  graveyard_.finish();
  syn_flood_.finish();
}

}  // namespace linger
