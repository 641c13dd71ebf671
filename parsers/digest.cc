// The interface that OpenSSL 3 prefers, EVP, takes longer than these digests of short texts.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "parsers/digest.h"

#include <openssl/md5.h>
#include <openssl/sha.h>

namespace linger {

Digest::Digest(DigestKind kind, Bytes bytes, DigestCase letters) noexcept {
  std::uint8_t digest[SHA256_DIGEST_LENGTH];
  std::size_t count = 0;
  switch (kind) {
    case DigestKind::md5: {
      MD5_CTX context;
      MD5_Init(&context);
      MD5_Update(&context, bytes.data(), bytes.size());
      MD5_Final(digest, &context);
      count = MD5_DIGEST_LENGTH;
      break;
    }
    case DigestKind::sha1: {
      SHA_CTX context;
      SHA1_Init(&context);
      SHA1_Update(&context, bytes.data(), bytes.size());
      SHA1_Final(digest, &context);
      count = SHA_DIGEST_LENGTH;
      break;
    }
    case DigestKind::sha256: {
      SHA256_CTX context;
      SHA256_Init(&context);
      SHA256_Update(&context, bytes.data(), bytes.size());
      SHA256_Final(digest, &context);
      count = SHA256_DIGEST_LENGTH;
      break;
    }
  }
  const char* const of = letters == DigestCase::lower ? "0123456789abcdef" : "0123456789ABCDEF";
  size_ = 2 * count;
  for (std::size_t i = 0; i < count; ++i) {
    digits_[2 * i] = of[digest[i] >> 4];
    digits_[2 * i + 1] = of[digest[i] & 15];
  }
}

}  // namespace linger
