// What the kernel lost of packets for sockets that a library opened and does not tell about: DPDK's
// drivers net_af_packet and net_af_xdp. The sockets are found among the files of this process.
// Thread: control.
#pragma once

#include <cstdint>
#include <vector>

namespace linger {

// Descriptors of this process's AF_PACKET and AF_XDP sockets.
std::vector<int> packet_sockets();

class KernelSockets {
 public:
  // Those that are open now and were not before.
  void watch_new(const std::vector<int>& before);

  bool is_empty() const noexcept { return sockets_.empty(); }
  // Packets that found no room since the sockets were opened.
  std::uint64_t lost() noexcept;

 private:
  struct Socket {
    int descriptor;
    bool is_xdp;
  };
  std::vector<Socket> sockets_;
  std::uint64_t packet_lost_ = 0;  // AF_PACKET forgets its counts as it tells them
};

}  // namespace linger
