#include "parsers/tls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "parsers/fingerprint.h"
#include "tests/parsers/dialogue.h"
#include "tests/support/tls_words.h"

namespace linger::test {
namespace {

using namespace std::string_literals;
using testing::HasSubstr;
using testing::Not;

Dialogue in_turn(const std::vector<std::string>& words) {
  Dialogue dialogue;
  for (unsigned i = 0; i < words.size(); ++i) dialogue.push_back({i % 2, words[i], 0});
  return dialogue;
}

std::string number16(std::size_t number) {
  return {static_cast<char>(number >> 8), static_cast<char>(number)};
}
std::string vector8(const std::string& bytes) { return static_cast<char>(bytes.size()) + bytes; }
std::string vector16(const std::string& bytes) { return number16(bytes.size()) + bytes; }
std::string numbers(const std::vector<unsigned>& values) {
  std::string bytes;
  for (const unsigned value : values) bytes += number16(value);
  return bytes;
}
std::string extension(unsigned type, const std::string& value) {
  return number16(type) + vector16(value);
}
std::string hello_body(const std::string& ciphers, const std::string& extensions) {
  return "\x03\x03"s + std::string(32, 'r') + vector8("") + vector16(ciphers) + vector8("\0"s) +
         vector16(extensions);
}
std::string record(char type, const std::string& bytes) {
  return type + "\x03\x01"s + vector16(bytes);
}
std::string message(char type, const std::string& body) { return type + "\0"s + vector16(body); }
Bytes bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// The same messages in records of `size` bytes.
std::string cut_anew(const std::string& records, std::size_t size) {
  std::string cut;
  for (std::size_t at = 0; at < records.size();) {
    const std::size_t length = load_be16(bytes_of(records).data() + at + 3);
    const std::string inside = records.substr(at + 5, length);
    for (std::size_t i = 0; i < inside.size(); i += size)
      cut += record(records[at], inside.substr(i, size));
    at += 5 + length;
  }
  return cut;
}

TEST(tls, both_hellos_and_certificates_are_told) {
  const Heard heard = hear(in_turn(tls_1_2()));
  const std::string certificate =
      R"("hash":{"sha1":"3AFD3D6B90225515E6B7CF1B081AB7E0F1ACCC50",)"
      R"("sha256":"9BA789630D7BA985DD1AF376E2441B6F760D742629F7715B631B68700C30D607"},)"
      R"("issuer":"CN=www.example.com,O=Example","not_after":"2036-11-17T18:13:02Z",)"
      R"("not_before":"2026-11-20T18:13:02Z","subject":"CN=www.example.com,O=Example",)"
      R"("x509":{"alternative_names":["www.example.com","*.example.com","192.0.2.1",)"
      R"("2001:db8::1"],"issuer":{"common_name":"www.example.com"},)"
      R"("public_key_algorithm":"id-ecPublicKey","public_key_size":256,)"
      R"("serial_number":"1234ABCD","signature_algorithm":"ecdsa-with-SHA256",)"
      R"("subject":{"common_name":"www.example.com"},"version_number":"3"}})";
  EXPECT_EQ(heard.protocol, "tls");
  EXPECT_EQ(
      heard.objects,
      R"(,"tls":{"version":"1.2","version_protocol":"tls",)"
      R"("cipher":"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256","curve":"x25519",)"
      R"("next_protocol":"h2","established":true,"client":{"server_name":"www.example.com",)"
      R"("ja3":"549910697ed383e132fce27455c4921f","ja4":"t12d0208h2_6d4732649639_e7e480e5a997",)"
      R"("supported_versions":["1.2"],"supported_ciphers":[)"
      R"("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256","TLS_EMPTY_RENEGOTIATION_INFO_SCSV"],)"
      R"("supported_groups":["x25519","secp256r1","x448","secp521r1","secp384r1"],)"
      R"("alpn":["h2","http/1.1"],)" +
          certificate + R"(,"server":{"ja3s":"afbc203706421f15554867b55caf16d6",)" + certificate +
          "}");
  EXPECT_FALSE(heard.is_malformed);
}

// What the server says first, with more certificates behind its own, each of which is that one with
// another serial number.
std::string with_chain(std::size_t more) {
  const std::string words = tls_1_2()[1];
  const std::size_t hello = 5 + load_be16(bytes_of(words).data() + 3);
  const std::size_t certificate_at = hello + 5 + 4 + 3 + 3;
  const std::string certificate =
      words.substr(certificate_at, load_be16(bytes_of(words).data() + hello + 3) - 10);
  std::string list;
  for (std::size_t i = 0; i <= more; ++i) {
    std::string one = certificate;
    one[18] = static_cast<char>(one[18] + i);  // the last byte of its serial number
    list += '\0' + vector16(one);
  }
  return words.substr(0, hello) + cut_anew(record(22, message(11, '\0' + vector16(list))), 4'000) +
         words.substr(certificate_at + certificate.size());
}

TEST(tls, a_chain_of_certificates_is_told_up_to_a_number) {
  auto words = tls_1_2();
  words[1] = with_chain(2);
  const std::string told = hear(in_turn(words)).objects;
  const auto at = [&](std::string_view text) { return told.find(text); };
  EXPECT_LT(at(R"("serial_number":"1234ABCD","signature)"), at(R"("chain":[{"sha1":")"));
  EXPECT_LT(at(R"("chain":[{"sha1":")"), at(R"("serial_number":"1234ABCE","subject":"CN=)"));
  EXPECT_LT(at(R"("serial_number":"1234ABCE","subject":"CN=)"),
            at(R"("serial_number":"1234ABCF","subject":"CN=www.example.com,O=Example"}]})"));
  expect_same_however_cut(in_turn(words));
  expect_nothing_garbled(in_turn(words));
  words[1] = with_chain(6);
  const std::string four = hear(in_turn(words)).objects;
  EXPECT_THAT(four, HasSubstr("1234ABD0"));
  EXPECT_THAT(four, Not(HasSubstr("1234ABD1")));
  EXPECT_THAT(hear(in_turn(words), Carrier::stream,
                   {.conversations = 2, .memory = 4 << 20, .certificates = 1})
                  .objects,
              Not(HasSubstr("chain")));
}

TEST(tls, what_is_too_long_to_be_told_is_counted) {
  auto words = tls_1_2();
  const std::size_t hello = 5 + load_be16(bytes_of(words[1]).data() + 3);
  const auto list = [](std::size_t bytes) { return '\0' + vector16(std::string(bytes, 'c')); };
  const auto dropped = [&](const std::string& chain) {
    const std::string certificates = message(11, '\0' + vector16(chain));
    words[1] = words[1].substr(0, hello) + cut_anew(record(22, certificates), 4'000);
    return hear({{0, words[0]}, {1, words[1]}}).values_dropped;
  };
  EXPECT_EQ(dropped(list(Tls::kCertificateBytesMax)), 0u);
  EXPECT_EQ(dropped(list(Tls::kCertificateBytesMax + 1)), 1u);
  EXPECT_EQ(dropped(list(100) + list(Tls::kCertificateBytesMax + 1)), 1u);
  const std::string extension_of_all = extension(0x7777, std::string(Tls::kHelloBytesMax, 'x'));
  EXPECT_EQ(hear({{0, record(22, message(1, hello_body(numbers({0x1301}), extension_of_all)))}})
                .values_dropped,
            1u);
}

TEST(tls, an_answer_to_a_hello_in_the_format_of_ssl_2_is_told) {
  auto words = tls_1_2();
  words[0] = "\x80\x2e\x01\x03\x01"s + "\x00\x15\x00\x00\x00\x10"s + std::string(37, 'c');
  const Heard heard = hear(in_turn(words));
  EXPECT_THAT(heard.objects, HasSubstr(R"("established":true,"client":{"hash":)"));
  EXPECT_THAT(heard.objects, HasSubstr(R"("server":{"ja3s":"afbc203706421f15554867b55caf16d6",)"));
  EXPECT_FALSE(heard.is_malformed);
}

TEST(tls, a_session_may_be_resumed) {
  const Heard heard = hear(in_turn(tls_1_2_resumed()));
  EXPECT_THAT(heard.objects, HasSubstr(R"("resumed":true,"established":true)"));
  EXPECT_THAT(heard.objects, Not(HasSubstr("sha1")));
}

TEST(tls, a_ticket_resumes_a_session_without_its_id) {  // RFC 5077 §3.4
  const std::string body = "\x03\x03"s + std::string(32, 's') + vector8("") + "\xc0\x2f\x00"s;
  const auto is_resumed = [&](const std::string& ticket, const std::string& more) {
    const std::string client = hello_body(numbers({0xc02f}), extension(35, ticket));
    const Dialogue said = {{0, record(22, message(1, client))},
                           {1, record(22, message(2, body) + more) + record(20, "\x01")}};
    expect_same_however_cut(said);
    return hear(said).objects.find(R"("resumed":true)") != std::string::npos;
  };
  for (const std::string& more : {""s, message(4, "a new ticket")}) {
    EXPECT_TRUE(is_resumed("ticket", more));
    EXPECT_FALSE(is_resumed("", more) || is_resumed("ticket", message(14, "") + more));
  }
}

TEST(tls, the_hello_behind_a_retry_counts) {
  const Heard heard = hear(in_turn(tls_1_3_retried()));
  EXPECT_THAT(heard.objects,
              HasSubstr(R"("version":"1.3","version_protocol":"tls","cipher":)"
                        R"("TLS_AES_256_GCM_SHA384","curve":"secp384r1","retried":true,)"
                        R"("established":true)"));
  EXPECT_THAT(heard.objects, Not(HasSubstr("more")));  // the retry had the same fingerprint
}

TEST(tls, of_further_hellos_what_is_new_is_told) {
  const auto hello = [](std::uint8_t type, std::uint16_t cipher) {
    return record(22, message(type, hello_body(numbers({cipher}), "")));
  };
  const Dialogue dialogue = {{0, tls_1_2()[0]},
                             {0, tls_1_2()[0]},
                             {0, hello(1, 0x1301)},
                             {0, hello(1, 0x1301)},
                             {0, hello(1, 0x1302)}};
  const Heard heard = hear(dialogue);
  EXPECT_THAT(heard.objects, HasSubstr(R"("more":[{"ja3":"ea1e247991e541e39bf918cb7cfa5139",)"
                                       R"("ja4":"t12i010000_0f2cb44170f4_000000000000"},)"
                                       R"({"ja3":"190e0f3e862c0fbbfda3dc433da29518",)"
                                       R"("ja4":"t12i010000_ee47968ec53b_000000000000"}])"));
  const auto answer = [](std::uint16_t cipher) {
    return record(22, message(2, "\x03\x03"s + std::string(32, 's') + vector8("") +
                                     number16(cipher) + "\0"s));
  };
  EXPECT_THAT(hear({{0, hello(1, 0x1301)}, {1, answer(0x1301)}, {1, answer(0x1302)}}).objects,
              HasSubstr(R"("more":[{"ja3s":"2b8f670826335789010c933badba4bfc",)"
                        R"("cipher":"TLS_AES_256_GCM_SHA384"}])"));
  expect_same_however_cut(dialogue);
}

TEST(tls, it_is_the_same_however_it_is_cut) {
  for (const auto& words : {tls_1_2(), tls_1_2_resumed(), tls_1_3_retried()})
    expect_same_however_cut(in_turn(words));
}

TEST(tls, nothing_is_garbled_by_truncation_and_gaps) {
  for (const auto& words : {tls_1_2(), tls_1_2_resumed(), tls_1_3_retried()})
    expect_nothing_garbled(in_turn(words));
  expect_nothing_garbled(in_turn({tls_1_2()[0], with_chain(2)}));
}

TEST(tls, hostile_bytes_are_survived) {
  for (const auto& words : {tls_1_2(), tls_1_2_resumed(), tls_1_3_retried()})
    expect_hostile_is_survived(in_turn(words));
}

TEST(tls, messages_may_be_cut_into_records_anywhere) {
  auto words = tls_1_2();
  words.resize(2);
  const std::string whole = hear(in_turn(words)).objects;
  for (const std::size_t size : {1, 3, 200})
    EXPECT_EQ(hear(in_turn({cut_anew(words[0], size), cut_anew(words[1], size)})).objects, whole);
}

// As whoever cuts its first one does with the one behind a retry.
TEST(tls, a_hello_behind_a_change_of_ciphers_may_be_cut_into_records) {
  const std::vector<std::string> words = tls_1_3_retried();
  const std::string other = record(22, message(1, hello_body(numbers({0x1302, 0x1303}), "")));
  const auto told = [&](std::size_t size) {
    const std::string second = record(20, "\x01") + cut_anew(other, size);
    return hear({{0, words[0]}, {1, words[1]}, {0, second}, {1, words[3]}, {0, words[4]}}).objects;
  };
  const std::string whole = told(1'000);
  EXPECT_THAT(whole, HasSubstr(R"("established":true,)"));
  EXPECT_THAT(whole, HasSubstr(R"("more":[{"ja3":")"));
  for (const std::size_t size : {6, 30}) EXPECT_EQ(told(size), whole) << size;
}

// Its hello, and how the certificate begins, in one record.
TEST(tls, of_a_record_that_is_cut_off_whole_messages_are_told) {
  const std::vector<std::string> words = tls_1_2();
  const std::size_t hello_bytes = load_be16(bytes_of(words[1]).data() + 3);
  const std::string inside =
      words[1].substr(5, hello_bytes) + words[1].substr(5 + hello_bytes + 5, 100);
  const std::string records = record(22, inside + std::string(2'000, 'x'));
  const std::string part = records.substr(0, 5 + inside.size());
  for (const Dialogue& cut :
       {Dialogue{{0, words[0]}, {1, part}}, Dialogue{{0, words[0]}, {1, part}, {1, {}, 1'000}}}) {
    EXPECT_THAT(hear(cut).objects, HasSubstr(R"("server":{"ja3s":")"));
    EXPECT_THAT(hear(cut).objects, Not(HasSubstr("sha1")));
    expect_same_however_cut(cut);
  }
}

TEST(tls, a_client_whose_hello_was_not_seen_is_known_by_the_server_s) {
  auto words = tls_1_2();
  const std::string whole = hear(in_turn(words)).objects;
  const std::string of_client = whole.substr(whole.find(R"("hash")"), 100);
  const Dialogue seen = {{1, words[1]}, {0, words[2]}, {1, words[3]}};
  EXPECT_THAT(hear(seen).objects, HasSubstr(R"("established":true,"client":{)" + of_client));
  EXPECT_THAT(hear({{1, words[1]}, {0, record(21, "\x02\x2a")}}).objects,
              HasSubstr(R"("alerts":[{"source":"client")"));
}

// As long as its hint to a key that both have is of less than 256 bytes.
TEST(tls, a_curve_is_told_behind_a_hint_as_well) {
  const auto said = [](unsigned cipher, const std::string& exchange) {
    const std::string hello =
        "\x03\x03"s + std::string(32, 's') + vector8("") + number16(cipher) + "\0"s;
    return Dialogue{{0, record(22, message(1, hello_body(numbers({cipher}), "")))},
                    {1, record(22, message(2, hello) + message(12, exchange))}};
  };
  constexpr unsigned kWithKey = 0xc035, kWithCertificate = 0xc013;
  const std::string curve = "\x03\x00\x1d"s + vector8(std::string(32, 'k'));
  for (const std::string& hint : {""s, "a hint"s, std::string(255, 'h')}) {
    const Dialogue psk = said(kWithKey, vector16(hint) + curve);
    EXPECT_THAT(hear(psk).objects,
                HasSubstr(R"("TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA","curve":"x25519")"));
    expect_same_however_cut(psk);
  }
  EXPECT_THAT(hear(said(kWithCertificate, curve)).objects, HasSubstr(R"("curve":"x25519")"));
  const std::string strange = "\x01\x00\x1d"s;  // a curve without name
  for (const Dialogue& other :
       {said(kWithKey, ""), said(kWithKey, curve), said(kWithKey, vector16("hint") + strange),
        said(kWithKey, vector16("")), said(kWithCertificate, "\x03\x00"s),
        said(kWithCertificate, strange), said(kWithCertificate, vector16("") + curve)})
    EXPECT_THAT(hear(other).objects, Not(HasSubstr("curve")));
}

TEST(tls, a_version_that_there_is_not_is_not_told) {
  const std::string body = "\x03\x7f"s + std::string(32, 's') + vector8("") + "\x13\x01\x00"s;
  EXPECT_THAT(hear({{0, tls_1_2()[0]}, {1, record(22, message(2, body))}}).objects,
              HasSubstr(R"("tls":{"version_protocol":"tls","cipher":)"));
}

TEST(tls, alerts_are_told_with_their_sender) {  // RFC 5246 §6.2.1: cut as it likes
  for (const std::size_t size : {1, 2, 3, 4}) {
    const Dialogue said = {{0, tls_1_2()[0]}, {1, cut_anew(record(21, "\x01\x5a\x02\x32"), size)}};
    EXPECT_THAT(hear(said).objects,
                HasSubstr(R"([{"source":"server","level":"warning","description":"user_canceled"},)"
                          R"({"source":"server","level":"fatal","description":"decode_error"}])"));
    EXPECT_THAT(hear(said).objects, Not(HasSubstr("established")));
    expect_same_however_cut(said);
  }
}

// Of TLS 1.3, where all that is protected looks like data.
TEST(tls, early_data_and_a_client_s_protected_alert_establish_nothing) {
  const std::string hello = record(22, message(1, hello_body(numbers({0x1301}), "")));
  const std::string body = "\x03\x03"s + std::string(32, 's') + vector8("") + "\x13\x01\x00"s;
  const auto data = [](std::size_t bytes) { return record(23, std::string(bytes, 'x')); };
  Dialogue said = {{0, hello + data(99)}, {1, record(22, message(2, body)) + data(20)}};
  for (const std::size_t bytes : {24, 25}) {
    said.push_back({0, data(bytes)});
    EXPECT_EQ(hear(said).objects.find("established") != std::string::npos, bytes == 25);
  }
}

TEST(tls, a_hello_that_breaks_its_lengths_is_not_told) {
  std::string hello = tls_1_2()[0];
  hello[5 + 4 + 2 + 32 + 1 + 1] = 0x7f;  // bytes of cipher suites
  EXPECT_THAT(hear({{0, hello}}).objects, Not(HasSubstr("ja3")));
}

TEST(tls, of_extensions_those_before_a_broken_one_are_told) {
  const std::string broken =
      extension(0, vector16("\x00"s + vector16("www.example.com"))) + "\x00\x0a\x00"s;
  const Heard heard = hear({{0, record(22, message(1, hello_body(numbers({0x1301}), broken)))}});
  EXPECT_THAT(heard.objects, HasSubstr(R"("server_name":"www.example.com","ja3":")"));
}

TEST(tls, numbers_without_name_are_told_as_digits) {
  const std::string hello =
      record(22, message(1, hello_body(numbers({0x1a1a, 0xfafb}),
                                       extension(10, vector16(numbers({0x2a2a, 0x7777}))) +
                                           extension(0xfe0d, "x") + extension(0x3a3a, ""))));
  EXPECT_THAT(hear({{0, hello}}).objects,
              HasSubstr(R"("supported_versions":["1.2"],"supported_ciphers":["0xfafb"],)"
                        R"("supported_groups":["0x7777"],"ech":true)"));
}

TEST(tls, lists_longer_than_is_told_say_so) {
  const std::string ciphers = numbers(std::vector<unsigned>(129, 0x1301));
  std::string protocols;
  for (int i = 0; i < 129; ++i) protocols += vector8("h2");
  const std::string hello =
      hello_body(ciphers, extension(16, vector16(protocols)) +
                              extension(10, vector16(numbers(std::vector<unsigned>(128, 29)))));
  EXPECT_THAT(hear({{0, record(22, message(1, hello))}}).objects,
              HasSubstr(R"("cut":["client.supported_ciphers[]","client.alpn[]"])"));
}

// --- DTLS ---------------------------------------------------------------------------------------

std::string number24(std::size_t number) {
  return static_cast<char>(number >> 16) + number16(number & 0xffff);
}
std::string datagram(const std::string& inside, char epoch = 0, char type = 22) {
  return type + "\xfe\xfd\x00"s + epoch + std::string(6, '\0') + vector16(inside);
}
// `count` bytes of a message from `at` on.
std::string fragment(char type, char sequence, const std::string& body, std::size_t at = 0,
                     std::size_t count = 65'535) {
  const std::string part = body.substr(at, count);
  return type + number24(body.size()) + "\0"s + sequence + number24(at) + number24(part.size()) +
         part;
}
std::string dtls_hello(const std::string& cookie) {
  const std::string name = "www.example.com";
  return "\xfe\xfd"s + std::string(32, 'r') + vector8("") + vector8(cookie) +
         vector16(numbers({0xc02b})) + vector8("\0"s) +
         vector16(extension(0, vector16("\0"s + vector16(name))) +
                  extension(10, vector16(numbers({29}))));
}
const std::string kDtlsServerHello =
    "\xfe\xfd"s + std::string(32, 's') + vector8("") + "\xc0\x2b\x00"s;
Dialogue dtls() {
  const std::string hello = dtls_hello("cookie");
  return {{0, datagram(fragment(1, 0, dtls_hello("")))},
          {1, datagram(fragment(3, 0, "\xfe\xfd"s + vector8("cookie")))},
          {0, datagram(fragment(1, 1, hello, 0, 50))},
          {0, datagram(fragment(1, 1, hello, 50))},
          {1, datagram(fragment(2, 1, kDtlsServerHello, 0, 20)) +
                  datagram(fragment(2, 1, kDtlsServerHello, 10) + fragment(14, 2, ""))},
          {0, datagram("\x01"s, 0, 20) + datagram(std::string(40, 'p'), 1)},
          {1, datagram("\x01"s, 0, 20) + datagram(std::string(40, 'p'), 1)}};
}

TEST(dtls, hellos_in_fragments_are_told) {
  const Heard heard = hear(dtls(), Carrier::datagrams);
  EXPECT_EQ(heard.protocol, "tls");
  EXPECT_THAT(heard.objects,
              HasSubstr(R"("version":"1.2","version_protocol":"dtls",)"
                        R"("cipher":"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256","retried":true,)"
                        R"("established":true,"client":{"server_name":"www.example.com",)"));
  EXPECT_THAT(heard.objects, HasSubstr(R"("ja4":"dd2d010200_)"));
  EXPECT_FALSE(heard.is_malformed);
}

TEST(dtls, a_certificate_in_fragments_is_told) {
  Dialogue dialogue;
  for (const auto& [side, bytes] : dtls_1_2()) dialogue.push_back({side, bytes});
  const Heard heard = hear(dialogue, Carrier::datagrams);
  EXPECT_THAT(heard.objects,
              HasSubstr(R"("next_protocol":"webrtc","retried":true,"established":true)"));
  EXPECT_THAT(heard.objects, HasSubstr(R"("alternative_names":["www.example.com"])"));
  expect_nothing_garbled(dialogue, Carrier::datagrams);
  expect_hostile_is_survived(dialogue, Carrier::datagrams);
}

TEST(dtls, truncated_and_hostile_datagrams_are_survived) {
  expect_nothing_garbled(dtls(), Carrier::datagrams);
  expect_hostile_is_survived(dtls(), Carrier::datagrams);
}

TEST(dtls, what_is_behind_a_lost_fragment_is_read_but_not_joined_to_it) {
  const std::string hello = dtls_hello("");
  const Heard heard = hear({{0, datagram(fragment(1, 0, hello, 0, 50))},
                            {0, datagram(fragment(1, 1, hello))},
                            {1, datagram(fragment(2, 1, kDtlsServerHello))}},
                           Carrier::datagrams);
  EXPECT_EQ(heard.objects, hear({{0, datagram(fragment(1, 0, hello))},
                                 {1, datagram(fragment(2, 1, kDtlsServerHello))}},
                                Carrier::datagrams)
                               .objects);
}

TEST(dtls, what_was_lost_or_overtaken_is_read_when_it_comes) {
  const std::string chain = number24(20) + number24(17) + "not a certificate";
  const std::string hello = datagram(fragment(2, 1, kDtlsServerHello));
  const std::string certificate[] = {datagram(fragment(11, 2, chain, 0, 9)),
                                     datagram(fragment(11, 2, chain, 9, 9)),
                                     datagram(fragment(11, 2, chain, 18))};
  const std::string again[] = {datagram(fragment(11, 2, chain, 0, 15)),
                               datagram(fragment(11, 2, chain, 15))};
  const std::string end = datagram(fragment(14, 3, ""));
  const auto hear_server = [&](const std::vector<std::string>& datagrams) {
    Dialogue dialogue = {{0, datagram(fragment(1, 0, dtls_hello("")))}};
    for (const std::string& bytes : datagrams) dialogue.push_back({1, bytes});
    return hear(dialogue, Carrier::datagrams).objects;
  };
  const std::string whole =
      hear_server({hello, certificate[0], certificate[1], certificate[2], end});
  EXPECT_THAT(whole, HasSubstr(R"("hash":{"sha1":)"));
  EXPECT_THAT(whole, HasSubstr(R"("ja3s":)"));
  EXPECT_EQ(hear_server({certificate[0], certificate[1], certificate[2], hello, end}), whole);
  EXPECT_EQ(hear_server({certificate[0], certificate[1], certificate[2], end, hello, certificate[0],
                         certificate[1], certificate[2], end}),
            whole);
  EXPECT_EQ(hear_server({hello, certificate[0], certificate[2], end, hello, certificate[0],
                         certificate[1], certificate[2], end}),
            whole);
  EXPECT_EQ(hear_server({hello, certificate[0], certificate[2], end, again[0], again[1]}), whole);
  EXPECT_THAT(hear_server({hello, certificate[0], certificate[2], end}), Not(HasSubstr("sha1")));
}

// Each of the orders that the server's flight may come in.
TEST(dtls, fragments_may_come_in_any_order) {
  const std::string chain = number24(20) + number24(17) + "not a certificate";
  std::vector<std::string> flight = {datagram(fragment(2, 1, kDtlsServerHello, 0, 20)),
                                     datagram(fragment(2, 1, kDtlsServerHello, 20)),
                                     datagram(fragment(11, 2, chain, 0, 9)),
                                     datagram(fragment(11, 2, chain, 9, 6)),
                                     datagram(fragment(11, 2, chain, 15)),
                                     datagram(fragment(12, 3, "\x03\x00\x1d..."s))};
  std::sort(flight.begin(), flight.end());
  std::string whole;
  do {
    Dialogue dialogue = {{0, datagram(fragment(1, 0, dtls_hello("")))}};
    for (const std::string& bytes : flight) dialogue.push_back({1, bytes});
    const std::string told = hear(dialogue, Carrier::datagrams).objects;
    if (whole.empty()) whole = told;
    ASSERT_EQ(told, whole);
  } while (std::next_permutation(flight.begin(), flight.end()));
  for (const char* member : {"ja3s", "sha1", "curve"}) EXPECT_THAT(whole, HasSubstr(member));
}

// More of it than waits.
TEST(dtls, a_message_that_does_not_become_whole_holds_up_others_for_a_while) {
  Dialogue dialogue = {{0, datagram(fragment(1, 0, dtls_hello("")))},
                       {1, datagram(fragment(11, 1, std::string(40, 'x'), 0, 9))},
                       {1, datagram(fragment(2, 2, kDtlsServerHello, 20))},
                       {1, datagram(fragment(2, 2, kDtlsServerHello, 0, 20))}};
  const std::string whole = hear(dialogue, Carrier::datagrams).objects;
  EXPECT_THAT(whole, HasSubstr(R"("ja3s":)"));
  for (char i = 0; i < 100; ++i)
    dialogue.push_back({1, datagram(fragment(11, 1, std::string(40, 'x'), 20, 9))});
  EXPECT_EQ(hear(dialogue, Carrier::datagrams).objects, whole);
  dialogue.insert(dialogue.end(), 100, {1, datagram(fragment(14, 3, std::string(1'500, 'x'), 1))});
  EXPECT_EQ(hear(dialogue, Carrier::datagrams).objects, whole);
  EXPECT_FALSE(hear(dialogue, Carrier::datagrams).is_malformed);
}

// It begins two messages, and so gives up one for the other, and tells its alerts each time.
TEST(dtls, what_never_has_its_turn_is_read_a_few_times) {
  const std::string hello = dtls_hello("");
  const auto alert = [](char number) {
    return "\x15\xfe\xfd\x00\x00\x00\x00\x00\x00\x00"s + number + vector16("\x01\x00"s);
  };
  const std::string objects =
      hear({{0, datagram(fragment(1, 0, hello, 0, 50))},
            {0, datagram(fragment(1, 1, hello, 0, 50) + fragment(1, 2, hello, 0, 50)) + alert(1) +
                    alert(2)}},
           Carrier::datagrams)
          .objects;
  std::size_t count = 0;
  for (std::size_t at = 0; (at = objects.find("close_notify", at)) != std::string::npos; ++at)
    ++count;
  EXPECT_GE(count, 2u);
  EXPECT_LE(count, 10u);
}

TEST(dtls, messages_of_no_known_type_leave_nothing_behind) {
  for (const char type : {9, 99, -2}) {
    Dialogue dialogue = {{0, datagram(fragment(1, 0, dtls_hello("")))}};
    for (char number = 0; number < 100; ++number)
      dialogue.push_back({1, datagram(fragment(type, number, "none"))});
    dialogue.push_back({1, datagram(fragment(2, 100, kDtlsServerHello))});
    const Heard heard = hear(dialogue, Carrier::datagrams);
    EXPECT_THAT(heard.objects, HasSubstr(R"("version":"1.2","version_protocol":"dtls")"));
    EXPECT_TRUE(heard.is_malformed);
  }
}

// The second fragment says that the message was shorter than the first one did.
TEST(dtls, a_message_of_two_lengths_is_no_part_of_the_next_one) {
  const std::string first = "\x0b"s + number24(40) + "\0\x02"s + number24(0) + number24(2) + "xx";
  const std::string second = "\x0b"s + number24(2) + "\0\x02"s + number24(2) + number24(0);
  const Heard heard = hear({{0, datagram(fragment(1, 0, dtls_hello("")))},
                            {1, datagram(first)},
                            {1, datagram(second)},
                            {1, datagram(fragment(2, 3, kDtlsServerHello))}},
                           Carrier::datagrams);
  EXPECT_THAT(heard.objects, HasSubstr(R"("version":"1.2","version_protocol":"dtls")"));
  EXPECT_FALSE(heard.is_malformed);
}

TEST(dtls, who_sends_an_alert_is_known_by_hellos_in_part_and_the_demand_for_one) {
  const std::string alert = datagram("\x02\x28", 0, 21);
  const auto told = [&](unsigned side, char type) {
    const std::string hello = datagram(fragment(type, 0, std::string(100, 'h')));
    return hear({{side, hello.substr(0, 40)}, {0, alert}}, Carrier::datagrams).objects;
  };
  for (const auto& [side, type] : {std::pair{0u, '\x01'}, {1u, '\x02'}, {1u, '\x03'}})
    EXPECT_THAT(told(side, type), HasSubstr(R"("source":"client")"));
  EXPECT_THAT(told(1, '\x01'), HasSubstr(R"("source":"server")"));
  for (const std::string& part :
       {fragment(3, 0, "\xfe\xfd"s + vector8("cookie")), fragment(2, 1, kDtlsServerHello, 20)})
    EXPECT_THAT(hear({{1, datagram(part)}, {0, alert}}, Carrier::datagrams).objects,
                HasSubstr(R"("source":"client")"));
}

TEST(dtls, an_alert_and_what_is_no_dtls_among_it_are_told_apart) {
  const Heard heard = hear({{0, datagram(fragment(1, 0, dtls_hello("")))},
                            {0, "\x00\x01\x00\x08 a binding request"s},
                            {1, datagram("\x02\x46", 0, 21)},
                            {1, datagram("\x02\x46", 0, 21)}},  // the same record again
                           Carrier::datagrams);
  EXPECT_THAT(heard.objects, HasSubstr(R"("description":"protocol_version"}])"));
  EXPECT_FALSE(heard.is_malformed);
}

// The example that JA4 is described with.
TEST(fingerprint, ja4_is_as_described) {
  std::string extensions = extension(0x1a1a, "");
  for (const unsigned type : {0x0005, 0x000a, 0x000b, 0x0012, 0x0015, 0x0017, 0x001b, 0x0023,
                              0x002d, 0x0033, 0x4469, 0xff01})
    extensions += extension(type, "");
  extensions += extension(0, "");
  extensions += extension(43, vector8(numbers({0x5a5a, 0x0304, 0x0303})));
  extensions += extension(16, vector16(vector8("h2") + vector8("http/1.1")));
  extensions += extension(
      13, vector16(numbers({0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601})));
  const std::string body =
      hello_body(numbers({0x2a2a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9,
                          0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035}),
                 extensions);
  ClientHello hello;
  ASSERT_TRUE(hello.read(bytes_of(body), false));
  EXPECT_EQ(ja4_of(hello, HelloCarrier::tcp), "t13d1516h2_8daaf6152771_e5627efa2ab1");
  EXPECT_EQ(ja3_of(hello).substr(0, 22), "771,4865-4866-4867-491");
}

TEST(tls, other_streams_are_not_taken_for_it) {
  const std::string other = "\x16\x03\x01\x00\x05\x07hello";
  EXPECT_EQ(hear({{0, other}, {1, other}}).protocol, "");
}

}  // namespace
}  // namespace linger::test
