#include "parsers/certificate.h"

#include <gtest/gtest.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "parsers/digest.h"
#include "tests/support/tls_words.h"

namespace linger::test {
namespace {

Bytes bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// The first one in a server's words: SEQUENCE with a length of two bytes, behind two lengths.
std::string server_certificate() {
  const std::string words = tls_1_2()[1];
  const std::size_t at = words.find("\x30\x82");
  const auto length = static_cast<std::size_t>(load_be16(bytes_of(words).data() + at + 2)) + 4;
  return words.substr(at, length);
}

// As a host of many customers has one: n0.example, n1.example, …
std::string certificate_of_names(int count, EVP_PKEY* key = EVP_EC_gen("P-256")) {
  std::string names = "DNS:n0.example";
  for (int i = 1; i < count; ++i) names += ",DNS:n" + std::to_string(i) + ".example";
  X509* const certificate = X509_new();
  X509_EXTENSION* const extension =
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names.c_str());
  X509_set_version(certificate, X509_VERSION_3);
  X509_set_pubkey(certificate, key);
  X509_add_ext(certificate, extension, -1);
  const bool has_own_digest = EVP_PKEY_get_id(key) == EVP_PKEY_ED448;
  X509_sign(certificate, key, has_own_digest ? nullptr : EVP_sha256());
  std::string der(static_cast<std::size_t>(i2d_X509(certificate, nullptr)), '\0');
  auto* to = reinterpret_cast<std::uint8_t*>(der.data());
  i2d_X509(certificate, &to);
  X509_EXTENSION_free(extension);
  X509_free(certificate);
  EVP_PKEY_free(key);
  return der;
}

TEST(certificate, all_its_names_are_told) {
  Certificate certificate;
  ASSERT_TRUE(certificate.read(bytes_of(certificate_of_names(185))));
  ASSERT_EQ(certificate.alternative_names.size(), 185u);
  EXPECT_EQ(certificate.alternative_names.back().text, "n184.example");
}

TEST(certificate, the_size_of_a_key_is_told_of_any_curve) {
  const std::pair<const char*, unsigned> cases[] = {{"P-256", 256},
                                                    {"P-384", 384},
                                                    {"P-521", 521},
                                                    {"brainpoolP256r1", 256},
                                                    {"brainpoolP384r1", 384},
                                                    {"brainpoolP512r1", 512},
                                                    {"secp256k1", 256},
                                                    {"SM2", 256},
                                                    {"P-224", 224}};
  for (const auto& [curve, bits] : cases) {
    Certificate certificate;
    ASSERT_TRUE(certificate.read(bytes_of(certificate_of_names(1, EVP_EC_gen(curve))))) << curve;
    EXPECT_EQ(certificate.key_bits, bits) << curve;
  }
  Certificate certificate;
  EVP_PKEY* const key = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED448");
  ASSERT_TRUE(certificate.read(bytes_of(certificate_of_names(1, key))));
  EXPECT_EQ(certificate.key_bits, 456u);
}

TEST(certificate, the_size_of_a_key_for_one_kind_of_signature_is_told) {
  EVP_PKEY_CTX* const context = EVP_PKEY_CTX_new_from_name(nullptr, "RSA-PSS", nullptr);
  EVP_PKEY* key = nullptr;
  EVP_PKEY_keygen_init(context);
  EVP_PKEY_CTX_set_rsa_keygen_bits(context, 1'024);
  ASSERT_EQ(EVP_PKEY_generate(context, &key), 1);
  EVP_PKEY_CTX_free(context);
  Certificate certificate;
  ASSERT_TRUE(certificate.read(bytes_of(certificate_of_names(1, key))));
  EXPECT_EQ(certificate.key_algorithm, "RSASSA-PSS");
  EXPECT_EQ(certificate.key_bits, 1'024u);
}

TEST(certificate, is_read_the_same_when_it_was_kept) {
  const std::string der = server_certificate();
  Certificate first, second;
  ASSERT_TRUE(first.read(bytes_of(der)));
  EXPECT_FALSE(first.subject.empty());
  ASSERT_TRUE(second.read(bytes_of(der)));
  EXPECT_EQ(second.sha256, first.sha256);
  EXPECT_EQ(second.subject, first.subject);
  EXPECT_EQ(second.not_after, first.not_after);
  EXPECT_EQ(second.alternative_names.size(), first.alternative_names.size());
}

TEST(certificate, of_many_none_is_taken_for_another) {
  for (int round = 0; round < 2; ++round) {
    for (std::size_t i = 0; i < 3 * Certificate::kKeptMax; ++i) {
      const std::string der = "no certificate " + std::to_string(i);
      Certificate certificate;
      EXPECT_FALSE(certificate.read(bytes_of(der)));
      EXPECT_EQ(certificate.sha1,
                Digest(DigestKind::sha1, bytes_of(der), DigestCase::upper).text());
    }
  }
  Certificate none;
  EXPECT_FALSE(none.read({}));
  EXPECT_EQ(none.sha1.size(), 40u);
}

// Of DER, at most 64 KiB.
std::string element(int tag, const std::string& content) {
  return std::string{static_cast<char>(tag), '\x82', static_cast<char>(content.size() >> 8),
                     static_cast<char>(content.size())} +
         content;
}
std::string sequence(const std::string& content) { return element(0x30, content); }

TEST(certificate, alternative_names_are_told_up_to_what_is_none) {
  std::string names = element(0x82, "a");
  for (int i = 0; i < 1'000; ++i) names += element(0x82, "");
  names += element(0x82, "b");
  const std::string kind = sequence(element(6, "\x2a")), bits = element(3, "x");
  const std::string subject("\x30\x00", 2);
  const std::string time = element(0x17, "250101000000Z"), validity = sequence(time + time);
  const std::string list = element(4, sequence(names + "no name"));
  const std::string extension = sequence(sequence(element(6, "\x55\x1d\x11") + list));
  const std::string der = sequence(sequence(element(2, "1") + kind + subject + validity + subject +
                                            sequence(kind + bits) + element(0xa3, extension)) +
                                   kind + bits);
  Certificate certificate;
  ASSERT_TRUE(certificate.read(bytes_of(der)));
  EXPECT_EQ(certificate.alternative_names.size(), 2u);
}

TEST(certificate, too_long_to_be_kept_is_read) {
  const std::string der = server_certificate() + std::string(Certificate::kKeptBytesMax, '\0');
  for (int round = 0; round < 2; ++round) {
    Certificate certificate;
    EXPECT_TRUE(certificate.read(bytes_of(der)));
    EXPECT_FALSE(certificate.subject.empty());
  }
}

}  // namespace
}  // namespace linger::test
