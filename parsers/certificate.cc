#include "parsers/certificate.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <bit>
#include <ctime>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>

#include "parsers/digest.h"

namespace linger {
namespace {

// One element of DER.
struct Element {
  Bytes whole, content;
  int tag = 0;
  bool is_context = false;  // [tag]
};
bool next(Bytes& bytes, Element& element) {
  const unsigned char* at = bytes.data();
  long length = 0;
  int kind = 0;
  const int how =
      ASN1_get_object(&at, &length, &element.tag, &kind, static_cast<long>(bytes.size()));
  if ((how & 0x80) != 0 || (how & 1) != 0 || length < 0) return false;  // an error, without length
  const auto head = static_cast<std::size_t>(at - bytes.data());
  element.is_context = kind == V_ASN1_CONTEXT_SPECIFIC;
  element.content = bytes.subspan(head, static_cast<std::size_t>(length));
  element.whole = bytes.first(head + element.content.size());
  bytes = bytes.subspan(element.whole.size());
  return true;
}

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* t) const noexcept {
    Free(t);
  }
};
template <class T, auto Free>
using Owned = std::unique_ptr<T, Freed<Free>>;
template <class T, auto Free, class Decode>
Owned<T, Free> decoded(Decode decode, const Element& element) {
  const unsigned char* at = element.whole.data();
  return Owned<T, Free>(decode(nullptr, &at, static_cast<long>(element.whole.size())));
}

std::string distinguished_name(const X509_NAME* name) {
  const Owned<BIO, BIO_free> bio(BIO_new(BIO_s_mem()));
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

std::string algorithm_of(Element sequence) {
  Element object;
  if (!next(sequence.content, object)) return {};
  const auto decoded_object = decoded<ASN1_OBJECT, ASN1_OBJECT_free>(d2i_ASN1_OBJECT, object);
  return decoded_object != nullptr ? name_of(decoded_object.get()) : std::string{};
}

// Of RSA the length of its modulus, of curves that of their field; else 0.
unsigned bits_of(Element kind, const Element& bits) {
  constexpr std::pair<std::string_view, unsigned> kCurves[] = {
      {SN_X9_62_prime256v1, 256}, {SN_secp384r1, 384},
      {SN_secp521r1, 521},        {SN_brainpoolP256r1, 256},
      {SN_brainpoolP384r1, 384},  {SN_brainpoolP512r1, 512},
      {SN_secp256k1, 256},        {SN_sm2, 256},
      {SN_secp224r1, 224}};
  Element object;
  const Element whole = kind;
  if (!next(kind.content, object)) return 0;
  const std::string algorithm = algorithm_of(whole);
  if (algorithm == SN_X9_62_id_ecPublicKey) {
    const std::string curve = algorithm_of({.whole = {}, .content = kind.content});
    for (const auto& [name, count] : kCurves)
      if (curve == name) return count;
    return 0;
  }
  if (algorithm == SN_ED25519) return 256;
  if (algorithm == SN_ED448) return 456;  // RFC 8032 §5.2: its keys have 57 bytes
  const bool is_rsa = algorithm == LN_rsaEncryption || algorithm == SN_rsassaPss;
  if (!is_rsa || bits.content.empty()) return 0;
  Bytes inside = bits.content.subspan(1);  // behind the number of unused bits
  Element key, modulus;
  if (!next(inside, key) || !next(key.content, modulus)) return 0;
  Bytes digits = modulus.content;
  while (!digits.empty() && digits[0] == 0) digits = digits.subspan(1);
  if (digits.empty()) return 0;
  return static_cast<unsigned>(8 * (digits.size() - 1)) +
         static_cast<unsigned>(std::bit_width(digits[0]));
}

// GeneralNames (RFC 5280 §4.2.1.6): of texts and addresses, each an implicit string; none is empty.
void put_names(Element list, std::vector<Certificate::Name>& names) {
  enum Tag { kEmail = 1, kDns = 2, kUri = 6, kAddress = 7 };
  for (Element name; next(list.content, name);) {
    const bool is_address = name.tag == kAddress;
    const bool is_text = name.tag == kEmail || name.tag == kDns || name.tag == kUri;
    if (!name.is_context || name.content.empty() || (!is_text && !is_address)) continue;
    if (is_address && name.content.size() != 4 && name.content.size() != 16) continue;
    names.push_back({{name.content.begin(), name.content.end()}, is_address});
  }
}

// Of those of a certificate (RFC 5280 §4.1): each a sequence of its kind, perhaps whether it is
// critical, and its value. They are not decoded as a whole: who wrote it may have put thousands
// there.
std::vector<Certificate::Name> alternative_names_of(Element extensions) {
  constexpr std::uint8_t kAlternativeNames[] = {0x55, 0x1d, 0x11};
  std::vector<Certificate::Name> names;
  for (Element extension; next(extensions.content, extension);) {
    Element part, list;
    if (!next(extension.content, part)) continue;
    if (!std::ranges::equal(part.content, kAlternativeNames)) continue;
    while (next(extension.content, part)) {
    }
    if (next(part.content, list)) put_names(list, names);
  }
  return names;
}

// One that was read before.
struct Kept {
  std::string der;
  Certificate certificate;
  bool is_good = false;
};

}  // namespace

