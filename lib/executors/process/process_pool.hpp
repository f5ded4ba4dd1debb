// The engine of ProcessPoolExecutor: what its handle, any thread and its manager share.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <plait/executors/detail/executor_core.hpp>
#include <plait/executors/process_pool_executor.hpp>
#include "core/mutex.hpp"
#include "executors/live_pools.hpp"
#include "executors/process/private_fd.hpp"
#include "executors/process/shared_arena.hpp"
#include "executors/process/task.hpp"

namespace plait::detail {

class ProcessManager;

/// The engine of ProcessPoolExecutor. Threads put tasks and requests here; the manager, one thread,
/// takes them, and alone decides what becomes of tasks and workers.
///
/// Order of mutexes: owners_mutex(), mutex_. None is held while user code runs, while something is
/// written or started, or while a thread is joined.
class ProcessPool final : public ExecutorCore,
                          public LivePool,
                          public std::enable_shared_from_this<ProcessPool> {
 public:
  explicit ProcessPool(ProcessPoolOptions options);
  ~ProcessPool() override;
  /// A pool that is known to exit(). @throws std::invalid_argument
  static std::shared_ptr<ProcessPool> make(ProcessPoolOptions options);

  // -- for the handle: any thread
  void enqueue(JobRef job, const SubmitOptions& options, const RemoteJob& remote) override;
  void shutdown(ShutdownOptions options) override;
  std::size_t parallelism() const noexcept override { return max_workers_; }
  std::vector<int> worker_pids() const;
  void end_workers(int signal);
  bool kill_task(FutureState* job);
  SharedArena& arena() noexcept { return *arena_; }
  void finish_at_exit() override { shutdown({}); }

  // -- see JobOwner; its jobs do not run here
  bool help(FutureState&) override { return false; }
  void check_wait(const FutureState&) const override;
  void job_cancelled(FutureState& job) noexcept override;
  bool interrupt(FutureState&) noexcept override { return false; }
  void interruption_over() noexcept override {}
  std::size_t worker_limit() const noexcept override;

  // -- see CoroutineHost; coroutines run in the workers
  bool resume(FutureState&) noexcept override { return false; }
  ForkQueue* fork_queue() noexcept override { return nullptr; }
  void call_helpers() noexcept override {}
  void enter(FutureState&) noexcept override {}
  void leave(FutureState&) noexcept override {}
  void coroutine_started() noexcept override {}
  void coroutine_ended() noexcept override {}

  // -- for the manager
  enum class Stage {
    open,
    closed,  ///< shutdown(): runs what was accepted
    killed,  ///< end_workers(): nothing runs any more
    broken   ///< as above, for a reason that submit() tells
  };
  /// What threads have asked for since the last time.
  struct Requests {
    std::deque<TaskPtr> tasks;
    std::vector<JobRef> kills;  // kill_task()
    Stage stage = Stage::open;
    int signal = 0;       // end_workers(); 0: not yet
    bool cancel = false;  // shutdown(cancel_futures)
  };
  const ProcessPoolOptions& options() const noexcept { return options_; }
  std::size_t max_workers() const noexcept { return max_workers_; }
  /// Takes them; false: there are none.
  bool take(Requests& requests);
  bool has_requests() const noexcept { return requested_; }
  /// From now on wake_fd() becomes readable when there are requests. False: there are some.
  bool prepare_sleep();
  int wake_fd() const noexcept { return wake_.get(); }
  void set_worker_pids(std::vector<int> pids);
  /// From now on submit() throws BrokenProcessPool.
  void break_down(const std::string& reason);
  /// From now on submit() throws, and the tasks that were taken fail. Needs no memory.
  void drop_requests() noexcept;
  /// False: as there came something meanwhile, the manager has to go on.
  bool end_manager();

 private:
  void start_manager() PLAIT_TSA(requires_capability(mutex_));
  void run_manager() noexcept;
  [[noreturn]] void refuse() const PLAIT_TSA(requires_capability(mutex_));
  [[noreturn]] static void refuse_in_child();
  void wake() PLAIT_TSA(requires_capability(mutex_));
  bool forked() const noexcept;
  TaskPtr encode(JobRef job, const SubmitOptions& options, const RemoteJob& remote) const;
  void join();

  const ProcessPoolOptions options_;
  const std::size_t max_workers_;
  const unsigned fork_generation_;
  const PrivateFd wake_;  // an eventfd
  const std::shared_ptr<SharedArena> arena_;

  mutable Mutex mutex_;
  Stage stage_ PLAIT_TSA(guarded_by(mutex_)) = Stage::open;
  std::string broken_reason_ PLAIT_TSA(guarded_by(mutex_));
  Requests requests_ PLAIT_TSA(guarded_by(mutex_));
  // There is something in requests_. Changed under mutex_; the manager reads it while it spins.
  std::atomic<bool> requested_{false};
  bool asleep_ PLAIT_TSA(guarded_by(mutex_)) = false;  // the manager is, or is about to be
  std::vector<int> pids_ PLAIT_TSA(guarded_by(mutex_));
  enum class Manager { none, runs, ended };
  Manager manager_ PLAIT_TSA(guarded_by(mutex_)) = Manager::none;
  std::thread::id manager_id_ PLAIT_TSA(guarded_by(mutex_));
  std::thread thread_ PLAIT_TSA(guarded_by(mutex_));  // taken out by who joins it
  ConditionVariable manager_ended_;
};

}  // namespace plait::detail
