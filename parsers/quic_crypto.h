// The protection of QUIC's Initial packets, which everybody can take off who saw the client's first
// connection id (RFC 9001 §5, RFC 9369, and the drafts from the 22nd on).
//
// QuicKeys is what a session keeps. QuicCrypto holds the contexts of OpenSSL, made at start; one a
// shard. HMAC is made of OpenSSL's SHA-256 on the stack, since EVP allocates for it. Cost: 4 µs for
// the keys of a side, 1 µs for a packet. No allocation but in the constructor.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "engine/base/bytes.h"

typedef struct evp_cipher_ctx_st EVP_CIPHER_CTX;

namespace linger {

inline constexpr std::uint32_t kQuicV1 = 1;
inline constexpr std::uint32_t kQuicV2 = 0x6b3343cf;
inline constexpr std::uint32_t kQuicV2Draft = 0x709a50c4;  // of its drafts 01 to 09
inline constexpr std::uint32_t kQuicDrafts = 0xff000000;   // and their number

constexpr bool is_quic_v2(std::uint32_t version) noexcept {
  return version == kQuicV2 || version == kQuicV2Draft;
}

// Which draft of v1 a version is; two of Facebook's are the 27th.
constexpr std::uint32_t quic_draft_of(std::uint32_t version) noexcept {
  return version == 0xfaceb002 || version == 0xfaceb00e ? 27 : version - kQuicDrafts;
}

// Has Initial packets that can be read here.
constexpr bool is_quic_version(std::uint32_t version) noexcept {
  const std::uint32_t draft = quic_draft_of(version);
  return version == kQuicV1 || is_quic_v2(version) || (draft >= 22 && draft <= 34);
}

enum class QuicRole : std::uint8_t { client, server };

struct QuicKeys {
  std::array<std::uint8_t, 16> key, header_key;
  std::array<std::uint8_t, 12> iv;
};

// Of the packets that `role` sends; `connection_id`: the client's first for the server. Versions
// as is_quic_version() has them.
QuicKeys quic_initial_keys(std::uint32_t version, Bytes connection_id, QuicRole role) noexcept;

class QuicCrypto {
 public:
  static constexpr std::size_t kPacketBytesMax = 4096;

  QuicCrypto();
  ~QuicCrypto();
  QuicCrypto(const QuicCrypto&) = delete;
  QuicCrypto& operator=(const QuicCrypto&) = delete;

  // The frames of a packet whose number, still protected, is at `number_at`; valid until the next
  // call. None: these are not its keys.
  std::optional<Bytes> open(const QuicKeys& keys, Bytes packet, std::size_t number_at) noexcept;

 private:
  EVP_CIPHER_CTX* const header_;
  EVP_CIPHER_CTX* const payload_;
  std::array<std::uint8_t, kPacketBytesMax> head_;
  std::array<std::uint8_t, kPacketBytesMax> frames_;
};

}  // namespace linger
