// Which threads that run jobs wait for which jobs: the search for a cycle.
#include "core/wait_graph.hpp"

#include <pthread.h>

#include <algorithm>

#include <plait/core/errors.hpp>

namespace plait::detail {

Mutex& owners_mutex() {
  static Mutex& mutex = *new Mutex;  // never destroyed: jobs may outlive static destruction
  return mutex;
}

namespace {
void lock_both() PLAIT_TSA(no_thread_safety_analysis) {
  owners_mutex().lock();
  searches_mutex().lock();
}
void unlock_both() PLAIT_TSA(no_thread_safety_analysis) {
  searches_mutex().unlock();
  owners_mutex().unlock();
}
}  // namespace

void keep_mutexes_across_fork() {
  static const int hooked = ::pthread_atfork(lock_both, unlock_both, unlock_both);
  (void)hooked;
}

namespace {

// All workers that wait now. Guarded by owners_mutex().
constinit BlockedThread* blocked_threads = nullptr;

bool runs(const RunFrame* top, const FutureState& job) {
  for (const RunFrame* frame = top; frame; frame = frame->below) {
    if (frame->job == &job) return true;
  }
  return false;
}

}  // namespace

void check_wait(std::span<FutureState* const> jobs) {
  MutexLock lock(owners_mutex());
  for (const FutureState* job : jobs) {
    if (job->owner() && !job->done()) job->owner()->check_wait(*job);
  }
}

BlockedThread::BlockedThread(std::span<FutureState* const> jobs, Deadline deadline)
    : owner_(working_thread.owner), top_(deadline ? nullptr : working_thread.top), jobs_(jobs) {
  if (!top_) return;
  MutexLock lock(owners_mutex());
  next_ = blocked_threads;
  blocked_threads = this;
  if (jobs_.empty() || can_go_on()) return;
  try {
    throw DeadlockError(describe_cycle());
  } catch (...) {
    blocked_threads = next_;
    throw;
  }
}

BlockedThread::~BlockedThread() {
  if (!top_) return;
  MutexLock lock(owners_mutex());
  BlockedThread** link = &blocked_threads;
  while (*link != this) link = &(*link)->next_;
  *link = next_;
}

// Runs in: any thread, owners_mutex() held, as do all below.
bool BlockedThread::can_go_on() {
  free_all_that_can_go_on();
  return freed_;
}

// At first all blocked threads count as
// stuck; each round frees those that wait for something a freed or awake thread will end. What is
// left when a round frees none can only be freed from outside of this set, hence never.
void BlockedThread::free_all_that_can_go_on() {
  for (auto* thread = blocked_threads; thread; thread = thread->next_) thread->freed_ = false;
  for (bool progress = true; progress;) {
    progress = false;
    for (auto* thread = blocked_threads; thread; thread = thread->next_) {
      if (thread->freed_ || !thread->waits_for_something_that_ends()) continue;
      thread->freed_ = true;
      progress = true;
    }
  }
}

bool BlockedThread::waits_for_something_that_ends() const {
  return std::ranges::any_of(jobs_, [](auto* job) { return can_end(*job); });
}

bool BlockedThread::can_end(const FutureState& job) {
  switch (job.snapshot().phase()) {
    case Phase::pending:
      return queued_job_can_start(job);
    case Phase::running: {
      const BlockedThread* const runner = who_runs(job);
      return !runner || runner->freed_;
    }
    default:
      return true;
  }
}

bool BlockedThread::queued_job_can_start(const FutureState& job) {
  if (!job.owner()) return true;  // a promise: anybody may fulfil it
  std::size_t stuck = 0;
  for (auto* thread = blocked_threads; thread; thread = thread->next_) {
    stuck += thread->owner_ == job.owner() && !thread->freed_;
  }
  return stuck < job.owner()->worker_limit();
}

BlockedThread* BlockedThread::who_runs(const FutureState& job) {
  BlockedThread* thread = blocked_threads;
  while (thread && !runs(thread->top_, job)) thread = thread->next_;
  return thread;
}

BlockedThread* BlockedThread::who_blocks_queue_of(const FutureState& job) {
  BlockedThread* thread = blocked_threads;
  while (thread && (thread->owner_ != job.owner() || thread->visited_)) thread = thread->next_;
  return thread;
}

// Follows one stuck job from worker to worker until it meets a worker again.
std::string BlockedThread::describe_cycle() {
  std::string text = "deadlock: " + top_->job->describe();
  BlockedThread* thread = this;
  while (thread && !thread->visited_) {
    thread->visited_ = true;
    const FutureState& job = *thread->jobs_.front();
    text += " waits for " + job.describe();
    thread = who_runs(job);
    if (thread) {
      thread->describe_chain_to_top(job, text);
    } else if ((thread = who_blocks_queue_of(job))) {
      text += ", which is queued behind " + thread->top_->job->describe();
    }
  }
  for (thread = blocked_threads; thread; thread = thread->next_) thread->visited_ = false;
  return text +
         ", so this wait can never end. Let one of them return its future instead of waiting, or "
         "wait outside of the pool.";
}

// A job that helps waits for the job above it on its stack, and so on up to the one on top.
void BlockedThread::describe_chain_to_top(const FutureState& job, std::string& text) const {
  std::string chain;
  for (const RunFrame* frame = top_; frame && frame->job != &job; frame = frame->below) {
    chain.insert(0, " which waits for " + frame->job->describe());
  }
  text += chain;
}

std::size_t BlockedThread::count_stuck(const JobOwner& owner) {
  MutexLock lock(owners_mutex());
  free_all_that_can_go_on();
  std::size_t count = 0;
  for (const auto* thread = blocked_threads; thread; thread = thread->next_) {
    count += thread->owner_ == &owner && !thread->freed_;
  }
  return count;
}

void forget_blocked_threads() noexcept { blocked_threads = nullptr; }

}  // namespace plait::detail
