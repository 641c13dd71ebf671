#include "parsers/http_lines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/parsers/dialogue.h"

namespace linger::test {
namespace {

// Longer than what detection looks at.
TEST(http_lines, a_long_first_line_is_known_by_how_its_target_begins) {
  const std::string name(200, 'x');
  const std::string answer = "HTTP/1.1 200 OK\r\n\r\n";
  const Dialogue tunnel = {{0, "CONNECT " + name + ".example:22 HTTP/1.1\r\n\r\n"},
                           {1, answer},
                           {0, "SSH-2.0-a\r\n"},
                           {1, "SSH-2.0-b\r\n"}};
  EXPECT_EQ(hear(tunnel).protocol, "ssh");
  EXPECT_THAT(hear(tunnel).objects, testing::HasSubstr(".example\",\"port\":22"));
  expect_same_however_cut(tunnel);
  for (const std::string url : {"/", "http://a/", "HTTP://A/", "ftp://a/", "svn+ssh://a/"}) {
    const Dialogue asked = {{0, "GET " + url + name + " HTTP/1.1\r\n\r\n"}, {1, answer}};
    EXPECT_THAT(hear(asked).objects, testing::HasSubstr("\"original\":\"" + url)) << url;
    EXPECT_THAT(hear(asked).objects, testing::HasSubstr("\"status_code\":200")) << url;
    expect_same_however_cut(asked);
  }
  for (const std::string other : {"CONNECT {\"verbose\":true,", "CONNECT a b", "GET ", "GET a b://",
                                  "GET 9://", "GET ://", "GET :"})
    EXPECT_EQ(hear({{0, other + name + " HTTP/1.1\r\n\r\n"}}).protocol, "") << other;
}

// But by those that are not in use no side is known.
TEST(http_lines, behind_a_first_request_any_token_is_a_method) {
  const std::string answer = "HTTP/1.1 204 No\r\n\r\n";
  const auto asked = [&](const std::string& method) -> Dialogue {
    return {{0, "GET /a HTTP/1.1\r\n\r\n"},
            {1, answer},
            {0, method + " /b HTTP/1.1\r\n\r\n"},
            {1, answer}};
  };
  for (const std::string method : {"Foo", "x", "ABCDEFGHIJKLMNOPQRSTU", "!#$%&'*+-.^_`|~9"}) {
    const Heard heard = hear(asked(method));
    EXPECT_THAT(heard.objects, testing::HasSubstr("{\"method\":\"" + method)) << method;
    EXPECT_THAT(heard.objects, testing::HasSubstr("\"original\":\"/b\"")) << method;
    EXPECT_FALSE(heard.is_malformed) << method;
    expect_same_however_cut(asked(method));
    EXPECT_EQ(hear({{0, method + " /b HTTP/1.1\r\n\r\n"}}).protocol, "") << method;
  }
  for (const std::string other : {"F(", "F\"", "F\x80", "F:", "F/", " F", "still hereGET"})
    EXPECT_TRUE(hear(asked(other)).is_malformed) << other;
}

// As of clients that end a body with one (RFC 9112 §2.2).
TEST(http_lines, before_the_first_request_an_empty_line_is_passed_over) {
  const Said answer = {1, "HTTP/1.1 204 No\r\n\r\n"};
  for (const std::size_t bytes : {0, 90, 200})
    for (const std::string empty : {"\r\n", "\n"}) {
      const std::string request = "GET /" + std::string(bytes, 'x') + " HTTP/1.1\r\n\r\n";
      const Dialogue late = {{0, empty + request}, answer};
      EXPECT_EQ(hear(late), hear({{0, request}, answer})) << bytes;
      expect_same_however_cut(late);
    }
  for (const std::string other : {"HELO a", "GET / HTTP/2", "get / HTTP/1.1"})
    EXPECT_EQ(hear({{0, "\r\n" + other + "\r\n"}}).protocol, "") << other;
}

TEST(http_lines, what_connect_names_beside_a_host_is_no_domain) {
  const auto domain_of = [](const std::string& target) {
    const Heard heard = hear({{0, "CONNECT " + target + " HTTP/1.1\r\nHost: by.header\r\n\r\n"}});
    const std::size_t at = heard.objects.find(R"("domain":")") + 10;
    return heard.objects.substr(at, heard.objects.find('"', at) - at);
  };
  EXPECT_EQ(domain_of("example.com:25 /"), "example.com");
  EXPECT_EQ(domain_of("/"), "by.header");
}

// As of HTTP/1.0 clients that have no name for the server (RFC 9110 §7.2).
TEST(http_lines, an_empty_host_is_no_domain) {
  const Heard heard = hear({{0, "GET / HTTP/1.1\r\nHost:\r\n\r\n"}});
  EXPECT_EQ(heard.objects, R"(,"http":[{"request":{"method":"GET"},)"
                           R"("url":{"original":"/","path":"/"},"version":"1.1"}])");
}

TEST(http_lines, blanks_behind_the_version_are_passed_over) {
  const Dialogue blanks = {{0, "GET /a b HTTP/1.1 \t\r\n\r\nGET /c HTTP/1.1 \r\n\r\n"}};
  const Dialogue none = {{0, "GET /a b HTTP/1.1\r\n\r\nGET /c HTTP/1.1\r\n\r\n"}};
  EXPECT_EQ(hear(blanks), hear(none));
  expect_same_however_cut(blanks);
}

TEST(http_lines, who_asks_is_no_part_of_the_host) {
  for (const std::string host : {"example.com", "[2001:db8::1]:81"}) {
    const auto objects = [&](const std::string& user) {
      return hear({{0, "GET http://" + user + host + "/ HTTP/1.1\r\n\r\n"}}).objects;
    };
    const std::string domain = host.front() == '[' ? "2001:db8::1" : host;
    EXPECT_THAT(objects("bob:secret@"), testing::HasSubstr(R"("domain":")" + domain + '"'));
    EXPECT_THAT(objects(""), testing::HasSubstr(R"("domain":")" + domain + '"'));
  }
}

TEST(http_lines, passwords_in_urls_are_not_told) {
  const auto objects = [](const std::string& user, const std::string& mark) {
    return hear({{0, "GET http://" + user + "a.example" + mark +
                         "x@y HTTP/1.1\r\nReferer: https://" + user + "b.example" + mark +
                         "\r\n\r\n"},
                 {1, "HTTP/1.1 302 Found\r\nLocation: //" + user + "c.example" + mark +
                         "\r\nContent-Length: 0\r\n\r\n"},
                 {0, "GET averylongscheme://" + user + "d.example" + mark + " HTTP/1.1\r\n\r\n"},
                 {1, "HTTP/1.1 204 No\r\n\r\n"},
                 {0, "CONNECT " + user + "e.example:443 HTTP/1.1\r\n\r\n"}})
        .objects;
  };
  for (const std::string mark : {"/", "?", "#", ":80/"}) {
    const std::string plain = objects("", mark);
    EXPECT_THAT(plain, testing::HasSubstr("x@y")) << mark;
    for (const char* user : {"bob:secret@", "bob@", "bob:se@cret@", "@"})
      EXPECT_EQ(objects(user, mark), plain) << user << mark;
  }
}

TEST(http_lines, of_a_long_url_without_its_password_as_much_is_told_as_of_any) {
  const auto told = [](const std::string& user, std::size_t bytes) {
    return hear({{0, "GET http://" + user + "h/" + std::string(bytes, 'x') + " HTTP/1.1\r\n\r\n"}})
        .objects;
  };
  for (const std::size_t bytes : {2039, 2040, 3000})  // with what stands before it 2048, 2049, …
    EXPECT_EQ(told("bob:secret@", bytes), told("", bytes)) << bytes;
  EXPECT_THAT(told("bob:secret@", 2040), testing::HasSubstr(R"("cut":["url.original"])"));
}

}  // namespace
}  // namespace linger::test
