// One TCP connection as its two ends live it: who says what when, with which numbers, and what
// comes of it late.
#pragma once

#include <cstdint>

#include "tests/simulation/checksums.h"
#include "tests/simulation/subflow.h"
#include "tests/simulation/wire.h"

namespace linger::test {

struct Ends {
  Endpoint client;
  Endpoint server;
};

class Talk {
 public:
  Talk(const Profile& profile, Wire& wire, Random& random, const Ends& ends, DurationNs start,
       std::uint32_t client_isn, std::uint32_t server_isn);

  // The whole life. How it ended, for whoever wants to use the tuple again.
  enum class End : std::uint8_t { finished, cut, open };
  End live();

  // The first of its tuple may be without beginning or answer; of a later one nobody could tell.
  void set_first() { is_first_ = true; }
  void speak_mptcp(const Subflow& subflow) { subflow_ = subflow; }
  bool was_seen() const { return last_sent_ != 0; }
  DurationNs last_sent() const { return last_sent_; }  // late packets too
  const Frame& last() const { return last_; }
  void wild_segment();

 private:
  struct Segment {
    int side;
    std::uint8_t flags;
    std::uint32_t payload_bytes = 0;
    std::int32_t sequence_offset = 0;
    std::int32_t acknowledgment_offset = 0;
  };

  void pass(DurationNs low, DurationNs high) { now_ += random_.log_between(low, high); }
  TcpOptions options_of_syn();
  std::uint8_t marks(std::uint8_t flags);
  void send(const Segment& segment);
  void say(const Segment& segment);  // send, and the numbers move on
  // As many bytes as it has sent at most: what it can send again.
  std::uint32_t old_bytes(int side, std::int64_t count_max);
  bool open();
  bool open_rarely();
  void speak();
  void speak_once();
  void pause();
  End close();
  End close_rarely();
  void fin_from(int side);
  void rst_from(int side);
  void late(End end);
  void late_packet(End end);

  const Profile& profile_;
  Wire& wire_;
  Random& random_;
  const Ends& ends_;
  DurationNs now_;
  DurationNs last_sent_ = 0;
  std::uint32_t isn_[2];
  std::uint32_t first_[2];  // number of the first byte that the capture could see
  std::uint32_t next_[2];
  std::uint32_t seen_[2];  // what each end has taken of the other
  std::uint16_t window_[2] = {65'535, 65'535};
  std::uint16_t ip_id_[2] = {0, 0};
  Checksums checksums_[2];
  Subflow subflow_;
  bool has_window_scale_;
  bool has_ip_ids_;
  bool has_ecn_;
  bool is_vlan_;
  bool is_one_way_ = false;
  bool is_first_ = false;
  bool has_paused_ = false;
  Frame last_;
};

}  // namespace linger::test
