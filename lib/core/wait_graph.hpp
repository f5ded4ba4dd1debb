// Which threads that run jobs wait for which jobs: finds the wait that can never end.
#pragma once

#include <span>
#include <string>

#include <plait/core/detail/future_state.hpp>
#include "core/mutex.hpp"

namespace plait::detail {

/// Guards the way from a future to its owner (see JobOwner) and the graph of waits. Never held
/// while user code runs; taken on slow paths only: cancel, request_stop, going to sleep.
Mutex& owners_mutex();

/// Guards what the searches watch (see NeedSearch). Taken last: nothing but a queue's own is
/// taken under it.
Mutex& searches_mutex();

/// From then on a fork() in any thread waits for both mutexes, so that they are free in the child,
/// before the handlers run there that are registered after the first call.
void keep_mutexes_across_fork();

/// One job on a thread's stack. A job that helps has the job that it waits for above itself.
struct RunFrame {
  FutureState* job;
  RunFrame* below;
};

/// What the calling thread runs.
struct WorkingThread {
  JobOwner* owner = nullptr;  // whose worker it is; null: nobody's
  RunFrame* top = nullptr;    // the job that it runs now; null: none
};

/// The calling thread's own record. Used only by that thread. The model of storage saves a function
/// call on every submit and every wait; plait is linked, not loaded at run time.
[[gnu::tls_model("initial-exec")]] inline constinit thread_local WorkingThread working_thread;

/// Throws where a wait for one of `jobs` could never end whatever the waiting thread is: see
/// JobOwner::check_wait().
void check_wait(std::span<FutureState* const> jobs);

/// A thread that is about to sleep until one of several jobs is done. While the object lives the
/// thread counts as blocked: its stack does not change, so other threads may read it.
///
/// A worker is stuck if each job that it waits for runs on a stuck worker, or is queued where all
/// workers are stuck; a set of stuck workers is a deadlock. Each worker looks before it sleeps,
/// under one mutex, so the last one of a cycle sees it whole and throws.
class BlockedThread {
 public:
  /// Throws DeadlockError where the wait could never end. `jobs` stays alive as long as this. A
  /// wait with a deadline always ends, and a thread that runs no job keeps none from ending. No
  /// `jobs`: the thread will never come back.
  BlockedThread(std::span<FutureState* const> jobs, Deadline deadline);
  ~BlockedThread();
  BlockedThread(const BlockedThread&) = delete;
  BlockedThread& operator=(const BlockedThread&) = delete;

  /// Runs in: any thread. How many of an owner's workers are stuck.
  static std::size_t count_stuck(const JobOwner& owner);

 private:
  bool can_go_on();
  static void free_all_that_can_go_on();
  bool waits_for_something_that_ends() const;
  static bool can_end(const FutureState& job);
  static bool queued_job_can_start(const FutureState& job);
  static BlockedThread* who_runs(const FutureState& job);
  static BlockedThread* who_blocks_queue_of(const FutureState& job);
  std::string describe_cycle();
  void describe_chain_to_top(const FutureState& job, std::string& text) const;

  const JobOwner* const owner_;
  const RunFrame* const top_;  // null: not in the graph
  const std::span<FutureState* const> jobs_;
  bool freed_ = false;             // guarded by owners_mutex(): the search found that it can go on
  bool visited_ = false;           // guarded by owners_mutex(): the message has named it
  BlockedThread* next_ = nullptr;  // guarded by owners_mutex(): the list of all blocked workers
};

/// Runs in: the child of a fork(), owners_mutex() held.
void forget_blocked_threads() noexcept;

}  // namespace plait::detail
