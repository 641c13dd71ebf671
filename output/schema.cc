#include "output/schema.h"

#include <fmt/format.h>

#include <algorithm>
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
constexpr std::string_view kTunnelsIndex =
    R"({"properties": {"type": {"type": "keyword"}, "id": {"type": "keyword"}, )"
    R"("source": {"properties": {"ip": {"type": "ip"}}}, )"
    R"("destination": {"properties": {"ip": {"type": "ip"}}}}})";

#define LINGER_KIND(name, cpp_type, index, schema)                                      \
  [[maybe_unused]] std::string schema_of(kind::name) { return std::string() + schema; } \
  [[maybe_unused]] std::string_view index_type_of(kind::name) { return index; }
LINGER_RECORD_KINDS(LINGER_KIND)
#undef LINGER_KIND

struct Line {  // one field, as texts
  std::string_view path;
  std::string_view presence;
  std::string_view index_type;
  std::string_view help;
  std::string schema;
  bool is_always;
};

std::vector<Line> lines_of_fields() {
  std::vector<Line> lines;
  for_each_field([&]<class F>(const F& field) {
    lines.push_back({field.path, F::Presence::help, index_type_of(typename F::Kind{}), field.help,
                     schema_of(typename F::Kind{}),
                     std::is_same_v<typename F::Presence, presence::always>});
  });
  return lines;
}

std::string indent(std::size_t depth) { return std::string(2 * depth, ' '); }

// Prints the fields as nested objects: leaves by `leaf`, objects with `opening` before and
// `closing` behind their members. A field lies in an object whose path, with a dot, begins its own.
template <class Leaf, class Closing>
void print_objects(std::string& out, const std::vector<Line>& lines, std::string_view prefix,
                   std::size_t depth, std::string_view opening, const Leaf& leaf,
                   const Closing& closing) {
  std::vector<std::string_view> names;
  for (const Line& line : lines) {
    if (!line.path.starts_with(prefix)) continue;
    const std::string_view rest = line.path.substr(prefix.size());
    const std::string_view name = rest.substr(0, rest.find('.'));
    if (std::find(names.begin(), names.end(), name) != names.end()) continue;
    out += names.empty() ? "\n" : ",\n";
    names.push_back(name);
    if (name == rest) {
      out += fmt::format("{}\"{}\": {}", indent(depth), name, leaf(line));
      continue;
    }
    out += fmt::format("{}\"{}\": {{{}", indent(depth), name, opening);
    const std::string inner = fmt::format("{}{}.", prefix, name);
    print_objects(out, lines, inner, depth + 1, opening, leaf, closing);
    out += closing(inner, depth);
  }
}

// Names below `prefix` of which some member is always there.
std::string required_below(const std::vector<Line>& lines, std::string_view prefix) {
  std::vector<std::string_view> names;
  for (const Line& line : lines) {
    if (!line.is_always || !line.path.starts_with(prefix)) continue;
    const std::string_view rest = line.path.substr(prefix.size());
    const std::string_view name = rest.substr(0, rest.find('.'));
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  return list_of(names);
}

}  // namespace

std::string json_schema() {
  const std::vector<Line> lines = lines_of_fields();
  const auto end_of_object = [&](std::string_view prefix, std::size_t depth) {
    return fmt::format("\n{0}}}, \"required\": {1}, \"additionalProperties\": false}}",
                       indent(depth), required_below(lines, prefix));
  };
  std::string out =
      "{\n"
      "  \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n"
      "  \"title\": \"A record of linger\",\n"
      "  \"type\": \"object\", \"properties\": {";
  print_objects(
      out, lines, "", 2, R"("type": "object", "properties": {)",
      [](const Line& line) {
        return fmt::format("{{\"description\":\"{}\",{}}}", line.help, line.schema);
      },
      end_of_object);
  return out + end_of_object("", 1) + "\n";
}

std::string index_template() {
  std::string out =
      "{\n"
      "  \"index_patterns\": [\"linger-*\"],\n"
      "  \"template\": {\"mappings\": {\"properties\": {";
  print_objects(
      out, lines_of_fields(), "", 2, R"("properties": {)",
      [](const Line& line) {
        if (line.index_type == "object") return std::string(kTunnelsIndex);
        return fmt::format("{{\"type\": \"{}\"}}", line.index_type);
      },
      [](std::string_view, std::size_t depth) { return fmt::format("\n{}}}}}", indent(depth)); });
  return out + "\n  }}}\n}\n";
}

std::string fields_markdown() {
  std::string out = "| field | type | present | meaning |\n|---|---|---|---|\n";
  for (const Line& line : lines_of_fields()) {
    out += fmt::format("| `{}` | {} | {} | {} |\n", line.path, line.index_type, line.presence,
                       line.help);
  }
  return out;
}

}  // namespace linger
