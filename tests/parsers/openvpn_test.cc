#include "parsers/openvpn.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iterator>

#include "tests/parsers/dialogue.h"
#include "tests/support/openvpn_words.h"

namespace linger::test {
namespace {

using namespace std::string_literals;

Dialogue datagrams(std::size_t hmac_bytes) {
  Dialogue dialogue;
  for (const auto& [side, bytes] : openvpn(hmac_bytes)) dialogue.push_back({side, bytes, 0});
  return dialogue;
}

// So many packets of it.
Dialogue stream(std::size_t hmac_bytes, std::size_t packets = SIZE_MAX) {
  Dialogue dialogue = datagrams(hmac_bytes);
  dialogue.resize(std::min(packets, dialogue.size()));
  for (Said& said : dialogue) said.bytes = openvpn_with_length(said.bytes);
  return dialogue;
}

// What plain TLS would tell, and how the channel is protected.
std::string told(const std::string& protection) {
  Dialogue tls;
  unsigned side = 0;
  for (const std::string& bytes : tls_1_2()) tls.push_back({side++ % 2, bytes, 0});
  return hear(tls).objects + R"(,"openvpn":{"protection":")" + protection + "\"}";
}

TEST(openvpn, tls_in_its_control_channel_is_told_as_if_it_were_alone) {
  for (const std::size_t hmac_bytes : {0, 16, 20, 28, 32, 48, 64}) {
    const std::string whole = told(hmac_bytes == 0 ? "none" : "tls-auth");
    const Heard over_tcp = hear(stream(hmac_bytes));
    EXPECT_EQ(over_tcp.protocol, "openvpn");
    EXPECT_EQ(over_tcp.objects, whole) << hmac_bytes;
    EXPECT_FALSE(over_tcp.is_malformed);
    EXPECT_EQ(hear(datagrams(hmac_bytes), Carrier::datagrams).objects, whole) << hmac_bytes;
  }
}

TEST(openvpn, of_datagrams_sent_again_the_first_in_its_turn_is_read) {
  Dialogue sent = datagrams(20);
  for (std::size_t i = 0; i + 1 < sent.size(); i += 2) sent.insert(sent.begin() + i, sent[i]);
  ASSERT_EQ(sent[6].side, 0u);  // the client's first of TLS, and before its turn the next one
  sent.insert(sent.begin() + 6, sent[8]);
  EXPECT_EQ(hear(sent, Carrier::datagrams).objects, told("tls-auth"));
}

TEST(openvpn, packets_that_overtake_each_other_are_read_in_their_order) {
  for (const unsigned depth : {2, 3, 8}) {  // those of a side, turned in groups of so many
    const Dialogue sent = datagrams(20);
    Dialogue turned(sent.begin(), sent.begin() + 3);
    for (auto begin = sent.begin() + 3; begin != sent.end() - 1;) {
      auto end = begin;
      while (end != sent.end() - 1 && end->side == begin->side && end - begin < depth) ++end;
      turned.insert(turned.end(), std::make_reverse_iterator(end),
                    std::make_reverse_iterator(begin));
      begin = end;
    }
    turned.push_back(sent.back());
    ASSERT_EQ(turned.size(), sent.size());
    EXPECT_EQ(hear(turned, Carrier::datagrams).objects, told("tls-auth")) << depth;
  }
}

TEST(openvpn, the_server_s_reset_may_come_first_or_not_at_all) {
  Dialogue sent = datagrams(20);
  std::swap(sent[0], sent[1]);
  ASSERT_EQ(sent[0].side, 1u);
  EXPECT_EQ(hear(sent, Carrier::datagrams).objects, told("tls-auth"));
  sent.erase(sent.begin());
  EXPECT_EQ(hear(sent, Carrier::datagrams).objects, told("tls-auth"));
}

TEST(openvpn, what_a_capture_cut_off_a_datagram_is_not_filled_with_the_next) {
  const Dialogue sent = datagrams(20);
  const std::string whole = hear(sent, Carrier::datagrams).objects;
  for (std::size_t i = 0; i < sent.size(); ++i) {
    for (std::size_t left = 1; left < sent[i].bytes.size(); ++left) {
      Dialogue cut = sent;
      cut[i].gap = cut[i].bytes.size() - left;
      cut[i].bytes.resize(left);
      const std::string part = hear(cut, Carrier::datagrams).objects;
      for (const std::string digest : {R"("ja3":")", R"("ja3s":")", R"("sha1":")"}) {
        const std::size_t at = part.find(digest);
        if (at == std::string::npos) continue;
        const std::string value = part.substr(at, part.find('"', at + digest.size()) - at);
        ASSERT_THAT(whole, testing::HasSubstr(value)) << i << ' ' << left;
      }
    }
  }
}

// Its number against replay is the second one then.
TEST(openvpn, of_a_reset_that_was_lost_the_one_sent_again_begins_it) {
  Dialogue sent = datagrams(20);
  sent[0].bytes[9 + 20 + 3] = 2;
  EXPECT_EQ(hear(sent, Carrier::datagrams).objects, told("tls-auth"));
  std::string reset = "\x38" + "sessions\x00\x00\x00\x02timeh"s;
  reset.resize(54, 'x');
  EXPECT_EQ(hear({{0, reset}}, Carrier::datagrams).protocol, "openvpn");
  reset[0] = '\x50';
  reset += std::string(32 + 256, 'k') + "\x01\x22"s;
  EXPECT_EQ(hear({{0, reset}}, Carrier::datagrams).protocol, "openvpn");
}

TEST(openvpn, what_tls_crypt_hides_is_not_told) {
  std::string reset = "\x38" + "sessions\x00\x00\x00\x01timeh"s;
  reset.resize(54, 'x');
  std::string of_2_6 = reset;
  of_2_6[9] = '\x0f';
  for (const Heard& heard :
       {hear({{0, reset}}, Carrier::datagrams), hear({{0, of_2_6}}, Carrier::datagrams),
        hear({{0, openvpn_with_length(reset)}})}) {
    EXPECT_EQ(heard.objects, R"(,"openvpn":{"protection":"tls-crypt"})");
    EXPECT_FALSE(heard.is_malformed);
  }
}

TEST(openvpn, a_key_of_the_clients_own_is_tls_crypt_v2) {
  const std::string reset = "\x50" + "sessions\x00\x00\x00\x01time"s + std::string(32 + 5, 'h');
  for (const std::string& client : {""s, "who it is"s}) {
    const std::size_t length = 32 + 256 + client.size() + 2;
    const std::string key = std::string(32 + 256, 'k') + client + static_cast<char>(length >> 8) +
                            static_cast<char>(length);
    for (const Heard& heard : {hear({{0, reset + key}}, Carrier::datagrams),
                               hear({{0, openvpn_with_length(reset + key)}})}) {
      EXPECT_EQ(heard.objects, R"(,"openvpn":{"protection":"tls-crypt-v2"})");
      EXPECT_FALSE(heard.is_malformed);
    }
    expect_same_however_cut({{0, openvpn_with_length(reset + key)}});
    EXPECT_EQ(hear({{0, reset + 'x' + key}}, Carrier::datagrams).protocol, "");
    EXPECT_EQ(hear({{0, reset + key + 'x'}}, Carrier::datagrams).protocol, "");
    EXPECT_EQ(hear({{0, reset + std::string(32 + 1'024, '\4')}}, Carrier::datagrams).protocol, "");
  }
  EXPECT_EQ(hear({{0, reset}}, Carrier::datagrams).protocol, "");
}

TEST(openvpn, it_is_the_same_however_it_is_cut) {
  for (const std::size_t hmac_bytes : {0, 20}) expect_same_however_cut(stream(hmac_bytes, 4));
}

TEST(openvpn, truncated_and_hostile_bytes_are_survived) {
  expect_nothing_garbled(stream(20, 4));
  expect_hostile_is_survived(stream(0, 6));
  expect_hostile_is_survived(datagrams(20), Carrier::datagrams);
}

TEST(openvpn, other_first_packets_are_left_to_others) {
  const std::string plain = openvpn(0)[0].bytes, with_hmac = openvpn(20)[0].bytes;
  std::string numbered = plain, acknowledging = plain, late = with_hmac, unnumbered = with_hmac;
  numbered.back() = 1;
  acknowledging[9] = 1;
  late[9 + 20 + 3] = 16;
  unnumbered[9 + 20 + 3] = 0;
  for (const std::string& packet : {numbered, acknowledging, late, unnumbered, plain + '\0',
                                    plain.substr(1), "\x40" + plain.substr(1)}) {
    EXPECT_EQ(hear({{0, packet}}, Carrier::datagrams).protocol, "");
    EXPECT_EQ(hear({{0, openvpn_with_length(packet)}}).protocol, "");
  }
}

}  // namespace
}  // namespace linger::test
