#include "output/ndjson.h"

#include <algorithm>
#include <type_traits>

#include "engine/base/check.h"
#include "output/record_table.h"

namespace linger {

namespace {

// --- Keys and braces, at compile time --------------------------------------------------------

constexpr int depth_of(std::string_view path) {  // objects around the leaf
  return static_cast<int>(std::count(path.begin(), path.end(), '.'));
}

// The outermost objects that both lie in.
constexpr int shared_objects(std::string_view a, std::string_view b) {
  int shared = 0;
  for (std::size_t i = 0; i < a.size() && i < b.size() && a[i] == b[i]; ++i) shared += a[i] == '.';
  return shared;
}

// Objects of field Index that are still open behind the field before it.
template <std::size_t Index>
constexpr int kShared = [] {
  if constexpr (Index == 0)
    return 0;
  else
    return shared_objects(kField<Index - 1>.path, kField<Index>.path);
}();

constexpr int kDepthMax = [] {
  int depth = 0;
  for_each_field([&](const auto& field) { depth = std::max(depth, depth_of(field.path)); });
  return depth;
}();

struct FixedText {
  std::array<char, 64> text{};
  std::size_t size = 0;

  constexpr void add(char c) { text[size++] = c; }
  constexpr void add_quoted(std::string_view word) {
    add('"');
    for (const char c : word) add(c);
    add('"');
  }
};

// What stands before the value of a field when `open` of its objects are open:
// "network":{"vlan":{"id":
constexpr FixedText make_key(std::string_view path, int open) {
  FixedText key;
  for (int level = 0;; ++level) {
    const std::size_t dot = path.find('.');
    if (level >= open) key.add_quoted(path.substr(0, dot)), key.add(':');
    if (dot == std::string_view::npos) return key;
    if (level >= open) key.add('{');
    path.remove_prefix(dot + 1);
  }
}

template <std::size_t Index, int Open>
constexpr FixedText kKey = make_key(kField<Index>.path, Open);

// --- Values ----------------------------------------------------------------------------------

constexpr std::size_t kValueBytesMax = 56;    // tcp.options: 50
constexpr std::size_t kTunnelBytesMax = 200;  // of one layer: words, two IPv6 addresses, an id
constexpr std::size_t kPathBytesMax = 640;    // of one subflow: words, addresses, times, counts
constexpr std::size_t kUnusedBytesMax = 120;  // of one announced address

char* put_quoted(char* out, std::string_view text) noexcept {
  *out++ = '"';
  out = put_text(out, text);
  *out++ = '"';
  return out;
}

struct Name {
  std::array<char, 15> chars{};
  std::uint8_t size = 0;
};

// IANA's keywords in lowercase; a protocol without a common one is named by its number.
constexpr std::array<Name, 256> make_transport_names() {
  std::array<Name, 256> names{};
  const auto set = [&](std::size_t number, std::string_view text) {
    Name name;
    for (const char c : text) name.chars[name.size++] = c;
    names[number] = name;
  };
  for (std::size_t i = 0; i < 256; ++i) {
    char text[12] = "ip-proto-";
    std::size_t size = 9;
    if (i >= 100) text[size++] = static_cast<char>('0' + i / 100);
    if (i >= 10) text[size++] = static_cast<char>('0' + i / 10 % 10);
    text[size++] = static_cast<char>('0' + i % 10);
    set(i, {text, size});
  }
  set(0, "hopopt"), set(1, "icmp"), set(2, "igmp"), set(4, "ipv4"), set(6, "tcp"), set(17, "udp");
  set(33, "dccp"), set(41, "ipv6"), set(46, "rsvp"), set(47, "gre"), set(50, "esp"), set(51, "ah");
  set(58, "ipv6-icmp"), set(88, "eigrp"), set(89, "ospfigp"), set(94, "ipip"), set(97, "etherip");
  set(103, "pim"), set(108, "ipcomp"), set(112, "vrrp"), set(115, "l2tp"), set(132, "sctp");
  set(135, "mobility-header"), set(136, "udplite"), set(137, "mpls-in-ip"), set(139, "hip");
  return names;
}
constexpr std::array<Name, 256> kTransportNames = make_transport_names();

// Of each set of TCP options: ["sack","timestamps"]
constexpr auto kOptionLists = [] {
  std::array<FixedText, 1u << kTcpOptionWords.size()> lists{};
  for (std::size_t set = 0; set < lists.size(); ++set) {
    FixedText& list = lists[set];
    for (std::size_t i = 0; i < kTcpOptionWords.size(); ++i) {
      if ((set >> i & 1) == 0) continue;
      list.add(list.size == 0 ? '[' : ',');
      list.add_quoted(kTcpOptionWords[i]);
    }
    list.add(']');
  }
  return lists;
}();
static_assert(kOptionLists.back().size <= kValueBytesMax);

template <class Words, class Enum>
std::string_view word_of(const Words& words, Enum value) noexcept {
  return words[std::min(static_cast<std::size_t>(value), words.size() - 1)];
}

struct Context {  // what the values of one line need beside themselves
  const Record& record;
  std::string_view observer;
  TimeText& time_text;
  MptcpTokens& mptcp_tokens;
  CommunityIds& community_ids;
  const MptcpConnection* connection;  // of an mptcp-end record
  std::string_view objects;           // what parsers found, encoded
};

char* put(kind::Time, char* out, Timestamp value, const Context& context) noexcept {
  *out++ = '"';
  out = context.time_text.put(out, value);
  *out++ = '"';
  return out;
}
char* put(kind::Duration, char* out, DurationNs value, const Context&) noexcept {
  return put_number(out, static_cast<std::uint64_t>(std::max<DurationNs>(value, 0)));
}
char* put(kind::Id, char* out, const Id128& value, const Context&) noexcept {
  *out++ = '"';
  out = put_id(out, value);
  *out++ = '"';
  return out;
}
char* put(kind::Word, char* out, std::string_view value, const Context&) noexcept {
  return put_quoted(out, value);
}
char* put(kind::Words, char* out, std::string_view value, const Context&) noexcept {
  return put_text(out, value);
}
char* put(kind::Text, char* out, const ShortText& value, const Context&) noexcept {
  return put_quoted(out, value.view());
}
char* put(kind::Options, char* out, std::uint8_t value, const Context&) noexcept {
  const FixedText& list = kOptionLists[value % kOptionLists.size()];
  std::memcpy(out, list.text.data(), kValueBytesMax);
  return out + list.size;
}
char* put(kind::Action, char* out, Action value, const Context&) noexcept {
  return put_quoted(out, word_of(kActionWords, value));
}
char* put(kind::Reason, char* out, Reason value, const Context&) noexcept {
  return put_quoted(out, word_of(kReasonWords, value));
}
char* put(kind::State, char* out, ConnState value, const Context&) noexcept {
  return put_quoted(out, word_of(kConnStateWords, value));
}
char* put(kind::Ip, char* out, const IpAddress& value, const Context& context) noexcept {
  *out++ = '"';
  out = context.record.ip_version == 4 ? put_ipv4(out, value.bytes.data())
                                       : put_ipv6(out, value.bytes.data());
  *out++ = '"';
  return out;
}
char* put(kind::Mac, char* out, const MacAddress& value, const Context&) noexcept {
  *out++ = '"';
  out = put_mac(out, value);
  *out++ = '"';
  return out;
}
char* put(kind::Transport, char* out, std::uint8_t value, const Context&) noexcept {
  const Name& name = kTransportNames[value];
  *out++ = '"';
  std::memcpy(out, name.chars.data(), name.chars.size());
  out += name.size;
  *out++ = '"';
  return out;
}
char* put(kind::Network, char* out, std::uint8_t value, const Context&) noexcept {
  return put_text(out, value == 4 ? R"("ipv4")" : R"("ipv6")");
}
char* put(kind::NumberText, char* out, std::uint16_t value, const Context&) noexcept {
  *out++ = '"';
  out = put_number(out, value);
  *out++ = '"';
  return out;
}
char* put_address(char* out, std::string_view key, const TunnelLayer& layer, int side) noexcept {
  out = put_text(out, key);
  const std::uint8_t* bytes = layer.address[static_cast<std::size_t>(side)].bytes.data();
  out = layer.ip_version == 4 ? put_ipv4(out, bytes) : put_ipv6(out, bytes);
  return put_text(out, R"("})");
}
// [{"type":"vxlan","id":"7","source":{"ip":"…"},"destination":{"ip":"…"}},…]
char* put(kind::Tunnels, char* out, const TunnelLayers& value, const Context&) noexcept {
  for (std::size_t i = 0; i < value.count(); ++i) {
    const TunnelLayer& layer = value.layer[i];
    out = put_text(out, i == 0 ? R"([{"type":)" : R"(,{"type":)");
    out = put_quoted(out, word_of(kTunnelWords, layer.kind));
    if (layer.has_id) {
      out = put_text(out, R"(,"id":")");
      out = put_number(out, layer.id);
      *out++ = '"';
    }
    if (layer.ip_version != 0) {
      out = put_address(out, R"(,"source":{"ip":")", layer, 0);
      out = put_address(out, R"(,"destination":{"ip":")", layer, 1);
    }
    *out++ = '}';
  }
  *out++ = ']';
  return out;
}
char* put(kind::MptcpVersion, char* out, MptcpVersion value, const Context&) noexcept {
  return put_quoted(out, word_of(kMptcpVersionWords, value));
}
char* put(kind::MptcpRole, char* out, MptcpRole value, const Context&) noexcept {
  return put_quoted(out, word_of(kMptcpRoleWords, value));
}
char* put(kind::MptcpToken, char* out, const MptcpHost& value, const Context& context) noexcept {
  const std::uint64_t digits = text_format_detail::eight_nibbles(context.mptcp_tokens.of(value));
  *out++ = '"';
  std::memcpy(out, &digits, sizeof digits);
  out[sizeof digits] = '"';
  return out + sizeof digits + 1;
}

char* put_ip(char* out, std::string_view key, const IpAddress& address,
             std::uint8_t version) noexcept {
  out = put_text(out, key);
  *out++ = '"';
  out = version == 4 ? put_ipv4(out, address.bytes.data()) : put_ipv6(out, address.bytes.data());
  *out++ = '"';
  return out;
}
char* put_count(char* out, std::string_view key, std::uint64_t value) noexcept {
  return put_number(put_text(out, key), value);
}
char* put_side(char* out, std::string_view key, const MptcpPath& path, std::size_t side) noexcept {
  out = put_text(out, key);
  out = put_ip(out, R"({"ip":)", path.address[side], path.ip_version);
  out = put_count(out, R"(,"port":)", path.port[side]);
  if (path.role == MptcpRole::join)
    out = put_count(out, R"(,"address_id":)", path.address_id[side]);
  if (path.backup[side]) out = put_text(out, R"(,"backup":true)");
  out = put_count(out, R"(,"packets":)", path.packets[side]);
  out = put_count(out, R"(,"bytes":)", path.bytes[side]);
  out = put_count(out, R"(,"payload_bytes":)", path.payload_bytes[side]);
  *out++ = '}';
  return out;
}
// {"id":"…","type":"join","start":"…","end":"…","source":{…},"destination":{…},"share":0.25}
char* put_path(char* out, const MptcpPath& path, const Context& context) noexcept {
  out = put(kind::Id{}, put_text(out, R"({"id":)"), path.id, context);
  out = put_quoted(put_text(out, R"(,"type":)"), word_of(kMptcpRoleWords, path.role));
  if (path.is_by_destination) out = put_text(out, R"(,"by_destination":true)");
  out = put(kind::Time{}, put_text(out, R"(,"start":)"), path.start, context);
  out = put(kind::Time{}, put_text(out, R"(,"end":)"), path.end, context);
  out = put_side(out, R"(,"source":)", path, 0);
  out = put_side(out, R"(,"destination":)", path, 1);
  out = put_text(out, path.share == 1'000 ? R"(,"share":1.)" : R"(,"share":0.)");
  for (const int place : {100, 10, 1}) *out++ = static_cast<char>('0' + path.share / place % 10);
  *out++ = '}';
  return out;
}
char* put(kind::MptcpPaths, char* out, const Record&, const Context& context) noexcept {
  *out++ = '[';
  const std::size_t count = context.connection != nullptr ? context.connection->path_count : 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (i != 0) *out++ = ',';
    out = put_path(out, context.connection->paths[i], context);
  }
  *out++ = ']';
  return out;
}
// [{"ip":"…","port":80,"id":3,"by":"source"},…]
char* put(kind::MptcpAddresses, char* out, const Record&, const Context& context) noexcept {
  *out++ = '[';
  const std::size_t count = context.connection != nullptr ? context.connection->unused_count : 0;
  for (std::size_t i = 0; i < count; ++i) {
    const MptcpAddress& unused = context.connection->unused[i];
    out = put_ip(out, i == 0 ? R"({"ip":)" : R"(,{"ip":)", unused.address, unused.ip_version);
    if (unused.port != 0) out = put_count(out, R"(,"port":)", unused.port);
    out = put_count(out, R"(,"id":)", unused.id);
    out = put_text(out, unused.side == 0 ? R"(,"by":"source"})" : R"(,"by":"destination"})");
  }
  *out++ = ']';
  return out;
}
char* put(kind::Flag, char* out, bool, const Context&) noexcept { return put_text(out, "true"); }
char* put(kind::Observer, char* out, const Record&, const Context& context) noexcept {
  return put_text(out, context.observer);
}
char* put(kind::CommunityId, char* out, const Record& value, const Context& context) noexcept {
  *out++ = '"';
  out = context.community_ids.put(out, value);
  *out++ = '"';
  return out;
}
template <class Kind>
concept PlainNumber = std::is_same_v<Kind, kind::Uint8> || std::is_same_v<Kind, kind::Uint16> ||
    std::is_same_v<Kind, kind::Uint32> || std::is_same_v<Kind, kind::Uint64> ||
    std::is_same_v<Kind, kind::Count16> || std::is_same_v<Kind, kind::Sum16>;
template <PlainNumber Kind>
char* put(Kind, char* out, typename Kind::Type value, const Context&) noexcept {
  return put_number(out, value);
}

constexpr std::size_t kLineBytesWorst = [] {
  std::size_t bytes = 6 * kNodeBytesMax + kScribbleBytes + 8;
  for_each_field([&](const auto& field) {
    bytes += make_key(field.path, 0).size + kValueBytesMax + kDepthMax + 1;
    if (field.path == "tunnel") bytes += kTunnelLayersMax * kTunnelBytesMax;
    if (field.path == "mptcp.subflows") bytes += kMptcpPathsMax * kPathBytesMax;
    if (field.path == "mptcp.unused_addresses") bytes += kMptcpUnusedMax * kUnusedBytesMax;
  });
  return bytes;
}();
static_assert(kLineBytesWorst <= NdjsonEncoder::kLineBytesMax);

// --- The line --------------------------------------------------------------------------------

struct Cursor {
  char* out;
  int open = 0;    // objects open in the text
  int shared = 0;  // of them, those that the next field lies in
};

// Closes what the field does not lie in, opens what it does, writes its key.
template <std::size_t Index, int Open = 0>
[[gnu::always_inline]] inline void put_key(Cursor& cursor) noexcept {
  if constexpr (Open < depth_of(kField<Index>.path)) {
    if (cursor.shared != Open) return put_key<Index, Open + 1>(cursor);
  }
  std::memset(cursor.out, '}', kDepthMax);
  cursor.out += cursor.open - Open;
  if constexpr (Index != 0) *cursor.out++ = ',';
  constexpr auto& key = kKey<Index, Open>;
  std::memcpy(cursor.out, key.text.data(), key.size);
  cursor.out += key.size;
}

// A field that is left out only narrows `shared`; behind a field that is always there, both numbers
// are constants.
template <std::size_t Index>
[[gnu::always_inline]] inline void put_field(Cursor& cursor, const Context& context) noexcept {
  using FieldOf = std::remove_cvref_t<decltype(kField<Index>)>;
  cursor.shared = std::min(cursor.shared, kShared<Index>);
  const auto& value = kField<Index>.get(context.record);
  if (!FieldOf::Presence::holds(context.record, value)) return;
  put_key<Index>(cursor);
  cursor.out = put(typename FieldOf::Kind{}, cursor.out, value, context);
  cursor.open = cursor.shared = depth_of(kField<Index>.path);
}

// The cursor is local to the one function that all fields are inlined into, so that it lives in
// registers.
template <std::size_t... Index>
char* put_line(char* out, const Context& context, std::index_sequence<Index...>) noexcept {
  Cursor cursor{out};
  *cursor.out++ = '{';
  (put_field<Index>(cursor, context), ...);
  std::memset(cursor.out, '}', kDepthMax);
  cursor.out += cursor.open;
  if (!context.objects.empty()) {
    std::memcpy(cursor.out, context.objects.data(), context.objects.size());
    cursor.out += context.objects.size();
  }
  *cursor.out++ = '}';
  *cursor.out++ = '\n';
  return cursor.out;
}

}  // namespace

std::string_view transport_name(std::uint8_t protocol) noexcept {
  const Name& name = kTransportNames[protocol];
  return {name.chars.data(), name.size};
}

NdjsonEncoder::NdjsonEncoder(const RunInfo& run)
    : observer_('"' + json_escaped(run.node) + '"'), protocol_json_(run.protocols) {
  CHECK(run.node.size() <= kNodeBytesMax);
}

std::size_t NdjsonEncoder::put(const Record& record, const MptcpConnection* connection,
                               std::string_view objects, char* out) noexcept {
  tally_.add(record);
  const Context context{record,         observer_,  time_text_, mptcp_tokens_,
                        community_ids_, connection, objects};
  const char* end = record.is_usual
                        ? put_line(out, context, std::make_index_sequence<kUsualFieldCount>{})
                        : put_line(out, context, std::make_index_sequence<kFieldCount>{});
  return static_cast<std::size_t>(end - out);
}

}  // namespace linger
