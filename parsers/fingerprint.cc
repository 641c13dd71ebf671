#include "parsers/fingerprint.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <string_view>
#include <utility>
#include <vector>

#include "parsers/digest.h"

namespace linger {
namespace {

template <class List>
std::vector<std::uint16_t> without_grease(const List& list, std::size_t size) {
  std::vector<std::uint16_t> numbers;
  numbers.reserve(size);
  for (std::size_t i = 0; i < size; ++i)
    if (!is_grease(list[i])) numbers.push_back(list[i]);
  return numbers;
}

// By hand: of a hello with its hundred numbers fmt made a third of what its record costs.
template <class List>
void put_decimal(std::string& text, const List& numbers) {
  bool is_first = true;
  for (const unsigned number : numbers) {
    char digits[8];
    if (!std::exchange(is_first, false)) text += '-';
    text.append(digits, std::to_chars(digits, std::end(digits), number).ptr);
  }
}
void put_hex(std::string& text, const std::vector<std::uint16_t>& numbers) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (i != 0) text += ',';
    for (int shift = 12; shift >= 0; shift -= 4) text += kDigits[numbers[i] >> shift & 15];
  }
}

std::vector<std::uint16_t> types_of(const TlsExtensions& extensions) {
  return without_grease(extensions.types, extensions.count);
}

std::string_view version_word(const ClientHello& hello) {
  std::uint16_t version = 0;
  for (std::size_t i = 0; i < hello.versions.size(); ++i)
    if (!is_grease(hello.versions[i])) version = std::max(version, hello.versions[i]);
  switch (version != 0 ? version : hello.version) {
    case 0x0304:
      return "13";
    case 0x0303:
      return "12";
    case 0x0302:
      return "11";
    case 0x0301:
      return "10";
    case 0x0300:
      return "s3";
    case 0xfeff:
      return "d1";
    case 0xfefd:
      return "d2";
    case 0xfefc:
      return "d3";
    default:
      return "00";
  }
}

// The first and last letter of the first protocol offered; of other bytes their outer digits.
std::string alpn_word(Bytes protocol) {
  if (protocol.empty()) return "00";
  const auto is_letter = [](std::uint8_t c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
  };
  const std::uint8_t first = protocol.front(), last = protocol.back();
  if (is_letter(first) && is_letter(last))
    return {static_cast<char>(first), static_cast<char>(last)};
  return fmt::format("{:x}{:x}", first >> 4, last & 15);
}

std::string half_digest(const std::string& text) {
  return std::string(text.empty() ? "000000000000"
                                  : Digest(DigestKind::sha256, text).text().substr(0, 12));
}

}  // namespace

std::string ja3_of(const ClientHello& hello) {
  std::string text = fmt::format("{},", hello.version);
  put_decimal(text, without_grease(hello.ciphers, hello.ciphers.size()));
  text += ',';
  put_decimal(text, types_of(hello.extensions));
  text += ',';
  put_decimal(text, without_grease(hello.groups, hello.groups.size()));
  text += ',';
  put_decimal(text, hello.point_formats);
  return text;
}

std::string ja3s_of(const ServerHello& hello) {
  std::string text = fmt::format("{},{},", hello.legacy_version, hello.cipher);
  put_decimal(text, types_of(hello.extensions));
  return text;
}

std::string ja4_of(const ClientHello& hello, HelloCarrier carrier) {
  std::vector<std::uint16_t> ciphers = without_grease(hello.ciphers, hello.ciphers.size());
  std::vector<std::uint16_t> types = types_of(hello.extensions);
  std::string text = fmt::format(
      "{}{}{}{:02}{:02}{}_", static_cast<char>(carrier), version_word(hello),
      hello.extensions.has(kServerName) ? 'd' : 'i', std::min<std::size_t>(ciphers.size(), 99),
      std::min<std::size_t>(types.size(), 99), alpn_word(hello.protocol()));
  std::string list;
  std::sort(ciphers.begin(), ciphers.end());
  put_hex(list, ciphers);
  text.append(half_digest(list)).append("_");
  list.clear();
  std::erase_if(types, [](std::uint16_t type) { return type == kServerName || type == kAlpn; });
  std::sort(types.begin(), types.end());
  put_hex(list, types);
  const auto& algorithms = hello.signature_algorithms;
  if (!list.empty() && algorithms.size() != 0) {
    list += '_';
    put_hex(list, without_grease(algorithms, algorithms.size()));
  }
  return text.append(half_digest(list));
}

}  // namespace linger
