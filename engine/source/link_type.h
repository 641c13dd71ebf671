// LINKTYPE_ values, which captures have, and libpcap's DLT_: the same but for a few old ones, of
// which raw IP is the one in use.
#pragma once

#include <pcap/dlt.h>

#include <cstdint>

namespace linger {

inline constexpr std::uint16_t kLinkEthernet = 1;
inline constexpr std::uint16_t kLinkRawIp = 101;

constexpr std::uint16_t link_type_of_dlt(int dlt) noexcept {
  return dlt == DLT_RAW ? kLinkRawIp : static_cast<std::uint16_t>(dlt);
}
constexpr int dlt_of(std::uint16_t link_type) noexcept {
  return link_type == kLinkRawIp ? DLT_RAW : link_type;
}

}  // namespace linger
