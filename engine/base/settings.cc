#include "engine/base/settings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>
#include <span>
#include <sstream>
#include <type_traits>

#include "engine/base/text_file.h"

namespace linger {
namespace {

using setting_kind::PortList;
using setting_kind::TextList;

// One line of settings_list.h, without its type.
struct Row {
  std::string_view name;
  std::string_view help;
  std::string range;
  std::string default_text;
  bool is_list = false;
  std::function<std::string(const Settings&)> text;
  std::function<SettingsResult(const RawValue&, Settings&)> read;
  std::function<bool(const Settings&)> fits;
};

template <typename Kind>
[[gnu::noinline]] Row make_row(const Settings& defaults, std::string_view name,
                               std::string_view help, typename Kind::Value Settings::*member,
                               auto min, auto max) {
  const auto range = Kind::range(min, max);
  return {
      .name = name,
      .help = help,
      .range = range,
      .default_text = Kind::text(defaults.*member),
      .is_list = std::is_same_v<Kind, TextList> || std::is_same_v<Kind, PortList>,
      .text = [=](const Settings& settings) { return Kind::text(settings.*member); },
      .read = [=](const RawValue& raw, Settings& settings) -> SettingsResult {
        auto value = Kind::parse(raw);
        if (!value) {
          return tl::unexpected(fmt::format("{}: {}; allowed: {}", name, value.error(), range));
        }
        if (!Kind::fits(*value, min, max)) {
          const auto what = raw.is_list ? fmt::format("a list of {} entries", raw.items.size())
                                        : fmt::format("'{:.40}'", raw.items.front());
          return tl::unexpected(
              fmt::format("{}: {} is out of range; allowed: {}", name, what, range));
        }
        settings.*member = *std::move(value);
        return {};
      },
      .fits = [=](const Settings& settings) { return Kind::fits(settings.*member, min, max); },
  };
}

std::span<const Row> rows() {
#define LINGER_SETTING_ROW(kind, name, default_value, min, max, help) \
  all.push_back(make_row<setting_kind::kind>(defaults, #name, help, &Settings::name, min, max));
  static const std::vector<Row> rows = [] {
    const Settings defaults;
    std::vector<Row> all;
    LINGER_SETTINGS(LINGER_SETTING_ROW)
    return all;
  }();
#undef LINGER_SETTING_ROW
  return rows;
}

// Levenshtein's distance, upper and lower case being equal.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  std::vector<std::size_t> line(b.size() + 1);
  std::iota(line.begin(), line.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = line[0];
    line[0] = i + 1;
    for (std::size_t k = 0; k < b.size(); ++k) {
      const std::size_t substituted = diagonal + (lower(a[i]) == lower(b[k]) ? 0 : 1);
      diagonal = line[k + 1];
      line[k + 1] = std::min({substituted, line[k] + 1, line[k + 1] + 1});
    }
  }
  return line.back();
}

constexpr std::size_t kKeyShown = 64;  // of an unknown key, in messages and comparisons

tl::expected<const Row*, std::string> find_row(std::string_view name) {
  name = name.substr(0, kKeyShown);
  const auto row = std::ranges::find(rows(), name, &Row::name);
  if (row != rows().end()) return &*row;
  const auto distance = [&](const Row& known) { return edit_distance(name, known.name); };
  const auto nearest = std::ranges::min_element(rows(), {}, distance);
  return tl::unexpected(fmt::format(
      "unknown setting '{}'; the nearest is {} (--help-settings lists all)", name, nearest->name));
}

// Settings on their way.
class Loader {
 public:
  explicit Loader(Settings settings = {}) : settings_(std::move(settings)) {}

  const Settings& settings() const { return settings_; }

  SettingsResult read(const std::string& yaml, const std::string& place) {
    std::vector<YAML::Node> documents;
    try {
      documents = YAML::LoadAll(yaml);
    } catch (const YAML::Exception& error) {
      return tl::unexpected(fmt::format("{}: not YAML: {}", at(place, error.mark), error.msg));
    }
    if (documents.empty() || (documents.size() == 1 && documents[0].IsNull())) return {};
    if (documents.size() > 1) {
      return tl::unexpected(fmt::format("{}: a second YAML document begins; allowed is one",
                                        at(place, documents[1].Mark())));
    }
    if (!documents[0].IsMap()) {
      return tl::unexpected(fmt::format("{}: settings are lines of the form 'name: value'",
                                        at(place, documents[0].Mark())));
    }
    std::map<std::string, int> line_of;
    for (const auto& entry : documents[0]) {
      const auto result = read_entry(entry.first, entry.second, place, line_of);
      if (!result) return result;
    }
    return {};
  }

  SettingsResult assign(const std::string& assignment) {
    const auto equals = assignment.find('=');
    if (equals == std::string::npos) {
      return tl::unexpected(fmt::format("--set {:.40}: allowed: name=value", assignment));
    }
    const auto row = find_row(std::string_view(assignment).substr(0, equals));
    if (!row) return tl::unexpected("--set: " + row.error());
    const auto value = assignment.substr(equals + 1);
    return store(**row, (*row)->is_list ? split_list(value) : RawValue{{value}}, "--set");
  }

  SettingsResult check() const {
    for (const auto& row : rows()) {
      if (row.fits(settings_)) continue;
      return conflict(row.name, fmt::format("{:.40} is out of range; allowed: {}",
                                            row.text(settings_), row.range));
    }
    if (auto result = check_session_key(); !result) return result;
    if (auto result = check_tunnel_ports(); !result) return result;
    if (auto result = check_shares(); !result) return result;
    return check_durations();
  }

 private:
  static std::string at(const std::string& place, const YAML::Mark& mark) {
    return mark.is_null() ? place : fmt::format("{}:{}", place, mark.line + 1);
  }

  static std::string_view without_blanks(std::string_view text) {
    const auto first = std::min(text.find_first_not_of(' '), text.size());
    return text.substr(first, text.find_last_not_of(' ') + 1 - first);
  }

  // a,b or, as in a file, [a, b].
  static RawValue split_list(std::string_view text) {
    text = without_blanks(text);
    if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
    RawValue raw{{}, true};
    while (!text.empty()) {
      const auto item = text.substr(0, text.find(','));
      raw.items.emplace_back(without_blanks(item));
      text.remove_prefix(std::min(text.size(), item.size() + 1));
    }
    return raw;
  }

  SettingsResult read_entry(const YAML::Node& key, const YAML::Node& value,
                            const std::string& place, std::map<std::string, int>& line_of) {
    const auto where = at(place, key.Mark());
    if (!key.IsScalar()) return tl::unexpected(where + ": a setting's name is one word");
    const auto row = find_row(key.Scalar());
    if (!row) return tl::unexpected(where + ": " + row.error());
    const auto [first, is_new] = line_of.try_emplace(key.Scalar(), key.Mark().line + 1);
    if (!is_new) {
      return tl::unexpected(fmt::format("{}: {}: set a second time; the first is in line {}", where,
                                        key.Scalar(), first->second));
    }
    RawValue raw;
    if (value.IsScalar()) {
      raw.items.push_back(value.Scalar());
    } else if (value.IsSequence()) {
      raw.is_list = true;
      for (const auto& item : value) {
        if (!item.IsScalar()) return wrong_type(where, **row, "an entry is not a single value");
        raw.items.push_back(item.Scalar());
      }
    } else {
      return wrong_type(where, **row, value.IsMap() ? "names inside it" : "it has no value");
    }
    return store(**row, raw, where);
  }

  static SettingsResult wrong_type(const std::string& where, const Row& row, std::string_view why) {
    return tl::unexpected(fmt::format("{}: {}: {}; allowed: {}", where, row.name, why, row.range));
  }

  SettingsResult store(const Row& row, const RawValue& raw, const std::string& where) {
    const auto result = row.read(raw, settings_);
    if (!result) return tl::unexpected(where + ": " + result.error());
    settings_.places[row.name] = where;
    return {};
  }

  SettingsResult conflict(std::string_view name, std::string_view why) const {
    return tl::unexpected(fmt::format("{}{}: {}", settings_.where(name), name, why));
  }

  SettingsResult check_session_key() const {
    const auto& words = settings_.sessionKey;
    for (const auto& word : words) {
      if (word == "vlan" || word == "tunnel") continue;
      return conflict("sessionKey",
                      fmt::format("'{:.40}' is not known; allowed: vlan, tunnel", word));
    }
    if (words.size() == 2 && words[0] == words[1]) {
      return conflict("sessionKey", fmt::format("'{}' is there twice", words[0]));
    }
    return {};
  }

  // A port carries one kind of tunnel.
  SettingsResult check_tunnel_ports() const {
    std::map<std::uint16_t, std::string_view> owner;
    for (const auto& [name, kind, ports] : settings_.tunnel_ports()) {
      for (const std::uint16_t port : ports) {
        const auto [first, is_new] = owner.try_emplace(port, name);
        if (is_new) continue;
        return conflict(name, fmt::format("port {} is in {} already", port, first->second));
      }
    }
    return {};
  }

  // Every thread holds an equal share of these; each share has a least size.
  SettingsResult check_shares() const {
    struct Shared {
      std::string_view name;
      std::uint64_t count;
      std::uint64_t share_min;
    };
    const Shared all[] = {{"maxStreams", settings_.maxStreams, kStreamsPerThreadMin},
                          {"graveyardSize", settings_.graveyard_size(), 1},
                          {"latePool", settings_.latePool, 1},
                          {"tunnelPool", settings_.tunnelPool, 1},
                          {"mptcpPool", settings_.mptcpPool, 1},
                          {"rttPool", settings_.rtt_pool(), 1},
                          {"extensionPool", settings_.extension_pool(), 1}};
    for (const auto& [name, count, share_min] : all) {
      const auto least = share_min * settings_.packetThreads;
      if (count >= least) continue;
      return conflict(name, fmt::format("{} is too few for {} packetThreads; allowed: at least {}",
                                        count, settings_.packetThreads, least));
    }
    return {};
  }

  // What cannot be longer than something else: complains about the one of the two that was set.
  SettingsResult check_durations() const {
    struct Timed {
      std::string_view name;
      DurationNs duration;
    };
    const Timed closing{"tcpClosingTimeout", settings_.tcpClosingTimeout};
    const Timed reset{"tcpRstTimeout", settings_.tcpRstTimeout};
    const Timed ceiling{"lingerCeiling", settings_.lingerCeiling};
    const Timed late{"lateTimeout", settings_.lateTimeout};
    const Timed going_on{"continueTimeout", settings_.continueTimeout};
    for (const auto& [low, high] :
         {std::pair{closing, ceiling}, std::pair{reset, ceiling}, std::pair{late, going_on}}) {
      if (low.duration <= high.duration) continue;
      if (settings_.places.contains(low.name)) {
        return conflict(low.name, fmt::format("{} is above {}; allowed: at most {}",
                                              format_duration(low.duration), high.name,
                                              format_duration(high.duration)));
      }
      return conflict(high.name, fmt::format("{} is below {}; allowed: at least {}",
                                             format_duration(high.duration), low.name,
                                             format_duration(low.duration)));
    }
    return {};
  }

  Settings settings_;
};

constexpr std::size_t kFileBytesMax = 1 << 20;  // a settings file is some kilobytes

// Words in lines of at most `columns`, each line begun by `prefix`.
std::string wrap(std::string_view text, std::string_view prefix, std::size_t columns) {
  std::string out;
  std::string line(prefix);
  std::istringstream words{std::string(text)};
  for (std::string word; words >> word;) {
    if (line.size() > prefix.size()) {
      if (line.size() + 1 + word.size() > columns) {
        out += line + '\n';
        line = prefix;
      } else {
        line += ' ';
      }
    }
    line += word;
  }
  return out + line + '\n';
}

constexpr std::size_t kTextColumns = 100;

std::string facts(const Row& row) {
  return fmt::format("Default {}; {}.", row.default_text, row.range);
}

}  // namespace

Settings::Settings() = default;
Settings::Settings(const Settings&) = default;
Settings::Settings(Settings&&) noexcept = default;
Settings& Settings::operator=(const Settings&) = default;
Settings& Settings::operator=(Settings&&) noexcept = default;
Settings::~Settings() = default;
bool Settings::operator==(const Settings& other) const {
#define LINGER_SETTING_EQUAL(kind, name, default_value, min, max, help) &&name == other.name
  return true LINGER_SETTINGS(LINGER_SETTING_EQUAL);
#undef LINGER_SETTING_EQUAL
}

std::string Settings::where(std::string_view name) const {
  const auto place = places.find(name);
  return place == places.end() ? std::string() : place->second + ": ";
}

tl::expected<Settings, std::string> load_settings(const std::string& path,
                                                  const std::vector<std::string>& assignments) {
  Loader loader;
  if (!path.empty()) {
    const auto yaml = read_text_file(path, kFileBytesMax);
    if (!yaml) return tl::unexpected(fmt::format("{}: cannot be read: {}", path, yaml.error()));
    const auto result = loader.read(*yaml, path);
    if (!result) return tl::unexpected(result.error());
  }
  for (const auto& assignment : assignments) {
    const auto result = loader.assign(assignment);
    if (!result) return tl::unexpected(result.error());
  }
  const auto result = loader.check();
  if (!result) return tl::unexpected(result.error());
  return loader.settings();
}

SettingsResult read_settings(const std::string& yaml, const std::string& place,
                             Settings& settings) {
  Loader loader(settings);
  auto result = loader.read(yaml, place);
  settings = loader.settings();
  return result;
}

SettingsResult check_settings(const Settings& settings) { return Loader(settings).check(); }

std::string dump_config(const Settings& settings) {
  std::string out =
      "# The settings of linger, as `linger --dump-config` writes them. Use a file with `-c FILE`, "
      "or\n"
      "# change single ones with `--set name=value`. Durations: ns us ms s min h d (bare: "
      "seconds).\n";
  for (const auto& row : rows()) {
    out += '\n' + wrap(row.help, "# ", kTextColumns) + wrap(facts(row), "# ", kTextColumns);
    out += fmt::format("{}: {}\n", row.name, row.text(settings));
  }
  return out;
}

std::string settings_markdown() {
  std::string out =
      "# Settings\n\n"
      "Generated from `engine/base/settings_list.h` by `./dev docs`. Values come from the "
      "built-in\n"
      "defaults, then from the YAML file of `-c`, then from each `--set name=value`.\n\n"
      "Durations take `ns us ms s min h d`, a bare number is seconds. Lists are `[a, b]` in YAML "
      "and\n"
      "`a,b` after `--set`.\n\n"
      "| setting | default | allowed | meaning |\n"
      "|---|---|---|---|\n";
  for (const auto& row : rows()) {
    out +=
        fmt::format("| `{}` | `{}` | {} | {} |\n", row.name, row.default_text, row.range, row.help);
  }
  return out;
}

constexpr std::size_t kTerminalColumns = 80;

std::string settings_help() {
  std::string out;
  for (const auto& row : rows()) {
    out += fmt::format("{}\n", row.name);
    out += wrap(row.help, "    ", kTerminalColumns) + wrap(facts(row), "    ", kTerminalColumns);
  }
  return out;
}

std::string settings_summary() {
  std::vector<std::string> items;
  for (const auto& row : rows()) items.push_back(fmt::format("{}={}", row.name, row.default_text));
  return wrap(fmt::format("{}", fmt::join(items, " ")), "  ", kTerminalColumns);
}

}  // namespace linger
