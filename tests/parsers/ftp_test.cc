#include "parsers/ftp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/parsers/dialogue.h"
#include "tests/support/tls_words.h"

namespace linger::test {
namespace {

using testing::HasSubstr;

const Dialogue kTransfer = {
    {1, "220-Welcome\r\n anything\r\n221 of it\r\n220 FTP server ready\r\n"},
    {0, "USER bob\r\n"},
    {1, "331 Password?\r\n"},
    {0, "PASS secret\r\n"},
    {1, "230 Logged in\r\n"},
    {0, "TYPE I\r\n"},
    {1, "200 Binary\r\n"},
    {0, "PASV\r\n"},
    {1, "227 Entering Passive Mode (192,0,2,1,156,64).\r\n"},
    {0, "RETR a file\r\n"},
    {1, "150 Here it comes\r\n226 Done\r\n"},
    {0, "QUIT\r\n"},
    {1, "221 Bye\r\n"}};

const Dialogue kTls = {{1, "220 FTP\r\n"},
                       {0, "AUTH TLS\r\n"},
                       {1, "234 Go ahead\r\n"},
                       {0, "GET / HTTP/1.1\r\nHost: inside\r\n\r\n"}};

using Links = std::vector<std::string>;

TEST(ftp, commands_are_told_with_their_replies_and_data_connections) {
  const Heard heard = hear(kTransfer);
  EXPECT_EQ(heard.protocol, "ftp");
  EXPECT_EQ(heard.objects,
            R"(,"ftp":[{"reply":{"code":220,"text":"FTP server ready"}},)"
            R"({"command":"USER","argument":"bob","user":{"name":"bob"},)"
            R"("reply":{"code":331,"text":"Password?"}},)"
            R"({"command":"PASS","reply":{"code":230,"text":"Logged in"}},)"
            R"({"command":"PASV",)"
            R"("reply":{"code":227,"text":"Entering Passive Mode (192,0,2,1,156,64)."},)"
            R"("data":{"mode":"passive","ip":"192.0.2.1","port":40000}},)"
            R"({"command":"RETR","argument":"a file","reply":{"code":226,"text":"Done"}},)"
            R"({"command":"QUIT","reply":{"code":221,"text":"Bye"}}])");
  EXPECT_FALSE(heard.is_malformed);
}

// As servers take them: what parts a command from its argument is no letter, nor what is before it.
TEST(ftp, passwords_are_not_told_however_they_are_said) {
  for (const std::string said :
       {"PASS secret", "pAsS   secret", " PASS secret", "PASS\tsecret", "\tpass\xa0secret",
        "\xff\xf4PASS secret", "ACCT secret", "ADAT secret", "SITE PSWD old secret"}) {
    const Heard heard = hear({{1, "220 FTP\r\n"}, {0, said + "\r\n"}, {1, "200 Ok\r\n"}});
    EXPECT_THAT(heard.objects, testing::Not(HasSubstr("secret"))) << said;
    EXPECT_THAT(heard.objects, HasSubstr(R"("command":")")) << said;
    EXPECT_THAT(heard.objects, HasSubstr(R"("reply":{"code":200)")) << said;
  }
}

// By who does not understand the line, in whatever order the two sides were captured.
TEST(ftp, a_password_that_the_server_repeats_is_not_told) {
  const auto told = [](const std::string& said, const std::string& answer) {
    const Said command = {0, said + " secret\r\n"}, reply = {1, answer + "\r\n"};
    const Dialogue early = {{1, "220 FTP\r\n"}, reply, command};
    EXPECT_EQ(hear(early).objects.find("secret'"), std::string::npos);
    return hear({early[0], {0, "FEAT\r\n"}, {1, "502 No FEAT\r\n"}, command, reply}).objects;
  };
  for (const std::string command : {"PASS", "ACCT", "SITE PSWD"})
    EXPECT_THAT(told(command, "500 '" + command + " secret': what?"),
                HasSubstr(R"("reply":{"code":500}}])"));
  EXPECT_THAT(told("PASS", "530 Wrong"), HasSubstr(R"("reply":{"code":530,"text":"Wrong"}}])"));
  EXPECT_THAT(told("SIZE", "504 Wrong"), HasSubstr(R"("reply":{"code":504,"text":"Wrong"}}])"));
}

TEST(ftp, every_way_to_name_a_data_connection_is_read) {
  const auto data_of = [](const std::string& command, const std::string& reply) {
    const std::string objects =
        hear({{1, "220 FTP\r\n"}, {0, command + "\r\n"}, {1, reply + "\r\n"}}).objects;
    const std::size_t at = objects.find(R"("data":)");
    return at == std::string::npos ? std::string() : objects.substr(at);
  };
  EXPECT_EQ(data_of("PORT 192,0,2,7,0,21", "200 Ok"),
            R"("data":{"mode":"active","ip":"192.0.2.7","port":21}}])");
  EXPECT_EQ(data_of("EPRT |2|2001:db8::7|5282|", "200 Ok"),
            R"("data":{"mode":"active","ip":"2001:db8::7","port":5282}}])");
  EXPECT_EQ(data_of("EPRT |1|192.0.2.7|5282|", "200 Ok"),
            R"("data":{"mode":"active","ip":"192.0.2.7","port":5282}}])");
  EXPECT_EQ(data_of("EPSV", "229 Entering Extended Passive Mode (|||6446|)"),
            R"("data":{"mode":"passive","port":6446}}])");
  EXPECT_EQ(data_of("PASV", "227 =192,0,2,1,1,2"),
            R"("data":{"mode":"passive","ip":"192.0.2.1","port":258}}])");
  for (const char* reply : {"227 192,0,2,256,1,2", "227 1,2,3", "227 none", "229 (|||70000|)",
                            "229 (|||", "229 none", "229 ("})
    EXPECT_EQ(data_of("PASV", reply), "") << reply;
}

TEST(ftp, a_transfer_says_where_its_data_connection_goes) {
  EXPECT_EQ(hear(kTransfer).links,
            (Links{"ftp-data side 1 ip 192.0.2.1 port 40000"
                   R"(,"ftp":[{"control":{"command":"RETR","argument":"a file"}}])",
                   "over side 1 ip 192.0.2.1 port 40000"}));
  const auto links_of = [](const Dialogue& more) {
    Dialogue whole = {{1, "220 FTP\r\n"}};
    whole.insert(whole.end(), more.begin(), more.end());
    return hear(whole).links;
  };
  EXPECT_EQ(
      links_of({{0, "EPRT |2|2001:db8::7|5282|\r\n"},
                {1, "200 Ok\r\n"},
                {0, "LIST\r\n"},
                {1, "226 Done\r\n"},
                {0, "LIST\r\n"}}),  // nowhere
      (Links{R"(ftp-data side 0 ip 2001:db8::7 port 5282,"ftp":[{"control":{"command":"LIST"}}])",
             "over side 0 ip 2001:db8::7 port 5282"}));
  EXPECT_EQ(links_of({{0, "EPSV\r\n"},
                      {1, "229 Passive (|||7|)\r\n"},
                      {0, "SIZE a\r\n"},
                      {1, "213 9\r\n"},
                      {0, "stor " + std::string(400, 'x') + "\r\n"}}),  // too long to be repeated
            (Links{R"(ftp-data side 1 port 7,"ftp":[{"control":{"command":"stor"}}])"}));
}

// lftp and others send both at once.
TEST(ftp, a_transfer_that_does_not_wait_for_its_data_connection_takes_no_other_one) {
  const auto passive = [](int port) {
    return Said{1, "227 =192,0,2,1,0," + std::to_string(port) + "\r\n226 Done\r\n"};
  };
  const auto place = [](int port) { return " side 1 ip 192.0.2.1 port " + std::to_string(port); };
  const auto link = [&](int port, const std::string& file) {
    return "ftp-data" + place(port) + R"(,"ftp":[{"control":{"command":"RETR","argument":")" +
           file + R"("}}])";
  };
  const Dialogue dialogue = {{1, "220 FTP\r\n"},
                             {0, "PASV\r\nRETR a\r\n"},
                             passive(1),
                             {0, "PASV\r\nRETR refused\r\n"},
                             {1, "425 No\r\n425 No\r\n"},
                             {0, "PASV\r\nRETR b\r\nPASV\r\nRETR both\r\n"},  // one waits
                             {1, passive(2).bytes + passive(3).bytes},
                             {0, "PORT 192,0,2,7,0,9\r\nPASV\r\nRETR c\r\n"},
                             {1, "200 Ok\r\n" + passive(4).bytes},
                             {0, "PASV\r\nRETR " + std::string(241, 'x') + "\r\n"},
                             passive(5)};
  EXPECT_EQ(hear(dialogue).links,
            (Links{link(1, "a"), "over" + place(1), link(2, "b"), "over" + place(2), link(4, "c"),
                   "over" + place(4),
                   "ftp-data" + place(5) + R"(,"ftp":[{"control":{"command":"RETR"}}])",
                   "over" + place(5)}));
  expect_same_however_cut(dialogue);
}

