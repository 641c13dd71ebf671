// The bytes of sessions, in order, for those who read them: TCP reassembled, datagrams as they are.
//
// In-order payload goes to the sink straight from the packet, without a copy. Payload beyond a hole
// is copied into a bounded pool (held_pool.h) and delivered when the hole is filled. No packet
// buffer is ever held.
//
// A hole becomes a gap, told with its length, and reading goes on behind it, when
// * the pool is dry, or the direction holds all it may: the nearest hole is given up;
// * the peer acknowledged it and it has not come within `reorder_window`: the capture lost it; told
//   at the first ACK of the peer after that;
// * the snap length cut the bytes of a segment that is in order;
// * the session ends: then both directions are told to their ends, in turn. A late packet that
// fills a hole before is as good as any other.
//
// What was said in answer comes behind what it answers: payload that acknowledges what has not come
// of the other side waits for it, held as if behind a hole, until it comes or would be a gap, which
// is told behind what waited for no more than that: many a reader makes nothing of what comes
// behind a gap.
//
// Overlaps: the first copy of each byte seen is the one delivered. A copy with other bytes is
// counted and marked (Stream::conflicts) while the first is held; delivered bytes are not there to
// compare. A direction begins behind its SYN, or, if that was not seen, at the first payload byte
// seen. While only one direction speaks and the sink does not know what, it is passed over: what
// came before the other's first byte is not looked at, and reading goes on behind it, as at a
// beginning. It ends at its FIN, or is let go: when the sink says so, and at `limit_bytes`, on the
// byte. Of datagrams the one that reaches the limit is the last. RSTs carry no bytes of the stream.
//
// With no limit hit, and an order that the window allows, what the sink sees is a function of what
// was sent, not of segmentation, order, repetition, or the number of threads.
//
// Owner: one shard. Limits: `streams` sessions at a time; held blocks. Memory: 128 bytes a stream,
// 2 KiB a block, taken at start. Cost (bench/stream_bench.cc): 11 ns for a segment in order, 20 ns
// at 100,000 streams in random order, whatever its length.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <span>
#include <utility>

#include "engine/base/check.h"
#include "engine/base/counters.h"
#include "engine/base/mapping.h"
#include "sessiontable/free_list.h"
#include "sessiontable/held_pool.h"
#include "sessiontable/session.h"
#include "sessiontable/stream_stage.h"

namespace linger {

enum class StreamAnswer : std::uint8_t {
  more,          // goes on
  side_unknown,  // as long as the other direction has not said a byte, pass over this one
  side_done,     // let go of this direction
  done,          // let go of the session
};

enum class StreamEnd : std::uint8_t {
  finished,  // its FIN was reached
  limit,     // limit_bytes were
  cut,       // the session ended
};

// `reader` is what on_open answered: the sink's own number for the session, which the table keeps
// for its record when the stream has long been let go. Spans are valid during the call. After done,
// side_done or on_end nothing more comes.
template <class T>
concept StreamSink = requires(T sink, std::uint32_t reader, unsigned side,
                              std::span<const std::uint8_t> bytes, std::uint32_t count,
                              Timestamp time, const Packet& packet, const StreamStart& start,
                              StreamEnd end) {
  { sink.on_open(packet, start) }
  noexcept->std::same_as<std::uint32_t>;  // kNoStream: not wanted; kStreamDry: no room
  // When the bytes of the next call were captured; of those of several packets, the first of them.
  { sink.at(reader, time) }
  noexcept->std::same_as<void>;
  { sink.prefetch(reader) }
  noexcept->std::same_as<void>;
  // Something that was read is to be told at once, not with the record.
  { sink.has_news() }
  noexcept->std::same_as<bool>;
  { sink.on_data(reader, side, bytes) }
  noexcept->std::same_as<StreamAnswer>;
  { sink.on_gap(reader, side, count) }
  noexcept->std::same_as<StreamAnswer>;
  // `count`: bytes as sent; fewer may have been captured.
  { sink.on_datagram(reader, side, bytes, count) }
  noexcept->std::same_as<StreamAnswer>;
  { sink.on_end(reader, side, end) }
  noexcept->std::same_as<void>;
  // Nothing more comes of either side: the number that the record is to ask for, or kStreamMute.
  { sink.on_close(reader) }
  noexcept->std::same_as<std::uint32_t>;
};

struct StreamLimits {
  std::uint32_t streams = 0;
  std::uint32_t blocks = 0;
  std::uint64_t limit_bytes = 0;
  DurationNs reorder_window = 0;
};

template <StreamSink Sink>
class Streams final : public StreamStage {
 public:
  Streams(const StreamLimits& limits, TableCounters& counters, Sink& sink)
      : Streams(limits, counters, sink, Array<Stream>(limits.streams)) {}

