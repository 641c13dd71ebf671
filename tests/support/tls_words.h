// Handshakes of TLS as OpenSSL's s_client and s_server had them: what the client says and what the
// server says, in turn, up to the first protected records.
#pragma once

#include <string>
#include <vector>

namespace linger::test {

std::vector<std::string> tls_1_2();          // both sides have a certificate
std::vector<std::string> tls_1_2_resumed();  // by a ticket
std::vector<std::string> tls_1_3_retried();  // the server wants another group

struct SaidDatagram {
  unsigned side;  // 0: the client
  std::string bytes;
};
std::vector<SaidDatagram> dtls_1_2();  // asked for a cookie; the certificate is in fragments

}  // namespace linger::test
