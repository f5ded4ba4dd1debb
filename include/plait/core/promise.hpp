// Promise: the producer's end of a future that no executor runs.
#pragma once

#include <atomic>
#include <concepts>
#include <exception>
#include <type_traits>
#include <utility>

#include <plait/core/future.hpp>

namespace plait {

template <class T>
class Promise;

namespace detail {

/// The state behind a promise's future; counts the producers, so that the last one can give up.
template <class T>
class PromiseState : public ValueState<T> {
 public:
  /// `owner` is null but for a loop's promise.
  explicit PromiseState(JobOwner* owner = nullptr, std::uint32_t flags = 0)
      : ValueState<T>(owner, 1, flags) {}

  // How many Promise handles there are. Each adds and subtracts itself, with the default order; who
  // subtracts the last one fails the future if nobody has ended it.
  std::atomic<std::uint32_t> producers{1};
};

/// A producer of `state`, of which it takes over one reference.
template <class T>
Promise<T> make_promise(PromiseState<T>* state) noexcept;

/// The error of a future whose producers have all gone; a new object each time.
std::exception_ptr broken_promise();

/// The phase of `state` as a producer's mistake.
[[noreturn]] void throw_cannot_run(const FutureState& state);

}  // namespace detail

/// The producer's end of a Future: for those who write executors, wrap callbacks, or test.
///
/// Copies produce for the same future. When the last one is destroyed before there was a result,
/// the future fails with InvalidStateError. **Python:** the methods of concurrent.futures.Future
/// that are "for executors". **Threads:** any; one of several racing producers wins.
template <class T = void>
class Promise {
 public:
  /// A new future, pending.
  Promise() : state_(StateRef::adopt(new detail::PromiseState<T>)) {}
  /// One more producer of the same future.
  Promise(const Promise& other) noexcept : state_(other.state_) {
    if (state_) ++state_->producers;
  }
  /// Leaves `other` without a future.
  Promise(Promise&& other) noexcept = default;
  /// Becomes a producer of the other's future, and stops being one of its own.
  Promise& operator=(Promise other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~Promise() {
    if (state_ && --state_->producers == 0 && has_consumer() && !state_->done()) give_up();
  }

  /// The consumer's end; may be called any number of times.
  Future<T> get_future() const {
    return detail::make_future(
        detail::StateRef<detail::ValueState<T>>::share(checked("get_future()")));
  }

  /// To be called before the work starts; from then on the future refuses cancel().
  /// @returns false if the future was cancelled: do not run the work
  /// @throws InvalidStateError if it is running or finished
  bool set_running_or_notify_cancel() {
    auto& state = checked("set_running_or_notify_cancel()");
    if (state.start()) return true;
    if (state.snapshot().phase() == detail::Phase::cancelled) return false;
    detail::throw_cannot_run(state);
  }

  /// Ends the future with a value made from `value`; with no argument for Promise<void>.
  /// @throws InvalidStateError if it is done; what T's constructor throws, the future then stays as
  /// it was
  template <class... V>
  void set_result(V&&... value) {
    auto& state = checked("set_result()");
    const StateRef keep = state_;  // who sees the end may destroy this Promise at once
    const auto origin = state.settle();
    try {
      using Stored = typename detail::ValueState<T>::Stored;
      state.emplace_with([&]() -> Stored { return Stored(std::forward<V>(value)...); });
    } catch (...) {
      state.unsettle(origin);
      throw;
    }
    state.end(detail::Phase::finished);
  }

  /// Ends the future with an exception. A CancelledError ends it cancelled.
  /// @throws InvalidStateError if it is done; std::invalid_argument for a null pointer
  void set_exception(std::exception_ptr error) {
    auto& state = checked("set_exception()");
    const StateRef keep = state_;  // as in set_result()
    if (!error) throw std::invalid_argument("set_exception() got a null exception_ptr");
    state.settle();
    state.end(state.store_error(std::move(error)));
  }
  /// As above, with an exception object.
  template <class E>
    requires(!std::convertible_to<E, std::exception_ptr>)
  void set_exception(E error) {
    set_exception(std::make_exception_ptr(std::move(error)));
  }

 private:
  using StateRef = detail::StateRef<detail::PromiseState<T>>;
  friend Promise detail::make_promise<T>(detail::PromiseState<T>*) noexcept;

  explicit Promise(StateRef state) noexcept : state_(std::move(state)) {}

  detail::PromiseState<T>& checked(const char* member) const {
    if (!state_) detail::throw_no_state(member);
    return *state_;
  }
  bool has_consumer() const noexcept {
    const auto seen = state_->snapshot();
    return seen.references() > 1 || seen.has(detail::has_waiters);
  }
  void give_up() noexcept {
    try {
      set_exception(detail::broken_promise());
    } catch (const InvalidStateError&) {
      // Cancelled meanwhile: somebody else has ended it, as it should be.
    }
  }

  StateRef state_;
};

// Implementation

template <class T>
Promise<T> detail::make_promise(PromiseState<T>* state) noexcept {
  return Promise<T>(StateRef<PromiseState<T>>::adopt(state));
}

}  // namespace plait
