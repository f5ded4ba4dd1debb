// Future: the one handle to a result, whoever computes it.
#pragma once

#include <chrono>
#include <concepts>
#include <coroutine>
#include <cstdint>
#include <exception>
#include <memory>
#include <type_traits>
#include <utility>

#include <plait/core/clock.hpp>
#include <plait/core/detail/callable.hpp>
#include <plait/core/detail/callback_waiter.hpp>
#include <plait/core/detail/future_wait.hpp>
#include <plait/core/detail/value_state.hpp>
#include <plait/core/errors.hpp>
#include <plait/core/outcome.hpp>

namespace plait {

/// Names one done-callback of one future, to take it away again.
struct CallbackId {
  std::uint64_t value = 0;  ///< 0 names none
};

template <class T>
class Future;

namespace detail {
template <class T>
Future<T> make_future(StateRef<ValueState<T>> state) noexcept;
template <class T>
FutureState* state_of(const Future<T>& future) noexcept;
/// The state behind a future that gives its reference away.
template <class T>
StateRef<FutureState> release_state(Future<T>&& future) noexcept;
}  // namespace detail

/// What co_await on a Future<T> waits with; R is T for a temporary future, else a reference to the
/// value that the future keeps. A detail, public for its shape only.
template <class T, class R>
class FutureAwaiter final : public detail::FutureWait {
 public:
  /// Waits for `state`, which it keeps.
  explicit FutureAwaiter(detail::StateRef<detail::ValueState<T>> state) noexcept
      : FutureWait(*state), state_(std::move(state)) {}

  /// False: no need to wait.
  template <std::derived_from<detail::Frame> Promise>
  bool await_suspend(std::coroutine_handle<Promise> awaiting) noexcept {
    return suspend(awaiting.promise());
  }
  /// The value; throws the error or the cancellation.
  R await_resume() {
    resume();
    state_->throw_unless_value();
    if constexpr (std::is_reference_v<R>) {
      return state_->value();
    } else if constexpr (!std::is_void_v<R>) {
      return state_->give_value();
    }
  }

 private:
  detail::StateRef<detail::ValueState<T>> state_;
};

/// Shared, copyable handle to the result of work that runs elsewhere.
///
/// @snippet samples/01_submit.cpp submit
///
/// Every copy stands for the same work; the result lives until the last one goes. A failure that
/// nobody asked for by then is reported to the log handler, so that no exception is ever lost. All
/// members but valid(), the queries and the assignment throw InvalidStateError on a handle without
/// a state.
///
/// **Python:** concurrent.futures.Future and asyncio.Future in one. **Threads:** any may call any
/// member; a single handle object is as thread-safe as a std::shared_ptr. **Ordering:** what the
/// work did before it ended is visible to who has seen it done.
template <class T = void>
class Future {
 public:
  /// The type of the result.
  using value_type = T;

  /// A handle without a state: valid() is false.
  Future() noexcept = default;

  /// False for a handle that was default-constructed or moved from.
  bool valid() const noexcept { return static_cast<bool>(state_); }

  /// Cancels work that has not started; its callable is destroyed at once.
  ///
  /// The future is done when this returns, its waiters are woken and its callbacks have run in this
  /// thread. **Python:** as there, but wait() and as_completed() see it as done at once.
  /// @returns false once the work is running or finished; true if it is, or already was, cancelled
  bool cancel() const { return checked("cancel()").cancel(); }

  /// cancel(), or else asks running work to stop.
  ///
  /// A callable that takes a std::stop_token first sees the request there; on a thread pool legacy
  /// code sees it at Boost.Thread's interruption points. **Python:** none.
  /// @returns false if it was finished already or nothing can hear the request
  bool request_stop() const { return checked("request_stop()").request_stop(); }

