// co_await on a Future, as far as it does not depend on the type of the result.
#pragma once

#include <plait/core/detail/frame.hpp>
#include <plait/core/detail/future_state.hpp>

namespace plait::detail {

class Strand;

/// Suspends a fiber, or a strand of a coroutine on an executor, until a state is done. It lives in
/// the frame that awaits.
///
/// Cancelling the fiber cancels what it awaits, as asyncio does: a queued job, another task. Work
/// that runs and cannot be cancelled is asked to stop, and the fiber does not wait for it.
class FutureWait : public Waiter, public Suspension {
 public:
  explicit FutureWait(FutureState& state) noexcept : state_(state) {}
  FutureWait(FutureWait&&) = delete;

  bool await_ready() const noexcept { return state_.done(); }
  /// False: it is done, or the fiber was cancelled, and goes on at once.
  bool suspend(Frame& frame) noexcept;
  /// Runs in: the fiber, resumed. Throws where the fiber was cancelled here.
  void resume() {
    if (outside_ || error_ || passed_on_) [[unlikely]]
      resume_slowly();
  }

  void notify(FutureState& state) noexcept override;
  Interrupted interrupt() noexcept override;
  bool detach() noexcept override { return state_.remove_waiter(*this); }
  void fail(std::exception_ptr error) noexcept override { error_ = std::move(error); }
  std::string what() const override { return state_.describe(); }
  FutureState* waiting_state() const noexcept override;

  /// What it waits for.
  FutureState& state() const noexcept { return state_; }
  /// Passes a request to end on. False: it is done, or cannot be cancelled; work that runs was
  /// asked to stop.
  bool cancel_awaited() noexcept;

 protected:
  ~FutureWait() = default;

 private:
  bool suspend_strand(Frame& frame) noexcept;
  bool wait_in_spite_of_cancellation() noexcept;
  bool may_wait() noexcept;
  void resume_slowly();

  FutureState& state_;
  Fiber* fiber_ = nullptr;    // null: never suspended, or a strand
  Strand* strand_ = nullptr;  // null: never suspended, or a fiber
  std::exception_ptr error_;  // the fiber was cancelled and does not wait for the state
  bool passed_on_ = false;    // the fiber was cancelled, and the state was asked to end
  bool outside_ = false;      // its scheduler expects the state's end from elsewhere
};

}  // namespace plait::detail