// Two taps, of which that of the client is late: the server's words come before what they answer.
TEST(ftp, tls_of_a_server_waits_for_the_clients) {
  const std::vector<std::string> tls = tls_1_2();
  const Heard heard = hear({{1, "220 FTP\r\n"},
                            {1, "500 What\r\n"},
                            {0, "FEAT\r\n"},
                            {1, "234 Go ahead\r\n" + tls[1]},
                            {0, "AUTH TLS\r\n"},
                            {0, tls[0]}});
  EXPECT_EQ(heard.protocol, "tls");
  EXPECT_THAT(heard.objects, HasSubstr(R"("server_name":"www.example.com")"));
  EXPECT_THAT(heard.objects, HasSubstr(R"("server":{"ja3s":)"));
  EXPECT_FALSE(heard.is_malformed);
}

TEST(ftp, auth_tls_hands_over) {
  const Heard heard = hear(kTls);
  EXPECT_EQ(heard.protocol, "http");
  EXPECT_THAT(heard.objects, HasSubstr(R"("command":"AUTH","argument":"TLS")"));
  EXPECT_THAT(heard.objects, HasSubstr(R"("domain":"inside")"));
}

// One direction of a link is all that some taps have.
TEST(ftp, a_client_without_its_server_begins_tls_when_it_does) {
  Dialogue alone = {kTls[1], {0, tls_1_2()[0]}};
  const Heard heard = hear(alone);
  EXPECT_EQ(heard.protocol, "tls");
  EXPECT_THAT(heard.objects, HasSubstr(R"("server_name":"www.example.com")"));
  expect_same_however_cut(alone);
  alone.back().bytes = "USER bob\r\n";
  EXPECT_THAT(hear(alone).objects, HasSubstr(R"("user":{"name":"bob"})"));
}