  /// True if the work was cancelled, or ended by throwing CancelledError.
  bool cancelled() const noexcept { return in_phase(detail::Phase::cancelled); }
  /// True while the work runs.
  bool running() const noexcept {
    return in_phase(detail::Phase::running) || in_phase(detail::Phase::settling);
  }
  /// True once there is a value, an exception or a cancellation.
  bool done() const noexcept { return state_ && state_->done(); }

  /// Blocks until done and returns the value; the reference lives as long as some handle does.
  ///
  /// In a worker of the pool that the work is queued on, the worker runs it in place instead of
  /// waiting for a free one, so nested waits always finish. **Python:** as there.
  /// @throws what the work threw; CancelledError; DeadlockError for a wait that can never end
  ResultOf<T> result() const& {
    checked("result()").wait();
    return value();
  }
  /// As above, for a temporary: gives the value itself, so that no reference dangles.
  ///
  /// The value is moved out if this is the last handle or if T cannot be copied, else copied.
  T result() &&
      requires(!std::is_void_v<T> && std::move_constructible<T>) {
        checked("result()").wait();
        return give_value();
      }
      /// As result(), for at most `timeout`; a timeout neither ends nor changes the work.
      ///
      /// A worker that helps runs the whole job, however long it takes, unless `timeout` is zero or
      /// less.
      /// @throws TimeoutError
      template <class Rep, class Period>
      ResultOf<T> result(std::chrono::duration<Rep, Period> timeout) const& {
    wait_or_throw(timeout, "result()");
    return value();
  }
  /// As above, for a temporary.
  template <class Rep, class Period>
      T result(std::chrono::duration<Rep, Period> timeout) &&
      requires(!std::is_void_v<T> && std::move_constructible<T>) {
        wait_or_throw(timeout, "result()");
        return give_value();
      }

      /// Blocks until done and moves the value out; the state keeps a moved-from value.
      ///
      /// For results that cannot be copied. One handle may take(), once. **Python:** none.
      T take() const {
    checked("take()").wait();
    state_->throw_unless_value();
    if constexpr (!std::is_void_v<T>) return std::move(state_->value());
  }

  /// Blocks until done and returns what the work threw, null if it returned.
  /// @throws CancelledError if it was cancelled
  std::exception_ptr exception() const {
    checked("exception()").wait();
    return error();
  }
  /// As exception(), for at most `timeout`. @throws TimeoutError
  template <class Rep, class Period>
  std::exception_ptr exception(std::chrono::duration<Rep, Period> timeout) const {
    wait_or_throw(timeout, "exception()");
    return error();
  }

  /// How a done future ended, in one reading. @throws InvalidStateError while it is not done
  Outcome<T> outcome() const;

  /// Blocks until done, whatever the outcome; helps as result() does.
  void wait() const { checked("wait()").wait(); }
  /// As wait(), for at most `timeout`. @returns false if it is still not done
  template <class Rep, class Period>
  bool wait_for(std::chrono::duration<Rep, Period> timeout) const {
    return checked("wait_for()")
        .wait_until(detail::deadline_after(detail::clamp_duration(timeout)));
  }

  /// Calls `fn(future)` when the work is done; at once, in this thread, if it is already.
  ///
  /// Callbacks run in the order in which they were added, in the thread that ends or cancels the
  /// work. What one throws, whatever it is, is reported to the log handler and dropped.
  /// **Python:** as there; there a BaseException kills the worker.
  template <class F>
  CallbackId add_done_callback(F&& fn) const;
  /// Takes a callback away. @returns false if it has run, is running or was removed before
  bool remove_done_callback(CallbackId id) const;

  /// co_await on this in a coroutine, on a loop or on a pool: gives the value as result() does.
  ///
  /// The coroutine goes on in its own loop or pool, whoever ends the work. **Cancellation:** of the
  /// awaiting task cancels queued work and other tasks, and asks running work to stop.
  FutureAwaiter<T, ResultOf<T>> operator co_await() const& {
    checked("co_await");
    return FutureAwaiter<T, ResultOf<T>>(state_);
  }
  /// As above, for a temporary: gives the value itself, moved out where this was the last handle or
  /// T cannot be copied.
  FutureAwaiter<T, T> operator co_await() && {
    checked("co_await");
    return FutureAwaiter<T, T>(std::move(state_));
  }

