// Worker processes: made by posix_spawn() of this very program.
#include "executors/process/spawn.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>
#include <system_error>
#include <vector>

#include "executors/process/bootstrap.hpp"
#include "executors/process/frames.hpp"

namespace plait::detail {
namespace {

[[noreturn]] void throw_errno(int error, const char* call) {
  throw std::system_error(error, std::generic_category(), call);
}

struct Pair {
  PrivateFd here, there;
};

Pair moved_up(int here, int there) {
  const PrivateFd low_here(here), low_there(there);  // closed whatever happens
  Pair pair;
  pair.there = PrivateFd::copy_of(there);
  pair.here = PrivateFd::copy_of(here);
  return pair;
}

Pair socket_pair() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
    throw_errno(errno, "socketpair()");
  static constexpr int buffer = 1 << 20;
  for (const int fd : fds) {
    ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
    ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
  }
  Pair pair = moved_up(fds[0], fds[1]);
  ::fcntl(pair.here.get(), F_SETFL, O_NONBLOCK);
  return pair;
}

Pair lifeline_pair() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) throw_errno(errno, "pipe2()");
  return moved_up(fds[1], fds[0]);
}

// What the new process is told before it begins. Its destructor ends what its constructor began.
class SpawnSettings {
 public:
  SpawnSettings() {
    check(::posix_spawnattr_init(&attributes_), "posix_spawnattr_init()");
    check(::posix_spawn_file_actions_init(&actions_), "posix_spawn_file_actions_init()");
    // Its own process group: Ctrl-C reaches this process only. No inherited mask or dispositions.
    ::posix_spawnattr_setpgroup(&attributes_, 0);
    sigset_t signals;
    ::sigemptyset(&signals);
    ::posix_spawnattr_setsigmask(&attributes_, &signals);
    ::sigfillset(&signals);
    ::posix_spawnattr_setsigdefault(&attributes_, &signals);
    ::posix_spawnattr_setflags(
        &attributes_, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~SpawnSettings() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  void give(int socket, int lifeline, const SharedFds& shared) {
    check(::posix_spawn_file_actions_addopen(&actions_, 0, "/dev/null", O_RDONLY, 0), "open()");
    check(::posix_spawn_file_actions_adddup2(&actions_, socket, worker_socket), "dup2()");
    check(::posix_spawn_file_actions_adddup2(&actions_, lifeline, worker_lifeline), "dup2()");
    check(::posix_spawn_file_actions_adddup2(&actions_, shared.claims, worker_claims), "dup2()");
    check(::posix_spawn_file_actions_adddup2(&actions_, shared.arena, worker_arena), "dup2()");
    check(::posix_spawn_file_actions_addclosefrom_np(&actions_, worker_arena + 1), "closefrom()");
  }
  pid_t spawn(const char* path, char* const* arguments, char* const* environment) {
    pid_t pid = 0;
    check(::posix_spawn(&pid, path, &actions_, &attributes_, arguments, environment),
          "posix_spawn()");
    return pid;
  }

 private:
  static void check(int error, const char* call) {
    if (error != 0) throw_errno(error, call);
  }

  posix_spawnattr_t attributes_;
  posix_spawn_file_actions_t actions_;
};

pid_t spawn_this_program(int socket, int lifeline, const SharedFds& shared) {
  std::string mark = std::string(worker_variable) + "=" + std::to_string(worker_depth() + 1);
  std::vector<char*> environment{mark.data()};
  for (char** variable = environ; *variable; ++variable) environment.push_back(*variable);
  environment.push_back(nullptr);
  std::string name = "plait-worker";
  char* arguments[] = {name.data(), nullptr};
  SpawnSettings settings;
  settings.give(socket, lifeline, shared);
  // Not the path: this is the running program even if its file was replaced.
  return settings.spawn("/proc/self/exe", arguments, environment.data());
}

}  // namespace

WorkerProcess spawn_worker(const SharedFds& shared) {
  Pair socket = socket_pair();
  Pair lifeline = lifeline_pair();
  WorkerProcess process;
  process.pid = spawn_this_program(socket.there.get(), lifeline.there.get(), shared);
  process.socket = std::move(socket.here);
  process.lifeline = std::move(lifeline.here);
  // Not <sys/pidfd.h>, which glibc 2.36 has without extern "C". The kernel sets close-on-exec.
  // Where it refuses, the end of the socket's stream tells of the worker's death.
  process.pidfd = PrivateFd(static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0)));
  return process;
}

bool reap(const WorkerProcess& process, ProcessEnd& end) {
  siginfo_t info{};
  const auto type = process.pidfd ? P_PIDFD : P_PID;
  const auto id = static_cast<id_t>(process.pidfd ? process.pidfd.get() : process.pid);
  int result = 0;
  do {
    result = ::waitid(type, id, &info, WEXITED | WNOHANG);
  } while (result != 0 && errno == EINTR);
  if (result != 0) return true;  // SIGCHLD is ignored, or somebody else waits for all children
  if (info.si_pid == 0) {
    // Zombies of others show as ended on the pidfd only.
    return false;
  }
  end.known = true;
  end.core = info.si_code == CLD_DUMPED;
  (info.si_code == CLD_EXITED ? end.exit_status : end.signal) = info.si_status;
  return true;
}

void signal_group(const WorkerProcess& process, int signal) noexcept {
  if (process.pid > 0) ::kill(-process.pid, signal);
}

}  // namespace plait::detail
