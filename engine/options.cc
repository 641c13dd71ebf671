#include "engine/options.h"

// clang-format off
#include "engine/base/socket_headers.h"  // before net/if.h
// clang-format on

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <net/if.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <filesystem>
#include <iterator>
#include <map>

#include "engine/live.h"

namespace linger {
namespace {

const std::map<std::string, Dump> kReferences = {{"json-schema", Dump::json_schema},
                                                 {"index-template", Dump::index_template},
                                                 {"fields", Dump::fields},
                                                 {"settings", Dump::settings},
                                                 {"counters", Dump::counters}};
const std::map<std::string, bool> kChecksums = {{"none", true}};
const std::map<std::string, TestLoss> kTestLosses = {{"record", TestLoss::record},
                                                     {"packet", TestLoss::packet},
                                                     {"handoff", TestLoss::handoff},
                                                     {"late-block", TestLoss::late_block}};

constexpr const char* kUsage =
    "linger writes one record for each TCP, UDP, ICMP and SCTP session that it sees.\n"
    "\n"
    "Usage: linger -r FILE|DIR|- ... [options] [filter words]  replay captures\n"
    "       linger -i INTERFACE ... [options] [filter words]   capture live\n"
    "       linger -T [options]                                check all, and leave\n"
    "\n"
    "Filter words are a pcap-filter(7) expression: linger -r x.pcap tcp port 443\n"
    "Put -- before words that begin with a minus.\n";

struct HelpFormatter : CLI::Formatter {
  HelpFormatter() { column_width(26); }
  std::string make_usage(const CLI::App*, std::string) const override { return kUsage; }
  std::string make_positionals(const CLI::App*) const override { return {}; }
  // Without its last line end, as the group without name behind it, which is not shown, has one.
  std::string make_group(std::string name, bool is_positional,
                         std::vector<const CLI::Option*> options) const override {
    std::string text = Formatter::make_group(name, is_positional, options);
    text.pop_back();
    return text;
  }
  std::string make_footer(const CLI::App* app) const override { return app->get_footer(); }
  std::string make_option_opts(const CLI::Option* option) const override {
    return option->get_type_size() == 0 ? "" : " " + option->get_type_name();
  }
};

// Each use of the option takes exactly one word: what follows it is a filter.
void add_repeatable(CLI::App& app, const std::string& flags, std::vector<std::string>& values,
                    const std::string& type_name, const std::string& help) {
  app.add_option(flags, values, help)->allow_extra_args(false)->type_name(type_name);
}

// One word out of a fixed set.
template <typename Enum>
CLI::Option* add_choice(CLI::App& app, const std::string& flags,
                        const std::map<std::string, Enum>& words, Enum& value,
                        const std::string& help) {
  const auto choose = [&words, &value](const std::string& word) {
    const auto found = words.find(word);
    if (found == words.end()) return false;
    value = found->second;
    return true;
  };
  std::vector<std::string> names;
  for (const auto& [name, unused] : words) names.push_back(name);
  return app
      .add_option_function<std::string>(
          flags,
          [choose, names, flags](const std::string& word) {
            if (choose(word)) return;
            throw CLI::ValidationError(
                flags, fmt::format("'{}' is not known; allowed: {}", word, fmt::join(names, ", ")));
          },
          fmt::format("{}{}", help, fmt::join(names, "|")))
      ->type_name("WHAT");
}

Leave bad_usage(std::string_view why) {
  return {kExitUsage, fmt::format("linger: {} (linger --help shows the options)\n", why)};
}

// `linger -r *.pcap`: the shell has made filter words of all files but the first.
std::string file_among_filter_words(const std::vector<std::string>& words) {
  if (words.empty() || words[0].find('.') == std::string::npos) return {};
  std::error_code error;
  return std::filesystem::is_regular_file(words[0], error) ? words[0] : std::string();
}

// As the kernel calls it, which knows interfaces by other names, too.
std::string kernel_name_of(const std::string& interface) {
  char name[IF_NAMESIZE] = {};
  const unsigned index = if_nametoindex(interface.c_str());
  return index != 0 && if_indextoname(index, name) != nullptr ? name : interface;
}

// Its own, and behind a driver of DPDK that opens an interface, that one's.
std::vector<std::string> names_of(const std::string& interface) {
  constexpr std::string_view kInterface = ",iface=";
  if (!is_dpdk(interface)) return {kernel_name_of(interface)};
  std::vector<std::string> names = {std::string(kDpdkPrefix) + dpdk_device_of(interface)};
  const std::size_t at = interface.find(kInterface);
  if (at == std::string::npos) return names;
  const std::size_t begin = at + kInterface.size();
  names.push_back(kernel_name_of(interface.substr(begin, interface.find(',', begin) - begin)));
  return names;
}

// Each packet of a device that is named twice would count twice.
std::string interface_named_twice(const std::vector<std::string>& interfaces) {
  constexpr std::string_view kAll = "any";
  std::vector<std::string> names;
  for (const std::string& interface : interfaces) {
    for (const std::string& name : names_of(interface)) {
      const bool is_virtual = is_dpdk(name) && name.rfind(':') < kDpdkPrefix.size();
      if (std::ranges::count(names, name) != 0)
        return fmt::format("-i {}: it is given twice, and its packets would count twice{}", name,
                           is_virtual ? "; virtual devices have a number each, as net_memif0 and "
                                        "net_memif1"
                                      : "");
    }
    std::ranges::copy(names_of(interface), std::back_inserter(names));
  }
  if (interfaces.size() > 1 && std::ranges::count(names, kAll) != 0)
    return fmt::format(
        "-i {}: it hears every interface, and the packets of the others would count "
        "twice; give it alone",
        kAll);
  return {};
}

// Nothing, or the next option, as when a variable of the shell was empty.
bool is_no_name(std::string_view word) {
  return word.empty() || (word.size() > 1 && word[0] == '-' &&
                          (word[1] == '-' || std::isalpha(static_cast<unsigned char>(word[1]))));
}

std::string conflict_of(const Options& options, const std::vector<std::string>& filter_words) {
  const bool reads = !options.read.empty();
  const bool captures = !options.interfaces.empty();
  if (options.dump != Dump::none || options.version) return {};
  if (reads && captures) return "-r and -i exclude each other: a run is a replay or live";
  if (reads && options.stop_after_idle != 0)
    return "--stop-after-idle ends live runs; a replay ends with its captures";
  if (options.quiet && options.verbose) return "-q and -v exclude each other";
  for (const auto* names : {&options.read, &options.interfaces, &options.outputs}) {
    const auto none = std::ranges::find_if(*names, is_no_name);
    if (none != names->end()) return fmt::format("-r, -i and -o need a name, not '{}'", *none);
  }
  for (const std::string& interface : options.interfaces) {
    if (is_dpdk(interface) && dpdk_device_of(interface).empty())
      return fmt::format(
          "-i {}: it names no device; write dpdk:0000:3b:00.0, or a virtual one as "
          "dpdk:net_af_packet0,iface=eth0",
          interface);
  }
  if (const auto why = interface_named_twice(options.interfaces); !why.empty()) return why;
  if (std::ranges::count(options.read, "-") > 1)
    return "-r -: standard input can be read once only";
  if (const auto file = file_among_filter_words(filter_words); !file.empty()) {
    return fmt::format(
        "'{0}' is a file, but words after the options are a filter: write -r {0}, or "
        "name the directory",
        file);
  }
  if (!reads && !captures && !options.test) {
    return filter_words.empty() ? "nothing to read: give -r FILE or -i INTERFACE"
                                : fmt::format(
                                      "'{}' is no option, and nothing to read: give -r FILE or "
                                      "-i INTERFACE",
                                      filter_words[0]);
  }
  return {};
}

}  // namespace

tl::expected<Options, Leave> parse_options(int argc, const char* const* argv) {
  Options options;
  std::vector<std::string> filter_words;
  bool help = false;
  bool help_settings = false;
  bool dump_config = false;
  Dump reference = Dump::none;

  const auto check_name = [](const std::string& file) {
    return is_no_name(file) ? fmt::format("it needs the name of a file, not '{}'", file) : "";
  };

  CLI::App app;
  app.formatter(std::make_shared<HelpFormatter>());
  app.set_help_flag();
  add_repeatable(app, "-r,--read", options.read, "FILE|DIR|-",
                 "replay captures, or standard input; repeat it");
  add_repeatable(app, "-i,--interface", options.interfaces, "INTERFACE",
                 "capture live, or from dpdk:DEVARGS; repeat it");
  add_repeatable(app, "-o,--output", options.outputs, "URI",
                 "-, file:PATH, unix:PATH, tcp://host:port; repeat it");
  app.add_option("-c,--config", options.config, "settings, a YAML file")
      ->type_name("FILE")
      ->check(check_name);
  add_repeatable(app, "--set", options.assignments, "NAME=VALUE", "one setting; repeat it");
  add_choice(app, "-k,--checksums", kChecksums, options.ignore_checksums,
             "wrong checksums to ignore: ");
  app.add_option_function<std::string>(
         "--stop-after-idle",
         [&options](const std::string& text) {
           const auto duration = parse_duration(text);
           if (!duration) throw CLI::ValidationError("--stop-after-idle", duration.error());
           options.stop_after_idle = *duration;
         },
         "end a live run when no packet came so long: 2s")
      ->type_name("DURATION");
  app.add_flag("-T,--test", options.test, "check settings, memory, outputs, devices; say the cost");
  app.add_flag("-q,--quiet", options.quiet, "no summary and no progress");
  app.add_flag("-v,--verbose", options.verbose, "every counter in the summary");
  app.add_flag("--profile", options.profile,
               "cycles a packet by stage, and what rates that carries");
  app.add_flag("-V,--version", options.version, "version and build");
  app.add_flag("--dump-config", dump_config, "the settings in effect, as annotated YAML");
  add_choice(app, "--dump-schema", kReferences, reference, "print a page of reference:\n");
  app.add_flag("-h,--help", help, "this page");
  app.add_flag("--help-settings", help_settings, "every setting with its meaning and range");
  add_choice(app, "--test-lose", kTestLosses, options.test_loss, "lose one, for tests")->group("");
  app.add_option("filter", filter_words)->group("");
  app.footer("Settings and their defaults (--help-settings explains them):\n" + settings_summary());

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return tl::unexpected(bad_usage(error.what()));
  }
  if (help) return tl::unexpected(Leave{kExitWell, app.help()});
  if (help_settings) return tl::unexpected(Leave{kExitWell, settings_help()});
  options.dump = dump_config ? Dump::config : reference;
  options.bpf = fmt::format("{}", fmt::join(filter_words, " "));
  if (const auto why = conflict_of(options, filter_words); !why.empty()) {
    return tl::unexpected(bad_usage(why));
  }
  return options;
}

tl::expected<Settings, std::string> settings_of(const Options& options) {
  auto settings = load_settings(options.config, options.assignments);
  if (!settings) return settings;
  if (!options.outputs.empty()) {
    settings->output = options.outputs;
    settings->places.erase("output");
  }
  if (!options.bpf.empty()) {
    settings->bpf = options.bpf;
    settings->places.erase("bpf");
  }
  if (options.ignore_checksums) settings->checksums = false;
  if (const auto result = check_settings(*settings); !result) return tl::unexpected(result.error());
  return settings;
}

}  // namespace linger