// Two taps, of which that of the client is late: the server's words come before what they answer.
TEST(ftp, replies_that_were_captured_before_their_commands_are_theirs) {
  Dialogue asked = kTransfer;  // without the command that is not told
  asked.erase(asked.begin() + 5, asked.begin() + 7);
  Dialogue early;
  for (const Said& said : asked) {
    const bool is_answer = said.side == 1 && !early.empty();
    early.insert(early.end() - (is_answer ? 1 : 0), said);
  }
  EXPECT_EQ(hear(early).objects, hear(asked).objects);
  EXPECT_EQ(hear(early).links, Links{hear(asked).links[0]});
  expect_same_however_cut(early);
  const Heard heard = hear({{1, "220 FTP\r\n"},
                            {1, "500 What?\r\n"},
                            {0, "AUTH TLS\r\n"},
                            {0, "USER bob\r\n"},
                            {1, "331 Password?\r\n"}});
  EXPECT_THAT(heard.objects,
              HasSubstr(R"("argument":"bob","user":{"name":"bob"},"reply":{"code":331)"));
}

TEST(ftp, a_refused_auth_goes_on) {
  Dialogue refused = kTls;
  refused[2].bytes = "500 Unknown\r\n";
  refused[3].bytes = "USER bob\r\n";
  EXPECT_THAT(hear(refused).objects, HasSubstr(R"("user":{"name":"bob"})"));
}

