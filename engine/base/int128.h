// 128-bit integers, which g++ and clang have and ISO C++ has not.
#pragma once

namespace linger {

__extension__ typedef __int128 int128;
__extension__ typedef unsigned __int128 uint128;

}  // namespace linger
