// What every parser of the list has to declare, whatever it parses.
#include "parsers/list.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

namespace linger::test {
namespace {

TEST(parser_list, every_pattern_begins_at_the_first_byte) {
  for (const Parser* parser : kParsers) {
    EXPECT_FALSE(parser->patterns.empty()) << parser->protocol.name;
    for (const Pattern& pattern : parser->patterns)
      EXPECT_EQ(pattern.expression[0], '^') << parser->protocol.name;
  }
}

TEST(parser_list, a_parser_reads_what_it_has_patterns_for) {
  for (const Parser* parser : kParsers) {
    for (const Pattern& pattern : parser->patterns) {
      const bool is_stream = pattern.carrier == Carrier::stream;
      EXPECT_TRUE(is_stream ? parser->on_data != nullptr : parser->on_datagram != nullptr)
          << parser->protocol.name;
    }
  }
}

// Else one JSON object would have the same key twice.
TEST(parser_list, fields_of_one_object_stand_together) {
  for (const Parser* parser : kParsers) {
    std::set<std::string> closed;
    std::vector<std::string> open;
    for (const ProtocolField& field : parser->protocol.fields) {
      const std::string path(field.path);
      std::vector<std::string> objects;
      for (std::size_t dot = path.find('.'); dot != std::string::npos;
           dot = path.find('.', dot + 1))
        objects.push_back(path.substr(0, dot));
      for (const std::string& object : open)
        if (std::find(objects.begin(), objects.end(), object) == objects.end())
          closed.insert(object);
      for (const std::string& object : objects)
        EXPECT_FALSE(closed.contains(object)) << parser->protocol.name << ' ' << path;
      EXPECT_TRUE(closed.insert(path).second) << parser->protocol.name << ' ' << path;
      open = objects;
    }
    EXPECT_FALSE(closed.contains("cut"));
    EXPECT_LT(parser->protocol.fields.size(), 256u);
  }
}

TEST(parser_list, names_are_those_of_no_other_object) {
  std::set<std::string_view> names = {"event",    "network", "source", "destination",
                                      "observer", "tcp",     "icmp",   "sctp",
                                      "mptcp",    "tunnel",  "ecs"};
  for (const Protocol* protocol : kProtocols) EXPECT_TRUE(names.insert(protocol->key()).second);
}

}  // namespace
}  // namespace linger::test
