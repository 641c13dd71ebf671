// Pipes, wide: one of 64 KiB, as they are made, lets neither end work for long before it waits for
// the other one.
#pragma once

#include <fcntl.h>

namespace linger {

// A MiB, as much as Linux lets anybody have (fs.pipe-max-size). Where it is not allowed, or `fd` is
// no pipe, all stays as it is. Any thread.
inline void widen_pipe(int fd) noexcept { fcntl(fd, F_SETPIPE_SZ, 1024 * 1024); }

}  // namespace linger
