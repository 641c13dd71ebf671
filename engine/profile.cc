#include "engine/profile.h"

#include <fmt/format.h>
#include <x86intrin.h>

#include <algorithm>
#include <cmath>

namespace linger {
namespace {

constexpr std::array kStageNames = {
#define LINGER_STAGE_NAME(name, help) std::string_view{#name},
    LINGER_STAGES(LINGER_STAGE_NAME)
#undef LINGER_STAGE_NAME
};

constexpr std::size_t kIdle = static_cast<std::size_t>(Stage::idle);

// Of Ethernet: preamble, start, checksum, gap (IEEE 802.3, 4A.4.2), beside the bytes of a packet.
constexpr double kFrameOverhead = 7 + 1 + 4 + 12;
constexpr double kLeastFrame = 60;
// A shard that is busier has nothing left for bursts.
constexpr double kMostBusy = 0.8;
constexpr std::array kGigabits = {10, 40, 100, 400};

struct Size {
  std::string_view name;
  double bytes;  // without checksum
};

std::uint64_t sum_of(const std::array<std::uint64_t, kStageCount>& ticks) noexcept {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kIdle; ++i) sum += ticks[i];
  return sum;
}

double shards_for(double gigabits, double bytes, double seconds_per_packet) noexcept {
  const double packets_per_second = gigabits * 1e9 / 8 / (bytes + kFrameOverhead);
  return std::ceil(packets_per_second * seconds_per_packet / kMostBusy);
}

}  // namespace

std::uint64_t ticks_now() noexcept { return __rdtsc(); }

void Profile::switch_on() noexcept {
  is_on_ = true;
  last_ = ticks_now();
}

void Profile::add(Stage stage) noexcept {
  const std::uint64_t now = __rdtsc();
  poll_[static_cast<std::size_t>(stage)] += now - last_;
  last_ = now;
}

void Profile::settle(bool was_busy) noexcept {
  for (std::size_t i = 0; i < kStageCount; ++i) {
    if (poll_[i] == 0) continue;
    total_[was_busy ? i : kIdle].add(poll_[i]);
    poll_[i] = 0;
  }
}

std::uint32_t ProfiledStage::open(const Packet& packet, const StreamStart& start) noexcept {
  const Profile::Within within(profile_, Stage::track, Stage::read);
  return stage_.open(packet, start);
}

void ProfiledStage::work(std::span<StreamWork> packets) noexcept {
  const Profile::Within within(profile_, Stage::track, Stage::read);
  stage_.work(packets);
}

std::uint32_t ProfiledStage::end(std::uint32_t stream) noexcept {
  const Profile::Within within(profile_, Stage::track, Stage::read);
  return stage_.end(stream);
}

void ProfileSum::add(const Profile& profile) noexcept {
  for (std::size_t i = 0; i < kStageCount; ++i) ticks[i] += profile.ticks(static_cast<Stage>(i));
}

std::string profile_of(const ProfileSum& sum) {
  const std::uint64_t busy = sum_of(sum.ticks);
  if (sum.packets == 0 || busy == 0) return "profile   nothing was seen\n";
  const auto packets = static_cast<double>(sum.packets);
  const double each = static_cast<double>(busy) / packets;
  std::string text = fmt::format("profile   {:.0f} cycles a packet at {:.2f} GHz:", each,
                                 sum.ticks_per_second / 1e9);
  for (std::size_t i = 0; i < kIdle; ++i)
    text += fmt::format("{} {} {:.1f}", i == 0 ? "" : ",", kStageNames[i],
                        static_cast<double>(sum.ticks[i]) / packets);
  const auto idle = static_cast<double>(sum.ticks[kIdle]);
  text +=
      fmt::format("; idle {:.0f} % of the time\n", 100 * idle / (idle + static_cast<double>(busy)));
  if (sum.records != 0 && sum.writing_seconds > 0)
    text += fmt::format(
        "          beside the shards {:.0f} ns of other threads for each of {} records\n",
        sum.writing_seconds * 1e9 / static_cast<double>(sum.records), sum.records);

  const double seconds = each / sum.ticks_per_second;
  // Shorter ones, as a capture has them of its own machine, are filled up on a link.
  const double own = std::max(static_cast<double>(sum.bytes) / packets, kLeastFrame);
  const std::array sizes = {Size{"64 B", kLeastFrame},
                            Size{"IMIX", (7 * kLeastFrame + 4 * 590 + 1514) / 12},
                            Size{"700 B", 696}, Size{"as seen", own}};
  text += fmt::format(
      "capacity  shards that keep up, each busy {:.0f} % of the time, at this cost a packet\n",
      100 * kMostBusy);
  text += "          Gbit/s  ";
  for (const Size& size : sizes) text += fmt::format("{:>8}", size.name);
  text += '\n';
  for (const double gigabits : kGigabits) {
    text += fmt::format("          {:>6.0f}  ", gigabits);
    for (const Size& size : sizes)
      text += fmt::format("{:>8.0f}", shards_for(gigabits, size.bytes, seconds));
    text += '\n';
  }
  return text;
}

}  // namespace linger
