// All pools of the process: what exit() and fork() do with them.
#pragma once

#include <memory>

namespace plait::detail {

/// A pool of threads or processes, as exit() sees it.
class LivePool {
 public:
  /// Runs in: who calls exit(), any thread. Runs what was accepted.
  virtual void finish_at_exit() = 0;

 protected:
  ~LivePool() = default;
};

/// From now on exit() waits for this pool's jobs.
void remember_pool(const std::shared_ptr<LivePool>& pool);
/// The pool ends. Takes owners_mutex(), as an owner's destructor has to.
void forget_pool(const LivePool& pool) noexcept;

/// Different in the child of every fork().
unsigned fork_generation() noexcept;

}  // namespace plait::detail