TEST(ftp, a_greeting_without_a_telling_word_waits_for_the_reply_to_the_login) {
  const Dialogue plain = {{1, "220 hello\r\n"}, {0, "USER bob\r\n"}, {1, "331 Password?\r\n"}};
  EXPECT_EQ(hear(plain).protocol, "ftp");
  EXPECT_EQ(hear(plain).objects, R"(,"ftp":[{"reply":{"code":220,"text":"hello"}},)"
                                 R"({"command":"USER","argument":"bob","user":{"name":"bob"},)"
                                 R"("reply":{"code":331,"text":"Password?"}}])");
  expect_same_however_cut(plain);
  EXPECT_EQ(hear({{1, "220 " + std::string(200, 'x') + "\r\n"}}).protocol, "ftp");
}

TEST(ftp, more_commands_than_wait_for_replies_end_it) {
  Dialogue commands = {{1, "220 FTP\r\n"}};
  for (std::size_t i = 0; i < Ftp::kPendingMax; ++i) commands.push_back({0, "NOOP\r\n"});
  EXPECT_FALSE(hear(commands).is_malformed);
  commands.push_back(commands.back());
  EXPECT_TRUE(hear(commands).is_malformed);
}

TEST(ftp, a_command_behind_telnet_s_interrupt_is_read) {
  EXPECT_THAT(hear({{1, "220 FTP\r\n"},
                    {0,
                     "\xff\xf4\xff\xf2"
                     "ABOR\r\n"}})
                  .objects,
              HasSubstr(R"("command":"ABOR")"));
}

// The words of `kLogin` with these ones behind them.
Heard hear_behind_login(const Dialogue& said) {
  Dialogue dialogue = {{1, "220 FTP\r\n"}, {0, "USER bob\r\n"}, {1, "331 Password?\r\n"}};
  dialogue.insert(dialogue.end(), said.begin(), said.end());
  expect_same_however_cut(dialogue);
  return hear(dialogue);
}

const std::string kLoggedIn =
    R"(,"ftp":[{"reply":{"code":220,"text":"FTP"}},{"command":"USER","argument":"bob",)"
    R"("user":{"name":"bob"},"reply":{"code":331,"text":"Password?"}},)";

TEST(ftp, the_reply_to_a_command_that_was_missed_stands_alone) {
  const Heard heard = hear_behind_login({{1, "230 Logged in\r\n"},  // the stream's order
                                         {0, "", 13},
                                         {0, "PASV\r\n"},
                                         {1, "227 (192,0,2,1,156,64).\r\n"},
                                         {0, "", 8},  // an order without a stream's waiting
                                         {1, "150 Here it comes\r\n226 Done\r\n"},
                                         {0, "LIST b\r\n"},
                                         {1, "226 Done, too\r\n"}});
  const std::string told =
      kLoggedIn + R"({"reply":{"code":230,"text":"Logged in"}},)"
                  R"({"command":"PASV","reply":{"code":227,"text":"(192,0,2,1,156,64)."},)"
                  R"("data":{"mode":"passive","ip":"192.0.2.1","port":40000}},)"
                  R"({"reply":{"code":226,"text":"Done"}},)"
                  R"({"command":"LIST","argument":"b","reply":{"code":226,"text":"Done, too"}}])";
  EXPECT_TRUE(heard.has_gap);
  EXPECT_EQ(heard.objects, told);
  EXPECT_THAT(heard.links, testing::IsEmpty());  // what went there is not known
}

TEST(ftp, the_data_connection_that_the_reply_to_a_missed_command_names_is_linked) {
  const Heard heard = hear_behind_login(
      {{1, "227 (192,0,2,1,156,64).\r\n"}, {0, "", 6}, {0, "RETR a\r\n"}, {1, "226 Done\r\n"}});
  ASSERT_EQ(heard.links.size(), 2u);
  EXPECT_THAT(heard.links[0], HasSubstr("RETR"));
}

