// ThreadPoolExecutor: runs jobs on a set of threads of its own.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include <plait/executors/broken_executor.hpp>
#include <plait/executors/executor.hpp>

namespace plait {

namespace detail {
class ThreadPool;
}

/// The keyword arguments of ThreadPoolExecutor.
struct ThreadPoolOptions {
  /// How many threads at most; 0: min(32, usable CPUs + 4), by affinity mask and cgroup quota.
  std::size_t max_workers = 0;
  /// Threads are named `<prefix>_<n>`, which the kernel cuts to 15 bytes; empty: `Pool-<k>`.
  std::string thread_name_prefix{};
  /// Runs in each worker before its first job; if it throws, the pool breaks with that reason.
  std::function<void()> initializer{};
  /// How many jobs may wait at most; 0: any number.
  std::size_t max_queue = 0;
  /// Bytes of stack of each thread; 0: the system's default.
  std::size_t stack_size = 0;
};

/// Runs jobs on up to `max_workers` threads of its own.
///
/// @snippet samples/01_submit.cpp submit
///
/// Threads start on demand, an idle one is reused first. Jobs start in the order of submit(); those
/// of a higher `SubmitOptions::priority` before all others, FIFO within one priority. No job
/// starves: of every 256 that a worker starts, one is chosen without regard to priority. Jobs
/// submitted by a worker go to its own queue, from which idle workers steal.
///
/// A worker that waits for a job of its own pool runs it in place if it has not started, and sleeps
/// if it has; it never runs a job it does not wait for. A wait that can never end throws
/// DeadlockError.
///
/// With `max_queue`, submit() from outside waits for room; from one of the pool's own workers it
/// runs the job in place instead, so a bounded pool cannot lock itself up.
///
/// **Python:** concurrent.futures.ThreadPoolExecutor. **Threads:** any may call any member.
/// **Cancellation:** request_stop() sets the std::stop_token of a running job and interrupts its
/// thread for Boost.Thread's interruption points; a job that ends by boost::thread_interrupted is
/// cancelled. **Process:** exit() first runs what was accepted; called in a job it starts no more
/// and waits for those that run, unless they wait for the one that never returns. A child made by
/// fork() has no workers: there submit() and waiting throw RuntimeError, and the destructor does
/// nothing.
class ThreadPoolExecutor : public Executor {
 public:
  /// A pool of `max_workers` threads; 0: the default. @throws std::invalid_argument for absurd
  /// numbers
  explicit ThreadPoolExecutor(std::size_t max_workers = 0);
  /// A pool as `options` say.
  explicit ThreadPoolExecutor(ThreadPoolOptions options);
  /// shutdown() that waits, unless it runs in one of the pool's own workers.
  ~ThreadPoolExecutor() override;

  void shutdown(ShutdownOptions options = ShutdownOptions()) override;

  /// How many threads there can be.
  std::size_t max_workers() const;
  /// How many threads there are.
  std::size_t num_threads() const;
  /// How many jobs wait to be started; a reading that may be old when it is returned.
  std::size_t queue_size() const;
  /// Changes max_workers(). Surplus threads end after their present job; new ones start at once if
  /// jobs wait. @throws std::invalid_argument for 0 and for absurd numbers
  void resize(std::size_t max_workers);

 private:
  detail::ThreadPool& pool() const;
};

}  // namespace plait
