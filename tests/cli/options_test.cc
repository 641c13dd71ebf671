#include "engine/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "tests/support/temporary_folder.h"

namespace linger {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

tl::expected<Options, Leave> parse(std::vector<const char*> words) {
  words.insert(words.begin(), "linger");
  return parse_options(static_cast<int>(words.size()), words.data());
}

Options options(std::vector<const char*> words) {
  const auto result = parse(std::move(words));
  EXPECT_TRUE(result) << result.error().text;
  return result.value_or(Options());
}

// The text of bad usage.
std::string error_of(std::vector<const char*> words) {
  const auto result = parse(std::move(words));
  if (result) return "no error";
  EXPECT_EQ(result.error().code, kExitUsage);
  EXPECT_THAT(result.error().text, StartsWith("linger: "));
  EXPECT_EQ(std::ranges::count(result.error().text, '\n'), 1);
  return result.error().text;
}

TEST(Options, words_after_the_options_are_a_filter) {
  const auto o = options({"-r", "x.pcap", "tcp", "port", "80", "and", "host", "1.2.3.4"});
  EXPECT_THAT(o.read, ElementsAre("x.pcap"));
  EXPECT_EQ(o.bpf, "tcp port 80 and host 1.2.3.4");
  EXPECT_EQ(options({"-r", "x", "tcp port 80"}).bpf, "tcp port 80");
  EXPECT_EQ(options({"-r", "x", "tcp[13] & 2 != 0 and (host a or [::1])"}).bpf,
            "tcp[13] & 2 != 0 and (host a or [::1])");
  EXPECT_EQ(options({"-r", "x", "not", "udp"}).bpf, "not udp");
  EXPECT_EQ(options({"-r", "x"}).bpf, "");
}

TEST(Options, options_may_follow_the_filter) {
  const auto o = options({"tcp", "-r", "x", "port", "-o", "y", "80"});
  EXPECT_EQ(o.bpf, "tcp port 80");
  EXPECT_THAT(o.outputs, ElementsAre("y"));
}

TEST(Options, after_two_dashes_everything_is_a_filter) {
  EXPECT_EQ(options({"-r", "x", "--", "ip[2:2]", "-", "-1", ">", "--set"}).bpf,
            "ip[2:2] - -1 > --set");
}

TEST(Options, repeatable_options_take_one_word_each) {
  const auto o = options({"-r", "a", "--read=b", "-rc", "-o", "-", "-o", "unix:/x?format=ndjson",
                          "--set", "node=a", "--set", "bpf=a,b", "udp"});
  EXPECT_THAT(o.read, ElementsAre("a", "b", "c"));
  EXPECT_THAT(o.outputs, ElementsAre("-", "unix:/x?format=ndjson"));
  EXPECT_THAT(o.assignments, ElementsAre("node=a", "bpf=a,b"));
  EXPECT_EQ(o.bpf, "udp");
  EXPECT_THAT(options({"-i", "eth0", "-i", "dpdk:0000:01:00.0,a=[1,2]"}).interfaces,
              ElementsAre("eth0", "dpdk:0000:01:00.0,a=[1,2]"));
}

TEST(Options, a_dash_reads_standard_input_once) {
  EXPECT_THAT(options({"-r", "-"}).read, ElementsAre("-"));
  EXPECT_THAT(error_of({"-r", "-", "-r", "-"}), HasSubstr("once only"));
}

TEST(Options, a_device_is_captured_once) {
  const auto error_of_both = [](const std::string& one, const std::string& other) {
    return error_of({"-i", one.c_str(), "-i", other.c_str()});
  };
  EXPECT_THAT(error_of_both("b", "b"), HasSubstr("-i b: it is given twice"));
  EXPECT_THAT(error_of_both("b", "dpdk:net_af_packet0,qpairs=1,iface=b"),
              HasSubstr("-i b: it is given twice"));
  EXPECT_THAT(error_of_both("dpdk:net_memif0,id=1", "dpdk:net_memif0,id=2"),
              HasSubstr("virtual devices have a number each"));
  EXPECT_THAT(error_of_both("dpdk:net_af_packet0,iface=a", "dpdk:net_af_packet0,iface=b"),
              HasSubstr("virtual devices have a number each"));
  EXPECT_THAT(error_of_both("dpdk:0000:3b:00.0", "dpdk:3B:00.0,mprq_en=1"),
              HasSubstr("-i dpdk:0000:3b:00.0: it is given twice"));
  EXPECT_THAT(error_of_both("any", "b"), HasSubstr("give it alone"));
  EXPECT_THAT(options({"-i", "a", "-i", "dpdk:net_af_packet0,iface=b"}).interfaces,
              testing::SizeIs(2));
}

TEST(Options, a_dpdk_device_has_a_name) {
  EXPECT_THAT(error_of({"-i", "dpdk:"}), HasSubstr("-i dpdk:: it names no device"));
  EXPECT_THAT(error_of({"-i", "dpdk:,iface=b"}), HasSubstr("it names no device"));
}

TEST(Options, flags_may_be_joined) {
  const auto o = options({"-qTr", "x"});
  EXPECT_TRUE(o.quiet);
  EXPECT_TRUE(o.test);
  EXPECT_THAT(o.read, ElementsAre("x"));
}

TEST(Options, checking_needs_no_source) {
  EXPECT_TRUE(options({"-T"}).test);
  EXPECT_EQ(options({"-T", "-c", "x.yaml"}).config, "x.yaml");
}

TEST(Options, printing_needs_no_source) {
  EXPECT_TRUE(options({"-V"}).version);
  EXPECT_EQ(options({"--dump-config", "--set", "node=a"}).dump, Dump::config);
  EXPECT_EQ(options({"--dump-schema", "json-schema"}).dump, Dump::json_schema);
  EXPECT_EQ(options({"--dump-schema=index-template"}).dump, Dump::index_template);
  EXPECT_EQ(options({"--dump-schema", "fields"}).dump, Dump::fields);
  EXPECT_EQ(options({"--dump-schema", "settings"}).dump, Dump::settings);
  EXPECT_EQ(options({"--dump-schema", "counters"}).dump, Dump::counters);
  EXPECT_EQ(options({"-r", "x"}).dump, Dump::none);
}

TEST(Options, test_switches_are_known_but_not_shown) {
  EXPECT_EQ(options({"-r", "x", "--test-lose", "record"}).test_loss, TestLoss::record);
  EXPECT_EQ(options({"-r", "x", "--test-lose", "packet"}).test_loss, TestLoss::packet);
  EXPECT_EQ(options({"-r", "x", "--test-lose", "handoff"}).test_loss, TestLoss::handoff);
  EXPECT_EQ(options({"-r", "x", "--test-lose", "late-block"}).test_loss, TestLoss::late_block);
  EXPECT_THAT(error_of({"-r", "x", "--test-lose", "all"}),
              HasSubstr("'all' is not known; allowed: handoff, late-block, packet, record"));
  EXPECT_THAT(parse({"-h"}).error().text, Not(HasSubstr("--test-lose")));
}

TEST(Options, help_leaves_well) {
  for (const char* flag : {"-h", "--help"}) {
    const auto result = parse({flag, "-r", "x"});
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, kExitWell);
    EXPECT_THAT(result.error().text, HasSubstr("Usage: linger -r FILE"));
    EXPECT_THAT(result.error().text, HasSubstr("tcpTimeout=10min"));
    EXPECT_THAT(result.error().text, Not(HasSubstr("\n\n\n")));
    EXPECT_THAT(result.error().text, Not(testing::EndsWith("\n\n")));
  }
  EXPECT_THAT(parse({"--help-settings"}).error().text, HasSubstr("tcpTimeout\n    An established"));
}

