// Worker processes: made by posix_spawn() of this very program.
#include "executors/process/spawn.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
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
#include "executors/process/posix_spawn.hpp"

namespace plait::detail {
namespace {

[[noreturn]] void throw_errno(int error, const char* call) {
  throw std::system_error(error, std::generic_category(), call);
}

struct Pair {
  PrivateFd here, there;
};

Pair moved_up(int here, int there) {
  PrivateFd low_here;  // closed whatever happens
  try {
    low_here = PrivateFd(here);
  } catch (...) {
    ::close(there);
    throw;
  }
  const PrivateFd low_there(there);
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

pid_t spawn_this_program(int socket, int lifeline, const SharedFds& shared) {
  std::string mark = std::string(worker_variable) + "=" + std::to_string(worker_depth() + 1);
  std::vector<char*> environment{mark.data()};
  for (char** variable = environ; *variable; ++variable) environment.push_back(*variable);
  environment.push_back(nullptr);
  std::string name = "plait-worker";
  char* arguments[] = {name.data(), nullptr};
  PosixSpawn settings;
  settings.reset_signals();
  settings.make_group();  // Ctrl-C reaches this process only
  settings.open(0, "/dev/null", O_RDONLY);
  settings.copy(socket, worker_socket);
  settings.copy(lifeline, worker_lifeline);
  settings.copy(shared.claims, worker_claims);
  settings.copy(shared.arena, worker_arena);
  settings.close_from(worker_arena + 1);
  // Not the path: this is the running program even if its file was replaced.
  return settings.spawn("/proc/self/exe", arguments, environment.data());
}

}  // namespace

void spawn_worker(const SharedFds& shared, WorkerProcess& process) {
  Pair socket = socket_pair();
  Pair lifeline = lifeline_pair();
  process.pid = spawn_this_program(socket.there.get(), lifeline.there.get(), shared);
  process.socket = std::move(socket.here);
  process.lifeline = std::move(lifeline.here);
  // Where the kernel refuses, the end of the socket's stream tells of the worker's death.
  process.pidfd = PrivateFd(open_pidfd(process.pid));
}

namespace {

// 0: as it should be.
int wait_for(const WorkerProcess& process, siginfo_t& info, int flags) {
  const auto type = process.pidfd ? P_PIDFD : P_PID;
  const auto id = static_cast<id_t>(process.pidfd ? process.pidfd.get() : process.pid);
  int result = 0;
  do {
    result = ::waitid(type, id, &info, WEXITED | flags);
  } while (result != 0 && errno == EINTR);
  return result;
}

}  // namespace

WorkerProcess::~WorkerProcess() {
  if (pid <= 0 || reaped) return;
  lifeline.close();
  signal_group(*this, SIGKILL);
  siginfo_t info{};
  wait_for(*this, info, 0);
}

bool reap(WorkerProcess& process, ProcessEnd& end) {
  siginfo_t info{};
  if (wait_for(process, info, WNOHANG) != 0) {
    process.reaped = true;  // SIGCHLD is ignored, or somebody else waits for all children
    return true;
  }
  // Zombies of others show as ended on the pidfd only.
  if (info.si_pid == 0) return false;
  process.reaped = true;
  end.known = true;
  end.core = info.si_code == CLD_DUMPED;
  (info.si_code == CLD_EXITED ? end.exit_status : end.signal) = info.si_status;
  return true;
}

void signal_group(const WorkerProcess& process, int signal) noexcept {
  if (process.pid > 0) ::kill(-process.pid, signal);
}

}  // namespace plait::detail
