// A YAML file that is a list of flat maps, as the files of signatures and rules are: read into
// texts, each with its place, so that what is wrong with one can be named.
//
// Thread: control.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace linger {

struct YamlMember {
  std::string key;
  std::vector<std::string> values;  // one, if it is no list
  std::string place;                // file:line
  std::string title;                // of its entry

  // Behind its name.
  tl::unexpected<std::string> wrong(std::string_view what) const;
};

struct YamlEntry {
  std::vector<YamlMember> members;
  std::string place;  // file:line
  std::string title;  // kind and name, as in "rule a: "; empty: it has no name

  tl::unexpected<std::string> wrong(std::string_view what) const;
};

template <class T>
using ReadYaml = tl::expected<T, std::string>;

// `place` names the text in messages, `entries` what it should be a list of, `form` one of them, as
// in "rule: name, pattern".
ReadYaml<std::vector<YamlEntry>> read_yaml_list(const std::string& yaml, const std::string& place,
                                                std::string_view entries, std::string_view form);

// The file as text; `setting` names it.
ReadYaml<std::string> read_text(std::string_view setting, const std::string& file);

// What `read(yaml, place)` makes of each file, together, and at most `count_max` of them.
template <class Read>
auto load_yaml_lists(std::string_view setting, const std::vector<std::string>& files,
                     std::size_t count_max, const Read& read) -> decltype(read({}, {})) {
  decltype(read({}, {})) all;
  for (const std::string& file : files) {
    const auto text = read_text(setting, file);
    if (!text) return tl::unexpected(text.error());
    auto more = read(*text, file);
    if (!more) return more;
    all->insert(all->end(), more->begin(), more->end());
  }
  if (all->size() > count_max)
    return tl::unexpected(std::string(setting) + ": " + std::to_string(all->size()) +
                          ", but there can be " + std::to_string(count_max));
  return all;
}

}  // namespace linger
