// run and Runner: a loop from its making to its end.
#pragma once

#include <memory>
#include <utility>

#include <plait/loop/event_loop.hpp>

namespace plait::aio {

template <class T>
T run(Coroutine<T> main, LoopOptions options = LoopOptions());

/// Runs coroutines one after the other on one loop, and ends the loop as it should be ended.
///
/// close(), or the destructor, cancels all tasks, waits until they have ended, reports the errors
/// of those that failed meanwhile, closes what async generators are still open, waits for the jobs
/// of the default executor, and closes the loop. While run() runs in the main thread and nobody
/// else handles SIGINT, the first Ctrl-C cancels the main task and the second one ends the run at
/// once.
/// **Python:** asyncio.Runner. **Threads:** one.
class Runner {
 public:
  /// Its loop is made when it is first needed.
  explicit Runner(LoopOptions options = LoopOptions());
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;
  /// As close().
  ~Runner();

  /// Runs `main` as a task until it has ended, and gives its result.
  /// @throws what it threw; KeyboardInterrupt after Ctrl-C, unless the task took the cancellation
  /// back; RuntimeError if it is closed or a loop runs in this thread
  template <class T>
  T run(Coroutine<T> main) {
    check_can_run("Runner.run()");
    return run_task(std::move(main));
  }
  /// Its loop. @throws RuntimeError if it is closed
  EventLoop& get_loop();
  /// See Runner. May be called again. @throws RuntimeError while its loop runs
  void close();

 private:
  template <class T>
  friend T run(Coroutine<T> main, LoopOptions options);

  void check_can_run(const char* function) const;
  void run_until_done(detail::TaskBase& task);
  template <class T>
  T run_task(Coroutine<T> main) {
    auto task = get_loop().create_task(std::move(main));
    auto* const state = detail::state_of(static_cast<const Future<T>&>(task));
    run_until_done(static_cast<detail::TaskState<T>&>(*state));
    return std::move(task).result();
  }

  const LoopOptions options_;
  std::unique_ptr<EventLoop> loop_;  // null: not made yet, or closed
  bool closed_ = false;
};

/// Makes a loop, runs `main` on it until it has ended, and ends the loop: the whole of a program
/// that is one coroutine.
///
/// @snippet samples/04_hello_asyncio.cpp run
///
/// **Python:** asyncio.run(). **Threads:** any in which no loop runs.
/// @throws as Runner::run()
template <class T>
T run(Coroutine<T> main, LoopOptions options) {
  Runner runner(options);
  runner.check_can_run("run()");
  return runner.run_task(std::move(main));
}

}  // namespace plait::aio
