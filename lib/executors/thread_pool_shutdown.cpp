// The engine of ThreadPoolExecutor: shutdown, stop requests, and what happens to the jobs left.
#include <algorithm>

#include <plait/core/errors.hpp>

#include "executors/thread_pool.hpp"

namespace plait::detail {

void ThreadPool::shutdown(ShutdownOptions options) {
  if (forked()) return;
  close(Stage::closed);
  if (options.cancel_futures) cancel_queued();
  idle_.notify_all();
  if (options.wait && !Worker::current(*this)) join_workers();
}

// After this every job that was accepted is in a queue or runs, and no other will be.
void ThreadPool::close(Stage stage, std::string reason) {
  {
    MutexLock lock(mutex_);
    if (stage_ == Stage::open) {
      broken_reason_ = std::move(reason);
      stage_ = stage;
    }
  }
  inbox_.close();
  lanes_.close();
  room_.close();
  sealed_ = true;
}

// Waits for all workers, whoever else does; not for the one that calls it.
void ThreadPool::join_workers() {
  const Worker* const self = Worker::current(*this);
  mutex_.lock();
  for (auto& entry : workers_.entries()) {
    if (entry.thread == Thread::none || entry.worker.get() == self) continue;
    entry.thread = Thread::none;  // this thread joins it, no other
    ++joining_;
    mutex_.unlock();
    entry.worker->join();
    mutex_.lock();
    --joining_;
    joined_.notify_all();
  }
  while (joining_ > 0) joined_.wait(mutex_);
  mutex_.unlock();
}

// ---------------------------------------------------------------- the jobs that are left

FutureState* ThreadPool::take_any() {
  if (FutureState* const job = inbox_.take_one()) return job;
  if (FutureState* const job = lanes_.pop_highest()) return job;
  for (Worker* const worker : workers_.view()) {
    if (FutureState* const job = worker->steal()) return job;
  }
  return nullptr;
}

void ThreadPool::cancel_queued() {
  while (FutureState* const job = take_any()) {
    job->cancel();
    --cancelled_;  // it is in no queue any more, whoever ended it
    job->release();
  }
}

void ThreadPool::fail_queued(const std::string& reason) {
  while (FutureState* const job = take_any()) {
    if (job->start()) {
      room_.release();
      job->discard();
      job_ended(*job);
      job->end(job->store_error(std::make_exception_ptr(BrokenThreadPool(reason))), true);
    } else {
      --cancelled_;
      job->release();
    }
  }
}

// What is queued stays so and nobody is woken: main() must not run into its own end meanwhile.
void ThreadPool::exit_called_in_job() {
  const Worker* const self = Worker::current(*this);
  if (self) {
    max_workers_ = 0;  // workers end after their present job, as surplus
  } else {
    close(Stage::closed);
  }
  idle_.notify_all();
  MutexLock lock(mutex_);
  const auto others = [&](const WorkerList::Entry& entry) PLAIT_TSA(requires_capability(mutex_)) {
    return entry.thread == Thread::runs && entry.worker.get() != self;
  };
  // Jobs that wait for others may wait for the one that never returns; they are not waited for.
  while (static_cast<std::size_t>(std::ranges::count_if(workers_.entries(), others)) >
         count_blocked_threads(*this)) {
    thread_ended_.wait_for(mutex_, std::chrono::milliseconds(1));
  }
  for (auto& entry : workers_.entries()) {
    if (entry.thread != Thread::ended) continue;
    entry.thread = Thread::none;
    entry.worker->join();
  }
}

// ---------------------------------------------------------------- stop requests

void ThreadPool::interrupt(FutureState& job) noexcept {
  for (Worker* const worker : workers_.view()) worker->interrupt_if_running(job);
}

void ThreadPool::interruption_over() noexcept {
  // Whoever requested the stop holds this mutex until the interruption has reached the thread.
  {
    MutexLock lock(owners_mutex());
  }
  if (!boost::this_thread::interruption_requested()) return;
  try {
    boost::this_thread::interruption_point();
  } catch (const boost::thread_interrupted&) {
    // Requested too late to be noticed by the job; the next one must not see it.
  }
}

}  // namespace plait::detail