TEST(Options, help_fits_80_columns) {
  std::istringstream text(parse({"-h"}).error().text + parse({"--help-settings"}).error().text);
  for (std::string line; std::getline(text, line);) EXPECT_LE(line.size(), 80U) << line;
}

TEST(Options, bad_usage_says_what_is_wrong) {
  EXPECT_THAT(error_of({}), HasSubstr("nothing to read: give -r FILE or -i INTERFACE"));
  EXPECT_THAT(error_of({"help"}), HasSubstr("'help' is no option, and nothing to read"));
  EXPECT_THAT(error_of({"-r"}), HasSubstr("--read"));
  EXPECT_THAT(error_of({"-r", "x", "-c"}), HasSubstr("--config"));
  EXPECT_THAT(error_of({"-r", "x", "--bogus"}), HasSubstr("--bogus"));
  EXPECT_THAT(error_of({"-r", "x", "-x"}), HasSubstr("-x"));
  EXPECT_THAT(error_of({"-r", "x", "-c", "a", "-c", "b"}), HasSubstr("--config"));
  EXPECT_THAT(error_of({"-r", "x", "-i", "eth0"}), HasSubstr("-r and -i exclude each other"));
  EXPECT_THAT(error_of({"-r", "x", "-q", "-v"}), HasSubstr("-q and -v exclude each other"));
  EXPECT_THAT(error_of({"-r", "x", "--stop-after-idle", "2s"}), HasSubstr("ends live runs"));
  EXPECT_THAT(error_of({"-r", ""}), HasSubstr("need a name"));
  EXPECT_THAT(error_of({"-r", "x", "-c", ""}), HasSubstr("it needs the name of a file, not ''"));
  EXPECT_THAT(error_of({"-r", "-o", "x.ndjson"}), HasSubstr("need a name, not '-o'"));
  EXPECT_EQ(options({"-r", "-", "-o", "-?format=ndjson"}).outputs.front(), "-?format=ndjson");
  EXPECT_THAT(error_of({"-i", "eth0", "-i", "eth1", "-i", "eth0"}), HasSubstr("-i eth0: it is"));
  EXPECT_THAT(error_of({"-i", "dpdk:net_pcap0,rx_pcap=a", "-i", "dpdk:net_pcap0,rx_pcap=b"}),
              HasSubstr("a number each"));
  EXPECT_THAT(error_of({"-i", "any", "-i", "eth0"}), HasSubstr("give it alone"));
  EXPECT_THAT(error_of({"--dump-schema", "all"}), HasSubstr("'all' is not known; allowed: "));
}

