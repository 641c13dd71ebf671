// SOCKS 4, 4a and 5: who asks a proxy for what, and what it answers; what is said through it then
// is looked at as the start of a stream of its own.
//
//     4   request   4 command port(2) ip(4) user NUL [domain NUL, if ip is 0.0.0.x]
//         reply     0 code port(2) ip(4)
//     5   greeting  5 count methods…                      choice  5 method         RFC 1928 §3
//         user      1 length user length password         status  1 status         RFC 1929 §2
//         request   5 command 0 type address port(2)      reply   5 code 0 type address port(2)
//                                                                                  RFC 1928 §4, §6
//
// The client is the side that opened the session. It says its name only if it offered to, and the
// proxy chooses what was offered: all else is no SOCKS, or not from its beginning on. What was
// captured before what it answers waits for what the proxy says next, or its end. Passwords are not
// told. With GSSAPI all that follows is wrapped: the parser ends there. Limits: names as long as
// their fields allow (255), those of version 4 kTextMax.
#pragma once

#include <bitset>
#include <cstdint>

#include "parsers/facts.h"
#include "parsers/parser.h"

namespace linger {

#define LINGER_SOCKS_FIELDS(X)                                                                 \
  X(version, number, "version", "4 or 5.")                                                     \
  X(method, number, "method", "Authentication that the proxy chose (RFC 1928, section 3).")    \
  X(user, text, "user.name", "Name that the client gave.")                                     \
  X(command, text, "command",                                                                  \
    "connect, bind, udp-associate, Tor's resolve and resolve-ptr, or a number.")               \
  X(domain, text, "destination.domain", "Host asked for, by name.")                            \
  X(ip, ip, "destination.ip", "Host asked for, by address.")                                   \
  X(port, number, "destination.port", "Port asked for.")                                       \
  X(reply_code, number, "reply.code",                                                          \
    "Code of the proxy's reply; 0, or 90 in version 4: it "                                    \
    "was done. None: no reply was seen.")                                                      \
  X(reply, text, "reply.text", "What it means.")                                               \
  X(bound_domain, text, "bound.domain", "Address at the proxy that the reply names, by name.") \
  X(bound_ip, ip, "bound.ip", "The same, by address.")                                         \
  X(bound_port, number, "bound.port", "Its port.")                                             \
  X(failed, flag, "failed", "The proxy replied that it refused the client or its request.")

enum class SocksField : std::uint8_t { LINGER_SOCKS_FIELDS(LINGER_FIELD_NAME) };

class Socks {
 public:
  static constexpr Pattern kPatterns[] = {{Carrier::stream, R"(^\x05[\x01-\x0a])"},
                                          {Carrier::stream, R"(^\x04[\x01\x02].{7})"}};
  static constexpr std::size_t kTextMax = 255;

  static Detection detect(Carrier carrier, Bytes bytes) noexcept;
  Answer on_data(unsigned side, Bytes bytes, Facts& facts) noexcept;
  void on_end(unsigned side, Bytes left, Facts& facts) noexcept;

 private:
  enum class Asks : std::uint8_t { greeting, request, nothing };
  enum class Answers : std::uint8_t { choice, status, reply };

  Answer read_client(Bytes bytes, Facts& facts) noexcept;
  Answer read_user(Bytes bytes, Facts& facts) noexcept;
  Answer read_request4(Bytes bytes, Facts& facts) noexcept;
  Answer read_request5(Bytes bytes, Facts& facts) noexcept;
  bool is_early(Bytes reply) const noexcept;
  Answer read_server(Bytes bytes, Facts& facts) noexcept;
  Answer read_choice(Bytes bytes, Facts& facts) noexcept;
  Answer read_reply4(Bytes bytes, Facts& facts) noexcept;
  Answer read_reply5(Bytes bytes, Facts& facts) noexcept;
  Answer end_reply(bool is_good, std::size_t taken, Facts& facts) noexcept;

  Asks asks_ = Asks::greeting;
  Answers answers_ = Answers::choice;
  std::uint8_t command_ = 0;
  bool has_reply_ = false;
  std::bitset<256> offered_;  // methods; none: no greeting was seen
};

}  // namespace linger
