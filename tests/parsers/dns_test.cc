#include "parsers/dns.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/parsers/dialogue.h"

namespace linger::test {
namespace {

using namespace std::string_literals;

const std::string kQuestion =
    "\x03www\x07"
    "example\x03"
    "com\x00\x00\x01\x00\x01"s;
const std::string kQuery = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"s + kQuestion;
// www.example.com CNAME a.example.com; a.example.com A 192.0.2.1
const std::string kResponse = "\x12\x34\x85\x80\x00\x01\x00\x02\x00\x00\x00\x00"s + kQuestion +
                              "\xc0\x0c\x00\x05\x00\x01\x00\x00\x0e\x10\x00\x04\x01"
                              "a\xc0\x10"s +
                              "\xc0\x2d\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x01"s;
const Dialogue kExchange = {{0, kQuery}, {1, kResponse}};

std::string with_length(const std::string& message) {
  return std::string{static_cast<char>(message.size() >> 8), static_cast<char>(message.size())} +
         message;
}

TEST(dns, a_query_and_its_response_are_one_transaction) {
  const Heard heard = hear(kExchange, Carrier::datagrams);
  EXPECT_EQ(heard.protocol, "dns");
  EXPECT_EQ(
      heard.objects,
      R"(,"dns":[{"id":"4660","type":"answer","op_code":"QUERY","header_flags":["AA","RD","RA"],)"
      R"("question":{"name":"www.example.com","type":"A","class":"IN"},"response_code":"NOERROR",)"
      R"("answers_count":2,"answers":[{"name":"www.example.com","type":"CNAME","class":"IN",)"
      R"("ttl":3600,"data":"a.example.com"},{"name":"a.example.com","type":"A","class":"IN",)"
      R"("ttl":60,"data":"192.0.2.1"}],"resolved_ip":["192.0.2.1"],"round_trip_ns":1000000}])");
  EXPECT_FALSE(heard.is_malformed);
}

TEST(dns, over_a_stream_it_is_the_same_however_it_is_cut) {
  const Dialogue stream = {{0, with_length(kQuery)}, {1, with_length(kResponse)}};
  EXPECT_EQ(hear(stream).objects, hear(kExchange, Carrier::datagrams).objects);
  expect_same_however_cut(stream);
  expect_nothing_garbled(stream);
  expect_hostile_is_survived(stream);
}

TEST(dns, truncated_and_hostile_datagrams_are_survived) {
  expect_nothing_garbled(kExchange, Carrier::datagrams);
  expect_hostile_is_survived(kExchange, Carrier::datagrams);
}

TEST(dns, an_unanswered_query_is_told_with_its_retries) {
  const Heard heard = hear({{0, kQuery}, {0, kQuery}, {0, kQuery}}, Carrier::datagrams);
  EXPECT_THAT(heard.objects, testing::HasSubstr(R"("type":"query")"));
  EXPECT_THAT(heard.objects, testing::HasSubstr(R"("retries":2}])"));
}

// So many that each one told would fill what a session may tell.
TEST(dns, retries_without_end_leave_room_for_what_follows) {
  Dialogue dialogue(5'000, {0, kQuery});
  std::string other = kQuery;
  other[0] = 'x';
  dialogue.push_back({0, other});
  const Heard heard = hear(dialogue, Carrier::datagrams);
  EXPECT_EQ(heard.values_dropped, 0u);
  EXPECT_THAT(heard.objects,
              testing::HasSubstr(R"("retries":4999},{"id":"30772","type":"query",)"));
  // Of one that is answered, and of one that is given up for others.
  Dialogue answered = {{0, kQuery}, {0, kQuery}, {1, kResponse}};
  EXPECT_THAT(hear(answered, Carrier::datagrams).objects,
              testing::HasSubstr(R"("round_trip_ns":2000000,"retries":1}])"));
  answered.pop_back();
  for (std::size_t i = 0; i < Dns::kPendingMax; ++i) {
    other[0] = static_cast<char>('0' + i);
    answered.push_back({0, other});
  }
  EXPECT_THAT(hear(answered, Carrier::datagrams).objects,
              testing::HasSubstr(R"("class":"IN"},"retries":1},{)"));
}

TEST(dns, a_copy_of_the_mirror_port_is_no_retry) {
  const Said query{.bytes = kQuery, .until_next = 10 * kMicrosecond};
  const Said copy = query, slow{.bytes = kQuery, .until_next = 20 * kMicrosecond};
  EXPECT_EQ(hear({query, copy, {1, kResponse}}, Carrier::datagrams).objects,
            hear({slow, {1, kResponse}}, Carrier::datagrams).objects);
  EXPECT_THAT(hear({query, {0, kQuery}, query, copy}, Carrier::datagrams).objects,
              testing::HasSubstr(R"("retries":1}])"));
  const std::string in_stream = "\0"s + static_cast<char>(kQuery.size()) + kQuery;
  EXPECT_THAT(hear({{0, in_stream + in_stream}}).objects, testing::HasSubstr(R"("retries":1}])"));
}

// As mirror ports send them, and resolvers that are asked again.
TEST(dns, a_response_that_comes_again_is_told_once) {
  const std::string once = hear(kExchange, Carrier::datagrams).objects;
  EXPECT_EQ(hear({{0, kQuery}, {1, kResponse}, {1, kResponse}}, Carrier::datagrams).objects, once);
  EXPECT_EQ(hear({{1, kResponse}, {1, kResponse}, {0, kQuery}}, Carrier::datagrams).objects,
            hear({{1, kResponse}, {0, kQuery}}, Carrier::datagrams).objects);
}

// mDNS has no ids, and repeats itself after a second at the earliest; here a message comes each
// millisecond.
TEST(dns, a_message_without_id_that_comes_again_at_once_is_told_once) {
  const std::string query = "\0\0"s + kQuery.substr(2), response = "\0\0"s + kResponse.substr(2);
  EXPECT_EQ(hear({{0, query}, {0, query}}, Carrier::datagrams).objects,
            hear({{0, query}}, Carrier::datagrams).objects);
  EXPECT_EQ(hear({{0, response}, {0, response}}, Carrier::datagrams).objects,
            hear({{0, response}}, Carrier::datagrams).objects);
  Dialogue later(12, {0, kQuery});
  later.front() = later.back() = {0, query};
  EXPECT_THAT(hear(later, Carrier::datagrams).objects,
              testing::ContainsRegex(R"("id":"0".*"id":"0")"));
}

TEST(dns, another_response_of_the_same_id_and_the_same_after_another_query_are_told) {
  const auto count = [](const Dialogue& dialogue) {
    const std::string objects = hear(dialogue, Carrier::datagrams).objects;
    std::size_t transactions = 0;
    for (std::size_t at = 0; (at = objects.find(R"("id":)", at)) != std::string::npos; ++at)
      ++transactions;
    return transactions;
  };
  std::string other = kResponse;
  other.back() = 0x02;
  EXPECT_EQ(count({{0, kQuery}, {1, kResponse}, {1, other}}), 2u);
  EXPECT_EQ(count({{0, kQuery}, {1, kResponse}, {0, kQuery}, {1, kResponse}}), 2u);
}

TEST(dns, queries_of_one_id_with_other_questions_are_told_apart) {
  std::string other = kQuery;
  other[other.size() - 3] = 28;  // AAAA
  std::string asked_again = kQuery;
  asked_again[kQuery.size() - kQuestion.size() + 1] = 'W';
  const Heard heard =
      hear({{0, other}, {0, kQuery}, {0, asked_again}, {1, kResponse}}, Carrier::datagrams);
  EXPECT_THAT(heard.objects, testing::HasSubstr(R"("type":"AAAA","class":"IN"}},{"id")"));
  EXPECT_THAT(heard.objects, testing::HasSubstr(R"("type":"answer")"));
  EXPECT_THAT(heard.objects, testing::HasSubstr(R"("retries":1}])"));
}

// What a resolver has under way on one connection, or from one port; answers come in any order.
TEST(dns, forty_queries_may_wait_for_their_responses) {
  Dialogue dialogue;
  std::string query = kQuery, response = kResponse;
  for (int i = 0; i < 40; ++i) {
    query[0] = static_cast<char>(i);
    dialogue.push_back({0, query});
  }
  for (int i = 40; i-- > 0;) {
    response[0] = static_cast<char>(i);
    dialogue.push_back({1, response});
  }
  const Heard heard = hear(dialogue, Carrier::datagrams);
  EXPECT_THAT(heard.objects, testing::Not(testing::HasSubstr(R"("type":"query")")));
  EXPECT_THAT(heard.objects, testing::HasSubstr(R"("round_trip_ns":79000000},{)"));
}

TEST(dns, a_response_before_its_query_joins_it) {
  const Heard heard = hear({{1, kResponse}, {0, kQuery}}, Carrier::datagrams);
  EXPECT_THAT(heard.objects, testing::Not(testing::HasSubstr("},{\"id\"")));
}

// RFC 6762 §5.4 and §10.2: one host alone is to answer; what is known of the name is to be
// forgotten.
// A client of one id and one port, whose query was answered twice: with other times to live.
TEST(dns, a_second_response_does_not_answer_the_next_query) {
  std::string other = kResponse;
  other[other.size() - 7] = 0x3b;
  const Said last{.side = 1, .bytes = other, .until_next = kSecond};
  const Heard heard =
      hear({{0, kQuery}, {1, kResponse}, last, {0, kQuery}, {1, kResponse}}, Carrier::datagrams);
  EXPECT_TRUE(heard.objects.ends_with(R"("round_trip_ns":1000000}])"));
}

TEST(dns, the_upper_bit_of_a_class_is_none_of_it) {
  std::string query = kQuery, response = kResponse;
  query[query.size() - 2] = '\x80';
  response[12 + kQuestion.size() + 4] = '\x80';
  EXPECT_EQ(hear({{0, query}, {1, response}}, Carrier::datagrams).objects,
            hear(kExchange, Carrier::datagrams).objects);
}

TEST(dns, a_text_longer_than_is_told_says_so) {
  const auto told = [](std::size_t strings) {  // of 255 bytes, with a blank between them
    std::string data;
    for (std::size_t i = 0; i < strings; ++i) data += "\xff" + std::string(255, 'k');
    std::string response =
        kResponse.substr(0, 12) + kQuestion + "\xc0\x0c\x00\x10\x00\x01\x00\x00\x0e\x10"s +
        static_cast<char>(data.size() >> 8) + static_cast<char>(data.size()) + data;
    response[7] = 1;
    return hear({{0, kQuery}, {1, response}}, Carrier::datagrams).objects;
  };
  const std::string text(255, 'k');
  EXPECT_THAT(told(4), testing::HasSubstr(R"("data":")" + text + " " + text + " " + text + " " +
                                          text + R"("}],"round)"));
  EXPECT_THAT(told(9), testing::HasSubstr(R"("cut":["answers[].data"])"));
}

