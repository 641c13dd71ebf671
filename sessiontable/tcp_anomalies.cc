#include "sessiontable/tcp_anomalies.h"

#include <algorithm>

#include "engine/base/bytes.h"
#include "sessiontable/planted.h"
#include "sessiontable/tcp_gaps.h"
#include "sessiontable/tcp_segment.h"

namespace linger {
namespace {

// --- Duplicates -------------------------------------------------------------------------------

std::uint16_t ip_id_of(const Packet& packet) noexcept {
  constexpr std::uint32_t kIdentification = 4;                         // RFC 791 §3.1
  if (packet.key.ip_version != 4 || packet.data == nullptr) return 0;  // benches: no frames
  return PLANTED(18, load_be16(packet.data + packet.ip_offset + kIdentification), 0);
}

RecentSegment recent_of(const Packet& packet) noexcept {
  const TcpHeader& tcp = packet.tcp;
  return {.clock = static_cast<std::uint32_t>(packet.clock),
          .sequence = tcp.sequence,
          .acknowledgment = tcp.acknowledgment,
          .window = tcp.window,
          .payload_bytes = static_cast<std::uint16_t>(packet.payload_bytes),
          .ip_id = ip_id_of(packet),
          .flags = tcp.flags,
          .side = packet.direction};
}

bool is_same(const RecentSegment& a, const RecentSegment& b) noexcept {
  return a.sequence == b.sequence && a.acknowledgment == b.acknowledgment && a.window == b.window &&
         a.payload_bytes == b.payload_bytes && a.ip_id == b.ip_id && a.flags == b.flags &&
         a.side == b.side;
}

bool is_among(const TcpDetail& detail, const RecentSegment& segment, DurationNs window) noexcept {
  const auto* end = detail.recent.begin() + detail.recent_count;
  return std::any_of(detail.recent.begin(), end, [&](const RecentSegment& before) {
    return segment.clock - before.clock <= window && is_same(before, segment);
  });
}

void keep(TcpDetail& detail, const RecentSegment& segment) noexcept {
  detail.recent[detail.recent_next] = segment;
  detail.recent_next = static_cast<std::uint8_t>((detail.recent_next + 1) % kRecentMax);
  detail.recent_count =
      static_cast<std::uint8_t>(std::min<std::size_t>(detail.recent_count + 1u, kRecentMax));
}

// Whether the segment ends where its side has ended so far and says the same otherwise, as far as
// the session knows. Bare ACKs and RSTs cannot be told apart by that.
bool repeats_last(const Session& s, const Packet& packet) noexcept {
  const unsigned side = packet.direction;
  const TcpHeader& tcp = packet.tcp;
  const bool syn = (tcp.flags & kTcpSyn) != 0;
  const bool fin = (tcp.flags & kTcpFin) != 0;
  if ((tcp.flags & kTcpRst) != 0 || length_of(packet) == 0 || !s.hot.has(kSessionSeen0, side) ||
      end_of(packet) != sent_end(s.hot, side) || fin != s.hot.has(kSessionFin0, side))
    return false;
  if (syn && (!s.cold.knows_isn(side) || s.cold.first_sequence[side] != tcp.sequence + 1))
    return false;
  if (has_ack(tcp) != s.hot.has(kSessionAck0, side)) return false;
  return !has_ack(tcp) ||
         (tcp.acknowledgment == s.hot.acknowledged[side] && tcp.window == s.hot.window[side]);
}

// Unless there is something left to watch for.
void stop_watching(const Session& s, const TcpContext& context) noexcept {
  if (context.rtt != nullptr && context.rtt->is_watching()) return;
  const TcpDetail* detail = context.extensions.find_detail(s.cold);
  if (detail == nullptr || (detail->closed_windows == 0 && detail->recent_count == 0))
    s.hot.clear(kSessionWatched);
}

}  // namespace

bool take_duplicate(const Session& s, const Packet& packet, const TcpContext& context) noexcept {
  const bool is_soon =
      context.dedup_window != 0 && packet.clock - context.last_clock <= context.dedup_window;
  const bool may_repeat = is_soon && repeats_last(s, packet);
  TcpDetail* detail = nullptr;
  if ((s.hot.flags & kSessionWatched) != 0) detail = context.extensions.find_detail(s.cold);
  if (detail == nullptr || detail->recent_count == 0) {
    if (!may_repeat) return false;
    detail = context.extensions.get_detail(s.cold);
    if (detail == nullptr) return false;
    s.hot.flags |= kSessionWatched;
    // A mirror port would have repeated the SYN: this is sent again, but from now on all is kept.
    detail->recent_is_all = (packet.tcp.flags & kTcpSyn) == 0 && s.cold.knows_isn(packet.direction);
  }
  detail->recent_is_all |= !is_soon || detail->recent_count == kRecentMax;
  // All that was kept is older than the window by now; its clocks of 32 bits wrap every 4.3 s.
  if (!is_soon) detail->recent_count = detail->recent_next = 0;
  const RecentSegment segment = recent_of(packet);
  const bool is_kept = is_soon && is_among(*detail, segment, context.dedup_window);
  if (!is_kept) keep(*detail, segment);
  const bool is_duplicate = is_kept || (may_repeat && !detail->recent_is_all);
  if (is_duplicate) saturating_increment(detail->duplicates[packet.direction]);
  return is_duplicate;
}

// --- Acknowledgments --------------------------------------------------------------------------

bool is_duplicate_ack(const Session& s, const Packet& packet) noexcept {
  const unsigned side = packet.direction;
  const unsigned peer = side ^ 1;
  const TcpHeader& tcp = packet.tcp;
  return packet.payload_bytes == 0 && (tcp.flags & (kHandshakeFlags | kTcpAck)) == kTcpAck &&
         s.hot.has(kSessionAck0, side) && tcp.acknowledgment == s.hot.acknowledged[side] &&
         tcp.window == s.hot.window[side] && tcp.window != 0 && s.hot.has(kSessionSeen0, side) &&
         tcp.sequence == sent_end(s.hot, side) && s.hot.has(kSessionSeen0, peer) &&
         seq_after(sent_end(s.hot, peer), tcp.acknowledgment);
}

void count_duplicate_ack(const Session& s, unsigned side, const TcpContext& context) noexcept {
  if (TcpDetail* detail = context.extensions.get_detail(s.cold))
    saturating_increment(detail->duplicate_acks[side]);
}

// --- Windows and marks ------------------------------------------------------------------------

void count_marks(const Session& s, const Packet& packet, const TcpContext& context) noexcept {
  std::uint8_t marks = packet.tcp.flags & (kTcpUrg | kTcpEce | kTcpCwr);
  if ((packet.tcp.flags & kTcpSyn) != 0) marks &= kTcpUrg;  // there they ask for ECN
  if (marks == 0) return;
  TcpDetail* detail = context.extensions.get_detail(s.cold);
  if (detail == nullptr) return;
  if ((marks & kTcpUrg) != 0) saturating_increment(detail->urg);
  if ((marks & kTcpEce) != 0) saturating_increment(detail->ece);
  if ((marks & kTcpCwr) != 0) saturating_increment(detail->cwr);
}

void watch_rtt(const Session& s, const TcpContext& context) noexcept {
  if (context.rtt->is_watching()) {
    s.hot.flags |= kSessionWatched;
  } else if ((s.hot.flags & kSessionWatched) != 0) {
    stop_watching(s, context);
  }
}

void watch_window(const Session& s, const Packet& packet, const TcpContext& context) noexcept {
  const unsigned side = packet.direction;
  const auto bit = static_cast<std::uint8_t>(1u << side);
  if (packet.tcp.window == 0) {
    if ((packet.tcp.flags & kHandshakeFlags) != 0) return;
    TcpDetail* detail = context.extensions.get_detail(s.cold);
    if (detail == nullptr || (detail->closed_windows & bit) != 0) return;
    detail->closed_windows |= bit;
    detail->window_closed[side] = packet.timestamp;
    s.hot.flags |= kSessionWatched;
    return;
  }
  if ((s.hot.flags & kSessionWatched) == 0) return;
  TcpDetail* detail = context.extensions.find_detail(s.cold);
  if (detail == nullptr || (detail->closed_windows & bit) == 0) return;
  detail->window_closed_ns[side] = window_closed_ns(*detail, side, packet.timestamp);
  detail->closed_windows &= static_cast<std::uint8_t>(~bit);
  stop_watching(s, context);
}

// --- The handshake ----------------------------------------------------------------------------

std::uint8_t features_of(const TcpHeader& tcp) noexcept {
  std::uint8_t features = 0;
  if ((tcp.options & kTcpOptionSackPermitted) != 0) features |= kTcpSackPermitted;
  if ((tcp.options & kTcpOptionTimestamp) != 0) features |= kTcpTimestamps;
  if ((tcp.options & kTcpOptionFastOpen) != 0) features |= kTcpFastOpen;
  if ((tcp.options & kTcpOptionMptcp) != 0) features |= kTcpMptcp;
  if ((tcp.options & kTcpOptionMd5OrAo) != 0) features |= kTcpMd5OrAo;
  // RFC 3168 §6.1.1: a SYN asks with ECE and CWR, the SYN-ACK agrees with ECE alone.
  const std::uint8_t marks = tcp.flags & (kTcpEce | kTcpCwr);
  if (marks == (has_ack(tcp) ? kTcpEce : kTcpEce | kTcpCwr) && (tcp.flags & kTcpSyn) != 0)
    features |= kTcpEcn;
  return features;
}

std::uint64_t announced_by(const Packet& packet, std::uint64_t before) noexcept {
  using Opening = SessionOpening;
  constexpr std::uint64_t kLater = std::uint64_t{kTcpFinCrossed | kTcpOverlaps}
                                   << Opening::kFeatureShift;
  constexpr std::uint64_t kWindow = 0xffff, kMss = kWindow << Opening::kMssShift,
                          kScale = std::uint64_t{0xff} << Opening::kScaleShift;
  const TcpHeader& tcp = packet.tcp;
  std::uint64_t after = (before & (kLater | kWindow | kMss | kScale)) |
                        std::uint64_t{features_of(tcp)} << Opening::kFeatureShift;
  if ((tcp.flags & kTcpSyn) == 0) return after;
  if ((tcp.options & kTcpOptionMss) != 0)
    after = (after & ~kMss) | std::uint64_t{tcp.mss} << Opening::kMssShift;
  const bool scales = (tcp.options & kTcpOptionWindowScale) != 0;
  const std::uint64_t scale = scales ? tcp.window_scale : kNoWindowScale;
  return (after & ~(kWindow | kScale)) | tcp.window | scale << Opening::kScaleShift;
}

void announce(TcpHeader& syn, std::uint8_t features) noexcept {
  if ((features & kTcpSackPermitted) != 0) syn.options |= kTcpOptionSackPermitted;
  if ((features & kTcpTimestamps) != 0) syn.options |= kTcpOptionTimestamp;
  if ((features & kTcpFastOpen) != 0) syn.options |= kTcpOptionFastOpen;
  if ((features & kTcpMptcp) != 0) syn.options |= kTcpOptionMptcp;
  if ((features & kTcpMd5OrAo) != 0) syn.options |= kTcpOptionMd5OrAo;
  if ((features & kTcpEcn) != 0) syn.flags |= kTcpEce | kTcpCwr;
}

// --- What records ask -------------------------------------------------------------------------

DurationNs window_closed_ns(const TcpDetail& detail, unsigned side, Timestamp end) noexcept {
  DurationNs closed = detail.window_closed_ns[side];
  if ((detail.closed_windows >> side & 1) != 0 && detail.window_closed[side] < end)
    closed += std::min(duration_between(detail.window_closed[side], end), kDurationMax - closed);
  return closed;
}

std::uint64_t tcp_missed_bytes(const Session& s, const Extension* extension,
                               unsigned side) noexcept {
  const unsigned peer = side ^ 1;
  if (!s.hot.has(kSessionSeen0, side) || !s.hot.has(kSessionAck0, peer)) return 0;
  const std::uint32_t acknowledged = s.hot.acknowledged[peer];
  const std::uint32_t ahead = acknowledged - sent_end(s.hot, side);
  const std::uint32_t beyond = ahead <= kJumpMax ? ahead : 0;
  if (extension == nullptr) return beyond;
  const std::uint32_t missing = extension->gap_bytes[side];
  const std::uint32_t open =
      gap_bytes_between(*extension, side, acknowledged, sent_end(s.hot, side));
  return std::uint64_t{beyond} + missing - std::min(open, missing);
}

}  // namespace linger
