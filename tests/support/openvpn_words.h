// What the two sides of OpenVPN say before their data, with a handshake of TLS 1.2 in it.
#pragma once

#include "tests/support/tls_words.h"

namespace linger::test {

// Packets as they are sent over UDP; `hmac_bytes` of --tls-auth, or 0. Those of TLS are cut.
std::vector<SaidDatagram> openvpn(std::size_t hmac_bytes);

// As it is sent over TCP.
std::string openvpn_with_length(const std::string& packet);

}  // namespace linger::test
