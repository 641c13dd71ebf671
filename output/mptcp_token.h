// The token of an MPTCP host: the most significant 32 bits of the hash of its key, SHA-1 in version
// 0 (RFC 6824 §3.1), SHA-256 in version 1 (RFC 8684 §3.2).
//
// Owner: one thread. OpenSSL's, with algorithms fetched and context made once. Cost: a hash of one
// block where the key is known, else none.
#pragma once

#include <openssl/evp.h>

#include <cstdint>
#include <memory>

#include "engine/base/mptcp.h"

namespace linger {

class MptcpTokens {
 public:
  MptcpTokens();
  std::uint32_t of(const MptcpHost& host) noexcept;  // 0: not known

 private:
  struct Free {
    void operator()(EVP_MD* md) const noexcept { EVP_MD_free(md); }
    void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD, Free> sha1_;
  std::unique_ptr<EVP_MD, Free> sha256_;
  std::unique_ptr<EVP_MD_CTX, Free> context_;
};

}  // namespace linger
