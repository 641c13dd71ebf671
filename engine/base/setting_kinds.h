// The kinds of settings_list.h: for each its C++ type, how a value is read and written, and what is
// allowed.
//
//   Value                   the C++ type of the member
//   parse(RawValue)         a value, or why it is none
//   fits(value, min, max)   within the range of its line
//   text(value)             as in YAML and --set; parse(text(v)) == v
//   range(min, max)         in words, for messages and annotations
//
// A new kind is one more struct here. Thread: control, set-up only.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "engine/base/units.h"

namespace linger {

// A value as it was written: one scalar, or a list of scalars.
struct RawValue {
  std::vector<std::string> items;
  bool is_list = false;
};

namespace setting_kind {

template <typename T>
using Parsed = tl::expected<T, std::string>;

struct Duration {
  using Value = DurationNs;
  static Parsed<Value> parse(const RawValue& raw);
  static bool fits(Value value, Value min, Value max) { return min <= value && value <= max; }
  static std::string text(Value value) { return format_duration(value); }
  static std::string range(Value min, Value max);
};

struct Bytes {
  using Value = std::uint64_t;
  static Parsed<Value> parse(const RawValue& raw);
  static bool fits(Value value, Value min, Value max) { return min <= value && value <= max; }
  static std::string text(Value value) { return format_bytes(value); }
  static std::string range(Value min, Value max);
};

struct Count {
  using Value = std::uint64_t;
  static Parsed<Value> parse(const RawValue& raw);
  static bool fits(Value value, Value min, Value max) { return min <= value && value <= max; }
  static std::string text(Value value) { return std::to_string(value); }
  static std::string range(Value min, Value max);
};

struct Text {  // valid UTF-8 without NUL; min and max: its length in bytes
  using Value = std::string;
  static Parsed<Value> parse(const RawValue& raw);
  static bool fits(const Value& value, std::size_t min, std::size_t max) {
    return min <= value.size() && value.size() <= max;
  }
  static std::string text(const Value& value);
  static std::string range(std::size_t min, std::size_t max);
};

struct TextList {  // min and max: number of entries
  using Value = std::vector<std::string>;
  static Parsed<Value> parse(const RawValue& raw);
  static bool fits(const Value& value, std::size_t min, std::size_t max) {
    return min <= value.size() && value.size() <= max;
  }
  static std::string text(const Value& value);
  static std::string range(std::size_t min, std::size_t max);
};

inline TextList::Value texts(std::initializer_list<const char*> list) {
  return {list.begin(), list.end()};
}

struct PortList {  // min and max: number of entries
  using Value = std::vector<std::uint16_t>;
  static Parsed<Value> parse(const RawValue& raw);
  static bool fits(const Value& value, std::size_t min, std::size_t max) {
    return min <= value.size() && value.size() <= max;
  }
  static std::string text(const Value& value);
  static std::string range(std::size_t min, std::size_t max);
};
inline PortList::Value ports(std::initializer_list<std::uint16_t> list) { return list; }

struct Flag {
  using Value = bool;
  static Parsed<Value> parse(const RawValue& raw);
  static bool fits(Value, int, int) { return true; }
  static std::string text(Value value) { return value ? "true" : "false"; }
  static std::string range(int, int) { return "true or false"; }
};

}  // namespace setting_kind
}  // namespace linger
