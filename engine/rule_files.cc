#include "engine/rule_files.h"

#include <fmt/format.h>

#include "engine/base/units.h"
#include "engine/yaml_list.h"

namespace linger {
namespace {

using Done = ReadYaml<void>;

constexpr std::string_view kForm = "rule: name, pattern, tag, flags, direction, protocol, ports";

// One text of at most kRuleTextMax bytes.
Done read_short(const YamlMember& member, std::string& to) {
  if (member.values.size() != 1 || member.values[0].empty() ||
      member.values[0].size() > kRuleTextMax)
    return member.wrong(fmt::format("it takes a text of 1 to {} bytes", kRuleTextMax));
  to = member.values[0];
  return {};
}

Done read_pattern(const YamlMember& member, Rule& rule) {
  if (member.values.size() != 1) return member.wrong("not a text");
  rule.expression = member.values[0];
  return {};
}

Done read_flags(const YamlMember& member, Rule& rule) {
  for (const std::string& value : member.values) {
    if (value == "caseless") {
      rule.flags |= kCaseless;
    } else if (value == "dotall") {
      rule.flags |= kDotAll;
    } else if (value == "multiline") {
      rule.flags |= kMultiline;
    } else if (value == "utf8" || value == "ucp") {
      return member.wrong(value + ": packets are any bytes, and need not be UTF-8; leave it out");
    } else {
      return member.wrong(value + "; allowed: caseless, dotall, multiline");
    }
  }
  return {};
}

Done read_direction(const YamlMember& member, Rule& rule) {
  const std::string value = member.values.size() == 1 ? member.values[0] : "a list";
  if (value != "source" && value != "destination" && value != "any")
    return member.wrong(value + "; allowed: source, destination, any");
  rule.from = {value != "destination", value != "source"};
  return {};
}

Done read_protocol(const YamlMember& member, const std::vector<Signature>& signatures, Rule& rule) {
  const std::string value = member.values.size() == 1 ? member.values[0] : "a list";
  if (value == "tcp" || value == "udp") {
    rule.in = {value == "tcp", value == "udp"};
    return {};
  }
  const auto is_it = [&](std::string_view name) { return name == value; };
  std::string names = "tcp, udp";
  for (const Parser* parser : kParsers) {
    if (is_it(parser->protocol.name)) rule.protocol = value;
    names += fmt::format(", {}", parser->protocol.name);
  }
  for (const Signature& signature : signatures)
    if (is_it(signature.name)) rule.protocol = value;
  if (!rule.protocol.empty()) return {};
  return member.wrong(
      fmt::format("there is none named {}; allowed: {}, names of signatures", value, names));
}

Done read_ports(const YamlMember& member, Rule& rule) {
  for (const std::string& value : member.values) {
    const auto port = parse_count(value);
    if (!port || *port == 0 || *port > 65'535) return member.wrong(value + " is no port");
    rule.ports.push_back(static_cast<std::uint16_t>(*port));
  }
  return {};
}

Done read_member(const YamlMember& member, const std::vector<Signature>& signatures, Rule& rule) {
  if (member.key == "name") return read_short(member, rule.name);
  if (member.key == "tag") return read_short(member, rule.tag);
  if (member.key == "pattern") return read_pattern(member, rule);
  if (member.key == "flags") return read_flags(member, rule);
  if (member.key == "direction") return read_direction(member, rule);
  if (member.key == "protocol") return read_protocol(member, signatures, rule);
  if (member.key == "ports") return read_ports(member, rule);
  return member.wrong(fmt::format("no member of a {}", kForm));
}

}  // namespace

ReadYaml<std::vector<Rule>> read_rules(const std::string& yaml, const std::string& place,
                                       const std::vector<Signature>& signatures) {
  const auto list = read_yaml_list(yaml, place, "rules", kForm);
  if (!list) return tl::unexpected(list.error());
  std::vector<Rule> rules;
  for (const YamlEntry& entry : *list) {
    Rule& rule = rules.emplace_back();
    rule.place = entry.place;
    for (const YamlMember& member : entry.members)
      if (auto read = read_member(member, signatures, rule); !read)
        return tl::unexpected(read.error());
    if (rule.name.empty()) return entry.wrong("name: it is missing");
    if (rule.expression.empty()) return entry.wrong("pattern: it is missing");
  }
  return rules;
}

ReadYaml<std::vector<Rule>> load_rules(const std::string& where,
                                       const std::vector<std::string>& files,
                                       const std::vector<Signature>& signatures) {
  return load_yaml_lists(where + "rules", files, kRulesMax,
                         [&](const std::string& yaml, const std::string& place) {
                           return read_rules(yaml, place, signatures);
                         });
}

}  // namespace linger
