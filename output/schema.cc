#include "output/schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <span>
#include <string_view>
#include <vector>

#include "output/record_table.h"

namespace linger {

namespace {

template <class Words>
std::string list_of(const Words& words) {
  std::string list = "[";
  for (const std::string_view word : words)
    list += fmt::format("{}\"{}\"", list.size() > 1 ? "," : "", word);
  return list + "]";
}

// Of the objects in Tunnels: one list for the JSON schema and the index template.
std::string tunnels_schema() {
  const auto address = R"({"type":"object","properties":{"ip":{"type":"string"}},)"
                       R"("required":["ip"],"additionalProperties": false})";
  return fmt::format(
      R"("type":"array","items":{{"type":"object","properties":{{"type":{{"type":"string",)"
      R"("enum":{}}},"id":{{"type":"string","pattern":"^[0-9]+$"}},"source":{},"destination":{}}},)"
      R"("required":["type"],"additionalProperties": false}})",
      list_of(std::span(kTunnelWords).subspan(1)), address, address);
}

// Of the objects in MptcpPaths and MptcpAddresses, likewise.
std::string mptcp_paths_schema() {
  const auto count = R"({"type":"integer","minimum":0})";
  const auto time = R"({"type":"string","format":"date-time"})";
  const std::string side = fmt::format(
      R"({{"type":"object","properties":{{"ip":{{"type":"string"}},"port":{0},"address_id":{0},)"
      R"("backup":{{"const":true}},"packets":{0},"bytes":{0},"payload_bytes":{0}}},)"
      R"("required":["ip","port","packets","bytes","payload_bytes"],)"
      R"("additionalProperties": false}})",
      count);
  return fmt::format(
      R"("type":"array","items":{{"type":"object","properties":{{"id":{{"type":"string"}},)"
      R"("type":{{"type":"string","enum":{0}}},"by_destination":{{"const":true}},"start":{1},)"
      R"("end":{1},"source":{2},"destination":{2},)"
      R"("share":{{"type":"number","minimum":0,"maximum":1}}}},)"
      R"("required":["id","type","start","end","source","destination","share"],)"
      R"("additionalProperties": false}})",
      list_of(std::span(kMptcpRoleWords).subspan(1)), time, side);
}
std::string mptcp_addresses_schema() {
  return R"("type":"array","items":{"type":"object","properties":{"ip":{"type":"string"},)"
         R"("port":{"type":"integer","minimum":0},"id":{"type":"integer","minimum":0},)"
         R"("by":{"type":"string","enum":["source","destination"]}},)"
         R"("required":["ip","id","by"],"additionalProperties": false})";
}

#define LINGER_MPTCP_SIDE_INDEX                                         \
  R"({"properties": {"ip": {"type": "ip"}, "port": {"type": "long"}, )" \
  R"("address_id": {"type": "long"}, "backup": {"type": "boolean"}, )"  \
  R"("packets": {"type": "long"}, "bytes": {"type": "long"}, )"         \
  R"("payload_bytes": {"type": "long"}}})"
constexpr std::string_view kMptcpPathsIndex =
    R"({"properties": {"id": {"type": "keyword"}, "type": {"type": "keyword"}, )"
    R"("by_destination": {"type": "boolean"}, "start": {"type": "date"}, )"
    R"("end": {"type": "date"}, "source": )" LINGER_MPTCP_SIDE_INDEX
    R"(, "destination": )" LINGER_MPTCP_SIDE_INDEX R"(, "share": {"type": "float"}}})";
#undef LINGER_MPTCP_SIDE_INDEX
constexpr std::string_view kMptcpAddressesIndex =
    R"({"properties": {"ip": {"type": "ip"}, "port": {"type": "long"}, )"
    R"("id": {"type": "long"}, "by": {"type": "keyword"}}})";
constexpr std::string_view kTunnelsIndex =
    R"({"properties": {"type": {"type": "keyword"}, "id": {"type": "keyword"}, )"
    R"("source": {"properties": {"ip": {"type": "ip"}}}, )"
    R"("destination": {"properties": {"ip": {"type": "ip"}}}}})";

#define LINGER_KIND(name, cpp_type, index, schema)                                      \
  [[maybe_unused]] std::string schema_of(kind::name) { return std::string() + schema; } \
  [[maybe_unused]] constexpr std::string_view index_type_of(kind::name) { return index; }
LINGER_RECORD_KINDS(LINGER_KIND)
#undef LINGER_KIND

template <class Kind>
constexpr std::string_view limit_of(Kind) {
  return "";
}
constexpr std::string_view limit_of(kind::Count16) { return " Counts to 65,535."; }
constexpr std::string_view limit_of(kind::Sum16) { return " Counts to 65,535 for each side."; }

struct RecordLine {  // one field of record_fields.h
  std::string_view path;
  std::string_view presence;
  std::string_view index_type;
  std::string_view help;
  std::string_view limit;
  std::string (*schema)();
  bool is_always;
};

// A constant, as code that fills it field by field takes the compiler half a minute.
constexpr std::array<RecordLine, kFieldCount> kRecordLines = [] {
  std::array<RecordLine, kFieldCount> lines{};
  std::size_t i = 0;
  for_each_field([&]<class F>(const F& field) {
    lines[i++] = {field.path,
                  F::Presence::help,
                  index_type_of(typename F::Kind{}),
                  field.help,
                  limit_of(typename F::Kind{}),
                  [] { return schema_of(typename F::Kind{}); },
                  std::is_same_v<typename F::Presence, presence::always>};
  });
  return lines;
}();

// One field, as texts. In the path a name that ends in [] is a list, of values or of objects.
struct Line {
  std::string path;
  std::string_view presence;
  std::string_view index_type;
  std::string help;
  std::string schema;
  bool is_always;
};

struct KindTexts {
  std::string_view index_type, schema;
};
KindTexts texts_of(ProtocolKind kind) {
  switch (kind) {
    case ProtocolKind::number:
    case ProtocolKind::duration:
      return {"long", R"("type":"integer","minimum":0)"};
    case ProtocolKind::flag:
      return {"boolean", R"("const":true)"};
    case ProtocolKind::ip:
      return {"ip", R"("type":"string","pattern":"^[0-9a-f.:]+$")"};
    case ProtocolKind::hex:
      return {"keyword", R"("type":"string","pattern":"^[0-9a-f]*$")"};
    case ProtocolKind::text:
    case ProtocolKind::raw:
      break;
  }
  return {"keyword", R"("type":"string")"};
}

void add_lines(std::vector<Line>& lines, const Protocol& protocol) {
  const std::string object =
      protocol.is_of_record ? ""
                            : fmt::format("{}{}.", protocol.key(), protocol.has_rows ? "[]" : "");
  const auto add = [&](std::string_view path, ProtocolKind kind, std::string_view help) {
    const KindTexts texts = texts_of(kind);
    std::string schema(texts.schema);
    if (path.ends_with("[]")) schema = fmt::format(R"("type":"array","items":{{{}}})", schema);
    lines.push_back({object + std::string(path), "when told", texts.index_type, std::string(help),
                     schema, false});
  };
  for (const ProtocolField& field : protocol.fields)
    if (field.kind != ProtocolKind::raw) add(field.path, field.kind, field.help);
  if (protocol.is_of_record) return;
  add("cut[]", ProtocolKind::text, "Fields whose value was longer than what is kept of it.");
}

std::string_view without_brackets(std::string_view name) {
  return name.ends_with("[]") ? name.substr(0, name.size() - 2) : name;
}

std::vector<Line> lines_of_fields(Protocols protocols) {
  std::vector<Line> lines;
  for (const RecordLine& line : kRecordLines)
    lines.push_back({std::string(line.path), line.presence, line.index_type,
                     fmt::format("{}{}", line.help, line.limit), line.schema(), line.is_always});
  for (const Protocol* protocol : protocols) add_lines(lines, *protocol);
  return lines;
}

std::string indent(std::size_t depth) { return std::string(2 * depth, ' '); }

// Prints the fields as nested objects: leaves by `leaf`, objects with `opening(name)` before and
// `closing` behind their members. A field lies in an object whose path, with a dot, begins its own.
template <class Leaf, class Opening, class Closing>
void print_objects(std::string& out, const std::vector<Line>& lines, std::string_view prefix,
                   std::size_t depth, const Opening& opening, const Leaf& leaf,
                   const Closing& closing) {
  std::vector<std::string_view> names;
  for (const Line& line : lines) {
    if (!line.path.starts_with(prefix)) continue;
    const std::string_view rest = std::string_view(line.path).substr(prefix.size());
    const std::string_view name = rest.substr(0, rest.find('.'));
    if (std::find(names.begin(), names.end(), name) != names.end()) continue;
    out += names.empty() ? "\n" : ",\n";
    names.push_back(name);
    if (name == rest) {
      out += fmt::format("{}\"{}\": {}", indent(depth), without_brackets(name), leaf(line));
      continue;
    }
    out += fmt::format("{}\"{}\": {{{}", indent(depth), without_brackets(name), opening(name));
    const std::string inner = fmt::format("{}{}.", prefix, name);
    print_objects(out, lines, inner, depth + 1, opening, leaf, closing);
    out += closing(inner, depth);
  }
}

// What the words of a field mean.
struct Word {
  std::string_view word, help;
};
std::string words_of(std::string_view field, std::initializer_list<Word> words) {
  std::string out = fmt::format("\n## {}\n\n| word | meaning |\n|---|---|\n", field);
  for (const auto& [word, help] : words)
    if (word != "none" && word != "unknown")  // then the field is not there
      out += fmt::format("| `{}` | {} |\n", word, help);
  return out;
}

// Names below `prefix` of which some member is always there.
std::string required_below(const std::vector<Line>& lines, std::string_view prefix) {
  std::vector<std::string_view> names;
  for (const Line& line : lines) {
    if (!line.is_always || !line.path.starts_with(prefix)) continue;
    const std::string_view rest = std::string_view(line.path).substr(prefix.size());
    const std::string_view name = rest.substr(0, rest.find('.'));
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  return list_of(names);
}

}  // namespace

std::string json_schema(Protocols protocols) {
  const std::vector<Line> lines = lines_of_fields(protocols);
  const auto end_of_object = [&](std::string_view prefix, std::size_t depth) {
    return fmt::format("\n{0}}}, \"required\": {1}, \"additionalProperties\": false}}{2}",
                       indent(depth), required_below(lines, prefix),
                       prefix.ends_with("[].") ? "}" : "");
  };
  std::string out =
      "{\n"
      "  \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n"
      "  \"title\": \"A record of linger\",\n"
      "  \"type\": \"object\", \"properties\": {";
  print_objects(
      out, lines, "", 2,
      [](std::string_view name) {
        return fmt::format(R"({}"type": "object", "properties": {{)",
                           name.ends_with("[]") ? R"("type": "array", "items": {)" : "");
      },
      [](const Line& line) {
        return fmt::format("{{\"description\":\"{}\",{}}}", line.help, line.schema);
      },
      end_of_object);
  return out + end_of_object("", 1) + "\n";
}

std::string index_template(Protocols protocols) {
  std::string out =
      "{\n"
      "  \"index_patterns\": [\"linger-*\"],\n"
      "  \"template\": {\"mappings\": {\"properties\": {";
  print_objects(
      out, lines_of_fields(protocols), "", 2, [](std::string_view) { return R"("properties": {)"; },
      [](const Line& line) {
        if (line.path == "tunnel") return std::string(kTunnelsIndex);
        if (line.path == "mptcp.subflows") return std::string(kMptcpPathsIndex);
        if (line.path == "mptcp.unused_addresses") return std::string(kMptcpAddressesIndex);
        return fmt::format("{{\"type\": \"{}\"}}", line.index_type);
      },
      [](std::string_view, std::size_t depth) { return fmt::format("\n{}}}}}", indent(depth)); });
  return out + "\n  }}}\n}\n";
}

std::string fields_markdown(Protocols protocols) {
  std::string out = "| field | type | present | meaning |\n|---|---|---|---|\n";
  for (const Line& line : lines_of_fields(protocols)) {
    out += fmt::format("| `{}` | {} | {} | {} |\n", line.path, line.index_type, line.presence,
                       line.help);
  }
#define LINGER_ROW(name, word, help) {word, help},
#define LINGER_TUNNEL_ROW(name, word, is_symmetric, id) {word, id},
  return out + words_of("event.action", {LINGER_ACTIONS(LINGER_ROW)}) +
         words_of("event.reason", {LINGER_REASONS(LINGER_ROW)}) +
         words_of("tcp.state", {LINGER_CONN_STATES(LINGER_ROW)}) +
         words_of("tcp.options", {LINGER_TCP_OPTIONS(LINGER_ROW)}) +
         words_of("mptcp.version", {LINGER_MPTCP_VERSIONS(LINGER_ROW)}) +
         words_of("mptcp.subflow", {LINGER_MPTCP_ROLES(LINGER_ROW)}) +
         words_of("tunnel.type, and what its tunnel.id is", {LINGER_TUNNELS(LINGER_TUNNEL_ROW)});
#undef LINGER_ROW
#undef LINGER_TUNNEL_ROW
}

}  // namespace linger
