#include "engine/yaml_list.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include "engine/base/text_file.h"

namespace linger {
namespace {

constexpr std::size_t kFileBytesMax = 16 << 20;  // far more than 10,000 rules

std::string place_of(const std::string& place, const YAML::Mark& mark) {
  return fmt::format("{}:{}", place, mark.line + 1);
}

// How messages call an entry, behind its place: its kind and name, as in "rule a: ".
std::string title_of(const YAML::Node& entry, std::string_view kind) {
  constexpr std::size_t kNameMax = 63;
  const YAML::Node name = entry["name"];
  if (!name || !name.IsScalar()) return {};
  return fmt::format("{} {}: ", kind, name.Scalar().substr(0, kNameMax));
}

// A text with one would end there.
ReadYaml<YamlMember> without_nul(const YamlMember& member) {
  for (const std::string& value : member.values)
    if (value.find('\0') != std::string::npos)
      return member.wrong("it holds a byte 0, as \\x00 in double quotes is; put it in single ones");
  return member;
}

ReadYaml<YamlMember> read_member(const YAML::Node& key, const YAML::Node& value,
                                 const YamlEntry& entry, const std::string& place) {
  YamlMember member{key.as<std::string>(), {}, place_of(place, key.Mark()), entry.title};
  for (const YamlMember& other : entry.members)
    if (other.key == member.key) return member.wrong("it stands here twice");
  if (value.IsScalar()) {
    member.values.push_back(value.as<std::string>());
    return without_nul(member);
  }
  if (!value.IsSequence()) return member.wrong("not a text");
  for (const YAML::Node& item : value) {
    if (!item.IsScalar()) return member.wrong("not a list of texts");
    member.values.push_back(item.as<std::string>());
  }
  return without_nul(member);
}

}  // namespace

tl::unexpected<std::string> YamlMember::wrong(std::string_view what) const {
  return tl::unexpected(fmt::format("{}: {}{}: {}", place, title, key, what));
}

tl::unexpected<std::string> YamlEntry::wrong(std::string_view what) const {
  return tl::unexpected(fmt::format("{}: {}{}", place, title, what));
}

ReadYaml<std::vector<YamlEntry>> read_yaml_list(const std::string& yaml, const std::string& place,
                                                std::string_view entries, std::string_view form) {
  std::vector<YamlEntry> list;
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(yaml);
    if (documents.size() > 1)
      return YamlEntry{{}, place_of(place, documents[1].Mark()), {}}.wrong(
          "a second YAML document begins; allowed is one");
    const YAML::Node root = documents.empty() ? YAML::Node() : documents[0];
    if (root.IsNull()) return list;
    if (!root.IsSequence())
      return YamlEntry{{}, place_of(place, root.Mark()), {}}.wrong(
          fmt::format("not a list of {}", entries));
    for (const YAML::Node& node : root) {
      YamlEntry entry{{}, place_of(place, node.Mark()), {}};
      if (!node.IsMap()) return entry.wrong(fmt::format("not a {}", form));
      entry.title = title_of(node, form.substr(0, form.find(':')));
      for (const auto& pair : node) {
        auto member = read_member(pair.first, pair.second, entry, place);
        if (!member) return tl::unexpected(member.error());
        entry.members.push_back(*std::move(member));
      }
      list.push_back(std::move(entry));
    }
  } catch (const YAML::Exception& error) {
    return YamlEntry{{}, place_of(place, error.mark), {}}.wrong(
        fmt::format("not YAML: {}", error.msg));
  }
  return list;
}

ReadYaml<std::string> read_text(std::string_view setting, const std::string& file) {
  auto text = read_text_file(file, kFileBytesMax);
  if (!text) return tl::unexpected(fmt::format("{}: {}: {}", setting, file, text.error()));
  return text;
}

}  // namespace linger
