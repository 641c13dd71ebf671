// XMPP: whom a client or another server wants to talk to, up to STARTTLS, behind which TLS is read.
//
//     <stream:stream to='example.org' …> <starttls …/>  then TLS                 RFC 6120 §4.2,
//     §5.4
//
// Read is the side that opened the session, tag by tag, or the other one if that side's header
// turns out to be an answer, as where the capture lacks the beginning. What the server says is
// passed over, up to TLS, which may have been captured before the client's. The client goes on in
// TLS only if the server agreed. It is over with the first tag of anything else. Limit:
// kTagBytesMax for a tag.
#pragma once

#include <cstdint>

#include "parsers/facts.h"
#include "parsers/parser.h"

namespace linger {

#define LINGER_XMPP_FIELDS(X)                          \
  X(to, text, "to", "Host that the session is for.")   \
  X(from, text, "from", "Who says to have opened it.") \
  X(starttls, flag, "starttls", "The session went on in TLS.")

enum class XmppField : std::uint8_t { LINGER_XMPP_FIELDS(LINGER_FIELD_NAME) };

class Xmpp {
 public:
  static constexpr Pattern kPatterns[] = {{Carrier::stream, R"(^<stream:stream[ \r\n\t])"},
                                          {Carrier::stream, R"(^<\?xml[^>]{0,96}>)"}};
  static constexpr std::size_t kTagBytesMax = 4 * 1024;

  static Detection detect(Carrier carrier, Bytes bytes) noexcept;
  Answer on_data(unsigned side, Bytes bytes, Facts& facts) noexcept;

 private:
  bool is_answered_ = false;  // the side that seems to have opened the session is the server
  bool has_header_ = false;
  bool has_asked_ = false;
};

}  // namespace linger
