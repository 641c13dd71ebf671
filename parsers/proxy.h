// PROXY protocol 1 and 2: whom a load balancer forwards, told before all else by the side that
// opened the session. What follows is looked at as the start of a stream of its own.
//
//     1   PROXY TCP4|TCP6|UNKNOWN [source destination port port] CRLF
//     2   signature(12) version(4) command(4) family(4) transport(4) length(2)
//         addresses, then values: type(1) length(2) value
//
// Source: "The PROXY protocol, versions 1 & 2" (HAProxy), §2. The object is ECS's `client`: who it
// says the client is. With a wrong checksum (§2.2.3), or several, nothing is believed, and with
// LOCAL there is no client (§2.2). What is behind a header of no family is told if it can be
// nothing but values. Anyone can send a header: the setting proxyPorts says which servers believe
// it. Over UDP, where each datagram has one, the first is told, and nothing of what follows it.
// Limits: a line of 107 bytes, a header of kUnitBytesMax, kOthersMax types of values without name.
#pragma once

#include <cstdint>

#include "parsers/facts.h"
#include "parsers/parser.h"

namespace linger {

#define LINGER_PROXY_FIELDS(X)                                                                  \
  X(ip, ip, "ip", "The client that a PROXY protocol header names.")                             \
  X(port, number, "port", "Its port.")                                                          \
  X(version, number, "proxy.version", "Version of the header.")                                 \
  X(command, text, "proxy.command", "proxy; local: the balancer spoke for itself.")             \
  X(transport, text, "proxy.transport", "Between client and balancer: tcp, udp, unix.")         \
  X(destination_ip, ip, "proxy.destination.ip", "Where the client had connected to.")           \
  X(destination_port, number, "proxy.destination.port", "Its port.")                            \
  X(alpn, text, "proxy.alpn", "Protocol that was negotiated (PP2_TYPE_ALPN).")                  \
  X(authority, text, "proxy.authority", "Host name that the client gave (PP2_TYPE_AUTHORITY).") \
  X(unique_id, hex, "proxy.unique_id", "PP2_TYPE_UNIQUE_ID.")                                   \
  X(network_namespace, text, "proxy.namespace", "PP2_TYPE_NETNS.")                              \
  X(tls_version, text, "proxy.tls.version", "TLS between client and balancer.")                 \
  X(tls_cipher, text, "proxy.tls.cipher", "Its cipher.")                                        \
  X(tls_name, text, "proxy.tls.client_name", "Common name of the client's certificate.")        \
  X(tls_verified, flag, "proxy.tls.client_verified", "That certificate was verified.")          \
  X(other, number, "proxy.other_types[]", "Types of the values that are not told.")             \
  X(checksum, text, "proxy.checksum", "right or wrong, if the header has one.")

enum class ProxyField : std::uint8_t { LINGER_PROXY_FIELDS(LINGER_FIELD_NAME) };

class Proxy {
 public:
  static constexpr Pattern kPatterns[] = {{Carrier::stream, R"(^PROXY (TCP[46]|UNKNOWN))"},
                                          {Carrier::stream, R"(^\r\n\r\n\x00\r\nQUIT\n)"},
                                          {Carrier::datagrams, R"(^\r\n\r\n\x00\r\nQUIT\n)"}};
  static constexpr std::size_t kLineBytesMax = 107;
  static constexpr int kOthersMax = 16;

  static Detection detect(Carrier carrier, Bytes bytes) noexcept;
  Answer on_data(unsigned side, Bytes bytes, Facts& facts) noexcept;
  Answer on_datagram(unsigned side, Bytes bytes, std::uint32_t sent_bytes, Facts& facts) noexcept;
};

}  // namespace linger