TEST(Options, a_file_among_the_filter_words_is_explained) {
  const TemporaryFolder folder;
  const auto file = folder.file("b.pcap");
  std::ofstream(file) << "x";
  EXPECT_THAT(error_of({"-r", "a.pcap", file.c_str()}),
              HasSubstr("'" + file + "' is a file, but words after the options are a filter"));
}

TEST(Options, the_command_line_overrides_settings) {
  const auto settings = settings_of(
      options({"-r", "x", "--set", "bpf=udp", "--set", "output=file:a", "-o", "file:b,c", "tcp"}));
  ASSERT_TRUE(settings) << settings.error();
  EXPECT_EQ(settings->bpf, "tcp");
  EXPECT_THAT(settings->output, ElementsAre("file:b,c"));
  EXPECT_EQ(settings_of(options({"-r", "x", "--set", "bpf=udp"}))->bpf, "udp");
}

TEST(Options, settings_of_the_command_line_are_checked) {
  EXPECT_EQ(settings_of(options({"-r", "x", "--set", "packetThreads=0"})).error(),
            "--set: packetThreads: '0' is out of range; allowed: a whole number from 1 to 64");
  Options many = options({"-r", "x"});
  many.outputs.assign(17, "-");
  EXPECT_THAT(settings_of(many).error(), HasSubstr("output: "));
  Options wide = options({"-r", "x"});
  wide.bpf.assign(65'537, 'x');
  EXPECT_THAT(settings_of(wide).error(), HasSubstr("bpf: "));
  EXPECT_EQ(settings_of(options({"-T", "-c", "/nowhere.yaml"})).error(),
            "/nowhere.yaml: cannot be read: No such file or directory");
}

}  // namespace
}  // namespace linger
