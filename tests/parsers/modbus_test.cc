#include "parsers/modbus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/parsers/dialogue.h"

namespace linger::test {
namespace {

using namespace std::string_literals;

std::string message(char transaction, char unit, const std::string& rest) {
  return "\x00"s + transaction + "\x00\x00\x00"s + static_cast<char>(rest.size() + 1) + unit + rest;
}
const std::string kRead = "\x03\x00\x6b\x00\x03"s;
const std::string kWrite = "\x10\x00\x01\x00\x01\x02\x00\x0a"s;

const Dialogue kSession = {{0, message(1, 17, kRead)},
                           {1, message(1, 17, "\x03\x06\x02\x2b\x00\x00\x00\x64"s)},
                           {0, message(2, 17, kWrite) + message(3, 18, kRead)},
                           {1, message(2, 17, "\x90\x02"s) + message(3, 18, "\x83\x0b"s)},
                           {1, message(3, 18, "\x83\x0b"s)},
                           {0, message(4, 17, "\x07")}};

TEST(modbus, units_functions_and_exceptions_are_told_once) {
  const Heard heard = hear(kSession);
  EXPECT_EQ(heard.protocol, "modbus");
  EXPECT_EQ(heard.objects,
            R"(,"modbus":{"unit_ids":[17,18],"function_codes":[3,16,7],"exception_codes":[2,11],)"
            R"("messages":8,"exceptions":3})");
  EXPECT_FALSE(heard.is_malformed);
}

TEST(modbus, it_is_known_by_any_first_message_of_the_right_length) {
  for (const std::string& rest :
       {kRead, kWrite, "\x01\x01\x05"s, "\x05\x00\x01\xff\x00"s, "\x07"s, "\x11"s, "\x83\x02"s,
        "\x16\x00\x04\x00\xf2\x00\x25"s, "\x17\x02\x00\x01"s, "\x0f\x00\x13\x00\x0a\x02\xcd\x01"s,
        "\x18\x04\xde"s, "\x2b\x0e\x01\x00"s})
    EXPECT_EQ(hear({{0, message(1, 1, rest)}}).protocol, "modbus") << rest.size();
}

TEST(modbus, other_streams_are_not_taken_for_it) {
  for (const std::string& rest : {kRead + "x", kWrite + "x", "\x83\x02\x01"s, "\x63\x01"s, "\x00"s})
    EXPECT_EQ(hear({{0, message(1, 1, rest)}}).protocol, "");
}

TEST(modbus, another_protocol_number_or_length_is_malformed) {
  for (const std::string& head :
       {"\x00\x02\x00\x01\x00\x02\x01\x03"s, "\x00\x02\x00\x00\x00\xff\x01\x03"s})
    EXPECT_TRUE(hear({{0, message(1, 1, kRead) + head}}).is_malformed);
}

TEST(modbus, it_goes_on_where_a_message_begins_behind_a_gap) {
  const std::string read = message(1, 17, kRead), other = message(2, 18, kWrite);
  const Heard heard = hear({{0, read}, {0, "", 12}, {0, other + read}, {1, "", 9}, {1, other}});
  EXPECT_TRUE(heard.has_gap);
  EXPECT_EQ(heard.objects,
            R"(,"modbus":{"unit_ids":[17,18],"function_codes":[3,16],"messages":4})");
  expect_same_however_cut({{0, read}, {0, "", 12}, {0, other + read}});
  const std::string refused = message(1, 17, "\x83\x02");
  for (const std::string& middle : {read.substr(5), other.substr(1), std::string(30, 0)})
    EXPECT_EQ(hear({{0, read}, {0, "", 12}, {0, middle + other}, {1, refused}}).objects,
              R"(,"modbus":{"unit_ids":[17],"function_codes":[3],"exception_codes":[2],)"
              R"("messages":2,"exceptions":1})");
}

TEST(modbus, the_record_does_not_depend_on_segmentation) { expect_same_however_cut(kSession); }

TEST(modbus, truncation_gaps_and_hostile_bytes_are_survived) {
  expect_nothing_garbled(kSession);
  expect_hostile_is_survived(kSession);
}

}  // namespace
}  // namespace linger::test
