#include "engine/service.h"

#include "engine/base/socket_headers.h"

// clang-format off
#include <fmt/format.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
// clang-format on

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace linger {
namespace {

// Others of the same kind (clone for threads, open, ioctl, mmap) a capture needs itself.
constexpr std::array kNeverNeeded = {SYS_execve,          SYS_execveat,
                                     SYS_ptrace,          SYS_process_vm_readv,
                                     SYS_mount,           SYS_process_vm_writev,
                                     SYS_umount2,         SYS_pivot_root,
                                     SYS_chroot,          SYS_setns,
                                     SYS_unshare,         SYS_init_module,
                                     SYS_finit_module,    SYS_delete_module,
                                     SYS_kexec_load,      SYS_reboot,
                                     SYS_kexec_file_load, SYS_swapon,
                                     SYS_swapoff,         SYS_acct,
                                     SYS_perf_event_open, SYS_userfaultfd,
                                     SYS_keyctl,          SYS_add_key,
                                     SYS_request_key,     SYS_settimeofday,
                                     SYS_clock_settime,   SYS_sethostname};

sock_filter statement(unsigned code, std::uint32_t value) noexcept {
  return {static_cast<std::uint16_t>(code), 0, 0, value};
}
sock_filter jump_if(std::uint32_t value, std::size_t if_so, std::size_t else_to) noexcept {
  return {BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint8_t>(if_so),
          static_cast<std::uint8_t>(else_to), value};
}

}  // namespace

void notify_service(const std::string& state) noexcept {
  const char* path = std::getenv("NOTIFY_SOCKET");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::size_t bytes = path == nullptr ? 0 : std::strlen(path);
  if (bytes == 0 || bytes >= sizeof address.sun_path) return;
  std::memcpy(address.sun_path, path, bytes);
  if (path[0] == '@') address.sun_path[0] = '\0';
  const int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return;
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + bytes);
  sendto(descriptor, state.data(), state.size(), MSG_NOSIGNAL,
         reinterpret_cast<const sockaddr*>(&address), size);
  close(descriptor);
}

tl::expected<const passwd*, std::string> find_user(const std::string& user) {
  const passwd* entry = getpwnam(user.c_str());
  if (entry == nullptr)
    return tl::unexpected(
        fmt::format("user: there is no user {}; useradd --system {} makes one", user, user));
  return entry;
}

tl::expected<void, std::string> become_user(const std::string& user) {
  const auto entry = find_user(user);
  if (!entry) return tl::unexpected(entry.error());
  if (initgroups(user.c_str(), (*entry)->pw_gid) != 0 || setgid((*entry)->pw_gid) != 0 ||
      setuid((*entry)->pw_uid) != 0)
    return tl::unexpected(
        fmt::format("user: cannot become {}: {}; start as root, or leave user "
                    "empty",
                    user, std::strerror(errno)));
  return {};
}

bool give_up_system_calls() noexcept {
  std::vector<sock_filter> code;
  code.push_back(statement(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)));
  code.push_back(jump_if(AUDIT_ARCH_X86_64, 1, 0));
  code.push_back(statement(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM));  // 32-bit calls
  code.push_back(statement(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)));
  for (std::size_t i = 0; i < kNeverNeeded.size(); ++i)
    code.push_back(
        jump_if(static_cast<std::uint32_t>(kNeverNeeded[i]), kNeverNeeded.size() - i, 0));
  code.push_back(statement(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  code.push_back(statement(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM));
  const sock_fprog program = {static_cast<unsigned short>(code.size()), code.data()};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0;
}

}  // namespace linger
