// What a hello tells of the program that sent it.
//
//     JA3     MD5 of "version,ciphers,extensions,groups,point formats", numbers in their order,
//             without GREASE
//     JA3S    MD5 of "version,cipher,extensions"
//     JA4     t13d1516h2_8daaf6152771_e5627efa2ab1: transport, version, d if a name is asked for,
//             ciphers and extensions counted, first and last letter of ALPN; SHA-256, cut, of the
//             sorted ciphers; of the sorted extensions and the signature algorithms
//
// Used where records are encoded. Cost: 2 µs each. Sources: the descriptions of JA3 (Salesforce,
// BSD-3) and of JA4, the fingerprint of the client (FoxIO, BSD-3; its other ones are not).
#pragma once

#include <string>

#include "parsers/tls_hello.h"

namespace linger {

enum class HelloCarrier : char { tcp = 't', quic = 'q', dtls = 'd' };

std::string ja3_of(const ClientHello& hello);  // the text that is digested
std::string ja3s_of(const ServerHello& hello);
std::string ja4_of(const ClientHello& hello, HelloCarrier carrier);

}  // namespace linger