TEST(dns, a_name_has_255_bytes_at_most) {
  const auto protocol_of = [](std::size_t last) {
    std::string name;
    for (const std::size_t bytes : {63ul, 63ul, 63ul, last})
      name += static_cast<char>(bytes) + std::string(bytes, 'x');
    const std::string query = kQuery.substr(0, 12) + name + "\0\0\1\0\1"s;
    return hear({{0, query}}, Carrier::datagrams).protocol;
  };
  EXPECT_EQ(protocol_of(61), "dns");
  EXPECT_EQ(protocol_of(62), "");
}

// Over TCP it is longer than what detection looks at.
TEST(dns, a_name_of_255_bytes_is_known_over_a_stream) {
  std::string name;
  for (const char count : {63, 63, 63, 61}) name += count + std::string(count, 'n');
  const std::string query = kQuery.substr(0, 12) + name + "\0\0\x01\0\x01"s;
  const Dialogue stream = {{0, with_length(query)}};
  EXPECT_EQ(hear(stream).objects, hear({{0, query}}, Carrier::datagrams).objects);
  expect_same_however_cut(stream);
  std::string broken = query;
  broken[12 + 64] = '\x40';
  EXPECT_EQ(hear({{0, with_length(broken)}}).protocol, "");
}

TEST(dns, as_many_records_as_a_stream_carries_are_known_from_one_side) {
  for (const std::string& head : {"\x12\x34\x84\x00\x00\x01\x02\xdc\x00\x00\x00\x00"s,     // AXFR
                                  "\x12\x34\x28\x00\x00\x01\x00\x00\x01\x90\x00\x00"s}) {  // UPDATE
    const Heard heard = hear({{0, with_length(head + kQuestion + std::string(4000, '\0'))}});
    EXPECT_EQ(heard.protocol, "dns") << heard;
  }
}

