// The engine of ThreadPoolExecutor: the coroutines that it runs, and what they fork.
#include <algorithm>

#include <plait/core/log.hpp>

#include "executors/thread_pool.hpp"

namespace plait::detail {

// A pool that was shut down still goes on with the coroutines that it has started.
bool ThreadPool::resume(FutureState& strand) noexcept {
  if (Worker* const self = Worker::current(*this)) {
    self->push(strand);
  } else if (!inbox_.push(strand)) {
    inbox_.put_back(strand);
  }
  grow_if_needed();    // [GROW-1]
  idle_.notify_one();  // [SLEEP-2]
  return true;
}

ForkQueue* ThreadPool::fork_queue() noexcept { return &Worker::current(*this)->forks(); }

void ThreadPool::enter(FutureState& job) noexcept { Worker::current(*this)->enter_coroutine(job); }

void ThreadPool::leave(FutureState& job) noexcept { Worker::current(*this)->leave_coroutine(job); }

// Workers that were kept for it may end now.
void ThreadPool::coroutine_ended() noexcept {
  if (--coroutines_ == 0 && sealed_) idle_.notify_all();
}

// The hint is cleared before anybody is called: who goes to sleep after that sets it again. A fork
// whose push a worker did not see before it slept is seen when that wakes from its first, short
// sleep (Worker::search).
void ThreadPool::call_helpers() noexcept {
  helpers_wanted_ = false;
  if (growing()) {
    try {
      MutexLock lock(mutex_);
      if (growing() && may_start_worker()) start_worker();
    } catch (...) {
      log(LogLevel::debug, "a pool goes on with the threads it has: it could not start another");
      return;
    }
  } else {
    idle_.notify_one();
  }
  if (growing() || idle_.any_sleeping()) helpers_wanted_ = true;
}

Frame* ThreadPool::take_fork(Worker& taker) noexcept {
  if (Frame* const own = taker.forks().pop()) return own;
  if (!runs_coroutines()) return nullptr;
  const auto workers = workers_.view();
  for (std::size_t i = 1; i < workers.size(); ++i) {
    Worker& victim = *workers[(taker.index() + i) % workers.size()];
    if (Frame* const frame = victim.forks().steal()) return frame;
  }
  return nullptr;
}

bool ThreadPool::has_forks() const noexcept {
  return runs_coroutines() && std::ranges::any_of(workers_.view(), [](auto* worker) {
           return !worker->forks().empty();
         });
}

}  // namespace plait::detail