  std::uint32_t open(const Packet& packet, const StreamStart& start) noexcept override;
  void work(std::span<StreamWork> packets) noexcept override;
  std::uint32_t end(std::uint32_t index) noexcept override;
  std::uint32_t reader_of(std::uint32_t index) const noexcept override {
    return streams_[index].reader;
  }
  void populate() noexcept override { streams_.populate(), held_.populate(); }

  // One packet of work(). False: the stream was let go and is no more.
  bool segment(std::uint32_t index, const Packet& packet) noexcept;
  bool datagram(std::uint32_t index, const Packet& packet) noexcept;

  std::uint32_t used() const noexcept { return free_.used(); }
  std::uint32_t blocks_used() const noexcept { return held_.used(); }

 private:
  Streams(const StreamLimits& limits, TableCounters& counters, Sink& sink, Array<Stream>&& streams)
      : StreamStage(streams.data()),
        limits_(limits),
        counters_(counters),
        sink_(sink),
        streams_(std::move(streams)),
        free_(limits.streams),
        held_(limits.blocks, counters) {}

  // No window is that large (RFC 7323 §2.3): what lies farther ahead is not of this stream.
  static constexpr std::uint32_t kAheadMax = 1u << 30;
  // An ACK farther beyond what came than this tells of another session rather than of a loss.
  static constexpr std::uint32_t kUnseenMax = 1u << 24;

  struct NextOf {
    Array<Stream>& streams;
    std::uint32_t& operator()(std::uint32_t index) noexcept { return streams[index].reader; }
  };
  NextOf next_of() noexcept { return {streams_}; }

  static void begin(StreamSide& side, std::uint32_t first_byte) noexcept {
    if (side.has_started) return;
    side.has_started = 1;
    side.next = first_byte;
  }
  static Payload payload_of(const Packet& packet, std::uint32_t sequence) noexcept {
    const std::uint32_t there = packet.captured_bytes - packet.payload_offset;
    return {.sequence = sequence,
            .bytes = packet.payload_bytes,
            .captured = std::min(there, packet.payload_bytes),
            .data = packet.data + packet.payload_offset,
            .time = packet.timestamp,
            .after = packet.tcp.acknowledgment};
  }
  // What this side said once it had got the other's bytes before `after`.
  static bool waits(const Stream& stream, unsigned side, std::uint32_t after) noexcept {
    const StreamSide& other = stream.sides[side ^ 1];
    return after - other.next - 1 < kUnseenMax && other.is_reading();
  }
  bool front_is_next(const StreamSide& side) const noexcept {
    return side.first != kNoBlock && held_.front(side).begin == side.next;
  }

  bool clip(const StreamSide& side, Payload& payload) const noexcept;
  void accept(Stream& stream, unsigned side, Payload& payload) noexcept;
  void accept_out_of_order(Stream& stream, unsigned side, Payload payload) noexcept;
  void acknowledge(Stream& stream, unsigned side, std::uint32_t ack, ClockNs clock) noexcept;
  void note_fin(Stream& stream, unsigned side, std::uint32_t fin) noexcept;

