// What a TCP session tells of the MPTCP connection it is a subflow of (RFC 8684; version 0: RFC
// 6824): shared by the session table, which notes it, and records, which tell it.
//
// A connection is known by the tokens of its hosts, hashes of the keys that the initial subflow
// exchanges: the handshake shows the keys, a joining SYN the token of its receiver. Keys are hashed
// where records are written, not on the data path. Pairs are of session sides, in records of source
// and destination. Limit: kMptcpAddressesMax announced addresses a subflow. Trivially copyable.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

#include "engine/base/flow_key.h"

namespace linger {

// X(name, word, help)
#define LINGER_MPTCP_VERSIONS(X)    \
  X(unknown, "unknown", "not seen") \
  X(v0, "0", "RFC 6824")            \
  X(v1, "1", "RFC 8684")

// What a session is in its connection: X(name, word, help)
#define LINGER_MPTCP_ROLES(X)                                   \
  X(none, "none", "no MPTCP")                                   \
  X(offered, "offered", "MP_CAPABLE was offered and not taken") \
  X(initial, "initial", "the first subflow, with MP_CAPABLE")   \
  X(join, "join", "a later subflow, with MP_JOIN")              \
  X(mid_stream, "mid-stream", "began before the capture: its connection is not known")

#define LINGER_MPTCP_ENUM(name, word, help) name,
#define LINGER_MPTCP_WORD(name, word, help) std::string_view{word},
enum class MptcpVersion : std::uint8_t { LINGER_MPTCP_VERSIONS(LINGER_MPTCP_ENUM) };
enum class MptcpRole : std::uint8_t { LINGER_MPTCP_ROLES(LINGER_MPTCP_ENUM) };
inline constexpr std::array kMptcpVersionWords = {LINGER_MPTCP_VERSIONS(LINGER_MPTCP_WORD)};
inline constexpr std::array kMptcpRoleWords = {LINGER_MPTCP_ROLES(LINGER_MPTCP_WORD)};
#undef LINGER_MPTCP_ENUM
#undef LINGER_MPTCP_WORD

// One host of a connection, by its key or by its token; both 0: not known.
struct MptcpHost {
  std::uint64_t key = 0;
  std::uint32_t token = 0;
  MptcpVersion version = MptcpVersion::unknown;  // of `key`: says how it is hashed

  bool is_known() const noexcept { return key != 0 || token != 0; }
  bool operator==(const MptcpHost&) const = default;
};

struct MptcpAddress {  // announced with ADD_ADDR
  IpAddress address;
  std::uint16_t port = 0;  // 0: that of the initial subflow
  std::uint8_t ip_version = 0;
  std::uint8_t id = 0;
  std::uint8_t side = 0;  // who announced it
};

inline constexpr std::size_t kMptcpAddressesMax = 8;

struct MptcpSubflow {
  std::array<MptcpHost, 2> host;
  MptcpVersion version = MptcpVersion::unknown;
  MptcpRole role = MptcpRole::none;
  std::array<std::uint8_t, 2> address_id{};
  std::array<bool, 2> backup{};     // this side asks that the subflow be used only as backup
  std::array<bool, 2> data_fin{};   // this side closed the connection here
  std::array<bool, 2> fastclose{};  // this side aborted the connection here
  std::array<bool, 2> reset{};      // this side gave a reason for its RST (MP_TCPRST)
  std::array<bool, 2> fail{};       // this side said that a checksum failed (MP_FAIL)
  std::uint8_t address_count = 0;
  std::array<MptcpAddress, kMptcpAddressesMax> addresses;
  std::array<std::uint64_t, 2> removed{};  // REMOVE_ADDR: a bit for each address ID, modulo 64

  // Hosts by which the subflow names its connection.
  int known_hosts() const noexcept {
    if (role != MptcpRole::initial && role != MptcpRole::join) return 0;
    return (host[0].is_known() ? 1 : 0) + (host[1].is_known() ? 1 : 0);
  }
  void reverse() noexcept {
    std::swap(host[0], host[1]);
    std::swap(address_id[0], address_id[1]);
    std::swap(removed[0], removed[1]);
    for (auto* pair : {&backup, &data_fin, &fastclose, &reset, &fail})
      std::swap((*pair)[0], (*pair)[1]);
    for (MptcpAddress& announced : addresses) announced.side ^= 1;
  }
};
static_assert(sizeof(MptcpSubflow) == 240);

}  // namespace linger
