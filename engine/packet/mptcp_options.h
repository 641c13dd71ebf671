// MPTCP options of a segment (RFC 8684 §3, version 0: RFC 6824 §3): what they say of connection and
// subflow. The data sequence mapping, which most segments carry, says nothing here but DATA_FIN.
//
//     | kind 30 | length | subtype, flags | ...
//
// Cost: decode asks is_mptcp_signal() of each option; only segments with a signal are read.
#pragma once

#include <array>
#include <cstdint>

#include "engine/base/mptcp.h"

namespace linger {

inline constexpr std::uint8_t kTcpOptionKindMptcp = 30;

enum MptcpSubtype : std::uint8_t {  // RFC 8684 §8.2
  kMptcpCapable = 0,
  kMptcpJoin = 1,
  kMptcpDss = 2,
  kMptcpAddAddress = 3,
  kMptcpRemoveAddress = 4,
  kMptcpPriority = 5,
  kMptcpFail = 6,
  kMptcpFastclose = 7,
  kMptcpReset = 8,
};

struct MptcpSignals {
  std::uint16_t subtypes = 0;  // a bit for each that was read: 1 << MptcpSubtype; DSS: DATA_FIN
  MptcpVersion version = MptcpVersion::unknown;  // of MP_CAPABLE
  std::uint64_t sender_key = 0;                  // of MP_CAPABLE; 0: not there
  std::uint64_t receiver_key = 0;
  std::uint32_t receiver_token = 0;  // of MP_JOIN in a SYN
  std::uint8_t address_id = 0;       // of MP_JOIN in a SYN or SYN-ACK
  bool backup = false;               // of MP_JOIN in a SYN or SYN-ACK, of MP_PRIO
  std::uint8_t address_count = 0;
  // Of ADD_ADDR, without echoes; as many as options can hold.
  std::array<MptcpAddress, 5> addresses;
  std::uint64_t removed = 0;  // of REMOVE_ADDR: a bit for each address ID, modulo 64

  bool has(MptcpSubtype subtype) const noexcept { return (subtypes >> subtype & 1) != 0; }
};

// `value`: the option's bytes behind its length.
inline bool is_mptcp_signal(const std::uint8_t* value, std::uint8_t value_bytes) noexcept {
  constexpr std::uint8_t kDataFin = 0x10;  // RFC 8684 §3.3
  if (value_bytes < 1 || value[0] >> 4 != kMptcpDss) return value_bytes >= 1;
  return value_bytes >= 2 && (value[1] & kDataFin) != 0;
}

// Any TCP options, `bytes` of them, at most 40; what is malformed is not there.
MptcpSignals read_mptcp_options(const std::uint8_t* options, std::uint32_t bytes) noexcept;

}  // namespace linger
