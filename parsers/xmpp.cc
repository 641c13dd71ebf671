#include "parsers/xmpp.h"

#include <algorithm>

#include "parsers/lines.h"
#include "parsers/list.h"

namespace linger {
namespace {

using Field = XmppField;

constexpr ProtocolField kFields[] = {LINGER_XMPP_FIELDS(LINGER_FIELD_ROW)};

constexpr std::string_view kBlanks = " \t\r\n";
constexpr std::string_view kHeader = "stream:stream";

std::size_t leading_blanks(std::string_view text) noexcept {
  return std::min(text.find_first_not_of(kBlanks), text.size());
}

// The value of an attribute, in either quotes; empty: there is none.
std::string_view attribute_of(std::string_view tag, std::string_view name) noexcept {
  for (std::size_t at = tag.find(name); at != std::string_view::npos; at = tag.find(name, at + 1)) {
    const std::string_view rest = tag.substr(at + name.size());
    const bool is_word = at != 0 && kBlanks.find(tag[at - 1]) != std::string_view::npos;
    if (!is_word || rest.size() < 2 || rest[0] != '=' || (rest[1] != '\'' && rest[1] != '"'))
      continue;
    return rest.substr(2, rest.find(rest[1], 2) - 2);
  }
  return {};
}

}  // namespace

// A header, perhaps behind what says that it is XML.
Detection Xmpp::detect(Carrier carrier, Bytes bytes) noexcept {
  if (carrier != Carrier::stream) return Detection::no;
  std::string_view text = text_of(bytes);
  if (text.starts_with("<?xml")) {
    const std::size_t end = text.find('>');
    if (end == std::string_view::npos) return Detection::maybe;
    text.remove_prefix(end + 1);
    text.remove_prefix(leading_blanks(text));
  }
  constexpr std::string_view kBegin = "<stream:stream";
  if (text.size() <= kBegin.size())
    return kBegin.starts_with(text) ? Detection::maybe : Detection::no;
  const bool is_header =
      text.starts_with(kBegin) && kBlanks.find(text[kBegin.size()]) != std::string_view::npos;
  return is_header ? Detection::yes : Detection::no;
}

Answer Xmpp::on_data(unsigned side, Bytes bytes, Facts& facts) noexcept {
  if ((side == facts.opener()) ==
      is_answered_) {  // XML has no such character (§2.2 of its standard)
    const std::size_t tls = text_of(bytes).find(static_cast<char>(kTlsHandshake));
    if (tls != 0) return Answer::took(std::min(tls, bytes.size()));
    return bytes.size() < kUnitBytesMax ? Answer::need(bytes.size() + 1) : Answer::took_all();
  }
  if (has_asked_ && bytes[0] == kTlsHandshake) {
    facts.flag(Field::starttls);
    return Answer::hand_over(0);
  }
  const std::string_view text = text_of(bytes);
  if (const std::size_t blanks = leading_blanks(text); blanks != 0) return Answer::took(blanks);
  if (text[0] != '<') return Answer::done();
  const std::size_t end = text.substr(0, kTagBytesMax).find('>');
  if (end == std::string_view::npos)
    return bytes.size() < kTagBytesMax ? Answer::need(bytes.size() + 1) : Answer::done();
  const std::string_view tag = text.substr(1, end - 1);
  const std::string_view name = tag.substr(0, tag.find_first_of(" \t\r\n/", 1));
  if (name == kHeader && !attribute_of(tag, "id").empty()) {  // of an answer (RFC 6120 §4.7.3)
    is_answered_ = true;
  } else if (name == kHeader && !has_header_) {
    has_header_ = true;
    if (const auto to = attribute_of(tag, "to"); !to.empty()) facts.text(Field::to, to);
    if (const auto from = attribute_of(tag, "from"); !from.empty()) facts.text(Field::from, from);
  } else if (name == "starttls") {
    has_asked_ = true;
  } else if (name != "?xml" && name != "/starttls") {
    return Answer::done();
  }
  return Answer::took(end + 1);
}

namespace parser {
constinit const Parser xmpp = make_parser<Xmpp>({.name = "xmpp", .fields = kFields});
}  // namespace parser

}  // namespace linger
