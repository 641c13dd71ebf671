// Records as text: lines without what a test does not ask about.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace linger::test {

// Behind a value of a record, which begins at `at`: a text, an object or a number.
inline std::size_t end_of_value(std::string_view line, std::size_t at) {
  if (line[at] == '"') return line.find('"', at + 1) + 1;
  if (line[at] != '{') return line.find_first_of(",}", at);
  for (int depth = 0;; ++at) {
    depth += line[at] == '{' ? 1 : line[at] == '}' ? -1 : 0;
    if (depth == 0) return at + 1;
  }
}

// Records without fields of these names; sorted.
inline std::vector<std::string> without(std::initializer_list<const char*> names,
                                        std::vector<std::string> lines) {
  for (std::string& line : lines) {
    for (const char* name : names) {
      const std::string key = fmt::format("\"{}\":", name);
      for (std::size_t at = 0; (at = line.find(key, at)) != std::string::npos;) {
        const std::size_t end = end_of_value(line, at + key.size());
        line.erase(at, end - at + (line[end] == ',' ? 1 : 0));
      }
    }
  }
  std::sort(lines.begin(), lines.end());
  return lines;
}

}  // namespace linger::test
