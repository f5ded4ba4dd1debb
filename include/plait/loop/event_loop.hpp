// EventLoop: one thread that runs callbacks, timers and tasks in turn.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <plait/core/clock.hpp>
#include <plait/core/coroutine.hpp>
#include <plait/core/detail/callable.hpp>
#include <plait/core/promise.hpp>
#include <plait/executors/detail/submit_job.hpp>
#include <plait/loop/detail/loop_core.hpp>
#include <plait/loop/detail/loop_promise.hpp>
#include <plait/loop/handle.hpp>
#include <plait/loop/loop_options.hpp>
#include <plait/loop/task.hpp>

namespace boost::asio {
class io_context;  // NOLINT(readability-identifier-naming): its own name
}

namespace plait::detail {

/// What call_soon() and its like take: fn(args...) that is no coroutine function, whose coroutine
/// would never run.
template <class F, class... A>
concept LoopCallable =
    std::invocable<std::decay_t<F>, std::decay_t<A>...> && !CoroutineFunction<F, A...>;

}  // namespace plait::detail

namespace plait::aio {

/// Runs callbacks, timers, tasks and the readiness of descriptors, one at a time, in one thread.
///
/// An iteration takes in what other threads have posted, waits for a timer or a descriptor if
/// nothing is ready, moves what is due to the ready queue, and runs exactly the handles that were
/// ready when it began, first in, first out. See `doc/event_loop.md`. A loop that is idle uses no
/// CPU.
///
/// Destroying a loop closes it. It may be moved to another thread while it does not run.
/// **Python:** asyncio's event loop. **Threads:** one at a time, but for call_soon_threadsafe():
/// any. Debug mode checks this.
class EventLoop {
 public:
  /// A loop that does not run yet.
  explicit EventLoop(LoopOptions options = LoopOptions());
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;
  /// As close(). A loop must not be destroyed by one of its own callbacks.
  ~EventLoop();

  // -- running

  /// Runs the loop until `coro` has ended as a task, and gives its result.
  /// @throws what it threw; RuntimeError if the loop was stopped first, is closed, or a loop runs
  template <class T>
  T run_until_complete(Coroutine<T> coro) {
    check_can_run();
    auto task = create_task(std::move(coro));
    run_until_done(*detail::state_of(static_cast<const Future<T>&>(task)));
    return std::move(task).result();
  }
  /// As above for a future, which may be another executor's, but not another loop's.
  template <class T>
  T run_until_complete(const Future<T>& f) {
    check_can_run();
    auto* const state = detail::state_of(f);
    if (!state) detail::throw_no_state("run_until_complete()");
    Future<T> kept = f;  // a callback may reset the other one
    run_until_done(*state);
    return std::move(kept).result();
  }
  /// Runs until stop(). @throws RuntimeError if it is closed, or a loop runs in this thread;
  /// DeadlockError with virtual time, where nothing can ever happen any more
  void run_forever();
  /// Ends the run after the present iteration; if it does not run, the next run has one iteration.
  void stop();
  /// Destroys what is pending: callbacks and timers are dropped, pending tasks are reported, their
  /// coroutines destroyed and their futures cancelled. The default executor takes no more jobs;
  /// those it has still run, and nobody waits for them. May be called again.
  /// @throws RuntimeError while it runs
  void close();
  /// True inside of run_forever() and run_until_complete().
  bool is_running() const;
  /// True after close().
  bool is_closed() const;

  // -- callbacks

