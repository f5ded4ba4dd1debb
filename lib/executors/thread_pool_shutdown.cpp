// The engine of ThreadPoolExecutor: shutdown, stop requests, and what happens to the jobs left.
#include <algorithm>
#include <chrono>
#include <vector>

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
  join_where([self](const WorkerList::Entry& entry) { return entry.worker.get() != self; });
  MutexLock lock(mutex_);
  while (joining_ > 0) joined_.wait(mutex_);
}

void ThreadPool::join_ended_workers() {
  join_where([](const WorkerList::Entry& entry) { return entry.thread == Thread::ended; });
}

template <class Predicate>
void ThreadPool::join_where(Predicate predicate) {
  mutex_.lock();
  // Again as long as there are any: a place that was passed may have been given a new thread.
  for (bool joined = true; joined;) {
    joined = false;
    // By index, as the list may grow meanwhile.
    for (std::size_t i = 0; i < workers_.entries().size(); ++i) {
      WorkerList::Entry& entry = workers_.entries()[i];
      const bool joinable = entry.thread == Thread::runs || entry.thread == Thread::ended;
      if (!joinable || !predicate(entry)) continue;
      Worker& worker = *entry.worker;
      entry.thread = Thread::joining;  // by this thread and no other
      ++joining_;
      mutex_.unlock();
      worker.join();
      mutex_.lock();
      workers_.entries()[i].thread = Thread::none;
      --joining_;
      joined_.notify_all();
      joined = true;
    }
  }
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

// What has started goes on: its parts come back to the queue.
template <class EndJob>
void ThreadPool::end_queued(EndJob end_job) {
  std::vector<FutureState*> strands;
  while (FutureState* const job = take_any()) {
    if (job->snapshot().has(is_strand)) {
      strands.push_back(job);
    } else {
      end_job(*job);
    }
  }
  for (FutureState* const strand : strands) resume(*strand);
}

void ThreadPool::cancel_queued() {
  end_queued([this](FutureState& job) {
    job.cancel();
    --cancelled_;  // it is in no queue any more, whoever ended it
    job.release();
  });
}

void ThreadPool::fail_queued(const std::string& reason) {
  end_queued([&](FutureState& job) {
    if (job.start()) {
      room_.release();
      job.discard();
      job_ended(job);
      job.end(job.store_error(std::make_exception_ptr(BrokenThreadPool(reason))), true);
    } else {
      --cancelled_;
      job.release();
    }
  });
}

void ThreadPool::finish_at_exit() {
  if (working_thread.owner) {
    exit_called_in_job();
  } else {
    shutdown({});
  }
}

// What is queued stays so and nobody is woken: main() must not run into its own end meanwhile.
void ThreadPool::exit_called_in_job() {
  if (forked()) return;
  const bool own = Worker::current(*this) != nullptr;
  if (own) {
    exiting_ = true;
  } else {
    close(Stage::closed);
  }
  idle_.notify_all();
  const BlockedThread never_returns({}, {});  // in the graph if there is a job to wait for
  const std::size_t callers = own && !working_thread.top ? 1 : 0;
  for (;;) {
    // Jobs that wait for the one that never returns are not waited for.
    const std::size_t stuck = BlockedThread::count_stuck(*this);
    MutexLock lock(mutex_);
    if (live_ <= stuck + callers) break;
    thread_ended_.wait_for(mutex_, std::chrono::milliseconds(1));
  }
  join_ended_workers();
}

// ---------------------------------------------------------------- stop requests

bool ThreadPool::interrupt(FutureState& job) noexcept {
  for (Worker* const worker : workers_.view()) worker->interrupt_if_running(job);
  return true;
}

bool take_back_interruption() noexcept {
  // Whoever requested the stop holds this mutex until the interruption has reached the thread.
  {
    MutexLock lock(owners_mutex());
  }
  if (!boost::this_thread::interruption_requested()) return false;
  try {
    boost::this_thread::interruption_point();
  } catch (const boost::thread_interrupted&) {
    return true;
  }
  return false;
}

// A request that came too late to be noticed by its job must not be seen by the next one.
void ThreadPool::interruption_over() noexcept { take_back_interruption(); }

}  // namespace plait::detail
