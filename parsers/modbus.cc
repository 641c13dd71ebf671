#include "parsers/modbus.h"

#include <algorithm>

#include "parsers/list.h"

namespace linger {
namespace {

using Field = ModbusField;

constexpr ProtocolField kFields[] = {LINGER_MODBUS_FIELDS(LINGER_FIELD_ROW)};

constexpr std::size_t kHeadBytes = 8;  // with the function
constexpr std::size_t kLengthMin = 2, kLengthMax = 254;
constexpr std::uint8_t kException = 0x80;

bool is_head(Bytes bytes) noexcept {
  const unsigned length = load_be16(bytes.data() + 4);
  return load_be16(bytes.data() + 2) == 0 && length >= kLengthMin && length <= kLengthMax &&
         (bytes[7] & ~kException) != 0 && ((bytes[7] & kException) == 0 || length > kLengthMin);
}

// What the length of a function's messages is, from the unit on: fixed, or with a count of bytes.
struct Shape {
  std::uint8_t function;
  std::uint8_t fixed;     // 0: none
  std::uint8_t count_at;  // where a count of the bytes behind it stands; 0: there is none
};
constexpr Shape kShapes[] = {{1, 6, 8},  {2, 6, 8},  {3, 6, 8},   {4, 6, 8},   {5, 6, 0},
                             {6, 6, 0},  {7, 2, 0},  {7, 3, 0},   {8, 6, 0},   {11, 2, 0},
                             {11, 6, 0}, {12, 2, 8}, {15, 6, 12}, {16, 6, 12}, {17, 2, 8},
                             {20, 0, 8}, {21, 0, 8}, {22, 8, 0},  {23, 0, 16}, {23, 0, 8},
                             {24, 4, 0}, {43, 5, 0}};

}  // namespace

Detection Modbus::detect(Carrier carrier, Bytes bytes) noexcept {
  if (carrier != Carrier::stream) return Detection::no;
  if (bytes.size() < kHeadBytes) return Detection::maybe;
  if (!is_head(bytes)) return Detection::no;
  const std::size_t length = load_be16(bytes.data() + 4);
  const std::uint8_t function = bytes[7];
  if ((function & kException) != 0) return length == 3 ? Detection::yes : Detection::no;
  bool is_open = false;
  for (const Shape& shape : kShapes) {
    if (shape.function != function) continue;
    if (shape.fixed == length) return Detection::yes;
    if (shape.count_at == 0 || shape.count_at > length + 5) continue;
    is_open |= bytes.size() <= shape.count_at;
    if (bytes.size() > shape.count_at && length == shape.count_at - 5u + bytes[shape.count_at])
      return Detection::yes;
  }
  return is_open ? Detection::maybe : Detection::no;
}

Answer Modbus::on_data(unsigned side, Bytes bytes, Facts& facts) noexcept {
  if (is_behind_gap_[side]) {
    const Detection found = detect(Carrier::stream, bytes);
    if (found == Detection::maybe) return Answer::need(bytes.size() + 1);
    if (found == Detection::no) return Answer::took_all();
    is_behind_gap_[side] = false;
  }
  std::size_t done = 0;
  while (bytes.size() - done >= kHeadBytes) {
    const Bytes message = bytes.subspan(done);
    if (!is_head(message)) return Answer::malformed();
    const std::uint8_t unit = message[6], function = message[7] & 0x7f;
    const bool is_exception = (message[7] & kException) != 0;
    if (is_exception && message.size() == kHeadBytes) break;  // its code is to come
    ++messages_;
    if (!units_.test(unit)) facts.number(Field::unit, unit);
    units_.set(unit);
    if (!functions_.test(function)) facts.number(Field::function, function);
    functions_.set(function);
    if (is_exception) {
      const std::uint8_t code = message[8];
      ++exceptions_;
      if (!exception_codes_.test(code)) facts.number(Field::exception, code);
      exception_codes_.set(code);
    }
    done += 6u + load_be16(message.data() + 4);
    if (done >= bytes.size()) return Answer::took(done);
  }
  return done != 0 ? Answer::took(done) : Answer::need(std::max(kHeadBytes, bytes.size() + 1));
}

Answer Modbus::on_gap(unsigned side, Bytes, std::uint64_t, Facts&) noexcept {
  is_behind_gap_[side] = true;
  return Answer::took(1);
}

void Modbus::tell(Facts& facts) const noexcept {
  if (messages_ != 0) facts.number(Field::messages, messages_);
  if (exceptions_ != 0) facts.number(Field::exceptions, exceptions_);
}

namespace parser {
constinit const Parser modbus = make_parser<Modbus>({.name = "modbus", .fields = kFields});
}  // namespace parser

}  // namespace linger
