// The calls of posix_spawn(), checked.
#include "executors/process/posix_spawn.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <system_error>

namespace plait::detail {
namespace {

void check(int error, const char* call) {
  if (error != 0) throw std::system_error(error, std::generic_category(), call);
}

}  // namespace

PosixSpawn::PosixSpawn() {
  check(::posix_spawnattr_init(&attributes_), "posix_spawnattr_init()");
  check(::posix_spawn_file_actions_init(&actions_), "posix_spawn_file_actions_init()");
}

PosixSpawn::~PosixSpawn() {
  ::posix_spawn_file_actions_destroy(&actions_);
  ::posix_spawnattr_destroy(&attributes_);
}

void PosixSpawn::open(int fd, const char* path, int flags) {
  check(::posix_spawn_file_actions_addopen(&actions_, fd, path, flags, 0), "open()");
}
void PosixSpawn::copy(int from, int to) {
  check(::posix_spawn_file_actions_adddup2(&actions_, from, to), "dup2()");
}
void PosixSpawn::close_from(int lowest) {
  check(::posix_spawn_file_actions_addclosefrom_np(&actions_, lowest), "closefrom()");
}
void PosixSpawn::change_directory(const char* path) {
  check(::posix_spawn_file_actions_addchdir_np(&actions_, path), "chdir()");
}

void PosixSpawn::add_flag(short flag) {
  short flags = 0;
  ::posix_spawnattr_getflags(&attributes_, &flags);
  check(::posix_spawnattr_setflags(&attributes_, static_cast<short>(flags | flag)),
        "posix_spawnattr_setflags()");
}

void PosixSpawn::reset_signals() {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::posix_spawnattr_setsigmask(&attributes_, &signals);
  ::sigfillset(&signals);
  ::posix_spawnattr_setsigdefault(&attributes_, &signals);
  add_flag(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}
void PosixSpawn::make_group() {
  ::posix_spawnattr_setpgroup(&attributes_, 0);
  add_flag(POSIX_SPAWN_SETPGROUP);
}
void PosixSpawn::make_session() { add_flag(POSIX_SPAWN_SETSID); }

pid_t PosixSpawn::spawn(const char* path, char* const* arguments, char* const* environment) {
  pid_t pid = 0;
  check(::posix_spawnp(&pid, path, &actions_, &attributes_, arguments, environment), path);
  return pid;
}

// Not <sys/pidfd.h>, which glibc 2.36 has without extern "C". The kernel sets close-on-exec.
int open_pidfd(pid_t pid) noexcept { return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)); }

}  // namespace plait::detail
