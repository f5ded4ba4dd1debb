// The errors that come back from another process.
#pragma once

#include <string>

#include <plait/core/errors.hpp>

namespace plait {

/// The worker process that ran this task died.
///
/// **Python:** there the whole pool breaks with BrokenProcessPool.
struct WorkerDied : Error {
  /// How the process `pid` ended: by `signal`, or with `exit_status` where that is 0.
  WorkerDied(const std::string& what, int pid, int signal, int exit_status);

  /// The process that died.
  int pid() const { return pid_; }
  /// The signal that ended it; 0: none did.
  int signal() const { return signal_; }
  /// What it gave to exit(), where no signal ended it.
  int exit_status() const { return exit_status_; }

 private:
  int pid_;
  int signal_;
  int exit_status_;
};

/// What an exception that was rebuilt from another process also is; dynamic_cast to reach it.
struct RemoteInfo {
  virtual ~RemoteInfo();
  /// The type that was thrown there, as its source spells it.
  virtual std::string type_name() const = 0;
  /// The process that threw it.
  virtual int pid() const = 0;
};

/// Thrown in a worker process with a type that is not known here; what() names it.
struct RemoteError : Error {
  using Error::Error;
};

}  // namespace plait
