// Sessions whose bytes are read: SessionTable's part for the StreamStage.
//
// A burst's packets are collected and worked on together at its end, or when a session ends before:
// its record must know all of its bytes.
#include "sessiontable/session_table.h"

namespace linger {
namespace {

StreamStart start_of(const Session& s) noexcept {
  StreamStart start{s.cold.first_sequence, {}, static_cast<std::uint8_t>(s.hot.originator())};
  for (unsigned side = 0; side < 2; ++side) start.is_known[side] = s.cold.knows_isn(side);
  return start;
}

}  // namespace

void SessionTable::read_streams(StreamStage& stage) {
  CHECK(!started_);
  stage_ = &stage;
  stream_of_ = Array<std::uint32_t>(free_.capacity());
}

void SessionTable::begin_reading(std::uint32_t slot) noexcept {
  stream_of_[slot] = kNoStream;
  SessionHot& hot = hot_[slot];
  if (hot.key.protocol != kProtocolTcp && hot.key.protocol != kProtocolUdp) return;
  const Writing writing(hot.version);
  hot.flags |= kSessionRead;
}

// The session opens a stream with its first payload, so that a flood of SYNs opens none.
void SessionTable::add_to_stream(std::uint32_t slot, const Packet& packet) noexcept {
  std::uint32_t& stream = stream_of_[slot];
  if (stream == kNoStream) {
    if (packet.payload_bytes == 0) return;
    Session s = session(slot);
    stream = stage_->open(packet, start_of(s));
    if (stream >= kStreamDry) {
      const Writing writing(s.hot.version);
      return s.hot.clear(kSessionRead);
    }
  }
  stream_work_[stream_work_count_++] = {&packet, stream, slot};
}

void SessionTable::work_streams() noexcept {
  if (stream_work_count_ == 0) return;
  const std::span work(stream_work_.data(), stream_work_count_);
  stream_work_count_ = 0;
  stage_->work(work);
  for (const StreamWork& done : work) {
    SessionHot& hot = hot_[done.session];
    for (unsigned side = 0; side < 2; ++side)
      if ((done.conflicts >> side & 1) != 0) openings_[done.session].features[side] |= kTcpOverlaps;
    if (done.has_news) [[unlikely]]
      sink_.on_news(view_of(done.session, Ending::idle, true, 0, done.reader), done.packet->clock);
    if (!done.is_let_go || (hot.flags & kSessionRead) == 0) continue;
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
  return has_stream() ? stage_->reader_of(stream_of_[slot]) : stream_of_[slot];
}

std::uint32_t SessionTable::end_reading(std::uint32_t slot) noexcept {
  const std::uint32_t reader = reader_of(slot);
  if ((hot_[slot].flags & kSessionRead) != 0 && reader != kNoStream) {
    stage_->end(stream_of_[slot]);
    stream_of_[slot] = reader;
    const Writing writing(hot_[slot].version);
    hot_[slot].clear(kSessionRead);
  }
  return reader;
}

}  // namespace linger
