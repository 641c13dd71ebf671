// What the segments of a TCP connection say of the MPTCP connection that it is a subflow of
// (RFC 8684, version 0: RFC 6824): options as they are on the wire.
//
// Keys come from a few, so that connections of other hosts draw the same. Owner: one Talk.
#pragma once

#include <array>
#include <cstdint>

#include "output/mptcp_token.h"
#include "tests/simulation/random.h"
#include "tests/simulation/traffic.h"
#include "tests/support/packet_builder.h"

namespace linger::test {

// A connection: its hosts' keys and where it was opened. Index 0 is who opened it.
struct MptcpHosts {
  MptcpVersion version = MptcpVersion::v1;
  std::array<std::uint64_t, 2> key{};
  std::array<Address, 2> address;

  static MptcpHosts draw(Random& random, const Address& client, const Address& server);
  std::uint32_t token(unsigned host) const;
};

class Subflow {
 public:
  enum class Kind : std::uint8_t {
    none,     // plain TCP
    initial,  // MP_CAPABLE
    offered,  // MP_CAPABLE, but the server does not take it
    join,     // MP_JOIN
  };

  Subflow() = default;
  // `receiver`: the host that a join goes to.
  Subflow(Kind kind, const MptcpHosts& hosts, unsigned receiver)
      : kind_(kind), hosts_(&hosts), receiver_(receiver) {}

  bool is_spoken() const { return kind_ != Kind::none; }
  // Of the segment that `side` sends; side 0 opened the subflow.
  ByteList options(unsigned side, std::uint8_t flags, bool has_payload, Random& random);

 private:
  ByteList of_syn(unsigned side, bool is_answer, Random& random) const;
  ByteList of_third(bool has_payload) const;

  Kind kind_ = Kind::none;
  const MptcpHosts* hosts_ = nullptr;
  unsigned receiver_ = 1;
  bool has_said_third_ = false;
};

}  // namespace linger::test
