#include "parsers/quic.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/parsers/dialogue.h"
#include "tests/support/hex.h"
#include "tests/support/quic_words.h"

namespace linger::test {
namespace {

using namespace std::string_literals;
using testing::HasSubstr;
using testing::Not;

constexpr Carrier kDatagrams = Carrier::datagrams;

Bytes bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
template <std::size_t N>
std::string text_of(const std::array<std::uint8_t, N>& bytes) {
  return {bytes.begin(), bytes.end()};
}

std::string client_packet(const std::string& frames, std::uint32_t version = 1,
                          std::uint32_t number = 0) {
  return quic_initial({.version = version,
                       .is_client = true,
                       .keys_id = rfc9001_id(),
                       .to = rfc9001_id(),
                       .from = "me",
                       .token = {},
                       .number = number,
                       .frames = frames,
                       .frames_bytes = 1'162});
}
Dialogue example() {
  return {{0, client_packet(quic_crypto(0, rfc9001_hello()))}, {1, rfc9001_server_packet()}};
}

constexpr std::string_view kHello =
    R"("client":{"server_name":"example.com","ja3":"41bc9ae914d6cb3bd0bd0a5453ab7d7f",)";

TEST(quic_keys, they_are_those_of_the_standards) {
  const std::string id = rfc9001_id();
  const QuicKeys client = quic_initial_keys(kQuicV1, bytes_of(id), QuicRole::client);
  EXPECT_EQ(text_of(client.key), from_hex("1f369613dd76d5467730efcbe3b1a22d"));
  EXPECT_EQ(text_of(client.iv), from_hex("fa044b2f42a3fd3b46fb255c"));
  EXPECT_EQ(text_of(client.header_key), from_hex("9f50449e04a0e810283a1e9933adedd2"));
  const QuicKeys server = quic_initial_keys(kQuicV1, bytes_of(id), QuicRole::server);
  EXPECT_EQ(text_of(server.key), from_hex("cf3a5331653c364c88f0f379b6067e37"));
  const QuicKeys v2 = quic_initial_keys(kQuicV2, bytes_of(id), QuicRole::client);
  EXPECT_EQ(text_of(v2.key), from_hex("8b1a0bc121284290a29e0971b5cd045d"));
  EXPECT_EQ(text_of(v2.iv), from_hex("91f73e2351d8fa91660e909f"));
  EXPECT_EQ(text_of(v2.header_key), from_hex("45b95e15235d6f45a6b19cbcb0294ba9"));
}

TEST(quic, both_hellos_are_told) {
  const Heard heard = hear(example(), kDatagrams);
  EXPECT_EQ(heard.protocol, "quic");
  EXPECT_EQ(
      heard.objects,
      R"(,"tls":{"version":"1.3","version_protocol":"tls","cipher":"TLS_AES_128_GCM_SHA256",)"
      R"("curve":"x25519","client":{"server_name":"example.com",)"
      R"("ja3":"41bc9ae914d6cb3bd0bd0a5453ab7d7f","ja4":"q13d0211an_62ed6f6ca7ad_4d634acda6c0",)"
      R"("supported_versions":["1.3"],)"
      R"("supported_ciphers":["TLS_AES_128_GCM_SHA256","TLS_AES_256_GCM_SHA384"],)"
      R"("supported_groups":["x25519","secp256r1","secp384r1"],"alpn":["alpn"]},)"
      R"("server":{"ja3s":"eb1d94daa7e0344597e756a1fb6e7054"}},)"
      R"("quic":{"version":"1","client":{"connection_id":"6d65","max_idle_timeout_ms":30000,)"
      R"("initial_max_data":4611686018427387903,"initial_max_streams_bidi":16,)"
      R"("initial_max_streams_uni":16},"server":{"connection_id":"f067a5502a4262b5"},)"
      R"("original_connection_id":"8394c8f03e515708"})");
}

std::string short_header(bool spin) { return (spin ? "\x60"s : "\x40"s) + "protected"; }

TEST(quic, the_server_s_id_is_told_at_once_for_the_session_that_goes_on_with_it) {
  const Heard heard = hear(example(), kDatagrams);
  EXPECT_EQ(heard.links, std::vector<std::string>{"quic id f067a5502a4262b5"});
}

TEST(quic, the_spin_bit_tells_the_least_round_trip) {
  Dialogue dialogue = example();
  bool spin = false;
  for (int trip = 0; trip < 6; ++trip, spin = !spin) {
    dialogue.push_back({0, short_header(spin)});
    if (trip != 3) dialogue.push_back({0, short_header(spin)});  // so that this one is shorter
    dialogue.push_back({1, short_header(spin)});
  }
  EXPECT_THAT(hear(dialogue, kDatagrams).objects, HasSubstr(R"("spin_rtt_ns":2000000)"));
  expect_hostile_is_survived(dialogue, kDatagrams);
}

TEST(quic, bits_that_do_not_turn_in_order_tell_no_round_trip) {
  Dialogue still = example(), wild = example();
  for (unsigned i = 0; i < 40; ++i) {
    still.push_back({i % 2, short_header(false)});
    wild.push_back({i % 2, short_header((i * 7 / 3) % 2 == 0)});
  }
  EXPECT_THAT(hear(still, kDatagrams).objects, Not(HasSubstr("spin")));
  EXPECT_THAT(hear(wild, kDatagrams).objects, Not(HasSubstr("spin")));
}

TEST(quic, the_version_is_told_of_packets_that_cannot_be_opened) {
  std::string packet = client_packet(quic_crypto(0, rfc9001_hello()));
  packet[1'000] ^= 1;
  const Heard heard = hear({{0, packet}}, kDatagrams);
  EXPECT_EQ(heard.objects, R"(,"quic":{"version":"1"})");
}

TEST(quic, the_version_is_told_of_packets_that_were_cut) {
  const std::string packet = client_packet(quic_crypto(0, rfc9001_hello()));
  const Heard heard = hear({{0, packet.substr(0, 54)}}, kDatagrams);
  EXPECT_EQ(heard.objects, R"(,"quic":{"version":"1"})");
  EXPECT_EQ(hear({{0, rfc9001_server_packet().substr(0, 54)}}, kDatagrams).protocol, "");
}

// Anyone can send them, and each takes microseconds; those that wait are tried twice.
TEST(quic, openings_are_limited) {
  std::string forged = client_packet(quic_crypto(0, rfc9001_hello()));
  forged[1'000] ^= 1;
  for (const unsigned count : {Quic::kOpeningsMax - 1u, Quic::kOpeningsMax + 0u}) {
    Dialogue dialogue(count - Quic::kEarlyMax, {0, forged});
    dialogue.push_back(example()[0]);
    const bool is_opened = hear(dialogue, kDatagrams).objects.find("ja3") != std::string::npos;
    EXPECT_EQ(is_opened, count < Quic::kOpeningsMax);
  }
}

TEST(quic, transport_parameters_of_early_drafts_are_told) {
  std::string hello = rfc9001_hello();
  const std::size_t at = hello.find("\x00\x39\x00\x32"s) + 4;
  const std::string list = "\x00\x08\x00\x02\x40\x64"s + "\x00\x09\x00\x01\x03"s +
                           "\x77\x77\x00\x21"s + std::string(33, 'x');
  hello.replace(at, 50, "\x00\x30"s + list);
  hello.replace(at - 4, 2, "\xff\xa5");
  EXPECT_THAT(hear({{0, client_packet(quic_crypto(0, hello), 0xff000019)}}, kDatagrams).objects,
              HasSubstr(R"("initial_max_streams_bidi":100,"initial_max_streams_uni":3})"));
}

// RFC 9000 §18. An idle timeout of four bytes, or a list of 260 bytes.
TEST(quic, transport_parameters_that_begin_like_the_list_of_drafts_are_told) {
  std::string hello = rfc9001_hello();
  const std::string parameters =
      "\x01\x04\x80\x00\x75\x30\x09\x01\x03\x3f\x40\xfa"s + std::string(250, 'x');
  hello.replace(hello.find("\x00\x39\x00\x32"s) + 2, 52, "\x01\x06" + parameters);
  hello.replace(2, 2, "\x01\xc1");                        // bytes of it
  hello.replace(hello.find("\x00\xc0"s), 2, "\x01\x94");  // of its extensions
  EXPECT_THAT(hear({{0, client_packet(quic_crypto(0, hello))}}, kDatagrams).objects,
              HasSubstr(R"("max_idle_timeout_ms":30000,"initial_max_streams_uni":3})"));
}

TEST(quic, truncated_and_hostile_datagrams_are_survived) {
  expect_nothing_garbled(example(), kDatagrams);
  expect_hostile_is_survived(example(), kDatagrams);
}

TEST(quic, a_hello_may_come_in_pieces_and_packets_in_any_order) {
  const std::string hello = rfc9001_hello();
  const auto piece = [&](std::size_t from, std::size_t count) {
    return quic_crypto(from, hello.substr(from, count));
  };
  const std::string first = client_packet(piece(100, 50) + "\x01" + piece(0, 40), 1, 1);
  const std::string second = client_packet(piece(30, 75) + piece(140, 200), 1, 2);
  const std::string whole = hear({{0, client_packet(quic_crypto(0, hello))}}, kDatagrams).objects;
  EXPECT_THAT(whole, HasSubstr("example.com"));
  EXPECT_EQ(hear({{0, first}, {0, second}}, kDatagrams).objects, whole);
  EXPECT_EQ(hear({{0, second}, {0, first}, {0, second}}, kDatagrams).objects, whole);
  EXPECT_THAT(hear({{0, second}}, kDatagrams).objects, Not(HasSubstr("example.com")));
}

TEST(quic, a_part_too_many_of_a_hello_is_counted) {
  const auto told = [](std::size_t parts) {
    std::string frames;
    for (std::size_t i = 0; i < parts; ++i) frames += quic_crypto(10 * i, "hello");
    return hear({{0, client_packet(frames)}}, kDatagrams).values_dropped;
  };
  EXPECT_EQ(told(ByteRanges::kMax), 0u);
  EXPECT_EQ(told(ByteRanges::kMax + 1), 1u);
}

TEST(quic, version_2_and_drafts_are_read) {
  const std::string frames = quic_crypto(0, rfc9001_hello());
  for (const auto& [version, name] :
       std::vector<std::pair<std::uint32_t, std::string>>{{kQuicV2, "2"},
                                                          {kQuicDrafts + 29, "draft-29"},
                                                          {kQuicDrafts + 27, "draft-27"},
                                                          {kQuicDrafts + 34, "draft-34"},
                                                          {kQuicDrafts + 22, "draft-22"},
                                                          {0xfaceb00e, "0xfaceb00e"},
                                                          {0xfaceb002, "0xfaceb002"}}) {
    const Heard heard = hear({{0, client_packet(frames, version)}}, kDatagrams);
    EXPECT_THAT(heard.objects, HasSubstr("\"version\":\"" + name + "\""));
    EXPECT_THAT(heard.objects, HasSubstr(kHello));
  }
}

// RFC 9001 §A.3.
std::string server_hello() {
  return from_hex(
      "020000560303eefce7f7b37ba1d1632e96677825ddf73988cfc79825df566dc5430b9a045a12001301"
      "00002e00330024001d00209d3c940d89690b84d08a60993c144eca684d1081287c834d5311bcf32bb9"
      "da1a002b00020304");
}
std::string answer(const std::string& frames, std::uint32_t version = 1, std::uint32_t number = 0,
                   const std::string& keys_id = rfc9001_id()) {
  return quic_initial({.version = version,
                       .is_client = false,
                       .keys_id = keys_id,
                       .to = "me",
                       .from = "server's",
                       .number = number,
                       .frames = frames});
}
const std::string kAck = "\x02\x00\x00\x00\x00"s;

TEST(quic, a_server_may_answer_in_another_version) {
  const std::string hello = server_hello();
  const std::string first_half = rfc9001_hello().substr(0, 100);
  const Dialogue said = {{0, client_packet(quic_crypto(0, first_half))},
                         {1, answer(kAck + std::string(20, '\0'))},
                         {0, client_packet(quic_crypto(100, rfc9001_hello().substr(100)), 1, 1)},
                         {1, answer(quic_crypto(0, hello), kQuicV2)},
                         {0, client_packet(kAck, kQuicV2, 2)}};
  const Heard heard = hear(said, kDatagrams);
  EXPECT_THAT(heard.objects, HasSubstr(kHello));
  EXPECT_THAT(heard.objects, HasSubstr(R"("cipher":"TLS_AES_128_GCM_SHA256")"));
  EXPECT_THAT(heard.objects, HasSubstr(R"("quic":{"version":"2","client":)"));
  EXPECT_THAT(heard.objects, HasSubstr(R"("server":{"connection_id":"7365727665722773"})"));
}

// RFC 9368 §2.3: the server begins in the first one, and the client goes on with the other.
TEST(quic, another_version_is_told_by_either_side_and_stays) {
  const Said first = {0, client_packet(quic_crypto(0, rfc9001_hello()))};
  const Said acknowledged = {0, client_packet(kAck, kQuicV2, 1)};
  const Said early = {1, answer(kAck + std::string(20, '\0'))};
  const Said answered = {1, answer(quic_crypto(0, server_hello()), kQuicV2, 1)};
  const Said handshake = {1,
                          "\xf0\x6b\x33\x43\xcf\x02me\x08server's\x40\x20"s + std::string(32, 'p')};
  const Said refused = {1, quic_negotiation("me", rfc9001_id(), "\x6b\x33\x43\xcf"s)};
  const Said again = {0, client_packet(quic_crypto(0, rfc9001_hello()), kQuicV2)};
  const Said cut = {0, first.bytes.substr(0, 54)};
  const Said handshake_cut = {1, handshake.bytes.substr(0, 40)};
  for (const Dialogue& said :
       {Dialogue{first, acknowledged}, Dialogue{first, acknowledged, first},
        Dialogue{first, answered, early}, Dialogue{first, handshake},
        Dialogue{first, handshake, early}, Dialogue{cut, handshake}, Dialogue{cut, handshake_cut},
        Dialogue{first, refused, again, first}, Dialogue{handshake, first, handshake}})
    EXPECT_THAT(hear(said, kDatagrams).objects, HasSubstr(R"("quic":{"version":"2")"));
  EXPECT_THAT(hear({first, early, first}, kDatagrams).objects, HasSubstr(R"("version":"1")"));
}

TEST(quic, a_hello_behind_what_was_marked_on_the_way_is_read) {
  const std::string ack = "\x03\x00\x00\x00\x00\x1e\x1e\x1e"s;  // RFC 9000 §19.3.2
  EXPECT_THAT(hear({{0, client_packet(quic_crypto(0, rfc9001_hello()))},
                    {1, answer(ack + quic_crypto(0, server_hello()))}},
                   kDatagrams)
                  .objects,
              HasSubstr(R"("cipher":"TLS_AES_128_GCM_SHA256")"));
}

TEST(quic, keys_change_with_a_retry) {
  const std::string retry = quic_retry("me", "retrying", "token");
  const std::string again = quic_initial({.version = 1,
                                          .is_client = true,
                                          .keys_id = "retrying",
                                          .to = "retrying",
                                          .from = "me",
                                          .token = "token",
                                          .number = 1,
                                          .frames = quic_crypto(0, rfc9001_hello()),
                                          .frames_bytes = 1'100});
  const Heard heard = hear(
      {{0, client_packet(quic_crypto(0, rfc9001_hello().substr(0, 50)))}, {1, retry}, {0, again}},
      kDatagrams);
  EXPECT_THAT(heard.objects, HasSubstr(R"("retried":true)"));
  EXPECT_THAT(heard.objects, HasSubstr(kHello));
  EXPECT_THAT(heard.objects, HasSubstr(R"("original_connection_id":"8394c8f03e515708")"));
  const Heard without_first = hear({{1, retry}, {0, again}}, kDatagrams);
  EXPECT_THAT(without_first.objects, HasSubstr(kHello));
  EXPECT_THAT(without_first.objects, Not(HasSubstr("original_connection_id")));
}

TEST(quic, behind_a_retry_the_server_is_read_even_if_the_first_hello_was_whole) {
  const std::string frames = quic_crypto(0, rfc9001_hello());
  // The server's first packet is protected by the id that the Retry chose: that of the example.
  const std::string first = quic_initial({.keys_id = "first id",
                                          .to = "first id",
                                          .from = "me",
                                          .frames = frames,
                                          .frames_bytes = 1'162});
  const std::string retry = quic_retry("me", rfc9001_id(), "token");
  const Heard heard =
      hear({{0, first}, {1, retry}, {0, client_packet(frames)}, {1, rfc9001_server_packet()}},
           kDatagrams);
  EXPECT_THAT(heard.objects, HasSubstr(R"("cipher":"TLS_AES_128_GCM_SHA256")"));
  // What comes late or twice does not turn them back.
  EXPECT_EQ(hear({{0, first},
                  {1, retry},
                  {0, client_packet(frames)},
                  {1, retry},
                  {0, first},
                  {1, rfc9001_server_packet()}},
                 kDatagrams)
                .objects,
            heard.objects);
}

// Two taps, of which that of the server is late, or lost it.
TEST(quic, behind_a_retry_that_was_captured_late_the_server_is_read) {
  const auto initial = [](const std::string& id, const std::string& token) {
    return quic_initial({.keys_id = id,
                         .to = id,
                         .from = "me",
                         .token = token,
                         .frames = quic_crypto(0, rfc9001_hello()),
                         .frames_bytes = 1'162});
  };
  const Said first{0, initial("first id", "")}, again{0, initial(rfc9001_id(), "token")};
  const Said retry{1, quic_retry("me", rfc9001_id(), "token")};
  const Said answer{1, rfc9001_server_packet()};
  const Heard in_order = hear({first, retry, again, answer}, kDatagrams);
  EXPECT_THAT(in_order.objects, HasSubstr(R"("retried":true)"));
  EXPECT_EQ(hear({first, again, retry, answer}, kDatagrams).objects, in_order.objects);
  EXPECT_THAT(hear({first, again, answer}, kDatagrams).objects,
              HasSubstr(R"("cipher":"TLS_AES_128_GCM_SHA256")"));
}

TEST(quic, what_a_server_says_waits_for_the_clients_hello) {
  const Said hello{0, client_packet(quic_crypto(0, rfc9001_hello()))};
  const Said answer{1, rfc9001_server_packet()}, more{1, "\x40" + std::string(40, 'x')};
  const Heard in_order = hear({hello, answer, more}, kDatagrams);
  EXPECT_THAT(in_order.objects, HasSubstr(R"("cipher":"TLS_AES_128_GCM_SHA256")"));
  EXPECT_EQ(hear({answer, hello, more}, kDatagrams).objects, in_order.objects);
  EXPECT_EQ(hear({answer, hello}, kDatagrams).objects, in_order.objects);
  // Without the hello the version is told.
  EXPECT_EQ(hear({answer}, kDatagrams).objects, R"(,"quic":{"version":"1"})");
  EXPECT_EQ(hear({answer, more, answer, answer, answer}, kDatagrams).objects,
            R"(,"quic":{"version":"1"})");
}

TEST(quic, a_version_that_is_refused_is_told_with_those_offered) {
  const std::string first = "\xca\x1a\x2a\x3a\x4a\x02to\x02me"s + std::string(1'200, '\0');
  const std::string refusal =
      quic_negotiation("me", "to", "\x00\x00\x00\x01\x6b\x33\x43\xcf\xff\x00\x00\x1d"s);
  const Heard heard = hear({{0, first}, {1, refusal}}, kDatagrams);
  EXPECT_EQ(heard.objects, R"(,"quic":{"client":{"version":"0x1a2a3a4a"},)"
                           R"("server":{"supported_versions":["1","2","draft-29"]}})");
  // A mirror port may send it twice.
  EXPECT_EQ(hear({{0, first}, {1, refusal}, {1, refusal}}, kDatagrams).objects, heard.objects);
}

TEST(quic, who_gives_up_in_the_handshake_is_told) {
  const std::string close = "\x1c\x41\x28\x00\x04nope"s;
  const Heard heard = hear({{0, client_packet("\x02\x01\x00\x00\x01"s + close)}}, kDatagrams);
  EXPECT_THAT(heard.objects, HasSubstr(R"("close":{"source":"client","error_code":296,)"
                                       R"("reason":)"));
}

TEST(quic, who_gives_up_behind_its_hello_is_told_and_not_who_is_told_so) {
  const std::string close = "\x1c\x41\x2a\x00\x03"s + "bad";
  const std::string echo = "\x1c\x00\x00\x00"s + std::string(20, '\0');
  const std::string told = R"("close":{"source":"client","error_code":298,"reason":"bad"})";
  const Dialogue hellos = {{0, client_packet(quic_crypto(0, rfc9001_hello()))},
                           {1, answer(quic_crypto(0, server_hello()))}};
  Dialogue client = hellos, server = hellos;
  client.push_back({0, client_packet(kAck + close, 1, 1)});
  client.push_back({1, answer(echo, 1, 1)});
  EXPECT_THAT(hear(client, kDatagrams).objects, HasSubstr(told));
  server.push_back({1, answer(close + std::string(20, '\0'), 1, 1)});
  EXPECT_THAT(hear(server, kDatagrams).objects, HasSubstr(R"("close":{"source":"server")"));
}

// RFC 8446 §4.1.4, in packets of both sides behind their first hellos.
TEST(quic, the_hello_behind_a_retry_of_tls_counts) {
  const std::string first = rfc9001_hello(), hello = server_hello();
  std::string retry = hello, second = first;
  retry.replace(6, 32,
                from_hex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c"));
  retry[40] = 2;  // AES-256
  second.replace(second.find("example.com"), 11, "example.org");
  const Heard heard = hear({{0, client_packet(quic_crypto(0, first))},
                            {1, answer(kAck + quic_crypto(0, retry))},
                            {0, client_packet(quic_crypto(first.size(), second), 1, 1)},
                            {1, answer(kAck + quic_crypto(retry.size(), hello), 1, 1)}},
                           kDatagrams);
  EXPECT_THAT(heard.objects, HasSubstr(R"("cipher":"TLS_AES_128_GCM_SHA256","curve":"x25519",)"
                                       R"("retried":true)"));
  EXPECT_THAT(heard.objects, HasSubstr(R"("server_name":"example.org"}])"));
  EXPECT_THAT(heard.objects, HasSubstr(R"("cipher":"TLS_AES_256_GCM_SHA384"}])"));
}

TEST(quic, the_server_is_read_in_the_version_behind_a_refused_one) {
  const std::string frames = quic_crypto(0, rfc9001_hello());
  const std::string again = quic_initial({.keys_id = "again...",
                                          .to = "again...",
                                          .from = "me",
                                          .frames = frames,
                                          .frames_bytes = 1'162});
  const Dialogue refused = {{0, client_packet(frames, kQuicV2)},
                            {1, quic_negotiation("me", rfc9001_id(), "\x00\x00\x00\x01"s)}};
  EXPECT_THAT(hear(refused, kDatagrams).objects,
              HasSubstr(R"("quic":{"client":{"connection_id":"6d65","version":"2",)"));
  Dialogue said = refused;
  said.push_back({0, again});
  said.push_back({0, refused[0].bytes});  // late
  said.push_back({1, answer(quic_crypto(0, server_hello()), 1, 0, "again...")});
  const Heard heard = hear(said, kDatagrams);
  EXPECT_THAT(heard.objects, HasSubstr(R"("cipher":"TLS_AES_128_GCM_SHA256")"));
  EXPECT_THAT(heard.objects, HasSubstr(R"("quic":{"version":"1",)"));
  EXPECT_THAT(heard.objects, HasSubstr(R"("version":"2")"));
}

// Of the refused one a part is lost, which the next one's would fill.
TEST(quic, the_hello_behind_a_refused_version_is_not_mixed_with_the_refused_one) {
  const std::string hello = rfc9001_hello();
  std::string refused = hello;
  refused.replace(refused.find("example.com"), 11, "example.net");
  const Said half = {0, client_packet(quic_crypto(0, refused.substr(0, 150)), kQuicV2)};
  const Said rest = {0, client_packet(quic_crypto(150, refused.substr(150)), kQuicV2, 1)};
  const Said negotiation = {1, quic_negotiation("me", rfc9001_id(), "\x00\x00\x00\x01"s)};
  for (const std::string& id : {rfc9001_id(), "again..."s}) {
    const Said again = {0, quic_initial({.keys_id = id,
                                         .to = id,
                                         .from = "me",
                                         .frames = quic_crypto(0, hello),
                                         .frames_bytes = 1'162})};
    for (const Dialogue& said :
         {Dialogue{half, negotiation, again}, Dialogue{half, negotiation, again, rest},
          Dialogue{half, negotiation, rest, again}})
      EXPECT_THAT(hear(said, kDatagrams).objects, HasSubstr(kHello));
  }
  EXPECT_THAT(hear({half, negotiation, rest}, kDatagrams).objects, HasSubstr("example.net"));
}

TEST(quic, what_follows_a_negotiation_was_not_refused_by_it) {
  const std::string negotiation = quic_negotiation("me", rfc9001_id(), "EGG\x19");
  const std::string packet = client_packet(quic_crypto(0, "x"));
  const auto in_version = [&](const std::string& version) {
    return packet.substr(0, 1) + version + packet.substr(5);
  };
  const Said first = {0, in_version("\xba\xba\xba\xba")}, other = {0, in_version("EGG\x19")};
  EXPECT_THAT(hear({first, {1, negotiation}, other}, kDatagrams).objects,
              HasSubstr(R"("client":{"version":"0xbabababa"})"));
  EXPECT_THAT(hear({{1, negotiation}, other}, kDatagrams).objects, Not(HasSubstr("client")));
}

// Of DNS, with an id that begins a long header, whose other half is the first byte of version 0.
TEST(quic, a_question_without_flags_is_no_negotiation) {
  for (const char additions : {'\0', '\1'}) {
    const std::string question = "\xa0\0\0\0\0\1\0\0\0\0\0"s + additions + "\6R_OX1C\0\0\xff\0\1"s;
    EXPECT_EQ(hear({{0, question}}, kDatagrams).protocol, "dns");
  }
  const std::string refusal = quic_negotiation("me", rfc9001_id(), "\x00\x00\x00\x01"s);
  EXPECT_EQ(hear({{1, refusal}}, kDatagrams).protocol, "quic");
  EXPECT_EQ(
      hear({{1, quic_negotiation("me", "7 bytes", "\x00\x00\x00\x01"s)}}, kDatagrams).protocol, "");
}

TEST(quic, a_negotiation_that_the_client_discards_refuses_nothing) {
  const std::string frames = quic_crypto(0, rfc9001_hello());
  const std::string same = quic_negotiation("me", rfc9001_id(), "\x00\x00\x00\x01"s);
  const std::string other = quic_negotiation("me", rfc9001_id(), "\x6b\x33\x43\xcf"s);
  const std::string in_use = R"("quic":{"version":"1","client":{"connection_id")";
  EXPECT_THAT(hear({{0, client_packet(frames)}, {0, other}}, kDatagrams).objects,
              testing::AllOf(HasSubstr(in_use),
                             testing::Not(HasSubstr(R"("server":{"supported_versions)"))));
  EXPECT_THAT(hear({{0, client_packet(frames)}, {1, same}}, kDatagrams).objects, HasSubstr(in_use));
  EXPECT_THAT(
      hear({{0, client_packet(frames)}, {1, answer(quic_crypto(0, server_hello()))}, {1, other}},
           kDatagrams)
          .objects,
      HasSubstr(in_use));
}

TEST(quic, versions_beyond_those_that_are_told_are_counted_and_looked_at) {
  std::string versions;
  for (char i = 0; i < 19; ++i) versions += "\xff\x00\x00"s + i;
  const Heard heard =
      hear({{0, client_packet(quic_crypto(0, rfc9001_hello()))},
            {1, quic_negotiation("me", rfc9001_id(), versions + "\x00\x00\x00\x01"s)}},
           kDatagrams);
  EXPECT_THAT(heard.objects,
              HasSubstr(R"("server":{"supported_versions":["draft-00","draft-01",)"));
  EXPECT_THAT(heard.objects, HasSubstr(R"("draft-15"]})"));
  EXPECT_EQ(heard.values_dropped, 4u);
  // What the client speaks is among them: it discards the list (RFC 9000 §6.2).
  EXPECT_THAT(heard.objects, HasSubstr(R"("quic":{"version":"1","client":{"connection_id")"));
}

TEST(quic, the_first_version_of_several_is_told) {
  const auto packet = [](const std::string& version) {
    return "\xca"s + version + "\x02to\x02me"s + std::string(1'200, '\0');
  };
  Dialogue said = {{0, packet("\x1a\x2a\x3a\x4a")}};
  for (int i = 0; i < 5'000; ++i) said.push_back({0, packet("\x5a\x2a\x3a\x4a")});
  const Heard heard = hear(said, kDatagrams);
  EXPECT_EQ(heard.objects, R"(,"quic":{"client":{"version":"0x1a2a3a4a"}})");
  EXPECT_EQ(heard.values_dropped, 0u);
}

TEST(quic, transport_parameters_that_break_their_lengths_are_not_told) {
  std::string hello = rfc9001_hello();
  const std::size_t at = hello.find("\x05\x04\x80\x00\xff\xff\x07\x04"s);
  ASSERT_NE(at, std::string::npos);
  hello.replace(at, 6, "\x01\x00\x09\x02\x05\x05"s);  // max_idle_timeout, max_streams_uni
  EXPECT_THAT(hear({{0, client_packet(quic_crypto(0, hello))}}, kDatagrams).objects,
              HasSubstr(R"("client":{"connection_id":"6d65","max_idle_timeout_ms":30000,)"
                        R"("initial_max_data":4611686018427387903,)"
                        R"("initial_max_streams_bidi":16,"initial_max_streams_uni":16})"));
}

TEST(quic, other_datagrams_are_not_taken_for_it) {
  const std::string other = "\xc0\x00\x00\x00\x01\xffsomething"s;
  EXPECT_EQ(hear({{0, other}, {1, other}}, kDatagrams).protocol, "");
}

}  // namespace
}  // namespace linger::test
