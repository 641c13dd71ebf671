#include "engine/cores.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sched.h>

#include <algorithm>
#include <charconv>

namespace linger {
namespace {

// A number at the front, taken off; -1: none, or beyond what a machine has.
int take_core(std::string_view& text) noexcept {
  int core = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), core);
  if (error != std::errc{} || core < 0 || core >= CPU_SETSIZE) return -1;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return core;
}

bool take(std::string_view& text, char c) noexcept {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

cpu_set_t allowed() noexcept {
  cpu_set_t set;
  CPU_ZERO(&set);
  sched_getaffinity(0, sizeof set, &set);
  return set;
}

std::string list_of(const cpu_set_t& set) {
  std::vector<int> cores;
  for (int core = 0; core < CPU_SETSIZE; ++core)
    if (CPU_ISSET(core, &set)) cores.push_back(core);
  return fmt::format("{}", fmt::join(cores, ","));
}

}  // namespace

tl::expected<std::vector<int>, std::string> parse_cores(const std::string& text) {
  std::vector<int> cores;
  std::string_view rest = text;
  const cpu_set_t there = allowed();
  while (!rest.empty()) {
    const int first = take_core(rest);
    const int last = take(rest, '-') ? take_core(rest) : first;
    const bool is_good = first >= 0 && last >= first && (rest.empty() || take(rest, ','));
    for (int core = first; is_good && core <= last; ++core) {
      if (std::ranges::count(cores, core) != 0)
        return tl::unexpected(fmt::format("shardCores: core {} comes twice in '{}'", core, text));
      if (!CPU_ISSET(core, &there))
        return tl::unexpected(fmt::format("shardCores: this process has no core {}; choose from {}",
                                          core, list_of(there)));
      cores.push_back(core);
    }
    if (!is_good)
      return tl::unexpected(
          fmt::format("shardCores: '{}' is no list of cores; write it as in 2,4-7", text));
  }
  return cores;
}

std::size_t cores_there() noexcept {
  const cpu_set_t set = allowed();
  return static_cast<std::size_t>(CPU_COUNT(&set));
}

void pin_to(int core) noexcept {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  sched_setaffinity(0, sizeof set, &set);
}

void keep_off(const std::vector<int>& cores) noexcept {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return;
  for (const int core : cores) CPU_CLR(core, &set);
  if (CPU_COUNT(&set) != 0) sched_setaffinity(0, sizeof set, &set);
}

}  // namespace linger
