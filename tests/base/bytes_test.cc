#include "engine/base/bytes.h"

#include <gtest/gtest.h>

#include <array>

namespace linger {
namespace {

constexpr std::array<std::uint8_t, 8> kBytes = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef};

TEST(Bytes, loads_name_their_byte_order) {
  EXPECT_EQ(load_be16(kBytes.data()), 0x0123);
  EXPECT_EQ(load_be32(kBytes.data() + 1), 0x23456789U);
  EXPECT_EQ(load_be64(kBytes.data()), 0x0123456789abcdefU);
  EXPECT_EQ(load_le16(kBytes.data()), 0x2301);
  EXPECT_EQ(load_le32(kBytes.data() + 1), 0x89674523U);
  EXPECT_EQ(load_le64(kBytes.data()), 0xefcdab8967452301U);
}

TEST(Reader, reads_in_order) {
  Reader reader{Bytes(kBytes)};
  EXPECT_EQ(reader.u8(), 0x01);
  EXPECT_EQ(reader.be16(), 0x2345);
  EXPECT_EQ(reader.be32(), 0x6789abcdU);
  EXPECT_EQ(reader.remaining(), 1U);
  EXPECT_EQ(reader.position(), kBytes.data() + 7);
  EXPECT_TRUE(reader.ok());
}

TEST(Reader, a_block_is_read_at_its_offsets) {
  Reader reader{Bytes(kBytes)};
  reader.skip(1);
  const auto block = reader.block<6>();
  EXPECT_EQ(u8<0>(block), 0x23);
  EXPECT_EQ(be16<4>(block), 0xabcd);
  EXPECT_EQ(be32<1>(block), 0x456789abU);
  EXPECT_TRUE(reader.ok());
}

TEST(Reader, failure_gives_zeros_and_stays) {
  Reader reader{Bytes(kBytes)};
  reader.skip(6);
  EXPECT_EQ(reader.be32(), 0U);
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.remaining(), 0U);
  EXPECT_EQ(reader.u8(), 0);
  EXPECT_EQ(be32<0>(reader.block<4>()), 0U);
  EXPECT_TRUE(reader.bytes(1).empty());
  EXPECT_FALSE(reader.ok());
}

TEST(Reader, reading_nothing_succeeds_at_the_end) {
  Reader reader{Bytes(kBytes)};
  EXPECT_EQ(reader.bytes(8).size(), 8U);
  EXPECT_TRUE(reader.bytes(0).empty());
  reader.skip(0);
  EXPECT_TRUE(reader.ok());
}

TEST(Reader, a_length_near_the_top_of_the_address_space_fails) {
  Reader reader{Bytes(kBytes)};
  reader.skip(SIZE_MAX);
  EXPECT_FALSE(reader.ok());
}

}  // namespace
}  // namespace linger
