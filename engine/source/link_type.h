// LINKTYPE_ values, which captures have, as libpcap's DLT_: the same but for a few old ones.
#pragma once

#include <pcap/dlt.h>

#include <cstdint>

#include "engine/packet/link_type.h"

namespace linger {

struct OldDlt {
  LinkType link_type;
  int dlt;
};
inline constexpr OldDlt kOldDlts[] = {
    {kRaw, DLT_RAW}, {kRawBsd, DLT_RAW}, {kAtmRfc1483, DLT_ATM_RFC1483}, {kAtmClip, DLT_ATM_CLIP}};

constexpr std::uint16_t link_type_of_dlt(int dlt) noexcept {
  for (const OldDlt& old : kOldDlts)
    if (old.dlt == dlt) return old.link_type;
  return static_cast<std::uint16_t>(dlt);
}
constexpr int dlt_of(std::uint16_t link_type) noexcept {
  for (const OldDlt& old : kOldDlts)
    if (old.link_type == link_type) return old.dlt;
  return link_type;
}

}  // namespace linger
