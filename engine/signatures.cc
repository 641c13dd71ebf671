#include "engine/signatures.h"

#include <fmt/format.h>

#include "engine/yaml_list.h"
#include "output/record.h"

namespace linger {
namespace {

ReadYaml<Signature> read_entry(const YamlEntry& entry) {
  Signature signature;
  signature.place = entry.place;
  for (const YamlMember& member : entry.members) {
    if (member.values.size() != 1) return member.wrong("not a text");
    const std::string& value = member.values.front();
    if (member.key == "name") {
      signature.name = value;
    } else if (member.key == "pattern") {
      signature.expression = value;
    } else if (member.key == "carrier" && (value == "stream" || value == "datagrams")) {
      signature.carrier = value == "stream" ? Carrier::stream : Carrier::datagrams;
    } else {
      return member.wrong(
          fmt::format("{}; allowed: name, pattern, carrier (stream or datagrams)", value));
    }
  }
  if (signature.name.empty() || signature.name.size() > ShortText::kCharsMax)
    return entry.wrong(fmt::format("name: it takes 1 to {} characters", ShortText::kCharsMax));
  for (const char c : signature.name)
    if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.')
      return entry.wrong("name: only a-z, 0-9, '-', '_' and '.'");
  if (!signature.expression.starts_with('^'))
    return entry.wrong("pattern: it has to begin with ^, at the first byte");
  return signature;
}

}  // namespace

ReadYaml<std::vector<Signature>> read_signatures(const std::string& yaml,
                                                 const std::string& place) {
  const auto list = read_yaml_list(yaml, place, "signatures", "signature: name, pattern, carrier");
  if (!list) return tl::unexpected(list.error());
  std::vector<Signature> signatures;
  for (const YamlEntry& entry : *list) {
    auto signature = read_entry(entry);
    if (!signature) return tl::unexpected(signature.error());
    signatures.push_back(*std::move(signature));
  }
  return signatures;
}

ReadYaml<std::vector<Signature>> load_signatures(const std::string& where,
                                                 const std::vector<std::string>& files) {
  return load_yaml_lists(where + "signatures", files, kSignaturesMax, read_signatures);
}

}  // namespace linger
