// What DPDK's drivers net_af_packet and net_af_xdp leave to do for the interface of the kernel that
// they open: to tell what the kernel lost of packets for their sockets, which are found among the
// files of this process, and to end promiscuous mode. Thread: control.
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

// Whether somebody has set the flag of this interface.
bool is_promiscuous(unsigned index) noexcept;

// Promiscuous mode that ends with this object, or with the process however that ends. The drivers
// set the flag of the interface, which would stay.
class Promiscuity {
 public:
  Promiscuity() = default;
  Promiscuity(const Promiscuity&) = delete;
  Promiscuity& operator=(const Promiscuity&) = delete;
  ~Promiscuity();

  bool begin(unsigned index) noexcept;

 private:
  int descriptor_ = -1;
};

}  // namespace linger