TEST(dns, a_response_of_no_class_is_told_and_zeros_are_none) {
  const std::string broken = kResponse.substr(0, 12 + kQuestion.size() - 2) + "\0\0"s;
  const Heard heard = hear({{1, broken}}, Carrier::datagrams);
  EXPECT_THAT(heard.objects, testing::HasSubstr(R"("question":{"name":"www.example.com")"));
  EXPECT_TRUE(heard.is_malformed);
  const std::string zeros = kResponse.substr(0, 12) + std::string(32, '\0');
  EXPECT_EQ(hear({{1, zeros}}, Carrier::datagrams).protocol, "");
}

TEST(dns, a_name_that_points_at_itself_is_none) {
  std::string loop = kResponse;
  loop.replace(loop.find("\xc0\x0c"), 2, "\xc0\x21");
  EXPECT_TRUE(hear({{0, kQuery}, {1, loop}}, Carrier::datagrams).is_malformed);
}

TEST(dns, of_a_response_that_breaks_off_its_header_is_told) {
  std::string broken = kResponse;
  broken[12] = 0x41;  // of the question's name: a length that there is not
  const Heard heard = hear({{0, kQuery}, {1, broken}}, Carrier::datagrams);
  EXPECT_TRUE(heard.is_malformed);
  EXPECT_THAT(heard.objects, testing::HasSubstr(R"("response_code":"NOERROR","answers_count":2)"));
}

