#include "engine/source/huge_pages.h"

#include <charconv>
#include <fstream>
#include <string>

namespace linger {

std::uint64_t free_huge_page_bytes(const std::filesystem::path& folder) {
  constexpr std::string_view kPrefix = "hugepages-";  // and a size, as in hugepages-2048kB
  std::uint64_t bytes = 0;
  std::error_code none;
  for (const auto& size : std::filesystem::directory_iterator(folder / "hugepages", none)) {
    const std::string name = size.path().filename();
    if (!name.starts_with(kPrefix)) continue;
    std::uint64_t kib = 0;
    std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), kib);
    std::uint64_t count = 0;
    std::ifstream(size.path() / "free_hugepages") >> count;
    bytes += count * kib << 10;
  }
  return bytes;
}

}  // namespace linger
