// The command line: what to read, where to write, which settings.
//
// parse_options() either yields Options or the reason to leave at once: help (code 0, for standard
// output) or bad usage (code 2, for standard error). Words after the options are a BPF filter, as
// with every capture tool. Thread: the control thread, once.
#pragma once

#include <cstdint>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "engine/base/settings.h"

namespace linger {

inline constexpr int kExitWell = 0;
inline constexpr int kExitFailed = 1;  // the run failed
inline constexpr int kExitUsage = 2;   // bad usage or settings
inline constexpr int kExitLost = 3;    // finished, but packets or records were lost

// What a test asks to lose.
enum class TestLoss : std::uint8_t { none, record, packet, handoff, late_block };
// What is printed instead of a run.
enum class Dump : std::uint8_t {
  none,
  config,
  json_schema,
  index_template,
  fields,
  settings,
  counters
};

struct Options {
  std::vector<std::string> read;         // -r: files, directories, "-"
  std::vector<std::string> interfaces;   // -i
  std::vector<std::string> outputs;      // -o: URIs; empty: the setting `output`
  std::string config;                    // -c: path; empty: built-in defaults
  std::vector<std::string> assignments;  // --set: key=value
  std::string bpf;                 // the words after the options, joined; empty: the setting `bpf`
  bool ignore_checksums = false;   // -k none
  DurationNs stop_after_idle = 0;  // --stop-after-idle: ends a live run; 0: it goes on
  Dump dump = Dump::none;          // --dump-config, --dump-schema: print and leave
  bool test = false;               // -T: check and leave
  bool version = false;            // -V: print and leave
  bool quiet = false;              // -q: no summary, no progress
  bool verbose = false;            // -v
  bool profile = false;            // --profile: say where the time goes
  TestLoss test_loss = TestLoss::none;  // --test-lose (hidden)
};

struct Leave {
  int code = kExitWell;
  std::string text;  // ends with a line feed
};

tl::expected<Options, Leave> parse_options(int argc, const char* const* argv);

// The settings of this command line: defaults, -c, --set, then -o and the filter words over them,
// checked.
tl::expected<Settings, std::string> settings_of(const Options& options);

}  // namespace linger
