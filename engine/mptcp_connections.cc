#include "engine/mptcp_connections.h"

#include <algorithm>

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
  }
  ++record.mptcp_subflows;
  if (path.payload() == 0) ++record.mptcp_idle_subflows;
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
  const std::array<std::uint32_t, 2> token = {tokens_.of(notice.subflow.host[0]),
                                              tokens_.of(notice.subflow.host[1])};
  Group& group = group_of(token);
  const auto [place, is_new] = group.members.try_emplace(notice.path.id);
  Member& member = place->second;
  if (is_new) {
    ++subflows_;
    ++group.open;
    member.begun = notice.clock;
  }
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
  while (subflows_ > subflows_max_) {
    counters_.mptcp_early.add();
    tell_group(groups_.begin()->second);
    remove(groups_.begin()->first);
  }
}

// The group of these tokens, 0 being none: two that prove to be one are merged.
MptcpConnections::Group& MptcpConnections::group_of(const std::array<std::uint32_t, 2>& tokens) {
  Group* group = nullptr;
  for (const std::uint32_t token : tokens) {
    const auto found = by_token_.find(token);
    if (token == 0 || found == by_token_.end()) continue;
    Group& known = groups_.at(found->second);
    if (group != nullptr && group != &known) merge(*group, known);
    if (group == nullptr) group = &known;
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
  return *group;
}

void MptcpConnections::merge(Group& to, Group& from) {
  unschedule(to);
  unschedule(from);
  to.members.merge(from.members);
  subflows_ -= from.members.size();  // known to both
  to.open += from.open;
  to.last = std::max(to.last, from.last);
  to.tokens.merge(from.tokens);
  for (const std::uint32_t token : to.tokens) by_token_[token] = to.number;
  groups_.erase(from.number);
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

// In the order of their beginning, cut where nothing was heard of for longer than the timeout.
void MptcpConnections::tell_group(const Group& group) {
  Run all;
  for (const auto& [id, member] : group.members)
    if (member.has_ended) all.push_back(&member);
  std::stable_sort(all.begin(), all.end(),
                   [](const Member* a, const Member* b) { return a->begun < b->begun; });
  Run run;
  ClockNs last = 0;
  for (const Member* member : all) {
    if (!run.empty() && member->begun > last + timeout_) {
      tell_connection(run);
      run.clear();
      last = 0;
    }
    run.push_back(member);
    last = std::max(last, member->last);
  }
  if (!run.empty()) tell_connection(run);
}

// The initial subflow says who is the source; without it, who opened the first one seen.
void MptcpConnections::tell_connection(const Run& run) {
  const auto initial = std::find_if(run.begin(), run.end(), [](const Member* member) {
    return member->subflow.role == MptcpRole::initial;
  });
  const Member& first = initial != run.end() ? **initial : *run.front();
  MptcpConnection& connection = *connection_;
  connection.record = make_record(first.path, first.subflow);
  connection.path_count = connection.unused_count = 0;
  std::vector<MptcpPath> paths;
  std::vector<MptcpAddress> announced;
  for (const Member* member : run) {
    const bool is_reversed = (member->token[0] != 0 && member->token[0] == first.token[1]) ||
                             (member->token[1] != 0 && member->token[1] == first.token[0]);
    paths.push_back(is_reversed ? reversed(member->path) : member->path);
    add_to_record(connection.record, paths.back(), member->subflow);
    for (std::size_t i = 0; i < member->subflow.address_count; ++i) {
      MptcpAddress address = member->subflow.addresses[i];
      if (is_reversed) address.side ^= 1;
      const auto is_same = [&](const MptcpAddress& other) { return are_equal(other, address); };
      if (std::none_of(announced.begin(), announced.end(), is_same)) announced.push_back(address);
    }
  }
  const std::uint64_t payload =
      connection.record.payload_bytes[0] + connection.record.payload_bytes[1];
  for (MptcpPath& path : paths) {
    const double share =
        payload == 0 ? 0 : static_cast<double>(path.payload()) / static_cast<double>(payload);
    path.share = static_cast<std::uint16_t>(share * 1'000 + 0.5);
    if (connection.path_count == kMptcpPathsMax) continue;
    connection.paths[connection.path_count++] = path;
  }
  counters_.mptcp_unlisted.add(paths.size() - connection.path_count);
  for (const MptcpAddress& address : announced) {
    const auto is_user = [&](const MptcpPath& path) { return uses(path, address); };
    if (connection.unused_count == kMptcpUnusedMax) break;
    if (std::none_of(paths.begin(), paths.end(), is_user))
      connection.unused[connection.unused_count++] = address;
  }
  counters_.mptcp_connections.add();
  tell_(connection);
}

}  // namespace linger
