// Stream sockets. What the peer has not acknowledged is held here, so that after a broken
// connection it is sent again over the next one, from a record boundary.
//
//     held_:  | settled | acknowledged by now | sent, not acknowledged | not sent |
//                       ^ a record begins     ^ settle() moves it here ^ sent_
//
// Acknowledged means: taken by the peer's TCP, or read by the peer of a unix socket. SIOCOUTQ
// counts the rest (for a unix socket with the kernel's overhead, so that rather too much is sent
// again than too little).
#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <future>
#include <system_error>
#include <thread>
#include <utility>

#include "engine/base/socket_headers.h"
#include "output/writer.h"

namespace linger {

namespace {

constexpr std::size_t kHeldBytesMax = 4 << 20;  // unacknowledged: more than a socket buffer takes
constexpr int kPollMs = 50;                     // how soon a wait notices abandon()
constexpr int kSettleMs = 1;                    // between looks at what the peer acknowledged
constexpr int kConnectPolls = 100;              // 5 s for a connection to come up
constexpr int kBackoffFirstMs = 10;
constexpr int kBackoffLastMs = 1'000;

using SteadyClock = std::chrono::steady_clock;
using namespace std::string_literals;

// Gives a connected socket or -1 with errno set. Waits only as long as is_wanted() says so.
template <class IsWanted>
int connected_or_closed(int fd, const sockaddr* address, socklen_t address_bytes,
                        const IsWanted& is_wanted) {
  if (fd < 0) return -1;
  const auto attempt = [&] { return connect(fd, address, address_bytes) == 0 ? 0 : errno; };
  int error = attempt();  // EAGAIN: a unix peer that has as many in its queue as it allows
  for (int i = 0; error == EAGAIN && i < kConnectPolls && is_wanted(); ++i) {
    poll(nullptr, 0, kPollMs);
    error = attempt();
  }
  if (error == EINPROGRESS) {
    pollfd poll_fd{fd, POLLOUT, 0};
    int ready = 0;
    for (int i = 0; i < kConnectPolls && ready == 0 && is_wanted(); ++i)
      ready = poll(&poll_fd, 1, kPollMs);
    socklen_t error_bytes = sizeof error;
    if (ready <= 0) {
      error = ETIMEDOUT;
    } else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_bytes) != 0) {
      error = errno;
    }
  }
  if (error == 0) return fd;
  ::close(fd);
  errno = error;
  return -1;
}

std::string not_taken(int error) {
  return fmt::format("{}; is somebody listening there?", std::strerror(error));
}

template <class IsWanted>
int connect_unix(const OutputUri& uri, const IsWanted& is_wanted) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  // parse_output_uri() limits the size of the path.
  std::memcpy(address.sun_path, uri.path.data(), uri.path.size());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  return connected_or_closed(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address,
                             is_wanted);
}

struct FreeAddresses {
  void operator()(addrinfo* addresses) const noexcept { freeaddrinfo(addresses); }
};
using Addresses = tl::expected<std::unique_ptr<addrinfo, FreeAddresses>, std::string>;

// getaddrinfo() can wait half a minute for name servers, and nothing ends that: so it has a thread
// of its own, which is left behind once its answer is not wanted any more.
template <class IsWanted>
Addresses addresses_of(const OutputUri& uri, const IsWanted& is_wanted) {
  std::packaged_task<Addresses()> lookup([host = uri.host, port = uri.port]() -> Addresses {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int code = getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
    if (code != 0) return tl::unexpected(fmt::format("{}; is the name right?", gai_strerror(code)));
    return Addresses::value_type(found);
  });
  std::future<Addresses> answer = lookup.get_future();
  try {
    std::thread(std::move(lookup)).detach();
  } catch (const std::system_error& error) {
    return tl::unexpected(fmt::format("no thread to look the name up: {}", error.what()));
  }
  while (answer.wait_for(std::chrono::milliseconds(kPollMs)) != std::future_status::ready)
    if (!is_wanted()) return tl::unexpected("no name server answers"s);
  return answer.get();
}

