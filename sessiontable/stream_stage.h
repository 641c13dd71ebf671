// What the session table says to whoever reads the bytes of sessions: a burst at a time, so that no
// virtual call is made for a packet. Streams<Sink> is the one there is; a table without a stage
// does nothing of all this.
//
//     open()   at a session's first payload      -> a stream, or none
//     work()   at the end of each burst, and before a session of it ends
//     end()    before the session's record       -> the reader's number, for the record
//
// A reader that has nothing to tell when its stream is let go is kStreamMute from then on.
//
// Owner: one shard.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "engine/packet/packet.h"
#include "sessiontable/stream_state.h"

namespace linger {

// What is known of a TCP session before its first payload: the sequence number of each side's first
// byte, where its SYN was seen, and of its FIN, where that overtook all payload.
struct StreamStart {
  std::array<std::uint32_t, 2> first_byte{};
  std::array<bool, 2> is_known{};
  std::array<std::uint32_t, 2> fin{};
  std::array<bool, 2> has_fin{};
  std::uint8_t opener = 0;  // the side that opened the session, as far as is known by now
};

// A packet for the stream of its session.
struct StreamWork {
  const Packet* packet;
  std::uint32_t stream;
  std::uint32_t session;  // the table's
  // Answers: the stream was let go by this packet or before, and is no more; the reader's number.
  bool is_let_go = false;
  std::uint32_t reader = kNoStream;
  std::uint8_t conflicts = 0;  // bit per side: it sent other bytes for numbers that were held
  bool has_news = false;       // this packet, or one before it, told something that must not wait
};

class StreamStage {
 public:
  // Brings a stream nearer that will be worked on at the end of the burst.
  [[gnu::always_inline]] void prefetch(std::uint32_t stream) const noexcept {
    const char* lines = reinterpret_cast<const char*>(streams_ + stream);
    __builtin_prefetch(lines, 1);
    __builtin_prefetch(lines + 64, 1);
  }
  const Stream& stream(std::uint32_t stream) const noexcept { return streams_[stream]; }

  // kNoStream: nobody wants to read it; kStreamDry: no stream is left (counted).
  virtual std::uint32_t open(const Packet& packet, const StreamStart& start) noexcept = 0;
  virtual void work(std::span<StreamWork> packets) noexcept = 0;
  virtual std::uint32_t end(std::uint32_t stream) noexcept = 0;
  virtual std::uint32_t reader_of(std::uint32_t stream) const noexcept = 0;
  virtual void populate() noexcept = 0;

 protected:
  explicit StreamStage(const Stream* streams) noexcept : streams_(streams) {}
  StreamStage(const StreamStage&) = default;
  ~StreamStage() = default;

 private:
  const Stream* streams_;  // all of them
};

}  // namespace linger
