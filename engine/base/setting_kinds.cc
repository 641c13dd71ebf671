#include "engine/base/setting_kinds.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string_view>

#include "engine/base/utf8.h"

namespace linger::setting_kind {
namespace {

Parsed<std::string> scalar(const RawValue& raw) {
  if (raw.is_list) return tl::unexpected(std::string("a list is not allowed here"));
  return raw.items.front();
}

// UTF-8 without NUL.
bool is_text(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = text.front() == '\0' ? 0 : utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

// YAML 1.2 §7.3.1, double-quoted.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\x{:02x}", c);
    } else {
      out += c;
    }
  }
  return out + '"';
}

}  // namespace

Parsed<DurationNs> Duration::parse(const RawValue& raw) {
  return scalar(raw).and_then([](const std::string& text) { return parse_duration(text); });
}
std::string Duration::range(Value min, Value max) {
  return fmt::format("a duration from {} to {}", text(min), text(max));
}

Parsed<std::uint64_t> Bytes::parse(const RawValue& raw) {
  return scalar(raw).and_then([](const std::string& text) { return parse_bytes(text); });
}
std::string Bytes::range(Value min, Value max) {
  return fmt::format("a size from {} to {}", text(min), text(max));
}

Parsed<std::uint64_t> Count::parse(const RawValue& raw) {
  return scalar(raw).and_then([](const std::string& text) { return parse_count(text); });
}
std::string Count::range(Value min, Value max) {
  return fmt::format("a whole number from {} to {}", min, max);
}

Parsed<std::string> Text::parse(const RawValue& raw) {
  return scalar(raw).and_then([](const std::string& text) -> Parsed<std::string> {
    if (!is_text(text)) return tl::unexpected(std::string("it is not valid UTF-8 text"));
    return text;
  });
}
std::string Text::text(const Value& value) { return quoted(value); }
std::string Text::range(std::size_t min, std::size_t max) {
  return fmt::format("text of {} to {} bytes", min, max);
}

Parsed<std::vector<std::string>> TextList::parse(const RawValue& raw) {
  for (const auto& item : raw.items) {
    if (item.empty()) return tl::unexpected(std::string("an entry is empty"));
    if (!is_text(item)) return tl::unexpected(std::string("an entry is not valid UTF-8 text"));
  }
  return raw.items;
}
std::string TextList::text(const Value& value) {
  std::string out;
  for (const auto& item : value) {
    if (!out.empty()) out += ", ";
    out += quoted(item);
  }
  return "[" + out + "]";
}
std::string TextList::range(std::size_t min, std::size_t max) {
  return fmt::format("a list of {} to {} entries", min, max);
}

Parsed<std::vector<std::uint16_t>> PortList::parse(const RawValue& raw) {
  Value ports;
  for (const auto& item : raw.items) {
    const auto port = parse_count(item);
    if (!port || *port == 0 || *port > 65'535) {
      return tl::unexpected(fmt::format("'{:.40}' is no port", item));
    }
    ports.push_back(static_cast<std::uint16_t>(*port));
  }
  return ports;
}
std::string PortList::text(const Value& value) {
  return fmt::format("[{}]", fmt::join(value, ", "));
}
std::string PortList::range(std::size_t min, std::size_t max) {
  return fmt::format("a list of {} to {} ports", min, max);
}

Parsed<bool> Flag::parse(const RawValue& raw) {
  const auto text = scalar(raw);
  if (!text) return tl::unexpected(text.error());
  if (*text == "true" || *text == "yes" || *text == "on") return true;
  if (*text == "false" || *text == "no" || *text == "off") return false;
  return tl::unexpected(fmt::format("'{}' is neither true nor false", *text));
}

}  // namespace linger::setting_kind
