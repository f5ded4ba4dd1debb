// co_await on the end of a future of any type.
#pragma once

#include <concepts>
#include <coroutine>

#include <plait/core/detail/future_wait.hpp>

namespace plait::detail {

/// co_await on the end of a state; its outcome stays where it is.
class EndOfState {
 public:
  explicit EndOfState(FutureState& state) noexcept : state_(state) {}
  auto operator co_await() const noexcept { return Awaiter(state_); }

 private:
  class Awaiter final : public FutureWait {
   public:
    using FutureWait::FutureWait;
    template <std::derived_from<Frame> Promise>
    bool await_suspend(std::coroutine_handle<Promise> awaiting) noexcept {
      return suspend(awaiting.promise());
    }
    void await_resume() { resume(); }
  };

  FutureState& state_;
};

}  // namespace plait::detail
