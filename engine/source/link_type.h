// LINKTYPE_ values, which captures have, as libpcap's DLT_: the same but for a few old ones, of
// which raw IP is the one in use.
#pragma once

#include <pcap/dlt.h>

#include <cstdint>

#include "engine/packet/link_type.h"

namespace linger {

constexpr std::uint16_t link_type_of_dlt(int dlt) noexcept {
  return dlt == DLT_RAW ? std::uint16_t{kRaw} : static_cast<std::uint16_t>(dlt);
}
constexpr int dlt_of(std::uint16_t link_type) noexcept {
  return link_type == kRaw ? DLT_RAW : link_type;
}

}  // namespace linger
