// Ctrl-C while a Runner runs in the main thread.
#pragma once

#include <csignal>

#include <plait/loop/detail/task_state.hpp>

namespace plait::detail {

/// While it lives, in the main thread and where nobody handles SIGINT: the first one cancels
/// `task`, the second one ends the run. Main thread only.
class InterruptGuard {
 public:
  explicit InterruptGuard(TaskBase& task);
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;
  ~InterruptGuard();

  /// True: there was a SIGINT.
  bool interrupted() const noexcept { return count_ > 0; }
  /// Runs in: the loop, after a SIGINT.
  void arrived() noexcept;

 private:
  TaskBase& task_;
  const StateRef<FutureState> state_;  // keeps task_ alive
  int count_ = 0;
  bool installed_ = false;
  struct sigaction previous_{};
};

}  // namespace plait::detail
