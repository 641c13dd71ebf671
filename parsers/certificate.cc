#include "parsers/certificate.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <memory>

#include "parsers/digest.h"

namespace linger {
namespace {

struct Free {
  void operator()(X509* x) const noexcept { X509_free(x); }
  void operator()(BIO* b) const noexcept { BIO_free(b); }
  void operator()(GENERAL_NAMES* n) const noexcept { GENERAL_NAMES_free(n); }
};

std::string text_of(const ASN1_STRING* string) {
  if (string == nullptr) return {};
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
          static_cast<std::size_t>(ASN1_STRING_length(string))};
}

std::string distinguished_name(const X509_NAME* name) {
  const std::unique_ptr<BIO, Free> bio(BIO_new(BIO_s_mem()));
  if (bio == nullptr) return {};
  X509_NAME_print_ex(bio.get(), name, 0,
                     XN_FLAG_RFC2253 & ~static_cast<unsigned long>(ASN1_STRFLGS_ESC_MSB));
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : std::string{};
}

std::string common_name(const X509_NAME* name) {
  const int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
  if (at < 0) return {};
  unsigned char* text = nullptr;
  const int size =
      ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
  if (size < 0) return {};
  std::string copy(reinterpret_cast<char*>(text), static_cast<std::size_t>(size));
  OPENSSL_free(text);
  return copy;
}

std::string time_of(const ASN1_TIME* time) {
  std::tm tm{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &tm) != 1) return {};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", tm.tm_year + 1900, tm.tm_mon + 1,
                     tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

std::string name_of(const ASN1_OBJECT* object) {
  const int nid = OBJ_obj2nid(object);
  if (nid != NID_undef) return OBJ_nid2sn(nid);
  char dotted[80];
  const int size = OBJ_obj2txt(dotted, sizeof dotted, object, 1);
  return size > 0 ? std::string(dotted) : std::string{};
}

std::vector<Certificate::Name> alternative_names_of(const X509* x509) {
  std::vector<Certificate::Name> names;
  const std::unique_ptr<GENERAL_NAMES, Free> list(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(x509, NID_subject_alt_name, nullptr, nullptr)));
  if (list == nullptr) return names;
  for (int i = 0; i < sk_GENERAL_NAME_num(list.get()) && names.size() < kCertificateNamesMax; ++i) {
    int kind = 0;
    const void* value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(list.get(), i), &kind);
    if (kind != GEN_DNS && kind != GEN_EMAIL && kind != GEN_URI && kind != GEN_IPADD) continue;
    std::string text = text_of(static_cast<const ASN1_STRING*>(value));
    const bool is_address = kind == GEN_IPADD && (text.size() == 4 || text.size() == 16);
    if (kind != GEN_IPADD || is_address) names.push_back({std::move(text), is_address});
  }
  return names;
}

}  // namespace

bool Certificate::read(Bytes der) {
  sha1 = Digest(DigestKind::sha1, der, DigestCase::upper).text();
  sha256 = Digest(DigestKind::sha256, der, DigestCase::upper).text();
  const unsigned char* at = der.data();
  const std::unique_ptr<X509, Free> x509(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  if (x509 != nullptr) {
    const X509_NAME* const subject_name = X509_get_subject_name(x509.get());
    const X509_NAME* const issuer_name = X509_get_issuer_name(x509.get());
    subject = distinguished_name(subject_name);
    issuer = distinguished_name(issuer_name);
    subject_common_name = common_name(subject_name);
    issuer_common_name = common_name(issuer_name);
    not_before = time_of(X509_get0_notBefore(x509.get()));
    not_after = time_of(X509_get0_notAfter(x509.get()));
    for (const char byte : text_of(X509_get0_serialNumber(x509.get())))
      fmt::format_to(std::back_inserter(serial), "{:02X}", static_cast<std::uint8_t>(byte));
    const X509_ALGOR* algorithm = nullptr;
    X509_get0_signature(nullptr, &algorithm, x509.get());
    if (algorithm != nullptr) signature_algorithm = name_of(algorithm->algorithm);
    ASN1_OBJECT* key = nullptr;
    if (X509_PUBKEY_get0_param(&key, nullptr, nullptr, nullptr, X509_get_X509_PUBKEY(x509.get())) ==
        1)
      key_algorithm = name_of(key);
    if (const EVP_PKEY* const public_key = X509_get0_pubkey(x509.get()); public_key != nullptr)
      key_bits = static_cast<unsigned>(std::max(EVP_PKEY_get_bits(public_key), 0));
    version = static_cast<unsigned>(X509_get_version(x509.get())) + 1;
    alternative_names = alternative_names_of(x509.get());
  }
  ERR_clear_error();
  return x509 != nullptr;
}

}  // namespace linger
