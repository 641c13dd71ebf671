#include "tests/support/quic_words.h"

#include <openssl/evp.h>

#include <memory>

#include "parsers/quic_crypto.h"
#include "tests/support/hex.h"

namespace linger::test {
namespace {

using namespace std::string_literals;

constexpr std::size_t kNumberBytes = 4;

std::string number16(std::size_t number) {  // RFC 9000 §16, of two bytes
  return {static_cast<char>(0x40 | number >> 8), static_cast<char>(number)};
}
std::string number32(std::uint32_t number) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(number >> shift);
  return bytes;
}
std::string with_length(std::string_view id) {
  return static_cast<char>(id.size()) + std::string(id);
}
const std::uint8_t* bytes_at(const std::string& text, std::size_t at = 0) {
  return reinterpret_cast<const std::uint8_t*>(text.data()) + at;
}

using Context = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

// RFC 9001 §5.3, §5.4: `head` ends with the packet's number.
std::string sealed(const QuicKeys& keys, std::string head, const std::string& frames) {
  auto nonce = keys.iv;
  for (std::size_t i = 0; i < kNumberBytes; ++i)
    nonce[nonce.size() - kNumberBytes + i] ^= *bytes_at(head, head.size() - kNumberBytes + i);
  std::string body(frames.size() + 16, '\0');
  auto* const to = reinterpret_cast<std::uint8_t*>(body.data());
  int count = 0;
  const Context payload(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  EVP_EncryptInit_ex(payload.get(), EVP_aes_128_gcm(), nullptr, keys.key.data(), nonce.data());
  EVP_EncryptUpdate(payload.get(), nullptr, &count, bytes_at(head), static_cast<int>(head.size()));
  EVP_EncryptUpdate(payload.get(), to, &count, bytes_at(frames), static_cast<int>(frames.size()));
  EVP_EncryptFinal_ex(payload.get(), to + frames.size(), &count);
  EVP_CIPHER_CTX_ctrl(payload.get(), EVP_CTRL_AEAD_GET_TAG, 16, to + frames.size());
  std::uint8_t mask[16];
  const Context header(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  EVP_EncryptInit_ex(header.get(), EVP_aes_128_ecb(), nullptr, keys.header_key.data(), nullptr);
  EVP_EncryptUpdate(header.get(), mask, &count, to, sizeof mask);
  head[0] = static_cast<char>(head[0] ^ (mask[0] & 0x0f));
  for (std::size_t i = 0; i < kNumberBytes; ++i) {
    char& byte = head[head.size() - kNumberBytes + i];
    byte = static_cast<char>(byte ^ mask[1 + i]);
  }
  return head + body;
}

}  // namespace

std::string quic_initial(const QuicInitial& initial) {
  std::string frames = initial.frames;
  if (frames.size() < initial.frames_bytes) frames.resize(initial.frames_bytes);
  const char first = static_cast<char>(initial.version == kQuicV2 ? 0xd3 : 0xc3);
  const std::string head = first + number32(initial.version) + with_length(initial.to) +
                           with_length(initial.from) + number16(initial.token.size()) +
                           initial.token + number16(kNumberBytes + frames.size() + 16) +
                           number32(initial.number);
  const Bytes id{bytes_at(initial.keys_id), initial.keys_id.size()};
  const QuicRole role = initial.is_client ? QuicRole::client : QuicRole::server;
  return sealed(quic_initial_keys(initial.version, id, role), head, frames);
}

std::string quic_retry(std::string_view to, std::string_view from, std::string_view token) {
  return "\xf0\x00\x00\x00\x01"s + with_length(to) + with_length(from) + std::string(token) +
         std::string(16, 'T');
}

std::string quic_negotiation(std::string_view to, std::string_view from,
                             std::string_view versions) {
  return "\x80\x00\x00\x00\x00"s + with_length(to) + with_length(from) + std::string(versions);
}

std::string quic_crypto(std::size_t offset, std::string_view bytes) {
  return "\x06" + number16(offset) + number16(bytes.size()) + std::string(bytes);
}

std::string rfc9001_id() { return from_hex("8394c8f03e515708"); }

std::string rfc9001_hello() {
  return from_hex(
      "010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e86804fe3a47f06a2b69484c000004130113"
      "02010000c000000010000e00000b6578616d706c652e636f6dff01000100000a00080006001d001700180010"
      "0007000504616c706e000500050100000000003300260024001d00209370b2c9caa47fbabaf4559fedba753d"
      "e171fa71f50f1ce15d43e994ec74d748002b0003020304000d0010000e040305030603020308040805080600"
      "2d00020101001c00024001003900320408ffffffffffffffff05048000ffff07048000ffff08011001048000"
      "75300901100f088394c8f03e51570806048000ffff");
}

std::string rfc9001_server_packet() {
  return from_hex(
      "cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a5816b6394100f37a1c697975"
      "54780bb38cc5a99f5ede4cf73c3ec2493a1839b3dbcba3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bde"
      "d74b562bfb19fb84022f8ef4cdd93795d77d06edbb7aaf2f58891850abbdca3d20398c276456cbc42158407d"
      "d074ee");
}

}  // namespace linger::test
