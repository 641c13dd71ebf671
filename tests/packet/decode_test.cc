#include "engine/packet/decode.h"

#include <gtest/gtest.h>

#include "engine/packet/walk.h"
#include "tests/packet/decoded.h"

namespace linger::test {
namespace {

const Address kA = "192.0.2.1", kB = "198.51.100.2", kA6 = "2001:db8::1", kB6 = "2001:db8::2";

PacketBuilder ethernet() { return PacketBuilder().ethernet(); }

Frame with_byte(Frame frame, std::size_t offset, std::uint8_t value) {
  frame.bytes.at(offset) = value;
  return frame;
}

std::string session_of(const Frame& frame) { return session_text(decoded(frame)); }

TEST(decode, tcp_segment_gives_key_header_and_payload) {
  const TcpFields fields{.sequence = 0xfffffffe,
                         .acknowledgment = 7,
                         .flags = kTcpAck | kTcpPsh | kTcpCwr,
                         .window = 512};
  const Frame frame = ethernet().ip(kA, kB).tcp(40000, 80, fields).payload("hello").frame();
  const Packet packet = decoded(frame);
  EXPECT_EQ(session_text(packet), "tcp 192.0.2.1:40000 > 198.51.100.2:80");
  EXPECT_EQ(payload_text(frame), "hello");
  EXPECT_EQ(packet.tcp.sequence, 0xfffffffe);
  EXPECT_EQ(packet.tcp.acknowledgment, 7U);
  EXPECT_EQ(packet.tcp.flags, kTcpAck | kTcpPsh | kTcpCwr);
  EXPECT_EQ(packet.tcp.window, 512);
  EXPECT_EQ(packet.tcp.options, 0);
  EXPECT_EQ(packet.mac_offset, 0);
  EXPECT_EQ(packet.ip_offset, 14);
  EXPECT_EQ(packet.payload_offset, 54);
  EXPECT_EQ(packet.flags, 0);
}

TEST(decode, all_tcp_options_are_read) {
  const TcpOptions options{.mss = 1400,
                           .window_scale = 9,
                           .sack_permitted = true,
                           .timestamps = TcpOptions::Stamps{123, 456},
                           .fast_open_cookie = ByteList{}};
  for (const auto& [source, destination] : {std::pair{kA, kB}, std::pair{kA6, kB6}}) {
    const Frame frame = ethernet().ip(source, destination).tcp(1, 2, {.options = options}).frame();
    const TcpHeader tcp = decoded(frame).tcp;
    EXPECT_EQ(tcp.options, kTcpOptionMss | kTcpOptionWindowScale | kTcpOptionSackPermitted |
                               kTcpOptionTimestamp | kTcpOptionFastOpen);
    EXPECT_EQ(tcp.mss, 1400);
    EXPECT_EQ(tcp.window_scale, 9);
    EXPECT_EQ(tcp.timestamp_value, 123U);
    EXPECT_EQ(tcp.timestamp_echo, 456U);
  }
}

TEST(decode, rarer_tcp_options_are_recognised) {
  const auto options_of = [](TcpOptions options) {
    return decoded(ethernet().ip(kA, kB).tcp(1, 2, {.options = options}).frame()).tcp.options;
  };
  EXPECT_EQ(options_of({.sack = {{1, 2}, {3, 4}}}), kTcpOptionSack);
  EXPECT_EQ(options_of({.other = {30, 4, 0, 0}}), kTcpOptionMptcp);
  EXPECT_EQ(options_of({.other = ByteList{19, 18, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}}),
            kTcpOptionMd5OrAo);
  EXPECT_EQ(options_of({.other = {29, 4, 0, 0}}), kTcpOptionMd5OrAo);
  EXPECT_EQ(options_of({.other = {254, 4, 0xf9, 0x89}}), kTcpOptionFastOpen);
  EXPECT_EQ(options_of({.other = {254, 4, 1, 2}}), 0);
}

TEST(decode, tcp_options_that_overrun_end_the_list) {
  const auto options_of = [](ByteList other) {
    return decoded(ethernet().ip(kA, kB).tcp(1, 2, {.options = {.other = other}}).frame())
        .tcp.options;
  };
  EXPECT_EQ(options_of({4, 2, 8, 0}), kTcpOptionSackPermitted);     // length 0
  EXPECT_EQ(options_of({4, 2, 8, 1}), kTcpOptionSackPermitted);     // length 1
  EXPECT_EQ(options_of({4, 2, 8, 10}), kTcpOptionSackPermitted);    // beyond the end
  EXPECT_EQ(options_of({0, 0, 4, 2}), 0);                           // behind the end
  EXPECT_EQ(options_of({2, 3, 5, 4, 2}), kTcpOptionSackPermitted);  // MSS too short
  EXPECT_EQ(options_of({1, 1, 1, 8}), 0);                           // no length
  EXPECT_EQ(options_of({8, 4, 0, 0}), 0);                           // timestamps too short
}

TEST(decode, both_directions_share_key_and_hash) {
  for (const auto& [source, destination] : {std::pair{kA, kB}, std::pair{kB6, kA6}}) {
    const Packet there = decoded(ethernet().ip(source, destination).tcp(40000, 80).frame());
    const Packet back = decoded(ethernet().ip(destination, source).tcp(80, 40000).frame());
    EXPECT_EQ(there.key, back.key);
    EXPECT_EQ(there.hash, back.hash);
    EXPECT_NE(there.direction, back.direction);
    EXPECT_EQ(there.hash, hash_of(there.key, decode_settings().seed));
  }
}

TEST(decode, addresses_order_as_bytes_and_ports_break_the_tie) {
  EXPECT_EQ(decoded(ethernet().ip("1.0.0.2", "2.0.0.1").udp(9, 1).frame()).direction, 0);
  EXPECT_EQ(decoded(ethernet().ip("2.0.0.1", "1.0.0.2").udp(1, 9).frame()).direction, 1);
  EXPECT_EQ(decoded(ethernet().ip("2001:db8::1", "2001:db8::2").udp(9, 1).frame()).direction, 0);
  EXPECT_EQ(decoded(ethernet().ip("2001:db8:1::", "2001:db8::2").udp(9, 1).frame()).direction, 1);
  EXPECT_EQ(decoded(ethernet().ip(kA, kA).udp(1, 2).frame()).direction, 0);
  EXPECT_EQ(decoded(ethernet().ip(kA, kA).udp(2, 1).frame()).direction, 1);
  EXPECT_EQ(decoded(ethernet().ip(kA, kA).udp(1, 2).frame()).key,
            decoded(ethernet().ip(kA, kA).udp(2, 1).frame()).key);
  EXPECT_EQ(decoded(ethernet().ip(kA, kA).udp(2, 2).frame()).direction, 0);  // a packet to itself
}

TEST(decode, a_source_route_leads_to_its_last_address) {
  const auto session = [](ByteList options) {
    const Frame frame = ethernet().ip(kA, "192.0.2.99", {.options = options}).tcp(1, 2).frame();
    return session_text(decoded(frame));
  };
  const std::string routed = "tcp 192.0.2.1:1 > 203.0.113.7:2";
  const std::string direct = "tcp 192.0.2.1:1 > 192.0.2.99:2";
  EXPECT_EQ(session({131, 11, 4, 192, 0, 2, 98, 203, 0, 113, 7}), routed);
  EXPECT_EQ(session({137, 11, 8, 192, 0, 2, 98, 203, 0, 113, 7}), routed);
  EXPECT_EQ(session({1, 7, 3, 4, 131, 7, 4, 203, 0, 113, 7}), routed);
  EXPECT_EQ(session({131, 11, 12, 192, 0, 2, 98, 203, 0, 113, 7}), direct);  // used up
  EXPECT_EQ(session({131, 7, 0, 203, 0, 113, 7}), direct);                   // no such pointer
  EXPECT_EQ(session({131, 6, 4, 203, 0, 113, 7}), direct);                   // shorter than a route
  EXPECT_EQ(session({131, 2, 4, 203, 0, 113, 7}), direct);
  EXPECT_EQ(session({131, 13, 4, 203, 0, 113, 7}), direct);          // beyond the header
  EXPECT_EQ(session({0, 131, 7, 4, 203, 0, 113, 7}), direct);        // behind the end
  EXPECT_EQ(session({7, 0, 4, 131, 7, 4, 203, 0, 113, 7}), direct);  // an option of no length
}

TEST(decode, a_routed_packet_is_not_judged_by_its_checksum) {
  Frame frame =
      ethernet().ip(kA, "192.0.2.99", {.options = {131, 7, 4, 203, 0, 113, 7}}).tcp(1, 2).frame();
  frame.bytes.back() ^= 1;
  EXPECT_EQ(decoded(frame).flags, 0);
  for (const auto& [source, destination] : {std::pair{kA, kB}, std::pair{kA6, kB6}}) {
    Frame inside = ethernet()
                       .ip(kA, "192.0.2.99", {.options = {131, 7, 4, 203, 0, 113, 7}})
                       .ip(source, destination)
                       .tcp(1, 2)
                       .frame();
    inside.bytes.back() ^= 1;
    EXPECT_EQ(decoded(inside).flags, kPacketBadChecksum);
  }
}

TEST(decode, ethernet_padding_is_no_payload) {
  Frame frame = ethernet().ip(kA, kB).tcp(1, 2).frame();
  frame.bytes.resize(60, 0xee);
  EXPECT_EQ(decoded(frame).payload_bytes, 0U);
  frame = ethernet().ip(kA, kB).udp(1, 2).payload("x").frame();
  frame.bytes.resize(60, 0xee);
  EXPECT_EQ(payload_text(frame), "x");
}

TEST(decode, total_length_zero_means_all_that_is_there) {  // segments cut by the network card
  Frame frame = ethernet().ip(kA, kB).tcp(1, 2).payload("hello").frame();
  frame.bytes[16] = frame.bytes[17] = 0;
  EXPECT_EQ(decoded(frame).payload_bytes, 5U);
  frame = ethernet().ip(kA6, kB6).tcp(1, 2).payload("hello").frame();
  frame.bytes[18] = frame.bytes[19] = 0;
  EXPECT_EQ(decoded(frame).payload_bytes, 5U);
}

TEST(decode, snap_length_keeps_lengths_and_flags_the_cut) {
  const Frame frame = ethernet().ip(kA, kB).tcp(1, 2).payload("hello").frame().cut(56);
  const Packet packet = decoded(frame);
  EXPECT_EQ(session_text(packet), "tcp 192.0.2.1:1 > 198.51.100.2:2");
  EXPECT_EQ(packet.payload_bytes, 5U);
  EXPECT_EQ(packet.flags, kPacketCut);
  EXPECT_EQ(payload_text(frame), "he");
}

TEST(decode, segment_shorter_than_its_header_length_still_belongs_to_its_session) {
  const Frame frame = ethernet().ip(kA, kB).tcp(1, 2, {.flags = kTcpSyn}).frame();
  const Packet packet = decoded(with_byte(frame, 14 + 20 + 12, 0x60));  // 24 bytes in 20
  EXPECT_EQ(session_text(packet), "tcp 192.0.2.1:1 > 198.51.100.2:2");
  EXPECT_EQ(packet.payload_bytes, 0U);
  EXPECT_EQ(packet.payload_offset, frame.bytes.size());
}

TEST(decode, contradicting_headers_are_malformed) {
  const Frame tcp = ethernet().ip(kA, kB).tcp(1, 2).frame();
  EXPECT_EQ(session_of(with_byte(tcp, 14, 0x44)), "malformed");            // IP header of 16 bytes
  EXPECT_EQ(session_of(with_byte(tcp, 14, 0x65)), "malformed");            // version 6
  EXPECT_EQ(session_of(with_byte(tcp, 17, 19)), "malformed");              // total length of 19
  EXPECT_EQ(session_of(with_byte(tcp, 17, 35)), "malformed");              // TCP of 15
  EXPECT_EQ(session_of(with_byte(tcp, 14 + 20 + 12, 0x40)), "malformed");  // TCP header of 16
  const Frame udp = ethernet().ip(kA, kB).udp(1, 2).payload("x").frame();
  EXPECT_EQ(session_of(with_byte(udp, 14 + 20 + 5, 7)), "malformed");  // UDP length of 7
  EXPECT_EQ(session_of(with_byte(udp, 17, 27)), "malformed");          // UDP header of 7
  const Frame tcp6 = ethernet().ip(kA6, kB6).tcp(1, 2).frame();
  EXPECT_EQ(session_of(with_byte(tcp6, 14, 0x45)), "malformed");
  EXPECT_EQ(session_of(with_byte(tcp6, 14 + 5, 15)), "malformed");
}

TEST(decode, udp_length_beyond_the_datagram_is_cut_to_it) {
  const Frame udp = ethernet().ip(kA, kB).udp(1, 2).payload("hello, world").frame();
  EXPECT_EQ(decoded(with_byte(udp, 14 + 20 + 5, 255)).payload_bytes, 12U);
  EXPECT_EQ(decoded(with_byte(udp, 14 + 20 + 5, 10)).payload_bytes, 2U);
  EXPECT_EQ(decoded(with_byte(udp, 14 + 20 + 5, 0)).payload_bytes, 12U);  // RFC 2675
}

TEST(decode, fragments_tell_their_datagram) {
  const IpFields fields{.identification = 7, .fragment_offset = 16, .more_fragments = true};
  const Packet v4 = decoded(ethernet().vlan(5).ip(kA, kB, fields).payload("12345678").frame());
  EXPECT_EQ(session_text(v4), "fragment");
  EXPECT_EQ(v4.fragment.offset, 16u);
  EXPECT_EQ(v4.fragment.captured_bytes, 8u);
  EXPECT_TRUE(v4.fragment.has_more);
  EXPECT_EQ(v4.payload_offset, 14 + 4 + 20);
  EXPECT_EQ(v4.payload_bytes, 8u);
  EXPECT_EQ(v4.key.word(4) & 0xffff'ffff, 7u);
  EXPECT_EQ(v4.key.scope, 5u);
  EXPECT_EQ(v4.hash, hash_of(v4.key, decode_settings().seed));
  const Packet v6 =
      decoded(ethernet().ip(kA6, kB6).ipv6_fragment(8, false, 0x12345678).udp(1, 2).frame());
  EXPECT_EQ(session_text(v6), "fragment");
  EXPECT_EQ(v6.fragment.protocol, kProtocolUdp);
  EXPECT_EQ(v6.fragment.offset, 8u);
  EXPECT_FALSE(v6.fragment.has_more);
  EXPECT_EQ(v6.key.protocol, 0);
  EXPECT_EQ(v6.key.word(4) & 0xffff'ffff, 0x12345678u);
}

TEST(decode, first_fragments_wait_for_their_datagram) {
  EXPECT_EQ(session_of(ethernet().ip(kA, kB, {.more_fragments = true}).udp(1, 2).frame()),
            "fragment");
  EXPECT_EQ(session_of(ethernet().ip(kA6, kB6).ipv6_fragment(0, true).udp(1, 2).frame()),
            "fragment");
}

TEST(decode, ipv6_extension_headers_are_followed) {
  const Frame frame = ethernet()
                          .ip(kA6, kB6)
                          .extension(0)
                          .extension(43)
                          .extension(60)
                          .extension(51, ByteList(22))
                          .ipv6_fragment(0, false)
                          .tcp(1, 2)
                          .payload("x")
                          .frame();
  const Packet packet = decoded(frame);
  EXPECT_EQ(session_text(packet), "tcp [2001:db8::1]:1 > [2001:db8::2]:2");
  EXPECT_EQ(payload_text(frame), "x");
  EXPECT_EQ(packet.flags, 0);  // an atomic fragment is whole
}

TEST(decode, authentication_header_of_ipv4_is_followed) {
  EXPECT_EQ(session_of(ethernet().ip(kA, kB).extension(51).tcp(1, 2).frame()),
            "tcp 192.0.2.1:1 > 198.51.100.2:2");
}

TEST(decode, extension_header_beyond_the_payload_is_malformed) {
  Frame frame = ethernet().ip(kA6, kB6).extension(60).tcp(1, 2).frame();
  EXPECT_EQ(session_of(with_byte(frame, 14 + 40 + 1, 200)), "malformed");
}

TEST(decode, protocols_without_ports_are_one_session_per_pair_of_hosts) {
  EXPECT_EQ(session_of(ethernet().ip(kA, kB).esp(7, 8).payload(ByteList(8)).frame()),
            "esp 192.0.2.1:0 > 198.51.100.2:0");
  EXPECT_EQ(session_of(ethernet().ip(kA, kB).next_is(89).payload("x").frame()),
            "ip89 192.0.2.1:0 > 198.51.100.2:0");
  EXPECT_EQ(decoded(ethernet().ip(kA, kB).next_is(58).payload(ByteList(16, 1)).frame()).flags, 0);
  EXPECT_EQ(session_of(ethernet().ip(kA6, kB6).next_is(59).frame()),
            "ip59 [2001:db8::1]:0 > [2001:db8::2]:0");
}

TEST(decode, a_dccp_header_is_no_payload) {
  ByteList header(16);  // a data packet with sequence numbers of 48 bits
  header[1] = 5, header[3] = 6, header[4] = 4, header[8] = 5;
  const Packet packet =
      decoded(ethernet().ip(kA, kB).next_is(33).payload(header).payload("hello").frame());
  EXPECT_EQ(session_text(packet), "ip33 192.0.2.1:5 > 198.51.100.2:6");
  EXPECT_EQ(packet.payload_bytes, 5U);
}

TEST(decode, sctp_gives_tags_and_the_chunk_that_matters) {
  const ByteList init{0xde, 0xad, 0xbe, 0xef, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0};
  Packet packet = decoded(ethernet().ip(kA, kB).sctp(5, 6, 0).sctp_chunk(1, 0, init).frame());
  EXPECT_EQ(session_text(packet), "sctp 192.0.2.1:5 > 198.51.100.2:6");
  EXPECT_EQ(packet.sctp.chunk, 1);
  EXPECT_EQ(packet.sctp.initiate_tag, 0xdeadbeef);
  packet = decoded(
      ethernet().ip(kA, kB).sctp(5, 6, 0).sctp_chunk(1, 0, init).frame().cut(14 + 20 + 12 + 8));
  EXPECT_EQ(packet.sctp.initiate_tag, 0xdeadbeef);
  packet = decoded(ethernet().ip(kA, kB).sctp(5, 6, 77).sctp_chunk(0, 3, ByteList(12)).frame());
  EXPECT_EQ(packet.sctp.verification_tag, 77U);
  EXPECT_EQ(packet.sctp.chunk, 0);
  EXPECT_EQ(packet.sctp.initiate_tag, 0U);
  packet = decoded(ethernet().ip(kA, kB).sctp(5, 6, 77).frame());
  EXPECT_EQ(packet.sctp.chunk, kNoSctpChunk);
  const auto after = [](std::size_t bytes) {  // of an AUTH, RFC 4895
    return ethernet().ip(kA, kB).sctp(5, 6, 77).sctp_chunk(15, 0, ByteList(bytes));
  };
  for (const std::size_t bytes : {0u, 5u, 28u}) {
    for (const std::uint8_t end : {6, 14})
      EXPECT_EQ(decoded(after(bytes).sctp_chunk(end, 0, {}).frame()).sctp.chunk, end) << bytes;
    EXPECT_EQ(decoded(after(bytes).sctp_chunk(0, 3, ByteList(12)).frame()).sctp.chunk, 15) << bytes;
  }
}

TEST(decode, sctp_payload_is_what_lies_in_data_chunks) {
  const auto sctp = [] { return ethernet().ip(kA, kB).sctp(5, 6, 77); };
  const auto data = [](std::size_t bytes) { return ByteList(12 + bytes); };
  EXPECT_EQ(decoded(sctp().sctp_chunk(1, 0, ByteList(16)).frame()).payload_bytes, 0U);
  EXPECT_EQ(decoded(sctp().sctp_chunk(3, 0, ByteList(12)).frame()).payload_bytes, 0U);  // SACK
  Frame frame = sctp()
                    .sctp_chunk(3, 0, ByteList(12))
                    .sctp_chunk(0, 3, data(5))
                    .sctp_chunk(64, 3, ByteList(16 + 2))  // I-DATA
                    .sctp_chunk(0, 3, data(4))
                    .frame();
  EXPECT_EQ(decoded(frame).payload_bytes, 11U);
  frame.bytes.resize(frame.bytes.size() - 3);  // as far as the heads of chunks were captured
  EXPECT_EQ(decoded(frame).payload_bytes, 11U);
  frame.bytes.resize(frame.bytes.size() - 14);
  EXPECT_EQ(decoded(frame).payload_bytes, 7U);
  EXPECT_EQ(decoded(sctp().sctp_chunk(0, 3, ByteList(11)).frame()).payload_bytes, 0U);
  frame = sctp().sctp_chunk(0, 3, data(8)).frame();  // its length leads beyond the datagram
  EXPECT_EQ(decoded(with_byte(frame, 14 + 20 + 12 + 3, 200)).payload_bytes, 8U);
}

TEST(decode, a_packet_that_is_routed_by_segments_is_its_destinations) {
  // The first in a segment routing header, the last of type 0; of no segment that is left, and of
  // another type, the header's.
  const auto through = [](std::uint8_t type, std::uint8_t segments_left) {
    ByteList body{type, segments_left, 1, 0, 0, 0};
    for (const std::uint8_t host : {0x33, 0x44}) {
      const ByteList address{0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, host};
      body.insert(body.end(), address.begin(), address.end());
    }
    return session_of(ethernet().ip(kA6, kB6).extension(43, body).udp(1, 2).frame());
  };
  EXPECT_EQ(through(4, 1), "udp [2001:db8::1]:1 > [2001:db8::33]:2");
  EXPECT_EQ(through(0, 1), "udp [2001:db8::1]:1 > [2001:db8::44]:2");
  EXPECT_EQ(through(4, 0), "udp [2001:db8::1]:1 > [2001:db8::2]:2");
  EXPECT_EQ(through(3, 1), "udp [2001:db8::1]:1 > [2001:db8::2]:2");
}

TEST(decode, non_ip_frames_are_named) {
  EXPECT_EQ(session_of(ethernet().next_is(0x0806).payload(ByteList(28)).frame()), "not_ip");
  EXPECT_EQ(session_of(ethernet().next_is(0x88cc).payload(ByteList(50)).frame()), "not_ip");
  // spanning tree
  EXPECT_EQ(session_of(ethernet().next_is(38).payload(ByteList(38, 0x42)).frame()), "not_ip");
}

TEST(decode, decode_overwrites_what_a_packet_held) {
  for (const Sample& sample : samples()) {
    Packet packet = packet_of(sample.frame);
    const std::string fresh = whole_text(decoded(sample.frame));
    for (const Sample& before : samples()) {
      Packet reused = decoded(before.frame);
      reused.data = packet.data;
      reused.captured_bytes = packet.captured_bytes;
      reused.wire_bytes = packet.wire_bytes;
      reused.link_type = packet.link_type;
      decode(reused, decode_settings());
      ASSERT_EQ(whole_text(reused), fresh) << sample.name << " after " << before.name;
    }
  }
}

TEST(decode, burst_and_single_packets_agree) {
  Burst burst;
  const auto all = samples();
  for (const Sample& sample : all) burst.packets[burst.count++] = packet_of(sample.frame);
  decode(burst, decode_settings());
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(whole_text(burst.packets[i]), whole_text(decoded(all[i].frame))) << all[i].name;
  }
}

TEST(decode, every_sample_is_of_a_session) {
  for (const Sample& sample : samples()) {
    EXPECT_EQ(decoded(sample.frame).verdict, Verdict::session) << sample.name;
  }
}

// A capture with a snap length: what is cut before the ports is `truncated` or, in a tunnel, of the
// outer session; what is cut behind them has the whole packet's key.
TEST(decode, every_prefix_is_truncated_or_of_its_session) {
  for (const Sample& sample : samples()) {
    const Packet whole = decoded(sample.frame);
    bool was_session = false;
    for (std::size_t bytes = 0; bytes < sample.frame.bytes.size(); ++bytes) {
      Frame cut = sample.frame.cut(bytes);
      cut.bytes.shrink_to_fit();
      const Packet packet = decoded(cut);
      ASSERT_LE(packet.payload_offset, bytes) << sample.name;
      const bool is_outer = packet.ip_offset < whole.ip_offset;
      const bool is_quoting = (whole.flags & kPacketIcmpError) != 0;
      if (packet.verdict != Verdict::session) {
        ASSERT_EQ(session_text(packet), "truncated") << sample.name << " cut to " << bytes;
        ASSERT_FALSE(was_session) << sample.name << " cut to " << bytes;
      } else if (!is_outer && (!is_quoting || packet.flags & kPacketIcmpError)) {
        ASSERT_EQ(packet.key, whole.key) << sample.name << " cut to " << bytes;
        ASSERT_EQ(packet.payload_bytes, whole.payload_bytes) << sample.name;
      }
      was_session |= packet.verdict == Verdict::session;
    }
  }
}

// A frame that claims to be no longer than it is: never a crash, never a verdict that blames the
// capture wrongly.
TEST(decode, every_prefix_as_a_whole_frame_is_survived) {
  for (const Sample& sample : samples()) {
    for (std::size_t bytes = 0; bytes < sample.frame.bytes.size(); ++bytes) {
      Frame frame = sample.frame.cut(bytes);
      frame.bytes.shrink_to_fit();
      frame.wire_bytes = static_cast<std::uint32_t>(bytes);
      ASSERT_LE(decoded(frame).payload_offset, bytes) << sample.name;
    }
  }
}

TEST(decode, nesting_is_bounded) {
  PacketBuilder builder = ethernet();
  for (int i = 0; i < kHeadersMax; ++i) builder.mpls(1);
  EXPECT_EQ(session_of(builder.ip(kA, kB).tcp(1, 2).frame()), "too_deep");
  PacketBuilder nested = ethernet();
  for (int i = 0; i < kHeadersMax; ++i) nested.ip(kA6, kB6).extension(60);
  EXPECT_EQ(decoded(nested.tcp(1, 2).frame()).verdict,
            Verdict::session);  // the innermost it reached
}

TEST(decode, vlan_separates_sessions_only_when_asked) {
  const Frame one = ethernet().vlan(1).ip(kA, kB).tcp(1, 2).frame();
  const Frame two = ethernet().vlan(2).ip(kA, kB).tcp(1, 2).frame();
  const Frame inner = ethernet().vlan(1).vlan(2).ip(kA, kB).tcp(1, 2).frame();
  EXPECT_EQ(decoded(one).key, decoded(two).key);
  DecodeSettings settings = decode_settings();
  settings.key_has_vlan = true;
  EXPECT_FALSE(decoded(one, settings).key == decoded(two, settings).key);
  EXPECT_FALSE(decoded(one, settings).key == decoded(inner, settings).key);
  const Frame back = ethernet().vlan(1).ip(kB, kA).tcp(2, 1).frame();
  EXPECT_EQ(decoded(one, settings).key, decoded(back, settings).key);
}

}  // namespace
}  // namespace linger::test