  /// Runs fn(args...) in the next iteration, after what was scheduled before. What it throws goes
  /// to the exception handler.
  template <class F, class... A>
    requires detail::LoopCallable<F, A...>
  Handle call_soon(F&& fn, A&&... args) {
    core_->check_usable();
    auto callback = make_callback("call_soon()", std::forward<F>(fn), std::forward<A>(args)...);
    core_->push(*callback);
    return Handle(std::move(callback));
  }
  /// As call_soon(), from any thread; wakes the loop. **Threads:** any.
  template <class F, class... A>
    requires detail::LoopCallable<F, A...>
  Handle call_soon_threadsafe(F&& fn, A&&... args) {
    auto callback =
        make_callback("call_soon_threadsafe()", std::forward<F>(fn), std::forward<A>(args)...);
    push_from_any_thread(*callback);
    return Handle(std::move(callback));
  }
  /// Runs fn(args...) once `delay` has passed. Equal deadlines run in the order of these calls.
  template <class F, class... A>
    requires detail::LoopCallable<F, A...>
  TimerHandle call_later(Duration delay, F&& fn, A&&... args) {
    return call_at(core_->deadline(delay), std::forward<F>(fn), std::forward<A>(args)...);
  }
  /// As call_later(), at a moment of time().
  template <class F, class... A>
    requires detail::LoopCallable<F, A...>
  TimerHandle call_at(Clock::time_point when, F&& fn, A&&... args) {
    core_->check_usable();
    auto callback = make_callback("call_at()", std::forward<F>(fn), std::forward<A>(args)...);
    core_->add_timer(*callback, when);
    return TimerHandle(std::move(callback));
  }
  /// The loop's clock: Clock::now(), or the virtual time.
  Clock::time_point time() const { return core_->time(); }

  // -- tasks and futures

  /// Makes a task of `coro`, which takes its first step in the next iteration.
  template <class T>
  Task<T> create_task(Coroutine<T> coro, TaskOptions options = TaskOptions()) {
    core_->check_usable();
    auto& state = *new detail::TaskState<T>(*core_, detail::release_frame(coro));
    auto task = detail::make_task(state);
    if (!options.name.empty()) task.set_name(std::string(options.name));
    if (options.eager_start && is_running()) {
      state.run();
    } else {
      core_->push(state);
    }
    return task;
  }
  /// A promise whose future belongs to this loop: callbacks run here by call_soon(), and its
  /// result() does not block this thread. **Python:** create_future(). **Threads:** any.
  template <class T = void>
  Promise<T> create_promise() {
    return detail::make_promise<T>(new detail::LoopPromiseState<T>(core_));
  }

  /// Closes the async generators that were started here and have not ended, all at once; their
  /// errors go to the exception handler. Runner and run() do this. **Python:** as there.
  Coroutine<> shutdown_asyncgens();

  // -- blocking work

  /// Runs fn(args...), or fn(std::stop_token, args...), on `ex`, so that the loop goes on
  /// meanwhile.
  ///
  /// `ex` null: the default executor, a ThreadPoolExecutor of this loop's own that is made when it
  /// is first needed. The future is that of Executor::submit(): `co_await` on it resumes here.
  /// Coroutine functions are not taken, as in Python: Executor::submit() runs them.
  /// **Python:** as there; see also to_thread(), which carries the context variables.
  /// **Cancellation:** of the awaiting task cancels the queued job, or asks the running one to stop
  /// and does not wait for it.
  /// @throws what submit() throws; RuntimeError("Executor shutdown has been called") after
  /// shutdown_default_executor()
  template <class F, class... A>
    requires(!detail::CoroutineFunction<F, A...>)
  Future<SubmitResult<F, A...>> run_in_executor(Executor* ex, F&& fn, A&&... args) {
    core_->check_usable();
    detail::refuse_null(fn, "run_in_executor()");
    auto& core = ex ? *detail::core_of(*ex) : core_->default_executor().core();
    return detail::submit_job(core, SubmitOptions(), detail::NoName(), std::forward<F>(fn),
                              std::forward<A>(args)...);
  }
  /// Replaces the default executor; jobs that the present one has still run.
  ///
  /// Any Executor will do. close() shuts it down without waiting; but if this handle is the last
  /// one, its destructor waits. **Python:** as there, where it has to be a ThreadPoolExecutor.
  /// @throws std::invalid_argument for null
  void set_default_executor(std::shared_ptr<Executor> ex);
  /// Shuts the default executor down and waits for its jobs, while the loop goes on.
  ///
  /// From its first step on run_in_executor() without an executor throws. After `timeout` it warns
  /// the log handler and waits no longer; the jobs go on. With virtual time the clock stands still
  /// until the jobs have ended. Runner and run() do this, and wait for five minutes at most.
  /// **Python:** as there.
  Coroutine<> shutdown_default_executor(std::optional<Duration> timeout = {});

  // -- errors and debugging

