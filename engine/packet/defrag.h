// Fragments become datagrams: IPv4 (RFC 791 §3.2, RFC 815) and IPv6 (RFC 8200 §4.5, RFC 5722).
//
//     fragment -> add() -> held              its datagram is not whole yet
//                       -> one packet        whole: decoded again from its transport header on, its
//                                            bytes in one piece; `frames` and wire_bytes are those
//                                            of all its fragments, so that each joins its session
//                                            once
//
// Any order. Where fragments of IPv4 overlap, the bytes that came first stay, as RFC 791 leaves
// open and BSD and most observers do; an IPv6 datagram is discarded then (RFC 5722 §4). Repetitions
// of the same bytes harm neither. A datagram that does not become whole within fragsTimeout, before
// others need its place, or by the end of the input, is put out all the same: by its beginning if
// that came, by addresses and protocol if the protocol has no ports, else as Verdict::fragment. So
// is a first fragment that no datagram can have; a later one is malformed. Fragments of different
// VLANs or tunnels never meet. A datagram may hold a fragment of another one, kNestedMax deep.
//
// All that is put out depends on the packets and their source clocks alone. Owner: the shard that
// decodes. A live run has one for each receiving shard, so the network card has to steer fragments
// by their addresses; there on_full() must not wait, and what finds no buffer is counted and told
// without its bytes.
//
// An IPv4 sender of 16-bit identifications uses them again within seconds: what a datagram got
// before kReuseDistance others began is not joined by what comes under its identification then.
//
// Limits: maxFrags datagrams; 6 KiB for each of them on average; 65,535 frames each; 8 MiB
// (DatagramArena) of whole datagrams that their owners have not finished. All is taken at start.
// When the place is short, the oldest datagrams go. Cost: packets that are no fragments, none;
// fragments, two copies.
#pragma once

#include <cstdint>

#include "engine/base/counters.h"
#include "engine/base/settings.h"
#include "engine/packet/datagram_arena.h"
#include "engine/packet/decode.h"
#include "engine/packet/reassembly.h"

namespace linger {

// Who takes what is put out.
class DefragSink {
 public:
  // In the order in which it goes on. The bytes stay until Defrag::begin_burst(), and from then on
  // while they have users.
  virtual void on_packet(const Packet& packet) noexcept = 0;
  // The datagrams put out fill their memory, and there is none for this one. Finishes what it can
  // and calls begin_burst(); false: do not try again.
  virtual bool on_full(const Packet& datagram) noexcept = 0;

 protected:
  ~DefragSink() = default;
};

class Defrag {
 public:
  static constexpr int kNestedMax = 4;
  // An eighth of all identifications; 10 ms of the smallest datagrams that can be, at 10 Gbit/s.
  static constexpr std::uint32_t kReuseDistance = 8'192;

  Defrag(const Settings& settings, const DecodeSettings& decode_settings, DefragCounters& counters,
         DefragSink& sink);

  // Whether a datagram is due at `clock`: one compare.
  bool is_due(ClockNs clock) const noexcept { return next_due_ <= clock; }
  // Puts out what is due at `clock`: in reading order before the first packet of that time.
  void expire(ClockNs clock) noexcept;
  // A packet of Verdict::fragment.
  void add(const Packet& fragment) noexcept;
  // The end of the input: puts out all that is left.
  void finish(ClockNs clock) noexcept;

  void begin_burst() noexcept { arena_.begin_burst(); }

  static std::uint64_t memory_needed(const Settings& settings) noexcept;

 private:
  // Numbers count from 1; 0 is none.
  struct Datagram {
    Packet packet;  // of its first fragment, or of one that came before that
    Assembly assembly;
    ClockNs due;
    Timestamp last;  // of the frame that came last
    std::uint32_t wire_bytes;
    std::uint16_t frames;
    std::uint32_t joined;  // opened_ when that one came
    PortSet ports;
    bool has_first;
    bool is_discarded;
    std::uint32_t head;        // chunk with the frame up to its payload
    std::uint32_t same_place;  // the next one in its bucket
    std::uint32_t older;       // by time of arrival; free ones: the next
    std::uint32_t newer;
  };

  void take(const Packet& fragment, int depth) noexcept;
  bool is_possible(const Packet& fragment) const noexcept;
  void refuse(Packet fragment, Verdict verdict) noexcept;
  bool is_of_another(const Datagram& datagram, const Packet& fragment) const noexcept;
  bool has_frames_for(const Datagram& datagram, const Packet& fragment) const noexcept;
  bool has_room(std::uint32_t number, const Packet& fragment) const noexcept;
  void push_out(std::uint32_t number, ClockNs clock) noexcept;
  std::uint32_t find(const Packet& fragment) const noexcept;
  std::uint32_t open(const Packet& fragment) noexcept;
  void close(std::uint32_t number) noexcept;
  void set_head(Datagram& datagram, const Packet& fragment) noexcept;
  void join(Datagram& datagram, const Packet& fragment) noexcept;
  void discard(Datagram& datagram) noexcept;
  void put_out(std::uint32_t number, bool is_whole, ClockNs clock, int depth) noexcept;
  DatagramArena::Block* take_block(const Packet& datagram) noexcept;
  std::uint32_t& bucket_of(FlowHash hash) noexcept {
    return buckets_[hash & (buckets_.size() - 1)];
  }

  const DecodeSettings& decode_settings_;
  DefragCounters& counters_;
  DefragSink& sink_;
  const DurationNs timeout_;
  Array<Datagram> datagrams_;
  Array<std::uint32_t> buckets_;
  ChunkPool chunks_;
  DatagramArena arena_;
  ClockNs next_due_ = kNever;  // of the oldest; all have the same timeout
  std::uint32_t opened_ = 0;   // datagrams so far, modulo 2^32
  std::uint32_t free_count_;
  std::uint32_t fresh_ = 1;  // this one and those behind it were never used
  std::uint32_t given_back_ = 0;
  std::uint32_t oldest_ = 0;
  std::uint32_t newest_ = 0;
};

}  // namespace linger
