// Seeded traffic: TCP connections as their two ends live them, subflows of MPTCP too, with UDP,
// ICMP, SCTP and other protocols beside them, over a network that loses, doubles, reorders, damages
// and fragments, and a capture that misses packets and whose clock may jump.
//
// The same seed and profile give the same packets. The unambiguous profiles make nothing that an
// observer could count in two ways: there `sessions` is the truth. Thread: any.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "engine/source/memory_source.h"
#include "tests/simulation/random.h"

namespace linger::test {

struct Profile {
  const char* name = "";
  bool is_unambiguous = false;
  int tuples = 60;            // of addresses and ports
  DurationNs span = kMinute;  // in which they begin
  int reuse = 20;             // percent of connections followed by another on the same tuple
  int late = 60;              // percent with late packets
  int flood = 0;              // half-open sessions that nobody answers
  int capture_loss = 0;       // percent of packets that the capture misses
  int doubled = 0;            // percent captured twice
  int reordered = 0;          // percent delayed by up to `delay_max`
  DurationNs delay_max = 900 * kMicrosecond;
  int fragmented = 0;     // percent of frames that come in IP fragments
  int torn = 0;           // percent of these that lack one, or overlap
  int damaged = 0;        // percent of frames damaged on the way
  int offloaded = 0;      // percent of hosts whose network card computes their checksums
  int edited = 0;         // percent of hosts whose frames were changed, but not the checksums
  int retransmitted = 5;  // percent of segments sent again, in part or with others
  int unseen = 10;        // percent of these after which a side sends what the capture misses,
  std::uint32_t unseen_max = 100'000;  // so many bytes at most
  int rounds = 8;                      // of data and acknowledgments, at most
  int wild = 0;                        // percent of connections with segments that make no sense
  int rare = 20;                       // percent of connections with a rare opening, course or end
  int idle = 10;                       // percent of connections that pause for long
  int icmp_errors = 10;                // percent of tuples with ICMP errors about them
  bool other_protocols = true;
  bool mptcp = false;  // TCP connections are subflows
  bool time_jumps = false;
  DurationNs timestamp_noise = 0;
};
extern const std::vector<Profile> kProfiles;

struct Traffic {
  std::vector<MemoryPacket> packets;              // in the order of capture
  std::map<std::string, std::uint64_t> sessions;  // how many were made, by tuple
};

Traffic make_traffic(const Profile& profile, std::uint64_t seed);

// "tcp 10.0.0.1:40000 10.0.0.2:80", the smaller end first; of a record or a packet.
std::string tuple_text(std::uint8_t protocol, const IpAddress& a, std::uint16_t a_port,
                       const IpAddress& b, std::uint16_t b_port);

}  // namespace linger::test
