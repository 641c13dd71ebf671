#include "engine/rule_files.h"

#include <gtest/gtest.h>

#include "tests/support/temporary_folder.h"

namespace linger::test {
namespace {

TEST(rule_files, are_read_with_all_that_a_rule_can_say) {
  const auto read = read_rules(
      "- {name: short, pattern: 'a\\x00b'}\n"
      "- name: long\n  pattern: ^a\n  tag: t\n  flags: [caseless, dotall]\n"
      "  direction: source\n  protocol: tcp\n  ports: [21, 80]\n"
      "- {name: named, pattern: a, direction: destination, protocol: http, flags: multiline}\n"
      "- {name: signed, pattern: a, protocol: rtsp, ports: 554}\n",
      "r.yaml", {{.name = "rtsp", .expression = "^a", .place = ""}});
  ASSERT_TRUE(read) << read.error();
  ASSERT_EQ(read->size(), 4u);
  const Rule& plain = (*read)[0];
  EXPECT_EQ(plain.expression, "a\\x00b");
  EXPECT_EQ(plain.from, (std::array{true, true}));
  EXPECT_EQ(plain.in, (std::array{true, true}));
  const Rule& full = (*read)[1];
  EXPECT_EQ(full.place, "r.yaml:2");
  EXPECT_EQ(full.tag, "t");
  EXPECT_EQ(full.flags, kCaseless | kDotAll);
  EXPECT_EQ(full.from, (std::array{true, false}));
  EXPECT_EQ(full.in, (std::array{true, false}));
  EXPECT_EQ(full.ports, (std::vector<std::uint16_t>{21, 80}));
  EXPECT_EQ((*read)[2].protocol, "http");
  EXPECT_EQ((*read)[2].from, (std::array{false, true}));
  EXPECT_EQ((*read)[2].flags, kMultiline);
  EXPECT_EQ((*read)[3].protocol, "rtsp");
  EXPECT_EQ((*read)[3].ports, (std::vector<std::uint16_t>{554}));
  EXPECT_TRUE(read_rules("", "r.yaml")->empty());
}

TEST(rule_files, that_are_wrong_are_named_with_their_line) {
  const auto expect_error = [](const std::string& yaml, const std::string& error) {
    const auto read = read_rules(yaml, "r.yaml");
    ASSERT_FALSE(read) << yaml;
    EXPECT_EQ(read.error().substr(0, error.size()), error);
  };
  expect_error("a: b", "r.yaml:1: not a list of rules");
  expect_error("- a", "r.yaml:1: not a rule: name, pattern, tag, flags, direction");
  expect_error("\n- {pattern: a}", "r.yaml:2: name: it is missing");
  expect_error("- {name: a}", "r.yaml:1: rule a: pattern: it is missing");
  expect_error("- name: a\n  patern: a",
               "r.yaml:2: rule a: patern: no member of a rule: name, pattern");
  expect_error("- {name: a, pattern: {a: b}}", "r.yaml:1: rule a: pattern: not a text");
  expect_error("- {name: a, pattern: [a, b]}", "r.yaml:1: rule a: pattern: not a text");
  expect_error("- {name: a, pattern: \"^GET\\x00\"}",
               "r.yaml:1: rule a: pattern: it holds a byte 0, as \\x00 in double quotes is");
  expect_error("- {name: a, flags: [\"caseless\\0\"]}",
               "r.yaml:1: rule a: flags: it holds a byte 0");
  expect_error("- {name: a, tag: [[a]]}", "r.yaml:1: rule a: tag: not a list of texts");
  expect_error("- name: " + std::string(kRuleTextMax + 1, 'a'),
               "r.yaml:1: rule " + std::string(kRuleTextMax, 'a') +
                   ": name: it takes a text of 1 to 63 bytes");
  expect_error("- {name: a, flags: [i]}", "r.yaml:1: rule a: flags: i; allowed: caseless, dotall");
  expect_error("- {name: a, flags: [utf8]}",
               "r.yaml:1: rule a: flags: utf8: packets are any bytes");
  expect_error("- {name: a, direction: up}", "r.yaml:1: rule a: direction: up; allowed: source");
  expect_error("- {name: a, protocol: htpp}",
               "r.yaml:1: rule a: protocol: there is none named htpp; allowed: tcp, udp, http");
  expect_error("- {name: a, ports: [80, 0]}", "r.yaml:1: rule a: ports: 0 is no port");
  expect_error("- {name: a, pattern: a,\n   tag: b, pattern: c}",
               "r.yaml:2: rule a: pattern: it stands here twice");
  expect_error("- [", "r.yaml:1: not YAML: ");
  expect_error("- {name: a, pattern: a}\n---\n- {name: b, pattern: b}",
               "r.yaml:3: a second YAML document begins");
  EXPECT_EQ(load_rules("", {"/nowhere.yaml"}, {}).error(),
            "rules: /nowhere.yaml: No such file or directory");
  EXPECT_EQ(load_rules("", {"/"}, {}).error(), "rules: /: Is a directory");
  const TemporaryFolder folder;
  const std::string huge = folder.file("huge");
  std::ofstream(huge).close();
  std::filesystem::resize_file(huge, (16 << 20) + 1);
  EXPECT_EQ(load_rules("", {huge}, {}).error(), "rules: " + huge + ": larger than 16 MiB");
}

}  // namespace
}  // namespace linger::test
