// While it lives its thread takes no signals, and a thread that is made meanwhile never does: they
// are the control thread's, and SIGPIPE or SIGXFSZ of a write are only its error.
#pragma once

#include <pthread.h>
#include <signal.h>

namespace linger {

class SignalsBlocked {
 public:
  SignalsBlocked() noexcept {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

}  // namespace linger
