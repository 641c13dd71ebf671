// Where a shard's time goes, by stage, in ticks of the processor's time stamp counter (linger
// --profile).
//
// A stopwatch that is never stopped: whoever leaves a stage says so, and all time since the last
// word was that stage's. A poll that found nothing was idle as a whole. Cost: switched off a branch
// for a word, a few words for a burst; switched on a reading of the counter each, and two more for
// a session's record and for the streams of a burst. Owner: the shard's thread; ticks are read by
// anybody.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "engine/base/counter.h"
#include "sessiontable/stream_stage.h"

namespace linger {

#define LINGER_STAGES(X)                                                  \
  X(receive, "taking packets from the source")                            \
  X(decode, "from the bytes to the key, checksums and the hash")          \
  X(steer, "fragments, the owner of each packet, handing it over")        \
  X(track, "finding sessions and telling them what came; timers")         \
  X(read, "streams, detection and parsers of application protocols")      \
  X(record, "making records and queueing them, with waits for the queue") \
  X(idle, "polls that found nothing, and rests")

enum class Stage : std::uint8_t {
#define LINGER_STAGE_NAME(name, help) name,
  LINGER_STAGES(LINGER_STAGE_NAME)
#undef LINGER_STAGE_NAME
};

inline constexpr std::size_t kStageCount = static_cast<std::size_t>(Stage::idle) + 1;

// The processor's time stamp counter.
std::uint64_t ticks_now() noexcept;

class Profile {
 public:
  void switch_on() noexcept;
  bool is_on() const noexcept { return is_on_; }

  void leave(Stage stage) noexcept {
    if (is_on_) [[unlikely]]
      add(stage);
  }

  void end_poll(bool was_busy) noexcept {
    if (is_on_) [[unlikely]]
      settle(was_busy);
  }

  std::uint64_t ticks(Stage stage) const noexcept {
    return total_[static_cast<std::size_t>(stage)].value();
  }

  // A stage within another, as long as this lives.
  class Within {
   public:
    Within(Profile& profile, Stage outer, Stage inner) noexcept : profile_(profile), inner_(inner) {
      profile_.leave(outer);
    }
    ~Within() { profile_.leave(inner_); }
    Within(const Within&) = delete;
    Within& operator=(const Within&) = delete;

   private:
    Profile& profile_;
    const Stage inner_;
  };

 private:
  void add(Stage stage) noexcept;
  void settle(bool was_busy) noexcept;

  bool is_on_ = false;
  std::uint64_t last_ = 0;  // ticks
  std::array<std::uint64_t, kStageCount> poll_{};
  std::array<Counter, kStageCount> total_;
};

// A stream stage whose time is told apart from the session table's.
class ProfiledStage final : public StreamStage {
 public:
  ProfiledStage(StreamStage& stage, Profile& profile) noexcept
      : StreamStage(stage), stage_(stage), profile_(profile) {}

  std::uint32_t open(const Packet& packet, const StreamStart& start) noexcept override;
  void work(std::span<StreamWork> packets) noexcept override;
  std::uint32_t end(std::uint32_t stream) noexcept override;
  std::uint32_t reader_of(std::uint32_t stream) const noexcept override {
    return stage_.reader_of(stream);
  }
  void populate() noexcept override { stage_.populate(); }

 private:
  StreamStage& stage_;
  Profile& profile_;
};

// What was measured, over all shards.
struct ProfileSum {
  std::array<std::uint64_t, kStageCount> ticks{};
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;  // on the wire, without checksum and preamble
  double ticks_per_second = 0;
  double writing_seconds = 0;  // of processor time in threads that are no shards
  std::uint64_t records = 0;

  void add(const Profile& profile) noexcept;
};

// Ticks of each stage for a packet, and how many shards it takes at that cost to keep up with 10 to
// 400 Gbit/s; several lines.
std::string profile_of(const ProfileSum& sum);

}  // namespace linger
