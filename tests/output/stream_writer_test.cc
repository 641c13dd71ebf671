#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <string_view>
#include <thread>

#include "engine/base/socket_headers.h"
#include "output/writer.h"
#include "tests/support/temporary_folder.h"

namespace {

// How often a name was looked up, and whether its name servers answer: for the function that the
// linker puts in place of getaddrinfo().
constexpr std::string_view kName = "peer.example";
constexpr std::string_view kNoName = "nobody.example";
std::atomic<int> lookups{0};
std::atomic<bool> is_answered{true};

}  // namespace

// NOLINTBEGIN(bugprone-reserved-identifier): the linker's names
extern "C" int __real_getaddrinfo(const char* host, const char* port, const addrinfo* hints,
                                  addrinfo** found);
extern "C" int __wrap_getaddrinfo(const char* host, const char* port, const addrinfo* hints,
                                  addrinfo** found) {
  if (host == kNoName) return EAI_NONAME;
  if (host != kName) return __real_getaddrinfo(host, port, hints, found);
  ++lookups;
  for (int i = 0; i < 200 && !is_answered; ++i) poll(nullptr, 0, 50);  // 10 s, as resolvers do
  return __real_getaddrinfo("127.0.0.1", port, hints, found);
}
// NOLINTEND(bugprone-reserved-identifier)

namespace linger {
namespace {

// Somebody who listens on a unix or TCP socket and takes one connection at a time.
class Peer {
 public:
  explicit Peer(const std::string& path, int queue = 8)
      : listener_(socket(AF_UNIX, SOCK_STREAM, 0)), uri_("unix:" + path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(listen(listener_, queue), 0);
  }
  Peer()
      : listener_(socket(AF_INET, SOCK_STREAM, 0)) {  // on any free port of the loopback interface
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(listen(listener_, 8), 0);
    uri_ = "tcp://127.0.0.1" + port();
  }
  ~Peer() {
    hang_up();
    stop_listening();
  }

