#include "engine/packet/mptcp_options.h"

#include <gtest/gtest.h>

#include "tests/packet/decoded.h"

namespace linger::test {
namespace {

MptcpSignals read(const ByteList& options) {
  return read_mptcp_options(options.data(), static_cast<std::uint32_t>(options.size()));
}

// Kind and length in front, zeros to `length`.
ByteList option(std::uint8_t length, ByteList value) {
  value.insert(value.begin(), {kTcpOptionKindMptcp, length});
  value.resize(length);
  return value;
}

const ByteList kBothKeys = option(
    20, {0x01, 0x81, 1, 2, 3, 4, 5, 6, 7, 8, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18});
const ByteList kJoinSyn = option(12, {0x11, 5, 0xde, 0xad, 0xbe, 0xef, 1, 2, 3, 4});
const ByteList kAddV1 = option(18, {0x30, 7, 192, 0, 2, 1, 0x13, 0x88});
const ByteList kAddV0 = option(20, {0x36, 7, 0x20, 0x01});
const ByteList kMapping = option(20, {0x20, 0x05});

TEST(mptcp_options, capable_tells_version_and_the_keys_there_are) {
  EXPECT_EQ(read(kBothKeys).version, MptcpVersion::v1);
  EXPECT_EQ(read(kBothKeys).sender_key, 0x0102030405060708u);
  EXPECT_EQ(read(kBothKeys).receiver_key, 0x1112131415161718u);
  const MptcpSignals syn = read(option(4, {0x01, 0x81}));
  EXPECT_TRUE(syn.has(kMptcpCapable));
  EXPECT_EQ(syn.sender_key, 0u);
  EXPECT_EQ(read(option(12, {0x00, 0x81})).version, MptcpVersion::v0);
  EXPECT_FALSE(read(option(12, {0x02, 0x81})).has(kMptcpCapable)) << "a version nobody knows";
  EXPECT_FALSE(read(option(13, {0x01, 0x81})).has(kMptcpCapable));
  for (const std::uint8_t with_data : {22, 24})
    EXPECT_EQ(read(option(with_data, {0x01, 0x81, 9})).sender_key, 0x0900'0000'0000'0000u);
}

TEST(mptcp_options, join_tells_token_address_and_backup) {
  const MptcpSignals syn = read(kJoinSyn);
  EXPECT_EQ(syn.receiver_token, 0xdeadbeefu);
  EXPECT_EQ(syn.address_id, 5);
  EXPECT_TRUE(syn.backup);
  EXPECT_EQ(read(option(16, {0x10, 3})).address_id, 3);
  EXPECT_EQ(read(option(16, {0x10, 3, 1, 2, 3, 4})).receiver_token, 0u);
  EXPECT_FALSE(read(option(14, {0x10})).has(kMptcpJoin));
  EXPECT_TRUE(read(option(24, {0x10})).has(kMptcpJoin));
}

TEST(mptcp_options, addresses_of_both_versions_are_read_and_echoes_are_not) {
  const MptcpSignals v1 = read(kAddV1);
  ASSERT_EQ(v1.address_count, 1);
  EXPECT_EQ(v1.addresses[0].port, 5'000);
  EXPECT_EQ(v1.addresses[0].id, 7);
  EXPECT_EQ(address_text(v1.addresses[0].address, v1.addresses[0].ip_version), "192.0.2.1");
  const MptcpSignals v0 = read(kAddV0);
  ASSERT_EQ(v0.address_count, 1);
  EXPECT_EQ(address_text(v0.addresses[0].address, v0.addresses[0].ip_version), "2001::");
  EXPECT_EQ(read(option(8, {0x31, 7, 192, 0, 2, 1})).address_count, 0) << "an echo";
  ByteList with_port = option(22, {0x36, 7, 0x20, 0x01});
  with_port[20] = 0x13;
  EXPECT_EQ(read(with_port).addresses[0].port, 0x1300);
}

TEST(mptcp_options, several_options_of_a_segment_are_read_together) {
  ByteList options = option(12, {0x70});
  for (const ByteList& more : {ByteList{1, 1}, option(4, {0x80, 1}), option(3, {0x51})})
    options.insert(options.end(), more.begin(), more.end());
  const MptcpSignals signals = read(options);
  EXPECT_EQ(signals.subtypes, 1 << kMptcpFastclose | 1 << kMptcpReset | 1 << kMptcpPriority);
  EXPECT_TRUE(signals.backup);
}

// Cut anywhere, an option is not there, and nothing behind its end is touched.
TEST(mptcp_options, a_cut_option_is_not_there) {
  for (const ByteList& whole : {kBothKeys, kJoinSyn, kAddV1, kAddV0, option(12, {0x70})}) {
    EXPECT_NE(read(whole).subtypes, 0);
    for (std::size_t bytes = 0; bytes < whole.size(); ++bytes)
      EXPECT_EQ(read(ByteList(whole.begin(), whole.begin() + static_cast<int>(bytes))).subtypes, 0);
  }
}

TEST(mptcp_options, every_prefix_of_several_tells_those_that_are_whole) {
  const ByteList all[] = {option(4, {0x40, 3}), option(12, {0x60}), kAddV1, option(3, {0x51})};
  ByteList options;
  for (const ByteList& one : all) {
    const std::uint16_t before = read(options).subtypes;
    ByteList part = options;
    for (const std::uint8_t byte : one) {
      EXPECT_EQ(read(part).subtypes, before) << part.size();
      part.push_back(byte);
    }
    options = part;
    EXPECT_NE(read(options).subtypes, before);
  }
}

TEST(mptcp_options, withdrawn_addresses_are_told_by_their_ids) {
  const MptcpSignals signals = read(option(6, {0x40, 1, 2, 65}));
  EXPECT_TRUE(signals.has(kMptcpRemoveAddress));
  EXPECT_EQ(signals.removed, 0b110U);
  EXPECT_EQ(read(option(4, {0x40, 40})).removed, std::uint64_t{1} << 40);
  EXPECT_FALSE(read(option(3, {0x40})).has(kMptcpRemoveAddress)) << "none";
  EXPECT_TRUE(read(option(12, {0x60})).has(kMptcpFail));
}

TEST(mptcp_options, decode_points_at_the_first_that_is_more_than_a_mapping) {
  const auto mptcp_bytes = [](const std::vector<ByteList>& all) {
    TcpOptions options;
    for (const ByteList& one : all)
      options.other.insert(options.other.end(), one.begin(), one.end());
    const Frame frame = PacketBuilder()
                            .ethernet()
                            .ip("192.0.2.1", "198.51.100.2")
                            .tcp(1, 2, {.options = options})
                            .frame();
    const TcpHeader tcp = decoded(frame).tcp;
    EXPECT_EQ(tcp.options, kTcpOptionMptcp);
    return tcp.mptcp_bytes;
  };
  EXPECT_EQ(mptcp_bytes({kMapping}), 0);
  EXPECT_EQ(mptcp_bytes({option(8, {0x20, 0x11})}), 8) << "DATA_FIN";
  EXPECT_EQ(mptcp_bytes({kJoinSyn}), 12);
  EXPECT_EQ(mptcp_bytes({kMapping, kJoinSyn}), 12);
  EXPECT_EQ(mptcp_bytes({kJoinSyn, option(4, {0x40, 3})}), 16);
}

}  // namespace
}  // namespace linger::test
