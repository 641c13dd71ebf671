#include "parsers/ssh.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/parsers/dialogue.h"

namespace linger::test {
namespace {

using namespace std::string_literals;

std::string be32_text(std::size_t value) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>(value >> shift);
  return text;
}
std::string packet(char type, const std::string& payload) {
  return be32_text(2 + payload.size() + 4) + '\x04' + type + payload + "pad!";
}
std::string kex_init(const std::string& kex, const std::string& cipher, const std::string& mac) {
  std::string payload(16, '\x7f');
  for (const std::string& list : {kex, std::string("ssh-ed25519"), cipher, "server-" + cipher, mac,
                                  "server-" + mac, std::string("none"), std::string("zlib")})
    payload += be32_text(list.size()) + list;
  return packet(20, payload + be32_text(0) + be32_text(0) + '\0' + be32_text(0));
}

const Dialogue kSession = {
    {1, "hello\r\nSSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"},
    {0, "SSH-2.0-libssh2_1.10\r\n"},
    {0, kex_init("curve25519-sha256,dh14", "aes128-ctr,aes256-ctr", "hmac-sha2-256")},
    {1, kex_init("dh14,curve25519-sha256", "aes256-ctr", "hmac-sha1,hmac-sha2-256")},
    {0, packet(30, "client's key")},
    {1, packet(31, "server's key") + packet(21, "") + "encrypted from here on"},
    {0, packet(21, "") + "encrypted, too"}};

constexpr const char* kObjects =
    R"(,"ssh":{"client":{"banner":"SSH-2.0-libssh2_1.10","version":"2.0",)"
    R"("software":"libssh2_1.10","hassh":"6ac35763b065873529544a24c5c7b4db"},)"
    R"("server":{"banner":"SSH-2.0-OpenSSH_9.2p1 Debian-2","version":"2.0",)"
    R"("software":"OpenSSH_9.2p1","hassh":"467093eafd0e67d0652f169cecee8c45"},)"
    R"("kex_algorithm":"curve25519-sha256","host_key_algorithm":"ssh-ed25519",)"
    R"("cipher":{"client":"aes256-ctr"},"mac":{"client":"hmac-sha2-256"}})";

TEST(ssh, both_sides_and_what_they_agree_on_are_told) {
  const Heard heard = hear(kSession);
  EXPECT_EQ(heard.protocol, "ssh");
  EXPECT_FALSE(heard.is_malformed);
  EXPECT_EQ(heard.objects, kObjects);
}

TEST(ssh, the_record_does_not_depend_on_segmentation) { expect_same_however_cut(kSession); }

TEST(ssh, truncation_and_gaps_garble_nothing) { expect_nothing_garbled(kSession); }

TEST(ssh, hostile_bytes_are_survived) { expect_hostile_is_survived(kSession); }

TEST(ssh, the_client_is_who_begins_the_key_exchange) {
  Dialogue turned = kSession;
  for (Said& said : turned) said.side ^= 1;
  EXPECT_EQ(hear(turned).objects, kObjects);
}

// Nor does it turn the sides: the server's key tells which one it is.
TEST(ssh, what_a_capture_misses_of_the_client_hides_nothing_of_the_server) {
  Dialogue turned = kSession;
  for (Said& said : turned) said.side ^= 1;
  turned[0].bytes = "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n";
  Dialogue with_gap = turned;
  with_gap[2] = {with_gap[2].side, "", 100};
  turned.erase(turned.begin() + 1);
  const std::string whole = kObjects, objects = hear(turned).objects;
  EXPECT_THAT(objects, testing::StartsWith(R"(,"ssh":{"client":{"hassh":)"));
  EXPECT_THAT(objects, testing::EndsWith(whole.substr(whole.find(R"("hassh")"))));
  turned[1].bytes = std::string(300, 'k');  // from within its offer
  const std::size_t server = whole.find(R"("server")");
  const std::string of_server = whole.substr(server, whole.find(R"(,"kex_alg)") - server);
  for (const Dialogue& dialogue : {turned, with_gap})
    EXPECT_THAT(hear(dialogue).objects, testing::HasSubstr(of_server));
}

// More than detection reads (RFC 4253 §4.2): what it does not read before the client tells the
// protocol is lost.
TEST(ssh, a_server_that_says_much_before_its_banner_is_read) {
  const std::string lines = "Welcome\r\n" + std::string(150, '-') + "\r\n";
  Dialogue session = kSession;
  session.insert(session.begin(), {1, lines});
  std::swap(session[1], session[2]);
  EXPECT_EQ(hear(session).objects, kObjects);
  expect_same_however_cut(session);
  expect_nothing_garbled(session);
  expect_hostile_is_survived(session);

  Dialogue without_banner = kSession;
  without_banner[0].bytes.insert(0, lines);
  std::string told = kObjects;
  const std::size_t banner = told.find(R"("banner":"SSH-2.0-OpenSSH)");
  EXPECT_EQ(hear(without_banner).objects, told.erase(banner, told.rfind(R"("hassh")") - banner));
  expect_same_however_cut(without_banner);

  Dialogue in_an_offer = without_banner;  // nothing can be read there
  in_an_offer[0].bytes += in_an_offer[3].bytes.substr(0, 60);
  in_an_offer[3].bytes.erase(0, 60);
  EXPECT_FALSE(hear(in_an_offer).is_malformed);
  EXPECT_THAT(hear(in_an_offer).objects, testing::Not(testing::HasSubstr("server")));
  expect_same_however_cut(in_an_offer);
}

TEST(ssh, without_a_key_exchange_the_client_is_known_by_its_offer) {
  for (const auto& [offer, other] :
       {std::pair{"dh14,ext-info-c", "dh1"}, {"dh14", "dh1,ext-info-s"}}) {
    Dialogue turned = {kSession.begin(), kSession.begin() + 4};
    turned[2].bytes = kex_init(offer, "aes256-ctr", "hmac-sha1");
    turned[3].bytes = kex_init(other, "aes256-ctr", "hmac-sha1");
    const std::string objects = hear(turned).objects;
    for (Said& said : turned) said.side ^= 1;
    EXPECT_EQ(hear(turned).objects, objects);
    EXPECT_THAT(objects, testing::HasSubstr(R"("client":{"banner":"SSH-2.0-libssh2_1.10")"));
  }
}

// There the server begins (RFC 4432 §4). If what is agreed on depends on who is the client, its
// offer or the opening of the session tells.
TEST(ssh, of_a_key_exchange_by_rsa_the_client_is_who_answers) {
  for (const auto& [offer, other] : {std::pair{"rsa2048-sha256,dh14", "dh1,rsa2048-sha256"},
                                     {"rsa2048-sha256,dh14", "dh14,rsa2048-sha256"},
                                     {"dh14,rsa2048-sha256,ext-info-c", "rsa2048-sha256,dh14"}}) {
    const bool is_by_rsa = offer[0] == 'r';
    Dialogue session = kSession;
    session[2].bytes = kex_init(offer, "aes256-ctr", "hmac-sha1");
    session[3].bytes = kex_init(other, "aes256-ctr", "hmac-sha1");
    if (is_by_rsa) {
      session[4] = {1, packet(30, "host key, key of this exchange")};
      session[5] = {0, packet(31, "encrypted secret") + packet(21, "")};
      session[6] = {1, packet(32, "signature") + packet(21, "")};
    }
    const std::string objects = hear(session).objects;
    EXPECT_THAT(objects, testing::HasSubstr(R"("client":{"banner":"SSH-2.0-libssh2_1.10")"));
    EXPECT_THAT(objects, testing::HasSubstr(is_by_rsa ? R"("kex_algorithm":"rsa2048-sha256")"
                                                      : R"("kex_algorithm":"dh14")"));
    expect_same_however_cut(session);
    if (other == "dh14,rsa2048-sha256"s) continue;
    for (Said& said : session) said.side ^= 1;
    EXPECT_EQ(hear(session).objects, objects);
  }
}

// RFC 5647 §5.1 and OpenSSH's PROTOCOL §1.6: of these the lists of MACs count for nothing.
TEST(ssh, a_cipher_that_authenticates_has_no_mac_beside_it) {
  for (const std::string cipher : {"chacha20-poly1305@openssh.com", "aes256-gcm@openssh.com",
                                   "aes128-gcm", "AEAD_AES_128_GCM"}) {
    Dialogue session = kSession;
    session[2].bytes = kex_init("curve25519-sha256", cipher + ",aes256-ctr", "hmac-sha2-256");
    session[3].bytes = kex_init("curve25519-sha256", cipher, "hmac-sha2-256");
    const std::string objects = hear(session).objects;
    EXPECT_THAT(objects, testing::HasSubstr(R"("cipher":{"client":")" + cipher + '"'));
    EXPECT_THAT(objects, testing::Not(testing::HasSubstr(R"("mac":{"client")")));
  }
}

TEST(ssh, where_no_cipher_is_agreed_on_there_is_no_mac) {
  Dialogue session = kSession;
  session[2].bytes = kex_init("curve25519-sha256", "aes128-cbc", "hmac-sha2-256");
  session[3].bytes = kex_init("curve25519-sha256", "aes256-ctr", "hmac-sha2-256");
  const std::string objects = hear(session).objects;
  EXPECT_THAT(objects, testing::HasSubstr(R"("kex_algorithm":"curve25519-sha256")"));
  EXPECT_THAT(objects, testing::Not(testing::HasSubstr(R"("mac")")));
}

TEST(ssh, of_thousands_of_names_the_first_of_the_client_that_the_server_has_is_agreed) {
  std::string client, server;
  for (int i = 0; i < 4'000; ++i) client += "a,", server += "b,";
  const Heard heard = hear({kSession[0],
                            kSession[1],
                            {0, kex_init(client + "d,b,c", "c", "m")},
                            {1, kex_init(server + "c", "c", "m")}});
  EXPECT_THAT(heard.objects, testing::HasSubstr(R"("kex_algorithm":"b")"));
}

TEST(ssh, version_1_tells_its_banners) {
  const Heard heard = hear({{1, "SSH-1.5-old\n"}, {0, "SSH-1.5-client\n"}, {0, "binary"}});
  EXPECT_THAT(heard.objects, testing::HasSubstr(R"("banner":"SSH-1.5-old","version":"1.5")"));
  // A server of both speaks to a client of the first one as that wants it (RFC 4253 §5.1).
  const std::string key = "\x00\x00\x01\x0b\x00\x00\x00\x00\x00\x02"s + std::string(300, 'k');
  for (const Dialogue& old : {Dialogue{{1, "SSH-1.99-old\n"}, {0, "SSH-1.5-client\n"}, {1, key}},
                              Dialogue{{1, "SSH-1.5-old\n"}, {0, "SSH-1.99-client\n"}, {0, key}}})
    EXPECT_FALSE(hear(old).is_malformed);
  Dialogue both = kSession;  // RFC 4253 §5.1
  both[0].bytes = "SSH-1.99-old\n";
  EXPECT_THAT(hear(both).objects, testing::HasSubstr(R"("kex_algorithm":"curve25519-sha256")"));
}

TEST(ssh, a_packet_longer_or_shorter_than_any_is_malformed) {
  for (const std::string& head : {"\x00\x04\x00\x01\x04\x1e"s, "\x00\x00\x00\x05\x04\x1e"s})
    EXPECT_TRUE(hear({kSession[0], kSession[1], {0, head + std::string(9, 'x')}}).is_malformed);
}

}  // namespace
}  // namespace linger::test
