#include "parsers/certificate.h"

#include <gtest/gtest.h>

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
