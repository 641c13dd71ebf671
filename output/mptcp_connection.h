// What an mptcp-end record lists beside its Record: the subflows of one MPTCP connection, and the
// addresses that were announced in vain. Kept apart, so that the records of sessions stay small.
//
// Owner: whoever filled it, then whoever took it from the ring. Trivially copyable, no pointers.
// Limits: kMptcpPathsMax subflows and kMptcpUnusedMax addresses; the record's totals count all.
#pragma once

#include <array>
#include <cstdint>
#include <type_traits>

#include "engine/base/id.h"
#include "engine/base/mptcp.h"
#include "engine/base/time.h"
#include "output/record.h"

namespace linger {

// One subflow. Index 0 is the connection's source, whoever opened the subflow.
struct MptcpPath {
  Id128 id;  // event.id of its session
  Timestamp start;
  Timestamp end;
  std::array<IpAddress, 2> address;
  std::array<std::uint16_t, 2> port{};
  std::array<std::uint64_t, 2> packets{};
  std::array<std::uint64_t, 2> bytes{};
  std::array<std::uint64_t, 2> payload_bytes{};
  std::array<std::uint8_t, 2> address_id{};
  std::array<bool, 2> backup{};
  std::uint8_t ip_version = 0;
  MptcpRole role = MptcpRole::none;
  bool is_by_destination = false;  // the connection's destination opened it
  std::uint16_t share = 0;         // of the connection's payload, in thousandths, rounded

  std::uint64_t payload() const noexcept { return payload_bytes[0] + payload_bytes[1]; }
};

inline constexpr std::size_t kMptcpPathsMax = 32;
inline constexpr std::size_t kMptcpUnusedMax = 16;

struct MptcpConnection {
  Record record;
  std::uint8_t path_count = 0;
  std::uint8_t unused_count = 0;
  std::array<MptcpPath, kMptcpPathsMax> paths;
  std::array<MptcpAddress, kMptcpUnusedMax> unused;  // side: 0 the connection's source
};
static_assert(std::is_trivially_copyable_v<MptcpConnection>);

}  // namespace linger
