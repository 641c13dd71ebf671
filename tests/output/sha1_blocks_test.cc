// OpenSSL is the reference; its one-block call is the only one that takes blocks padded already.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "output/sha1_blocks.h"

#include <gtest/gtest.h>
#include <openssl/sha.h>

#include <random>

namespace linger {
namespace {

Sha1Blocks random_blocks() {
  std::mt19937 random(1);
  Sha1Blocks blocks;
  for (auto& lanes : blocks.word)
    for (std::uint32_t& word : lanes) word = static_cast<std::uint32_t>(random());
  return blocks;
}

std::array<std::uint32_t, 5> reference(const Sha1Blocks& blocks, std::size_t lane) {
  std::array<std::uint8_t, 64> bytes;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<std::uint8_t>(blocks.word[i / 4][lane] >> (24 - 8 * (i % 4)));
  SHA_CTX sha1;
  SHA1_Init(&sha1);
  SHA1_Transform(&sha1, bytes.data());
  return {sha1.h0, sha1.h1, sha1.h2, sha1.h3, sha1.h4};
}

// Every way that this processor has; those that it has not are tested where it is another one.
TEST(sha1_blocks, every_lane_of_every_way_is_what_openssl_says) {
  const Sha1Blocks blocks = random_blocks();
  int count = 0;
  for (const Sha1Way way : sha1_ways()) {
    if (way == nullptr) break;
    ++count;
    Sha1Digests digests;
    way(blocks, digests);
    for (std::size_t lane = 0; lane < kSha1Lanes; ++lane)
      for (std::size_t i = 0; i < 5; ++i)
        EXPECT_EQ(digests.word[i][lane], reference(blocks, lane)[i]) << count << ' ' << lane;
  }
  EXPECT_GE(count, 1);
}

}  // namespace
}  // namespace linger
