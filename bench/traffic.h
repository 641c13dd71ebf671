// Session traffic out of a seed: TCP sessions as frames, in time order, with the truth beside it.
//
// A session is handshake, request, response with an ACK for every second segment, close, and RSTs
// that come late:
//
//     SYN  SYN-ACK  ACK | request… | response response ACK … | FIN FIN ACK  or  RST | RST … RST
//                                                                                 late_after
//
// Each tuple belongs to one session at a time: sessions take them in a scattered order from the
// pools of clients, ports and servers, and come back to the first one when all are used. Initial
// sequence numbers come from the tuple and a clock (RFC 9293 §3.4.1), so that a reused tuple never
// repeats numbers. Same options, same bytes. Memory: one small entry for each session that is not
// over, late RSTs included. Cost: about 150 ns a packet. Owner: one thread.
#pragma once

#include <cstdint>
#include <queue>
#include <random>
#include <span>
#include <vector>

#include "bench/frame_writer.h"
#include "engine/base/time.h"

namespace linger::bench {

struct Range {
  std::uint32_t min = 0;
  std::uint32_t max = 0;
};

struct TrafficOptions {
  std::uint64_t seed = 1;
  std::uint64_t sessions = 1'000'000;  // begun by clients; reuse and floods add to them
  double sessions_per_second = 100'000;
  DurationNs packet_gap = 10 * kMillisecond;  // between packets of a session, 0.5 to 1.5 times this
  Range request_bytes = {32, 32};
  Range response_bytes = {64, 64};
  std::uint32_t segment_bytes = 1460;       // payload of a full segment, at most kSegmentBytesMax
  double reset_share = 0;                   // sessions that the client closes by a RST
  std::vector<DurationNs> late_after = {};  // after the close, a RST of the client each
  double repeat_share = 0;                  // segments with payload that are sent again at once
  double reuse_share = 0;                   // closed sessions whose tuple opens another one …
  DurationNs reuse_after = kSecond;         // … so much later
  double ipv6_share = 0;
  std::uint32_t clients = 65'536;  // addresses; each has 64,512 ports
  std::uint32_t servers = 1'024;
  std::uint32_t server_ports = 1;    // of each server, from 443 on
  double flood_syns_per_second = 0;  // to one more server, each from a tuple of its own
  Wrapping wrapping = Wrapping::none;
};

struct TrafficTruth {
  std::uint64_t sessions = 0;  // flood and reuse included
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;  // of the frames
  std::uint64_t late_packets = 0;
  std::uint64_t repeated_packets = 0;
  std::uint64_t reused = 0;      // sessions on the tuple of an earlier one by reuse_share
  std::uint64_t flood_syns = 0;  // sessions of one SYN
  DurationNs duration = 0;       // of packet time
};

struct TrafficPacket {
  std::int64_t timestamp_ns = 0;  // since 1970
  std::span<const std::uint8_t> bytes;
  bool is_from_server = false;
};

class Traffic {
 public:
  explicit Traffic(const TrafficOptions& options);

  // The next packet; its bytes hold until the next call. False: that was all.
  bool next(TrafficPacket& packet);

  // Of what was handed out so far.
  const TrafficTruth& truth() const noexcept { return truth_; }

 private:
  // What a session sends next.
  enum class Stage : std::uint8_t {
    syn,
    syn_ack,
    ack,
    request,
    response,
    response_ack,
    client_fin,
    server_fin,
    last_ack,
    rst,
    late_rst,
  };
  struct Session {
    std::uint64_t tuple;
    std::uint32_t isn[2];
    std::uint32_t sent[2];  // payload bytes of client and server so far
    std::uint32_t to_send[2];
    Stage stage;
    bool repeats;  // the next segment is one that was sent already
    std::uint8_t unacknowledged;
    std::uint8_t late_sent;
    std::uint8_t fin;  // 1: the client closed by a FIN
    std::int64_t closed_at;
  };
  struct Turn {
    std::int64_t time;
    std::uint32_t slot;
    friend bool operator>(const Turn& a, const Turn& b) noexcept {
      return a.time != b.time ? a.time > b.time : a.slot > b.slot;
    }
  };

  void open(std::uint64_t tuple, std::int64_t time);
  Segment advance(Session& session);
  void end_of_stage(Session& session, std::int64_t time);
  void emit_flood_syn(TrafficPacket& packet);
  void emit(const Segment& segment, std::int64_t time, TrafficPacket& packet);
  std::int64_t arrival_of(std::uint64_t ordinal, double per_second) const noexcept;
  FlowKey key_of(std::uint64_t tuple) const noexcept;
  std::uint64_t tuple_of(std::uint64_t ordinal) const noexcept;
  double chance() { return static_cast<double>(random_() >> 11) * 0x1p-53; }  // [0, 1)
  bool happens(double share) { return share > 0 && chance() < share; }
  std::uint32_t pick(Range range);
  DurationNs gap();

  TrafficOptions options_;
  FrameWriter writer_;
  TrafficTruth truth_;
  std::mt19937_64 random_;
  std::uint64_t tuples_;  // size of the pool
  std::uint64_t begun_ = 0;
  std::int64_t flood_until_;
  std::vector<Session> sessions_;
  std::vector<std::uint32_t> free_;
  std::priority_queue<Turn, std::vector<Turn>, std::greater<>> turns_;
  std::vector<std::uint8_t> frame_;
};

}  // namespace linger::bench