TEST(ftp, a_command_whose_reply_was_missed_has_none) {
  const Said gap = {1, "", 24}, next = {0, "RETR a\r\n"};
  const std::string told =
      kLoggedIn + R"({"command":"PASV"},)"
                  R"({"command":"RETR","argument":"a","reply":{"code":226,"text":"Done"}},)"
                  R"({"command":"QUIT","reply":{"code":221,"text":"Bye"}}])";
  for (const bool is_late : {true, false}) {
    const Heard heard = hear_behind_login({{0, "PASV\r\n"},
                                           is_late ? next : gap,
                                           is_late ? gap : next,
                                           {1, "150 Here it comes\r\n226 Done\r\n"},
                                           {0, "QUIT\r\n"},
                                           {1, "221 Bye\r\n"}});
    EXPECT_EQ(heard.objects, told);
    EXPECT_THAT(heard.links, testing::IsEmpty());
  }
}

TEST(ftp, a_goodbye_behind_a_gap_is_only_the_reply_to_quit) {
  const auto behind_a_gap = [](const std::string& command) {
    return hear_behind_login({{0, command + "\r\n"}, {1, "", 10}, {1, "221 Bye\r\n"}}).objects;
  };
  const std::string reply = R"("reply":{"code":221,"text":"Bye"}}])";
  EXPECT_EQ(behind_a_gap("QUIT"), kLoggedIn + R"({"command":"QUIT",)" + reply);
  EXPECT_EQ(behind_a_gap("RETR"), kLoggedIn + R"({"command":"RETR"},{)" + reply);
}

TEST(ftp, what_is_missing_within_a_reply_or_a_command_is_passed_over) {
  const Heard heard = hear_behind_login({{0, "FEAT\r\n"},
                                         {1, "211-These\r\n 220 of\r\nMD"},
                                         {1, "", 30},
                                         {1, "226 of them\r\n220 of them\r\n211 End\r\n"},
                                         {0, "RETR li"},
                                         {0, "", 3},
                                         {0, "QUIT\r\n"},
                                         {1, "226 Done\r\n"},
                                         {0, "QUIT\r\n"},
                                         {1, "221 Bye\r\n"}});
  const std::string told = kLoggedIn + R"({"reply":{"code":226,"text":"Done"}},)"
                                       R"({"command":"QUIT","reply":{"code":221,"text":"Bye"}}])";
  EXPECT_EQ(heard.objects, told);
}

TEST(ftp, what_comes_next_ends_what_was_torn) {
  const Said command = {0, "CWD a\r\n"}, next = {0, "SIZE b\r\n"}, reply = {1, "213 9\r\n"};
  const Said torn = {1, "250 O"}, gap = {1, "", 3};
  const std::string told = kLoggedIn +
                           R"({"command":"CWD","argument":"a"},)"
                           R"({"command":"SIZE","argument":"b","reply":{"code":213,"text":"9"}}])";
  EXPECT_EQ(hear_behind_login({command, torn, gap, next, reply}).objects, told);
  EXPECT_EQ(hear_behind_login({command, torn, next, gap, reply}).objects, told);
  const Heard answered =
      hear_behind_login({{0, "CWD a"}, {0, "", 3}, {1, "250 Ok\r\n"}, next, reply});
  EXPECT_EQ(answered.objects,
            kLoggedIn + R"({"reply":{"code":250,"text":"Ok"}},)"
                        R"({"command":"SIZE","argument":"b","reply":{"code":213,"text":"9"}}])");
}

