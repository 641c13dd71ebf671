#include "output/schema.h"

#include <gtest/gtest.h>

#include <set>

#include "output/record_table.h"
#include "tests/output/sample_record.h"

namespace linger {
namespace {

using PathSet = std::set<std::string>;

PathSet encoder_paths() {
  PathSet paths;
  for_each_field([&](const auto& field) { paths.insert(std::string(field.path)); });
  return paths;
}

// Lists of objects, whose members are no keys of their own.
bool is_list(const std::string& path) {
  return path == "tunnel" || path == "mptcp.subflows" || path == "mptcp.unused_addresses";
}

// Leaves below `properties`, recursively.
void collect_properties(const YAML::Node& object, const std::string& prefix, PathSet& paths) {
  for (const auto& member : object["properties"]) {
    const std::string path = prefix + member.first.as<std::string>();
    if (member.second["properties"] && !is_list(path)) {
      collect_properties(member.second, path + ".", paths);
    } else {
      EXPECT_TRUE(paths.insert(path).second) << path;
    }
  }
}

void collect_required(const YAML::Node& object, const std::string& prefix, PathSet& paths) {
  for (const auto& name : object["required"]) {
    const auto text = name.as<std::string>();
    const YAML::Node member = object["properties"][text];
    if (member["properties"]) {
      collect_required(member, prefix + text + ".", paths);
    } else {
      paths.insert(prefix + text);
    }
  }
}

TEST(schema, lists_exactly_the_keys_of_the_encoder) {
  PathSet paths;
  collect_properties(YAML::Load(json_schema()), "", paths);
  EXPECT_EQ(paths, encoder_paths());
}

TEST(schema, requires_exactly_what_every_record_has) {
  PathSet required;
  collect_required(YAML::Load(json_schema()), "", required);
  Record connection;
  connection.action = Action::mptcp_end;
  const auto of_connection = paths_of(line_of(connection));
  PathSet least;
  for (const auto& [path, value] : paths_of(line_of(Record{})))
    if (of_connection.contains(path)) least.insert(path);
  EXPECT_EQ(required, least);
}

TEST(schema, allows_no_other_keys_in_any_object) {
  const std::string text = json_schema();
  std::size_t objects = 0, closed = 0;
  for (std::size_t at = 0; (at = text.find("\"properties\":", at)) != std::string::npos; ++at)
    ++objects;
  for (std::size_t at = 0;
       (at = text.find("\"additionalProperties\": false", at)) != std::string::npos; ++at)
    ++closed;
  EXPECT_EQ(objects, closed);
}

TEST(schema, index_template_maps_every_key) {
  PathSet paths;
  collect_properties(YAML::Load(index_template())["template"]["mappings"], "", paths);
  EXPECT_EQ(paths, encoder_paths());
}

TEST(schema, reference_page_has_a_row_for_every_key) {
  const std::string page = fields_markdown();
  for (const std::string& path : encoder_paths())
    EXPECT_NE(page.find("| `" + path + "` |"), std::string::npos) << path;
}

TEST(schema, paths_are_unique_and_objects_stand_together) {
  EXPECT_EQ(encoder_paths().size(), kFieldCount);
  PathSet left;  // objects that were closed again
  std::string_view previous;
  for_each_field([&](const auto& field) {
    for (std::size_t dot = field.path.find('.'); dot != std::string_view::npos;
         dot = field.path.find('.', dot + 1)) {
      const std::string_view object = field.path.substr(0, dot + 1);
      if (previous.starts_with(object)) continue;
      EXPECT_TRUE(left.insert(std::string(object)).second) << field.path;
    }
    previous = field.path;
  });
}

}  // namespace
}  // namespace linger
