#include "tests/guard/hooks.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>

namespace linger::test {
namespace {

constexpr int kReportFd = 900;  // standard error under another number: nobody else writes there

thread_local bool is_armed = false;
thread_local GuardFindings findings;

void on_trap(int, siginfo_t* info, void*) {
  if (findings.system_calls++ == 0) findings.first_system_call = info->si_syscall;
}

// Allowed: write(kReportFd), rt_sigreturn (the end of on_trap), exit_group. All else is trapped.
bool forbid_system_calls() noexcept {
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, 7),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigreturn, 4, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 3, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args)),  // its low half
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kReportFd, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
  };
  const sock_fprog program = {sizeof filter / sizeof filter[0], filter};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

}  // namespace

bool arm_guard() noexcept {
  struct sigaction action {};
  action.sa_sigaction = on_trap;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGSYS, &action, nullptr);
  dup2(STDERR_FILENO, kReportFd);
  if (!forbid_system_calls()) return false;
  findings = {};
  is_armed = true;
  return true;
}

GuardFindings disarm_guard() noexcept {
  is_armed = false;
  return findings;
}

void report(const char* text) noexcept {
  const ssize_t written = write(kReportFd, text, std::strlen(text));
  static_cast<void>(written);
}

void note_heap_call(void* caller) noexcept {
  if (!is_armed) return;
  if (findings.heap_calls++ == 0) findings.first_heap_caller = caller;
}

}  // namespace linger::test

// The C library's own allocator under our names; operator new comes here too.
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void __libc_free(void*);

void* malloc(std::size_t bytes) {
  linger::test::note_heap_call(__builtin_return_address(0));
  return __libc_malloc(bytes);
}
void* calloc(std::size_t count, std::size_t bytes) {
  linger::test::note_heap_call(__builtin_return_address(0));
  return __libc_calloc(count, bytes);
}
void* realloc(void* p, std::size_t bytes) {
  linger::test::note_heap_call(__builtin_return_address(0));
  return __libc_realloc(p, bytes);
}
void* memalign(std::size_t alignment, std::size_t bytes) {
  linger::test::note_heap_call(__builtin_return_address(0));
  return __libc_memalign(alignment, bytes);
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  linger::test::note_heap_call(__builtin_return_address(0));
  return __libc_memalign(alignment, bytes);
}
int posix_memalign(void** p, std::size_t alignment, std::size_t bytes) {
  linger::test::note_heap_call(__builtin_return_address(0));
  *p = __libc_memalign(alignment, bytes);
  return *p != nullptr ? 0 : ENOMEM;
}
void free(void* p) {
  linger::test::note_heap_call(__builtin_return_address(0));
  __libc_free(p);
}
}
