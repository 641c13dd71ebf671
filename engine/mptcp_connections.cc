#include "engine/mptcp_connections.h"

#include <algorithm>
#include <bit>
#include <list>
#include <optional>
#include <utility>

#include "sessiontable/planted.h"

namespace linger {
namespace {

// The subflow as the connection sees it: its sides, when the destination opened it, are swapped.
MptcpPath reversed(MptcpPath path) noexcept {
  std::swap(path.address[0], path.address[1]);
  std::swap(path.port[0], path.port[1]);
  std::swap(path.packets[0], path.packets[1]);
  std::swap(path.bytes[0], path.bytes[1]);
  std::swap(path.payload_bytes[0], path.payload_bytes[1]);
  std::swap(path.address_id[0], path.address_id[1]);
  std::swap(path.backup[0], path.backup[1]);
  path.is_by_destination = true;
  return path;
}

// By address, or, as addresses are translated on the way, by its id in a join (RFC 8684 §3.4.1).
bool uses(const MptcpPath& path, const MptcpAddress& announced) noexcept {
  const bool is_there = path.ip_version == announced.ip_version &&
                        path.address[announced.side].bytes == announced.address.bytes &&
                        (announced.port == 0 || path.port[announced.side] == announced.port);
  return is_there ||
         (path.role == MptcpRole::join && path.address_id[announced.side] == announced.id);
}

bool are_equal(const MptcpAddress& a, const MptcpAddress& b) noexcept {
  return a.side == b.side && a.id == b.id && a.port == b.port && a.address.bytes == b.address.bytes;
}

// What the connection's record takes from one of its subflows.
void add_to_record(Record& record, const MptcpPath& path, const MptcpSubflow& subflow) noexcept {
  record.start = std::min(record.start, path.start);
  record.end = std::max(record.end, path.end);
  for (std::size_t side = 0; side < 2; ++side) {
    record.packets[side] += path.packets[side];
    record.bytes[side] += path.bytes[side];
    record.payload_bytes[side] += path.payload_bytes[side];
    const std::size_t own = path.is_by_destination ? side ^ 1 : side;
    record.mptcp_data_fin[side] |= subflow.data_fin[own];
    record.mptcp_fastclose[side] |= subflow.fastclose[own];
    record.mptcp_reset[side] |= subflow.reset[own];
    record.mptcp_fail[side] |= subflow.fail[own];
  }
}

// What was cut goes on.
void extend(MptcpPath& path, const MptcpPath& more) noexcept {
  path.end = std::max(path.end, more.end);
  for (std::size_t side = 0; side < 2; ++side) {
    path.packets[side] += more.packets[side];
    path.bytes[side] += more.bytes[side];
    path.payload_bytes[side] += more.payload_bytes[side];
    path.backup[side] |= more.backup[side];
  }
}

Record make_record(const MptcpPath& first, const MptcpSubflow& subflow) noexcept {
  Record record;
  record.action = Action::mptcp_end;
  record.id = {~first.id.high, ~first.id.low};  // its own: it is not that session
  record.start = first.start;
  record.end = first.end;
  record.ip_version = first.ip_version;
  record.protocol = kProtocolTcp;
  record.address = first.address;
  record.port = first.port;
  record.mptcp_version = subflow.version;
  record.mptcp_host = subflow.host;
  return record;
}

}  // namespace

MptcpConnections::MptcpConnections(DurationNs timeout, std::size_t subflows_max,
                                   MptcpCounters& counters, Tell tell)
    : timeout_(timeout), subflows_max_(subflows_max), counters_(counters), tell_(std::move(tell)) {}

void MptcpConnections::add(const MptcpNotice& notice) {
  std::array<std::uint32_t, 2> token{};  // one that was only offered names nothing
  if (notice.subflow.known_hosts() != 0)
    token = {tokens_.of(notice.subflow.host[0]), tokens_.of(notice.subflow.host[1])};
  Group* const found = group_of(notice, token);
  if (found == nullptr) return;
  Group& group = *found;
  const auto [place, is_new] = group.members.try_emplace(notice.path.id);
  Member& member = place->second;
  if (is_new) {
    ++subflows_;
    ++group.open;
    member.begun = notice.clock;
    member.continues = notice.continues;
    by_session_[notice.path.id] = group.number;
  }
  for (const std::uint32_t name : token)
    if (name != 0) member.named.try_emplace(name, notice.clock);  // its news come in order
  if (notice.has_ended && !member.has_ended) {
    --group.open;
    member.has_ended = true;
    member.last = notice.clock;
    member.path = notice.path;
    member.subflow = notice.subflow;
    member.token = token;
    group.last = std::max(group.last, member.last);
  }
  schedule(group);
  if (group.members.size() >= kGroupMax) tell_early(group, counters_.mptcp_crowded);
  while (subflows_ > subflows_max_) tell_early(groups_.begin()->second, counters_.mptcp_early);
}

void MptcpConnections::tell_early(const Group& group, Counter& why) {
  why.add();
  tell_group(group);
  remove(group.number);
}

// The group of this subflow, or of these tokens, 0 being none: two that prove to be one are merged.
MptcpConnections::Group* MptcpConnections::group_of(const MptcpNotice& notice,
                                                    const std::array<std::uint32_t, 2>& tokens) {
  const bool has_name = notice.subflow.known_hosts() != 0;
  auto own = by_session_.find(notice.path.id);
  if (own == by_session_.end() && !has_name) own = by_session_.find(notice.continues);
  Group* group = own != by_session_.end() ? &groups_.at(own->second) : nullptr;
  if (!has_name) return group;
  for (const std::uint32_t token : tokens) {
    const auto found = by_token_.find(token);
    if (token == 0 || found == by_token_.end()) continue;
    Group& known = groups_.at(found->second);
    if (group == nullptr) {
      group = &known;
    } else if (group != &known) {
      const bool is_larger = known.members.size() > group->members.size();
      group = is_larger ? merge(known, *group) : merge(*group, known);
    }
  }
  if (group == nullptr) {
    group = &groups_[next_number_];
    group->number = next_number_++;
  }
  for (const std::uint32_t token : tokens) {
    if (token == 0) continue;
    group->tokens.insert(token);
    by_token_[token] = group->number;
  }
  return group;
}

// Costs what `from` holds.
MptcpConnections::Group* MptcpConnections::merge(Group& to, Group& from) {
  unschedule(to);
  unschedule(from);
  for (const auto& [id, member] : from.members) by_session_[id] = to.number;
  to.members.merge(from.members);
  subflows_ -= from.members.size();  // known to both
  to.open += from.open;
  to.last = std::max(to.last, from.last);
  for (const std::uint32_t token : from.tokens) by_token_[token] = to.number;
  to.tokens.merge(from.tokens);
  groups_.erase(from.number);
  return &to;
}

void MptcpConnections::schedule(Group& group) {
  unschedule(group);
  if (group.open != 0) return;
  group.is_scheduled = true;
  group.due = group.last + timeout_;
  due_.emplace(group.due, group.number);
}

void MptcpConnections::unschedule(Group& group) {
  if (group.is_scheduled) due_.erase({group.due, group.number});
  group.is_scheduled = false;
}

void MptcpConnections::remove(std::uint64_t number) {
  Group& group = groups_.at(number);
  unschedule(group);
  subflows_ -= group.members.size();
  for (const std::uint32_t token : group.tokens) by_token_.erase(token);
  for (const auto& [id, member] : group.members) by_session_.erase(id);
  groups_.erase(number);
}

void MptcpConnections::advance(ClockNs now) {
  while (!due_.empty() && due_.begin()->first < now) {
    const std::uint64_t number = due_.begin()->second;
    tell_group(groups_.at(number));
    remove(number);
  }
}

void MptcpConnections::finish() {
  while (!groups_.empty()) {
    tell_group(groups_.begin()->second);
    remove(groups_.begin()->first);
  }
}

// A group may hold more than one connection, as it depends on the shards when one that was over
// went away. So they are put together once more, by the packets' clocks alone: a token that a
// subflow comes to have leads to what has it and is not over at that moment. What goes on with a
// subflow after its connection was over is told by its session alone.
void MptcpConnections::tell_group(const Group& group) {
  struct Event {
    ClockNs clock;
    const Member* member;
    std::uint32_t token;  // 0: it begins
  };
  std::vector<Event> events;
  for (const auto& [id, member] : group.members) {
    if (!member.has_ended) continue;
    events.push_back({member.begun, &member, 0});
    for (const std::uint32_t token : member.token)
      if (token != 0) events.push_back({member.named.at(token), &member, token});
  }
  std::stable_sort(events.begin(), events.end(),
                   [](const Event& a, const Event& b) { return a.clock < b.clock; });
  struct Connection {
    Run run;
    std::set<std::uint32_t> tokens;
    ClockNs last = 0;
  };
  std::list<Connection> connections;
  std::map<const Member*, Connection*> connection_of;
  std::map<const Member*, ClockNs> joined;
  for (const auto& [clock, member, token] : events) {
    Connection*& own = connection_of[member];
    const auto is_over = [&, now = clock](const Connection& c) {
      return PLANTED(24, now > c.last + timeout_, false);
    };
    if (own == nullptr) {
      const auto is_cut = [&before = member->continues](const Member* other) {
        return other->path.id == before;
      };
      const bool has_name = member->is_named(clock);
      for (Connection& c : connections)
        if (!has_name && !is_over(c) && std::any_of(c.run.begin(), c.run.end(), is_cut)) own = &c;
      if (own == nullptr && !has_name) continue;
      if (own == nullptr) own = &connections.emplace_back();
      own->run.push_back(member);
      joined[member] = clock;
      own->last = std::max(own->last, member->last);
    }
    if (token == 0) continue;
    own->tokens.insert(token);
    const auto same = std::find_if(connections.begin(), connections.end(),
                                   [&, named = token](const Connection& c) {
                                     return &c != own && !is_over(c) && c.tokens.contains(named);
                                   });
    if (same == connections.end()) continue;
    Connection& newer = *own;  // one of them has begun with this member, or both go on as one
    same->run.insert(same->run.end(), newer.run.begin(), newer.run.end());
    same->tokens.merge(newer.tokens);
    same->last = std::max(same->last, newer.last);
    for (const Member* moved : newer.run) connection_of[moved] = &*same;
    connections.remove_if([&](const Connection& c) { return &c == &newer; });
  }
  for (Connection& connection : connections) {
    std::sort(connection.run.begin(), connection.run.end(), [&](const Member* a, const Member* b) {
      return std::pair(joined[a], a->path.id) < std::pair(joined[b], b->path.id);
    });
    tell_run(connection.run);
  }
}

namespace {

// Whoever opened them.
template <class Member>
bool have_same_tokens(const Member& a, const Member& b) {
  return std::ranges::is_permutation(a.token, b.token);
}

// Whether the other host of the connection opened `subflow`.
template <class Member>
bool is_the_other_way_round(const Member& subflow, const Member& first) {
  const auto is_shared = [&](std::size_t own, std::size_t other) {
    return subflow.token[own] != 0 && subflow.token[own] == first.token[other];
  };
  if (is_shared(0, 0) || is_shared(1, 1)) return false;
  return is_shared(0, 1) || is_shared(1, 0);
}

// Which host of `subflow` has a token of `initial`, and which one there; or nothing.
template <class Member>
std::optional<std::pair<std::size_t, std::size_t>> shared_host(const Member& subflow,
                                                               const Member& initial) {
  for (std::size_t own = 0; own < 2; ++own)
    for (std::size_t side = 0; side < 2; ++side)
      if (subflow.token[own] != 0 && subflow.token[own] == initial.token[side])
        return std::pair{own, side};
  return {};
}

// Whether the host that both name is known to have the address that the subflow goes to.
template <class Member>
bool is_at_address(const Member& subflow, const Member& initial) {
  const auto shared = shared_host(subflow, initial);
  if (!shared) return false;
  const auto& bytes = subflow.path.address[shared->first].bytes;
  const auto side = shared->second;
  if (initial.path.address[side].bytes == bytes) return true;
  const auto* end = initial.subflow.addresses.begin() + initial.subflow.address_count;
  return std::any_of(initial.subflow.addresses.begin(), end, [&](const MptcpAddress& known) {
    return known.side == side && known.address.bytes == bytes;
  });
}

}  // namespace

// One connection, or as many as there are initial subflows of other keys.
void MptcpConnections::tell_run(const Run& run) {
  Run initials;
  for (const Member* member : run) {
    const auto has_its_tokens = [&](const Member* other) {
      return have_same_tokens(*other, *member);
    };
    if (member->is_initial() && std::none_of(initials.begin(), initials.end(), has_its_tokens))
      initials.push_back(member);
  }
  if (initials.size() < 2) return tell_connection(run);
  std::vector<Run> parts(initials.size());
  std::map<Id128, std::size_t> part_of;
  for (const Member* member : run) {
    const auto place_where = [&](auto&& fits) {
      const auto found = std::find_if(initials.begin(), initials.end(),
                                      [&](const Member* initial) { return fits(*initial); });
      return static_cast<std::size_t>(found - initials.begin());
    };
    const auto cut = part_of.find(member->continues);
    std::size_t part = cut != part_of.end() ? cut->second : place_where([&](const Member& initial) {
      return have_same_tokens(initial, *member);
    });
    if (part == parts.size())
      part = place_where([&](const Member& initial) { return is_at_address(*member, initial); });
    if (part == parts.size())
      part = place_where([&](const Member& i) { return shared_host(*member, i).has_value(); });
    if (part == parts.size()) part = 0;
    part_of[member->path.id] = part;
    parts[part].push_back(member);
  }
  // One that goes on with a subflow of another key is told with that.
  std::erase_if(parts, [](const Run& part) { return part.empty(); });
  counters_.mptcp_clashes.add(parts.size() - 1);
  for (const Run& part : parts) tell_connection(part);
}

// The initial subflow says who is the source; without it, who opened the first one seen.
void MptcpConnections::tell_connection(const Run& run) {
  const auto initial = std::find_if(run.begin(), run.end(),
                                    [](const Member* member) { return member->is_initial(); });
  const Member& first = initial != run.end() ? **initial : *run.front();
  MptcpConnection& connection = *connection_;
  Record& record = connection.record;
  record = make_record(first.path, first.subflow);
  connection.path_count = connection.unused_count = 0;
  std::vector<MptcpPath> paths;
  std::map<Id128, std::size_t> path_of;
  std::vector<MptcpAddress> announced;
  std::array<std::uint64_t, 2> removed{};
  for (const Member* member : run) {
    const auto cut = path_of.find(member->continues);
    const bool goes_on = cut != path_of.end();
    const bool is_reversed =
        goes_on ? paths[cut->second].is_by_destination : is_the_other_way_round(*member, first);
    const MptcpPath path = is_reversed ? reversed(member->path) : member->path;
    if (goes_on) {
      extend(paths[cut->second], path);
    } else {
      paths.push_back(path);
    }
    path_of[member->path.id] = goes_on ? cut->second : paths.size() - 1;
    add_to_record(record, path, member->subflow);
    for (std::size_t side = 0; side < 2; ++side)
      removed[side] |= member->subflow.removed[is_reversed ? side ^ 1 : side];
    for (std::size_t i = 0; i < member->subflow.address_count; ++i) {
      MptcpAddress address = member->subflow.addresses[i];
      if (is_reversed) address.side ^= 1;
      const auto is_same = [&](const MptcpAddress& other) { return are_equal(other, address); };
      if (std::none_of(announced.begin(), announced.end(), is_same)) announced.push_back(address);
    }
  }
  for (std::size_t side = 0; side < 2; ++side)
    record.mptcp_removed[side] = static_cast<std::uint8_t>(std::popcount(removed[side]));
  const std::uint64_t payload = record.payload_bytes[0] + record.payload_bytes[1];
  for (MptcpPath& path : paths) {
    ++record.mptcp_subflows;
    if (path.payload() == 0) ++record.mptcp_idle_subflows;
    if (payload != 0)
      path.share = static_cast<std::uint16_t>((path.payload() * 1'000 + payload / 2) / payload);
    if (connection.path_count == kMptcpPathsMax) continue;
    connection.paths[connection.path_count++] = path;
  }
  counters_.mptcp_unlisted.add(paths.size() - connection.path_count);
  tell_addresses(paths, announced);
  counters_.mptcp_connections.add();
  tell_(connection);
}

// Those that were announced in vain.
void MptcpConnections::tell_addresses(const std::vector<MptcpPath>& paths,
                                      const std::vector<MptcpAddress>& announced) {
  for (const MptcpAddress& address : announced) {
    const auto is_user = [&](const MptcpPath& path) { return uses(path, address); };
    if (std::any_of(paths.begin(), paths.end(), is_user)) continue;
    if (connection_->unused_count == kMptcpUnusedMax) {
      counters_.mptcp_unused_unlisted.add();
    } else {
      connection_->unused[connection_->unused_count++] = address;
    }
  }
}

}  // namespace linger
