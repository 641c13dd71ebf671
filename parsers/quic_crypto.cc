#define OPENSSL_SUPPRESS_DEPRECATED  // SHA-256 without a context on the heap
#include "parsers/quic_crypto.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include <algorithm>
#include <string_view>

#include "engine/base/check.h"

namespace linger {
namespace {

constexpr std::size_t kTagBytes = 16;
constexpr std::size_t kSampleBytes = 16;

using Secret = std::array<std::uint8_t, SHA256_DIGEST_LENGTH>;

// HMAC-SHA256 (RFC 2104) under one key, for several texts.
class Hmac {
 public:
  explicit Hmac(Bytes key) noexcept {  // of at most a block
    std::uint8_t pad[SHA256_CBLOCK] = {};
    std::copy(key.begin(), key.end(), pad);
    for (std::uint8_t& byte : pad) byte ^= 0x36;
    SHA256_Init(&inner_);
    SHA256_Update(&inner_, pad, sizeof pad);
    for (std::uint8_t& byte : pad) byte ^= 0x36 ^ 0x5c;
    SHA256_Init(&outer_);
    SHA256_Update(&outer_, pad, sizeof pad);
  }
  Secret of(Bytes text) const noexcept {
    Secret digest;
    SHA256_CTX context = inner_;
    SHA256_Update(&context, text.data(), text.size());
    SHA256_Final(digest.data(), &context);
    context = outer_;
    SHA256_Update(&context, digest.data(), digest.size());
    SHA256_Final(digest.data(), &context);
    return digest;
  }

