#include "output/writer.h"

namespace linger {

namespace {

// A newline ends a record and stands nowhere else.
std::uint64_t count_records(std::string_view lines) noexcept {
  std::uint64_t count = 0;
  for (std::size_t at = lines.find('\n'); at != std::string_view::npos;
       at = lines.find('\n', at + 1))
    ++count;
  return count;
}

}  // namespace

void Writer::count_written(std::string_view lines) noexcept { written_.add(count_records(lines)); }

void Writer::count_resent(std::string_view lines) noexcept { resent_.add(count_records(lines)); }

void Writer::count_dropped(DropReason reason, std::string_view lines) noexcept {
  dropped_[static_cast<std::size_t>(reason)].add(count_records(lines));
}

std::unique_ptr<Writer> make_writer(const OutputUri& uri, const WriterOptions& options) {
  switch (uri.destination) {
    case Destination::standard_output:
    case Destination::file:
      return make_file_writer(uri, options);
    case Destination::unix_socket:
    case Destination::tcp_socket:
      return make_stream_writer(uri, options);
  }
  return nullptr;
}

tl::expected<void, std::string> try_output(const OutputUri& uri) {
  switch (uri.destination) {
    case Destination::standard_output:
      return {};
    case Destination::file:
      return try_file(uri);
    case Destination::unix_socket:
    case Destination::tcp_socket:
      return make_stream_writer(uri, {})->open();
  }
  return {};
}

}  // namespace linger
