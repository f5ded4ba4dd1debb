// Starts worker processes.
#pragma once

#include <sys/types.h>

#include "executors/process/private_fd.hpp"

namespace plait::detail {

/// A process of the same program that runs run_worker().
struct WorkerProcess {
  WorkerProcess() = default;
  /// Kills it and waits for its end, unless it was reaped.
  ~WorkerProcess();
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  pid_t pid = 0;  ///< also its process group
  bool reaped = false;
  PrivateFd pidfd;     ///< readable once it has ended
  PrivateFd socket;    ///< non-blocking
  PrivateFd lifeline;  ///< the kernel kills the worker when the last copy of this is closed
};

/// Of memory that a worker and its pool share.
struct SharedFds {
  int claims;  ///< its CallClaims
  int arena;   ///< the pool's SharedArena
};

/// @throws std::system_error
void spawn_worker(const SharedFds& shared, WorkerProcess& process);

/// How a process ended; unknown where somebody else has asked the kernel before.
struct ProcessEnd {
  bool known = false;
  int signal = 0;       ///< 0: it was not killed
  int exit_status = 0;  ///< where it was not killed
  bool core = false;    ///< it left a core file
};

/// False: it lives. Takes it from the kernel, and nothing else: SIGCHLD and other children are not
/// touched.
bool reap(WorkerProcess& process, ProcessEnd& end);

/// Sends `signal` to the worker and all it has started that is still in its group. It must not have
/// been reaped.
void signal_group(const WorkerProcess& process, int signal) noexcept;

}  // namespace plait::detail