  void take(Stream& stream, unsigned side, const Payload& payload) noexcept;
  void deliver(Stream& stream, unsigned side, std::span<const std::uint8_t> bytes,
               Timestamp time) noexcept;
  void skip(Stream& stream, unsigned side, std::uint32_t count) noexcept;
  void deliver_front(Stream& stream, unsigned side) noexcept;
  void drain(Stream& stream, unsigned side) noexcept;
  void settle(Stream& stream, unsigned side) noexcept;
  void end_waiting(Stream& stream, unsigned side, std::uint32_t end) noexcept;
  void give_up(Stream& stream, unsigned side, std::uint32_t end, bool is_over = false) noexcept;
  void flush(Stream& stream, unsigned side) noexcept;

  void obey(Stream& stream, unsigned side, StreamAnswer answer) noexcept;
  void end_side(Stream& stream, unsigned side, StreamEnd end) noexcept;
  void let_go(StreamSide& side) noexcept {
    side.is_done = 1;
    held_.clear(side);
  }
  void release(std::uint32_t index) noexcept {
    streams_[index].is_open = false;
    free_.give_back(index, next_of());
  }
  bool release_if_done(std::uint32_t index) noexcept {
    const Stream& stream = streams_[index];
    if (!stream.sides[0].is_done || !stream.sides[1].is_done) return false;
    release(index);
    return true;
  }

