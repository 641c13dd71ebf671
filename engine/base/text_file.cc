#include "engine/base/text_file.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>

namespace linger {

tl::expected<std::string, std::string> read_text_file(const std::string& path,
                                                      std::size_t bytes_max) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string text;
  for (std::array<char, 65'536> piece; file && text.size() <= bytes_max;) {
    file.read(piece.data(), piece.size());
    text.append(piece.data(), static_cast<std::size_t>(file.gcount()));
  }
  if (text.size() > bytes_max)
    return tl::unexpected(fmt::format("larger than {} MiB", bytes_max >> 20));
  if (!file.eof()) return tl::unexpected<std::string>(std::strerror(errno));
  return text;
}

}  // namespace linger
