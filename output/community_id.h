// Community ID v1, seed 0 (github.com/corelight/community-id-spec): the same text for a session in
// every tool.
//
// Owner: one thread. SHA-1 by OpenSSL with the algorithm fetched and the context made once.
// Cost: SHA-1 of one block and its base64, nearly half of an encoded record (bench/encode_bench).
#pragma once

#include <openssl/evp.h>

#include <memory>

#include "output/record.h"

namespace linger {

class CommunityIdText {
 public:
  static constexpr std::size_t kBytes = 30;  // 1:LQU9qZlK+B5F3KDmev6m5PMibrg=

  CommunityIdText();
  char* put(char* out, const Record& record) noexcept;  // returns out + kBytes

 private:
  struct Free {
    void operator()(EVP_MD* md) const noexcept { EVP_MD_free(md); }
    void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD, Free> sha1_;
  std::unique_ptr<EVP_MD_CTX, Free> context_;
};

}  // namespace linger
