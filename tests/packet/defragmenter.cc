#include "tests/packet/defragmenter.h"

#include <fmt/format.h>

#include <memory>
#include <utility>

namespace linger::test {

Defragmenter::Defragmenter(const Settings& settings, bool waits)
    : defrag_(settings, decode_settings_, counters_, *this), waits_(waits) {}

void Defragmenter::add(const Frame& frame) {
  // A copy of its own size: one byte too far is found.
  const auto bytes = std::make_unique<std::uint8_t[]>(frame.bytes.size());
  std::copy(frame.bytes.begin(), frame.bytes.end(), bytes.get());
  Packet packet = packet_of(frame);
  packet.data = bytes.get();
  decode(packet, decode_settings_);
  packet.verdict == Verdict::fragment ? defrag_.add(packet) : on_packet(packet);
  defrag_.begin_burst();
}

void Defragmenter::add(const Frames& frames) {
  for (const Frame& frame : frames) add(frame);
}

std::vector<PutOut> Defragmenter::take() { return std::exchange(put_out_, {}); }

std::string Defragmenter::text() {
  std::string text;
  for (const PutOut& out : take())
    text += fmt::format("{} {} {}\n", out.packet.frames, out.session, out.payload);
  return text;
}

void Defragmenter::release_buffers() {
  for (PacketBuffer* buffer : held_) buffer->users.fetch_sub(1);
  held_.clear();
}

void Defragmenter::on_packet(const Packet& packet) noexcept {
  PutOut out{packet, session_text(packet), {}};
  if (packet.verdict == Verdict::session) {
    const std::uint8_t* payload = packet.data + packet.payload_offset;
    const std::uint32_t captured = packet.captured_bytes - packet.payload_offset;
    out.payload.assign(payload, payload + std::min(packet.payload_bytes, captured));
  }
  if (holds_ && packet.buffer != nullptr) {
    packet.buffer->users.fetch_add(1);
    held_.push_back(packet.buffer);
  }
  put_out_.push_back(std::move(out));
}

bool Defragmenter::on_full(const Packet&) noexcept {
  ++full_count_;
  if (!waits_) return false;
  release_buffers();
  defrag_.begin_burst();
  return true;
}

}  // namespace linger::test
