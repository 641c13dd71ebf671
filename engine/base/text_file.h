// Files that people write, as settings and rules: read whole. Any thread; allocates.
#pragma once

#include <cstddef>
#include <string>
#include <tl/expected.hpp>

namespace linger {

// Of a file, a pipe or a device, the whole text, of at most `bytes_max` (a whole number of MiB):
// what has no end is given up there. The error is the reason alone; the caller names the file.
tl::expected<std::string, std::string> read_text_file(const std::string& path,
                                                      std::size_t bytes_max);

}  // namespace linger