TEST(dns, a_response_code_has_its_upper_bits_in_edns) {
  // A PTR among the additional records, then OPT with extended code 1: 0x17 with the header's 7.
  const std::string additions =
      "\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x01"s +
      "\x00\x00\x29\x04\xd0\x01\x00\x00\x00\x00\x02xx"s;
  const std::string refused =
      "\x12\x34\x81\x07\x00\x01\x00\x00\x00\x00\x00\x02"s + kQuestion + additions;
  const auto code_of = [](const std::string& response) {
    const Heard heard = hear({{0, kQuery}, {1, response}}, Carrier::datagrams);
    const std::size_t at = heard.objects.find(R"("response_code":")") + 17;
    return heard.objects.substr(at, heard.objects.find('"', at) - at);
  };
  EXPECT_EQ(code_of(refused), "BADCOOKIE");
  std::string lost = refused;  // where the PTR's name is said to lie nobody looks
  lost[12 + kQuestion.size()] = '\xff';
  EXPECT_EQ(code_of(lost), "BADCOOKIE");
  std::string other = refused;
  other[3] = 0x08;
  EXPECT_EQ(code_of(other), "RCODE24");
  other[11] = 0x01;  // one addition, which is no OPT
  EXPECT_EQ(code_of(other), "NXRRSET");
  other[11] = 0x03;  // it breaks off behind OPT
  EXPECT_EQ(code_of(other), "RCODE24");
  other[5] = 0x02;  // a second question, which is none
  EXPECT_EQ(code_of(other), "NXRRSET");
  expect_nothing_garbled({{0, kQuery}, {1, kResponse + additions}}, Carrier::datagrams);
  expect_hostile_is_survived({{0, kQuery}, {1, refused}}, Carrier::datagrams);
}

TEST(dns, messages_of_all_kinds_are_known_by_what_they_ask_and_say) {
  const auto asks = [](char flags, const std::string& question) {
    return "\x12\x34"s + flags + "\x00\x00\x01\x00\x00\x00\x00\x00\x00"s + question;
  };
  const std::string netbios = ' ' + std::string(30, 'C') + "AB"s + "\x00\x00\x20\x00\x01"s;
  const std::string announced = "\x00\x00\x84\x00\x00\x00\x00\x01\x00\x00\x00\x00\x01"s +
                                "a\x00\x00\x01\x80\x01\x00\x00\x00\x78\x00\x04\x01\x02\x03\x04"s;
  for (const auto& [message, told] :
       {std::pair{asks(1, "\x00\x00\x02\x00\x01"s), R"("name":".","type":"NS")"},
        {asks(1, "\x01x\x04\\.yz\x00\x00\xff\x00\x01"s), R"("name":"x.\\\\\\.yz","type":"ANY")"},
        {asks(1, "\x07version\x04"s + "bind\x00\x00\x10\x00\x03"s), R"("class":"CH")"},
        {asks(1, "\x01x\x00\x00\x01\x00\x04"s), R"("class":"HS")"},
        {asks(1, "\x01x\x00\x00\x01\x00\xfe"s), R"("class":"NONE")"},
        {asks(1, "\x01x\x00\x00\x01\x00\xff"s), R"("class":"ANY")"},
        {asks(0x10, kQuestion), R"("op_code":"STATUS")"},
        {asks(0x20, kQuestion), R"("op_code":"NOTIFY")"},
        {asks(0x28, kQuestion), R"("op_code":"UPDATE")"},
        {announced,
         R"("answers_count":1,"answers":[{"name":"a","type":"A","class":"IN","ttl":120)"}})
    EXPECT_THAT(hear({{0, message}}, Carrier::datagrams).objects, testing::HasSubstr(told));
  EXPECT_EQ(hear({{0, asks(1, netbios)}}, Carrier::datagrams).protocol, "");
}