TEST(ftp, data_connections_behind_a_gap_are_linked_to_what_they_are_for) {
  const Said asked = {0, "PASV\r\n"}, named = {1, "227 (192,0,2,1,156,64).\r\n"};
  const Said transfer = {0, "RETR a\r\n"}, gap = {1, "", 20}, next = {0, "CWD b\r\n"};
  const Links linked = {
      "ftp-data side 1 ip 192.0.2.1 port 40000"
      R"(,"ftp":[{"control":{"command":"RETR","argument":"a"}}])",
      "over side 1 ip 192.0.2.1 port 40000"};
  EXPECT_EQ(hear_behind_login({asked, named, transfer, gap, next}).links, linked);
  EXPECT_EQ(hear_behind_login({asked, named, transfer, {0, "", 20}, next}).links, linked);
  EXPECT_EQ(hear_behind_login({asked, named, asked, gap, transfer, next}).links, Links{});
  Dialogue repeated = {{0, "PASV\r\nRETR a\r\n"}, gap};
  for (int i = 0; i < 40; ++i)  // each place where the first one may have been
    repeated.insert(repeated.end(), {asked, named});
  EXPECT_EQ(hear_behind_login(repeated).links, Links{});
}

TEST(ftp, the_first_command_may_be_missed_and_what_is_left_of_it_be_digits) {
  const Heard heard = hear({{1, "220 FTP\r\n"},
                            {1, "331 Password?\r\n"},
                            {0, "", 5},
                            {0, "123\r\nPASS x\r\n"},
                            {1, "230 Ok\r\n"}});
  EXPECT_FALSE(heard.is_malformed);
  EXPECT_THAT(heard.objects, HasSubstr(R"({"command":"PASS","reply":{"code":230,"text":"Ok"}})"));
}

TEST(ftp, behind_a_gap_nothing_is_told_of_who_does_not_wait_for_replies) {
  const std::string begun = kLoggedIn + R"({"command":"PASV"},{"command":"CWD",)"
                                        R"("argument":"a"},{"command":"SIZE")";
  const Heard heard = hear_behind_login(
      {{0, "PASV\r\nCWD a\r\nSIZE\r\n"}, {1, "", 9}, {1, "250 Ok\r\n"}, {1, "213 9\r\n"}});
  EXPECT_EQ(heard.objects, begun + "}]");
  const Heard early = hear_behind_login({{1, "250 Ok\r\n"},  // captured before its command
                                         {0, "CWD a\r\n"},
                                         {0, "SIZE b\r\n"},
                                         {1, "", 9},
                                         {1, "213 9\r\n"},
                                         {0, "MKD c\r\n"}});
  EXPECT_THAT(early.objects, testing::EndsWith(R"({"command":"SIZE","argument":"b"}])"));
  const Heard before = hear_behind_login({{0, "PWD\r\nCWD a\r\n"},
                                          {1, "257 /\r\n250 Ok\r\n"},
                                          {0, "MKD b\r\n"},
                                          {1, "", 9},
                                          {1, "250 Ok\r\n"}});
  EXPECT_THAT(before.objects, testing::EndsWith(R"({"command":"MKD","argument":"b"}])"));
}

TEST(ftp, tls_is_found_though_the_command_or_the_reply_before_it_was_missed) {
  const std::vector<std::string> tls = tls_1_2();
  const Said hello = {0, tls[0]}, answer = {1, tls[1]}, reply = {1, "234 Go ahead\r\n"};
  const Dialogue missed[] = {{reply, {0, "", 10}, hello},
                             {{0, "", 10}, reply, hello},
                             {{0, "AUTH TLS\r\n"}, hello, {1, "", 14}, answer},
                             {{0, "", 10}, hello, {1, "", 14}, answer}};
  for (const Dialogue& dialogue : missed) EXPECT_EQ(hear_behind_login(dialogue).protocol, "tls");
}

TEST(ftp, the_record_does_not_depend_on_segmentation) {
  expect_same_however_cut(kTransfer);
  expect_same_however_cut(kTls);
}

TEST(ftp, truncation_gaps_and_hostile_bytes_are_survived) {
  Dialogue told =
      kTransfer;  // all of it: the reply to a command that is missing is told, even to TYPE
  told.erase(told.begin() + 5, told.begin() + 7);
  expect_nothing_garbled(told);
  expect_hostile_is_survived(kTransfer);
}

TEST(ftp, pop_is_not_taken_for_it) {
  EXPECT_EQ(hear({{1, "+OK POP3 ready\r\n"}, {0, "USER bob\r\n"}, {1, "+OK\r\n"}}).protocol, "");
}

}  // namespace
}  // namespace linger::test
