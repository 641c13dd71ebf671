#include "engine/packet/defrag.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

namespace linger {
namespace {

constexpr std::uint32_t kDatagramBytesMax = 65'535;  // RFC 791 §3.1, RFC 8200 §3
constexpr std::uint32_t kHeadBytesMax = Chunk::kBytes;
constexpr std::uint32_t kChunksEach = 3;  // on average, one of them the head

std::uint32_t datagram_count(const Settings& settings) noexcept {
  return static_cast<std::uint32_t>(settings.maxFrags);
}

}  // namespace

Defrag::Defrag(const Settings& settings, const DecodeSettings& decode_settings,
               DefragCounters& counters, DefragSink& sink)
    : decode_settings_(decode_settings),
      counters_(counters),
      sink_(sink),
      timeout_(settings.fragsTimeout),
      datagrams_(datagram_count(settings) + std::size_t{1}),
      buckets_(std::bit_ceil(datagram_count(settings))),
      chunks_(datagram_count(settings) * kChunksEach),
      free_count_(datagram_count(settings)) {}

std::uint64_t Defrag::memory_needed(const Settings& settings) noexcept {
  return DatagramArena::kBytes +
         datagram_count(settings) * (sizeof(Datagram) + kChunksEach * sizeof(Chunk));
}

void Defrag::expire(ClockNs clock) noexcept {
  while (is_due(clock)) {  // at most maxFrags
    counters_.datagrams_timed_out.add();
    put_out(oldest_, false, next_due_, 0);
  }
}

void Defrag::finish(ClockNs clock) noexcept {
  while (oldest_ != 0) {
    counters_.datagrams_at_end.add();
    put_out(oldest_, false, clock, 0);
  }
}

void Defrag::add(const Packet& fragment) noexcept {
  counters_.fragments.add();
  take(fragment, 0);
}

void Defrag::take(const Packet& fragment, int depth) noexcept {
  if (fragment.payload_offset > kHeadBytesMax || depth > kNestedMax)
    return refuse(fragment, Verdict::too_deep);
  if (!is_possible(fragment)) {
    counters_.fragments_impossible.add();
    return refuse(fragment, Verdict::malformed);
  }
  std::uint32_t number = find(fragment);
  if (number != 0 && is_of_another(datagrams_[number], fragment)) {
    counters_.datagrams_timed_out.add();
    put_out(number, false, fragment.clock, 0);
    number = 0;
  }
  if (number != 0 && !has_frames_for(datagrams_[number], fragment)) {
    push_out(number, fragment.clock);
    number = 0;
  }
  // Each datagram that goes was opened by a fragment of its own: a constant number for each.
  while (!has_room(number, fragment)) {
    push_out(oldest_, fragment.clock);
    number = find(fragment);
  }
  if (number == 0) number = open(fragment);
  Datagram& datagram = datagrams_[number];
  join(datagram, fragment);
  if (datagram.is_discarded || !datagram.assembly.is_complete()) return;
  counters_.datagrams_completed.add();
  put_out(number, true, fragment.clock, depth);
}

// Only the last fragment may end anywhere, and none behind what a datagram can be (RFC 791 §3.2,
// RFC 8200 §4.5). All of IPv4's header takes part in its length; of IPv6's, what stands between the
// fixed one and the fragment header.
bool Defrag::is_possible(const Packet& fragment) const noexcept {
  const FragmentHeader& piece = fragment.fragment;
  const std::uint32_t bytes = fragment.payload_bytes;
  if (piece.has_more && (bytes == 0 || bytes % Chunk::kUnitBytes != 0)) return false;
  const std::uint32_t left_out = fragment.key.ip_version == 4 ? 0U : 40U + 8U;
  const std::uint32_t headers = fragment.payload_offset - fragment.ip_offset - left_out;
  return bytes <= kDatagramBytesMax && piece.offset + bytes + headers <= kDatagramBytesMax;
}

// It belongs to no datagram. A first one still tells its session, as far as it goes.
void Defrag::refuse(Packet fragment, Verdict verdict) noexcept {
  if (fragment.fragment.offset != 0) {
    fragment.verdict = verdict;
  } else {
    fragment.captured_bytes = fragment.payload_offset + fragment.fragment.captured_bytes;
    decode_datagram(fragment, false, decode_settings_);
  }
  sink_.on_packet(fragment);
}

// Its identification has come round meanwhile.
bool Defrag::is_of_another(const Datagram& datagram, const Packet& fragment) const noexcept {
  return fragment.key.ip_version == 4 && opened_ - datagram.joined > kReuseDistance;
}

bool Defrag::has_frames_for(const Datagram& datagram, const Packet& fragment) const noexcept {
  return UINT16_MAX - datagram.frames >= fragment.frames &&
         UINT32_MAX - datagram.wire_bytes >= fragment.wire_bytes;
}

// Whether memory is left for the fragment; number 0: of a datagram to come.
bool Defrag::has_room(std::uint32_t number, const Packet& fragment) const noexcept {
  const std::uint32_t first = fragment.fragment.offset / Chunk::kBytes;
  const std::uint32_t last = (fragment.fragment.offset + fragment.payload_bytes) / Chunk::kBytes;
  const std::uint32_t chunks = last - first + 1;
  if (number != 0) return chunks_.free_count() >= chunks;
  return free_count_ != 0 && chunks_.free_count() >= chunks + 1;  // one for the head
}

void Defrag::push_out(std::uint32_t number, ClockNs clock) noexcept {
  counters_.datagrams_pushed_out.add();
  put_out(number, false, clock, 0);
}

std::uint32_t Defrag::find(const Packet& fragment) const noexcept {
  std::uint32_t number = buckets_[fragment.hash & (buckets_.size() - 1)];
  while (number != 0 && !(datagrams_[number].packet.key == fragment.key)) {
    number = datagrams_[number].same_place;
  }
  return number;
}

std::uint32_t Defrag::open(const Packet& fragment) noexcept {
  --free_count_;
  ++opened_;
  const std::uint32_t number = given_back_ != 0 ? given_back_ : fresh_++;
  if (given_back_ != 0) given_back_ = datagrams_[number].older;
  Datagram& datagram = datagrams_[number];
  datagram = Datagram{};
  datagram.head = chunks_.take();
  set_head(datagram, fragment);
  datagram.due = fragment.clock + timeout_;
  datagram.same_place = std::exchange(bucket_of(fragment.hash), number);
  datagram.older = newest_;
  if (newest_ != 0) datagrams_[newest_].newer = number;
  newest_ = number;
  if (oldest_ == 0) {
    oldest_ = number;
    next_due_ = datagram.due;
  }
  return number;
}

void Defrag::close(std::uint32_t number) noexcept {
  Datagram& datagram = datagrams_[number];
  std::uint32_t* link = &bucket_of(datagram.packet.hash);
  while (*link != number) link = &datagrams_[*link].same_place;
  *link = datagram.same_place;
  (datagram.newer != 0 ? datagrams_[datagram.newer].older : newest_) = datagram.older;
  (datagram.older != 0 ? datagrams_[datagram.older].newer : oldest_) = datagram.newer;
  next_due_ = oldest_ != 0 ? datagrams_[oldest_].due : kNever;
  datagram.assembly.give_back(chunks_);
  chunks_.give_back(datagram.head);
  datagram.older = std::exchange(given_back_, number);
  ++free_count_;
}

// The frame that the datagram is told by.
void Defrag::set_head(Datagram& datagram, const Packet& fragment) noexcept {
  datagram.packet = fragment;
  if (fragment.payload_offset != 0) {
    std::memcpy(chunks_[datagram.head].bytes.data(), fragment.data, fragment.payload_offset);
  }
}

void Defrag::join(Datagram& datagram, const Packet& fragment) noexcept {
  const FragmentHeader& piece = fragment.fragment;
  datagram.frames = static_cast<std::uint16_t>(datagram.frames + fragment.frames);
  datagram.wire_bytes += fragment.wire_bytes;
  datagram.ports |= fragment.ports;
  datagram.last = fragment.timestamp;
  datagram.joined = opened_;
  if (piece.offset == 0 && !datagram.has_first) {
    datagram.has_first = true;
    set_head(datagram, fragment);
  }
  if (datagram.is_discarded) return;
  const Part part{.offset = piece.offset,
                  .bytes = fragment.payload_bytes,
                  .captured = piece.captured_bytes,
                  .data = fragment.data + fragment.payload_offset,
                  .is_last = !piece.has_more};
  const Fit fit = datagram.assembly.add(part, chunks_);
  if (fit == Fit::fresh) return;
  if (fit == Fit::duplicate) return counters_.fragments_duplicate.add();
  counters_.fragments_overlapping.add();
  if (fragment.key.ip_version == 6) discard(datagram);
}

// RFC 5722 §4: it is dropped, with its fragments yet to come.
void Defrag::discard(Datagram& datagram) noexcept {
  counters_.datagrams_discarded.add();
  datagram.is_discarded = true;
  datagram.assembly.give_back(chunks_);
}

// The datagram goes on as one packet: whole, or what there is of its beginning.
void Defrag::put_out(std::uint32_t number, bool is_whole, ClockNs clock, int depth) noexcept {
  const Datagram& datagram = datagrams_[number];
  Packet packet = datagram.packet;
  packet.timestamp = datagram.last;
  packet.clock = clock;
  packet.frames = datagram.frames;
  packet.wire_bytes = datagram.wire_bytes;
  packet.ports = datagram.ports;
  packet.payload_bytes = 0;
  if (!datagram.is_discarded) packet.payload_bytes = datagram.assembly.beginning_bytes(chunks_);
  const std::uint32_t readable = std::min(packet.payload_bytes, datagram.assembly.readable_end);
  packet.captured_bytes = packet.payload_offset + readable;
  DatagramArena::Block* block = take_block(packet);
  if (block != nullptr) {
    std::memcpy(block->data(), chunks_[datagram.head].bytes.data(), packet.payload_offset);
    datagram.assembly.copy_to(block->data() + packet.payload_offset, readable, chunks_);
  }
  close(number);
  if (block == nullptr) {
    counters_.datagrams_unbuffered.add();
    return sink_.on_packet(packet);
  }
  packet.data = block->data();
  packet.buffer = block;
  decode_datagram(packet, is_whole, decode_settings_);
  if (!is_whole || packet.verdict != Verdict::fragment) return sink_.on_packet(packet);
  // In use until the fragment is copied: the datagrams that go for it may end the burst.
  block->users.fetch_add(1, std::memory_order_relaxed);
  take(packet, depth + 1);
  block->users.fetch_sub(1, std::memory_order_relaxed);
}

DatagramArena::Block* Defrag::take_block(const Packet& datagram) noexcept {
  DatagramArena::Block* block = arena_.take(datagram.captured_bytes);
  while (block == nullptr && sink_.on_full(datagram)) block = arena_.take(datagram.captured_bytes);
  return block;
}

}  // namespace linger
