#include <gtest/gtest.h>

#include "tests/packet/decoded.h"

namespace linger::test {
namespace {

const Address kA = "192.0.2.1", kB = "198.51.100.2", kRouter = "203.0.113.9";
const Address kA6 = "2001:db8::1", kB6 = "2001:db8::2", kRouter6 = "2001:db8:f::9";

PacketBuilder ethernet() { return PacketBuilder().ethernet(); }
std::string session_of(const Frame& frame) { return session_text(decoded(frame)); }

TEST(icmp, echo_and_reply_share_a_session_named_by_their_id) {
  const Packet request = decoded(ethernet().ip(kA, kB).icmp(8, 0, 0x12340001).frame());
  const Packet reply = decoded(ethernet().ip(kB, kA).icmp(0, 0, 0x12340001).frame());
  EXPECT_EQ(session_text(request), "icmp 192.0.2.1:4660 > 198.51.100.2:4660");
  EXPECT_EQ(request.key, reply.key);
  EXPECT_NE(request.direction, reply.direction);
  EXPECT_EQ(request.icmp.type, 8);
  EXPECT_EQ(request.icmp.id, 0x1234);
  EXPECT_EQ(session_of(ethernet().ip(kA6, kB6).icmp(128, 0, 0x12340001).frame()),
            "icmp6 [2001:db8::1]:4660 > [2001:db8::2]:4660");
}

TEST(icmp, other_queries_pair_by_id_too) {
  for (const std::uint8_t type : {13, 14, 15, 16, 17, 18, 42, 43}) {
    EXPECT_EQ(session_of(ethernet().ip(kA, kB).icmp(type, 0, 0x00070001).frame()),
              "icmp 192.0.2.1:7 > 198.51.100.2:7");
  }
  for (const std::uint8_t type : {160, 161}) {
    EXPECT_EQ(session_of(ethernet().ip(kA6, kB6).icmp(type, 0, 0x00070001).frame()),
              "icmp6 [2001:db8::1]:7 > [2001:db8::2]:7");
  }
}

TEST(icmp, other_messages_are_one_session_per_pair_of_hosts) {
  EXPECT_EQ(session_of(ethernet().ip(kA, kB).icmp(9, 0, 0x12340001).frame()),
            "icmp 192.0.2.1:0 > 198.51.100.2:0");
  EXPECT_EQ(session_of(ethernet().ip(kA6, kB6).icmp(135, 0).payload(ByteList(16)).frame()),
            "icmp6 [2001:db8::1]:0 > [2001:db8::2]:0");
}

TEST(icmp, error_joins_the_session_that_it_quotes) {
  const Frame quoted = ethernet().ip(kA, kB).tcp(40000, 80).payload("data").frame();
  for (const std::uint8_t type : {3, 4, 5, 11, 12}) {
    const Packet error =
        decoded(ethernet().ip(kRouter, kA).icmp_error(type, 1, quoted, 28).frame());
    EXPECT_EQ(error.key, decoded(quoted).key);
    EXPECT_EQ(error.hash, decoded(quoted).hash);
    EXPECT_EQ(session_text(error), "tcp 198.51.100.2:80 > 192.0.2.1:40000");  // back to its sender
    EXPECT_EQ(error.flags, kPacketIcmpError);
    EXPECT_EQ(error.icmp.type, type);
    EXPECT_EQ(error.icmp.code, 1);
    EXPECT_EQ(error.ip_offset, 14);
  }
}

TEST(icmp, error_over_ipv6_joins_the_session_that_it_quotes) {
  const Frame quoted = ethernet().ip(kA6, kB6).extension(0).udp(40000, 53).payload("data").frame();
  for (const std::uint8_t type : {1, 2, 3, 4}) {
    const Packet error = decoded(ethernet().ip(kRouter6, kA6).icmp_error(type, 0, quoted).frame());
    EXPECT_EQ(session_text(error), "udp [2001:db8::2]:53 > [2001:db8::1]:40000");
    EXPECT_EQ(error.flags, kPacketIcmpError);
  }
}

TEST(icmp, error_about_an_echo_joins_the_echo) {
  const Frame quoted = ethernet().ip(kA, kB).icmp(8, 0, 0x12340001).frame();
  EXPECT_EQ(session_of(ethernet().ip(kRouter, kA).icmp_error(11, 0, quoted, 28).frame()),
            "icmp 198.51.100.2:4660 > 192.0.2.1:4660");
}

TEST(icmp, error_about_a_first_fragment_joins_its_session) {
  const Frame first = ethernet().ip(kA, kB, {.more_fragments = true}).udp(1, 2).frame();
  EXPECT_EQ(session_of(ethernet().ip(kRouter, kA).icmp_error(3, 4, first).frame()),
            "udp 198.51.100.2:2 > 192.0.2.1:1");
}

// However much a router quotes, the error is of the quoted session or of its own; once there is
// enough for the former, more does not change it.
TEST(icmp, every_prefix_of_a_quote_is_of_the_quoted_session_or_of_the_errors_own) {
  const TcpFields options{.flags = kTcpSyn, .options = {.mss = 1460, .window_scale = 7}};
  const Frame quotes[] = {
      ethernet().ip(kA, kB).tcp(1, 2, options).payload("data").frame(),
      ethernet().ip(kA, kB, {.options = ByteList(12)}).udp(1, 2).payload("data").frame(),
      ethernet().ip(kA, kB).icmp(8, 0, 0x12340001).payload("data").frame(),
      ethernet().ip(kA, kB).udp(50'000, 4789).vxlan(7).ethernet().ip(kA, kB).tcp(1, 2).frame(),
      ethernet().ip(kA6, kB6).extension(0).extension(60).tcp(1, 2, options).frame(),
      ethernet().ip(kA6, kB6).esp(7, 1).payload("data").frame(),
  };
  for (const Frame& quoted : quotes) {
    const bool is_v4 = quoted.bytes[12] == 8;
    const auto error = [&](std::size_t bytes) {
      return is_v4 ? ethernet().ip(kRouter, kA).icmp_error(3, 1, quoted, bytes).frame()
                   : ethernet().ip(kRouter6, kA6).icmp_error(1, 0, quoted, bytes).frame();
    };
    const std::string own = session_of(error(0));
    bool is_joined = false;
    for (std::size_t bytes = 0; bytes <= quoted.bytes.size() - 14; ++bytes) {
      const std::string session = session_of(error(bytes));
      EXPECT_TRUE(!is_joined || session != own) << bytes;
      is_joined = session != own;
      EXPECT_TRUE(!is_joined || session == session_of(error(quoted.bytes.size() - 14))) << bytes;
      Frame cut = error(bytes);  // and by the snap length
      for (std::size_t left = cut.bytes.size(); left > 0; --left) {
        cut.bytes.resize(left);
        cut.bytes.shrink_to_fit();
        const std::string text = session_of(cut);
        EXPECT_TRUE(text == own || text == session || text == "truncated") << text;
      }
    }
    EXPECT_TRUE(is_joined);
  }
}

TEST(icmp, error_without_a_usable_quote_is_a_session_of_its_hosts) {
  const std::string own = "icmp 203.0.113.9:0 > 192.0.2.1:0";
  const Frame quoted = ethernet().ip(kA, kB).tcp(40000, 80).frame();
  for (std::size_t bytes = 0; bytes < 24; ++bytes) {  // the ports are not whole
    EXPECT_EQ(session_of(ethernet().ip(kRouter, kA).icmp_error(3, 1, quoted, bytes).frame()), own);
  }
  const Frame fragment =
      ethernet().ip(kA, kB, {.fragment_offset = 8}).payload("0123456789").frame();
  EXPECT_EQ(session_of(ethernet().ip(kRouter, kA).icmp_error(3, 1, fragment).frame()), own);
  const Frame error = ethernet().ip(kA, kB).icmp_error(3, 1, quoted).frame();
  EXPECT_EQ(session_of(ethernet().ip(kRouter, kA).icmp_error(3, 1, error).frame()), own);
  EXPECT_EQ(session_of(ethernet().ip(kRouter, kA).icmp(3, 1).payload("no packet").frame()), own);
}

TEST(icmp, rekeyed_error_is_a_session_of_its_hosts_told_apart_by_the_quote) {
  const Frame quoted = ethernet().ip(kA, kB).tcp(40000, 80).frame();
  const Frame other = ethernet().ip(kA, kB).tcp(40001, 80).frame();
  const auto rekeyed = [](const Frame& frame, std::uint64_t secret) {
    DecodeSettings settings;
    settings.seed = make_hash_seed(secret);
    Packet packet = decoded(frame, settings);
    rekey_icmp_error(packet, settings);
    EXPECT_EQ(packet.hash, hash_of(packet.key, settings.seed));
    return packet;
  };
  const Frame error = ethernet().ip(kRouter, kA).icmp_error(3, 1, quoted).frame();
  const Packet packet = rekeyed(error, 1);
  EXPECT_EQ(packet.key.protocol, kProtocolIcmp);
  EXPECT_EQ(packet.key.address[0].bytes, kA.ip.bytes);
  EXPECT_EQ(packet.key.address[1].bytes, kRouter.ip.bytes);
  EXPECT_EQ(packet.direction, 1);
  EXPECT_EQ(packet.flags, 0);
  EXPECT_LE(packet.key.port[0], packet.key.port[1]);

  EXPECT_EQ(rekeyed(error, 2).key, packet.key);  // whatever the seed
  EXPECT_FALSE(rekeyed(ethernet().ip(kRouter, kA).icmp_error(3, 1, other).frame(), 1).key ==
               packet.key);
  // Quoted in the other direction, sent the other way: the same session.
  const Frame answer = ethernet().ip(kB, kA).tcp(80, 40000).frame();
  EXPECT_EQ(rekeyed(ethernet().ip(kA, kRouter).icmp_error(3, 1, answer).frame(), 1).key,
            packet.key);
}

TEST(icmp, rekeyed_error_over_ipv6_keeps_its_hosts) {
  const Frame quoted = ethernet().ip(kA6, kB6).tcp(40000, 80).frame();
  const Frame error = ethernet().ip(kRouter6, kA6).icmp_error(1, 4, quoted).frame();
  Packet packet = decoded(error);
  rekey_icmp_error(packet, decode_settings());
  EXPECT_EQ(packet.key.protocol, kProtocolIcmpV6);
  EXPECT_EQ(packet.key.ip_version, 6);
  EXPECT_EQ(packet.key.address[0].bytes, kA6.ip.bytes);
  EXPECT_EQ(packet.key.address[1].bytes, kRouter6.ip.bytes);
}

}  // namespace
}  // namespace linger::test
