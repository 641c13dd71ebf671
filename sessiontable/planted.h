// Bugs planted on purpose: tests/simulation/planted_test must find each of them within its normal
// run.
//
// PLANTED(number, good, bad) is `good` everywhere but in that test's own build of the sources that
// say it or include it (LINGER_PLANTED_BUGS; tests/meson.build names them), where the bug of this
// number can be switched on. Owner: the test's thread.
#pragma once

#ifdef LINGER_PLANTED_BUGS

namespace linger {
inline int planted_bug = 0;  // 0: none
inline constexpr int kPlantedBugs = 25;
}  // namespace linger
#define PLANTED(number, good, bad) (::linger::planted_bug == (number) ? (bad) : (good))

#else

#define PLANTED(number, good, bad) (good)

#endif
