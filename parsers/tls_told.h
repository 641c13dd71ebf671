// What a record tells of the messages of TLS, made of the bytes that the shard copied; shared by
// all that carries them. Thread: the output's, but for tell_alert().
#pragma once

#include "output/record_protocol.h"
#include "parsers/derived.h"
#include "parsers/fingerprint.h"

namespace linger {

class Facts;

// Protocol::derive of TLS.
void derive_tls(std::uint8_t protocol, ItemReader items, ItemWriter& more);

// Fields of TLS of a client's hello.
void tell_client_hello(const ClientHello& hello, HelloCarrier carrier, Derived& derived);

void tell_alert(bool is_client, std::uint8_t level, std::uint8_t description,
                Facts& facts) noexcept;

}  // namespace linger
