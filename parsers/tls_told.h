// What a record tells of the messages of TLS, made of the bytes that the shard copied; shared by
// all that carries them. Thread: the output's, but for tell_alert().
#pragma once

#include <optional>

#include "output/record_protocol.h"
#include "parsers/derived.h"
#include "parsers/fingerprint.h"

namespace linger {

class Facts;

// Protocol::derive of TLS.
void derive_tls(std::uint8_t protocol, ItemReader items, ItemWriter& more);

// The next whole message of those that were copied, without its head; empty: there is none.
Bytes next_message(Bytes& messages) noexcept;

// Fields of TLS of the hellos. `messages`: what the client said, its first one is read into
// `hello`; false: it cannot be. Or what the server said, which may have taken a ticket; the answer
// is the cipher that it chose first, if there is one.
bool tell_client_hellos(Bytes messages, HelloCarrier carrier, ClientHello& hello, Derived& derived);
std::optional<std::uint16_t> tell_server_hellos(Bytes messages, Bytes client_session,
                                                bool took_ticket, Derived& derived);

void tell_alert(bool is_client, std::uint8_t level, std::uint8_t description,
                Facts& facts) noexcept;

}  // namespace linger
