#include "tests/oracle/connections.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "output/mptcp_token.h"

namespace linger::test {
namespace {

using Parts = std::vector<const ModelPart*>;

struct Group {  // one connection, or several whose tokens clash
  std::vector<std::pair<ClockNs, const ModelPart*>> parts;  // since when
  std::set<std::uint32_t> tokens;

  bool has(const Id128& id) const {
    return std::any_of(parts.begin(), parts.end(),
                       [&](const auto& part) { return part.second->record.id == id; });
  }
  // Nothing can join any more: each of its subflows was silent for longer than the timeout.
  bool is_over(ClockNs now, DurationNs timeout) const {
    return std::all_of(parts.begin(), parts.end(),
                       [&](const auto& part) { return part.second->last + timeout < now; });
  }
};

// What a subflow comes to know: its token, or 0 for the session that it goes on with.
struct News {
  ClockNs when;
  Id128 id;
  std::uint32_t token;
  const ModelPart* part;

  bool operator<(const News& other) const {
    return std::tie(when, id, token) < std::tie(other.when, other.id, other.token);
  }
};

bool is_final(const ModelPart& part, std::uint32_t token) {
  return token == part.token[0] || token == part.token[1];
}

std::vector<Group> groups_of(const std::vector<ModelPart>& parts, DurationNs timeout) {
  std::vector<News> news;
  for (const ModelPart& part : parts) {
    if (part.record.continues.is_set()) news.push_back({part.begun, part.record.id, 0, &part});
    for (const auto& [token, when] : part.named)
      news.push_back({when, part.record.id, token, &part});
  }
  std::sort(news.begin(), news.end());
  std::vector<Group> groups;
  for (const auto& [when, id, token, part] : news) {
    const auto group_with = [&](auto&& is_it) {
      return std::find_if(groups.begin(), groups.end(), [&](const Group& g) { return is_it(g); });
    };
    auto own = group_with([&, &id = id](const Group& g) { return g.has(id); });
    const auto is_named = [&, now = when](const auto& name) { return name.second <= now; };
    if (token == 0) {  // whoever says at once what it belongs to needs no other
      if (std::any_of(part->named.begin(), part->named.end(), is_named)) continue;
      const auto cut = group_with([&, now = when, part = part](const Group& g) {
        return g.has(part->record.continues) && !g.is_over(now, timeout);
      });
      if (cut != groups.end()) cut->parts.push_back({when, part});
      continue;
    }
    if (!is_final(*part, token)) {  // it has begun, but said otherwise later
      if (own == groups.end()) groups.push_back({{{when, part}}, {}});
      continue;
    }
    const auto known = group_with([&, now = when, token = token](const Group& g) {
      return g.tokens.contains(token) && !g.is_over(now, timeout);
    });
    if (own == groups.end() && known != groups.end()) {
      known->parts.push_back({when, part});
    } else if (own == groups.end()) {
      groups.push_back({{{when, part}}, {token}});
    } else if (known == groups.end()) {
      own->tokens.insert(token);
    } else if (own != known) {
      known->parts.insert(known->parts.end(), own->parts.begin(), own->parts.end());
      known->tokens.insert(own->tokens.begin(), own->tokens.end());
      groups.erase(own);
    }
  }
  return groups;
}

bool is_initial(const ModelPart& part) { return part.said.role == MptcpRole::initial; }

std::set<std::uint32_t> names_of(const ModelPart& part) { return {part.token[0], part.token[1]}; }

// The host that both know, as the side of each; -1: none.
std::pair<int, int> shared_host(const ModelPart& a, const ModelPart& b) {
  for (int own = 0; own < 2; ++own)
    for (int other = 0; other < 2; ++other)
      if (a.token[own] != 0 && a.token[own] == b.token[other]) return {own, other};
  return {-1, -1};
}

// Whether they know a host in common, but as each other's other end.
bool is_crossed(const ModelPart& a, const ModelPart& b) {
  const auto is_same = [&](std::size_t i, std::size_t j) {
    return a.token[i] != 0 && a.token[i] == b.token[j];
  };
  return !is_same(0, 0) && !is_same(1, 1) && (is_same(0, 1) || is_same(1, 0));
}

bool goes_to_its_host(const ModelPart& part, const ModelPart& initial) {
  const auto [own, other] = shared_host(part, initial);
  if (own < 0) return false;
  const IpAddress to = part.record.address[static_cast<std::size_t>(own)];
  if (to.bytes == initial.record.address[static_cast<std::size_t>(other)].bytes) return true;
  for (std::size_t i = 0; i < initial.said.address_count; ++i)
    if (initial.said.addresses[i].side == other &&
        initial.said.addresses[i].address.bytes == to.bytes)
      return true;
  return false;
}

// The connections of a group: one for each pair of keys.
std::vector<Parts> split(const Parts& parts) {
  Parts initials;
  for (const ModelPart* part : parts)
    if (is_initial(*part) &&
        std::none_of(initials.begin(), initials.end(),
                     [&](const ModelPart* i) { return names_of(*i) == names_of(*part); }))
      initials.push_back(part);
  if (initials.size() < 2) return {parts};
  std::vector<Parts> connections(initials.size());
  for (const ModelPart* part : parts) {
    std::size_t best = 0;
    unsigned best_rank = 0;
    for (std::size_t i = 0; i < initials.size(); ++i) {
      const bool goes_on = std::any_of(
          connections[i].begin(), connections[i].end(),
          [&](const ModelPart* other) { return other->record.id == part->record.continues; });
      const unsigned rank = goes_on                                       ? 4
                            : names_of(*part) == names_of(*initials[i])   ? 3
                            : goes_to_its_host(*part, *initials[i])       ? 2
                            : shared_host(*part, *initials[i]).first >= 0 ? 1
                                                                          : 0;
      if (rank > best_rank) best = i, best_rank = rank;
    }
    connections[best].push_back(part);
  }
  std::erase_if(connections, [](const Parts& some) { return some.empty(); });
  return connections;
}

struct Path {
  MptcpPath path;
  std::set<Id128> sessions;  // that it is made of
};

void add(MptcpPath& path, Record& record, const ModelPart& part, bool is_turned) {
  const Record& r = part.record;
  path.end = std::max(path.end, r.end);
  record.start = std::min(record.start, r.start);
  record.end = std::max(record.end, r.end);
  for (std::size_t side = 0; side < 2; ++side) {
    const std::size_t own = is_turned ? 1 - side : side;
    path.packets[side] += r.packets[own], record.packets[side] += r.packets[own];
    path.bytes[side] += r.bytes[own], record.bytes[side] += r.bytes[own];
    path.payload_bytes[side] += r.payload_bytes[own];
    record.payload_bytes[side] += r.payload_bytes[own];
    path.backup[side] |= r.mptcp_backup[own];
    record.mptcp_data_fin[side] |= r.mptcp_data_fin[own];
    record.mptcp_fastclose[side] |= r.mptcp_fastclose[own];
    record.mptcp_reset[side] |= r.mptcp_reset[own];
    record.mptcp_fail[side] |= r.mptcp_fail[own];
  }
}

Path path_from(const ModelPart& part, bool is_turned) {
  const Record& r = part.record;
  Path path{{.id = r.id, .start = r.start, .end = r.end, .address = r.address}, {}};
  for (std::size_t side = 0; side < 2; ++side) {
    const std::size_t own = is_turned ? 1 - side : side;
    path.path.address[side] = r.address[own];
    path.path.port[side] = r.port[own];
    path.path.address_id[side] = r.mptcp_address_id[own];
  }
  path.path.ip_version = r.ip_version;
  path.path.role = r.mptcp_role;
  path.path.is_by_destination = is_turned;
  return path;
}

bool is_used(const MptcpAddress& announced, const std::vector<Path>& paths) {
  return std::any_of(paths.begin(), paths.end(), [&](const Path& some) {
    const MptcpPath& path = some.path;
    const std::size_t side = announced.side;
    const bool by_id = path.role == MptcpRole::join && path.address_id[side] == announced.id;
    const bool by_address = path.ip_version == announced.ip_version &&
                            path.address[side].bytes == announced.address.bytes;
    return by_id || (by_address && (announced.port == 0 || announced.port == path.port[side]));
  });
}

MptcpConnection connection_of(const Parts& parts) {
  const auto initial = std::find_if(parts.begin(), parts.end(),
                                    [](const ModelPart* part) { return is_initial(*part); });
  const ModelPart& first = initial != parts.end() ? **initial : *parts.front();
  MptcpConnection connection;
  Record& record = connection.record;
  record.action = Action::mptcp_end;
  record.id = {~first.record.id.high, ~first.record.id.low};
  record.start = first.record.start;
  record.end = first.record.end;
  record.ip_version = first.record.ip_version;
  record.protocol = kProtocolTcp;
  record.address = first.record.address;
  record.port = first.record.port;
  record.mptcp_version = first.said.version;
  record.mptcp_host = first.said.host;

  std::vector<Path> paths;
  std::vector<MptcpAddress> announced;
  std::set<std::pair<std::size_t, unsigned>> removed;
  for (const ModelPart* part : parts) {
    bool is_turned = is_crossed(*part, first);
    auto path = std::find_if(paths.begin(), paths.end(), [&](const Path& some) {
      return some.sessions.contains(part->record.continues);
    });
    if (path != paths.end()) {
      is_turned = path->path.is_by_destination;
    } else {
      path = paths.insert(paths.end(), path_from(*part, is_turned));
    }
    path->sessions.insert(part->record.id);
    add(path->path, record, *part, is_turned);
    for (unsigned side = 0; side < 2; ++side)
      for (unsigned id = 0; id < 64; ++id)
        if ((part->said.removed[side] >> id & 1) != 0)
          removed.emplace(is_turned ? 1 - side : side, id);
    for (std::size_t i = 0; i < part->said.address_count; ++i) {
      MptcpAddress address = part->said.addresses[i];
      if (is_turned) address.side ^= 1;
      if (std::none_of(announced.begin(), announced.end(), [&](const MptcpAddress& known) {
            return known.side == address.side && known.id == address.id &&
                   known.port == address.port && known.address.bytes == address.address.bytes;
          }))
        announced.push_back(address);
    }
  }
  for (const auto& [side, id] : removed) ++record.mptcp_removed[side];
  const std::uint64_t payload = record.payload_bytes[0] + record.payload_bytes[1];
  for (Path& path : paths) {
    ++record.mptcp_subflows;
    if (path.path.payload() == 0) ++record.mptcp_idle_subflows;
    if (payload != 0)  // rounded
      path.path.share =
          static_cast<std::uint16_t>((2'000 * path.path.payload() + payload) / (2 * payload));
    if (connection.path_count < 32) connection.paths[connection.path_count++] = path.path;
  }
  for (const MptcpAddress& address : announced)
    if (!is_used(address, paths) && connection.unused_count < 16)
      connection.unused[connection.unused_count++] = address;
  return connection;
}

}  // namespace

ModelPart part_of(const ModelSession& s, const Record& record) {
  MptcpTokens tokens;
  ModelPart part{.record = record,
                 .said = s.mptcp->said,
                 .named = s.mptcp->named,
                 .begun = s.mptcp->begun,
                 .last = s.last_clock};
  if (s.originator != 0) part.said.reverse();
  for (std::size_t side = 0; side < 2; ++side)
    if (part.said.known_hosts() != 0) part.token[side] = tokens.of(part.said.host[side]);
  return part;
}

std::vector<MptcpConnection> connections_of(std::vector<ModelPart> parts, DurationNs timeout) {
  std::vector<MptcpConnection> connections;
  for (Group& group : groups_of(parts, timeout)) {
    std::sort(group.parts.begin(), group.parts.end(), [](const auto& a, const auto& b) {
      return std::tie(a.first, a.second->record.id) < std::tie(b.first, b.second->record.id);
    });
    Parts in_order;
    for (const auto& [since, part] : group.parts) in_order.push_back(part);
    for (const Parts& some : split(in_order)) connections.push_back(connection_of(some));
  }
  return connections;
}

}  // namespace linger::test
