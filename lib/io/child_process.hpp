// A child process, and when it has ended.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>

#include <plait/core/coroutine.hpp>
#include <plait/io/stream_reader.hpp>
#include <plait/io/stream_writer.hpp>
#include <plait/loop/detail/loop_core.hpp>
#include <plait/loop/detail/signal_line.hpp>

#include "io/fd_watch.hpp"

namespace plait::detail {

/// What a Process is a handle of. The loop keeps it until the process has ended. Loop thread only.
class ChildProcess final : public std::enable_shared_from_this<ChildProcess> {
 public:
  ChildProcess() = default;
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  /// Takes a process that was just started whatever happens. @throws std::system_error
  void take(LoopCore& core, pid_t pid);
  /// Hears of its end from now on.
  void watch();
  int pid() const noexcept { return pid_; }
  std::optional<int> returncode() const noexcept { return returncode_; }
  /// @throws std::system_error
  void send_signal(int number) const;
  /// As above; gives the error, or 0.
  int signal(int number) const noexcept;
  static Coroutine<int> wait(std::shared_ptr<ChildProcess> child);

  std::shared_ptr<aio::StreamWriter> in;  // null: not a pipe
  std::shared_ptr<aio::StreamReader> out, err;

 private:
  bool reap(int flags) noexcept;
  void end_now() noexcept;

  pid_t pid_ = -1;
  std::optional<FdWatch> pidfd_;
  std::optional<int> returncode_;  // empty: it runs, or was not started yet
  SignalLine ended_{"Process", false};
};

}  // namespace plait::detail
