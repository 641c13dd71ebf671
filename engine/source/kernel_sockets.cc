#include "engine/source/kernel_sockets.h"

#include "engine/base/socket_headers.h"

// clang-format off
#include <linux/if_packet.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <unistd.h>
// clang-format on

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <string>

namespace linger {
namespace {

int family_of(int descriptor) noexcept {
  int family = -1;
  socklen_t size = sizeof family;
  return getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &family, &size) == 0 ? family : -1;
}

}  // namespace

std::vector<int> packet_sockets() {
  std::vector<int> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", error)) {
    const std::string name = entry.path().filename();
    int descriptor = -1;
    std::from_chars(name.data(), name.data() + name.size(), descriptor);
    const int family = family_of(descriptor);
    if (family == AF_PACKET || family == AF_XDP) found.push_back(descriptor);
  }
  return found;
}

void KernelSockets::watch_new(const std::vector<int>& before) {
  for (const int descriptor : packet_sockets())
    if (std::ranges::count(before, descriptor) == 0)
      sockets_.push_back({descriptor, family_of(descriptor) == AF_XDP});
}

std::uint64_t KernelSockets::lost() noexcept {
  std::uint64_t xdp_lost = 0;
  for (const Socket& socket : sockets_) {
    if (socket.is_xdp) {
      xdp_statistics statistics{};
      socklen_t size = sizeof statistics;
      if (getsockopt(socket.descriptor, SOL_XDP, XDP_STATISTICS, &statistics, &size) == 0)
        xdp_lost += statistics.rx_dropped + statistics.rx_ring_full;
    } else {
      tpacket_stats statistics{};
      socklen_t size = sizeof statistics;
      if (getsockopt(socket.descriptor, SOL_PACKET, PACKET_STATISTICS, &statistics, &size) == 0)
        packet_lost_ += statistics.tp_drops;
    }
  }
  return packet_lost_ + xdp_lost;
}

bool is_promiscuous(unsigned index) noexcept {
  ifreq request{};
  if (if_indextoname(index, request.ifr_name) == nullptr) return false;
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const bool is_known = fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &request) == 0;
  if (fd >= 0) close(fd);
  return is_known && (request.ifr_flags & IFF_PROMISC) != 0;
}

Promiscuity::~Promiscuity() {
  if (descriptor_ >= 0) close(descriptor_);
}

bool Promiscuity::begin(unsigned index) noexcept {
  constexpr int kNoFrames = 0;
  descriptor_ = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, kNoFrames);
  packet_mreq membership{};
  membership.mr_ifindex = static_cast<int>(index);
  membership.mr_type = PACKET_MR_PROMISC;
  return descriptor_ >= 0 && setsockopt(descriptor_, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &membership,
                                        sizeof membership) == 0;
}

}  // namespace linger
