// ProcessPoolExecutor: runs jobs in processes of its own, which may crash.
#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <ranges>
#include <type_traits>
#include <utility>
#include <vector>

#include <plait/core/clock.hpp>
#include <plait/executors/broken_executor.hpp>
#include <plait/executors/detail/portable.hpp>
#include <plait/executors/detail/worker_initializer.hpp>
#include <plait/executors/executor.hpp>
#include <plait/executors/register_exception.hpp>
#include <plait/executors/remote.hpp>
#include <plait/executors/shared_array.hpp>
#include <plait/executors/worker_errors.hpp>

namespace plait {

namespace detail {
class ProcessPool;
}

/// What becomes of the pool when a worker dies.
enum class OnWorkerDeath {
  fail_task,  ///< the task that it ran fails with WorkerDied, and another worker takes its place
  break_pool  ///< as in Python: everything fails with BrokenProcessPool, and nothing runs any more
};

/// The keyword arguments of ProcessPoolExecutor.
struct ProcessPoolOptions {
  /// How many processes at most; 0: as many as the usable CPUs.
  std::size_t max_workers = 0;
  /// Runs in each worker before its first task: a function or a captureless lambda. If it throws,
  /// the pool breaks with that reason.
  detail::WorkerInitializer initializer{};
  /// After so many tasks a worker ends and another takes its place; 0: never. A start costs
  /// milliseconds.
  std::size_t max_tasks_per_child = 0;
  /// What becomes of the pool when a worker dies.
  OnWorkerDeath on_worker_death = OnWorkerDeath::fail_task;
  /// A worker that has had nothing to do for so long ends; nullopt: never.
  std::optional<Duration> idle_timeout{};
  /// Bytes of data that a worker may have (RLIMIT_DATA); what needs more gets std::bad_alloc. 0: no
  /// limit.
  std::size_t memory_limit = 0;
};

/// Runs jobs in up to `max_workers` processes of its own; a job that crashes takes nothing with it
/// but its process.
///
/// Workers are new processes of the same program, started on demand. They do not run main(): the
/// build's dependency links a hook, or process_bootstrap() is main's first line. Static objects are
/// made in each worker (see is_worker_process()).
///
/// What is submitted is a function, a captureless lambda, remote<&f>, or a function object that can
/// travel. Arguments and results travel if cereal knows them, if they are aggregates of what
/// travels, or have a serialize(Archive&) member. The compiler refuses captures, pointers and
/// views. Arguments are read inside of submit(); what fails there, or on the way, fails only that
/// future, with SerializationError. Exceptions come back as themselves if they are the standard
/// library's, plait's, or known by register_exception(), and as RemoteError otherwise; all are
/// RemoteInfo, too. A coroutine function runs in the worker to its end.
///
/// A task whose worker dies fails with WorkerDied; `SubmitOptions::timeout` kills the worker of a
/// task that takes longer, counted from its start; `retries` runs a task again after either.
/// **Python:** concurrent.futures.ProcessPoolExecutor, where one death breaks the pool.
/// **Threads:** any may call any member. Done-callbacks run in the pool's own thread.
/// **Cancellation:** Future::cancel() until the task was sent to a worker, which is a little before
/// it starts where tasks are short; kill_task() after that. **Process:** exit() first runs what was
/// accepted; no worker outlives this process. A child made by fork() has no workers: there submit()
/// throws RuntimeError.
class ProcessPoolExecutor : public Executor {
 public:
  /// A pool of `max_workers` processes; 0: the default.
  explicit ProcessPoolExecutor(std::size_t max_workers = 0);
  /// A pool as `options` say. @throws std::invalid_argument
  explicit ProcessPoolExecutor(ProcessPoolOptions options);
  /// shutdown() that waits.
  ~ProcessPoolExecutor() override;

  /// See Executor::submit(). @throws RuntimeError without the hook, after shutdown() and when too
  /// many pools are nested; BrokenProcessPool; std::invalid_argument for a null callable
  template <class F, class... A>
    requires(!std::same_as<std::remove_cvref_t<F>, SubmitOptions> && detail::Submittable<F, A...>)
  Future<SubmitResult<F, A...>> submit(F&& fn, A&&... args) {
    detail::refuse_null(fn, "submit()");
    detail::check_call_travels<F, A...>();
    return detail::submit_job(core(), SubmitOptions(), detail::NoName(),
                              detail::portable(std::forward<F>(fn)), std::forward<A>(args)...);
  }
  /// As above, with a name, a priority, a timeout and retries.
  template <class F, class... A>
    requires detail::Submittable<F, A...>
  Future<SubmitResult<F, A...>> submit(SubmitOptions options, F&& fn, A&&... args) {
    detail::refuse_null(fn, "submit()");
    detail::check_call_travels<F, A...>();
    return detail::submit_job(core(), options, detail::JobName{std::string(options.name)},
                              detail::portable(std::forward<F>(fn)), std::forward<A>(args)...);
  }

  /// See Executor::map(). A chunk is one task: its size matters much more than on threads.
  template <class F, std::ranges::input_range... Rs>
    requires(sizeof...(Rs) > 0 && detail::Submittable<F, std::ranges::range_value_t<Rs>...>)
  MapResults<SubmitResult<F, std::ranges::range_value_t<Rs>...>> map(F&& fn, Rs&&... inputs) {
    return map(MapOptions(), std::forward<F>(fn), std::forward<Rs>(inputs)...);
  }
  /// As above, with a timeout, chunks and a bound on what is in flight.
  template <class F, std::ranges::input_range... Rs>
    requires(sizeof...(Rs) > 0 && detail::Submittable<F, std::ranges::range_value_t<Rs>...>)
  MapResults<SubmitResult<F, std::ranges::range_value_t<Rs>...>> map(MapOptions options, F&& fn,
                                                                     Rs&&... inputs) {
    detail::refuse_null(fn, "map()");
    detail::check_call_travels<F, std::ranges::range_value_t<Rs>...>();
    return Executor::map(options, detail::portable(std::forward<F>(fn)),
                         std::forward<Rs>(inputs)...);
  }

  void shutdown(ShutdownOptions options = ShutdownOptions()) override;

  /// Memory for so many elements that this pool's workers see, too; not initialised. @throws
  /// std::bad_alloc
  template <class T>
  SharedArray<T> shared_array(std::size_t elements) {
    return SharedArray<T>(allocate(elements, sizeof(T)));
  }

  /// The processes that live now, in the order of their start.
  std::vector<int> worker_pids() const;
  /// Sends SIGTERM to all workers, cancels what is queued and takes no more jobs; what runs fails
  /// with BrokenProcessPool. Does not wait. **Python:** terminate_workers()
  void terminate_workers();
  /// As terminate_workers(), with SIGKILL. **Python:** kill_workers()
  void kill_workers();
  /// Ends the worker that runs the task of `future`, which fails with WorkerDied unless it has
  /// ended before; a task that is queued is cancelled. False: it is done, or not of this pool.
  template <class T>
  bool kill_task(const Future<T>& future) {
    return kill_task(detail::state_of(future));
  }

 private:
  detail::ProcessPool& pool() const;
  bool kill_task(detail::FutureState* task);
  std::shared_ptr<const detail::SharedBlock> allocate(std::size_t elements, std::size_t size);
};

/// Whether this process is a worker of a ProcessPoolExecutor: for static objects that must not act
/// twice.
bool is_worker_process() noexcept;

/// The first line of main(), where the build does not link plait's hook (the Meson and pkg-config
/// dependencies do): a worker never returns from it.
void process_bootstrap(int argc, char** argv);

}  // namespace plait
