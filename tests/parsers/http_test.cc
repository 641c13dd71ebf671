#include "parsers/http.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/parsers/dialogue.h"

namespace linger::test {
namespace {

using namespace std::string_literals;

const Dialogue kPlain = {
    {0,
     "GET /a/b?c=d HTTP/1.1\r\nHost: www.example.com:8080\r\nUser-Agent: curl/7.88\r\n"
     "Referer: http://example.org/\r\nAccept: */*\r\n\r\n"},
    {1,
     "HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: text/html; charset=utf-8\r\n"
     "Content-Length: 5\r\n\r\nhello"}};

const Dialogue kSeveral = {
    {0,
     "POST http://example.com/up HTTP/1.1\r\nHost: other\r\nContent-Type: text/plain\r\n"
     "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nTrailer: 1\r\n\r\n"
     "HEAD /head HTTP/1.1\r\nHost: [2001:db8::1]:50081\r\n\r\nGET /last HTTP/1.0\r\n\r\n"},
    {1,
     "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 3\r\n\r\nabc"
     "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nHTTP/1.0 404 Not Found\r\n\r\nto the end"}};

TEST(http, a_request_and_its_response_are_one_transaction) {
  const Heard heard = hear(kPlain);
  EXPECT_EQ(heard.protocol, "http");
  EXPECT_EQ(
      heard.objects,
      R"(,"http":[{"request":{"method":"GET","referrer":"http://example.org/"},)"
      R"("url":{"original":"/a/b?c=d","path":"/a/b","query":"c=d","domain":"www.example.com",)"
      R"("port":8080},"user_agent":{"original":"curl/7.88"},"version":"1.1",)"
      R"("response":{"status_code":200,"server":"nginx","mime_type":"text/html",)"
      R"("body":{"bytes":5},"time_ns":1000000}}])");
}

TEST(http, pipelined_requests_join_their_responses_in_order) {
  const Heard heard = hear(kSeveral);
  EXPECT_FALSE(heard.is_malformed) << heard;
  EXPECT_EQ(
      heard.objects,
      R"(,"http":[{"request":{"method":"POST","mime_type":"text/plain","body":{"bytes":11}},)"
      R"("url":{"original":"http://example.com/up","path":"/up","domain":"example.com"},)"
      R"("version":"1.1","response":{"status_code":201,"body":{"bytes":3},"time_ns":1000000}},)"
      R"({"request":{"method":"HEAD"},"url":{"original":"/head","path":"/head",)"
      R"("domain":"2001:db8::1","port":50081},"version":"1.1",)"
      R"("response":{"status_code":200,"time_ns":1000000}},)"
      R"({"request":{"method":"GET"},"url":{"original":"/last","path":"/last"},"version":"1.0",)"
      R"("response":{"status_code":404,"body":{"bytes":10},"time_ns":1000000}}])");
}

TEST(http, the_record_does_not_depend_on_segmentation) {
  expect_same_however_cut(kPlain);
  expect_same_however_cut(kSeveral);
}

TEST(http, truncation_and_gaps_garble_nothing) {
  expect_nothing_garbled(kPlain);
  expect_nothing_garbled(kSeveral);
}

TEST(http, hostile_bytes_are_survived) { expect_hostile_is_survived(kSeveral); }

TEST(http, a_field_that_goes_on_in_the_next_line_is_one) {
  const Dialogue folded = {
      {0,
       "GET / HTTP/1.1\r\n Host: other\r\nHost: a.example\r\nUser-Agent: one\r\n  two "
       "\r\n\tthree\r\n"
       "\r\n"},
      {1, "HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"}};
  EXPECT_EQ(hear(folded).objects,
            R"(,"http":[{"request":{"method":"GET"},)"
            R"("url":{"original":"/","path":"/","domain":"a.example"},)"
            R"("user_agent":{"original":"one two three"},"version":"1.1",)"
            R"("response":{"status_code":200,"body":{"bytes":3},"time_ns":1000000}}])");
  expect_same_however_cut(folded);
}

TEST(http, a_field_that_nothing_follows_is_told) {
  const std::string head = "GET / HTTP/1.1\r\nHost: a.example\r\n";
  const std::string told = R"("domain":"a.example"})";
  const Dialogue ended = {{0, head}};
  const Dialogue cut = {{0, head}, {0, {}, 100}};
  const Dialogue folded = {{0, "GET / HTTP/1.1\r\nHost:\r\n a.example\r\n"}};
  const Dialogue answered = {{0, head}, {1, "HTTP/1.1 200 OK\r\n"}, {1, {}, 100}};
  for (const Dialogue& dialogue : {ended, cut, folded, answered}) {
    EXPECT_THAT(hear(dialogue).objects, testing::HasSubstr(told));
    EXPECT_FALSE(hear(dialogue).is_malformed);
    expect_same_however_cut(dialogue);
  }
  const std::string part = head.substr(0, head.size() - 2);
  for (const std::string& open : {part, head.substr(0, head.size() - 1), head + " b"})
    EXPECT_THAT(hear({{0, open}}).objects, testing::Not(testing::HasSubstr("domain"))) << open;
}

// Else each byte of it would have all of them looked at again.
TEST(http, a_field_goes_on_in_so_many_lines_and_no_more) {
  const auto folded = [](std::size_t lines) {
    Dialogue dialogue = {{0, "GET / HTTP/1.1\r\nUser-Agent: a"}};
    for (std::size_t i = 0; i < lines; ++i) dialogue.push_back({0, "\n b"});
    dialogue.push_back({0, "\r\n\r\n"});
    return hear(dialogue);
  };
  EXPECT_THAT(folded(Http::kFoldsMax).objects, testing::HasSubstr("\"original\":\"a b b"));
  EXPECT_FALSE(folded(Http::kFoldsMax).is_malformed);
  EXPECT_TRUE(folded(Http::kFoldsMax + 1).is_malformed);
}

// They are taken as they come, not kept until something else does.
TEST(http, empty_lines_before_a_request_are_passed_over) {
  const Dialogue late = {{1, "HTTP/1.1 100 Continue\r\n\r\n"},
                         {0, "\r\n\n\r\r\nGET /a HTTP/1.1\r\n\r\n"}};
  EXPECT_THAT(hear(late).objects, testing::HasSubstr("\"original\":\"/a\""));
  expect_same_however_cut(late);
  Dialogue many = late;
  many.insert(many.begin() + 1, kUnitBytesMax, Said{0, "\r\n"});
  EXPECT_EQ(hear(many).texts, hear(late).texts);
}

// The bytes that are malformed are not read again.
TEST(http, what_was_told_before_a_broken_field_is_told_once) {
  const Heard heard = hear(
      {{0, "GET / HTTP/1.1\r\nUpgrade: a\r\nUpgrade: b\r\nContent-Length: x\r\n"}, {0, "\r\n"}});
  EXPECT_TRUE(heard.is_malformed);
  EXPECT_EQ(heard.texts.size(), 6u);
}

TEST(http, a_response_without_request_is_a_transaction) {
  const Heard heard = hear({kPlain[1]});
  EXPECT_THAT(heard.objects, testing::HasSubstr(R"("status_code":200)"));
}

TEST(http, what_answers_another_thing_than_a_request_is_told) {
  const std::string refusal = "HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno";
  for (const std::string& probe :
       {"TP/1.1\r\nHost: a\r\n\r\n"s, "\x03\x00\x00\x0b\x06\xe0"s + std::string(5, '\0'),
        "get / HTTP/1.1\r\n\r\n"s, " GET / HTTP/1.1\r\n\r\n"s, "\n"s}) {
    const Heard heard = hear({{0, probe}, {1, refusal}, {0, probe}, {1, refusal}});
    EXPECT_EQ(heard.objects, R"(,"http":[{"version":"1.1","response":{"status_code":400,)"
                             R"("body":{"bytes":2}}},{"version":"1.1","response":{)"
                             R"("status_code":400,"body":{"bytes":2}}}])");
    EXPECT_FALSE(heard.is_malformed);
    expect_same_however_cut({{0, probe}, {1, refusal}});
  }
  // Which side is which may be known before the first word is whole.
  expect_same_however_cut({{1, refusal}, {0, "GET "}, {0, "* HTTP/1.0\r\n\r\n"}});
  for (const char* answer : {"ICY 200 OK\r\n\r\n", "HTTP/1.1 099 No\r\n\r\n"})
    EXPECT_TRUE(hear({kPlain[0], {1, answer}}).is_malformed) << answer;
}

TEST(http, a_gap_in_a_body_is_no_gap) {
  const Heard heard = hear({kPlain[0],
                            {1, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhello"},
                            {1, {}, 900},
                            {1, std::string(95, 'x')},
                            {0, "GET /next HTTP/1.1\r\n\r\n"}});
  EXPECT_FALSE(heard.has_gap);
  EXPECT_THAT(heard.objects, testing::HasSubstr(R"("body":{"bytes":1000})"));
  EXPECT_THAT(heard.objects, testing::HasSubstr("/next"));
}

// What each of these tells: which requests, with which answers.
std::string exchanges(const Dialogue& dialogue) {
  const std::string objects = hear(dialogue).objects;
  std::string told;
  for (std::size_t at = 0; (at = objects.find('"', at)) != std::string::npos; ++at) {
    for (const std::string_view key : {R"("original":"/)", R"("status_code":)"})
      if (objects.compare(at, key.size(), key) == 0)
        told += key.back() == '/' ? ' ' + objects.substr(at + key.size(), 1)
                                  : '=' + objects.substr(at + key.size(), 3);
  }
  return told;
}
// Of them, requests that have theirs.
int joined(const Dialogue& dialogue) {
  const std::string objects = hear(dialogue).objects;
  int count = 0;
  for (std::size_t at = 0; (at = objects.find("time_ns", at)) != std::string::npos; ++at) ++count;
  return count;
}
Said ask(const std::string& target) { return {0, "GET /" + target + " HTTP/1.1\r\n\r\n"}; }
Said say(const std::string& status) {
  return {1, "HTTP/1.1 " + status + " x\r\nContent-Length: 2\r\n\r\nab"};
}

TEST(http, behind_a_gap_the_next_exchange_is_told) {
  const Said rest_of_head = {1, "ent-Length: 5\r\n\r\nhello"};
  EXPECT_EQ(exchanges({ask("a"),
                       {1, "HTTP/1.1 200 x\r\nServer: y\r\nX"},
                       {1, {}, 9},
                       rest_of_head,
                       ask("b"),
                       say("201"),
                       ask("c"),
                       say("202")}),
            " a=200 b=201 c=202");
  // A whole response; a request up to its fields; one with its beginning.
  EXPECT_EQ(exchanges({ask("a"), {1, {}, 9}, ask("b"), say("201")}), " a b=201");
  EXPECT_EQ(exchanges({{0, "GET /a HTTP/1.1\r\nX: y"},
                       {0, {}, 9},
                       {0, "z\r\n\r\n"},
                       say("200"),
                       ask("b"),
                       say("201")}),
            " a=200 b=201");
  EXPECT_EQ(exchanges({ask("a"),
                       say("200"),
                       {0, {}, 9},
                       {0, "Host: z\r\n\r\n"},
                       say("201"),
                       ask("c"),
                       say("202")}),
            " a=200=201 c=202");
  EXPECT_EQ(exchanges({{0, {}, 9}, say("200"), ask("b"), say("201")}), "=200 b=201");
}

TEST(http, bodies_of_every_kind_are_counted) {
  const std::string chunked = "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string bytes(175, '.');
  for (const auto& [said, count] :
       {std::pair{Dialogue{{1, chunked + "09\r\n" + bytes.substr(0, 9) + "\r\n0\r\n\r\n"}}, 9},
        {Dialogue{{1, chunked + "aF\r\n" + bytes + "\r\n1a ;x\r\n" + bytes.substr(0, 26) + "\r\n"}},
         201},
        {Dialogue{{1, "HTTP/1.0 200 x\r\n\r\nab"}, {1, {}, 7}, {1, "cd"}}, 11}}) {
    Dialogue dialogue = {ask("a"), {1, "HTTP/1.1 103 x\r\n\r\nHTTP/1.1 102 x\r\n\r\n"}};
    dialogue.insert(dialogue.end(), said.begin(), said.end());
    EXPECT_EQ(exchanges(dialogue), " a=200");
    EXPECT_THAT(hear(dialogue).objects,
                testing::HasSubstr(R"("body":{"bytes":)" + std::to_string(count) + '}'));
  }
}

TEST(http, requests_of_one_packet_have_a_response_each_and_too_many_that_wait_none) {
  const Dialogue at_once = {{0, ask("a").bytes + ask("b").bytes + ask("c").bytes},
                            {1, say("200").bytes + say("201").bytes + say("202").bytes},
                            ask("d"),
                            say("203")};
  EXPECT_EQ(exchanges(at_once), " a=200 b=201 c=202 d=203");
  EXPECT_EQ(joined(at_once), 4);
  Dialogue many;
  for (std::size_t i = 0; i < Http::kPendingMax + 2; ++i) many.push_back(ask("a"));
  for (std::size_t i = 0; i < Http::kPendingMax + 2; ++i) many.push_back(say("200"));
  many.insert(many.end(), {ask("b"), say("201")});
  EXPECT_EQ(exchanges(many).substr(exchanges(many).find("=200=200")), "=200=200 b=201");
  EXPECT_EQ(joined(many), Http::kPendingMax + 1);
}

TEST(http, what_began_before_the_capture_is_passed_over) {
  for (const std::size_t bytes : {20, 127, 128, 1000, 30'000}) {
    const std::string rest(bytes, '.');
    EXPECT_EQ(exchanges({{1, rest}, {1, rest}, ask("a"), say("200"), ask("b"), say("201")}),
              " a=200 b=201")
        << bytes;
    EXPECT_EQ(exchanges({{0, rest}, {0, rest}, say("200"), ask("b"), say("201")}), "=200 b=201")
        << bytes;
    // What was pipelined then is told without its answer, not with another one's.
    const Dialogue pipelined = {{1, rest}, ask("a"), {1, rest}, say("200"), ask("b"), say("201")};
    EXPECT_EQ(exchanges(pipelined), " a b=201") << bytes;
    EXPECT_FALSE(hear(pipelined).is_malformed);
  }
}

// As clients do that have to say who they are first (RFC 9110 §10.1.1).
TEST(http, a_body_that_waits_for_leave_may_never_come) {
  const auto put = [](const std::string& length) {
    return Said{0, "PUT /a HTTP/1.1\r\nExpect: 100-Continue\r\n" + length + "\r\n"};
  };
  const Said put_five = put("Content-Length: 5\r\n");
  const Said put_chunks = put("Transfer-Encoding: chunked\r\n");
  const Said leave = {1, "HTTP/1.1 100 Continue\r\n\r\n"};
  const Said chunks = {0, "5\r\nhello\r\n0\r\n\r\n"};
  for (const Said& refused : {put_five, put_chunks})
    for (const Said& answered : {put_five, put_chunks}) {
      const Said body = answered.bytes == put_five.bytes ? Said{0, "hello"} : chunks;
      const Dialogue dialogue = {refused, say("401"), answered, leave,
                                 body,    say("201"), ask("b"), say("202")};
      EXPECT_EQ(exchanges(dialogue), " a=401 a=201 b=202");
      EXPECT_EQ(hear(dialogue).objects.find(R"("body":{"bytes":5})"),
                hear(dialogue).objects.rfind(R"("body":{"bytes":5})"));
      expect_same_however_cut(dialogue);
    }
  // Sent without waiting, though it was refused, and with its beginning lost.
  const std::vector<Dialogue> sent = {
      {put_five, {0, "hello"}, ask("b"), say("201"), say("202")},
      {put_five, say("201"), {0, "hello"}, ask("b"), say("202")},
      {put_five, leave, {0, {}, 3}, {0, "lo"}, say("201"), ask("b"), say("202")},
      {put_five, leave, {0, {}, 5}, say("201"), ask("b"), say("202")},
      {put_five, say("201"), {0, "HE"}, {0, {}, 3}, ask("b"), say("202")}};
  for (const Dialogue& dialogue : sent) {
    EXPECT_EQ(exchanges(dialogue), " a=201 b=202");
    EXPECT_THAT(hear(dialogue).objects, testing::HasSubstr(R"("body":{"bytes":5})"));
  }
  // One that could begin a method, and a request behind an empty line.
  EXPECT_THAT(hear({put_five, say("201"), {0, "HELLO"}}).objects,
              testing::HasSubstr(R"("body":{"bytes":5})"));
  const Dialogue refused = {put_five, say("401"), {0, "\r\n"}, ask("b"), say("202")};
  EXPECT_EQ(exchanges(refused), " a=401 b=202");
  expect_same_however_cut(refused);
}

// It may have been a HEAD.
TEST(http, a_response_to_an_unseen_request_may_have_no_body) {
  const Said length = {1, "HTTP/1.1 200 x\r\nContent-Length: 900\r\n\r\n"};
  const Said chunks = {1, "HTTP/1.1 201 x\r\nTransfer-Encoding: chunked\r\n\r\n"};
  const Dialogue heads = {length, chunks, length, say("202"), chunks, {1, "0\r\n\r\n"}, say("203")};
  EXPECT_EQ(exchanges(heads), "=200=201=200=202=201=203");
  EXPECT_FALSE(hear(heads).is_malformed);
  expect_same_however_cut(heads);
  const Said to_end = {1, "HTTP/1.1 204 x\r\n\r\nHTTP/1.1 200 x\r\nServer: y\r\n\r\n"};
  const Dialogue ends = {to_end, say("202"), to_end, {1, "HTML to its end"}};
  EXPECT_EQ(exchanges(ends), "=204=200=202=204=200");
  EXPECT_THAT(hear(ends).objects, testing::HasSubstr(R"("body":{"bytes":15})"));
  expect_same_however_cut(ends);
  const Dialogue body = {length, {1, std::string(900, 'H')}, say("202")};
  EXPECT_EQ(exchanges(body), "=200=202");
  EXPECT_THAT(hear(body).objects, testing::HasSubstr(R"("body":{"bytes":900})"));
}

TEST(http, a_body_that_was_cut_off_tells_what_came_of_it) {
  const Heard heard =
      hear({kPlain[0], {1, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhello"}});
  EXPECT_THAT(heard.objects, testing::HasSubstr(R"("body":{"bytes":5})"));
}

TEST(http, fields_of_the_other_kind_of_message_are_not_told) {
  const auto objects = [](const std::string& of_answers, const std::string& of_requests) {
    return hear({{0, "GET / HTTP/1.1\r\n" + of_answers + "\r\n"},
                 {1, "HTTP/1.1 204 No\r\n" + of_requests + "\r\n"}})
        .objects;
  };
  EXPECT_EQ(objects("Server: a\r\nLocation: b\r\n", "User-Agent: c\r\nReferer: d\r\nHost: e\r\n"),
            objects("", ""));
}

TEST(http, some_answers_have_no_body_whatever_they_say) {
  for (const std::string status : {"204", "304"})
    EXPECT_THAT(hear({kPlain[0],
                      kPlain[0],
                      {1, "HTTP/1.1 " + status + " No\r\nContent-Length: 9\r\n\r\n"},
                      {1, "HTTP/1.1 299 Next\r\n\r\n"}})
                    .objects,
                testing::HasSubstr(R"("status_code":299)"));
}

TEST(http, behind_connect_another_protocol_begins) {
  const Dialogue tunnel = {{0, "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n"},
                           {1, "HTTP/1.1 200 Established\r\n\r\n"},
                           {0, kPlain[0].bytes},
                           {1, kPlain[1].bytes}};
  expect_same_however_cut(tunnel);
  const Heard heard = hear(tunnel);
  EXPECT_THAT(heard.objects, testing::HasSubstr(R"("domain":"example.com","port":443)"));
  EXPECT_THAT(heard.objects, testing::HasSubstr("/a/b?c=d"));
}

TEST(http, a_tunnel_begins_behind_a_proxys_words_though_nobody_saw_it_asked_for) {
  const Dialogue heard = {{0, "HTTP/1.0 200 Connection Established\r\nVia: 1.1 a\r\n\r\n"},
                          {0, "SSH-2.0-b\r\n"}};
  EXPECT_EQ(hear(heard).protocol, "ssh");
  expect_same_however_cut(heard);
}

TEST(http, behind_an_upgrade_and_every_agreement_to_connect_another_protocol_begins) {
  for (const auto& [request, status] : {std::pair{"GET / HTTP/1.1\r\nUpgrade: x\r\n\r\n", "101"},
                                        {"CONNECT a:22 HTTP/1.1\r\n\r\n", "201"}})
    EXPECT_EQ(hear({{0, request},
                    {1, "HTTP/1.1 "s + status + " Go\r\n\r\nSSH-2.0-b\r\n"},
                    {0, "SSH-2.0-a\r\n"}})
                  .protocol,
              "ssh");
  EXPECT_EQ(exchanges({ask("a"), {1, "HTTP/1.1 101 Go\r\n\r\nSSH-2.0-b\r\n"}}), " a=101");
}

TEST(http, a_blank_line_behind_connect_is_not_the_tunnels) {
  const Dialogue tunnel = {{0, "CONNECT example.com:80 HTTP/1.1\r\n\r\n\n"},
                           {1, "HTTP/1.1 200 Established\r\n\r\n\n"},
                           {0, kPlain[0].bytes},
                           {1, kPlain[1].bytes}};
  expect_same_however_cut(tunnel);
  EXPECT_THAT(hear(tunnel).objects, testing::HasSubstr("/a/b?c=d"));
}

TEST(http, what_a_client_says_behind_connect_waits_for_the_answer) {
  const std::string connect = "CONNECT example.com:443 HTTP/1.1\r\n\r\n";
  const Dialogue early = {{0, connect},
                          {0, kPlain[0].bytes},
                          {1, "HTTP/1.1 200 Established\r\n\r\n"},
                          {1, kPlain[1].bytes}};
  expect_same_however_cut(early);
  const Heard heard = hear(early);
  EXPECT_THAT(heard.objects, testing::HasSubstr("/a/b?c=d"));
  EXPECT_THAT(heard.objects, testing::HasSubstr(R"("status_code":200)"));
  EXPECT_FALSE(heard.is_malformed);

  const Heard refused = hear({{0, connect},
                              {1, "HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n"},
                              {0, connect},
                              {1, "HTTP/1.1 403 No\r\n\r\n"}});
  EXPECT_THAT(refused.objects, testing::HasSubstr(R"("status_code":407)"));
  EXPECT_THAT(refused.objects, testing::HasSubstr(R"("status_code":403)"));
}

TEST(http, a_tunnel_whose_beginning_was_lost_is_not_read) {
  const Heard heard = hear({{0, "CONNECT a:22 HTTP/1.1\r\n\r\n"},
                            {1, "HTTP/1.1 200 Go\r\nProxy-Ag"},
                            {1, {}, 20},
                            {1, "SSH-2.0-b\r\n"},
                            {0, "SSH-2.0-a\r\n"}});
  EXPECT_FALSE(heard.is_malformed);
  EXPECT_THAT(heard.objects, testing::HasSubstr(R"("status_code":200)"));
}

// As in a capture of one direction.
TEST(http, what_follows_another_protocol_s_unseen_beginning_is_not_malformed) {
  const std::string frames(Http::kLineBytesMax + 1, '\x81');
  for (const std::string ask :
       {"CONNECT a:22 HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nUpgrade: x\r\n\r\n"}) {
    EXPECT_FALSE(hear({{0, ask}, {0, frames}}).is_malformed) << ask;
    EXPECT_FALSE(hear({{0, ask}, {0, "\x81\n"}, {0, frames}}).is_malformed) << ask;
    const Dialogue early = {{0, ask},
                            {0, "SSH-2.0-a\r\n"},
                            {1, "HTTP/1.1 " + (ask[0] == 'G' ? "101"s : "200"s) + " Go\r\n\r\n"},
                            {1, "SSH-2.0-b\r\n"}};
    EXPECT_EQ(hear(early).protocol, "ssh");
    expect_same_however_cut(early);
  }
  EXPECT_EQ(
      exchanges({{0, "GET /a HTTP/1.1\r\nUpgrade: x\r\n\r\n"}, ask("b"), say("200"), say("201")}),
      " a=200 b=201");
}

TEST(http, a_length_may_be_repeated_but_not_another_one) {
  const auto answered = [](const std::string& fields) {
    return hear({{1, "HTTP/1.1 200 OK\r\n" + fields + "\r\nabHTTP/1.1 204 No\r\n\r\n"}});
  };
  for (const std::string fields :
       {"Content-Length: 2\r\n", "Content-Length: 2, 2\r\n", "Content-Length : 2\r\n",
        "Content-Length: 2\r\ncontent-length:2 ,2\r\n",
        "Content-Length: 00000000000000000000000002\r\n", "Content-Length: 2,\r\n",
        "Content-Length: , 2 ,,2\r\n"}) {
    const Heard heard = answered(fields);
    EXPECT_FALSE(heard.is_malformed) << fields;
    EXPECT_THAT(heard.objects, testing::HasSubstr(R"("body":{"bytes":2}}},{)")) << fields;
    EXPECT_THAT(heard.objects, testing::HasSubstr(R"("status_code":204)")) << fields;
  }
  for (const std::string fields :
       {"Content-Length: 3, 2\r\n", "Content-Length: ,\r\n", "Content-Length: 2, x\r\n",
        "Content-Length: -2\r\n", "Content-Length: 3\r\nContent-Length: 2\r\n",
        "Content-Length: 1000000000000000000\r\n"})
    EXPECT_TRUE(answered(fields).is_malformed) << fields;
}

// It is not the body's, or there is none (RFC 9112 §6.3).
TEST(http, a_bad_length_is_malformed_only_where_it_counts) {
  const auto answered = [](const std::string& request, const std::string& response) {
    const Dialogue dialogue = {{0, request + " /a HTTP/1.1\r\n\r\n"},
                               {1, "HTTP/1.1 " + response},
                               {0, "GET /b HTTP/1.1\r\n\r\n"},
                               {1, "HTTP/1.1 299 Next\r\nContent-Length: 0\r\n\r\n"}};
    expect_same_however_cut(dialogue);
    return hear(dialogue);
  };
  const std::string chunked = "Transfer-Encoding: chunked\r\n", chunks = "3\r\nabc\r\n0\r\n\r\n";
  for (const std::string length :
       {"Content-Length: -1\r\n", "Content-Length:\r\n", "Content-Length: x, 2\r\n",
        "Content-Length: 3\r\nContent-Length: 2\r\n",
        "Content-Length: 2\r\nContent-Length: x\r\n"}) {
    for (const auto& [request, response] :
         {std::pair{"GET"s, "304 No\r\n" + length + "\r\n"},
          {"GET", "204 No\r\n" + length + "\r\n"},
          {"GET", "100 Go\r\n" + length + "\r\nHTTP/1.1 204 No\r\n\r\n"},
          {"HEAD", "200 OK\r\n" + length + "\r\n"},
          {"GET", "200 OK\r\n" + length + chunked + "\r\n" + chunks},
          {"GET", "200 OK\r\n" + chunked + length + "\r\n" + chunks}}) {
      const Heard heard = answered(request, response);
      EXPECT_FALSE(heard.is_malformed) << request << response;
      EXPECT_THAT(heard.objects, testing::HasSubstr(R"("status_code":299)")) << request << response;
    }
    EXPECT_TRUE(answered("GET", "200 OK\r\n" + length + "\r\nab").is_malformed) << length;
    const std::string coded = "HTTP/1.1 200 OK\r\n" + length + "Transfer-Encoding: gzip\r\n\r\nab";
    EXPECT_THAT(hear({kPlain[0], {1, coded}}).objects, testing::HasSubstr(R"("body":{"bytes":2})"));
    EXPECT_THAT(hear({{1, coded}}).objects, testing::HasSubstr(R"("body":{"bytes":2})"));
  }
}

TEST(http, the_last_coding_is_one_word) {
  for (const char* codings :
       {"chunked", "gzip, chunked", "gzip,CHUNKED ", "chunked,", "gzip,, chunked ,\t, ",
        "chunked\r\nTransfer-Encoding:", "chunked\r\nTransfer-Encoding: ,", "x\tchunked"}) {
    const Heard heard = hear({kPlain[0],
                              {1, "HTTP/1.1 200 OK\r\nTransfer-Encoding: " + std::string(codings) +
                                      "\r\n\r\n3\r\nabc\r\n0\r\n\r\n"}});
    const bool is_chunked = std::string_view(codings) != "x\tchunked";
    EXPECT_THAT(heard.objects, testing::HasSubstr(is_chunked ? R"("body":{"bytes":3})"
                                                             : R"("body":{"bytes":13})"));
  }
}

// A length beside it is not the body's (RFC 9112 §6.3); "identity" is none.
TEST(http, of_a_coding_that_is_not_chunked_the_body_ends_with_its_side) {
  const auto answered = [](const std::string& coding) {
    return hear({kPlain[0],
                 {1, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: " + coding +
                         "\r\n\r\nabcdef"}});
  };
  EXPECT_THAT(answered("gzip").objects, testing::HasSubstr(R"("body":{"bytes":6})"));
  EXPECT_THAT(answered("identity").objects, testing::HasSubstr(R"("body":{"bytes":3})"));
  const Heard asked = hear({{0, "POST / HTTP/1.1\r\nTransfer-Encoding: x\r\n\r\nabcdef"},
                            {1, "HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n"}});
  EXPECT_THAT(asked.objects, testing::HasSubstr(R"("body":{"bytes":6})"));
  EXPECT_THAT(asked.objects, testing::HasSubstr(R"("status_code":400)"));
  EXPECT_FALSE(asked.is_malformed);
}

TEST(http, a_chunk_size_may_begin_with_zeros) {
  const auto answered = [](const std::string& size) {
    return hear({{1, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + size +
                         "\r\nabc\r\n0\r\n\r\nHTTP/1.1 204 No\r\n\r\n"}});
  };
  for (const std::string size : {"3", "00000000000000000000000003", "3;a=b", "3\t;a"})
    EXPECT_THAT(answered(size).objects, testing::HasSubstr(R"("status_code":204)")) << size;
  for (const std::string size : {"", "x", "1000000000000000"})
    EXPECT_TRUE(answered(size).is_malformed);
}

TEST(http, a_line_longer_than_the_limit_is_malformed) {
  const Dialogue endless = {{0, "GET / HTTP/1.1\r\nX: " + std::string(Http::kLineBytesMax, 'x')}};
  EXPECT_TRUE(hear(endless).is_malformed);
}

TEST(http, a_long_value_is_cut_and_says_so) {
  const Heard heard =
      hear({{0, "GET / HTTP/1.1\r\nUser-Agent: " + std::string(3'000, 'x') + "\r\n\r\n"}});
  EXPECT_THAT(heard.objects, testing::HasSubstr(std::string(kTextBytesMax, 'x') + '"'));
  EXPECT_THAT(heard.objects, testing::HasSubstr(R"("cut":["user_agent.original"])"));
}

TEST(http, any_number_of_requests_that_come_at_once_join_their_responses) {
  Dialogue dialogue(1);
  for (int i = 0; i < 100; ++i) dialogue[0].bytes += "HEAD / HTTP/1.1\r\n\r\n";
  dialogue[0].bytes += "GET /a HTTP/1.1\r\n\r\n";
  for (int i = 0; i < 100; ++i)
    dialogue.push_back({1, "HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n"});
  dialogue.push_back(say("201"));
  for (const std::uint16_t transactions : {101, 50}) {
    const Heard heard = hear(dialogue, Carrier::stream,
                             {.conversations = 1, .memory = 4 << 20, .transactions = transactions});
    EXPECT_EQ(heard.transactions_dropped, 101u - transactions);
    EXPECT_FALSE(heard.is_malformed);
  }
  const Heard heard =
      hear(dialogue, Carrier::stream, {.conversations = 1, .memory = 4 << 20, .transactions = 101});
  EXPECT_THAT(heard.objects, testing::HasSubstr(R"("original":"/a","path":"/a"},"version":"1.1",)"
                                                R"("response":{"status_code":201)"));
}

TEST(http, more_requests_than_wait_for_responses_are_told_apart) {
  Dialogue dialogue(40, Said{0, "GET / HTTP/1.1\r\n\r\n"});
  for (int i = 0; i < 40; ++i) dialogue.push_back({1, "HTTP/1.1 204 No Content\r\n\r\n"});
  const Heard heard =
      hear(dialogue, Carrier::stream, {.conversations = 1, .memory = 4 << 20, .transactions = 45});
  EXPECT_EQ(heard.transactions_dropped, 3u);  // 40 requests and 8 responses apart
}

}  // namespace
}  // namespace linger::test
