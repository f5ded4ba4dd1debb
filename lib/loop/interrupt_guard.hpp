// Ctrl-C while a Runner runs in the main thread.
#pragma once

#include <csignal>

#include <plait/loop/detail/task_state.hpp>

namespace plait::detail {

/// While it lives, in the main thread and where nobody handles SIGINT: the first one cancels
/// `task`, the second one ends the run. Main thread only.
class InterruptGuard {
 public:
  /// What the signal's handler posts to the loop.
  class Arrival;

  explicit InterruptGuard(TaskBase& task);
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;
  ~InterruptGuard();

  /// True: the loop has heard of a SIGINT.
  bool interrupted() const noexcept { return count_ > 0; }
  /// True: there was a SIGINT of which the loop has not heard before it stopped.
  bool undelivered() const noexcept;

 private:
  static void forget_in_child() noexcept;
  void arrived() noexcept;

  TaskBase& task_;
  const StateRef<FutureState> state_;  // keeps task_ alive
  Arrival* arrival_ = nullptr;         // null: not installed; shared with the loop's queue
  int count_ = 0;
  struct sigaction previous_{};
};

}  // namespace plait::detail
