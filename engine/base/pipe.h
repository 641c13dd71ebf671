// Pipes, and wide ones: one of 64 KiB, as they are made, lets neither end work for long before it
// waits for the other one.
#pragma once

#include <fcntl.h>

#include <filesystem>
#include <string>
#include <system_error>

namespace linger {

// A MiB, as much as Linux lets anybody have (fs.pipe-max-size). Where it is not allowed, or `fd` is
// no pipe, all stays as it is. Any thread.
inline void widen_pipe(int fd) noexcept { fcntl(fd, F_SETPIPE_SZ, 1024 * 1024); }

// Whether opening it waits for the other end, and what was read of it is gone.
inline bool is_pipe(const std::string& path) noexcept {
  std::error_code error;
  return std::filesystem::is_fifo(path, error);
}

}  // namespace linger