template <class IsWanted>
int connect_tcp(const OutputUri& uri, const IsWanted& is_wanted, std::string& error) {
  const Addresses addresses = addresses_of(uri, is_wanted);
  if (!addresses) {
    error = addresses.error();
    return -1;
  }
  int fd = -1;
  for (const addrinfo* a = addresses->get(); a != nullptr; a = a->ai_next) {
    fd = connected_or_closed(
        socket(a->ai_family, a->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, a->ai_protocol),
        a->ai_addr, a->ai_addrlen, is_wanted);
    if (fd >= 0 || !is_wanted()) break;
  }
  if (fd < 0) error = not_taken(errno);
  const int on = 1;
  if (fd >= 0) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

class StreamWriter final : public Writer {
 public:
  StreamWriter(const OutputUri& uri, const WriterOptions& options) : uri_(uri), options_(options) {}
  ~StreamWriter() override { disconnect(); }

  tl::expected<void, std::string> open() override {
    if (try_connect([this] { return !is_abandoned(); })) return {};
    return tl::unexpected(
        fmt::format("output '{}': cannot connect: {}", uri_.text, connect_error_));
  }

  void write(std::string_view lines) override {
    if (is_dead_) return count_dropped(dead_reason_, lines);
    held_.erase(0, settled_);
    sent_ -= settled_;
    settled_ = 0;
    held_ += lines;
    progress_at_ = SteadyClock::now();  // new records get their full time
    while (!is_dead_ && (sent_ < held_.size() || unsettled().size() > kHeldBytesMax)) step();
  }

  void idle() override {
    if (!is_dead_ && !unsettled().empty()) step();
  }

  void close() override {
    while (!is_dead_ && !unsettled().empty()) step();
    disconnect();
  }

 private:
  std::string_view unsettled() const { return std::string_view(held_).substr(settled_); }

  // One look at the connection and one send, or one wait.
  void step() {
    if (is_abandoned())
      return give_up(DropReason::abandoned,
                     "it did not take every record when the run was stopped");
    if (fd_ < 0) return reconnect();
    if (options_.is_live && is_over_time(progress_at_))
      return give_up(DropReason::failed, "its peer took nothing more at the end");
    if (!settle()) return lose_peer();
    if (sent_ == held_.size()) {
      if (!unsettled().empty()) wait(kSettleMs);
      return;
    }
    const ssize_t n = send(fd_, held_.data() + sent_, held_.size() - sent_, MSG_NOSIGNAL);
    if (n > 0) {
      sent_ += static_cast<std::size_t>(n);
      progress_at_ = SteadyClock::now();
    } else if (errno == EAGAIN) {
      pollfd poll_fd{fd_, POLLOUT, 0};
      poll(&poll_fd, 1, kPollMs);
    } else if (errno != EINTR) {
      lose_peer();
    }
  }

  // Forgets what was acknowledged, up to a record boundary. False: the connection is broken.
  //
  // The order matters: a connection that was alive after the look at SIOCOUTQ was so during it.
  // When a unix peer dies with bytes unread, the kernel throws them away and counts them as taken,
  // but reports an error (POLLERR) before that.
  bool settle() {
    int queued = 0;
    if (ioctl(fd_, SIOCOUTQ, &queued) != 0) return false;
    pollfd poll_fd{fd_, 0, 0};
    poll(&poll_fd, 1, 0);
    if (poll_fd.revents & (POLLERR | POLLNVAL)) return false;
    const std::size_t sent = sent_ - settled_;
    const std::size_t acknowledged = sent - std::min(sent, static_cast<std::size_t>(queued));
    const std::size_t last = unsettled().substr(0, acknowledged).rfind('\n');
    if (last == std::string_view::npos) {
      if (queued != 0 && is_silent()) return false;
    } else {
      count_written(unsettled().substr(0, last + 1));
      settled_ += last + 1;
      has_taken_ = true;
      progress_at_ = SteadyClock::now();
    }
    return (poll_fd.revents & POLLHUP) == 0;
  }

  // So often was nothing of a TCP peer heard, not even that its window is closed: its machine, or
  // the way to it, is gone, which the kernel would wait a quarter of an hour for.
  bool is_silent() const {
    tcp_info info{};
    socklen_t bytes = sizeof info;
    return uri_.destination == Destination::tcp_socket &&
           getsockopt(fd_, IPPROTO_TCP, TCP_INFO, &info, &bytes) == 0 &&
           std::max(info.tcpi_retransmits, info.tcpi_probes) >= options_.silent_tries;
  }

  // Whoever is waited for since `since` has had give_up_after; at the end of a live run from then
  // on.
  bool is_over_time(SteadyClock::time_point since) {
    const auto now = SteadyClock::now();
    if (options_.is_live) {
      if (!is_finishing()) return false;
      finishing_at_ = std::min(finishing_at_, now);
      since = std::max(since, finishing_at_);
    }
    return now - since > give_up_after();
  }

  std::chrono::nanoseconds give_up_after() const {
    return std::chrono::nanoseconds(options_.give_up_after);
  }

  template <class IsWanted>
  bool try_connect(const IsWanted& is_wanted) {
    if (uri_.destination == Destination::tcp_socket) {
      fd_ = connect_tcp(uri_, is_wanted, connect_error_);
    } else {
      fd_ = connect_unix(uri_, is_wanted);
      if (fd_ < 0) connect_error_ = not_taken(errno);
    }
    return fd_ >= 0;
  }

  // A peer that comes back and goes again soon, before it has acknowledged a record, was not there.
  void reconnect() {
    const auto now = SteadyClock::now();
    if (std::exchange(has_taken_, false) || now - connected_at_ > give_up_after()) {
      lost_at_ = now;
      backoff_ms_ = kBackoffFirstMs;
    } else {
      connect_error_ = "its peer took nothing";
      if (is_lost_for_good()) return;
      wait_before_trying();
    }
    while (!try_connect([this] { return !is_abandoned() && !is_over_time(lost_at_); })) {
      if (is_abandoned() || is_lost_for_good()) return;
      wait_before_trying();
    }
    const std::string_view begun = unsettled().substr(0, sent_ - settled_);
    count_resent(begun);
    if (!begun.empty() && begun.back() != '\n') count_resent("\n");  // a record sent in part
    sent_ = settled_;
    connected_at_ = progress_at_ = SteadyClock::now();
    set_connected();
  }

  bool is_lost_for_good() {
    if (!is_over_time(lost_at_)) return false;
    give_up(DropReason::failed, fmt::format("connection lost, and again: {}", connect_error_));
    return true;
  }

  void wait_before_trying() {
    wait(backoff_ms_);
    backoff_ms_ = std::min(2 * backoff_ms_, kBackoffLastMs);
  }

  void lose_peer() {
    disconnect();
    count_break();
  }

  void disconnect() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

  void give_up(DropReason reason, std::string_view why) {
    disconnect();
    is_dead_ = true;
    dead_reason_ = reason;
    trouble_ = fmt::format("output '{}': {}", uri_.text, why);
    count_dropped(reason, unsettled());
    held_.clear();
    sent_ = settled_ = 0;
  }

  void wait(int ms) const {
    for (; ms > 0 && !is_abandoned(); ms -= kPollMs) poll(nullptr, 0, std::min(ms, kPollMs));
  }

  const OutputUri uri_;
  const WriterOptions options_;
  int fd_ = -1;
  std::string held_;
  std::size_t settled_ = 0;  // bytes of held_ that are written for good: whole records
  std::size_t sent_ = 0;     // bytes of held_, settled ones included, that this connection took
  bool is_dead_ = false;
  DropReason dead_reason_ = DropReason::failed;
  SteadyClock::time_point progress_at_{};  // when the peer last took, or was given, something
  SteadyClock::time_point finishing_at_ = SteadyClock::time_point::max();  // when that was seen
  bool has_taken_ = true;  // the peer, since the last connection was made
  SteadyClock::time_point connected_at_{};
  SteadyClock::time_point lost_at_{};  // when a peer was lost that was there
  int backoff_ms_ = kBackoffFirstMs;
  std::string connect_error_;
};

}  // namespace

std::unique_ptr<Writer> make_stream_writer(const OutputUri& uri, const WriterOptions& options) {
  return std::make_unique<StreamWriter>(uri, options);
}

}  // namespace linger
