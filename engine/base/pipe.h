// Pipes: wide, and waited for. One of 64 KiB, as they are made, lets neither end work for long
// before it waits for the other one.
#pragma once

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>

#include <string>

namespace linger {

// A MiB, as much as Linux lets anybody have (fs.pipe-max-size). Where it is not allowed, or `fd` is
// no pipe, all stays as it is. Any thread.
inline void widen_pipe(int fd) noexcept { fcntl(fd, F_SETPIPE_SZ, 1024 * 1024); }

// open(2), before the run: a named pipe waits for its other end, and INT and TERM, which are
// blocked by then for the run to wait for, end the program meanwhile. The main thread's.
inline int open_waiting(const std::string& path, int flags, mode_t mode = 0) noexcept {
  struct stat status {};
  const bool waits = stat(path.c_str(), &status) == 0 && S_ISFIFO(status.st_mode);
  sigset_t ending, before;
  sigemptyset(&ending);
  sigaddset(&ending, SIGINT);
  sigaddset(&ending, SIGTERM);
  if (waits) pthread_sigmask(SIG_UNBLOCK, &ending, &before);
  const int fd = open(path.c_str(), flags, mode);
  if (waits) pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return fd;
}

}  // namespace linger