 private:
  SHA256_CTX inner_, outer_;
};

// HKDF-Expand-Label with an empty context (RFC 8446 §7.1), for at most one digest.
void expand_label(const Hmac& secret, std::string_view label,
                  std::span<std::uint8_t> out) noexcept {
  constexpr std::string_view kPrefix = "tls13 ";
  std::uint8_t info[40] = {0, static_cast<std::uint8_t>(out.size()),
                           static_cast<std::uint8_t>(kPrefix.size() + label.size())};
  std::uint8_t* end = std::copy(kPrefix.begin(), kPrefix.end(), info + 3);
  end = std::copy(label.begin(), label.end(), end);
  *end++ = 0;  // no context
  *end++ = 1;  // the first block (RFC 5869 §2.3)
  const Secret block = secret.of({info, static_cast<std::size_t>(end - info)});
  std::copy_n(block.begin(), out.size(), out.begin());
}

using Salt = std::array<std::uint8_t, 20>;
constexpr Salt kSaltV1 = {0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17,
                          0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a};
constexpr Salt kSaltV2 = {0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93,
                          0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9, 0xbd, 0x2e, 0xd9};
constexpr Salt kSaltV2Draft = {0xa7, 0x07, 0xc2, 0x03, 0xa5, 0x9b, 0x47, 0x18, 0x4a, 0x1d,
                               0x62, 0xca, 0x57, 0x04, 0x06, 0xea, 0x7a, 0xe3, 0xe5, 0xd3};
constexpr Salt kSaltDraft29 = {0xaf, 0xbf, 0xec, 0x28, 0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97,
                               0x86, 0xf1, 0x9c, 0x61, 0x11, 0xe0, 0x43, 0x90, 0xa8, 0x99};
constexpr Salt kSaltDraft23 = {0xc3, 0xee, 0xf7, 0x12, 0xc7, 0x2e, 0xbb, 0x5a, 0x11, 0xa7,
                               0xd2, 0x43, 0x2b, 0xb4, 0x63, 0x65, 0xbe, 0xf9, 0xf5, 0x02};
constexpr Salt kSaltDraft22 = {0x7f, 0xbc, 0xdb, 0x0e, 0x7c, 0x66, 0xbb, 0xe9, 0x19, 0x3a,
                               0x96, 0xcd, 0x21, 0x51, 0x9e, 0xbd, 0x7a, 0x02, 0x64, 0x4a};

const Salt& salt_of(std::uint32_t version) noexcept {
  if (is_quic_v2(version)) return version == kQuicV2 ? kSaltV2 : kSaltV2Draft;
  const std::uint32_t draft = quic_draft_of(version);
  if (version == kQuicV1 || draft >= 33) return kSaltV1;
  if (draft >= 29) return kSaltDraft29;
  return draft >= 23 ? kSaltDraft23 : kSaltDraft22;
}

}  // namespace

QuicKeys quic_initial_keys(std::uint32_t version, Bytes connection_id, QuicRole role) noexcept {
  const Secret initial = Hmac(salt_of(version)).of(connection_id);
  Secret secret;
  expand_label(Hmac(initial), role == QuicRole::client ? "client in" : "server in", secret);
  const Hmac hmac(secret);
  const bool is_v2 = is_quic_v2(version);
  QuicKeys keys;
  expand_label(hmac, is_v2 ? "quicv2 key" : "quic key", keys.key);
  expand_label(hmac, is_v2 ? "quicv2 iv" : "quic iv", keys.iv);
  expand_label(hmac, is_v2 ? "quicv2 hp" : "quic hp", keys.header_key);
  return keys;
}

QuicCrypto::QuicCrypto() : header_(EVP_CIPHER_CTX_new()), payload_(EVP_CIPHER_CTX_new()) {
  // With a key of its own, so that what later ones need is there.
  static constexpr std::uint8_t kZeros[16] = {};
  CHECK(EVP_EncryptInit_ex(header_, EVP_aes_128_ecb(), nullptr, kZeros, nullptr) == 1);
  CHECK(EVP_DecryptInit_ex(payload_, EVP_aes_128_gcm(), nullptr, kZeros, kZeros) == 1);
  EVP_CIPHER_CTX_set_padding(header_, 0);
}

QuicCrypto::~QuicCrypto() {
  EVP_CIPHER_CTX_free(header_);
  EVP_CIPHER_CTX_free(payload_);
}

std::optional<Bytes> QuicCrypto::open(const QuicKeys& keys, Bytes packet,
                                      std::size_t number_at) noexcept {
  constexpr std::size_t kNumberBytesMax = 4;
  if (packet.size() > kPacketBytesMax || packet.size() < number_at + kNumberBytesMax + kSampleBytes)
    return std::nullopt;
  // RFC 9001 §5.4: the sample is taken as if the number had four bytes.
  std::uint8_t mask[kSampleBytes];
  int count = 0;
  if (EVP_EncryptInit_ex(header_, nullptr, nullptr, keys.header_key.data(), nullptr) != 1 ||
      EVP_EncryptUpdate(header_, mask, &count, packet.data() + number_at + kNumberBytesMax,
                        kSampleBytes) != 1)
    return std::nullopt;
  std::copy_n(packet.begin(), number_at + kNumberBytesMax, head_.begin());
  head_[0] ^= mask[0] & 0x0f;
  const std::size_t number_bytes = (head_[0] & 3u) + 1;
  const std::size_t head_bytes = number_at + number_bytes;
  if (packet.size() < head_bytes + kTagBytes) return std::nullopt;
  // The first packets of a connection: their numbers are whole (§A.3 of RFC 9000).
  std::array<std::uint8_t, 12> nonce = keys.iv;
  for (std::size_t i = 0; i < number_bytes; ++i) {
    head_[number_at + i] ^= mask[1 + i];
    nonce[nonce.size() - number_bytes + i] ^= head_[number_at + i];
  }
  const Bytes sealed = packet.subspan(head_bytes, packet.size() - head_bytes - kTagBytes);
  std::uint8_t tag[kTagBytes];
  std::copy_n(packet.end() - kTagBytes, kTagBytes, tag);
  const bool is_open =
      EVP_DecryptInit_ex(payload_, nullptr, nullptr, keys.key.data(), nonce.data()) == 1 &&
      EVP_DecryptUpdate(payload_, nullptr, &count, head_.data(), static_cast<int>(head_bytes)) ==
          1 &&
      EVP_DecryptUpdate(payload_, frames_.data(), &count, sealed.data(),
                        static_cast<int>(sealed.size())) == 1 &&
      EVP_CIPHER_CTX_ctrl(payload_, EVP_CTRL_AEAD_SET_TAG, kTagBytes, tag) == 1 &&
      EVP_DecryptFinal_ex(payload_, frames_.data() + sealed.size(), &count) == 1;
  if (!is_open) return std::nullopt;
  return Bytes{frames_.data(), sealed.size()};
}

}  // namespace linger
