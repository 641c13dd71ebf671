#include "parsers/smtp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/parsers/dialogue.h"
#include "tests/support/tls_words.h"

namespace linger::test {
namespace {

using testing::HasSubstr;

const Dialogue kMails = {
    {1, "220 mx.example.com ESMTP Postfix\r\n"},
    {0, "EHLO client.example.org\r\n"},
    {1, "250-mx.example.com\r\n250-PIPELINING\r\n250 8BITMIME\r\n"},
    {0,
     "MAIL FROM:<a@example.org> SIZE=100\r\nRCPT TO:<b@example.com>\r\nrcpt to: c@example.com\r\n"
     "DATA\r\n"},
    {1, "250 Ok\r\n250 Ok\r\n550 5.1.1 No such user\r\n354 Go on\r\n"},
    {0, "Subject: x\r\n\r\nMAIL FROM:<not@a.command>\r\n..\r\n.\r\nMAIL FROM:<>\r\n"},
    {1, "250 Queued\r\n250 Ok\r\n"},
    {0, "BDAT 8\r\nRCPT TO:BDAT 2 LAST\r\n\r\nQUIT\r\n"},
    {1, "250 Ok\r\n250 Ok\r\n221 Bye\r\n"}};

const Dialogue kTls = {{1, "220 mx.example.com ESMTP\r\n"},
                       {0, "EHLO a\r\n"},
                       {1, "250-mx.example.com\r\n250 STARTTLS\r\n"},
                       {0, "STARTTLS\r\n"},
                       {1, "220 Go ahead\r\n"},
                       {0, "GET / HTTP/1.1\r\nHost: inside\r\n\r\n"}};

TEST(smtp, senders_recipients_and_refusals_are_told) {
  const Heard heard = hear(kMails);
  EXPECT_EQ(heard.protocol, "smtp");
  EXPECT_EQ(heard.objects,
            R"(,"smtp":{"banner":"mx.example.com ESMTP Postfix","helo":"client.example.org",)"
            R"("from":["a@example.org",""],"to":["b@example.com","c@example.com"],"mails":2,)"
            R"("refusals":[{"code":550,"text":"5.1.1 No such user"}]})");
  EXPECT_FALSE(heard.is_malformed);
}

TEST(smtp, starttls_hands_over) {
  const Heard heard = hear(kTls);
  EXPECT_EQ(heard.protocol, "http");
  EXPECT_THAT(heard.objects, HasSubstr(R"("starttls":true)"));
  EXPECT_THAT(heard.objects, HasSubstr(R"("domain":"inside")"));
}

TEST(smtp, a_client_that_begins_tls_unasked_is_read) {
  const Heard heard = hear({{1, "220 mx.example.com ESMTP\r\n"},
                            {0, tls_1_2().front()},
                            {1, "402 4.5.2 Error: command not recognized\r\n"}});
  EXPECT_EQ(heard.protocol, "tls");
  EXPECT_THAT(heard.objects, HasSubstr(R"("banner":"mx.example.com ESMTP")"));
  EXPECT_THAT(heard.objects, HasSubstr(R"("server_name":"www.example.com")"));
  EXPECT_TRUE(heard.is_malformed);
}

TEST(smtp, a_refused_starttls_goes_on) {
  Dialogue refused(kTls.begin(), kTls.begin() + 4);
  refused.push_back({1, "454 Not now\r\n"});
  refused.push_back({0, "MAIL FROM:<a@example.org>\r\n"});
  const Heard heard = hear(refused);
  EXPECT_THAT(heard.objects, HasSubstr(R"("from":["a@example.org"])"));
  EXPECT_THAT(heard.objects, testing::Not(HasSubstr("starttls")));
}

TEST(smtp, credentials_are_not_told) {
  const Heard heard = hear({{1, "220 mx.example.com ESMTP\r\n"},
                            {0, "EHLO a\r\n"},
                            {1, "250 AUTH LOGIN\r\n"},
                            {0, "AUTH LOGIN\r\n"},
                            {1, "334 VXNlcm5hbWU6\r\n"},
                            {0, "Ym9i\r\n"},
                            {1, "334 UGFzc3dvcmQ6\r\n"},
                            {0, "MAIL FROM:<is@a.password>\r\n"},
                            {1, "535 No\r\n"},
                            {0, "MAIL FROM:<a@example.org>\r\n"}});
  EXPECT_EQ(heard.objects,
            R"(,"smtp":{"banner":"mx.example.com ESMTP","helo":"a","authentication":"LOGIN",)"
            R"("from":["a@example.org"],"refusals":[{"code":535,"text":"No"}]})");
}

TEST(smtp, of_authentication_the_mechanism_is_told_and_no_more) {
  const auto told = [](const std::string& arguments) {
    return hear({{1, "220 mx.example.com ESMTP\r\n"},
                 {0, "EHLO a\r\n"},
                 {1, "250 AUTH\r\n"},
                 {0, "AUTH " + arguments + "\r\n"},
                 {1, "235 Ok\r\n"}})
        .objects;
  };
  for (const char* arguments :
       {"PLAIN AGJvYgBzZWNyZXQ=", "PLAIN\tAGJvYgBzZWNyZXQ=", "PLAIN=AGJvYgBzZWNyZXQ="})
    EXPECT_THAT(told(arguments), HasSubstr(R"("authentication":"PLAIN"})")) << arguments;
  for (const std::string mechanism : {"plain", "Plain", "Cram-MD5", "X-NEW"})
    EXPECT_THAT(told(mechanism + " x"), HasSubstr(R"("authentication":")" + mechanism + "\"}"));
  for (const char* arguments :
       {"AGJvYgBzZWNyZXQ=", "AGJvYgBzZWNyZXQ", "AGJVYGBZZWNYZXQAGJVYGBZZWNY"})
    EXPECT_THAT(told(arguments), testing::Not(HasSubstr("authentication"))) << arguments;
}

TEST(smtp, a_password_that_the_server_repeats_is_not_told) {
  const auto told = [](const std::string& answer, const std::string& more) {
    return hear({{1, "220 mx.example.com ESMTP\r\n"},
                 {0, "EHLO a\r\n"},
                 {1, "250 AUTH\r\n"},
                 {0, "AUTH LOGIN\r\n"},
                 {1, answer + "\r\n"},
                 {0, "c2VjcmV0\r\n"},
                 {1, more + "\r\n"}})
        .objects;
  };
  EXPECT_THAT(told("334 VXNlcm5hbWU6", "501 Cannot decode c2VjcmV0"),
              HasSubstr(R"("refusals":[{"code":501}]})"));
  EXPECT_THAT(told("504 No", "500 Unknown command c2VjcmV0"),
              HasSubstr(R"("refusals":[{"code":504,"text":"No"},{"code":500}]})"));
  EXPECT_THAT(told("334 VXNlcm5hbWU6", "535 No"),
              HasSubstr(R"("refusals":[{"code":535,"text":"No"}]})"));
  EXPECT_THAT(told("235 Yes", "501 No"), HasSubstr(R"("refusals":[{"code":501,"text":"No"}]})"));
}

TEST(smtp, addresses_and_refusals_beyond_their_limits_are_counted) {
  Dialogue mails = {{1, "220 mx.example.com ESMTP\r\n"}, {0, "EHLO a\r\n"}, {1, "250 Ok\r\n"}};
  for (std::uint32_t i = 0; i <= Smtp::kAddressesMax; ++i)
    mails.push_back({0, "MAIL FROM:<f@x>\r\nRCPT TO:<t@x>\r\n"});
  mails.push_back({1, "250 Ok\r\n"});
  for (std::uint32_t i = 0; i <= Smtp::kRefusalsMax; ++i) mails.push_back({1, "550 r@x\r\n"});
  const Heard heard = hear(mails);
  EXPECT_EQ(heard.values_dropped, 3u);
  for (const auto& [address, count] : {std::pair{"f@x", Smtp::kAddressesMax},
                                       {"t@x", Smtp::kAddressesMax},
                                       {"r@x", Smtp::kRefusalsMax}}) {
    std::uint32_t found = 0;
    for (std::size_t at = 0; (at = heard.objects.find(address, at)) != std::string::npos; ++at)
      ++found;
    EXPECT_EQ(found, count) << address;
  }
}

TEST(smtp, a_refused_mail_is_none) {
  const Heard heard = hear({{1, "220 mx.example.com ESMTP\r\n"},
                            {0, "HELO a\r\n"},
                            {1, "250 Ok\r\n"},
                            {0, "DATA\r\n"},
                            {1, "503 No\r\n"},
                            {0, "MAIL FROM:<a@example.org>\r\n"}});
  EXPECT_THAT(heard.objects, HasSubstr(R"("from":["a@example.org"])"));
  EXPECT_THAT(heard.objects, testing::Not(HasSubstr("mails")));
}

TEST(smtp, it_goes_on_behind_a_gap_in_a_mail) {
  Dialogue missed = kMails;
  missed[5] = {0, "Subject: x\r\n"};
  missed.insert(missed.begin() + 6, {{0, "", 1'000}, {0, "MAIL FROM:<no@command>\r\n.\r\n"}});
  missed.push_back({0, "MAIL FROM:<z@example.org>\r\n"});
  const Heard heard = hear(missed);
  EXPECT_TRUE(heard.has_gap);
  EXPECT_THAT(heard.objects, HasSubstr(R"("from":["a@example.org","z@example.org"])"));
}

TEST(smtp, it_goes_on_behind_a_gap_of_the_server) {
  for (const std::size_t replies : {2, 4, 6}) {
    Dialogue missed = kMails;
    const std::string words = missed[replies].bytes;
    missed[replies].bytes = words.substr(0, 5);
    missed.insert(missed.begin() + static_cast<std::ptrdiff_t>(replies) + 1,
                  {{1, "", 3}, {1, words.substr(8)}});
    const Heard heard = hear(missed);
    EXPECT_TRUE(heard.has_gap);
    EXPECT_FALSE(heard.is_malformed);
    EXPECT_EQ(heard.objects, hear(kMails).objects);
    expect_same_however_cut(missed);
  }
}

// What `said` tells behind a greeting, however it is cut.
Heard hear_behind_greeting(const Dialogue& said) {
  Dialogue dialogue(kMails.begin(), kMails.begin() + 3);
  dialogue.insert(dialogue.end(), said.begin(), said.end());
  expect_same_however_cut(dialogue);
  const Heard heard = hear(dialogue);
  EXPECT_TRUE(heard.has_gap);
  EXPECT_FALSE(heard.is_malformed);
  return heard;
}

TEST(smtp, it_goes_on_behind_commands_that_were_missed) {
  const Said gap = {0, "", 30}, to = {0, "RCPT TO:<b@example.com>\r\n"};
  EXPECT_THAT(hear_behind_greeting({{1, "250 Ok\r\n"}, gap, to}).objects,
              HasSubstr(R"("to":["b@example.com"])"));
  const Dialogue torn = {{0, "MAIL FROM:<a@exa"}, gap, {0, "RCPT TO:<no@command>\r\n"}, to};
  EXPECT_THAT(hear_behind_greeting(torn).objects, HasSubstr(R"("to":["b@example.com"])"));
  const Dialogue answered = {{0, "MAIL FROM:<a@exa"}, gap, {1, "250 Ok\r\n"}, to};
  EXPECT_THAT(hear_behind_greeting(answered).objects, HasSubstr(R"("to":["b@example.com"])"));
  EXPECT_THAT(hear_behind_greeting({gap, {0, std::string(5'000, 'x') + "\r\n"}, to}).objects,
              HasSubstr(R"("to":["b@example.com"])"));
  for (const std::string middle : {"", "220 org\r\n"}) {
    const Said rest = {0, middle + kMails[3].bytes};
    const Heard heard = hear({kMails[0], kMails[2], gap, rest, kMails[4]});
    EXPECT_THAT(heard.objects, HasSubstr(R"("from":["a@example.org"])"));
    EXPECT_FALSE(heard.is_malformed);
  }
  for (const std::string no_command :
       {"Received: x", "MAIL FROM:a", "RCPT TO:", "MAILS FROM:<a>", "to: <a@b>", "EHLO:"})
    EXPECT_EQ(hear_behind_greeting({gap, {0, no_command + "\r\n"}}).objects,
              hear_behind_greeting({gap}).objects);
}

TEST(smtp, a_mail_whose_data_was_missed_is_no_command) {
  const Said gap = {0, "", 6}, leave = {1, "354 Go on\r\n"};
  const Said mail = {0, "RCPT TO:<not@a.command>\r\n.\r\nMAIL FROM:<z@example.org>\r\n"};
  for (const bool is_late : {true, false}) {
    const Heard heard = hear_behind_greeting({{0, "MAIL FROM:<a@example.org>\r\n"},
                                              {1, "250 Ok\r\n"},
                                              is_late ? leave : gap,
                                              is_late ? gap : leave,
                                              mail,
                                              {1, "250 Ok\r\n550 5.7.1 No\r\n"}});
    EXPECT_THAT(heard.objects, HasSubstr(R"("from":["a@example.org","z@example.org"],"mails":1,)"));
    EXPECT_THAT(heard.objects, testing::Not(HasSubstr("not@a.command")));
  }
}

TEST(smtp, a_second_gap_does_not_take_commands_for_a_mail) {
  const Heard heard = hear_behind_greeting({{1, "354 Go on\r\n"},
                                            {0, "", 6},
                                            {0, "text\r\n.\r\n"},
                                            {1, "250 Ok\r\n"},
                                            {0, "RSET\r\n"},
                                            {1, "250 Ok\r\n"},
                                            {0, "", 9},
                                            {0, "RCPT TO:<b@example.com>\r\n"}});
  EXPECT_THAT(heard.objects, HasSubstr(R"("to":["b@example.com"],"mails":1)"));
}

TEST(smtp, a_354_behind_a_gap_counts_replies_anew) {
  const Heard heard = hear_behind_greeting({{0, "", 9},
                                            {0, "RSET\r\n"},
                                            {1, "354 Go on\r\n"},
                                            {0, "text\r\n.\r\n"},
                                            {1, "250 Ok\r\n"},
                                            {0, "AUTH PLAIN AGJvYgBzZWNyZXQ=\r\n"},
                                            {1, "235 Ok\r\n"},
                                            {0, "MAIL FROM:<z@example.org>\r\n"}});
  EXPECT_THAT(heard.objects, HasSubstr(R"("from":["z@example.org"],"mails":1)"));
}

TEST(smtp, a_mail_captured_behind_its_reply_is_not_one_behind_a_later_gap) {
  const Heard heard = hear_behind_greeting({{1, "354 Go on\r\n"},
                                            {0, "DATA\r\ntext\r\n.\r\n"},
                                            {1, "250 Ok\r\n"},
                                            {0, "", 9},
                                            {0, "RCPT TO:<b@example.com>\r\n"}});
  EXPECT_THAT(heard.objects, HasSubstr(R"("to":["b@example.com"],"mails":1)"));
}

TEST(smtp, tls_is_found_though_starttls_was_missed) {
  const Heard heard =
      hear_behind_greeting({{1, "220 Go ahead\r\n"}, {0, "", 10}, {0, tls_1_2().front()}});
  EXPECT_EQ(heard.protocol, "tls");
  EXPECT_THAT(heard.objects, HasSubstr(R"("starttls":true)"));
}

TEST(smtp, a_reply_right_behind_a_gap_is_told_and_the_middle_of_one_is_not) {
  EXPECT_THAT(hear_behind_greeting({{0, "RSET\r\n"}, {1, "", 8}, {1, "550 No\r\n"}}).objects,
              HasSubstr(R"("code":550)"));
  for (const std::string middle : {"550/ No\r\n", "50 No\r\n", "No 550 No\r\n"})
    EXPECT_THAT(hear_behind_greeting({{0, "RSET\r\n"}, {1, "", 8}, {1, middle}}).objects,
                testing::Not(HasSubstr("refusals")));
  EXPECT_THAT(hear_behind_greeting({{1, "250"}, {1, "", 3}, {1, "550 No\r\n"}}).objects,
              testing::Not(HasSubstr("refusals")));
}

TEST(smtp, a_greeting_without_a_telling_word_waits_for_the_client) {
  EXPECT_EQ(hear({{1, "220 hello\r\n"}, {0, "EHLO a\r\n"}}).protocol, "smtp");
  EXPECT_EQ(hear({{1, "220 hello\r\n"}, {0, "HI\r\n"}, {1, "250 hello\r\n"}}).protocol, "smtp");
  EXPECT_EQ(hear({{1, "220 mx.example.com " + std::string(200, 'x') + "\r\n"}}).protocol, "smtp");
}

// Two taps, of which that of the client is late: the server's words come before what they answer.
TEST(smtp, a_server_may_refuse_instead_of_greeting) {
  for (const char* mail : {"554 mx.example.com No", "554-mx\r\n554 No", "421 4.3.2 No",
                           "550 5.7.1 No", "521 No", "421 Too many concurrent SMTP connections"}) {
    const Dialogue refused = {{1, std::string(mail) + "\r\n"}, {0, "QUIT\r\n"}, {1, "221 Bye\r\n"}};
    const std::string said(mail);
    EXPECT_THAT(hear(refused).objects,
                HasSubstr(R"(,"smtp":{"refusals":[{"code":)" + said.substr(0, 3) + R"(,"text":)"))
        << mail;
    expect_same_however_cut(refused);
  }
  for (const char* other :
       {"421 Timeout.", "421 4 users", "550 5.txt: No such mail", "550 5.7 GB", "550 No mail"})
    EXPECT_EQ(hear({{1, std::string(other) + "\r\n"}, {0, "QUIT\r\n"}}).protocol, "") << other;
}

TEST(smtp, replies_that_were_captured_before_their_commands_are_read) {
  Dialogue tls = kTls;
  tls.pop_back();
  for (unsigned i = 0; i < 2; ++i) tls.push_back({i, tls_1_2()[i], 0});
  for (const Dialogue& asked : {kMails, tls}) {
    Dialogue early;
    for (const Said& said : asked) {
      const bool is_answer = said.side == 1 && !early.empty() && early.back().side == 0;
      early.insert(early.end() - (is_answer ? 1 : 0), said);
    }
    EXPECT_EQ(hear(early).objects, hear(asked).objects);
    EXPECT_FALSE(hear(early).is_malformed);
    expect_same_however_cut(early);
  }
  const Heard heard = hear({kMails[0],
                            kMails[1],
                            kMails[2],
                            {1, "235 Ok\r\n"},
                            {0, "AUTH PLAIN AGJvYgBzZWNyZXQ=\r\n"},
                            {0, "MAIL FROM:<a@example.org>\r\n"},
                            {1, "250 Ok\r\n"}});
  EXPECT_THAT(heard.objects, HasSubstr(R"("from":["a@example.org"])"));
}

// Bytes of a BDAT that 32 bits do not count are no commands (RFC 3030 §2).
TEST(smtp, a_mail_of_more_than_four_gigabytes_is_skipped) {
  const Heard heard = hear({kMails[0],
                            kMails[1],
                            kMails[2],
                            {0, "BDAT 5000000000 LAST\r\nMAIL FROM:<not@a.command>\r\n"},
                            {0, {}, 5'000'000'000 - 27},
                            {0, "MAIL FROM:<a@example.org>\r\n"}});
  EXPECT_THAT(heard.objects, HasSubstr(R"("from":["a@example.org"],"mails":1)"));
  EXPECT_FALSE(heard.has_gap);
}

TEST(smtp, a_mail_counts_when_all_its_bytes_have_come) {
  const auto told = [](const std::string& bytes) {
    return hear({kMails[0], kMails[1], kMails[2], {0, "BDAT 5 LAST\r\n" + bytes}}).objects;
  };
  for (const char* part : {"", "hell"}) EXPECT_THAT(told(part), testing::Not(HasSubstr("mails")));
  for (const char* whole : {"hello", "helloQUIT\r\n"})
    EXPECT_THAT(told(whole), HasSubstr(R"("mails":1)"));
}

// TLS of the server in one piece with its agreement, and the client's at last.
TEST(smtp, tls_of_a_server_waits_for_the_clients) {
  const Heard heard = hear({kTls[0],
                            kTls[1],
                            kTls[2],
                            {1, "220 Go ahead\r\n" + tls_1_2()[1]},
                            kTls[3],
                            {0, tls_1_2()[0]}});
  EXPECT_THAT(heard.objects, HasSubstr(R"("server_name":"www.example.com")"));
  EXPECT_THAT(heard.objects, HasSubstr(R"("server":{"ja3s":)"));
  EXPECT_FALSE(heard.is_malformed);
}

// One direction of a link is all that some taps have.
TEST(smtp, a_client_without_its_server_begins_tls_when_it_does) {
  Dialogue alone = {kTls[1], kTls[3], {0, tls_1_2()[0]}};
  const Heard heard = hear(alone);
  EXPECT_EQ(heard.protocol, "tls");
  EXPECT_THAT(heard.objects, HasSubstr(R"("starttls":true)"));
  EXPECT_THAT(heard.objects, HasSubstr(R"("server_name":"www.example.com")"));
  expect_same_however_cut(alone);
  alone.back().bytes = "MAIL FROM:<a@example.org>\r\n";
  EXPECT_EQ(hear(alone).objects, R"(,"smtp":{"helo":"a","from":["a@example.org"]})");
}

// As LMTP has them.
TEST(smtp, a_reply_for_each_recipient_answers_no_other_command) {
  Dialogue mails = {{1, "220 mx.example.com LMTP\r\n"}, {0, "LHLO a\r\n"}, {1, "250 Ok\r\n"}};
  for (const char* from : {"a@example.org", "b@example.org"})
    mails.insert(mails.end(),
                 {{0, "MAIL FROM:<" + std::string(from) + ">\r\n"},
                  {1, "250 Ok\r\n"},
                  {0, "RCPT TO:<c@example.com>\r\nRCPT TO:<d@example.com>\r\nDATA\r\n"},
                  {1, "250 Ok\r\n250 Ok\r\n354 Go on\r\n"},
                  {0, "MAIL FROM:<no@command>\r\n.\r\n"},
                  {1, "250 Ok\r\n250 Ok\r\n"}});
  EXPECT_THAT(hear(mails).objects,
              HasSubstr(R"("from":["a@example.org","b@example.org"],)"
                        R"("to":["c@example.com","d@example.com","c@example.com","d@example.com"],)"
                        R"("mails":2)"));
}

TEST(smtp, what_is_quoted_does_not_end_an_address) {
  const Heard heard = hear({{1, "220 mx.example.com ESMTP\r\n"},
                            {0,
                             "HELO a\r\nMAIL FROM:<\">\\\"\"@example.org> SIZE=1\r\n"
                             "RCPT TO:<\"b@example.com>\r\n"}});
  EXPECT_THAT(heard.objects,
              HasSubstr(R"("from":["\">\\\"\"@example.org"],"to":["\"b@example.com"])"));
}

TEST(smtp, the_record_does_not_depend_on_segmentation) {
  expect_same_however_cut(kMails);
  expect_same_however_cut(kTls);
}

TEST(smtp, truncation_gaps_and_hostile_bytes_are_survived) {
  for (const Dialogue& dialogue : {kMails, kTls}) {
    expect_nothing_garbled(dialogue);
    expect_hostile_is_survived(dialogue);
  }
}

}  // namespace
}  // namespace linger::test
