// timeout, timeout_at and wait_for: a deadline for a part of a task.
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include <plait/core/clock.hpp>
#include <plait/core/coroutine.hpp>
#include <plait/loop/awaitable.hpp>
#include <plait/loop/detail/end_of_state.hpp>
#include <plait/loop/detail/timeout_state.hpp>

namespace plait::aio {

/// The deadline of one timeout(), for its body. A copyable handle: a copy stays readable after the
/// scope has ended.
///
/// **Python:** asyncio.Timeout. **Threads:** the loop's.
class Timeout {
 public:
  /// The deadline; nullopt: none.
  std::optional<Clock::time_point> when() const { return state_->when(); }
  /// Changes the deadline; nullopt: there is none any more. One that has passed strikes in the next
  /// iteration. @throws RuntimeError once the scope has ended or the deadline has struck
  void reschedule(std::optional<Clock::time_point> when) { state_->reschedule(when); }
  /// True once the deadline has struck.
  bool expired() const { return state_->expired(); }

 private:
  friend class detail::TimeoutScope;
  explicit Timeout(std::shared_ptr<detail::TimeoutState> state) noexcept
      : state_(std::move(state)) {}

  std::shared_ptr<detail::TimeoutState> state_;
};

}  // namespace plait::aio

namespace plait::detail {

/// A body that runs under a deadline: from its first step to its end.
class TimeoutScope {
 public:
  /// Enters with a deadline. @throws RuntimeError outside of a loop's task
  explicit TimeoutScope(std::optional<Clock::time_point> when)
      : timeout_(std::make_shared<TimeoutState>(when)) {
    timeout_.state_->enter();
  }
  TimeoutScope(const TimeoutScope&) = delete;
  TimeoutScope& operator=(const TimeoutScope&) = delete;
  ~TimeoutScope() { timeout_.state_->leave(); }

  aio::Timeout& timeout() noexcept { return timeout_; }
  /// Runs in: a handler of what the body threw. Throws TimeoutError in its place if that is the
  /// cancellation by this deadline.
  void translate() { timeout_.state_->translate(std::current_exception()); }

 private:
  aio::Timeout timeout_;
};

/// The deadline that is `delay` from now on the running loop.
std::optional<Clock::time_point> deadline_from_now(std::optional<Duration> delay);

template <class T, class F>
Coroutine<T> run_with_timeout(std::optional<Duration> delay, std::optional<Clock::time_point> when,
                              F body) {
  TimeoutScope scope(delay ? deadline_from_now(delay) : when);
  try {
    if constexpr (std::is_void_v<T>) {
      co_await std::invoke(body, scope.timeout());
    } else {
      co_return co_await std::invoke(body, scope.timeout());
    }
  } catch (...) {
    scope.translate();
    throw;
  }
}

/// Throws the TimeoutError of a wait_for() without time.
[[noreturn]] void throw_no_time();

}  // namespace plait::detail

namespace plait::aio {

/// Runs `body(Timeout&)`, a coroutine, for at most `delay` from its first step on; nullopt: for
/// ever.
///
/// When the deadline strikes, the task is cancelled; if the body ends with that CancelledError, and
/// nobody else has cancelled the task meanwhile, TimeoutError comes out instead. Scopes nest.
/// `body` is kept until it has ended, so a lambda's captures live as long as its coroutine.
/// GCC 12 destroys captures of a lambda twice that stands in a co_await expression and owns what it
/// captures: give such a lambda a name, and move it in.
/// **Python:** `async with asyncio.timeout(delay)`. **Threads:** a task of a loop.
/// **Cancellation:** reaches the body, whose end is awaited.
/// @throws TimeoutError; RuntimeError outside of a task
template <class F>
auto timeout(std::optional<Duration> delay, F body) -> std::invoke_result_t<F&, Timeout&> {
  using T = Awaited<std::invoke_result_t<F&, Timeout&>>;
  return detail::run_with_timeout<T, F>(delay, std::nullopt, std::move(body));
}
/// As timeout(), until a moment of the loop's time().
template <class F>
auto timeout_at(std::optional<Clock::time_point> when, F body)
    -> std::invoke_result_t<F&, Timeout&> {
  using T = Awaited<std::invoke_result_t<F&, Timeout&>>;
  return detail::run_with_timeout<T, F>(std::nullopt, when, std::move(body));
}

/// Awaits `inner` for at most `timeout`, nullopt: for ever; else cancels it and waits for its end.
///
/// If `inner` ends with a value all the same, that is the result. A running job is asked to stop
/// and not waited for. With no time at all a future that is done gives its result, and a coroutine
/// never starts. **Python:** as there. **Threads:** a task of a loop. **Cancellation:** cancels
/// `inner`.
/// @throws TimeoutError, what `inner` threw
template <Awaitable A>
Coroutine<Awaited<A>> wait_for(A inner, std::optional<Duration> timeout) {
  if (timeout && *timeout <= Duration::zero()) {
    auto state = detail::to_state(detail::require_running_core(), std::move(inner), "wait_for()");
    if (!state->done()) {
      if (!state->cancel()) {
        state->request_stop();
        detail::throw_no_time();
      }
      co_await detail::EndOfState(*state);
      if (state->snapshot().phase() == detail::Phase::cancelled) detail::throw_no_time();
    }
    state->throw_unless_value();
    if constexpr (std::is_void_v<Awaited<A>>) {
      co_return;
    } else {
      co_return detail::take_value<Awaited<A>>(*state, false);
    }
  }
  detail::TimeoutScope scope(detail::deadline_from_now(timeout));
  try {
    if constexpr (std::is_void_v<Awaited<A>>) {
      co_await std::move(inner);
    } else {
      co_return co_await std::move(inner);
    }
  } catch (...) {
    scope.translate();
    throw;
  }
}

}  // namespace plait::aio
