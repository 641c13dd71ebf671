// generate_captures FOLDER: writes every capture of the project and MANIFEST.md into FOLDER.
// tests/golden/golden_test.py reads the golden runs from the table of MANIFEST.md.
#include <fmt/format.h>

#include "pcaps/catalogue.h"

namespace {

using namespace linger::test;

constexpr std::string_view kHead =
    "# Captures\n"
    "\n"
    "Made by `generate_captures` (pcaps/generate.cc), which also writes this page; nothing in "
    "them\n"
    "was ever on a wire. `tests/golden/NAME.ndjson` holds the records of each run, sorted; a run\n"
    "that hits a limit has none and is compared with a run that does not.\n"
    "\n"
    "| run | what it proves | captures | settings | exit | limit |\n"
    "|---|---|---|---|---|---|\n";

std::string joined(const std::vector<std::string>& words) {
  return fmt::format("{}", fmt::join(words, " "));
}

std::string manifest(const Catalogue& catalogue) {
  std::string text(kHead);
  for (const GoldenRun& run : catalogue.runs())
    text +=
        fmt::format("| {} | {} | {} | {} | {} | {} |\n", run.name, run.proves, joined(run.files),
                    run.settings, run.exit_code, run.hits_limit ? "yes" : "");
  return text;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: generate_captures FOLDER\n");
    return 2;
  }
  Catalogue catalogue;
  add_late_captures(catalogue);
  add_tcp_captures(catalogue);
  add_tcp_anomaly_captures(catalogue);
  add_tuple_captures(catalogue);
  add_protocol_captures(catalogue);
  add_link_captures(catalogue);
  add_fragment_captures(catalogue);
  add_clock_captures(catalogue);
  add_tunnel_captures(catalogue);
  add_checksum_captures(catalogue);
  add_mptcp_captures(catalogue);
  add_application_captures(catalogue);
  add_rule_captures(catalogue);
  const std::string folder = argv[1];
  for (const CaptureFile& file : catalogue.files())
    write_file(folder + "/" + file.name, file.bytes);
  const std::string page = manifest(catalogue);
  write_file(folder + "/MANIFEST.md", ByteList(page.begin(), page.end()));
  return 0;
}
