#include "engine/base/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/temporary_folder.h"

namespace linger {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// The error that this YAML gives; empty: none.
std::string error_of(const std::string& yaml) {
  Settings settings;
  const auto result = read_settings(yaml, "x.yaml", settings);
  return result ? "" : result.error();
}

Settings read(const std::string& yaml) {
  Settings settings;
  const auto result = read_settings(yaml, "x.yaml", settings);
  EXPECT_TRUE(result) << result.error();
  return settings;
}

Settings assigned(const std::string& assignment) {
  const auto settings = load_settings("", {assignment});
  EXPECT_TRUE(settings) << settings.error();
  return settings.value_or(Settings());
}

std::string error_of_load(const std::vector<std::string>& assignments) {
  const auto settings = load_settings("", assignments);
  return settings ? "" : settings.error();
}

class SettingsFile : public testing::Test {
 protected:
  std::string write(const std::string& text) {
    std::ofstream(path_, std::ios::binary) << text;
    return path_;
  }

  TemporaryFolder folder_;
  std::string path_ = folder_.file("x.yaml");
};

TEST(Settings, defaults_are_those_that_the_field_knows) {
  const Settings settings;
  EXPECT_EQ(settings.maxStreams, 1'000'000U);
  EXPECT_EQ(settings.tcpTimeout, 10 * kMinute);
  EXPECT_EQ(settings.tcpClosingTimeout, 5 * kSecond);
  EXPECT_EQ(settings.graveyard_size(), 4'000'000U);
  EXPECT_EQ(settings.extension_pool(), 250'000U);
  EXPECT_THAT(settings.sessionKey, IsEmpty());
  EXPECT_TRUE(check_settings(settings));
}

// What is left of a datagram then finds the session open that its packets belong to.
TEST(Settings, fragments_are_given_up_before_a_session_without_connection_ends) {
  const Settings settings;
  EXPECT_LT(settings.fragsTimeout, settings.udpTimeout);
  EXPECT_LT(settings.fragsTimeout, settings.icmpTimeout);
}

TEST(Settings, every_kind_is_read_from_yaml) {
  const auto settings = read(
      "# a comment\n"
      "maxStreams: 5000\n"
      "tcpTimeout: 2h\n"
      "udpTimeout: \"45\"\n"
      "node: 7\n"
      "bpf: 'tcp and not port 22'\n"
      "sessionKey: [vlan, tunnel]\n"
      "vxlanPorts: [4789, 65535]\n"
      "gtpPorts: []\n"
      "output:\n"
      "  - file:/tmp/a,b\n"
      "  - '-'\n");
  EXPECT_EQ(settings.maxStreams, 5000U);
  EXPECT_EQ(settings.tcpTimeout, 2 * kHour);
  EXPECT_EQ(settings.udpTimeout, 45 * kSecond);
  EXPECT_EQ(settings.node, "7");
  EXPECT_EQ(settings.bpf, "tcp and not port 22");
  EXPECT_THAT(settings.sessionKey, ElementsAre("vlan", "tunnel"));
  EXPECT_THAT(settings.vxlanPorts, ElementsAre(4789, 65'535));
  EXPECT_THAT(settings.gtpPorts, IsEmpty());
  EXPECT_THAT(settings.output, ElementsAre("file:/tmp/a,b", "-"));
}

TEST(Settings, a_single_value_is_a_list_of_one) {
  EXPECT_THAT(read("sessionKey: vlan").sessionKey, ElementsAre("vlan"));
}

TEST(Settings, empty_files_leave_the_defaults) {
  for (const char* yaml : {"", "\n\n", "# nothing\n", "---\n", "{}\n", "~\n"}) {
    EXPECT_EQ(read(yaml), Settings()) << yaml;
  }
}

TEST(Settings, an_unknown_key_names_its_line_and_the_nearest_one) {
  EXPECT_EQ(error_of("node: a\n\nmaxStream: 5\n"),
            "x.yaml:3: unknown setting 'maxStream'; the nearest is maxStreams "
            "(--help-settings lists all)");
  EXPECT_THAT(error_of("TCPTIMEOUT: 5\n"), HasSubstr("nearest is tcpTimeout "));
  EXPECT_THAT(error_of("packet_threads: 5\n"), HasSubstr("nearest is packetThreads "));
  EXPECT_THAT(error_of("<<: {node: a}\n"), HasSubstr("x.yaml:1: unknown setting '<<'"));
}

TEST(Settings, a_very_long_key_is_cut_in_the_message) {
  EXPECT_LT(error_of(std::string(1000, 'k') + ": 1\n").size(), 200U);
}

TEST(Settings, a_wrong_type_names_what_is_allowed) {
  EXPECT_EQ(error_of("tcpTimeout: soon\n"),
            "x.yaml:1: tcpTimeout: 'soon' is not a duration (as in 90s, 1.5h, 120ms); "
            "allowed: a duration from 1s to 1d");
  EXPECT_EQ(error_of("maxStreams: 1.5\n"),
            "x.yaml:1: maxStreams: '1.5' is not a whole number; "
            "allowed: a whole number from 1000 to 100000000");
  EXPECT_EQ(error_of("node: [a]\n"),
            "x.yaml:1: node: a list is not allowed here; allowed: text of 1 to 255 bytes");
  EXPECT_EQ(error_of("node:\n"),
            "x.yaml:1: node: it has no value; allowed: text of 1 to 255 bytes");
  EXPECT_THAT(error_of("node: {a: b}\n"), HasSubstr("x.yaml:1: node: names inside it"));
  EXPECT_THAT(error_of("output: [[a]]\n"), HasSubstr("an entry is not a single value"));
  EXPECT_THAT(error_of("output: ['']\n"), HasSubstr("an entry is empty"));
}

TEST(Settings, a_value_out_of_range_names_the_range) {
  EXPECT_EQ(error_of("\npacketThreads: 65\n"),
            "x.yaml:2: packetThreads: '65' is out of range; allowed: a whole number from 1 to 64");
  EXPECT_THAT(error_of("tcpTimeout: 25h\n"), HasSubstr("'25h' is out of range"));
  EXPECT_THAT(error_of("tcpTimeout: 0\n"), HasSubstr("'0' is out of range"));
  EXPECT_THAT(error_of("node: ''\n"), HasSubstr("'' is out of range"));
  EXPECT_THAT(error_of("sessionKey: [vlan, tunnel, vlan]\n"), HasSubstr("a list of 3 entries is"));
  EXPECT_EQ(error_of("gtpPorts: [2152, 65536]\n"),
            "x.yaml:1: gtpPorts: '65536' is no port; allowed: a list of 0 to 16 ports");
  EXPECT_THAT(error_of("gtpPorts: 0\n"), HasSubstr("'0' is no port"));
  EXPECT_EQ(error_of("packetThreads: 64\n"), "");
}

TEST(Settings, a_key_set_twice_names_both_lines) {
  EXPECT_EQ(error_of("node: a\nbpf: ''\nnode: b\n"),
            "x.yaml:3: node: set a second time; the first is in line 1");
}

TEST(Settings, what_is_not_a_map_is_refused) {
  for (const char* yaml : {"node\n", "- node\n", "5\n"}) {
    EXPECT_EQ(error_of(yaml), "x.yaml:1: settings are lines of the form 'name: value'") << yaml;
  }
  EXPECT_THAT(error_of("? [a]\n: b\n"), HasSubstr("a setting's name is one word"));
  EXPECT_THAT(error_of("node: a\n---\nnode: b\n"), HasSubstr("a second YAML document"));
}

TEST(Settings, broken_yaml_names_its_line) {
  EXPECT_THAT(error_of("node: a\nbpf: [\n"), HasSubstr("x.yaml:3: not YAML: "));
  EXPECT_THAT(error_of("a: b: c\n"), HasSubstr("x.yaml:1: not YAML: "));
  EXPECT_THAT(error_of("*x\n"), HasSubstr("not YAML: "));
  EXPECT_THAT(error_of(std::string(100'000, '[')), HasSubstr("not YAML: "));
}

// Some of them, as each takes milliseconds.
TEST(Settings, what_is_wrong_with_a_prefix_or_a_flipped_byte_of_a_file_is_told_with_its_line) {
  const auto yaml = dump_config(Settings());
  const auto expect_an_answer = [](const std::string& text, std::size_t at) {
    const std::string error = error_of(text);
    EXPECT_TRUE(error.empty() || (error.starts_with("x.yaml:") && error[7] > '0')) << at << error;
  };
  for (std::size_t length = 0; length <= yaml.size(); length += 61)
    expect_an_answer(yaml.substr(0, length), length);
  for (std::size_t i = 0; i < yaml.size(); i += 53) {
    auto changed = yaml;
    changed[i] = static_cast<char>(changed[i] ^ 0x9f);
    expect_an_answer(changed, i);
  }
}

TEST(Settings, assignments_change_single_values) {
  EXPECT_EQ(assigned("tcpTimeout=5min").tcpTimeout, 5 * kMinute);
  EXPECT_EQ(assigned("bpf=host a = b: [c]").bpf, "host a = b: [c]");
  EXPECT_EQ(assigned("bpf=").bpf, "");
  EXPECT_THAT(assigned("sessionKey=vlan,tunnel").sessionKey, ElementsAre("vlan", "tunnel"));
  EXPECT_THAT(assigned("sessionKey=[vlan]").sessionKey, ElementsAre("vlan"));
  EXPECT_THAT(assigned("sessionKey= [vlan , tunnel ]").sessionKey, ElementsAre("vlan", "tunnel"));
  EXPECT_THAT(assigned("output=").output, IsEmpty());
}

TEST(Settings, bad_assignments_say_so) {
  EXPECT_EQ(error_of_load({"node"}), "--set node: allowed: name=value");
  EXPECT_THAT(error_of_load({"nod=a"}),
              HasSubstr("--set: unknown setting 'nod'; the nearest is node"));
  EXPECT_THAT(error_of_load({"=a"}), HasSubstr("--set: unknown setting ''"));
  EXPECT_THAT(error_of_load({"packetThreads=x"}), HasSubstr("--set: packetThreads: 'x' is not"));
}

TEST(Settings, a_later_assignment_wins) {
  const auto settings = load_settings("", {"node=a", "node=b"});
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->node, "b");
}

TEST_F(SettingsFile, assignments_override_the_file) {
  const auto settings = load_settings(write("node: file\nbpf: tcp\n"), {"node=set"});
  ASSERT_TRUE(settings) << settings.error();
  EXPECT_EQ(settings->node, "set");
  EXPECT_EQ(settings->bpf, "tcp");
}

TEST_F(SettingsFile, a_file_that_cannot_be_read_is_named_with_the_reason) {
  EXPECT_EQ(load_settings("/nowhere/x.yaml").error(),
            "/nowhere/x.yaml: cannot be read: No such file or directory");
  EXPECT_EQ(load_settings(folder_.path()).error(),
            folder_.path() + ": cannot be read: Is a directory");
  const auto huge = write(std::string((1 << 20) + 1, '#'));
  EXPECT_EQ(load_settings(huge).error(), huge + ": cannot be read: larger than 1 MiB");
}

TEST_F(SettingsFile, a_conflict_names_the_place_of_the_setting) {
  const auto path = write("node: a\nsessionKey: [vlna]\n");
  EXPECT_EQ(load_settings(path).error(),
            path + ":2: sessionKey: 'vlna' is not known; allowed: vlan, tunnel");
}

TEST(Settings, conflicts_between_settings_are_found) {
  EXPECT_EQ(error_of_load({"maxStreams=1000", "packetThreads=16"}),
            "--set: maxStreams: 1000 is too few for 16 packetThreads; allowed: at least 1024");
  EXPECT_EQ(error_of_load({"graveyardSize=7", "packetThreads=8"}),
            "--set: graveyardSize: 7 is too few for 8 packetThreads; allowed: at least 8");
  EXPECT_EQ(error_of_load({"tcpRstTimeout=1min"}),
            "--set: tcpRstTimeout: 1min is above lingerCeiling; allowed: at most 30s");
  EXPECT_EQ(error_of_load({"lingerCeiling=1s"}),
            "--set: lingerCeiling: 1s is below tcpClosingTimeout; allowed: at least 5s");
  EXPECT_EQ(error_of_load({"continueTimeout=10s"}),
            "--set: continueTimeout: 10s is below lateTimeout; allowed: at least 2min");
  EXPECT_EQ(error_of_load({"sessionKey=vlan,vlan"}), "--set: sessionKey: 'vlan' is there twice");
  EXPECT_EQ(error_of_load({"gtpPorts=2152,4789"}),
            "--set: gtpPorts: port 4789 is in vxlanPorts already");
  EXPECT_EQ(error_of_load({"gtpPorts=4789", "vxlanPorts="}), "");
  EXPECT_EQ(error_of_load({"maxStreams=1000", "packetThreads=8"}), "");
}

TEST(Settings, settings_made_in_code_are_checked_as_well) {
  Settings settings;
  settings.packetThreads = 65;
  EXPECT_EQ(check_settings(settings).error(),
            "packetThreads: 65 is out of range; allowed: a whole number from 1 to 64");
}

TEST(Settings, a_dump_reads_back_as_the_same_settings) {
  Settings settings;
  settings.maxStreams = 12'345;
  settings.tcpTimeout = 1'234'567'891;
  settings.node = "quote \" backslash \\ tab \t line\nfeed \x7f ä # : '";
  settings.bpf = "host 1.2.3.4";
  settings.idSeed = "~";
  settings.sessionKey = {"tunnel", "vlan"};
  settings.vxlanPorts = {1, 2};
  settings.gtpPorts = {};
  settings.output = {"-", "file:/tmp/a, b]", "#"};
  settings.hashSeed = UINT64_MAX;
  EXPECT_EQ(read(dump_config(settings)), settings);
  EXPECT_EQ(read(dump_config(Settings())), Settings());
}

TEST(Settings, a_dump_explains_every_setting) {
  EXPECT_THAT(dump_config(assigned("tcpTimeout=1h")),
              HasSubstr("\n# An established TCP session ends after this long without a packet.\n"
                        "# Default 10min; a duration from 1s to 1d.\n"
                        "tcpTimeout: 1h\n"));
}

TEST(Settings, help_and_reference_list_every_setting) {
#define LINGER_EXPECT_LISTED(kind, name, default_value, min, max, help) \
  EXPECT_THAT(settings_help(), HasSubstr(#name "\n    "));              \
  EXPECT_THAT(settings_summary(), HasSubstr(" " #name "="));            \
  EXPECT_THAT(settings_markdown(), HasSubstr("\n| `" #name "` | `"));   \
  EXPECT_THAT(dump_config(Settings()), HasSubstr("\n" #name ": "));
  LINGER_SETTINGS(LINGER_EXPECT_LISTED)
#undef LINGER_EXPECT_LISTED
}

TEST(Settings, every_default_is_within_its_range) { EXPECT_TRUE(check_settings(Settings())); }

TEST(SettingKinds, text_is_valid_utf8_without_nul) {
  const auto is_text = [](const std::string& text) {
    return setting_kind::Text::parse({{text}}).has_value();
  };
  for (const char* good : {"", "plain", "ä", "\u20ac", "\U0001F600", "\U0010FFFF", "\uE000"}) {
    EXPECT_TRUE(is_text(good)) << good;
  }
  for (const char* bad : {"\x80", "\xc0\x80", "\xc1\xbf", "\xc3", "\xe0\x80\x80", "\xe2\x82",
                          "\xed\xa0\x80", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf5", "\xff"}) {
    EXPECT_FALSE(is_text(bad)) << bad;
  }
  EXPECT_FALSE(is_text(std::string(1, '\0')));
}

TEST(SettingKinds, flags_take_the_usual_words) {
  using setting_kind::Flag;
  for (const char* word : {"true", "yes", "on"}) EXPECT_EQ(Flag::parse({{word}}), true);
  for (const char* word : {"false", "no", "off"}) EXPECT_EQ(Flag::parse({{word}}), false);
  EXPECT_EQ(Flag::parse({{"1"}}).error(), "'1' is neither true nor false");
  EXPECT_EQ(Flag::text(true), "true");
}

TEST(SettingKinds, sizes_are_read_and_written_with_units) {
  using setting_kind::Bytes;
  EXPECT_EQ(Bytes::parse({{"64KiB"}}), 65'536U);
  EXPECT_EQ(Bytes::text(65'536), "64KiB");
  EXPECT_EQ(Bytes::range(1024, 1 << 20), "a size from 1KiB to 1MiB");
}

}  // namespace
}  // namespace linger