TEST(dns, an_inverse_query_has_its_question_in_the_response) {
  const std::string answer = "\x00\x00\x01\x00\x01\x00\x00\x00\x00\x00\x04\x01\x02\x03\x04"s;
  const std::string query = "\x12\x34\x09\x80\x00\x00\x00\x01\x00\x00\x00\x00"s + answer;
  const std::string response =
      "\x12\x34\x89\x80\x00\x01\x00\x01\x00\x00\x00\x00"s + kQuestion + answer;
  for (const Carrier carrier : {Carrier::datagrams, Carrier::stream}) {
    const bool is_stream = carrier == Carrier::stream;
    const Heard heard = hear({{0, is_stream ? with_length(query) : query},
                              {1, is_stream ? with_length(response) : response}},
                             carrier);
    EXPECT_THAT(heard.objects, testing::HasSubstr(R"("op_code":"IQUERY")"));
    EXPECT_THAT(heard.objects, testing::HasSubstr(R"("name":"www.example.com")"));
    EXPECT_THAT(heard.objects, testing::HasSubstr(R"("resolved_ip":["1.2.3.4"])"));
  }
}

TEST(dns, behind_a_gap_a_stream_goes_on_with_the_next_message) {
  const std::string query = with_length(kQuery), response = with_length(kResponse);
  const Heard heard = hear({{0, query}, {1, response}, {0, "", 40}, {0, query}, {1, response}});
  EXPECT_THAT(heard.objects, testing::HasSubstr("}],\"resolved_ip\":[\"192.0.2.1\"],"
                                                "\"round_trip_ns\":1000000},{\"id\""));
  const Heard lost = hear({{0, query}, {0, "", 40}, {0, "no message of DNS, this"}});
  EXPECT_FALSE(lost.is_malformed);
  EXPECT_THAT(lost.objects, testing::Not(testing::HasSubstr("},{\"id\"")));
}

// In an UPDATE they say that there are such records, or none (RFC 2136 §2.4).
TEST(dns, an_answer_without_data_tells_none) {
  for (const auto& [type, name] : {std::pair{'\x05', "CNAME"}, {'\x06', "SOA"}, {'\x10', "TXT"}}) {
    std::string update = "\x12\x34\xa8\x00\x00\x01\x00\x02\x00\x00\x00\x00"s + kQuestion;
    for (const char record_class : {'\xff', '\xfe'})
      update += "\xc0\x0c\x00"s + type + '\x00' + record_class + "\x00\x00\x00\x00\x00\x00"s;
    const std::string objects = hear({{1, update}}, Carrier::datagrams).objects;
    const std::string head = R"({"name":"www.example.com","type":")"s + name + R"(","class":")";
    EXPECT_THAT(objects, testing::HasSubstr(R"("answers":[)" + head + R"(ANY","ttl":0},)" + head +
                                            R"(NONE","ttl":0}])"));
  }
}

TEST(dns, other_datagrams_are_not_taken_for_it) {
  const std::string rtp("\x80\x60\x00\x01\x00\x00\x00\x01\x00\x00\x00\x01\x55\x55\x55\x55\x55", 17);
  EXPECT_EQ(hear({{0, rtp}, {1, rtp}}, Carrier::datagrams).protocol, "");
  // An operation that there is not, a response code in the future, a bit that is reserved.
  for (const auto& [place, byte] : {std::pair{2u, '\x19'}, {3u, '\x0c'}, {3u, '\x40'}}) {
    std::string other = kQuery;
    other[place] = byte;
    EXPECT_EQ(hear({{0, other}}, Carrier::datagrams).protocol, "");
  }
}

}  // namespace
}  // namespace linger::test