  const StreamLimits limits_;
  TableCounters& counters_;
  Sink& sink_;
  Array<Stream> streams_;
  FreeList free_;
  HeldPool held_;
};

// --- A packet ---------------------------------------------------------------------------------

template <StreamSink Sink>
std::uint32_t Streams<Sink>::open(const Packet& packet, const StreamStart& start) noexcept {
  const std::uint32_t index = free_.take(next_of());
  if (index == kNoSlot) {
    counters_.streams_dry.add();
    return kStreamDry;
  }
  const std::uint32_t reader = sink_.on_open(packet, start);
  if (reader >= kStreamDry) {
    free_.give_back(index, next_of());
    return reader;
  }
  Stream& stream = streams_[index];
  stream = {};
  stream.reader = reader;
  stream.is_open = true;
  for (unsigned side = 0; side < 2; ++side) {
    stream.sides[side].first = stream.sides[side].last = kNoBlock;
    StreamSide& own = stream.sides[side];
    if (start.is_known[side]) begin(own, start.first_byte[side]);
    own.has_fin = start.has_fin[side];
    own.fin = start.fin[side];
    if (own.has_fin && own.has_started && own.next == own.fin)
      end_side(stream, side, StreamEnd::finished);
  }
  counters_.streams.add();
  return index;
}

template <StreamSink Sink>
void Streams<Sink>::work(std::span<StreamWork> packets) noexcept {
  for (const StreamWork& work : packets) {
    const Stream& stream = streams_[work.stream];
    const bool has_fin = (work.packet->tcp.flags & kTcpFin) != 0;
    if (stream.is_open && (has_fin || work.packet->payload_bytes != 0))
      sink_.prefetch(stream.reader);
  }
  for (StreamWork& work : packets) {
    const Stream& stream = streams_[work.stream];
    if (!stream.is_open) {  // let go by a packet of this burst
      work.is_let_go = true;
      continue;
    }
    work.reader = stream.reader;
    const bool is_tcp = work.packet->key.protocol == kProtocolTcp;
    work.is_let_go =
        is_tcp ? !segment(work.stream, *work.packet) : !datagram(work.stream, *work.packet);
    if (work.is_let_go) work.reader = sink_.on_close(work.reader);
    work.conflicts = stream.conflicts;
    work.has_news = sink_.has_news();
  }
}

template <StreamSink Sink>
bool Streams<Sink>::segment(std::uint32_t index, const Packet& packet) noexcept {
  const TcpHeader& tcp = packet.tcp;
  if ((tcp.flags & kTcpRst) != 0) return true;  // its data is a diagnostic (RFC 9293 §3.5.3)
  Stream& stream = streams_[index];
  const unsigned side = packet.direction;
  const bool has_syn = (tcp.flags & kTcpSyn) != 0;
  const std::uint32_t first = tcp.sequence + (has_syn ? 1 : 0);
  if (has_syn || packet.payload_bytes != 0) begin(stream.sides[side], first);
  StreamSide& other = stream.sides[side ^ 1];
  // First: a response comes after the gap in its request.
  const bool has_ack = (tcp.flags & kTcpAck) != 0;
  if (has_ack) acknowledge(stream, side ^ 1, tcp.acknowledgment, packet.clock);
  if (packet.payload_bytes != 0) {
    other.wake();
    Payload payload = payload_of(packet, first);
    if (!has_ack) payload.after = other.next;
    accept(stream, side, payload);
  }
  if ((tcp.flags & kTcpFin) != 0) note_fin(stream, side, first + packet.payload_bytes);
  if (other.first != kNoBlock) [[unlikely]]
    settle(stream, side ^ 1);
  return !release_if_done(index);
}

template <StreamSink Sink>
bool Streams<Sink>::datagram(std::uint32_t index, const Packet& packet) noexcept {
  Stream& stream = streams_[index];
  const unsigned side = packet.direction;
  StreamSide& own = stream.sides[side];
  if (own.is_done) return true;
  sink_.at(stream.reader, packet.timestamp);
  own.has_started = 1;
  const Payload payload = payload_of(packet, 0);
  own.offset = std::min(own.offset + payload.bytes, limits_.limit_bytes);
  counters_.stream_bytes.add(payload.captured);
  obey(stream, side,
       sink_.on_datagram(stream.reader, side, {payload.data, payload.captured}, payload.bytes));
  return !release_if_done(index);
}

// The session ends: what is held is told, holes and all; the stream is no more.
template <StreamSink Sink>
std::uint32_t Streams<Sink>::end(std::uint32_t index) noexcept {
  Stream& stream = streams_[index];
  DCHECK(stream.is_open);
  const std::uint32_t reader = stream.reader;
  for (unsigned side = 0; side < 2; ++side) {
    flush(stream, side);
    if (!stream.sides[side].is_done) end_side(stream, side, StreamEnd::cut);
  }
  release(index);
  return reader;
}

// --- Payload ----------------------------------------------------------------------------------

// Cuts off what was delivered before and what nobody will read. False: nothing is left.
template <StreamSink Sink>
bool Streams<Sink>::clip(const StreamSide& side, Payload& payload) const noexcept {
  const auto behind = static_cast<std::int32_t>(side.next - payload.sequence);
  if (behind > 0) {
    if (static_cast<std::uint32_t>(behind) >= payload.bytes) return false;
    payload.drop_front(static_cast<std::uint32_t>(behind));
  }
  const std::uint32_t ahead = payload.sequence - side.next;
  if (ahead > kAheadMax) return false;
  std::uint64_t wanted = limits_.limit_bytes - side.offset;
  if (side.has_fin) wanted = std::min<std::uint64_t>(wanted, side.fin - side.next);
  if (ahead >= wanted) return false;
  if (payload.bytes > wanted - ahead)
    payload = payload.front(static_cast<std::uint32_t>(wanted - ahead));
  return true;
}

template <StreamSink Sink>
void Streams<Sink>::accept(Stream& stream, unsigned side, Payload& payload) noexcept {
  StreamSide& own = stream.sides[side];
  if (!own.takes_bytes() || !clip(own, payload)) return;
  if (own.first == kNoBlock && payload.sequence == own.next && !waits(stream, side, payload.after))
    return take(stream, side, payload);
  accept_out_of_order(stream, side, payload);
}

// Each turn delivers up to a held piece, or holds the payload, or gives up a hole, or waiting.
template <StreamSink Sink>
void Streams<Sink>::accept_out_of_order(Stream& stream, unsigned side, Payload payload) noexcept {
  StreamSide& own = stream.sides[side];
  if (held_.differs(own, payload)) {
    counters_.stream_conflicts.add();
    stream.conflicts |= static_cast<std::uint8_t>(1u << side);
  }
  while (own.takes_bytes() && payload.bytes != 0) {
    const bool is_next = payload.sequence == own.next && !front_is_next(own);
    const bool is_due = is_next && !waits(stream, side, payload.after);
    if (!is_due && held_.hold(own, payload)) return;
    if (front_is_next(own)) {
      deliver_front(stream, side);
      drain(stream, side);
    } else if (is_next) {
      const std::uint32_t open =
          own.first != kNoBlock ? held_.front(own).begin - own.next : payload.bytes;
      take(stream, side, payload.front(open));
      drain(stream, side);
    } else {
      const std::uint32_t nearest =
          own.first != kNoBlock ? held_.front(own).begin : payload.sequence;
      give_up(stream, side, seq_before(nearest, payload.sequence) ? nearest : payload.sequence);
    }
    if (own.takes_bytes() && seq_before(payload.sequence, own.next))
      payload.drop_front(std::min(payload.bytes, own.next - payload.sequence));
  }
}

template <StreamSink Sink>
void Streams<Sink>::note_fin(Stream& stream, unsigned side, std::uint32_t fin) noexcept {
  StreamSide& own = stream.sides[side];
  begin(own, fin);
  if (own.is_done) return;
  if (own.is_passed_over) return end_side(stream, side, StreamEnd::finished);
  if (own.has_fin || fin - own.next > kAheadMax) return;
  own.has_fin = 1;
  own.fin = fin;
  if (own.next == fin) end_side(stream, side, StreamEnd::finished);
}

// The other side's ACK of this side's bytes: those that have not come were lost by the capture, if
// they do not come within the window.
template <StreamSink Sink>
void Streams<Sink>::acknowledge(Stream& stream, unsigned side, std::uint32_t ack,
                                ClockNs clock) noexcept {
  StreamSide& own = stream.sides[side];
  if (ack == own.next || !own.is_reading()) return;
  if (own.has_fin && seq_after(ack, own.fin)) ack = own.fin;
  const std::uint32_t unseen = ack - own.next;
  if (unseen == 0 || unseen > kUnseenMax) return;
  if (!own.has_unseen()) {
    own.unseen_end = own.offset + unseen;
    own.unseen_clock = clock;
  }
  if (clock - own.unseen_clock < limits_.reorder_window) return;
  give_up(stream, side, own.unseen_sequence());
  settle(stream, side ^ 1);
}

// --- Delivery ---------------------------------------------------------------------------------

// Payload that is next, as far as it was captured; the rest of it will not come.
template <StreamSink Sink>
void Streams<Sink>::take(Stream& stream, unsigned side, const Payload& payload) noexcept {
  if (payload.captured != 0) deliver(stream, side, {payload.data, payload.captured}, payload.time);
  if (payload.captured != payload.bytes && stream.sides[side].takes_bytes())
    skip(stream, side, payload.bytes - payload.captured);
}

template <StreamSink Sink>
void Streams<Sink>::deliver(Stream& stream, unsigned side, std::span<const std::uint8_t> bytes,
                            Timestamp time) noexcept {
  StreamSide& own = stream.sides[side];
  own.next += static_cast<std::uint32_t>(bytes.size());
  own.offset += bytes.size();
  counters_.stream_bytes.add(bytes.size());
  sink_.at(stream.reader, time);
  obey(stream, side, sink_.on_data(stream.reader, side, bytes));
}

template <StreamSink Sink>
void Streams<Sink>::skip(Stream& stream, unsigned side, std::uint32_t count) noexcept {
  StreamSide& own = stream.sides[side];
  count =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(count, limits_.limit_bytes - own.offset));
  own.next += count;
  own.offset += count;
  counters_.stream_gaps.add();
  counters_.stream_gap_bytes.add(count);
  obey(stream, side, sink_.on_gap(stream.reader, side, count));
}

