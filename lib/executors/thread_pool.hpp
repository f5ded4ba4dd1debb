// The engine of ThreadPoolExecutor: queues, workers, and the rules for starting and ending them.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <plait/executors/detail/executor_core.hpp>
#include <plait/executors/thread_pool_executor.hpp>
#include "core/mutex.hpp"
#include "executors/idle_workers.hpp"
#include "executors/inbox.hpp"
#include "executors/live_pools.hpp"
#include "executors/priority_lanes.hpp"
#include "executors/room.hpp"
#include "executors/worker.hpp"
#include "executors/worker_list.hpp"

namespace plait::detail {

/// The engine of ThreadPoolExecutor, shared by its handle, its workers and lazy maps.
///
/// Order of mutexes: owners_mutex(), mutex_, then those of the parts. None is held while user code
/// runs or while a thread is joined.
class ThreadPool final : public ExecutorCore,
                         public LivePool,
                         public std::enable_shared_from_this<ThreadPool> {
 public:
  /// Use make().
  explicit ThreadPool(ThreadPoolOptions options);
  ~ThreadPool() override;
  /// A pool that is known to exit() and fork().
  static std::shared_ptr<ThreadPool> make(ThreadPoolOptions options);

  // -- for the handle: any thread
  void enqueue(JobRef job, const SubmitOptions& options, const RemoteJob& remote) override;
  void shutdown(ShutdownOptions options) override;
  void resize(std::size_t max_workers);
  std::size_t parallelism() const noexcept override { return max_workers_; }
  std::size_t num_threads() const noexcept { return num_threads_; }
  std::size_t queue_size();

  // -- for its jobs: see JobOwner
  bool help(FutureState& job) override;
  void check_wait(const FutureState& job) const override;
  void job_cancelled(FutureState& job) noexcept override;
  bool interrupt(FutureState& job) noexcept override;
  void interruption_over() noexcept override;
  std::size_t worker_limit() const noexcept override { return max_workers_; }

  // -- for its coroutines: see CoroutineHost
  bool resume(FutureState& strand) noexcept override;
  ForkQueue* fork_queue() noexcept override;
  void call_helpers() noexcept override;
  void enter(FutureState& job) noexcept override;
  void leave(FutureState& job) noexcept override;
  void coroutine_started() noexcept override { ++coroutines_; }
  void coroutine_ended() noexcept override;

  // -- for its workers
  Inbox& inbox() noexcept { return inbox_; }
  PriorityLanes& lanes() noexcept { return lanes_; }
  IdleWorkers& idle() noexcept { return idle_; }
  bool initialize_worker();
  FutureState* steal_for(const Worker& thief);
  bool has_jobs() const noexcept;
  Frame* take_fork(Worker& taker) noexcept;
  bool has_forks() const noexcept;
  bool has_work() const noexcept { return has_jobs() || has_forks(); }
  bool runs_coroutines() const noexcept { return coroutines_ > 0; }
  void want_helpers() noexcept { helpers_wanted_ = true; }
  const std::atomic<bool>& helpers_wanted() const noexcept { return helpers_wanted_; }
  bool sealed() const noexcept { return sealed_; }
  bool exiting() const noexcept { return exiting_; }
  bool wants_workers_to_end() const noexcept {
    return (sealed_ && !runs_coroutines()) || exiting_ || num_threads_ > max_workers_;
  }
  std::span<Worker* const> workers() const noexcept { return workers_.view(); }
  FutureState* take_any();
  bool retire_surplus();
  void retire();
  /// Runs in: a worker that has retired. True: the pool was closed, it is the last one and has to
  /// go on; it counts as a worker again.
  bool needs_last_worker();
  void worker_arrived();
  void worker_left(const Worker& worker);
  void job_started(const FutureState& job, bool on_top) noexcept;
  void worker_busy() noexcept;
  void job_ended(const FutureState& job) noexcept;

  /// Runs in: a job, of this or another pool, that has called exit() and so never returns.
  void finish_at_exit() override;
  void exit_called_in_job();

 private:
  enum class Stage : int {
    open,    // takes jobs
    closed,  // shutdown() was called: takes none, runs those it has
    broken   // an initializer failed: takes none, has failed those it had
  };

  using Thread = WorkerList::Thread;

  bool growing() const noexcept { return num_threads_.load() < max_workers_.load(); }
  bool forked() const noexcept;
  void close(Stage stage, std::string reason = {});
  [[noreturn]] void refuse() const;
  void push(JobRef job, const SubmitOptions& options, Worker* self);
  void ensure_first_worker();
  void count_unfinished(FutureState& job) noexcept;
  bool needs_worker() const noexcept;
  bool may_start_worker() const noexcept PLAIT_TSA(requires_capability(mutex_));
  void grow_if_needed() noexcept;
  std::size_t busy_workers() const noexcept;
  void join_ended_workers();
  void start_worker() PLAIT_TSA(requires_capability(mutex_));
  template <class EndJob>
  void end_queued(EndJob end_job);
  void cancel_queued();
  void fail_queued(const std::string& reason);
  void join_workers();
  template <class Predicate>
  void join_where(Predicate predicate);

  const ThreadPoolOptions options_;  // as given; max_workers_ has the present number
  const unsigned fork_generation_;   // of the process that made the pool
  Inbox inbox_;
  PriorityLanes lanes_;
  IdleWorkers idle_;
  Room room_;
  WorkerList workers_;  // changed under mutex_, read by all

  // Whether jobs are taken. Changed under mutex_ from open to another stage, once; read by any
  // thread.
  std::atomic<Stage> stage_{Stage::open};
  // No job can arrive from outside any more. Set once, after the queues were closed; read by
  // workers.
  std::atomic<bool> sealed_{false};
  // A job has called exit(): workers end after their present job. Set once, read by workers.
  std::atomic<bool> exiting_{false};
  // How many threads there may be, and are. Changed under mutex_, read by any thread.
  std::atomic<std::size_t> max_workers_;
  std::atomic<std::size_t> num_threads_{0};
  // Jobs that were submitted while the pool could grow and have not ended; they carry the flag
  // `counted`. Any thread adds and subtracts. A worker subtracts its job before that is seen to be
  // done, so who submits one job after the other meets an idle worker each time.
  std::atomic<std::ptrdiff_t> unfinished_{0};
  // Coroutines that were started and have not ended: while there are any, workers stay. Any worker
  // adds and subtracts; read by workers that would end.
  std::atomic<std::size_t> coroutines_{0};
  // Somebody sleeps, or a thread could be started, so who forks has to call_helpers(). Set before a
  // worker sleeps, cleared by call_helpers(), read at every fork; no more than a hint, see there.
  std::atomic<bool> helpers_wanted_{true};
  // Cancelled jobs that a queue still holds, as Worker::husks_.
  std::atomic<std::ptrdiff_t> cancelled_{0};

  mutable Mutex mutex_;
  ConditionVariable joined_;        // joining_ has changed
  ConditionVariable thread_ended_;  // live_ has changed
  std::size_t live_ PLAIT_TSA(guarded_by(mutex_)) =
      0;  // threads that worker_left() was not called for
  std::size_t joining_ PLAIT_TSA(guarded_by(mutex_)) = 0;  // threads that are being joined
  std::string broken_reason_ PLAIT_TSA(guarded_by(mutex_));
};

/// The engine of a pool as `options` say; 0 workers and an empty prefix: the defaults.
/// @throws std::invalid_argument for absurd numbers
std::shared_ptr<ThreadPool> make_thread_pool(ThreadPoolOptions options);

}  // namespace plait::detail
