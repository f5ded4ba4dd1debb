// Descriptors that do not survive fork().
#include "executors/process/private_fd.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <cerrno>
#include <set>
#include <system_error>

#include "core/mutex.hpp"

namespace plait::detail {
namespace {

// Never destroyed: pools may outlive static destruction.
Mutex& fds_mutex() {
  static Mutex& mutex = *new Mutex;
  return mutex;
}
// Guarded by fds_mutex().
std::set<int>& private_fds() {
  static std::set<int>& fds = *new std::set<int>;
  return fds;
}

void lock_fds() PLAIT_TSA(no_thread_safety_analysis) { fds_mutex().lock(); }
void unlock_fds() PLAIT_TSA(no_thread_safety_analysis) { fds_mutex().unlock(); }
void close_in_child() PLAIT_TSA(no_thread_safety_analysis) {
  for (const int fd : private_fds()) ::close(fd);
  private_fds().clear();
  fds_mutex().unlock();
}

}  // namespace

PrivateFd::PrivateFd(int fd) : fd_(fd) {
  static const int hooked = ::pthread_atfork(lock_fds, unlock_fds, close_in_child);
  (void)hooked;
  if (fd_ < 0) return;
  try {
    MutexLock lock(fds_mutex());
    private_fds().insert(fd_);
  } catch (...) {
    ::close(fd_);
    throw;
  }
}

PrivateFd PrivateFd::copy_of(int fd) {
  static constexpr int lowest = 10;
  const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, lowest);
  if (copy < 0) throw std::system_error(errno, std::generic_category(), "fcntl(F_DUPFD_CLOEXEC)");
  return PrivateFd(copy);
}

// In a child made by fork() it is closed already, and its number may be another's.
void PrivateFd::close() noexcept {
  const int fd = std::exchange(fd_, -1);
  if (fd < 0) return;
  MutexLock lock(fds_mutex());
  if (private_fds().erase(fd) > 0) ::close(fd);
}

}  // namespace plait::detail
