// Sessions whose bytes are read: SessionTable's part for the StreamStage.
//
// A burst's packets are collected and worked on together at its end, or when a session ends before:
// its record must know all of its bytes.
#include "sessiontable/session_table.h"

namespace linger {
namespace {

StreamStart start_of(const Session& s) noexcept {
  StreamStart start{.first_byte = s.cold.first_sequence,
                    .opener = static_cast<std::uint8_t>(s.hot.originator())};
  for (unsigned side = 0; side < 2; ++side) {
    start.is_known[side] = s.cold.knows_isn(side);
    start.has_fin[side] = s.hot.has(kSessionFin0, side);
    start.fin[side] = s.hot.sequence_low[side] - 1;
  }
  return start;
}

// What a session's place knows of its stream beside the number, bit per side: it takes no more
// bytes of the side; none of the side's bytes are missing, or nobody would ask for them.
constexpr int kDoneShift = 28;
constexpr int kWholeShift = 30;
constexpr std::uint32_t kNumber = (1u << kDoneShift) - 1;

std::uint32_t place_of(const Stream& stream, std::uint32_t number, const SessionHot& hot) noexcept {
  std::uint32_t place = number;
  for (unsigned side = 0; side < 2; ++side) {
    const StreamSide& s = stream.sides[side];
    const bool takes_bytes = s.takes_bytes();
    const bool is_whole =
        !takes_bytes || !s.has_started ||
        (s.first == kNoBlock && s.next == hot.sequence_low[side] && !s.has_unseen());
    place |= std::uint32_t{!takes_bytes} << (kDoneShift + side);
    place |= std::uint32_t{is_whole} << (kWholeShift + side);
  }
  return place;
}

}  // namespace

void SessionTable::read_streams(StreamStage& stage) {
  CHECK(!started_ && settings_.read_sessions() <= kNumber);
  stage_ = &stage;
  stream_of_ = Array<std::uint32_t>(free_.capacity());
}

void SessionTable::begin_reading(std::uint32_t slot) noexcept {
  stream_of_[slot] = kNoStream;
  const std::uint8_t protocol = names_[slot].protocol();
  if (protocol != kProtocolTcp && protocol != kProtocolUdp) return;
  SessionHot& hot = hot_[slot];
  const Writing writing(hot.version);
  hot.flags |= kSessionRead;
}

// The next segment of its side, of a session that is read, may have nothing for the stream: no
// bytes that it takes, and an ACK of what it has. Then its lines stay where they are.
void SessionTable::read_next(std::uint32_t slot, const Packet& packet) noexcept {
  const SessionHot& hot = hot_[slot];
  const std::uint32_t place = stream_of_[slot];
  if (place == kNoStream) {
    if (packet.payload_bytes != 0) add_to_stream(slot, packet);
    return;
  }
  const unsigned side = packet.direction;
  const unsigned other = side ^ 1;
  const bool has_event = (packet.tcp.flags & (kTcpSyn | kTcpFin)) != 0;
  const bool takes_bytes = (place >> (kDoneShift + side) & 1) == 0;
  const bool is_whole = (place >> (kWholeShift + other) & 1) != 0;
  const bool acks_more = hot.has(kSessionSeen0, other) &&
                         seq_after(packet.tcp.acknowledgment, hot.sequence_low[other]);
  const bool has_news = has_event || acks_more || (packet.payload_bytes != 0 && takes_bytes);
  if (!is_whole || has_news) add_to_stream(slot, packet);
}

// False: nobody reads this session.
bool SessionTable::open_stream(std::uint32_t slot, const Packet& packet) noexcept {
  Session s = session(slot);
  stream_of_[slot] = stage_->open(packet, start_of(s));
  if (stream_of_[slot] < kStreamDry) return true;
  const Writing writing(s.hot.version);
  s.hot.clear(kSessionRead);
  return false;
}

// The session opens a stream with its first payload, so that a flood of SYNs opens none.
void SessionTable::add_to_stream(std::uint32_t slot, const Packet& packet) noexcept {
  std::uint32_t& stream = stream_of_[slot];
  if (stream == kNoStream && (packet.payload_bytes == 0 || !open_stream(slot, packet))) return;
  stream &= kNumber;  // work_streams() tells more
  stage_->prefetch(stream);
  stream_work_[stream_work_count_++] = {&packet, stream, slot};
}

void SessionTable::work_streams() noexcept {
  if (stream_work_count_ == 0) return;
  const std::span work(stream_work_.data(), stream_work_count_);
  stream_work_count_ = 0;
  stage_->work(work);
  for (const StreamWork& done : work) {
    SessionHot& hot = hot_[done.session];
    for (unsigned side = 0; done.conflicts >> side != 0; ++side)
      if ((done.conflicts >> side & 1) != 0) session(done.session).add_feature(side, kTcpOverlaps);
    if (done.has_news) [[unlikely]]
      sink_.on_news(view_of(done.session, Ending::idle, true, 0, done.reader), done.packet->clock);
    if ((hot.flags & kSessionRead) == 0) continue;
    if (!done.is_let_go) {
      stream_of_[done.session] = place_of(stage_->stream(done.stream), done.stream, hot);
      continue;
    }
    const Writing writing(hot.version);
    hot.clear(kSessionRead);
    stream_of_[done.session] = done.reader;
  }
}

// All of its packets up to now have been read.
std::uint32_t SessionTable::reader_of(std::uint32_t slot) noexcept {
  if (stage_ == nullptr) return kNoStream;
  const auto has_stream = [&] {
    return (hot_[slot].flags & kSessionRead) != 0 && stream_of_[slot] != kNoStream;
  };
  if (has_stream()) work_streams();  // which may let go of it
  return has_stream() ? stage_->reader_of(stream_of_[slot] & kNumber) : stream_of_[slot];
}

std::uint32_t SessionTable::end_reading(std::uint32_t slot) noexcept {
  const std::uint32_t reader = reader_of(slot);
  if ((hot_[slot].flags & kSessionRead) != 0 && reader != kNoStream) {
    stage_->end(stream_of_[slot] & kNumber);
    stream_of_[slot] = reader;
    const Writing writing(hot_[slot].version);
    hot_[slot].clear(kSessionRead);
  }
  return reader;
}

}  // namespace linger