// The held piece that is next.
template <StreamSink Sink>
void Streams<Sink>::deliver_front(Stream& stream, unsigned side) noexcept {
  const std::uint32_t index = held_.take_front(stream.sides[side]);
  const HeldBlock& block = held_.block(index);
  deliver(stream, side, {block.data.data(), block.bytes}, block.time);
  held_.give_back(index);
}

// Held pieces whose turn has come.
template <StreamSink Sink>
void Streams<Sink>::drain(Stream& stream, unsigned side) noexcept {
  StreamSide& own = stream.sides[side];
  while (own.takes_bytes() && front_is_next(own)) {
    if (waits(stream, side, held_.front(own).after)) return;
    deliver_front(stream, side);
  }
}

// Held pieces of both sides whose turn has come, as the other of `side` got further.
template <StreamSink Sink>
void Streams<Sink>::settle(Stream& stream, unsigned side) noexcept {
  for (int idle = 0; idle < 2; side ^= 1) {
    const std::uint32_t before = stream.sides[side].next;
    drain(stream, side);
    idle = stream.sides[side].next == before ? idle + 1 : 0;
  }
}

// What only waits for the other side to get to `end`, or not so far, waits no longer.
template <StreamSink Sink>
void Streams<Sink>::end_waiting(Stream& stream, unsigned side, std::uint32_t end) noexcept {
  StreamSide& own = stream.sides[side];
  while (own.takes_bytes() && front_is_next(own) && !seq_after(held_.front(own).after, end))
    deliver_front(stream, side);
}

