// Where jobs from outside arrive: a lock-free stack that workers turn into a FIFO list.
#pragma once

#include <atomic>
#include <cstddef>

#include "core/mutex.hpp"
#include "executors/job_deque.hpp"

namespace plait::detail {

/// The queue of jobs from outside, in FIFO order.
///
/// A submitter pushes onto a stack with one compare-and-swap and can never be held up by a worker
/// that was preempted. Workers take under a mutex: the first that finds the list empty takes the
/// whole stack and turns it round; each takes several jobs at a time and keeps what it does not run
/// at once in its own deque, where idle workers can steal it.
class Inbox {
 public:
  /// How many jobs a worker can take at a time.
  static constexpr std::size_t max_batch = 32;

  /// Runs in: any thread. Takes over one reference. False: closed, and the reference stays.
  bool push(FutureState& job) noexcept;
  /// Runs in: a worker. Moves up to `limit` of the oldest jobs to the newest end of `own`. False:
  /// there is nothing.
  bool refill(JobDeque& own, std::size_t limit);
  /// Runs in: a worker that ends. Puts a job back, even when closed.
  void put_back(FutureState& job);
  /// Runs in: any thread. The oldest job; null: there is none.
  FutureState* take_one();
  /// Refuses further jobs; those that are here can still be taken.
  void close();

  /// Runs in: any thread. True if there was nothing to take a moment ago.
  bool empty() const noexcept;
  /// Runs in: any thread. Counts the jobs one by one.
  std::size_t size();

 private:
  bool fill_list(FutureState* left_behind) PLAIT_TSA(requires_capability(mutex_));
  FutureState* pop_ready() PLAIT_TSA(requires_capability(mutex_));

  // What has arrived, newest first; `closed` is the last one after close(). Submitters push by
  // compare-and-swap, who holds mutex_ takes all by exchange. [SLEEP-2]
  alignas(64) std::atomic<FutureState*> arrived_{nullptr};
  // How long the list is, or 1 while it is being made. Stored under mutex_, before the arrivals are
  // taken and after the jobs are in a worker's deque, so that empty() always sees a job somewhere.
  alignas(64) std::atomic<std::size_t> ready_{0};
  Mutex mutex_;
  FutureState* oldest_ PLAIT_TSA(guarded_by(mutex_)) = nullptr;
  FutureState* newest_ PLAIT_TSA(guarded_by(mutex_)) = nullptr;
};

}  // namespace plait::detail