  const std::string& uri() const { return uri_; }
  std::string port() const {
    sockaddr_in address{};
    socklen_t bytes = sizeof address;
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &bytes);
    return ":" + std::to_string(ntohs(address.sin_port));
  }
  bool take_connection() {
    connection_ = accept(listener_, nullptr, nullptr);
    return connection_ >= 0;
  }
  void refuse() { shutdown(listener_, SHUT_RDWR); }  // whoever waits in take_connection(), too
  void fall_silent() {  // as a machine without power: nothing is answered any more
    sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
    const sock_fprog program{1, &nothing};
    setsockopt(connection_, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
  }
  void hang_up() {
    if (connection_ >= 0) ::close(connection_);
    connection_ = -1;
  }
  void reset() {  // hang up with a RST
    const socket_linger_option at_once{1, 0};
    setsockopt(connection_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    hang_up();
  }
  void stop_listening() {
    if (listener_ >= 0) ::close(listener_);
    listener_ = -1;
  }
  std::string read_bytes(std::size_t count) {
    std::string text(count, '\0');
    std::size_t done = 0;
    while (done < count) {
      const ssize_t n = read(connection_, text.data() + done, count - done);
      if (n <= 0) break;
      done += static_cast<std::size_t>(n);
    }
    text.resize(done);
    return text;
  }
  std::string read_all() {
    std::string text;
    for (std::string part = read_bytes(4'096); !part.empty(); part = read_bytes(4'096))
      text += part;
    return text;
  }

 private:
  int listener_ = -1;
  int connection_ = -1;
  std::string uri_;
};

std::unique_ptr<Writer> writer_to(const std::string& uri, WriterOptions options = {}) {
  const auto parsed = parse_output_uri(uri);
  EXPECT_TRUE(parsed.has_value());
  return make_writer(*parsed, options);
}

// Lines 0000000 … , 8 bytes each.
std::string numbered_lines(int count) {
  std::string lines;
  char line[16];
  for (int i = 0; i < count; ++i) {
    snprintf(line, sizeof line, "%07d\n", i);
    lines += line;
  }
  return lines;
}

TEST(stream_writer, nobody_listening_is_an_error_at_start) {
  TemporaryFolder folder;
  for (const std::string& uri : {"unix:" + folder.file("none"), std::string("tcp://127.0.0.1:1")}) {
    const auto result = writer_to(uri)->open();
    ASSERT_FALSE(result) << uri;
    EXPECT_NE(result.error().find(uri), std::string::npos);
    EXPECT_NE(result.error().find("is somebody listening there?"), std::string::npos);
    EXPECT_FALSE(try_output(*parse_output_uri(uri)));
  }
}

void expect_everything_arrives(Peer& peer) {
  const auto writer = writer_to(peer.uri());
  ASSERT_TRUE(writer->open());
  peer.take_connection();
  const std::string lines = numbered_lines(100'000);  // more than the socket holds
  std::string taken;
  std::thread reader([&] { taken = peer.read_all(); });
  writer->write(lines);
  writer->close();
  reader.join();
  EXPECT_EQ(taken, lines);
  EXPECT_EQ(writer->written(), 100'000u);
  EXPECT_EQ(writer->resent(), 0u);
  EXPECT_EQ(writer->trouble(), "");
}

TEST(stream_writer, everything_arrives_over_a_unix_socket) {
  TemporaryFolder folder;
  Peer peer(folder.file("s"));
  expect_everything_arrives(peer);
}

TEST(stream_writer, a_unix_peer_whose_queue_is_full_is_waited_for) {
  TemporaryFolder folder;
  Peer peer(folder.file("s"), 0);
  const auto first = writer_to(peer.uri());
  ASSERT_TRUE(first->open());
  const auto second = writer_to(peer.uri());
  std::thread acceptor([&] {
    poll(nullptr, 0, 20);
    peer.take_connection();
  });
  EXPECT_TRUE(second->open());
  acceptor.join();
}

TEST(stream_writer, everything_arrives_over_tcp) {
  Peer peer;
  expect_everything_arrives(peer);
}

TEST(stream_writer,
     a_unix_peer_that_dies_with_bytes_unread_gets_them_again_from_a_record_boundary) {
  TemporaryFolder folder;
  Peer peer(folder.file("s"));
  const auto writer = writer_to(peer.uri());
  ASSERT_TRUE(writer->open());
  peer.take_connection();
  writer->write(numbered_lines(10));
  EXPECT_EQ(peer.read_bytes(28), numbered_lines(10).substr(0, 28));  // three records and a half
  peer.hang_up();
  std::string taken;
  std::thread reader([&] {
    peer.take_connection();
    taken = peer.read_all();
  });
  writer->write("last\n");
  writer->close();
  reader.join();
  EXPECT_EQ(taken,
            numbered_lines(10) + "last\n");  // the kernel frees what was read in whole blocks only
  EXPECT_EQ(writer->resent(), 10u);
  EXPECT_EQ(writer->written(), 11u);
}

TEST(stream_writer, a_unix_peer_that_read_everything_before_it_left_gets_nothing_twice) {
  TemporaryFolder folder;
  Peer peer(folder.file("s"));
  const auto writer = writer_to(peer.uri());
  ASSERT_TRUE(writer->open());
  peer.take_connection();
  writer->write("one\ntwo\n");
  EXPECT_EQ(peer.read_bytes(8), "one\ntwo\n");
  peer.hang_up();
  std::string taken;
  std::thread reader([&] {
    peer.take_connection();
    taken = peer.read_all();
  });
  writer->write("three\n");
  writer->close();
  reader.join();
  EXPECT_EQ(taken, "three\n");
  EXPECT_EQ(writer->resent(), 0u);
  EXPECT_EQ(writer->written(), 3u);
  EXPECT_EQ(writer->breaks(), 1u);
  EXPECT_TRUE(writer->is_connected());
}

// What a peer took before a reset may be lost with it; what it did not take comes again, and
// nothing is left out.
TEST(stream_writer, after_a_tcp_reset_no_record_is_missing_between_what_two_connections_took) {
  Peer peer;
  const auto writer = writer_to(peer.uri());
  ASSERT_TRUE(writer->open());
  peer.take_connection();
  const std::string lines = numbered_lines(2'000'000);
  std::string first, second;
  std::thread reader([&] {
    first = peer.read_bytes(1'000'003);
    peer.reset();
    peer.take_connection();
    second = peer.read_all();
  });
  writer->write(lines);
  writer->close();
  reader.join();
  ASSERT_EQ(first, lines.substr(0, 1'000'003));
  ASSERT_FALSE(second.empty());
  EXPECT_EQ(second,
            lines.substr(lines.size() - second.size()));  // the end, from a record boundary on
  EXPECT_EQ(second.size() % 8, 0u);
  EXPECT_EQ(writer->written(), 2'000'000u);
  EXPECT_GT(writer->resent(), 0u);
}

TEST(stream_writer, a_tcp_peer_that_fell_silent_is_connected_to_anew) {
  Peer peer, silent;
  for (Peer* one : {&peer, &silent}) {
    const bool is_silent = one == &silent;
    const auto writer = writer_to(one->uri(), {.is_live = true, .silent_tries = 1});
    ASSERT_TRUE(writer->open());
    one->take_connection();
    if (is_silent) one->fall_silent();
    std::string taken;
    std::thread reader([&] {
      if (is_silent) one->take_connection();
      taken = one->read_all();
    });
    writer->write("one\ntwo\n");
    writer->close();
    reader.join();
    EXPECT_EQ(taken, "one\ntwo\n");
    EXPECT_EQ(writer->breaks(), is_silent ? 1u : 0u);
    EXPECT_EQ(writer->resent(), is_silent ? 2u : 0u);
  }
}

TEST(stream_writer, a_peer_that_never_comes_back_costs_the_records_it_did_not_take) {
  TemporaryFolder folder;
  Peer peer(folder.file("s"));
  const auto writer = writer_to(peer.uri(), {.is_live = false, .give_up_after = 0});
  ASSERT_TRUE(writer->open());
  peer.take_connection();
  writer->write("one\n");
  EXPECT_EQ(peer.read_bytes(4), "one\n");
  peer.hang_up();
  peer.stop_listening();
  writer->write("two\nthree\n");
  writer->write("four\n");
  writer->close();
  EXPECT_EQ(writer->written(), 1u);
  EXPECT_EQ(writer->dropped(DropReason::failed), 3u);
  EXPECT_NE(writer->trouble().find("connection lost"), std::string::npos);
  EXPECT_EQ(writer->breaks(), 1u);
  EXPECT_FALSE(writer->is_connected());
}

TEST(stream_writer, a_peer_that_comes_back_again_and_again_and_takes_nothing_is_given_up) {
  TemporaryFolder folder;
  for (const bool is_live : {false, true}) {
    Peer peer(folder.file(is_live ? "live" : "replay"));
    const auto writer =
        writer_to(peer.uri(), {.is_live = is_live, .give_up_after = 50 * kMillisecond});
    ASSERT_TRUE(writer->open());
    std::thread others([&] {
      while (peer.take_connection()) peer.hang_up();
    });
    writer->finish_soon();
    writer->write("one\ntwo\n");
    writer->close();
    EXPECT_EQ(writer->dropped(DropReason::failed), 2u);
    EXPECT_GT(writer->breaks(), 1u);
    EXPECT_LT(writer->breaks(), 10u);
    peer.refuse();
    others.join();
  }
}

TEST(stream_writer, a_peer_that_stayed_for_long_before_it_went_again_is_waited_for_anew) {
  TemporaryFolder folder;
  Peer peer(folder.file("s"));
  const auto writer = writer_to(peer.uri(), {.give_up_after = 1});  // that is for long
  ASSERT_TRUE(writer->open());
  std::string taken;
  std::thread reader([&] {
    for (int i = 0; i < 3; ++i) {
      peer.take_connection();
      peer.hang_up();
    }
    peer.take_connection();
    taken = peer.read_all();
  });
  writer->write("one\ntwo\n");
  writer->close();
  reader.join();
  EXPECT_EQ(taken, "one\ntwo\n");
  EXPECT_EQ(writer->written(), 2u);
}

TEST(stream_writer, a_live_run_gives_up_at_its_end_a_peer_that_takes_nothing) {
  TemporaryFolder folder;
  Peer peer(folder.file("s"));
  const auto writer = writer_to(peer.uri(), {.is_live = true, .give_up_after = 0});
  ASSERT_TRUE(writer->open());
  peer.take_connection();
  writer->write("one\ntwo\n");
  writer->finish_soon();
  writer->close();
  EXPECT_EQ(writer->dropped(DropReason::failed), 2u);
  EXPECT_NE(writer->trouble().find("took nothing more"), std::string::npos);
}

TEST(stream_writer, a_live_run_waits_anew_at_its_end_for_a_peer_that_took_nothing_for_long) {
  constexpr DurationNs kPatience = 300 * kMillisecond;
  TemporaryFolder folder;
  Peer peer(folder.file("s"));
  const auto writer = writer_to(peer.uri(), {.is_live = true, .give_up_after = kPatience});
  ASSERT_TRUE(writer->open());
  peer.take_connection();
  std::thread output([&] {
    writer->write("one\n");
    writer->close();
  });
  poll(nullptr, 0, static_cast<int>(kPatience / kMillisecond) + 50);
  writer->finish_soon();
  poll(nullptr, 0, 20);  // it is noticed before the peer reads on
  EXPECT_EQ(peer.read_bytes(4), "one\n");
  output.join();
  EXPECT_EQ(writer->written(), 1u);
}

TEST(stream_writer, a_live_run_still_delivers_what_it_is_given_after_a_long_silence_and_its_end) {
  TemporaryFolder folder;
  Peer peer(folder.file("s"));
  const auto writer = writer_to(peer.uri(), {.is_live = true, .give_up_after = 10 * kSecond});
  ASSERT_TRUE(writer->open());
  peer.take_connection();
  writer->finish_soon();  // before anything was ever taken
  std::string taken;
  std::thread reader([&] { taken = peer.read_all(); });
  writer->write("one\ntwo\n");
  writer->close();
  reader.join();
  EXPECT_EQ(taken, "one\ntwo\n");
  EXPECT_EQ(writer->written(), 2u);
}

TEST(stream_writer, abandon_ends_the_wait_for_a_peer_that_takes_nothing) {
  TemporaryFolder folder;
  Peer peer(folder.file("s"));
  const auto writer = writer_to(peer.uri());
  ASSERT_TRUE(writer->open());
  peer.take_connection();
  std::thread control([&] { writer->abandon(); });
  writer->write(numbered_lines(1'000'000));
  writer->close();
  control.join();
  EXPECT_EQ(writer->written() + writer->dropped(DropReason::abandoned), 1'000'000u);
  EXPECT_GT(writer->dropped(DropReason::abandoned), 0u);
}

// A peer that was connected to by its name, and is lost while no name server answers.
class UnansweredName {
 public:
  explicit UnansweredName(DurationNs give_up_after)
      : writer_(writer_to("tcp://" + std::string(kName) + peer_.port(),
                          {.is_live = true, .give_up_after = give_up_after})) {
    lookups = 0;
    EXPECT_TRUE(writer_->open());
    EXPECT_TRUE(peer_.take_connection());
    is_answered = false;
    peer_.reset();
  }
  ~UnansweredName() {
    is_answered = true;
    poll(nullptr, 0, 100);  // the thread that was left behind ends, too
  }

  // Its records are dropped before a name server answers.
  void expect_dropped(DropReason reason, void (Writer::*end)() noexcept) {
    std::thread control([&] {
      while (lookups < 2) poll(nullptr, 0, 1);
      (writer_.get()->*end)();
    });
    const auto since = std::chrono::steady_clock::now();
    writer_->write("one\ntwo\n");
    writer_->close();
    control.join();
    EXPECT_EQ(writer_->dropped(reason), 2u);
    EXPECT_LT(std::chrono::steady_clock::now() - since, std::chrono::seconds(8));
  }

 private:
  Peer peer_;
  std::unique_ptr<Writer> writer_;
};

TEST(stream_writer, a_name_that_is_none_is_an_error_at_start) {
  const auto result = writer_to("tcp://" + std::string(kNoName) + ":514")->open();
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().find("is the name right?"), std::string::npos) << result.error();
}

TEST(stream_writer, abandon_ends_the_wait_for_name_servers) {
  UnansweredName(10 * kSecond).expect_dropped(DropReason::abandoned, &Writer::abandon);
}

TEST(stream_writer, name_servers_are_waited_for_no_longer_than_the_peer) {
  UnansweredName(50 * kMillisecond).expect_dropped(DropReason::failed, &Writer::finish_soon);
}

}  // namespace
}  // namespace linger
