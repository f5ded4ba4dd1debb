// Bodies of Future's longer members, and the done-callback as a waiter.
#pragma once

#include <memory>

#include <plait/core/detail/callable.hpp>
#include <plait/core/errors.hpp>
#include <plait/core/future.hpp>

namespace plait::detail {

/// A number that no other callback has; never 0.
std::uint64_t next_callback_id() noexcept;

/// Reports the exception being handled, which a done-callback of `state` threw.
void log_callback_error(const FutureState& state) noexcept;

template <class T>
Future<T> make_future(StateRef<ValueState<T>> state) noexcept {
  return Future<T>(std::move(state));
}

template <class T>
FutureState* state_of(const Future<T>& future) noexcept {
  return future.state_.get();
}

/// A callback that waits for its future; deletes itself when it has run or was taken away.
template <class T, class F>
class CallbackWaiter final : public Waiter {
 public:
  template <class G>
  explicit CallbackWaiter(G&& fn) : fn_(std::forward<G>(fn)) {
    callback_id = next_callback_id();
  }

  void notify(FutureState& state) noexcept override {
    const std::unique_ptr<CallbackWaiter> self(this);
    try {
      fn_(make_future(StateRef<ValueState<T>>::share(static_cast<ValueState<T>&>(state))));
    } catch (...) {
      log_callback_error(state);
    }
  }

  void removed() noexcept override { delete this; }

 private:
  F fn_;
};

}  // namespace plait::detail

namespace plait {

template <class T>
template <class F>
CallbackId Future<T>::add_done_callback(F&& fn) const {
  detail::FutureState& state = checked("add_done_callback()");
  detail::refuse_null(fn, "add_done_callback()");
  auto waiter =
      std::make_unique<detail::CallbackWaiter<T, std::decay_t<F>>>(std::forward<F>(fn));
  const CallbackId id{waiter->callback_id};
  detail::Waiter* const linked = waiter.release();
  if (!state.add_waiter(*linked)) linked->notify(state);
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
  if (!seen.done()) throw InvalidStateError("outcome() of a future that is not done: wait() first");
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
