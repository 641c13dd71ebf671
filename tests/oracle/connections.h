// MPTCP connections for the oracle: ARCHITECTURE ("MPTCP") and the rules that
// engine/mptcp_connections.h states, read aloud. All subflows of a run are known before the first
// connection is told, so that nothing depends on when news came.
#pragma once

#include <vector>

#include "output/mptcp_connection.h"
#include "tests/oracle/model.h"

namespace linger::test {

// A session that speaks MPTCP, when it has ended; sides as in its record.
struct ModelPart {
  Record record;
  MptcpSubflow said;
  std::array<std::uint32_t, 2> token{};  // 0: not known
  std::map<std::uint32_t, ClockNs> named;
  ClockNs begun = 0;
  ClockNs last = 0;
};
ModelPart part_of(const ModelSession& s, const Record& record);

std::vector<MptcpConnection> connections_of(std::vector<ModelPart> parts, DurationNs timeout);

}  // namespace linger::test
