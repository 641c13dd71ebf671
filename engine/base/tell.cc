#include "engine/base/tell.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>

namespace linger {
namespace {

constexpr int kPatienceMs = 1'000;

// Whoever waited last did so in vain; nothing else is published through it.
std::atomic<bool> is_stalled{false};

bool wait_for_reader() noexcept {
  pollfd reader{STDERR_FILENO, POLLOUT, 0};
  const int patience = is_stalled.load(std::memory_order_relaxed) ? 0 : kPatienceMs;
  const int ready = poll(&reader, 1, patience);
  is_stalled.store(ready == 0, std::memory_order_relaxed);
  return ready > 0;
}

}  // namespace

void tell_text(std::string_view text) noexcept {
  while (!text.empty() && wait_for_reader()) {
    // A pipe that has room takes so much without a pause.
    const ssize_t n =
        write(STDERR_FILENO, text.data(), std::min<std::size_t>(text.size(), PIPE_BUF));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

}  // namespace linger
