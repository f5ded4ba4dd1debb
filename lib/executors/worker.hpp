// One thread of a pool: its own queue, what it runs, and how it sleeps.
#pragma once

#include <atomic>
#include <boost/thread/thread.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <plait/core/detail/fork.hpp>
#include "core/adaptive_spin.hpp"
#include "core/wait_graph.hpp"
#include "executors/job_deque.hpp"

namespace plait::detail {

class ThreadPool;

/// Takes back an interruption that the calling thread has not noticed. False: there was none.
bool take_back_interruption() noexcept;

/// One worker of a ThreadPool. It lives as long as the pool; after its thread has ended, another
/// may be started for it. Private members run in the worker's own thread unless they say otherwise.
class Worker {
 public:
  Worker(ThreadPool& pool, std::size_t index) : pool_(pool), index_(index) {}

  /// The worker of `pool` whose thread this is; null: it is another thread.
  static Worker* current(const ThreadPool& pool) noexcept;

  /// Runs in: any thread, the pool's mutex held. Starts the thread, which keeps `pool` alive.
  void start(std::shared_ptr<ThreadPool> pool, const std::string& name, std::size_t stack_size);
  /// Runs in: any thread, once for each start(). Waits until the thread has ended.
  void join();
  /// Runs in: any thread. Wakes it from park().
  void unpark() noexcept;
  /// Runs in: any thread, owners_mutex() held. Interrupts the thread if it runs `job` just now.
  void interrupt_if_running(const FutureState& job) noexcept;

  /// Runs in: the worker. Adds a job of its own making.
  void push(FutureState& job) { jobs_.push(&job); }
  /// Runs in: the worker. See JobOwner::help().
  bool help(FutureState& job);
  /// Runs in: the worker. Runs a job, whose reference it takes over; false: somebody else did.
  bool run_queued(FutureState& job);

  /// Runs in: any thread. Takes its oldest job; null: there is none.
  FutureState* steal() { return jobs_.steal(); }
  /// What coroutines fork in its thread; others may steal from it.
  ForkQueue& forks() noexcept { return forks_; }
  /// Runs in: the worker, in a job. It runs a strand of `job`, or does so no more.
  void enter_coroutine(FutureState& job) noexcept;
  void leave_coroutine(FutureState& job) noexcept;
  /// Runs in: any thread. How many of its jobs are still to be run.
  std::ptrdiff_t queued() const noexcept {
    return static_cast<std::ptrdiff_t>(jobs_.size()) - husks_.load();
  }
  /// Runs in: any thread. Whether it runs a job.
  bool busy() const noexcept { return current_.load() != nullptr; }
  bool has_jobs() const noexcept { return jobs_.size() > 0; }
  /// Runs in: any thread. Its number, which never changes.
  std::size_t index() const noexcept { return index_; }

 private:
  void main(const std::string& name);
  void hand_over();
  FutureState* next();
  FutureState* find();
  FutureState* steal_from_held_up();
  bool refill();
  FutureState* search();
  bool run_fork();
  void run_frame(Frame& frame);
  bool run_pending(FutureState& job);
  bool run_fork_of(const FutureState& job);
  bool park_for(Duration time) noexcept;
  void park() noexcept;
  // SAFETY: as StateWord::futex_address(); only the kernel reads through this pointer.
  const std::uint32_t* futex_address() const noexcept {
    return reinterpret_cast<const std::uint32_t*>(&woken_);
  }
  bool run(FutureState& job, bool queued);
  void end(FutureState& job, Phase phase, bool queued);
  void drop_husk(FutureState& job);
  void count_husk(std::ptrdiff_t change) noexcept;
  void drop_own_husks();

  ThreadPool& pool_;
  const std::size_t index_;
  JobDeque jobs_;
  ForkQueue forks_;
  boost::thread thread_;  // written by start(); read by who interrupts; ended by join()
  AdaptiveSpin spin_;     // the worker's own
  // The worker's own: what the others ran when it looked last, and how it takes from the inbox.
  std::vector<const FutureState*> seen_;
  Clock::time_point refilled_at_;
  std::size_t batch_ = 1;
  std::uint32_t started_ = 0;   // the worker's own: jobs, for fairness
  std::size_t husks_left_ = 0;  // the worker's own: jobs it helped with that may still be in jobs_
  // Jobs that were run or cancelled elsewhere than in the queue that still holds them: this worker
  // adds those it makes and subtracts those it drops, so only the sum over all workers means
  // anything. Stored by the worker, read by queue_size().
  std::atomic<std::ptrdiff_t> husks_{0};
  // The job that runs on top of this thread; null: none. Stored by the worker before it starts the
  // job and before it ends it, read by request_stop() under owners_mutex() once it has seen the job
  // running. [GROW-1] Submitter: queues its job, then reads this. [GROW-2] Worker: stores this,
  // then looks at the queues. One of the two sees that a job waits and nobody is free, and adds a
  // thread.
  std::atomic<const FutureState*> current_{nullptr};
  // When unpark() was called last. Stored by who wakes the worker, before woken_; read by the
  // worker.
  std::atomic<Clock::time_point> woken_at_{};
  // 1: unpark() was called and park() has not returned since.
  std::atomic<std::uint32_t> woken_{0};
};

}  // namespace plait::detail
