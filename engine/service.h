// What a live run is to the system it runs on: ready when it says so, and with no more rights than
// it needs once its devices and outputs are open. Thread: the control thread; rights are given up
// by all threads of the process.
#pragma once

#include <pwd.h>

#include <string>
#include <tl/expected.hpp>

namespace linger {

// Tells the service manager (sd_notify(3)); nothing happens where there is none.
void notify_service(const std::string& state) noexcept;

// Its entry, until the next call. The error names the setting and the mend.
tl::expected<const passwd*, std::string> find_user(const std::string& user);

// Becomes this user for good, with its groups. The same error.
tl::expected<void, std::string> become_user(const std::string& user);

// Gives up the system calls that a capture never makes: to run programs, look into other processes,
// load modules, mount, restart (seccomp). They fail from then on, in all threads. bpf() stays:
// net_af_xdp takes its program off at the end. False: this kernel cannot do that.
bool give_up_system_calls() noexcept;

}  // namespace linger
