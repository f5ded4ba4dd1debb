// Which threads that run jobs wait for which jobs: the search for a cycle.
#include "core/wait_graph.hpp"

#include <algorithm>

#include <plait/core/errors.hpp>

namespace plait::detail {

Mutex& owners_mutex() {
  static Mutex& mutex = *new Mutex;  // never destroyed: jobs may outlive static destruction
  return mutex;
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
  if (can_go_on()) return;
  const std::string cycle = describe_cycle();
  blocked_threads = next_;
  throw DeadlockError(cycle);
}

BlockedThread::~BlockedThread() {
  if (!top_) return;
  MutexLock lock(owners_mutex());
  BlockedThread** link = &blocked_threads;
  while (*link != this) link = &(*link)->next_;
  *link = next_;
}

// Runs in: any thread, owners_mutex() held, as do all below. A worker that the search has reached
// already counts as stuck: what could free it has to come from outside of the cycle.
bool BlockedThread::can_go_on() {
  visited_ = true;
  const bool result = std::ranges::any_of(jobs_, [](auto* job) { return can_end(*job); });
  visited_ = false;
  return result;
}

bool BlockedThread::can_end(const FutureState& job) {
  switch (job.snapshot().phase()) {
    case Phase::pending:
      return queued_job_can_start(job);
    case Phase::running: {
      BlockedThread* runner = who_runs(job);
      return !runner || (!runner->visited_ && runner->can_go_on());
    }
    default:
      return true;
  }
}

bool BlockedThread::queued_job_can_start(const FutureState& job) {
  if (!job.owner()) return true;  // a promise: anybody may fulfil it
  std::size_t stuck = 0;
  for (BlockedThread* thread = blocked_threads; thread; thread = thread->next_) {
    if (thread->owner_ != job.owner()) continue;
    if (!thread->visited_ && thread->can_go_on()) return true;
    ++stuck;
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

std::size_t count_blocked_threads(const JobOwner& owner) {
  MutexLock lock(owners_mutex());
  std::size_t count = 0;
  for (const BlockedThread* thread = blocked_threads; thread; thread = thread->next()) {
    count += thread->owner() == &owner;
  }
  return count;
}

void forget_blocked_threads() noexcept { blocked_threads = nullptr; }

}  // namespace plait::detail