  /// Whether two handles share one state; two without a state are equal.
  friend bool operator==(const Future& a, const Future& b) noexcept {
    return a.state_.get() == b.state_.get();
  }

 private:  // methods
  friend Future detail::make_future<T>(detail::StateRef<detail::ValueState<T>>) noexcept;
  friend detail::FutureState* detail::state_of<T>(const Future&) noexcept;
  friend detail::StateRef<detail::FutureState> detail::release_state<T>(Future&&) noexcept;

  explicit Future(detail::StateRef<detail::ValueState<T>> state) noexcept
      : state_(std::move(state)) {}

  bool in_phase(detail::Phase phase) const noexcept {
    return state_ && state_->snapshot().phase() == phase;
  }
  detail::ValueState<T>& checked(const char* member) const {
    if (!state_) detail::throw_no_state(member);
    return *state_;
  }
  template <class Rep, class Period>
  void wait_or_throw(std::chrono::duration<Rep, Period> timeout, const char* member) const {
    const auto deadline = detail::deadline_after(detail::clamp_duration(timeout));
    if (!checked(member).wait_until(deadline)) detail::throw_timeout(member);
  }
  ResultOf<T> value() const {
    state_->throw_unless_value();
    if constexpr (!std::is_void_v<T>) return state_->value();
  }
  T give_value() {
    state_->throw_unless_value();
    return state_->give_value();
  }
  std::exception_ptr error() const {
    if (state_->snapshot().phase() == detail::Phase::cancelled) state_->throw_unless_value();
    return state_->retrieve_error();
  }

 private:  // fields
  detail::StateRef<detail::ValueState<T>> state_;
};

// Implementation

namespace detail {

template <class T>
Future<T> make_future(StateRef<ValueState<T>> state) noexcept {
  return Future<T>(std::move(state));
}

template <class T>
FutureState* state_of(const Future<T>& future) noexcept {
  return future.state_.get();
}

template <class T>
StateRef<FutureState> release_state(Future<T>&& future) noexcept {
  return StateRef<FutureState>::adopt(future.state_.detach());
}

}  // namespace detail

template <class T>
template <class F>
CallbackId Future<T>::add_done_callback(F&& fn) const {
  detail::FutureState& state = checked("add_done_callback()");
  detail::refuse_null(fn, "add_done_callback()");
  auto call = [fn = std::forward<F>(fn)](detail::FutureState& done) mutable {
    using State = detail::ValueState<T>;
    fn(Future(detail::StateRef<State>::share(static_cast<State&>(done))));
  };
  auto* const waiter = new detail::CallbackWaiter<decltype(call)>(std::move(call));
  const CallbackId id{waiter->callback_id};
  if (!state.add_waiter(*waiter)) waiter->notify_late(state);
  return id;
}

template <class T>
bool Future<T>::remove_done_callback(CallbackId id) const {
  return id.value != 0 && checked("remove_done_callback()").remove_callback(id.value);
}

template <class T>
Outcome<T> Future<T>::outcome() const {
  detail::ValueState<T>& state = checked("outcome()");
  const auto seen = state.snapshot();
  if (!seen.done()) {
    throw InvalidStateError("outcome() of a future that is not done: call wait() first");
  }
  if (state.retrieve_error() || seen.phase() == detail::Phase::cancelled) {
    return Outcome<T>(state.error());
  }
  if constexpr (std::is_void_v<T>) {
    return Outcome<T>(std::in_place);
  } else {
    return Outcome<T>(std::in_place, state.value());
  }
}

}  // namespace plait
