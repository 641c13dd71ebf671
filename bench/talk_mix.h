// Sessions with something to say, out of a seed: conversations of HTTP, TLS, DNS and QUIC in the
// shares that a network of offices has, in time order, with the truth beside it.
//
//     30 % DNS     a query and its answer
//     20 % HTTP    three transactions over one connection
//     35 % TLS     1.2 with certificates, resumed, 1.3; then protected records
//     15 % QUIC    Initial packets, then short headers
//
// 43 packets and 34 kB a session on the average; certificates repeat, as those of servers do. Each
// conversation is made once by the packet builder; a session is a copy with addresses and ports of
// its own, and right checksums. Same seed, same bytes. Memory: 24 bytes for each session that is
// not over. Owner: one thread.
#pragma once

#include <cstdint>
#include <queue>
#include <random>
#include <vector>

#include "bench/traffic.h"
#include "tests/support/packet_builder.h"

namespace linger::bench {

class TalkMix {
 public:
  TalkMix(std::uint64_t seed, std::uint64_t sessions, double sessions_per_second);

  // The next packet; its bytes hold until the next call. False: that was all.
  bool next(TrafficPacket& packet);

  // Of what was handed out so far.
  const TrafficTruth& truth() const noexcept { return truth_; }

 private:
  struct Word {  // a frame of a conversation
    DurationNs after;
    bool is_from_client;
    std::vector<std::uint8_t> bytes;
  };
  using Talk = std::vector<Word>;
  struct Turn {
    std::int64_t time;
    std::uint64_t session;
    std::uint32_t talk, word;
    friend bool operator>(const Turn& a, const Turn& b) noexcept {
      return a.time != b.time ? a.time > b.time : a.session > b.session;
    }
  };

  void add_talk(unsigned percent, const std::vector<test::Frame>& frames);
  void open(std::int64_t time);
  void write(const Word& word, std::uint64_t session);
  std::int64_t arrival_of(std::uint64_t session) const noexcept;

  const std::uint64_t sessions_;
  const double sessions_per_second_;
  std::mt19937_64 random_;
  std::vector<Talk> talks_;
  std::vector<std::uint32_t> choice_;  // of a talk, by hundredths
  std::uint64_t begun_ = 0;
  std::priority_queue<Turn, std::vector<Turn>, std::greater<>> turns_;
  std::vector<std::uint8_t> frame_;
  TrafficTruth truth_;
};

}  // namespace linger::bench
