// A done-callback as a waiter.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include <plait/core/detail/future_state.hpp>

namespace plait::detail {

/// A number that no other callback has; never 0.
std::uint64_t next_callback_id() noexcept;

/// Reports the exception being handled, which a done-callback of `state` threw.
void log_callback_error(const FutureState& state) noexcept;

/// Calls `fn(state)` once; deletes itself when it has, or when it was taken away.
template <class F>
class CallbackWaiter final : public Waiter {
 public:
  explicit CallbackWaiter(F fn) : fn_(std::move(fn)) { callback_id = next_callback_id(); }

  void notify(FutureState& state) noexcept override {
    const std::unique_ptr<CallbackWaiter> self(this);
    try {
      fn_(state);
    } catch (...) {
      log_callback_error(state);
    }
  }

  void removed() noexcept override { delete this; }

 private:
  F fn_;
};

}  // namespace plait::detail