// The holes before `end` become gaps, each behind what only waited for it; what is held between and
// behind them is delivered. If the session is over, behind what it answers, whose holes are gaps
// too.
template <StreamSink Sink>
void Streams<Sink>::give_up(Stream& stream, unsigned side, std::uint32_t end,
                            bool is_over) noexcept {
  StreamSide& own = stream.sides[side];
  while (own.takes_bytes() && seq_before(own.next, end)) {
    std::uint32_t hole_end = end;
    if (own.first != kNoBlock && seq_before(held_.front(own).begin, end))
      hole_end = held_.front(own).begin;
    if (hole_end == own.next) {
      if (is_over && waits(stream, side, held_.front(own).after))
        give_up(stream, side ^ 1, held_.front(own).after);
      if (front_is_next(own)) deliver_front(stream, side);
    } else {
      end_waiting(stream, side ^ 1, hole_end);
      if (!own.takes_bytes()) return;
      skip(stream, side, hole_end - own.next);
    }
    drain(stream, side);
  }
}

// All that is known to have been sent.
template <StreamSink Sink>
void Streams<Sink>::flush(Stream& stream, unsigned side) noexcept {
  StreamSide& own = stream.sides[side];
  if (own.is_reading() && own.has_fin) return give_up(stream, side, own.fin, true);
  while (own.is_reading() && own.first != kNoBlock)
    give_up(stream, side, held_.front(own).begin + 1, true);
  if (own.is_reading() && own.has_unseen()) give_up(stream, side, own.unseen_sequence(), true);
}

// --- Endings ----------------------------------------------------------------------------------

// After each step of a direction: what the sink said, then whether it has come to its end.
template <StreamSink Sink>
void Streams<Sink>::obey(Stream& stream, unsigned side, StreamAnswer answer) noexcept {
  StreamSide& own = stream.sides[side];
  if (answer >= StreamAnswer::side_done) {
    let_go(own);
    if (answer == StreamAnswer::done) let_go(stream.sides[side ^ 1]);
    return;
  }
  if (own.offset == limits_.limit_bytes) {
    counters_.stream_limits.add();
    end_side(stream, side, StreamEnd::limit);
  } else if (own.has_fin && !seq_before(own.next, own.fin)) {
    end_side(stream, side, StreamEnd::finished);
  } else if (answer == StreamAnswer::side_unknown && stream.sides[side ^ 1].is_silent()) {
    own.is_passed_over = 1;
    held_.clear(own);
  }
}

template <StreamSink Sink>
void Streams<Sink>::end_side(Stream& stream, unsigned side, StreamEnd end) noexcept {
  let_go(stream.sides[side]);
  sink_.on_end(stream.reader, side, end);
}

}  // namespace linger
