// Every capture of the project and what linger has to say about it: the one list behind pcaps/*,
// pcaps/MANIFEST.md and tests/golden. A golden run is one command line; most captures have one of
// their own name, some are read by another run as well.
//
// The frames come from PacketBuilder and are the same on every machine: a test compares the files
// in pcaps/ with what the generator makes. A capture shows one behaviour and is as small as that
// allows.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/source/capture_writer.h"
#include "tests/support/packet_builder.h"

namespace linger::test {

struct CaptureFile {
  std::string name;  // with .pcap or .pcapng
  ByteList bytes;
  Frames frames = {};  // of a capture, the same once more
};

struct GoldenRun {
  std::string name;
  std::vector<std::string> files;
  std::string settings;  // of --set, separated by blanks
  int exit_code = 0;
  bool hits_limit = false;  // chains of records are compared with those of a run without the limit
  std::string proves;
};

struct Expected {
  std::string settings = {};
  int exit_code = 0;
  bool hits_limit = false;
};

class Catalogue {
 public:
  // A capture NAME.pcap with the frames as they stand, and a run of its name.
  void capture(std::string_view name, std::string_view proves, const Frames& frames,
               const Expected& expected = {});
  // The same with other bytes than PcapWriter's usual ones; the file's name is given in full.
  void file(std::string_view file_name, std::string_view proves, const ByteList& bytes,
            const Expected& expected = {});
  // One more run over captures that are there.
  void run(std::string_view name, std::string_view proves, std::vector<std::string> files,
           const Expected& expected = {});

  const std::vector<CaptureFile>& files() const { return files_; }
  const std::vector<GoldenRun>& runs() const { return runs_; }

 private:
  std::vector<CaptureFile> files_;
  std::vector<GoldenRun> runs_;
};

// The groups, a file each.
void add_late_captures(Catalogue& catalogue);
void add_tcp_captures(Catalogue& catalogue);
void add_tcp_anomaly_captures(Catalogue& catalogue);
void add_tuple_captures(Catalogue& catalogue);
void add_protocol_captures(Catalogue& catalogue);
void add_link_captures(Catalogue& catalogue);
void add_fragment_captures(Catalogue& catalogue);
void add_clock_captures(Catalogue& catalogue);
void add_tunnel_captures(Catalogue& catalogue);
void add_checksum_captures(Catalogue& catalogue);
void add_mptcp_captures(Catalogue& catalogue);
void add_application_captures(Catalogue& catalogue);
void add_rule_captures(Catalogue& catalogue);

// What the groups build with: hosts of the documentation prefixes (RFC 5737, RFC 3849).
struct Hosts {
  Endpoint client;
  Endpoint server;
};
Hosts hosts(unsigned number, unsigned version = 4);

// The same conversation over IPv4 and over IPv6, in order of time.
Frames over_both(const std::function<void(TcpPeers&)>& talk);

// Frames that are no sessions but let time pass: ARP requests, `step` apart.
void tick(Frames& frames, std::int64_t from, std::int64_t to, DurationNs step);

// A request and its answer, a millisecond apart, from `time` on.
void exchange(TcpPeers& tcp, std::int64_t time);

ByteList pcap_of(const Frames& frames, PcapFormat format = {});

}  // namespace linger::test