bool Certificate::read(Bytes der) {
  const std::string_view text(reinterpret_cast<const char*>(der.data()), der.size());
  if (text.size() > kKeptBytesMax) return read_anew(der);
  thread_local std::array<Kept, kKeptMax> all;
  Kept& kept = all[std::hash<std::string_view>{}(text) % kKeptMax];
  if (kept.der != text || kept.der.empty()) {
    kept = {};
    kept.is_good = kept.certificate.read_anew(der);
    kept.der = text;
  }
  *this = kept.certificate;
  return kept.is_good;
}

// The parts are decoded one by one: d2i_X509() makes a key of the public one, too, which takes
// longer than all the rest.
bool Certificate::read_anew(Bytes der) {
  sha1 = Digest(DigestKind::sha1, der, DigestCase::upper).text();
  sha256 = Digest(DigestKind::sha256, der, DigestCase::upper).text();
  const bool is_good = read_parts(der);
  ERR_clear_error();
  return is_good;
}

// RFC 5280 §4.1.
bool Certificate::read_parts(Bytes der) {
  Element whole, signed_part, algorithm, part;
  if (!next(der, whole) || !next(whole.content, signed_part) || !next(whole.content, algorithm))
    return false;
  Bytes& rest = signed_part.content;
  if (!next(rest, part)) return false;
  if (part.is_context) {  // [0]: the version, from 0; absent in the first
    version = part.content.size() == 3 ? part.content[2] + 1u : 0;
    if (!next(rest, part)) return false;
  }
  // A zero in front only says that the number is positive.
  const bool has_sign = part.content.size() > 1 && part.content[0] == 0;
  serial = fmt::format("{:02X}", fmt::join(part.content.subspan(has_sign ? 1 : 0), ""));
  signature_algorithm = algorithm_of(algorithm);
  Element issuer_part, validity, subject_part, key, from, to;
  if (!next(rest, part) || !next(rest, issuer_part) || !next(rest, validity) ||
      !next(rest, subject_part) || !next(rest, key) || !next(validity.content, from) ||
      !next(validity.content, to))
    return false;
  const auto issuer_name = decoded<X509_NAME, X509_NAME_free>(d2i_X509_NAME, issuer_part);
  const auto subject_name = decoded<X509_NAME, X509_NAME_free>(d2i_X509_NAME, subject_part);
  if (issuer_name == nullptr || subject_name == nullptr) return false;
  issuer = distinguished_name(issuer_name.get());
  subject = distinguished_name(subject_name.get());
  issuer_common_name = common_name(issuer_name.get());
  subject_common_name = common_name(subject_name.get());
  not_before = time_of(decoded<ASN1_TIME, ASN1_TIME_free>(d2i_ASN1_TIME, from).get());
  not_after = time_of(decoded<ASN1_TIME, ASN1_TIME_free>(d2i_ASN1_TIME, to).get());
  if (Element key_kind, bits; next(key.content, key_kind) && next(key.content, bits)) {
    key_algorithm = algorithm_of(key_kind);
    key_bits = bits_of(key_kind, bits);
  }
  while (next(rest, part))
    if (part.is_context && part.tag == 3 && next(part.content, whole))
      alternative_names = alternative_names_of(whole);
  return true;
}

}  // namespace linger
