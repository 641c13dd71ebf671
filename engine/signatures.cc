#include "engine/signatures.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "output/record.h"

namespace linger {
namespace {

template <class T>
using Read = tl::expected<T, std::string>;

tl::unexpected<std::string> trouble(const std::string& place, const YAML::Mark& mark,
                                    std::string_view what) {
  return tl::unexpected(fmt::format("{}:{}: {}", place, mark.line + 1, what));
}

Read<Signature> read_entry(const YAML::Node& entry, const std::string& place) {
  if (!entry.IsMap())
    return trouble(place, entry.Mark(), "not a signature: name, pattern, carrier");
  Signature signature;
  signature.place = fmt::format("{}:{}", place, entry.Mark().line + 1);
  for (const auto& member : entry) {
    const std::string key = member.first.as<std::string>();
    if (!member.second.IsScalar())
      return trouble(place, member.second.Mark(), key + ": not a text");
    const std::string value = member.second.as<std::string>();
    if (key == "name") {
      signature.name = value;
    } else if (key == "pattern") {
      signature.expression = value;
    } else if (key == "carrier" && (value == "stream" || value == "datagrams")) {
      signature.carrier = value == "stream" ? Carrier::stream : Carrier::datagrams;
    } else {
      return trouble(
          place, member.first.Mark(),
          fmt::format("{}: {}; allowed: name, pattern, carrier (stream or datagrams)", key, value));
    }
  }
  if (signature.name.empty() || signature.name.size() > ShortText::kCharsMax)
    return trouble(place, entry.Mark(),
                   fmt::format("name: it takes 1 to {} characters", ShortText::kCharsMax));
  for (const char c : signature.name)
    if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.')
      return trouble(place, entry.Mark(), "name: only a-z, 0-9, '-', '_' and '.'");
  if (!signature.expression.starts_with('^'))
    return trouble(place, entry.Mark(), "pattern: it has to begin with ^, at the first byte");
  return signature;
}

}  // namespace

Read<std::vector<Signature>> read_signatures(const std::string& yaml, const std::string& place) {
  std::vector<Signature> signatures;
  try {
    const YAML::Node list = YAML::Load(yaml);
    if (list.IsNull()) return signatures;
    if (!list.IsSequence()) return trouble(place, list.Mark(), "not a list of signatures");
    for (const YAML::Node& entry : list) {
      auto signature = read_entry(entry, place);
      if (!signature) return tl::unexpected(signature.error());
      signatures.push_back(*std::move(signature));
    }
  } catch (const YAML::Exception& error) {
    return trouble(place, error.mark, fmt::format("not YAML: {}", error.msg));
  }
  return signatures;
}

Read<std::vector<Signature>> load_signatures(const std::vector<std::string>& files) {
  std::vector<Signature> all;
  for (const std::string& name : files) {
    std::ifstream file(name, std::ios::binary);
    if (!file) return tl::unexpected(fmt::format("signatures: {}: {}", name, std::strerror(errno)));
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    auto signatures = read_signatures(text, name);
    if (!signatures) return signatures;
    all.insert(all.end(), signatures->begin(), signatures->end());
  }
  if (all.size() > kSignaturesMax)
    return tl::unexpected(
        fmt::format("signatures: {}, but there can be {}", all.size(), kSignaturesMax));
  return all;
}

}  // namespace linger
