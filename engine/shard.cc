#include "engine/shard.h"

#include <sched.h>

#include <algorithm>
#include <span>
#include <utility>

#include "engine/base/backoff.h"
#include "engine/session_record.h"

namespace linger {
namespace {

// Sessions that one poll without packets may look at.
constexpr int kSweepSteps = 4 * kBurstMax;
// For so long it leaves to an output how many those are: then that one is not to keep the others'
// records back.
constexpr DurationNs kSweepPatience = 5 * kSecond;
constexpr DurationNs kPollMax = 10 * kMillisecond;  // what lies between two is no waiting

constexpr std::uint8_t kCountedFlags =
    kPacketBadChecksum | kPacketBadIpChecksum | kPacketOffloaded | kPacketUntold;

bool is_fragment(const Packet& packet) noexcept { return packet.verdict == Verdict::fragment; }

}  // namespace

Shard::Shard(std::uint32_t index, const Settings& settings, const Seeds& seeds, Handoff& handoff,
             std::vector<std::unique_ptr<Output>>& outputs, bool waits)
    : index_(index),
      waits_(waits),
      decode_settings_(decode_settings_of(settings, seeds.table)),
      handoff_(handoff),
      outputs_(outputs),
      waited_for_(outputs.size()),
      table_(settings, decode_settings_, seeds.ids, counters_.table, *this),
      defrag_(settings, decode_settings_, counters_.defrag, *this),
      others_(handoff.shard_count()),
      owned_(handoff.shard_count()) {}

void Shard::read_applications(const Settings& settings, const Reading& reading) {
  applications_ =
      std::make_unique<Applications>(settings, reading, index_, counters_.table, counters_.parsers);
  if (profile_.is_on())
    profiled_stage_ = std::make_unique<ProfiledStage>(applications_->stage(), profile_);
  table_.read_streams(profiled_stage_ != nullptr ? *profiled_stage_ : applications_->stage());
}

Shard::Progress Shard::poll() noexcept {
  if (finished_) return Progress::done;
  profile_.leave(Stage::idle);
  if (applications_ != nullptr) applications_->refresh();
  bool busy = receive();
  busy |= take_over();
  busy |= track_all();
  profile_.leave(Stage::steer);
  if (!waits_) {  // a quiet link expires on time too
    time_ = std::max(time_, passed());
    busy |= sweep();
    profile_.leave(Stage::track);
  }
  publish_clock(passed());
  if (sources_ended_ && handoff_.is_drained(index_)) {
    take_over();  // for the last clock that was published
    complete_to_ = kNever;
    track_all();
    finish();
  }
  profile_.leave(Stage::track);
  profile_.end_poll(busy || finished_);
  return finished_ ? Progress::done : busy ? Progress::busy : Progress::idle;
}

// Live, each poll. Sessions may all be due at once: they wait for room in the outputs, as no record
// depends on when the sweep came. Its records may be larger than the mean. True: it goes on.
bool Shard::sweep() noexcept {
  const auto room = [this](std::size_t output) { return outputs_[output]->room(index_) / 4; };
  auto steps = static_cast<std::size_t>(kSweepSteps);
  for (std::size_t i = 0; i < outputs_.size(); ++i)
    if (waited_for_[i] < kSweepPatience) steps = std::min(steps, room(i));
  const DurationNs passed = is_behind_ ? std::min(time_ - swept_, kPollMax) : 0;
  for (std::size_t i = 0; i < outputs_.size(); ++i)
    if (room(i) <= steps) waited_for_[i] += passed;
  swept_ = time_;
  is_behind_ = steps == 0 || !table_.expire(time_, static_cast<int>(steps));
  for (std::size_t i = 0; i < outputs_.size() && !is_behind_; ++i)
    if (room(i) != 0) waited_for_[i] = 0;
  return steps != 0 && is_behind_;
}

bool Shard::receive() noexcept {
  if (sources_ended_) return false;
  defrag_.begin_burst();
  bool is_busy = false;
  bool have_all_ended = true;
  for (Inlet& inlet : own_) {
    is_busy |= receive(inlet);
    have_all_ended &= inlet.has_ended;
  }
  if (merges_sources()) merge_sources();
  clock_ = std::max(clock_, arrived_);
  handoff_.publish_clock(index_, plays_in_step_ ? time_ : arrived_);
  if (have_all_ended) end_of_sources();
  return is_busy;
}

// source → decode → fragments → steer; of several sources, all after decode waits for merge() or
// merge_sources()
bool Shard::receive(Inlet& inlet) noexcept {
  if (inlet.has_ended) return false;
  Burst& burst = *inlet.burst;
  if (inlet.next < burst.count) return true;  // it waits for another source
  burst.count = inlet.next = 0;
  const RxStatus status = has_stopped(inlet) ? RxStatus::end : inlet.source->rx(burst);
  inlet.is_idle = status == RxStatus::idle || (!plays_in_step_ && burst.count < kBurstMax);
  if (status == RxStatus::end) {
    inlet.has_ended = true;
    return false;
  }
  if (!merges_sources()) arrived_ = std::max(arrived_, burst.clock);
  profile_.leave(Stage::receive);
  const std::uint32_t fragments = decode(burst, decode_settings_);
  profile_.leave(Stage::decode);
  if (!plays_in_step_ && !merges_sources()) steer(inlet.burst, fragments != 0);
  return status == RxStatus::packets;
}

// Live, a burst of what several sources have, by timestamp. Where one was full its next packet may
// be earlier than those of others, which wait for it.
void Shard::merge_sources() noexcept {
  Burst& burst = *merged_sources_.burst;
  bool has_fragments = false;
  burst.clock = arrived_;
  while (burst.count < kBurstMax && !has_empty_inlet()) {
    Inlet* inlet = earliest_of_own();
    if (inlet == nullptr) break;
    const Packet& packet = inlet->burst->packets[inlet->next++];
    has_fragments |= is_fragment(packet);
    burst.clock = std::max(burst.clock, packet.clock);
    burst.packets[burst.count++] = packet;
  }
  const auto waits = [](const Inlet& i) { return i.next < i.burst->count; };
  if (!has_empty_inlet() && std::ranges::none_of(own_, waits))
    for (const Inlet& inlet : own_) burst.clock = std::max(burst.clock, inlet.burst->clock);
  arrived_ = burst.clock;
  steer(merged_sources_.burst, has_fragments);
}

bool Shard::has_stopped(Inlet& inlet) noexcept {
  if (inlet.is_draining || !stopping_.load(std::memory_order_acquire)) return false;
  inlet.is_draining = inlet.source->drain();
  return !inlet.is_draining;
}

void Shard::end_of_sources() noexcept {
  sources_ended_ = true;
  defrag_.finish(clock_);
  pass_on_joined();
  handoff_.close(index_, ending_.load(std::memory_order_relaxed));
}

// What stays in the burst is for our sessions.
void Shard::steer(std::unique_ptr<Burst>& burst, bool has_fragments) noexcept {
  if (has_fragments || defrag_.is_due(burst->clock)) join_fragments(burst);
  if (burst->count == 0) return;
  count(*burst);
  exchange(*burst);
}

// Everything that came in this poll, but for what is_held(). A replay has one inlet for each shard,
// and merges nothing.
bool Shard::track_all() noexcept {
  Inlet* only = nullptr;
  std::uint32_t filled = 0;
  const auto look_at = [&](Inlet& inlet) {
    if (inlet.burst->count == inlet.next) return;
    only = &inlet;
    ++filled;
  };
  if (!merges_sources()) std::ranges::for_each(own_, look_at);
  look_at(merged_sources_);
  const bool is_ours = filled == 1;
  std::ranges::for_each(others_, look_at);
  if (filled == 0) return false;
  if (!may_wait() && others_.size() > 1) {
    if (!merges_sources())
      for (const Inlet& inlet : own_) sample_directions(*inlet.burst, index_);
    sample_directions(*merged_sources_.burst, index_);
  }
  bool has_tracked = true;
  if (filled == 1 && !plays_in_step_ && (is_ours || waits_)) {
    track(*only->burst);
    only->next = only->burst->count;
  } else {
    has_tracked = merge();
  }
  merged_sources_.burst->count = merged_sources_.next = 0;
  for (Inlet& inlet : others_) {
    if (inlet.next != inlet.burst->count) continue;
    release_buffers({inlet.burst->packets.data(), inlet.burst->count});
    inlet.burst->count = inlet.next = 0;
  }
  return has_tracked;
}

// By timestamp; of equal ones, our own first. True: there was something.
bool Shard::merge() noexcept {
  bool any = false;
  merged_->count = 0;
  while (Inlet* inlet = plays_in_step_ && has_empty_inlet() ? nullptr : earliest()) {
    any = true;
    merged_->packets[merged_->count++] = inlet->burst->packets[inlet->next++];
    if (merged_->count == kBurstMax) track_merged();
  }
  track_merged();
  return any;
}

// In step, fragments and sessions see what a replay of one file would show them.
void Shard::track_merged() noexcept {
  if (plays_in_step_) {
    const auto packets = std::span(merged_->packets).first(merged_->count);
    stamp(*merged_);
    steer(merged_, std::ranges::any_of(packets, is_fragment));
  }
  track(*merged_);
  merged_->count = 0;
}

// Its next packet may be earlier than all that there are.
bool Shard::has_empty_inlet() const noexcept {
  return std::ranges::any_of(
      own_, [](const Inlet& i) { return !i.has_ended && !i.is_idle && i.next == i.burst->count; });
}

Shard::Inlet* Shard::earliest() noexcept {
  Inlet* earliest = merges_sources() ? earlier(nullptr, merged_sources_) : earliest_of_own();
  for (Inlet& inlet : others_) {
    if (inlet.next == inlet.burst->count) continue;
    if (!is_held(inlet.burst->packets[inlet.next])) earliest = earlier(earliest, inlet);
  }
  return earliest;
}

Shard::Inlet* Shard::earliest_of_own() noexcept {
  Inlet* earliest = nullptr;
  for (Inlet& inlet : own_) earliest = earlier(earliest, inlet);
  return earliest;
}

// Of equal ones the first.
Shard::Inlet* Shard::earlier(Inlet* one, Inlet& other) noexcept {
  const auto head = [](const Inlet& inlet) { return inlet.burst->packets[inlet.next].timestamp; };
  if (other.next == other.burst->count) return one;
  return one == nullptr || head(other) < head(*one) ? &other : one;
}

// Another shard may have an earlier one of its session still.
bool Shard::is_held(const Packet& packet) const noexcept {
  return packet.clock > complete_to_ && handoff_.comes_apart(packet);
}

void Shard::stamp(Burst& burst) noexcept {
  for (std::uint32_t i = 0; i < burst.count; ++i)
    time_ = burst.packets[i].clock = std::max(burst.packets[i].clock, time_);
  burst.clock = time_;
}

// In a replay the one source has stamped them so, in step merge() has.
void Shard::track(Burst& burst) noexcept {
  const Profile::Within within(profile_, Stage::steer, Stage::track);
  if (!may_wait()) stamp(burst);
  table_.track(burst);
}

// The burst as it goes on when there are fragments: without them, and with the datagrams they made.
void Shard::join_fragments(std::unique_ptr<Burst>& burst) noexcept {
  for (std::uint32_t i = 0; i < burst->count; ++i) {
    const Packet& packet = burst->packets[i];
    defrag_.expire(packet.clock);
    is_fragment(packet) ? defrag_.add(packet) : on_packet(packet);
  }
  defrag_.expire(burst->clock);
  std::swap(burst, joined_);
  joined_->count = 0;
}

void Shard::on_packet(const Packet& packet) noexcept {
  if (joined_->count == kBurstMax) pass_on_joined();
  joined_->packets[joined_->count++] = packet;
}

// More than a burst: not merged with what else came in this poll.
void Shard::pass_on_joined() noexcept {
  count(*joined_);
  exchange(*joined_);
  track(*joined_);
  joined_->count = 0;
}

// As with a full ring, a replay waits.
bool Shard::on_full(const Packet& datagram) noexcept {
  if (!may_wait()) {
    handoff_.note_loss(index_, datagram);
    return false;
  }
  pass_on_joined();
  defrag_.begin_burst();
  sched_yield();
  return true;
}

void Shard::count(const Burst& burst) noexcept {
  std::array<std::uint64_t, kVerdictCount> packets{};
  std::array<std::uint64_t, kVerdictCount> bytes{};
  for (const Packet& packet : std::span(burst.packets).first(burst.count)) {
    const auto verdict = static_cast<std::size_t>(packet.verdict);
    packets[verdict] += packet.frames;
    bytes[verdict] += packet.wire_bytes;
    if (packet.flags & kCountedFlags) count_flags(packet);
  }
  for (std::size_t i = 0; i < kVerdictCount; ++i) {
    if (packets[i] == 0) continue;
    counters_.packets[i].add(packets[i]);
    counters_.bytes[i].add(bytes[i]);
  }
  if (packets[static_cast<std::size_t>(Verdict::unknown_link)] == 0) return;
  for (std::uint32_t i = 0; i < burst.count; ++i)
    if (burst.packets[i].verdict == Verdict::unknown_link)
      counters_.unknown_link_type.raise_to(burst.packets[i].link_type);
}

void Shard::count_flags(const Packet& packet) noexcept {
  DecodeCounters& c = counters_.decode;
  if (packet.flags & kPacketBadIpChecksum) c.bad_ip_checksums.add();
  if (packet.flags & kPacketOffloaded) c.offloaded_checksums.add();
  if (packet.flags & kPacketUntold) c.untold_frames.add();
  if ((packet.flags & kPacketBadChecksum) == 0) return;
  if (packet.flags & kPacketIcmpError) return c.bad_icmp_checksums.add();
  switch (packet.key.protocol) {
    case kProtocolTcp:
      return c.bad_tcp_checksums.add();
    case kProtocolUdp:
      return c.bad_udp_checksums.add();
    case kProtocolSctp:
      return c.bad_sctp_checksums.add();
    default:
      return c.bad_icmp_checksums.add();
  }
}

// Foreign packets go to the shard that owns their session; ours stay in the burst, in order. Whose
// the next one is nobody can predict: so they are listed first, without branches.
void Shard::exchange(Burst& burst) noexcept {
  if (loss_ != TestLoss::none) [[unlikely]]
    lose_one(burst);
  if (owned_.size() == 1) return;
  for (Owned& owned : owned_) owned.count = 0;
  for (std::uint32_t i = 0; i < burst.count; ++i) {
    const Packet& packet = burst.packets[i];
    if (packet.verdict != Verdict::session) continue;
    Owned& owned = owned_[handoff_.owner_of(packet)];
    owned.places[owned.count++] = static_cast<std::uint8_t>(i);
  }
  if (!may_wait()) set_aside(burst);
  for (std::uint32_t to = 0; to < owned_.size(); ++to)
    if (to != index_) hold_buffers(burst, owned_[to].packets());
  for (std::uint32_t to = 0; to < owned_.size(); ++to)
    if (to != index_) hand_over(burst, owned_[to].packets(), to);
  burst.count = 0;
  for (const std::uint8_t i : owned_[index_].packets()) {
    if (i != burst.count) burst.packets[burst.count] = burst.packets[i];
    ++burst.count;
  }
}

// Live: those of ours that are to be told in order with what other shards hand over wait for it
// where that comes, as long as there is room.
void Shard::set_aside(const Burst& burst) noexcept {
  Owned& ours = owned_[index_];
  Owned kept;
  Owned apart;
  for (const std::uint8_t i : ours.packets()) {
    Owned& list = handoff_.comes_apart(burst.packets[i]) ? apart : kept;
    list.places[list.count++] = i;
  }
  if (apart.count == 0 || !handoff_.has_room(index_, apart.count)) return;
  hold_buffers(burst, apart.packets());
  handoff_.push(index_, index_, burst, apart.packets());
  ours = kept;
}

void Shard::hand_over(const Burst& burst, PacketList which, std::uint32_t owner) noexcept {
  if (which.empty()) return;
  std::size_t taken = handoff_.push(index_, owner, burst, which);
  for (Backoff backoff; taken != which.size() && may_wait();) {
    backoff.wait();
    taken += handoff_.push(index_, owner, burst, which.subspan(taken));
  }
  count_handed_over(burst, which.first(taken));
  for (const std::uint8_t i : which.subspan(taken)) {
    const Packet& packet = burst.packets[i];
    handoff_.note_loss(index_, packet);
    release_buffers({&packet, 1});
    counters_.handoff_full.add(packet.frames);
    counters_.handoff_full_bytes.add(packet.wire_bytes);
  }
}

void Shard::count_handed_over(const Burst& burst, PacketList which) noexcept {
  SteeringCounters& c = counters_.steering;
  std::uint64_t frames = 0;
  std::uint64_t others = 0;
  for (const std::uint8_t i : which) {
    const Packet& packet = burst.packets[i];
    frames += packet.frames;
    if (packet.was_fragments()) {
      c.handed_datagrams.add(packet.frames);
    } else if (packet.tunnel_depth != 0) {
      c.handed_tunnels.add();
    } else if ((packet.flags & kPacketIcmpError) != 0) {
      c.handed_errors.add();
    } else {
      ++others;
    }
  }
  c.handed_over.add(frames);
  c.handed_others.add(others);
}

// One session in 256, as long as no other takes its place: where its two directions arrive.
void Shard::sample_directions(const Burst& burst, std::uint32_t from) noexcept {
  for (std::uint32_t i = 0; i < burst.count; ++i) {
    const Packet& packet = burst.packets[i];
    if ((packet.hash >> 40 & 0xff) != 0) continue;
    if (packet.tunnel_depth != 0 || packet.was_fragments()) continue;
    Sample& sample = samples_[packet.hash >> 48 & (samples_.size() - 1)];
    if (sample.hash == packet.hash && sample.direction == packet.direction) continue;
    if (sample.hash == packet.hash) {
      counters_.steering.directions_sampled.add();
      if (sample.from != from) counters_.steering.directions_apart.add();
      sample = {};
      continue;
    }
    sample = {packet.hash, static_cast<std::uint8_t>(from), packet.direction};
  }
}

// What the others have for us, and what we have set aside. One that receives nothing gets all in
// order.
bool Shard::take_over() noexcept {
  bool any = false;
  bool is_pressed = false;
  complete_to_ = kNever;
  for (std::uint32_t from = 0; from < others_.size(); ++from) {
    if (from == index_ && (may_wait() || others_.size() == 1)) continue;
    Inlet& inlet = others_[from];
    if (inlet.next == inlet.burst->count) {
      inlet.complete_to = handoff_.pop(from, index_, *inlet.burst);
      clock_ = std::max(clock_, inlet.burst->clock);
      any |= inlet.burst->count != 0;
      if (!may_wait()) sample_directions(*inlet.burst, from);
    } else {
      const ClockNs head = inlet.burst->packets[inlet.next].clock;
      inlet.complete_to = std::max(inlet.complete_to, head);
      is_pressed |= handoff_.is_half_full(from, index_);
    }
    complete_to_ = std::min(complete_to_, inlet.complete_to);
  }
  if (is_pressed || own_.empty()) complete_to_ = kNever;
  return any;
}

// Behind everything that was handed.
void Shard::publish_clock(ClockNs clock) noexcept {
  if (collector_ != nullptr) collector_->publish_clock(index_, clock);
  for (auto& output : outputs_) output->links().publish_clock(index_, clock);
}

void Shard::finish() noexcept {
  for (auto& output : outputs_) output->wait_from_now(index_);
  if (collector_ != nullptr) collector_->wait_from_now(index_);
  for (auto& output : outputs_) output->links().publish_clock(index_, kNever);
  while (!table_.expire(clock_, kSweepSteps)) {
  }
  table_.finish(handoff_.ending());
  finished_ = true;
}

void Shard::on_session(const SessionView& view) noexcept {
  const Profile::Within within(profile_, Stage::track, Stage::record);
  Record record = make_record(view);
  if (applications_ != nullptr) {
    hand(record, view.ports, applications_->describe(view.reader, record));
    if (!view.is_interim) applications_->release(view.reader);
  } else {
    hand(record, view.ports);
  }
  if (view.mptcp == nullptr || view.is_interim || collector_ == nullptr) return;
  const MptcpNotice notice = make_last_notice(view, record);
  if (notice.names_connection()) collector_->hand(index_, notice);
}

void Shard::on_subflow(const SessionView& view) noexcept {
  const Profile::Within within(profile_, Stage::track, Stage::record);
  if (collector_ != nullptr) collector_->hand(index_, make_notice(view));
}

void Shard::on_news(const SessionView& view, ClockNs clock) noexcept {
  applications_->take_links(view, clock, [this](const RecordLink& link) {
    for (auto& output : outputs_) output->hand(index_, link);
  });
}

void Shard::on_late(const LateBlock& block, const Id128& id) noexcept {
  const Profile::Within within(profile_, Stage::track, Stage::record);
  Record record = make_late_record(block, id);
  hand(record, block.ports);
}

void Shard::on_flood(const FloodSecond& flood) noexcept {
  const Profile::Within within(profile_, Stage::track, Stage::record);
  Record record = make_flood_record(flood);
  hand(record, kAllPorts);
}

void Shard::hand(Record& record, PortSet ports, Bytes items) noexcept {
  record.capture_loss = losses_ != nullptr && (losses_->overlaps(ports, record.start, record.end) ||
                                               handoff_.has_lost(ports, record.start, record.end));
  record.mark_usual();
  for (auto& output : outputs_) output->hand(index_, record, items);
}

void Shard::lose_for_test(TestLoss loss) noexcept {
  if (loss == TestLoss::late_block) {
    table_.lose_next_late_block_for_test();
  } else {
    loss_ = loss;
  }
}

// A packet that is counted, and then seen by nobody.
void Shard::lose_one(Burst& burst) noexcept {
  for (std::uint32_t i = 0; i < burst.count; ++i) {
    Packet& packet = burst.packets[i];
    if (packet.verdict != Verdict::session) continue;
    if (loss_ == TestLoss::handoff && handoff_.owner_of(packet) == index_) continue;
    packet.verdict = Verdict::malformed;
    loss_ = TestLoss::none;
    return;
  }
}

}  // namespace linger