  /// Replaces the receiver of errors that nobody can catch; an empty one restores the default.
  void set_exception_handler(std::function<void(EventLoop&, const ExceptionContext&)> handler);
  /// The present receiver, empty for the default.
  std::function<void(EventLoop&, const ExceptionContext&)> get_exception_handler() const;
  /// Hands `context` to the receiver.
  void call_exception_handler(const ExceptionContext& context);
  /// What the default does: writes it to the log handler.
  void default_exception_handler(const ExceptionContext& context);
  /// Debug mode: calls from a wrong thread throw, callbacks that take longer than
  /// set_slow_callback_duration() and coroutines that nobody awaits are reported.
  void set_debug(bool on);
  /// See set_debug().
  bool get_debug() const;
  /// 100 ms unless set. See set_debug().
  void set_slow_callback_duration(Duration d);
  /// Called at every iteration, before the ready handles run, with one name a handle, due timers
  /// included and cancelled ones left out. What it throws goes to the exception handler. An empty
  /// function ends it.
  void set_trace(
      std::function<void(std::uint64_t iteration, const std::vector<std::string>& ready)> fn);

  // -- descriptors and signals

  /// Calls `fn` in the loop whenever `fd` can be read; replaces the reader it had.
  /// @throws std::system_error for what cannot be watched
  void add_reader(int fd, std::function<void()> fn);
  /// @returns false if `fd` had no reader
  bool remove_reader(int fd);
  /// As add_reader(), for writing.
  void add_writer(int fd, std::function<void()> fn);
  /// @returns false if `fd` had no writer
  bool remove_writer(int fd);
  /// Calls `fn` in the loop when the process receives `sig`; replaces the handler it had.
  /// @throws std::invalid_argument for no signal's number, RuntimeError for one that cannot be
  /// caught
  void add_signal_handler(int sig, std::function<void()> fn);
  /// Restores the default disposition. @returns false if there was no handler
  bool remove_signal_handler(int sig);
  /// The selector, for the user's own Asio objects and posts; see `doc/asio.md`. The loop runs it:
  /// nobody else may. Those objects must be gone before the loop is closed.
  /// **Threads:** the loop's; the io_context itself is for any.
  boost::asio::io_context& context();

 private:
  friend class Runner;
  friend detail::LoopCore& detail::core_of(EventLoop& loop) noexcept;
  friend std::vector<AnyTask> all_tasks(EventLoop& loop);

  template <class F, class... A>
  detail::CallbackRef make_callback(const char* where, F&& fn, A&&... args) {
    detail::refuse_null(fn, where);
    using Bound = detail::BoundCallback<std::decay_t<F>, std::decay_t<A>...>;
    return detail::CallbackRef::adopt(
        new Bound(*core_, std::forward<F>(fn), std::forward<A>(args)...));
  }
  void push_from_any_thread(detail::LoopCallback& callback);
  void check_can_run() const;
  void run_until_done(detail::FutureState& state);

  std::shared_ptr<detail::LoopCore> core_;  // shared with the promises of this loop
};

/// The loop that runs in this thread. @throws RuntimeError if none does
EventLoop& get_running_loop();
/// The loop that runs in this thread; null: none.
EventLoop* get_running_loop_or_null() noexcept;
/// The running loop, else the one of set_event_loop(). @throws RuntimeError if there is neither
EventLoop& get_event_loop();
/// A new loop. **Python:** as there.
std::unique_ptr<EventLoop> new_event_loop(LoopOptions options = LoopOptions());
/// Sets what get_event_loop() gives in this thread while no loop runs; null: nothing.
void set_event_loop(EventLoop* loop);

/// Makes a task of `coro` on the running loop. @throws RuntimeError if none runs
template <class T>
Task<T> create_task(Coroutine<T> coro, TaskOptions options = TaskOptions()) {
  return get_running_loop().create_task(std::move(coro), options);
}
/// A task of `coro`. **Python:** as there.
template <class T>
Task<T> ensure_future(Coroutine<T> coro) {
  return create_task(std::move(coro));
}
/// `f` itself.
template <class T>
Future<T> ensure_future(Future<T> f) {
  return f;
}
/// `task` itself.
template <class T>
Task<T> ensure_future(Task<T> task) {
  return task;
}

}  // namespace plait::aio
