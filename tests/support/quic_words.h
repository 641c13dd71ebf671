// Packets of QUIC as they are sent: protected, from frames in the clear.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace linger::test {

struct QuicInitial {
  std::uint32_t version = 1;
  bool is_client = true;
  std::string keys_id{};  // the connection id that the keys are made of
  std::string to{}, from{};
  std::string token{};
  std::uint32_t number = 0;
  std::string frames{};
  std::size_t frames_bytes = 0;  // padded to
};
std::string quic_initial(const QuicInitial& initial);
std::string quic_retry(std::string_view to, std::string_view from, std::string_view token);
std::string quic_negotiation(std::string_view to, std::string_view from, std::string_view versions);
std::string quic_crypto(std::size_t offset, std::string_view bytes);  // a frame

// RFC 9001 §A: the client's connection id, its hello, and the server's first packet.
std::string rfc9001_id();
std::string rfc9001_hello();
std::string rfc9001_server_packet();

}  // namespace linger::test
