// Executor: where functions are sent to run somewhere else.
#pragma once

#include <concepts>
#include <memory>
#include <ranges>
#include <type_traits>
#include <utility>

#include <plait/core/detail/callable.hpp>
#include <plait/core/future.hpp>
#include <plait/executors/detail/executor_core.hpp>
#include <plait/executors/detail/submit_job.hpp>
#include <plait/executors/map.hpp>
#include <plait/executors/submit_options.hpp>

namespace plait {

class Executor;

namespace detail {
/// fn(args...) or fn(std::stop_token, args...) can be called with decayed copies.
template <class F, class... A>
concept Submittable = std::invocable<std::decay_t<F>, std::decay_t<A>...> ||
                      std::invocable<std::decay_t<F>, std::stop_token, std::decay_t<A>...>;

/// The engine behind a handle.
const std::shared_ptr<ExecutorCore>& core_of(Executor& executor) noexcept;
}  // namespace detail

/// Where functions are sent to run somewhere else; the result comes back as a Future.
///
/// **Python:** concurrent.futures.Executor. **Threads:** any may call any member.
class Executor {
 public:
  /// Derived destructors call shutdown().
  virtual ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  /// Runs fn(args...), or fn(std::stop_token, args...), and returns its future.
  ///
  /// @snippet samples/01_submit.cpp submit
  ///
  /// Callable and arguments are copied or moved, and passed on as rvalues; give std::ref() for a
  /// reference. They are destroyed as soon as the call has ended or was cancelled. Jobs from one
  /// outside thread start in the order in which they were submitted. If the call gives a
  /// Coroutine<T>, that is run here, too, and the future is its own: it may go from thread to
  /// thread at each co_await, of futures, coroutines, fork_join() and gather(); shutdown() waits
  /// for it.
  /// **Python:** as there, but for coroutines. **Cancellation:** Future::cancel() before it starts,
  /// Future::request_stop() at any time: a coroutine gets CancelledError at a co_await.
  /// @throws RuntimeError after shutdown(), BrokenExecutor, std::invalid_argument for a null
  /// callable
  template <class F, class... A>
    requires(!std::same_as<std::remove_cvref_t<F>, SubmitOptions> && detail::Submittable<F, A...>)
  Future<SubmitResult<F, A...>> submit(F&& fn, A&&... args) {
    detail::refuse_null(fn, "submit()");
    return detail::submit_job(*core_, SubmitOptions(), detail::NoName(), std::forward<F>(fn),
                              std::forward<A>(args)...);
  }
  /// As above, with a name, a priority and more.
  template <class F, class... A>
    requires detail::Submittable<F, A...>
  Future<SubmitResult<F, A...>> submit(SubmitOptions options, F&& fn, A&&... args) {
    detail::refuse_null(fn, "submit()");
    return detail::submit_job(*core_, options, detail::JobName{std::string(options.name)},
                              std::forward<F>(fn), std::forward<A>(args)...);
  }

  /// Runs a coroutine that was made before: `co_await pool.submit(work(5))` runs work(5) there and
  /// goes on here with its result.
  ///
  /// As submit(coroutine function, arguments...) otherwise. **Python:** none.
  template <class T>
  Future<T> submit(Coroutine<T> coroutine) {
    return detail::submit_coroutine(*core_, SubmitOptions(), detail::NoName(),
                                    std::move(coroutine));
  }
  /// As above, with a name, a priority and more.
  template <class T>
  Future<T> submit(SubmitOptions options, Coroutine<T> coroutine) {
    return detail::submit_coroutine(*core_, options, detail::JobName{std::string(options.name)},
                                    std::move(coroutine));
  }

  /// fn(x, y...) for the elements of the inputs side by side, as a range of results in their order.
  ///
  /// Everything is submitted before this returns; it stops at the shortest input. Move-only
  /// elements and results will do. See MapResults on errors and on leaving early. **Python:** as
  /// there.
  /// @throws what submit() throws, and what the inputs' iterators throw
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
    using T = SubmitResult<F, std::ranges::range_value_t<Rs>...>;
    static_assert(
        !detail::CoroutineFunction<F, std::ranges::range_value_t<Rs>...>,
        "map() takes plain functions; submit() coroutines one by one, or fork_join() them");
    detail::Deadline deadline;
    if (options.timeout) deadline = detail::deadline_after(*options.timeout);
    const detail::ChunkPlan plan(options, core_->parallelism(), detail::common_size(inputs...));
    return MapResults<T>(detail::start_map<T>(core_, plan, deadline, std::forward<F>(fn),
                                              std::forward<Rs>(inputs)...));
  }

  /// Takes no more jobs; those accepted still run, unless they are cancelled here.
  ///
  /// May be called again and from several threads; each one that waits returns when all is done. In
  /// a worker of this executor it does not wait, as it would wait for itself. **Python:** as there.
  virtual void shutdown(ShutdownOptions options = ShutdownOptions()) = 0;

 protected:
  /// A handle to `core`.
  explicit Executor(std::shared_ptr<detail::ExecutorCore> core);

  /// The engine behind this handle.
  detail::ExecutorCore& core() const { return *core_; }

 private:
  friend const std::shared_ptr<detail::ExecutorCore>& detail::core_of(Executor& executor) noexcept;

  std::shared_ptr<detail::ExecutorCore> core_;
};

}  // namespace plait
