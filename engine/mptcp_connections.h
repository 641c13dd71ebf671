// MPTCP connections put together from their subflows, which live in different shards: one mptcp-end
// record for each.
//
//     shard 0 ─ subflow begins, ends ─┐
//     shard N ─ subflow begins, ends ─┴─> by token ─> connection ─> all its subflows ended
//
// Subflows that share a token are one connection, as long as each begins at most mptcpTimeout after
// the last packet of those before it: tokens are 32 bits, and another connection may draw the same.
// A subflow that was cut goes on as the session that `continues` it, within the same time: one
// path. Two connections whose tokens clash have initial subflows of other keys; tokens are unique
// in a host (RFC 8684 §3.2), so a join belongs to the one whose host has its receiver's address. A
// connection is told when its subflows have ended and all shards have come so far that no other can
// belong to it. So what is told depends on packets alone, not on shards nor on the order in which
// news of them come.
//
// Owner: one thread. Limits: mptcpPool subflows; beyond, the connection known longest is told early
// (counted); so is one of kGroupMax subflows, as each is held against the others when they are
// told. Allocates: it works behind the data path.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <unordered_map>
#include <vector>

#include "engine/base/counters.h"
#include "output/mptcp_connection.h"
#include "output/mptcp_token.h"

namespace linger {

// A subflow begins, as soon as it names its connection (and again, when it knows more), and ends.
struct MptcpNotice {
  bool has_ended = false;
  ClockNs clock = 0;     // of the packet that says so; at the end, of its last packet
  MptcpPath path;        // at the beginning only its id; sides are the session's own
  MptcpSubflow subflow;  // likewise; at the beginning the order of sides is not told
  Id128 continues;       // the session that was cut; 0: none

  // Or did so before: a SYN that comes later may offer another one instead.
  bool names_connection() const noexcept {
    return subflow.host[0].is_known() || subflow.host[1].is_known() || continues.is_set();
  }
};

class MptcpConnections {
 public:
  using Tell = std::function<void(const MptcpConnection&)>;
  static constexpr std::size_t kGroupMax = 1'024;

  MptcpConnections(DurationNs timeout, std::size_t subflows_max, MptcpCounters& counters,
                   Tell tell);

  void add(const MptcpNotice& notice);
  // Every notice up to this clock has been added.
  void advance(ClockNs now);
  // The end of the run: all are told.
  void finish();

 private:
  struct Member {
    ClockNs begun = 0;
    ClockNs last = 0;
    bool has_ended = false;
    MptcpPath path;
    MptcpSubflow subflow;
    std::array<std::uint32_t, 2> token{};    // of subflow.host
    std::map<std::uint32_t, ClockNs> named;  // tokens, of whichever side, since when it has them
    Id128 continues;

    bool is_named(ClockNs at) const noexcept {
      return std::ranges::any_of(named, [at](const auto& name) { return name.second <= at; });
    }
    bool is_initial() const noexcept { return subflow.role == MptcpRole::initial; }
  };
  using Members = std::map<Id128, Member>;
  struct Group {  // subflows that share tokens: mostly one connection
    std::uint64_t number = 0;
    Members members;
    std::set<std::uint32_t> tokens;
    std::size_t open = 0;
    ClockNs last = 0;
    bool is_scheduled = false;
    ClockNs due = 0;
  };
  using Run = std::vector<const Member*>;

  // Null: it continues what is not known, or not any more.
  Group* group_of(const MptcpNotice& notice, const std::array<std::uint32_t, 2>& tokens);
  Group* merge(Group& to, Group& from);
  void schedule(Group& group);
  void unschedule(Group& group);
  void remove(std::uint64_t number);
  void tell_early(const Group& group, Counter& why);
  void tell_group(const Group& group);
  void tell_run(const Run& run);
  void tell_connection(const Run& run);
  void tell_addresses(const std::vector<MptcpPath>& paths,
                      const std::vector<MptcpAddress>& announced);

  const DurationNs timeout_;
  const std::size_t subflows_max_;
  MptcpCounters& counters_;
  Tell tell_;
  MptcpTokens tokens_;
  std::map<std::uint64_t, Group> groups_;  // by number: in the order in which they came
  std::unordered_map<std::uint32_t, std::uint64_t> by_token_;
  std::map<Id128, std::uint64_t> by_session_;
  std::set<std::pair<ClockNs, std::uint64_t>> due_;  // groups without an open subflow
  std::size_t subflows_ = 0;
  std::uint64_t next_number_ = 0;
  std::unique_ptr<MptcpConnection> connection_ = std::make_unique<MptcpConnection>();
};

}  // namespace linger
