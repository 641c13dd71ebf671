// A broken invariant of linger itself aborts: CHECK at boundaries, DCHECK in loops (debug and
// sanitizer builds). Bad input never comes here: on the data path it is counted, in set-up code it
// is an error value.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace linger {

[[noreturn, gnu::cold]] inline void check_failed(const char* expression, const char* file,
                                                 int line) noexcept {
  std::fprintf(stderr, "linger: invariant broken: %s (%s:%d)\n", expression, file, line);
  std::abort();
}

}  // namespace linger

#define CHECK(expression)                             \
  (__builtin_expect(static_cast<bool>(expression), 1) \
       ? void(0)                                      \
       : ::linger::check_failed(#expression, __FILE__, __LINE__))
#ifdef NDEBUG
#define DCHECK(expression) static_cast<void>(sizeof(static_cast<bool>(expression)))
#else
#define DCHECK(expression) CHECK(expression)
#endif
