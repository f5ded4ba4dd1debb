// The engine of ThreadPoolExecutor: taking jobs, and starting and ending workers.
#include "executors/thread_pool.hpp"

#include <algorithm>
#include <system_error>

#include <plait/core/errors.hpp>
#include <plait/core/log.hpp>

#include "core/describe_exception.hpp"
#include "executors/live_pools.hpp"
#include "executors/usable_cpus.hpp"

namespace plait::detail {

ThreadPool::ThreadPool(ThreadPoolOptions options)
    : options_(std::move(options)),
      fork_generation_(fork_generation()),
      idle_(std::max<std::size_t>(1, usable_cpus() / 2)),
      room_(options_.max_queue),
      max_workers_(options_.max_workers) {}

ThreadPool::~ThreadPool() {
  forget_pool(*this);
  while (FutureState* const job = take_any()) job->release();  // in the child of a fork()
}

std::shared_ptr<ThreadPool> ThreadPool::make(ThreadPoolOptions options) {
  auto pool = std::make_shared<ThreadPool>(std::move(options));
  remember_pool(pool);
  return pool;
}

bool ThreadPool::forked() const noexcept { return fork_generation_ != fork_generation(); }

// ---------------------------------------------------------------- taking jobs

void ThreadPool::enqueue(JobRef job, const SubmitOptions& options, const RemoteJob&) {
  if (options.timeout || options.retries != 0) {
    throw std::invalid_argument(
        "SubmitOptions::timeout and retries need a process pool: on threads, let the job take a "
        "std::stop_token and wait with result(timeout)");
  }
  if (stage_ != Stage::open || forked()) refuse();
  ensure_first_worker();
  FutureState& state = *job;  // the submitter's future keeps it
  Worker* const self = Worker::current(*this);
  const bool has_room = room_.reserve(!self);
  if (!has_room && (!self || stage_ != Stage::open)) refuse();
  count_unfinished(state);
  if (has_room) {
    try {
      push(std::move(job), options, self);
    } catch (...) {
      room_.release();
      job_ended(state);
      throw;
    }
    grow_if_needed();    // [GROW-1]
    idle_.notify_one();  // [SLEEP-2]
  } else {
    room_.overbook();
    self->run_queued(*job.detach());
  }
}

void ThreadPool::push(JobRef job, const SubmitOptions& options, Worker* self) {
  if (options.priority != 0) {
    if (!lanes_.push(*job, options.priority)) refuse();
  } else if (self) {
    self->push(*job);
  } else if (!inbox_.push(*job)) {
    refuse();
  }
  job.detach();
}

void ThreadPool::refuse() const {
  if (forked()) {
    throw RuntimeError(
        "this pool was made before fork() and has no workers in the child process: make a new one");
  }
  if (stage_ == Stage::broken) {
    MutexLock lock(mutex_);
    throw BrokenThreadPool(broken_reason_);
  }
  throw RuntimeError("cannot schedule new futures after shutdown");
}

// ---------------------------------------------------------------- growing

// Nobody would run what reaches a queue of a pool that is being closed before its first worker.
void ThreadPool::ensure_first_worker() {
  if (num_threads_ > 0) return;
  {
    MutexLock lock(mutex_);
    if (num_threads_ == 0 && stage_ == Stage::open) start_worker();
    if (num_threads_ > 0) return;
  }
  refuse();
}

void ThreadPool::count_unfinished(FutureState& job) noexcept {
  if (!growing()) return;
  job.mark_counted();
  ++unfinished_;
}

bool ThreadPool::needs_worker() const noexcept {
  const std::size_t threads = num_threads_;
  if (threads >= max_workers_) return false;
  if (unfinished_ > static_cast<std::ptrdiff_t>(threads)) return true;
  // In this order: who is busy with the very job in question has taken it out of its queue before.
  return busy_workers() >= threads && has_jobs();
}

// A pool that was shut down still gives its coroutines the threads that they need.
bool ThreadPool::may_start_worker() const noexcept {
  if (exiting_) return false;
  return stage_ == Stage::open || (stage_ == Stage::closed && runs_coroutines());
}

void ThreadPool::grow_if_needed() noexcept {
  if (!growing() || !needs_worker()) return;
  try {
    MutexLock lock(mutex_);
    if (may_start_worker() && needs_worker()) start_worker();
  } catch (...) {
    log(LogLevel::debug, "a pool goes on with the threads it has: it could not start another");
  }
}

// A pool that has workers goes on with those if the system gives it no more.
void ThreadPool::start_worker() {
  auto& entries = workers_.entries();
  auto free = std::ranges::find(entries, Thread::none, &WorkerList::Entry::thread);
  WorkerList::Entry& entry = free != entries.end() ? *free : workers_.add(*this);
  const std::string name =
      options_.thread_name_prefix + "_" + std::to_string(entry.worker->index());
  ++num_threads_;  // before the thread looks at it
  try {
    entry.worker->start(shared_from_this(), name, options_.stack_size);
    entry.thread = Thread::runs;
    ++live_;
  } catch (const std::exception& error) {
    if (--num_threads_ > 0) return;
    throw RuntimeError(std::string("the pool could not start its first thread: ") + error.what() +
                       ". Raise the limit on threads, or end some.");
  }
}

std::size_t ThreadPool::busy_workers() const noexcept {
  return static_cast<std::size_t>(
      std::ranges::count_if(workers_.view(), [](auto* worker) { return worker->busy(); }));
}

// ---------------------------------------------------------------- for workers

bool ThreadPool::initialize_worker() {
  if (!options_.initializer) return true;
  try {
    options_.initializer();
    return true;
  } catch (...) {
    const std::string reason = "a worker's initializer failed, the pool is broken: " +
                               describe_exception(std::current_exception());
    log(LogLevel::error, reason);
    close(Stage::broken, reason);
    fail_queued(reason);
    idle_.notify_all();
    retire();
    return false;
  }
}

FutureState* ThreadPool::steal_for(const Worker& thief) {
  const auto workers = workers_.view();
  for (std::size_t i = 1; i < workers.size(); ++i) {
    Worker& victim = *workers[(thief.index() + i) % workers.size()];
    if (FutureState* const job = victim.steal()) return job;
  }
  return nullptr;
}

bool ThreadPool::has_jobs() const noexcept {
  return !inbox_.empty() || lanes_.size() > 0 ||
         std::ranges::any_of(workers_.view(), [](auto* worker) { return worker->has_jobs(); });
}

bool ThreadPool::retire_surplus() {
  if (!exiting_ && num_threads_.load() <= max_workers_.load()) return false;
  MutexLock lock(mutex_);
  if (!exiting_ && num_threads_ <= max_workers_) return false;
  --num_threads_;
  return true;
}

void ThreadPool::retire() {
  MutexLock lock(mutex_);
  --num_threads_;
}

// What the others have left after this one's last look: jobs, or coroutines that will go on.
bool ThreadPool::needs_last_worker() {
  MutexLock lock(mutex_);
  if (!sealed_ || exiting_ || num_threads_ > 0) return false;
  if (!has_jobs() && !runs_coroutines()) return false;
  ++num_threads_;
  return true;
}

void ThreadPool::worker_arrived() { MutexLock lock(mutex_); }

void ThreadPool::worker_left(const Worker& worker) {
  MutexLock lock(mutex_);
  auto& entry = workers_.entries()[worker.index()];
  if (entry.thread == Thread::runs) entry.thread = Thread::ended;  // else it is being joined
  --live_;
  thread_ended_.notify_all();
}

void ThreadPool::job_started(const FutureState& job, bool on_top) noexcept {
  if (!job.snapshot().has(is_strand)) room_.release();
  if (!on_top) worker_busy();
}

void ThreadPool::worker_busy() noexcept {
  if (growing() && has_jobs()) grow_if_needed();  // [GROW-2]
}

void ThreadPool::job_ended(const FutureState& job) noexcept {
  if (job.snapshot().has(counted)) --unfinished_;
}

// ---------------------------------------------------------------- for jobs

bool ThreadPool::help(FutureState& job) { return !forked() && Worker::current(*this)->help(job); }

void ThreadPool::check_wait(const FutureState&) const {
  if (forked()) refuse();
}

void ThreadPool::job_cancelled(FutureState& job) noexcept {
  if (forked()) return;  // there is no queue to be kept right
  ++cancelled_;
  room_.release();
  job_ended(job);
}

// ---------------------------------------------------------------- size

void ThreadPool::resize(std::size_t max_workers) {
  if (forked()) refuse();
  join_ended_workers();
  {
    MutexLock lock(mutex_);
    max_workers_ = max_workers;  // before the queues are read: a submit after that sees it
    if (stage_ != Stage::open) return;
    const std::size_t waiting = queue_size();
    while (growing() && num_threads_ < busy_workers() + waiting) {
      const std::size_t before = num_threads_;
      start_worker();
      if (num_threads_ == before) break;  // the system gives no more
    }
  }
  idle_.notify_all();  // surplus workers that sleep have to end
}

std::size_t ThreadPool::queue_size() {
  if (forked()) return 0;
  auto count = static_cast<std::ptrdiff_t>(inbox_.size() + lanes_.size()) - cancelled_.load();
  for (const Worker* worker : workers_.view()) count += worker->queued();
  return static_cast<std::size_t>(std::max<std::ptrdiff_t>(count, 0));
}

}  // namespace plait::detail
