// Modbus over TCP: which units are asked for which functions, and what they refuse.
//
//     transaction(2) 0(2) length(2) unit(1) function(1) data             MODBUS Messaging on TCP/IP
//     an exception has the highest bit of the function set, and a code   Implementation Guide
//     §3.1.3
//
// Functions: MODBUS Application Protocol Specification V1.1b3, §6. Each is told once. Data is
// skipped unread. Known by a first message whose length is that of its function; so is one right
// behind a gap, and what is none ends its side.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>

#include "parsers/facts.h"
#include "parsers/parser.h"

namespace linger {

#define LINGER_MODBUS_FIELDS(X)                                                           \
  X(unit, number, "unit_ids[]", "Units that messages name.")                              \
  X(function, number, "function_codes[]", "Functions of requests and responses.")         \
  X(exception, number, "exception_codes[]", "Codes of the exceptions that units answer.") \
  X(messages, number, "messages", "Requests and responses.")                              \
  X(exceptions, number, "exceptions", "Of them, exceptions.")

enum class ModbusField : std::uint8_t { LINGER_MODBUS_FIELDS(LINGER_FIELD_NAME) };

class Modbus {
 public:
  static constexpr Pattern kPatterns[] = {
      {Carrier::stream, R"(^.{2}\x00\x00\x00[\x02-\xfe].[\x01-\x2b\x81-\xab])"}};

  static Detection detect(Carrier carrier, Bytes bytes) noexcept;
  Answer on_data(unsigned side, Bytes bytes, Facts& facts) noexcept;
  Answer on_gap(unsigned side, Bytes left, std::uint64_t count, Facts& facts) noexcept;
  void tell(Facts& facts) const noexcept;

 private:
  std::bitset<256> units_, functions_, exception_codes_;
  std::uint64_t messages_ = 0;
  std::uint64_t exceptions_ = 0;
  std::array<bool, 2> is_behind_gap_{};
};

}  // namespace linger
