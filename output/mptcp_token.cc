#include "output/mptcp_token.h"

#include "engine/base/bytes.h"
#include "engine/base/check.h"

namespace linger {

MptcpTokens::MptcpTokens()
    : sha1_(EVP_MD_fetch(nullptr, "SHA1", nullptr)),
      sha256_(EVP_MD_fetch(nullptr, "SHA256", nullptr)),
      context_(EVP_MD_CTX_new()) {
  CHECK(sha1_ && sha256_ && context_);
}

std::uint32_t MptcpTokens::of(const MptcpHost& host) noexcept {
  if (host.key == 0) return host.token;
  const std::uint64_t key = __builtin_bswap64(host.key);  // as on the wire
  std::uint8_t digest[EVP_MAX_MD_SIZE] = {};
  const EVP_MD* hash = host.version == MptcpVersion::v0 ? sha1_.get() : sha256_.get();
  EVP_DigestInit_ex2(context_.get(), hash, nullptr);
  EVP_DigestUpdate(context_.get(), &key, sizeof key);
  EVP_DigestFinal_ex(context_.get(), digest, nullptr);
  return load_be32(digest);
}

}  // namespace linger
