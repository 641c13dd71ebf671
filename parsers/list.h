// Every parser, a word each: its file in this folder, its object `parser::WORD`, its name in the
// setting `parsers`. The build takes its sources and its fuzz target from this list. Where two want
// the same bytes equally early, the first does.
#pragma once

#include <algorithm>
#include <array>

#include "parsers/parser.h"

#define LINGER_PARSERS(X) \
  X(http)                 \
  X(dns)                  \
  X(ssh)                  \
  X(tls)                  \
  X(quic)                 \
  X(socks)                \
  X(proxy)                \
  X(smtp)                 \
  X(ftp)                  \
  X(starttls)             \
  X(openvpn)              \
  X(xmpp)                 \
  X(mqtt)                 \
  X(modbus)

namespace linger {

#define LINGER_PARSER(name) \
  namespace parser {        \
  extern const Parser name; \
  }
LINGER_PARSERS(LINGER_PARSER)
#undef LINGER_PARSER

#define LINGER_PARSER(name) &parser::name,
inline constexpr std::array kParsers = {LINGER_PARSERS(LINGER_PARSER)};
#undef LINGER_PARSER
static_assert(kParsers.size() <= 64, "a set of parsers is a 64-bit word");

extern const Protocol kRuleFields;  // rules.h

#define LINGER_PARSER(name) &parser::name.protocol,
inline constexpr std::array<const Protocol*, kParsers.size() + 1> kProtocols = {
    LINGER_PARSERS(LINGER_PARSER) & kRuleFields};
#undef LINGER_PARSER
inline constexpr std::uint8_t kRuleItems = kParsers.size();  // place of what rules tell

// By which its items name it.
inline std::uint8_t place_of(const Protocol& protocol) noexcept {
  const auto at = std::find(kProtocols.begin(), kProtocols.end(), &protocol);
  return static_cast<std::uint8_t>(at - kProtocols.begin());
}

}  // namespace linger
