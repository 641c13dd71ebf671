// The guard of the warm data path: while it is armed on a thread, every system call is trapped and
// every allocation or release noted.
//
// arm() cannot be taken back: the filter stays for the life of the thread. So a guarded piece of
// work has a process of its own, which reports through report() and leaves through _exit().
#pragma once

#include <cstddef>

namespace linger::test {

struct GuardFindings {
  int system_calls = 0;
  int first_system_call = 0;  // its number
  int heap_calls = 0;
  void* first_heap_caller = nullptr;  // return address; addr2line tells where

  bool none() const { return system_calls == 0 && heap_calls == 0; }
};

// False: this machine has no seccomp.
bool arm_guard() noexcept;
GuardFindings disarm_guard() noexcept;  // counts no more; system calls stay forbidden

// Says it on standard error in spite of the guard.
void report(const char* text) noexcept;

}  // namespace linger::test
