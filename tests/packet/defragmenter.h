// Defrag as a test uses it: frames in, and what is put out kept with its bytes.
#pragma once

#include <string>
#include <vector>

#include "engine/packet/defrag.h"
#include "tests/packet/decoded.h"
#include "tests/support/fragments.h"

namespace linger::test {

struct PutOut {
  Packet packet;  // its bytes are gone
  std::string session;
  std::string payload;  // as far as it was captured
};

class Defragmenter final : private DefragSink {
 public:
  explicit Defragmenter(const Settings& settings = {}, bool waits = true);

  // Decodes the frame; a fragment goes to defrag, anything else is put out as it is.
  void add(const Frame& frame);
  void add(const Frames& frames);
  void expire(ClockNs clock) { defrag_.expire(clock); }
  bool is_due(ClockNs clock) const { return defrag_.is_due(clock); }
  void finish(ClockNs clock = at(kHour)) { defrag_.finish(clock); }

  // What was put out since the last call.
  std::vector<PutOut> take();
  // The same, a line each: "2 udp 192.0.2.1:1 > 198.51.100.2:2 hello", with the number of frames.
  std::string text();

  const DefragCounters& counters() const { return counters_; }
  // Keeps the buffers of what is put out in use, as a shard does that has not come to them yet.
  void hold_buffers(bool holds) { holds_ = holds; }
  void release_buffers();
  int full_count() const { return full_count_; }

 private:
  void on_packet(const Packet& packet) noexcept override;
  bool on_full(const Packet&) noexcept override;

  DecodeSettings decode_settings_ = decode_settings();
  DefragCounters counters_;
  Defrag defrag_;
  std::vector<PutOut> put_out_;
  std::vector<PacketBuffer*> held_;
  bool holds_ = false;
  bool waits_;
  int full_count_ = 0;
};

}  // namespace linger::test
