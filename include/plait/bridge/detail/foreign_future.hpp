// What the futures of other libraries have in common: they can be waited for, and be set.
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

#include <plait/bridge/wrap_future.hpp>
#include <plait/core/detail/outside_owner.hpp>
#include <plait/core/promise.hpp>

namespace plait::detail {

/// What a thread of its own does, and then ends.
class ForeignWait {
 public:
  virtual ~ForeignWait() = default;
  virtual void run() noexcept = 0;
};

/// @throws std::system_error if there can be no more threads
void start_thread(std::unique_ptr<ForeignWait> wait);

/// Waits for a `Foreign`, which has wait() and get(), and ends a future of plait as that ends.
template <class T, class Foreign>
class ForeignRelay final : public ForeignWait {
 public:
  explicit ForeignRelay(Foreign foreign)
      : foreign_(std::move(foreign)),
        promise_(make_promise<T>(new PromiseState<T>(&outside_owner()))) {}

  Future<T> get_future() const { return promise_.get_future(); }
  void run() noexcept override {
    foreign_.wait();
    if (!promise_.set_running_or_notify_cancel()) return;
    try {
      if constexpr (std::is_void_v<T>) {
        foreign_.get();
        promise_.set_result();
      } else {
        promise_.set_result(foreign_.get());
      }
    } catch (...) {
      promise_.set_exception(std::current_exception());
    }
  }

 private:
  Foreign foreign_;
  Promise<T> promise_;
};

/// A future of the running loop for `foreign`. Where `is_ready(foreign)` there is no wait.
template <class T, class Foreign, class IsReady>
Future<T> wrap_foreign(Foreign foreign, IsReady is_ready) {
  auto& core = require_running_core();
  if (!foreign.valid()) throw_no_state("wrap_future()");
  const bool ready = is_ready(foreign);
  auto relay = std::make_unique<ForeignRelay<T, Foreign>>(std::move(foreign));
  auto future = relay->get_future();
  if (ready) {
    relay->run();
  } else {
    start_thread(std::move(relay));
  }
  return wrap_state(core, std::move(future));
}

/// Sets a `Promise` of another library when a state is done: in the thread that ends it. `ToError`
/// makes what that takes of an exception.
template <class T, class Promise, class ToError = std::identity>
class OutcomeRelay final : public Waiter {
 public:
  /// Deletes itself when it has done so.
  static void start(StateRef<ValueState<T>> state, Promise promise) {
    auto* const relay = new OutcomeRelay(std::move(state), std::move(promise));
    if (!relay->state_->add_waiter(*relay)) relay->notify(*relay->state_);
  }
  void notify(FutureState&) noexcept override {
    settle();
    delete this;
  }

 private:
  OutcomeRelay(StateRef<ValueState<T>> state, Promise promise)
      : state_(std::move(state)), promise_(std::move(promise)) {}
  ~OutcomeRelay() = default;

  void settle() noexcept {
    try {
      state_->throw_unless_value();
      if constexpr (std::is_void_v<T>) {
        promise_.set_value();
      } else {
        promise_.set_value(state_->give_value());
      }
    } catch (...) {
      promise_.set_exception(ToError()(std::current_exception()));
    }
  }

  const StateRef<ValueState<T>> state_;
  Promise promise_;
};

/// The state of `f`, of which `f` no longer is a handle.
template <class T>
StateRef<ValueState<T>> take_state(Future<T> f, const char* function) {
  if (!f.valid()) throw_no_state(function);
  auto state = release_state(std::move(f));
  return StateRef<ValueState<T>>::adopt(static_cast<ValueState<T>*>(state.detach()));
}

}  // namespace plait::detail
