// All thread pools of the process: what exit() and fork() do with them.
#pragma once

#include <memory>

namespace plait::detail {

class ThreadPool;

/// From now on exit() waits for this pool's jobs.
void remember_pool(const std::shared_ptr<ThreadPool>& pool);
/// The pool ends. Takes owners_mutex(), as an owner's destructor has to.
void forget_pool(const ThreadPool& pool) noexcept;

/// Different in the child of every fork().
unsigned fork_generation() noexcept;

}  // namespace plait::detail
