// Waiting for a child, and reaping it.
#include "io/child_process.hpp"

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <system_error>
#include <utility>

#include "executors/process/posix_spawn.hpp"

namespace plait::detail {
namespace {

// Somebody else has reaped it, so nobody knows how it has ended.
constexpr int unknown_status = 255;

}  // namespace

void ChildProcess::take(LoopCore& core, pid_t pid) {
  pid_ = pid;
  OwnedFd fd(open_pidfd(pid));
  const int error = errno;
  if (fd.get() < 0 && error == ESRCH) {  // it has ended, and somebody else has reaped it
    returncode_ = unknown_status;
    ended_.open();
    return;
  }
  if (fd.get() < 0) throw std::system_error(error, std::generic_category(), "pidfd_open()");
  pidfd_.emplace(core, std::move(fd));
}

ChildProcess::~ChildProcess() { end_now(); }

// A child that was killed takes no time worth mentioning to end.
void ChildProcess::end_now() noexcept {
  if (pid_ < 0 || returncode_ || reap(WNOHANG)) return;
  if (::kill(pid_, SIGKILL) == 0) reap(0);  // not one that has become another user's
}

void ChildProcess::watch() {
  if (returncode_) return;
  pidfd_->when_readable([self = shared_from_this()](const boost::system::error_code& error) {
    if (error) return;
    if (!self->reap(WNOHANG)) return self->watch();
    self->pidfd_.reset();
    self->ended_.open();
  });
}

// False: it runs.
bool ChildProcess::reap(int flags) noexcept {
  siginfo_t info{};
  int result = 0;
  do {
    result = ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | flags);
  } while (result != 0 && errno == EINTR);
  if (result != 0) {
    returncode_ = unknown_status;
  } else if (info.si_pid != 0) {
    returncode_ = info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
  }
  return returncode_.has_value();
}

// Without the pidfd, which the loop has closed, its number is still its own until it is reaped.
int ChildProcess::signal(int number) const noexcept {
  if (returncode_) return ESRCH;
  const bool by_pidfd = pidfd_ && !pidfd_->closed();
  const auto result = by_pidfd ? ::syscall(SYS_pidfd_send_signal, pidfd_->fd(), number, nullptr, 0)
                               : ::kill(pid_, number);
  return result == 0 ? 0 : errno;
}

void ChildProcess::send_signal(int number) const {
  const int error = signal(number);
  if (error == 0) return;
  throw std::system_error(
      error, std::generic_category(),
      "sending signal " + std::to_string(number) + " to process " + std::to_string(pid_));
}

Coroutine<int> ChildProcess::wait(std::shared_ptr<ChildProcess> child) {
  co_await make_coroutine<void>(new SignalWait<void>(child->ended_, "Process.wait()"));
  co_return *child->returncode_;
}

}  // namespace plait::detail
