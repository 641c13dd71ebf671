// What the user is told on standard error. Its reader may have gone or take nothing, or its disk be
// full: then the words are lost, and the run goes on.
//
// Any thread; allocates. A reader that takes nothing is waited for once, for a second.
#pragma once

#include <fmt/format.h>

#include <string_view>
#include <utility>

namespace linger {

void tell_text(std::string_view text) noexcept;

template <class... Values>
void tell(fmt::format_string<Values...> format, Values&&... values) {
  tell_text(fmt::format(format, std::forward<Values>(values)...));
}

}  // namespace linger
