#include "engine/source/dpdk_link.h"

// clang-format off
#include "engine/base/socket_headers.h"  // before pcap.h
// clang-format on

#include <fmt/format.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <pcap/pcap.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <memory>
#include <string_view>

#include "engine/source/link_type.h"

namespace linger {

tl::expected<std::vector<std::uint16_t>, std::string> link_types_of_files(
    const std::string& devargs) {
  constexpr std::string_view kFile = ",rx_pcap=";
  std::vector<std::uint16_t> types;
  for (std::size_t at = devargs.find(kFile); at != std::string::npos;
       at = devargs.find(kFile, at + 1)) {
    const std::size_t from = at + kFile.size();
    const std::string path = devargs.substr(from, devargs.find(',', from) - from);
    char error[PCAP_ERRBUF_SIZE] = {};
    const std::unique_ptr<pcap_t, decltype(&pcap_close)> file(
        pcap_open_offline(path.c_str(), error), &pcap_close);
    if (!file) return tl::unexpected(fmt::format("rx_pcap={}: {}", path, error));
    types.push_back(link_type_of_dlt(pcap_datalink(file.get())));
  }
  return types;
}

std::uint32_t frame_bytes_of_af_packet(const std::string& devargs) {
  constexpr std::string_view kSlot = ",framesz=";
  constexpr std::uint32_t kSlotUsual = 2'048;
  // tpacket2_hdr, sockaddr_ll, and 14 of 16 bytes for Ethernet
  constexpr std::uint32_t kBefore = 66;
  std::uint32_t slot = kSlotUsual;
  if (const std::size_t at = devargs.find(kSlot); at != std::string::npos)
    std::from_chars(devargs.data() + at + kSlot.size(), devargs.data() + devargs.size(), slot);
  return slot > kBefore ? slot - kBefore : 0;
}

std::string interface_without_ethernet(unsigned index) {
  ifreq request{};
  if (if_indextoname(index, request.ifr_name) == nullptr) return {};
  const std::string name = request.ifr_name;
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const bool is_known = fd >= 0 && ioctl(fd, SIOCGIFHWADDR, &request) == 0;
  if (fd >= 0) close(fd);
  const int kind = request.ifr_hwaddr.sa_family;
  return !is_known || kind == ARPHRD_ETHER || kind == ARPHRD_LOOPBACK ? std::string() : name;
}

std::uint32_t receive_queues_of(unsigned index) {
  char name[IF_NAMESIZE] = {};
  if (if_indextoname(index, name) == nullptr) return 0;
  const auto queues = std::filesystem::path("/sys/class/net") / name / "queues";
  std::error_code none;
  std::uint32_t count = 0;
  for (const auto& queue : std::filesystem::directory_iterator(queues, none))
    count += queue.path().filename().string().starts_with("rx-") ? 1 : 0;
  return count;
}

}  // namespace linger
